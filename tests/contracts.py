"""Checks each call in the test suite for the dtypes and shapes that docstrings state; the program does not use this.

A contract is a dtype and axes, `int32 (B, T + 1)`: of a parameter in `Args:`, of a result in `Returns:`, in a sentence
without these sections (parameters in their order, results after the word "returns"), or in the comment of a field.
One letter has one length within a call. `int`, `float` and `bool` are kinds; a parameter may have any size of its kind,
since NumPy converts, and a result has the dtype that is stated. `...` is any number of axes, the same in a call;
`B x K` a product. A name of a whole-number parameter, such as `count`, is its value.
"""

import functools
import importlib.machinery
import inspect
import re
import typing
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

STATED = re.compile(r"\b(int|integer|uint|float|bool)(8|16|32|64)?(?: ids)? \(([^()]*)\)")
SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Source):", re.MULTILINE)
ENTRY = re.compile(r"^ {4}(\w+(?:, \w+)*): ", re.MULTILINE)
FIELD = re.compile(r"^    (\w+): .*ndarray.*?#(.*)$", re.MULTILINE)
ARRAY = {"<class 'numpy.ndarray'>", "numpy.ndarray", "np.ndarray"}
KINDS = {"int": "iu", "integer": "iu", "uint": "u", "float": "f", "bool": "b"}


class Contract(typing.NamedTuple):
    """What one array must be."""

    text: str
    kinds: str  # of the dtype
    dtype: np.dtype | None  # None: any of these kinds
    axes: tuple[str | CodeType, ...]  # a name, or an expression of names
    open: int | None  # the place of `...`, where more axes may stand


class Contracts(typing.NamedTuple):
    """The contracts of a function, and its arrays that have none."""

    parameters: dict[str, Contract]
    results: dict[int | None, Contract]  # by place in the tuple that is returned; None: the result itself
    lacking: list[str]  # names of arrays without a contract


def stated(text: str) -> list[Contract]:
    """Finds the contracts in a text."""
    found = []
    for match in STATED.finditer(re.sub(r"\s+", " ", text)):
        kind, size, inside = match.groups()
        axes = [axis.strip().replace(" x ", " * ") for axis in inside.split(",") if axis.strip()]
        place = axes.index("...") if "..." in axes else None
        named = [axis for axis in axes if axis != "..."]
        compiled = tuple(axis if axis.isidentifier() else compile(axis, match[0], "eval") for axis in named)
        dtype = np.dtype(f"{'int' if kind == 'integer' else kind}{size}") if size else None
        found.append(Contract(match[0], KINDS[kind], dtype, compiled, place))
    return found


def is_array(annotation: object) -> bool:
    """Returns whether an annotation is an array, or a union with one."""
    return not ARRAY.isdisjoint(str(annotation).split(" | "))


def contracts_of(function: FunctionType, text: str) -> Contracts:
    """Reads the contracts of a function from its docstring, or from another text in its place."""
    try:
        hints = typing.get_type_hints(function)
    except (NameError, TypeError):  # what is imported for types alone
        hints = function.__annotations__
    parts = SECTION.split(inspect.cleandoc(text))
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    before, after = re.split(r"\b[Rr]eturns\b|\Z", parts[0], maxsplit=1)
    arrays = [name for name in inspect.signature(function).parameters if is_array(hints.get(name))]
    elements: dict[int | None, object] = {None: hints.get("return")}
    if typing.get_origin(hints.get("return")) is tuple:
        elements = dict(enumerate(typing.get_args(hints["return"])))
    places = [place for place, annotation in elements.items() if is_array(annotation)]
    said = stated(sections.get("Returns", after))
    results = dict(zip(places, said, strict=False))
    entries = ENTRY.split(sections.get("Args", ""))
    parameters = {
        name: contract
        for names, entry in zip(entries[1::2], entries[2::2], strict=True)
        for contract in stated(entry)[:1]
        for name in names.split(", ")
        if name in arrays
    }
    prose = stated(before) + ([] if "Returns" in sections else said[len(places) :])
    parameters |= dict(zip((name for name in arrays if name not in parameters), prose, strict=False))
    lacking = [name for name in arrays if name not in parameters]
    lacking += [f"result {place or 0}" for place in places if place not in results]
    return Contracts(parameters, results, lacking)


class Lengths(dict[str, Any]):
    """The length of each axis name within one call."""

    def check(self, value: np.ndarray, contract: Contract, where: str, *, exact: bool) -> None:
        """Raises AssertionError for a wrong dtype, number of axes or length."""
        shape, axes, extra = value.shape, contract.axes, value.ndim - len(contract.axes)
        start = contract.open or 0
        named, others = shape[:start] + shape[start + extra :], shape[start : start + extra]
        right = value.dtype == contract.dtype if exact and contract.dtype else value.dtype.kind in contract.kinds
        right = right and (extra == 0 or (contract.open is not None and extra > 0))
        right = right and (contract.open is None or self.setdefault("...", others) == others)
        if not right or not all(self.fits(*pair) for pair in zip(axes, named, strict=True)):
            known = ", ".join(f"{name} = {length}" for name, length in self.items()) or "no length"
            raise AssertionError(f"{where}: expected {contract.text}, got {value.dtype} {shape}; {known} known")

    def fits(self, axis: str | CodeType, length: int) -> bool:
        """Compares a length with the known ones; sets the length of a new name; accepts several new names in a sum."""
        if isinstance(axis, str):
            return bool(self.setdefault(axis, length) == length)
        new = [name for name in axis.co_names if name not in self]
        if len(new) > 1:
            return True
        if new:  # expressions are linear: find the slope and the name
            at_0, at_1 = (eval(axis, {new[0]: number, **self}) for number in (0, 1))
            self[new[0]] = (length - at_0) // (at_1 - at_0)
        return bool(eval(axis, dict(self)) == length)


def checked(function: FunctionType, contracts: Contracts) -> Any:
    """Wraps a function so that the contracts are checked at each call."""
    names = list(inspect.signature(function).parameters)
    said = [*contracts.parameters.values(), *contracts.results.values()]
    axes = [axis for contract in said for axis in contract.axes]
    used = {name for axis in axes for name in ([axis] if isinstance(axis, str) else axis.co_names)}
    numbers = [name for name in names if name in used]
    places = [(names.index(name), name) for name in [*numbers, *contracts.parameters]]
    where = f"{function.__module__}.{function.__qualname__}"
    # a call of the same sizes as an earlier one needs no check, which takes longer than many a function
    kept: dict[tuple[Any, ...], Lengths] = {}
    returned: set[tuple[Any, ...]] = set()

    def check_parameters(values: list[Any]) -> Lengths:
        given = dict(zip([name for _, name in places], values, strict=True))
        lengths = Lengths()
        for name in numbers:
            if isinstance(given[name], int | np.integer):
                lengths[name] = int(given[name])
        for name, contract in contracts.parameters.items():
            if isinstance(given[name], np.ndarray):
                lengths.check(given[name], contract, f"{where}, {name}", exact=False)
        return lengths

    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        values = [args[place] if place < len(args) else options.get(name) for place, name in places]
        taken = tuple(map(size, values))
        lengths = kept.get(taken)
        if lengths is None:
            lengths = kept[taken] = check_parameters(values)
        result = function(*args, **options)
        found = [result if position is None else result[position] for position in contracts.results]
        both = taken, *map(size, found)
        if both not in returned:
            lengths = Lengths(lengths)
            for value, contract in zip(found, contracts.results.values(), strict=True):
                if isinstance(value, np.ndarray):
                    lengths.check(value, contract, f"{where}, result", exact=True)
            returned.add(both)
        return result

    return wrapper


def size(value: Any) -> Any:
    """Returns what a contract can depend on: dtype and shape of an array, or a whole number."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape
    return int(value) if isinstance(value, int | np.integer) else None


def functions_of(module: ModuleType) -> Iterator[tuple[type | ModuleType, str, FunctionType, str]]:
    """Yields owner, name, function and text with the contracts, for each function that a module defines."""
    for name, value in list(vars(module).items()):
        if getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield module, name, value, value.__doc__ or ""
        elif inspect.isclass(value) and not getattr(value, "_is_protocol", False):
            for attribute, member in list(vars(value).items()):
                function = getattr(member, "__func__", member)
                if inspect.isfunction(function):
                    yield value, attribute, function, text_of(value, function)


def text_of(owner: type, function: FunctionType) -> str:
    """Returns a method's docstring; for the constructor of a tuple or dataclass, the comments of its fields."""
    making = function.__name__ in ("__init__", "__new__")
    if making and (hasattr(owner, "_fields") or hasattr(owner, "__dataclass_fields__")):
        comments = FIELD.findall(inspect.getsource(owner))
        return "Fields.\n\nArgs:\n" + "".join(f"    {name}:{comment}\n" for name, comment in comments)
    return function.__doc__ or (owner.__doc__ or "" if making else "")


def hold(module: ModuleType) -> None:
    """Replaces the functions of a module that have contracts by checked ones."""
    for owner, name, function, text in functions_of(module):
        contracts = contracts_of(function, text)
        if contracts.parameters or contracts.results:
            wrapper = checked(function, contracts)
            kind = type(vars(owner)[name])
            setattr(owner, name, kind(wrapper) if kind in (staticmethod, classmethod) else wrapper)


class Finder:
    """Checks the contracts of each module of the package; stands first in sys.meta_path before it is imported."""

    @staticmethod
    def find_spec(name: str, path: Any, target: Any = None) -> Any:
        if name.split(".")[0] != "seq2seq":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module
            spec.loader.exec_module = lambda module: (execute(module), hold(module))
        return spec

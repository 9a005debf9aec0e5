"""Options as dataclass fields with default, help text and limits; their checks; their form in TOML."""

import dataclasses
import math
import operator
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from seq2seq.errors import OptionError, brief

LARGEST = 10**18  # default limit of whole numbers, so that results of computations fit into 64 bits
SHOWN_DIGITS = 60  # most digits of a number in a message


def option(
    default: Any,
    text: str,
    *,
    choices: tuple[str, ...] = (),
    at_least: float | None = None,
    at_most: float | None = None,
    above: float | None = None,
    aliases: tuple[str, ...] = (),
    metavar: str | None = None,
) -> Any:
    """Declares an option: a dataclass field with its help text and the range of its values."""
    metadata = {
        "help": text,
        "choices": choices,
        "at_least": at_least,
        "at_most": at_most,
        "above": above,
        "aliases": aliases,
        "metavar": metavar,
    }
    return dataclasses.field(default=default, metadata=metadata)


def internal(default: Any, text: str, **limits: Any) -> Any:
    """Declares a field that no option sets: a way in which an adopted model differs from those of this package."""
    field = option(default, text, **limits)
    return dataclasses.field(default=default, metadata={**field.metadata, "internal": True})


def flag_of(name: str) -> str:
    """Returns the option for a field: `--top-k` for `top_k`."""
    return "--" + name.replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of the sections of options; checks the type and range of every value."""

    section: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not field.default:  # most are, and a line that is decoded alone waits for the checks
                check_value(field, value)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """Builds the section from names and values; the error for an unknown key begins with `where`.

        Raises:
            OptionError: a key is not a field, or a value has the wrong type or is out of range.

        """
        known = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise OptionError(
                f"{where}: unknown key {brief(unknown[0])} in section {cls.section!r}; "
                f"the keys are {', '.join(sorted(name for name in known if 'internal' not in known[name].metadata))}"
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Returns names and plain values for JSON or TOML; internal fields only if they differ from their defaults."""
        plain = {field.name: field.default for field in dataclasses.fields(self) if "internal" in field.metadata}
        return {key: value for key, value in dataclasses.asdict(self).items() if plain.get(key, ...) != value}


def type_of(field: dataclasses.Field[Any]) -> tuple[type, bool]:
    """Returns a field's plain type, and whether it may be None."""
    members = typing.get_args(field.type) or (field.type,)
    plain = [member for member in members if member is not types.NoneType]
    return plain[0], len(plain) < len(members)


def check_value(field: dataclasses.Field[Any], value: Any) -> None:
    """Raises OptionError if `value` has another type than the field or is out of its range."""
    problem = problem_of(field, value)
    if problem:
        raise OptionError(f"{flag_of(field.name)}: {problem}")


def problem_of(field: dataclasses.Field[Any], value: Any) -> str | None:
    """Returns what is wrong with a value of a field in words: its type or its range; None: nothing."""
    limits = field.metadata
    expected, optional = type_of(field)
    if value is None and optional:
        return None
    fits = (int, float) if expected is float else expected
    known = isinstance(value, fits)
    if not known or (isinstance(value, bool) and expected is not bool):
        return f"expected {expected.__name__}, got {shown(value)}"
    if limits["choices"] and value not in limits["choices"]:
        return f"expected one of {', '.join(limits['choices'])}, got {shown(value)}"
    if expected is float and not is_finite(value):
        return f"expected a finite number, got {shown(value)}"
    if expected is str and not is_text(value):
        return f"expected UTF-8 text, got {shown(value)}"
    at_most = LARGEST if expected is int and limits["at_most"] is None else limits["at_most"]
    for limit, words, outside in (
        (limits["at_least"], "at least", operator.lt),
        (at_most, "at most", operator.gt),
        (limits["above"], "more than", operator.le),
    ):
        if limit is not None and outside(value, limit):
            return f"expected {words} {limit}, got {shown(value)}"
    return None


def is_text(value: str) -> bool:
    """Returns whether a string can be written as UTF-8; Python's may hold halves of surrogate pairs."""
    try:
        return value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def is_finite(value: Any) -> bool:
    """Returns whether a number is finite as a float; a whole number with hundreds of digits is not."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def shown(value: Any) -> str:
    """Returns a value as messages write it; Python refuses to convert whole numbers with thousands of digits."""
    if isinstance(value, int) and abs(value) >= 10**SHOWN_DIGITS:
        return f"a number of more than {SHOWN_DIGITS} digits"
    return brief(value)


def to_toml(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns sections as TOML for `--config`; options without a value are left out."""
    lines: list[str] = []
    for name, values in sections.items():
        lines.append(f"[{name}]")
        lines.extend(
            f"{key.replace('_', '-')} = {toml_value(value)}" for key, value in values.items() if value is not None
        )
        lines.append("")
    return "\n".join(lines)


def toml_value(value: Any) -> str:
    """Returns one plain value in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or c in '"\\' or ord(c) == 127 else c for c in value)
        return f'"{escaped}"'
    return repr(value)


def whole_number(text: str) -> int | None:
    """Converts a whole number that a user wrote, such as "17" or "-1"; returns None for any other text."""
    digits = text.strip().removeprefix("-")
    # "²" is a digit but not decimal; int() refuses thousands of digits, and 18 digits fit into 64 bits
    return int(text) if digits.isdecimal() and len(digits) <= 18 else None

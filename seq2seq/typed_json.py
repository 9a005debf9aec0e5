"""Builds a dataclass from JSON values; errors name the key that is missing, unknown, or has a wrong value."""

import dataclasses
import types
import typing
from typing import Any, TypeVar

from seq2seq.errors import BundleError, OptionError, brief
from seq2seq.fields import Config, is_finite, is_text, problem_of

Record = TypeVar("Record")
Section = TypeVar("Section", bound=Config)


def from_json(kind: type[Record], values: Any, *, where: str, optional: bool = False) -> Record:
    """Builds a dataclass whose fields are plain values, lists or tuples of them, dictionaries, or such dataclasses.

    Args:
        kind: a dataclass; a field that `fields.option` declares has limits, which are checked too.
        values: the JSON value.
        where: the file, and the key in it, for messages.
        optional: whether keys whose fields have a default may be missing.

    Raises:
        BundleError: a key is missing or unknown, or a value has another type than its field or is out of range.

    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if not isinstance(values, dict):
        raise damaged(where, f"expected keys and values, got {brief(values)}")
    for name in sorted(set(values) - set(fields)):
        raise damaged(where, f"unknown key {brief(name)}")
    for name, field in fields.items():
        has_default = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if name not in values and not (optional and has_default):
            raise damaged(where, f"no {name!r}")
    found: dict[str, Any] = {}
    for name, value in values.items():
        hint = fields[name].type
        if dataclasses.is_dataclass(hint) and isinstance(value, dict):
            found[name] = from_json(hint, value, where=f"{where}: {name}", optional=optional)  # type: ignore[arg-type]
            continue
        if not fits(value, hint):
            raise damaged(where, f"{name} is {brief(value)}")
        if fields[name].metadata and (problem := problem_of(fields[name], value)):
            raise damaged(where, f"{name}: {problem}")
        found[name] = tuple(value) if typing.get_origin(hint) is tuple else value
    return kind(**found)


def read_section(kind: type[Section], values: Any, *, where: str) -> Section:
    """Reads one section of options from a file that this program wrote; missing options get their defaults.

    Raises:
        BundleError: a key is unknown, or a value has the wrong type or is out of range.

    """
    if not isinstance(values, dict):
        raise damaged(where, f"{kind.section} is {brief(values)}")
    try:
        for field in dataclasses.fields(kind):
            problem = problem_of(field, values[field.name]) if field.name in values else None
            if problem:  # in the file's own words: nobody gave an option
                raise OptionError(f"{kind.section}.{field.name}: {problem}")
        return kind.from_dict(values, where=where)
    except OptionError as error:
        raise BundleError(f"{where}: cannot be used: {error}; use the version of seq2seq that wrote it") from error


def damaged(where: str, what: str) -> BundleError:
    """Returns the error for a damaged file that this program wrote."""
    return BundleError(f"{where}: is damaged: {what}; train again, or restore the file")


def fits(value: Any, hint: Any) -> bool:
    """Returns whether a JSON value fits a field with this type; a string must be UTF-8, a number finite."""
    kind, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if hint is Any:
        return True
    if kind in (types.UnionType, typing.Union):
        return any(fits(value, each) for each in arguments)
    if kind is typing.Literal:
        return isinstance(value, str) and value in arguments
    if kind in (list, tuple):
        return isinstance(value, list) and all(fits(each, arguments[0]) for each in value)
    if kind is dict:
        return isinstance(value, dict) and all(is_text(key) and fits(value[key], arguments[1]) for key in value)
    if isinstance(value, str) and not is_text(value):
        return False
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and is_finite(value)
    return isinstance(value, kind) and isinstance(value, bool) == (kind is bool)

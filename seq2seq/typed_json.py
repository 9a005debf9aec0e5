"""Builds a dataclass from JSON values; errors name the key that is missing, unknown or of another type."""

import types
import typing
from typing import Any, TypeVar

from seq2seq.errors import BundleError, OptionError
from seq2seq.fields import Config

Record = TypeVar("Record")
Section = TypeVar("Section", bound=Config)


def from_json(kind: type[Record], values: Any, *, where: str, optional: bool = False) -> Record:
    """Builds a dataclass whose fields are plain values, lists or tuples of them, or dictionaries.

    Args:
        kind: a dataclass.
        values: the JSON value.
        where: the file, and the key in it, for messages.
        optional: whether keys may be missing; their fields get their defaults.

    Raises:
        BundleError: a key is missing or unknown, or a value has another type than its field.

    """
    hints = typing.get_type_hints(kind)
    if not isinstance(values, dict):
        raise damaged(where, f"expected keys and values, got {values!r}")
    for name in sorted(set(values) - set(hints)):
        raise damaged(where, f"unknown key {name!r}")
    for name in sorted(set(hints) - set(values)):
        if not optional:
            raise damaged(where, f"no {name!r}")
    for name, value in values.items():
        if not fits(value, hints[name]):
            raise damaged(where, f"{name} is {value!r}")
    tuples = {name for name in values if typing.get_origin(hints[name]) is tuple}
    return kind(**{name: tuple(value) if name in tuples else value for name, value in values.items()})


def read_section(kind: type[Section], values: Any, *, where: str) -> Section:
    """Reads one section of options from a file that this program wrote; missing options get their defaults.

    Raises:
        BundleError: a key is unknown, or a value has the wrong type or is out of range.

    """
    if not isinstance(values, dict):
        raise damaged(where, f"{kind.section} is {values!r}")
    try:
        return kind.from_dict(values, where=where)
    except OptionError as error:
        raise BundleError(f"{where}: cannot be used: {error}; use the version of seq2seq that wrote it") from error


def damaged(where: str, what: str) -> BundleError:
    """Returns the error for a damaged file that this program wrote."""
    return BundleError(f"{where}: is damaged: {what}; train again, or restore the file")


def fits(value: Any, hint: Any) -> bool:
    """Returns whether a JSON value fits a field with this type."""
    kind, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind in (types.UnionType, typing.Union):
        return any(fits(value, each) for each in arguments)
    if kind in (list, tuple):
        return isinstance(value, list) and all(fits(each, arguments[0]) for each in value)
    if kind is dict:
        return isinstance(value, dict) and all(fits(each, arguments[1]) for each in value.values())
    kinds = (int, float) if kind is float else kind
    return isinstance(value, kinds) and isinstance(value, bool) == (kind is bool)

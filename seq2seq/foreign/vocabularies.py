"""Reads a vocabulary in any usual form as a table of ids."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.errors import DataError
from seq2seq.fields import whole_number
from seq2seq.special import SPECIAL_COUNT
from seq2seq.text.vocabulary import SPECIAL_NAMES, Vocabulary


@dataclass(frozen=True)
class Table:
    """A vocabulary as a table of ids."""

    name: str
    ids: Mapping[str, int]


def read_table(value: Any, name: str) -> Table:
    """Reads a list of symbols, a mapping in either direction, or a vocabulary of this package.

    Raises:
        DataError: the value is none of these.

    """
    if isinstance(value, Table):
        return value
    if isinstance(value, Vocabulary):
        value = value.to_json()
    if isinstance(value, Mapping) and set(value) == {"format", "separator", "features_sep", "symbols"}:
        ids = {special: number for number, special in SPECIAL_NAMES.items()}
        return Table(name, ids | {symbol: SPECIAL_COUNT + i for i, symbol in enumerate(value["symbols"])})
    if isinstance(value, Mapping) and set(value) >= {"symbols"} and isinstance(value["symbols"], (list, Mapping)):
        return read_table(value["symbols"], name)
    if isinstance(value, Mapping) and value:
        if all(isinstance(number, (int, np.integer)) for number in value.values()):
            return Table(name, {str(symbol): int(number) for symbol, number in value.items()})
        numbers = [number for text in value if (number := whole_number(str(text))) is not None]
        if len(numbers) == len(value):
            return Table(name, {str(symbol): number for number, symbol in zip(numbers, value.values(), strict=True)})
    if isinstance(value, (list, tuple)) and value and all(isinstance(symbol, str) for symbol in value):
        return Table(name, {symbol: number for number, symbol in enumerate(value)})
    raise DataError(
        f"{name}: expected a vocabulary: a list of symbols, or a mapping from symbol to id, got {shorten(value)}"
    )


def shorten(value: Any) -> str:
    """Writes a value in at most 80 characters."""
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "..."

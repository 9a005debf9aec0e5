"""Splits pairs by source, so that no source is both trained on and held out, and groups references."""

import random
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seq2seq.errors import DataError, OptionError
from seq2seq.text.pairs import Pair

HELD_OUT_LIMIT = 1000  # groups
HELD_OUT_PART = 10  # one group in ten


class Split(NamedTuple):
    """Rows of a corpus in three parts that share no source."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]


class References(NamedTuple):
    """A source and its distinct targets, each a right answer."""

    source: str
    references: list[str]


def source_key(source: str) -> str:
    """Gives the same key to sources that differ only in case, spaces or Unicode form."""
    if source.isascii():
        return " ".join(source.casefold().split())
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", source).casefold())
    return " ".join(folded.split())


def split_by_source(
    pairs: Iterable[Pair], *, seed: int, validation: int | None = None, test: int | None = None
) -> Split:
    """Shuffles the groups of rows with the same source key and holds whole groups out.

    Args:
        pairs: rows in any order; a sorted file does no harm.
        seed: the same rows and seed give the same split.
        validation: groups to hold out for validation; by default one in ten, at least 1, at most 1000.
        test: the same for the test part.

    Raises:
        DataError: fewer than 3 distinct sources, or no group left to train on.
        OptionError: a part of fewer than 1 group.

    """
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(source_key(pair.source), []).append(pair)
    if len(groups) < 3:
        raise DataError(
            "expected at least 3 distinct sources, one each for train, validation and test, "
            f"got {len(groups)}: {list(groups)!r}; give more rows"
        )
    default = max(1, min(len(groups) // HELD_OUT_PART, HELD_OUT_LIMIT))
    validation_size = _size("validation", validation, default)
    test_size = _size("test", test, default)
    held_out = validation_size + test_size
    if held_out >= len(groups):
        raise DataError(
            f"expected fewer held-out sources than the {len(groups)} there are, "
            f"got {validation_size} for validation and {test_size} for test; hold out fewer"
        )
    shuffled = list(groups.values())
    random.Random(seed).shuffle(shuffled)
    return Split(
        train=_rows(shuffled[held_out:]),
        validation=_rows(shuffled[:validation_size]),
        test=_rows(shuffled[validation_size:held_out]),
    )


def group_references(pairs: Iterable[Pair]) -> list[References]:
    """Collects the distinct targets of each source, sources and targets in order of first appearance."""
    grouped: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        grouped.setdefault(source, {})[target] = None
    return [References(source, list(targets)) for source, targets in grouped.items()]


def _size(part: str, size: int | None, default: int) -> int:
    if size is None:
        return default
    if size < 1:
        raise OptionError(f"expected at least 1 source for {part}, got {size!r}; leave it out for the default")
    return size


def _rows(groups: Sequence[list[Pair]]) -> list[Pair]:
    return [pair for group in groups for pair in group]

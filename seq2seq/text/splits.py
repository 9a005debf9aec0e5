"""Splits pairs by source, so that no source is in two parts, and makes the items that are scored."""

import random
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seq2seq.errors import DataError
from seq2seq.text.pairs import Pair

HELD_OUT_LIMIT = 1000  # groups
HELD_OUT_PART = 10  # one group in ten, for validation and for the test part each
TOKEN_LIST = 0.05  # least share of rows that repeat an earlier row, for rows to be scored as they stand


class Split(NamedTuple):
    """Rows of a corpus in three parts that share no source."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]


class References(NamedTuple):
    """An item that is scored: a source and its targets, each of which is correct."""

    source: str
    references: list[str]  # all distinct targets of the source, or the target of one row


class Counted(NamedTuple):
    """Distinct rows, in the order of their first appearance, and how often each occurs."""

    pairs: list[Pair]
    counts: list[int]


def source_key(source: str) -> str:
    """Returns a key that is equal for sources that differ only in case, spaces or Unicode form."""
    if source.isascii():
        return " ".join(source.casefold().split())
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", source).casefold())
    return " ".join(folded.split())


def split_by_source(pairs: Iterable[Pair], *, seed: int) -> Split:
    """Groups rows by source key, shuffles the groups, and holds out a tenth of them for each of two parts.

    Args:
        pairs: rows in any order.
        seed: of the shuffling; the same rows and seed give the same split.

    Raises:
        DataError: fewer than 3 distinct sources.

    """
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(source_key(pair.source), []).append(pair)
    if len(groups) < 3:
        raise DataError(
            "expected at least 3 distinct sources, one each for train, validation and test, "
            f"got {len(groups)}: {list(groups)!r}; give more rows"
        )
    size = max(1, min(len(groups) // HELD_OUT_PART, HELD_OUT_LIMIT))
    shuffled = list(groups.values())
    random.Random(seed).shuffle(shuffled)
    return Split(
        train=_rows(shuffled[2 * size :]), validation=_rows(shuffled[:size]), test=_rows(shuffled[size : 2 * size])
    )


def group_references(pairs: Iterable[Pair]) -> list[References]:
    """Collects the distinct targets of each source, both in the order of their first appearance."""
    grouped: dict[str, dict[str, None]] = {}
    for source, target in pairs:
        grouped.setdefault(source, {})[target] = None
    return [References(source, list(targets)) for source, targets in grouped.items()]


def count_rows(pairs: Iterable[Pair]) -> Counted:
    """Counts identical rows; the token lists of running text have many."""
    counted = Counter(pairs)
    return Counted(list(counted), list(counted.values()))


def scored_by(pairs: Sequence[Pair]) -> str:
    """Returns "row" for a token list, in which many rows repeat, else "source".

    Grouped by source, a token list would be scored by type: a word that is a fifth of the text would count as much as
    one that occurs once. A few repeated rows are chance: Tatoeba's English-French file has 5 of 72 935.
    """
    return "row" if len(pairs) - len(set(pairs)) >= TOKEN_LIST * len(pairs) > 0 else "source"


def scored_items(pairs: Iterable[Pair], by: str) -> list[References]:
    """Returns what is scored: each row with its own target (by "row"), or `group_references` (by "source")."""
    if by == "row":
        return [References(source, [target]) for source, target in pairs]
    return group_references(pairs)


def _rows(groups: Sequence[list[Pair]]) -> list[Pair]:
    return [pair for group in groups for pair in group]

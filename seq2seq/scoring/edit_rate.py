"""Exact match and the edit rate as metrics of sacrebleu, so that it computes their intervals and signatures too."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from sacrebleu.metrics.base import Metric, Score, Signature


def segmented(text: str, separator: str = "") -> list[str]:
    """Splits a text into symbols; without a separator each character is one."""
    return [symbol for symbol in text.split(separator) if symbol] if separator else list(text)


def edit_distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Counts insertions, deletions and substitutions between two sequences of hashable symbols.

    One integer holds a column of the usual table: one bit per row.

    Source: Myers 1999, doi:10.1145/316542.316550, in the form that Hyyro 2003 gives for the Levenshtein distance.
    """
    if not other:
        return len(one)
    *_, (rises, falls) = columns(one, other)
    return len(other) + rises.bit_count() - falls.bit_count()


def columns(one: Sequence[Any], other: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Yields the columns of the table of edit distances, one for each symbol of `other`.

    A column is two integers. A set bit of row r means that the step down to r adds (first) or removes (second) an edit.
    """
    places: dict[Any, int] = {}
    for row, symbol in enumerate(one):
        places[symbol] = places.get(symbol, 0) | 1 << row
    rows = (1 << len(one)) - 1
    rises, falls = rows, 0
    for symbol in other:
        matches = places.get(symbol, 0)
        diagonal = ((((matches & rises) + rises) ^ rises) | matches | falls) & rows
        rises_across = falls | ~(diagonal | rises) & rows
        falls_across = diagonal & rises
        rises_across = (rises_across << 1 | 1) & rows
        rises = ((falls_across << 1) | ~(diagonal | rises_across)) & rows
        falls = rises_across & diagonal
        yield rises, falls


def nearest_reference(output: Sequence[Any], references: Sequence[Sequence[Any]]) -> tuple[int, Sequence[Any]]:
    """Returns the fewest edits to a reference, and that reference; among equals, the longest one."""
    if output in references:
        return 0, output
    pairs = [(edit_distance(output, reference), reference) for reference in references]
    return min(pairs, key=lambda pair: (pair[0], -len(pair[1])))


def aligned(one: Sequence[Any], other: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Aligns two sequences with the fewest edits; None stands where the other sequence has one symbol more.

    Of equally good alignments it takes the one that leaves out symbols of `one` as late as possible.

    Source: Hyyro 2004, "A note on bit-parallel alignment computation".
    """
    table = list(columns(one, other))
    pairs: list[tuple[Any, Any]] = []
    row, column = len(one), len(other)
    while row and column:
        below = 1 << (row - 1)
        if table[column - 1][0] & below:
            row -= 1
            pairs.append((one[row], None))
        elif column > 1 and table[column - 2][1] & below:
            column -= 1
            pairs.append((None, other[column]))
        else:
            row, column = row - 1, column - 1
            pairs.append((one[row], other[column]))
    pairs += [(symbol, None) for symbol in reversed(one[:row])]
    pairs += [(None, symbol) for symbol in reversed(other[:column])]
    return pairs[::-1]


class RateSignature(Signature):
    """A signature that ends with the settings of a rate."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self.info.update(settings["details"])


class Rate(Metric):
    """A metric of sacrebleu that is a quotient of two sums over sentences.

    Args:
        name: the score's name.
        by_symbol: spaces delimit symbols; False: each character is a symbol.
        ignore_case: compare lower-cased texts.
        details: what the signature has besides the numbers of references and resamples.

    """

    _SIGNATURE_TYPE = RateSignature

    def __init__(self, name: str, *, by_symbol: bool, details: Mapping[str, str], ignore_case: bool = False) -> None:
        super().__init__()
        self.name = name
        self.by_symbol = by_symbol
        self.ignore_case = ignore_case
        unit = {"unit": "symbol" if by_symbol else "character"}
        self.details = {**unit, **details, **({"case": "lc"} if ignore_case else {})}

    def _preprocess_segment(self, sent: str) -> Sequence[str]:
        sent = sent.lower() if self.ignore_case else sent
        return sent.split() if self.by_symbol else sent

    def _extract_reference_info(self, refs: Sequence[Sequence[str]]) -> dict[str, Any]:
        return {"references": list(refs)}

    def _aggregate_and_compute(self, stats: Any) -> Score:
        return self._compute_score_from_stats(np.sum(stats, axis=0))

    def _compute_score_from_stats(self, stats: Any) -> Score:
        counted, total = stats
        return Score(self.name, float(counted) / max(float(total), 1.0))


class ExactMatch(Rate):
    """The share of outputs that equal a reference."""

    def _compute_segment_statistics(self, hypothesis: Any, ref_kwargs: dict[str, Any]) -> list[int]:
        return [int(hypothesis in ref_kwargs["references"]), 1]


class EditRate(Rate):
    """Edits to the nearest reference, per symbol of that reference."""

    def _compute_segment_statistics(self, hypothesis: Any, ref_kwargs: dict[str, Any]) -> list[int]:
        edits, reference = nearest_reference(hypothesis, ref_kwargs["references"])
        return [edits, len(reference)]

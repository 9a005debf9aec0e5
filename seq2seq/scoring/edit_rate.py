"""Exact match and the edit rate as metrics of sacrebleu, so that it computes their intervals and signatures too."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sacrebleu.metrics.base import Metric, Score, Signature


def edit_distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Counts insertions, deletions and substitutions between two sequences of hashable symbols.

    One integer holds a column of the usual table: one bit per row.

    Source: Myers 1999, doi:10.1145/316542.316550, in the form that Hyyro 2003 gives for the Levenshtein distance.
    """
    if not one or not other:
        return len(one) + len(other)
    places: dict[Any, int] = {}
    for row, symbol in enumerate(one):
        places[symbol] = places.get(symbol, 0) | 1 << row
    rows, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    rises, falls = rows, 0  # a set bit: one step down the column adds, or removes, one edit
    edits = len(one)
    for symbol in other:
        matches = places.get(symbol, 0)
        diagonal = ((((matches & rises) + rises) ^ rises) | matches | falls) & rows
        rises_across = falls | ~(diagonal | rises) & rows
        falls_across = diagonal & rises
        edits += bool(rises_across & last) - bool(falls_across & last)
        rises_across = (rises_across << 1 | 1) & rows
        rises = ((falls_across << 1) | ~(diagonal | rises_across)) & rows
        falls = rises_across & diagonal
    return edits


def nearest_edits(output: Sequence[Any], references: Sequence[Sequence[Any]]) -> tuple[int, int]:
    """Returns the fewest edits to a reference, and its length; among equals, the longest reference counts."""
    if output in references:
        return 0, len(output)
    pairs = [(edit_distance(output, reference), len(reference)) for reference in references]
    return min(pairs, key=lambda pair: (pair[0], -pair[1]))


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
        details: what the signature has besides the numbers of references and resamples.

    """

    _SIGNATURE_TYPE = RateSignature

    def __init__(self, name: str, *, by_symbol: bool, details: Mapping[str, str]) -> None:
        super().__init__()
        self.name = name
        self.by_symbol = by_symbol
        self.details = {"unit": "symbol" if by_symbol else "character", **details}

    def _preprocess_segment(self, sent: str) -> Sequence[str]:
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
        return list(nearest_edits(hypothesis, ref_kwargs["references"]))

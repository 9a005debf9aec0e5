"""Exact match and the edit rate, as metrics of sacrebleu's kind: its resampling and signatures serve them too."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sacrebleu.metrics.base import Metric, Score, Signature


def edit_distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Counts insertions, deletions and substitutions between two sequences of hashable symbols.

    A whole column of the usual table is one integer, a bit a row.

    Source: Myers 1999, doi:10.1145/316542.316550, in the form of Hyyro 2003 for the Levenshtein distance.
    """
    if not one or not other:
        return len(one) + len(other)
    places: dict[Any, int] = {}
    for row, symbol in enumerate(one):
        places[symbol] = places.get(symbol, 0) | 1 << row
    rows, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    rises, falls = rows, 0  # bit set: a step down this column adds, or takes away, one edit
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
    """Returns the fewest edits to any reference, and the length of that reference; of several, the longest."""
    if output in references:
        return 0, len(output)
    pairs = [(edit_distance(output, reference), len(reference)) for reference in references]
    return min(pairs, key=lambda pair: (pair[0], -pair[1]))


class RateSignature(Signature):
    """A signature that ends with a rate's own settings."""

    def __init__(self, settings: dict[str, Any]) -> None:
        super().__init__(settings)
        self.info.update(settings["details"])


class Rate(Metric):
    """A share of sums over sentences, as one of sacrebleu's metrics, so that its resampling serves it too.

    Args:
        name: of the score.
        by_symbol: whether symbols are delimited by spaces; else each character is one.
        details: what its signature says beside the numbers of references and resamples.

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
    """Outputs that equal a reference, of all outputs."""

    def _compute_segment_statistics(self, hypothesis: Any, ref_kwargs: dict[str, Any]) -> list[int]:
        return [int(hypothesis in ref_kwargs["references"]), 1]


class EditRate(Rate):
    """Edits to the nearest references, of all symbols of these."""

    def _compute_segment_statistics(self, hypothesis: Any, ref_kwargs: dict[str, Any]) -> list[int]:
        return list(nearest_edits(hypothesis, ref_kwargs["references"]))

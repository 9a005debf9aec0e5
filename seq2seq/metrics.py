"""Scores outputs against references; a score never travels without its signature."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Scores(NamedTuple):
    """Scores of one set of outputs."""

    chrf: float  # 0 to 100
    bleu: float  # 0 to 100
    exact_match: float  # share of outputs equal to any reference
    cer: float  # edits a reference character, against the nearest reference
    n: int  # outputs
    distinct: float  # share of distinct outputs
    copied: float  # share of outputs equal to their source
    signatures: dict[str, str]  # of chrf and bleu


def transpose_references(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """Turns references by sentence into sacrebleu's form: streams, each with one reference or None a sentence."""
    most = max((len(several) for several in references), default=0)
    return [[several[place] if place < len(several) else None for several in references] for place in range(most)]


def edit_distance(one: Sequence[Any], other: Sequence[Any]) -> int:
    """Counts insertions, deletions and substitutions between two sequences.

    Source: Levenshtein 1966, in the form of Wagner and Fischer 1974, doi:10.1145/321796.321811.
    """
    if len(one) < len(other):
        one, other = other, one
    row = list(range(len(other) + 1))
    for index, symbol in enumerate(one, 1):
        diagonal, row[0] = row[0], index
        for place, another in enumerate(other, 1):
            diagonal, row[place] = (
                row[place],
                min(row[place] + 1, row[place - 1] + 1, diagonal + (symbol != another)),
            )
    return row[-1]


def nearest_edits(output: str, references: Sequence[str]) -> tuple[int, int]:
    """Returns the edits to the nearest reference, relative to its length, and that reference's length."""
    pairs = [(edit_distance(output, reference), len(reference)) for reference in references]
    return min(pairs, key=lambda pair: (pair[0] / max(pair[1], 1), pair[1]))


def exact_match(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Share of outputs that equal one of their references."""
    hits = sum(output in several for output, several in zip(outputs, references, strict=True))
    return hits / max(len(outputs), 1)


def chrf(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Corpus chrF, 0 to 100. Source: Popovic 2015, doi:10.18653/v1/W15-3049, as sacrebleu computes it."""
    from sacrebleu.metrics import CHRF

    return float(CHRF().corpus_score(list(outputs), transpose_references(references)).score)

"""Scores by the length of the source: outputs, references and sources in, a row of scores for each range out."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.scoring.edit_rate import segmented
from seq2seq.scoring.metrics import score_all

WIDTHS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000)  # symbols in a range
MOST_RANGES = 10
TAIL = 0.98  # share of sources that the ranges divide; longer ones join the last range
Z = 1.96  # of a 95 % interval


class LengthScores(NamedTuple):
    """Scores of the sources of one range of lengths."""

    shortest: int  # symbols of the shortest source
    longest: int  # symbols of the longest source
    n: int  # number of outputs
    chrf: float
    exact_match: float
    interval: tuple[float, float]  # 95 % interval of the exact match
    cer: float


def scores_by_length(
    outputs: Sequence[str],
    references: Sequence[Sequence[str]],
    sources: Sequence[str],
    *,
    separator: str = "",
    source_separator: str = "",
    ignore_case: bool = False,
) -> list[LengthScores]:
    """Scores sources of similar length together, short ones first.

    Args:
        outputs: one for each sentence.
        references: at least one for each sentence.
        sources: one for each sentence; tags after a tab do not count.
        separator: between two symbols of outputs and references; empty: each character is a symbol.
        source_separator: the same for sources.
        ignore_case: compare lower-cased texts.

    """
    lengths = np.array([len(segmented(source.partition("\t")[0], source_separator)) for source in sources])
    found = []
    places = length_ranges(lengths)
    for place in range(int(places.max(initial=-1)) + 1):
        chosen = np.flatnonzero(places == place).tolist()
        if not chosen:
            continue
        scores = score_all(
            [outputs[index] for index in chosen],
            [references[index] for index in chosen],
            [sources[index] for index in chosen],
            separator=separator,
            ignore_case=ignore_case,
        )
        found.append(
            LengthScores(
                int(lengths[chosen].min()),
                int(lengths[chosen].max()),
                scores.n,
                scores.chrf,
                scores.exact_match,
                share_interval(scores.exact_match, scores.n),
                scores.cer,
            )
        )
    return found


def length_ranges(lengths: np.ndarray) -> np.ndarray:
    """Returns the number of the range, int64 (N,), for each length, int (N,); ranges are equally wide but the last."""
    limit = max(1, math.ceil(np.quantile(lengths, TAIL))) if lengths.size else 1
    width = next((width for width in WIDTHS if math.ceil(limit / width) <= MOST_RANGES), WIDTHS[-1])
    last = math.ceil(limit / width) - 1
    return np.clip((lengths - 1) // width, 0, last).astype(np.int64)


def share_interval(share: float, n: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share of n trials; the share is in it, which rounding alone does not ensure.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def length_table(rows: Sequence[LengthScores], rate: str) -> list[str]:
    """Formats the scores as lines; `rate` is the name of the edit rate, CER or PER."""
    lines = [f"{'symbols':>9}  {'n':>6}  {'chrF':>6}  {'exact match':>11}  {'95 % interval':<16}  {rate:>6}"]
    for row in rows:
        reach = f"{row.shortest}-{row.longest}" if row.longest > row.shortest else str(row.shortest)
        low, high = row.interval
        interval = f"{low:.3f} to {high:.3f}"
        lines.append(
            f"{reach:>9}  {row.n:>6}  {row.chrf:>6.2f}  {row.exact_match:>11.4f}  {interval:<16}  {row.cer:>6.4f}"
        )
    return lines

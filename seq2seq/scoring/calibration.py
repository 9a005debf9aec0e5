"""Compares how probable outputs are with how often they are right: probabilities and hits in, bins and an error out."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from seq2seq.scoring.by_length import share_interval

BINS = 10  # equally wide, from 0 to 1


class Bin(NamedTuple):
    """The outputs whose probability lies in one range."""

    low: float
    high: float
    n: int  # number of outputs
    probability: float  # their mean probability
    right: float  # the share of them that equals a reference
    interval: tuple[float, float]  # 95 % interval of `right`


class Calibration(NamedTuple):
    """How far probabilities are from the shares of right outputs."""

    error: float  # the expected calibration error, 0 to 1
    bins: list[Bin]  # without empty ones

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, for JSON."""
        return {"expected_calibration_error": self.error, "bins": [each._asdict() for each in self.bins]}


def calibration_of(scores: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Sorts outputs into BINS bins by their probability, and compares its mean with the share of right ones.

    Args:
        scores: the log-probability of each output, in nats.
        right: whether each output equals a reference.

    Source: Guo et al. 2017, arXiv:1706.04599, equation 3.

    """
    members: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for score, hit in zip(scores, right, strict=True):
        probability = min(math.exp(score), 1.0)
        members[min(int(probability * BINS), BINS - 1)].append((probability, hit))
    bins = []
    for place, several in enumerate(members):
        if several:
            n = len(several)
            mean, share = sum(each for each, _ in several) / n, sum(hit for _, hit in several) / n
            bins.append(Bin(place / BINS, (place + 1) / BINS, n, mean, share, share_interval(share, n)))
    total = max(len(scores), 1)
    return Calibration(sum(each.n * abs(each.right - each.probability) for each in bins) / total, bins)


def calibration_table(calibration: Calibration) -> list[str]:
    """Formats the bins as lines, with the error above."""
    lines = [
        error_line(calibration),
        "",
        f"{'probability':>11}  {'n':>6}  {'mean':>6}  {'exact match':>11}  95 % interval",
    ]
    for each in calibration.bins:
        low, high = each.interval
        reach = f"{each.low:.1f} to {each.high:.1f}"
        lines.append(
            f"{reach:>11}  {each.n:>6}  {each.probability:>6.3f}  {each.right:>11.4f}  {low:.3f} to {high:.3f}"
        )
    return lines


def error_line(calibration: Calibration) -> str:
    """Formats the error."""
    return f"expected calibration error: {calibration.error:.4f} ({BINS} bins of the output's probability)"

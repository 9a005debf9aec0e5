"""D05 in arrays: checks that sources are associated with their own targets more than with those of other rows."""

import numpy as np

from seq2seq.diagnosis.report import HARMFUL, Finding, finding
from seq2seq.foreign.padding import Side

FEWEST_ROWS, MOST_ROWS = 200, 2000
FEWEST_DISTINCT = 50  # different sources, and different targets, that the test needs
SYMBOLS, PLACES, SYMBOLS_A_PLACE = 150, 3, 20
SHUFFLES = 30
NEAR = 2.0  # pairs within this number of standard deviations above shuffled pairs count as shuffled


def check_association(source: Side, targets: Side) -> list[Finding]:
    """Compares the association of sources and targets with that of shuffled pairs.

    The statistic is the sum of squared correlations between features of sources and of targets: whether a symbol
    occurs, the first and last symbols, and the length of the row.
    """
    count = len(source.ids)
    if count < FEWEST_ROWS or not source.ids.size or not targets.ids.size or targets.sequences.single:
        return []
    generator = np.random.default_rng(0)
    rows = np.arange(count) if count <= MOST_ROWS else np.sort(generator.choice(count, MOST_ROWS, replace=False))
    if min(len(np.unique(side.ids[rows], axis=0)) for side in (source, targets)) < FEWEST_DISTINCT:
        return []
    one, other = features(source, rows), features(targets, rows)
    pairs = association(one, other)
    shuffled = [association(one[generator.permutation(len(rows))], other) for _ in range(SHUFFLES)]
    mean, spread = float(np.mean(shuffled)), float(np.std(shuffled))
    if pairs > mean + NEAR * spread:
        return []
    evidence = {
        "association of sources and targets": pairs,
        "association of shuffled pairs": mean,
        "their standard deviation": spread,
        "rows": len(rows),
    }
    return [
        finding(
            "D05",
            HARMFUL,
            evidence,
            title="sources carry no more information about their targets than about those of other rows",
            effect="the model can only memorise the training rows: new sentences get unrelated output",
            fix="order = generator.permutation(len(x)); x, d, y = x[order], d[order], y[order]  # all in one order",
        )
    ]


def association(one: np.ndarray, other: np.ndarray) -> float:
    """Sums squared correlations between all features of two sides, float32 (N, F) and float32 (N, G)."""
    return float(((one.T @ other / len(one)) ** 2).sum())


def features(side: Side, rows: np.ndarray) -> np.ndarray:
    """Returns standardised features, float32 (N, F), of the rows with the given numbers, int (N,)."""
    ids, real = side.ids[rows], side.real[rows]
    columns = [real.sum(1)]
    for symbol in commonest_ids(ids[real], SYMBOLS):
        columns.append(((ids == symbol) & real).any(1))
    lengths = real.sum(1)
    begins = real.argmax(1)
    for step in range(PLACES):
        for place in (begins + step, begins + lengths - 1 - step):
            there = (place >= begins) & (place < begins + lengths)
            symbols = np.where(there, ids[np.arange(len(ids)), np.clip(place, 0, ids.shape[1] - 1)], -2)
            columns += [symbols == symbol for symbol in commonest_ids(symbols, SYMBOLS_A_PLACE)]
    table = np.stack(columns, 1).astype(np.float32)
    table -= table.mean(0)
    spread = table.std(0)
    return np.asarray(table[:, spread > 0] / spread[spread > 0])


def commonest_ids(ids: np.ndarray, most: int) -> np.ndarray:
    """The most frequent ids."""
    values, counts = np.unique(ids, return_counts=True)
    return np.asarray(values[np.argsort(-counts, kind="stable")][:most])

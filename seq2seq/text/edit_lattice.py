"""All ways to edit a pair, in a lattice: their sums, the expected counts of each edit, and the most probable way.

A cell (i, j) stands for i symbols read and j symbols written. For sums the diagonals i + j are computed in turn, for
the most probable way the rows i, each for a whole batch of pairs together.
"""

from typing import NamedTuple

import numpy as np

LARGEST = 700.0  # nats: exp of it is a float64
SUBSTITUTED, DELETED, INSERTED = 0, 1, 2


class Lattice(NamedTuple):
    """A batch of B pairs, with the probabilities of all edits; n <= N and m <= M are the lengths of a pair."""

    lengths: np.ndarray  # int (B, 2): n and m
    substitution: np.ndarray  # float64 (B, N, M), 0 on padding
    deletion: np.ndarray  # float64 (B, N), 0 on padding
    insertion: np.ndarray  # float64 (B, M), 0 on padding

    @property
    def last(self) -> np.ndarray:
        """The number of the diagonal on which each pair ends, int (B,)."""
        return self.lengths.sum(1)

    def diagonals(self) -> list["Diagonal"]:
        """Returns the edits that leave the cells (i, j) of each diagonal i + j = 0 ... N + M."""
        count, height, width = self.substitution.shape
        # one more row and column, which no edit leaves
        substitution = np.zeros((count, height + 1, width + 1))
        substitution[:, :height, :width] = self.substitution
        deletion, insertion = np.zeros((count, height + 1)), np.zeros((count, width + 1))
        deletion[:, :height], insertion[:, :width] = self.deletion, self.insertion
        found = []
        for number in range(height + width + 1):
            i = np.arange(max(0, number - width), min(height, number) + 1)
            found.append(Diagonal(i, substitution[:, i, number - i], deletion[:, i], insertion[:, number - i]))
        return found


class Diagonal(NamedTuple):
    """The probabilities of the edits that leave the C cells of one diagonal."""

    rows: np.ndarray  # int (C,): i of each cell
    substitution: np.ndarray  # float64 (B, C)
    deletion: np.ndarray  # float64 (B, C)
    insertion: np.ndarray  # float64 (B, C)


class Sums(NamedTuple):
    """Sums over ways through the lattice, by diagonal; scaled, so that long pairs do not underflow."""

    values: list[np.ndarray]  # float64 (B, N + 2) each, by i
    scales: np.ndarray  # float64 (D, B), nats: the logarithm of what the values must be multiplied by


def forward_sums(lattice: Lattice) -> Sums:
    """Sums the ways from the first cell to each cell."""
    diagonals = lattice.diagonals()
    count, height, _ = lattice.substitution.shape
    # the last two receive nothing: no edit leaves the end of a pair
    sums = [np.zeros((count, height + 2)) for _ in range(len(diagonals) + 2)]
    sums[0][:, 0] = 1.0
    scales = np.zeros((len(diagonals), count))
    for number, (i, substitution, deletion, insertion) in enumerate(diagonals):
        if number:
            largest = sums[number].max(1)
            ratio = np.where(largest > 0, largest, 1.0)
            scales[number] = scales[number - 1] + np.log(ratio)
            sums[number] /= ratio[:, None]
            sums[number + 1] /= ratio[:, None]  # what substitutions of the diagonal before brought there
        here = sums[number][:, i]
        sums[number + 1][:, i] += here * insertion
        sums[number + 1][:, i + 1] += here * deletion
        sums[number + 2][:, i + 1] += here * substitution
    return Sums(sums, scales)


def backward_sums(lattice: Lattice) -> Sums:
    """Sums the ways from each cell to the last cell of its pair."""
    diagonals = lattice.diagonals()
    count, height, _ = lattice.substitution.shape
    sums = [np.zeros((count, height + 2)) for _ in range(len(diagonals) + 2)]
    scales = np.zeros((len(diagonals) + 2, count))
    for number in reversed(range(len(diagonals))):
        i, substitution, deletion, insertion = diagonals[number]
        # the sums of two diagonals on have another scale
        relative = np.exp(scales[number + 2] - scales[number + 1])[:, None]
        sums[number][:, i] = (
            deletion * sums[number + 1][:, i + 1]
            + insertion * sums[number + 1][:, i]
            + substitution * sums[number + 2][:, i + 1] * relative
        )
        largest = sums[number].max(1)
        ratio = np.where(largest > 0, largest, 1.0)
        sums[number] /= ratio[:, None]
        scales[number] = scales[number + 1] + np.log(ratio)
        ends = np.flatnonzero(lattice.last == number)
        sums[number][ends, lattice.lengths[ends, 0]] = 1.0
        scales[number][ends] = 0.0
    return Sums(sums, scales)


def log_totals(lattice: Lattice, forward: Sums) -> np.ndarray:
    """Returns float64 (B,), nats: the log-probability of each pair over all ways to edit."""
    rows = np.arange(len(lattice.lengths))
    final = np.stack(forward.values)[lattice.last, rows, lattice.lengths[:, 0]]
    with np.errstate(divide="ignore"):
        return np.log(final) + forward.scales[lattice.last, rows]


def expected_counts(lattice: Lattice) -> Lattice:
    """Returns the expected number of times that each edit is used, in the form of the lattice.

    Where the lengths of a pair differ by many hundred symbols, a product below the smallest float64 counts as 0.
    """
    count, height, width = lattice.substitution.shape
    forward, backward = forward_sums(lattice), backward_sums(lattice)
    totals = log_totals(lattice, forward)
    found = Lattice(
        lattice.lengths,
        *(np.zeros((count, *shape)) for shape in ((height + 1, width + 1), (height + 1,), (width + 1,))),
    )
    for number, (i, substitution, deletion, insertion) in enumerate(lattice.diagonals()):
        here, scale = forward.values[number][:, i], forward.scales[number] - totals
        # the sums are at most 1, so where their product is not 0, its factor is below the largest float64
        factors = [np.exp(np.minimum(scale + backward.scales[number + step], LARGEST)) for step in (1, 2)]
        one, two = (factor[:, None] * here for factor in factors)
        after, later = backward.values[number + 1], backward.values[number + 2]
        found.substitution[:, i, number - i] = two * substitution * later[:, i + 1]
        found.deletion[:, i] += one * deletion * after[:, i + 1]
        found.insertion[:, number - i] += one * insertion * after[:, i]
    return found._replace(
        substitution=found.substitution[:, :height, :width],
        deletion=found.deletion[:, :height],
        insertion=found.insertion[:, :width],
    )


def most_probable_edits(substitution: np.ndarray, deletion: np.ndarray, insertion: np.ndarray) -> np.ndarray:
    """Returns the next edit of each cell on the most probable way from there to the end of its pair.

    Pairs are padded on the left, so that all end in the last cell. Between equal ways substitutions come first, then
    deletions. A way without substitutions deletes all and inserts all, in any order; each substitution then stands for
    one deletion and one insertion, so that only what it gains decides.

    Args:
        substitution: float64 (N, B, M), log-probabilities as whole numbers, so that their sums are exact, and equal
            ways are equal on every machine.
        deletion: float64 (N, B), in the same form.
        insertion: float64 (B, M), in the same form.

    Returns:
        int8 (N + 1, B, M + 1); the last cell has no edit, its number means nothing.

    """
    height, count, width = substitution.shape
    gain = substitution - insertion
    gain -= deletion[:, :, None]
    best = np.zeros((height + 1, count, width + 1))
    for i in reversed(range(height)):
        row, after = best[i, :, :-1], best[i + 1]
        np.maximum(after[:, :-1], after[:, 1:] + gain[i], out=row)
        np.maximum.accumulate(row[:, ::-1], axis=1, out=row[:, ::-1])
    edits = np.full(best.shape, INSERTED, np.int8)
    edits[:-1][best[:-1] == best[1:]] = DELETED
    edits[:-1, :, :-1][best[:-1, :, :-1] == best[1:, :, 1:] + gain] = SUBSTITUTED
    return edits

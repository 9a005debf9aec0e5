"""A learnt edit distance: how probable each edit is, from pairs alone, and the most probable edits of a pair."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.special import PAD, UNK
from seq2seq.text.batches import Ragged

PASSES = 10  # of expectation maximisation
SMOOTHING = 1e-3  # added to the expected count of each edit
COPY_PRIOR = 2.0  # how much more often than any other edit a symbol is at first expected to stay
CELLS, MOST_ROWS = 1 << 19, 2048  # most numbers in a table of one batch of pairs, and its most pairs
GRAIN = 1e-4  # nats: differences of paths below it do not count, and substitutions come first, then deletions
SUBSTITUTED, DELETED, INSERTED = 0, 1, 2


class _Lattice(NamedTuple):
    """A batch of B pairs, with the probabilities of all edits; n <= N and m <= M are the lengths of a pair."""

    lengths: np.ndarray  # int (B, 2): n and m
    substitution: np.ndarray  # float64 (B, N, M), 0 on padding
    deletion: np.ndarray  # float64 (B, N), 0 on padding
    insertion: np.ndarray  # float64 (B, M), 0 on padding

    @property
    def last(self) -> np.ndarray:
        """The number of the diagonal on which each pair ends, int (B,)."""
        return self.lengths.sum(1)

    def diagonals(self) -> list["_Diagonal"]:
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
            found.append(_Diagonal(i, substitution[:, i, number - i], deletion[:, i], insertion[:, number - i]))
        return found


class _Diagonal(NamedTuple):
    """The edits that leave the C cells of one diagonal, each float64 (B, C)."""

    rows: np.ndarray  # int (C,): i of each cell
    substitution: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray


@dataclasses.dataclass(frozen=True)
class EditDistance:
    """A memoryless model of edits: the log-probability of each edit, in nats, by source id and target id.

    Source: Ristad and Yianilos 1998, doi:10.1109/34.682181.
    """

    substitution: np.ndarray  # float32 (S, T)
    deletion: np.ndarray  # float32 (S,)
    insertion: np.ndarray  # float32 (T,)

    @classmethod
    def learn(
        cls, sources: Ragged, targets: Ragged, same: np.ndarray, *, target_size: int, counts: np.ndarray | None = None
    ) -> "EditDistance":
        """Learns the probabilities by expectation maximisation on pairs.

        Args:
            sources: ids of each source, without END.
            targets: ids of each target, without START and END.
            same: int (S,): for each source id the target id of the same symbol; PAD: there is none.
            target_size: T, special ids included.
            counts: float (B,), how often each pair occurs; None: once.

        """
        weights = np.ones(len(sources)) if counts is None else counts
        source_size = len(same)
        substitution = np.ones((source_size, target_size))
        shared = np.flatnonzero(same != PAD)
        substitution[shared, same[shared]] += COPY_PRIOR * target_size
        model = cls._normalised(substitution, np.full(source_size, 0.5), np.full(target_size, 0.5))
        for _ in range(PASSES):
            substitution = np.full((source_size, target_size), SMOOTHING)
            deletion, insertion = np.full(source_size, SMOOTHING), np.full(target_size, SMOOTHING)
            for rows in batches_of(sources, targets):
                read, written = sources.padded(rows), targets.padded(rows)
                used = _expected(model._lattice(read, written))
                pairs = read[:, :, None] * target_size + written[:, None, :]
                for ids, times, total in (
                    (pairs, used.substitution, substitution),
                    (read, used.deletion, deletion),
                    (written, used.insertion, insertion),
                ):
                    times *= weights[rows].reshape(-1, *[1] * (times.ndim - 1))
                    total += np.bincount(ids.ravel(), times.ravel(), total.size).reshape(total.shape)
            model = cls._normalised(substitution, deletion, insertion)
        return model._with_unknown(same)

    @classmethod
    def _normalised(cls, substitution: np.ndarray, deletion: np.ndarray, insertion: np.ndarray) -> "EditDistance":
        total = np.log(substitution.sum() + deletion.sum() + insertion.sum())
        return cls(*((np.log(values) - total).astype(np.float32) for values in (substitution, deletion, insertion)))

    def _with_unknown(self, same: np.ndarray) -> "EditDistance":
        """Expects an unknown symbol to stay as often as the known symbols do on average."""
        shared = np.flatnonzero(same != PAD)
        if not len(shared):
            return self
        substitution = self.substitution.copy()
        kept = substitution[shared, same[shared]].astype(np.float64)
        substitution[UNK, UNK] = np.log(np.exp(kept).mean())
        return dataclasses.replace(self, substitution=substitution)

    def tensors(self) -> dict[str, np.ndarray]:
        """Returns the probabilities under the names that they have in a model folder."""
        return {f"edit_distance.{field.name}": getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> "EditDistance":
        """Reads what `tensors` returned; KeyError: a part is missing."""
        return cls(*(tensors[f"edit_distance.{field.name}"] for field in dataclasses.fields(cls)))

    def log_probs(self, sources: Ragged, targets: Ragged) -> np.ndarray:
        """Returns float64 (B,), nats: the log-probability of each pair, summed over all ways to edit."""
        found = np.zeros(len(sources))
        for rows in batches_of(sources, targets):
            lattice = self._lattice(sources.padded(rows), targets.padded(rows))
            count, height, _ = lattice.substitution.shape
            found[rows] = _log_totals(lattice, _forward(lattice.diagonals(), count, height))
        return found

    def source_log_probs(self, sources: Ragged) -> np.ndarray:
        """Returns float64 (B,), nats: the log-probability of each source, summed over all targets.

        Between two source symbols, and at both ends, there may be any number of insertions.
        """
        inserted = np.exp(self.insertion.astype(np.float64)).sum()
        read = np.exp(self.substitution.astype(np.float64)).sum(1) + np.exp(self.deletion.astype(np.float64))
        symbols = np.concatenate([np.log(read)[sources.flat], [0.0]])
        totals = np.add.reduceat(symbols, sources.starts) if len(sources) else np.zeros(0)
        return np.where(sources.lengths > 0, totals, 0.0) - (sources.lengths + 1) * np.log1p(-inserted)

    def best_edits(self, source_ids: np.ndarray, target_ids: np.ndarray) -> np.ndarray:
        """Returns the most probable edits of each pair, int8 (B, N + M), -1 after the last one.

        Args:
            source_ids: int32 (B, N), without END, right-padded.
            target_ids: int32 (B, M), without START and END, right-padded.

        """
        return _best_edits(self._lattice(source_ids, target_ids))

    def _lattice(self, source_ids: np.ndarray, target_ids: np.ndarray) -> _Lattice:
        read, written = source_ids != PAD, target_ids != PAD
        substitution = np.exp(self.substitution.astype(np.float64))[source_ids[:, :, None], target_ids[:, None, :]]
        return _Lattice(
            np.stack([read.sum(1), written.sum(1)], 1),
            substitution * (read[:, :, None] & written[:, None, :]),
            np.exp(self.deletion.astype(np.float64))[source_ids] * read,
            np.exp(self.insertion.astype(np.float64))[target_ids] * written,
        )


def batches_of(sources: Ragged, targets: Ragged) -> Iterator[np.ndarray]:
    """Yields the numbers of all rows, int (B,), in batches of similar length and bounded size."""
    order = np.lexsort((targets.lengths, sources.lengths))
    cells = (sources.lengths + 1) * (targets.lengths + 1)
    start = 0
    while start < len(order):
        largest = np.maximum.accumulate(cells[order[start : start + MOST_ROWS]])
        count = max(1, int((largest * np.arange(1, len(largest) + 1) <= CELLS).sum()))
        yield order[start : start + count]
        start += count


def _forward(diagonals: Sequence[_Diagonal], count: int, height: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Sums the ways from the first cell to each cell.

    Returns:
        For each diagonal the sums, float64 (count, height + 1), by i; each row is divided by the exponential of its
        scale, float64 (D, count), nats, so that long pairs do not underflow.

    """
    sums = [np.zeros((count, height + 1)) for _ in diagonals]
    sums[0][:, 0] = 1.0
    scales = np.zeros((len(diagonals), count))
    ratio = np.ones((count, 1))
    for number, diagonal in enumerate(diagonals):
        i = diagonal.rows
        if number:
            largest = sums[number].max(1)
            ratio = np.where(largest > 0, largest, 1.0)[:, None]
            sums[number] /= ratio
            scales[number] = scales[number - 1] + np.log(ratio[:, 0])
            # what substitutions of the diagonal before brought to the next one
            if number + 1 < len(diagonals):
                sums[number + 1] /= ratio
        here = sums[number][:, i]
        if number + 1 < len(diagonals):
            after = sums[number + 1]
            after[:, i] += here * diagonal.insertion
            after[:, i[i < height] + 1] += (here * diagonal.deletion)[:, i < height]
        if number + 2 < len(diagonals):
            sums[number + 2][:, i[i < height] + 1] += (here * diagonal.substitution)[:, i < height]
    return sums, scales


def _backward(
    diagonals: Sequence[_Diagonal], last: np.ndarray, height: int, lengths: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray]:
    """Sums the ways from each cell to the last cell of its pair, as `_forward` does."""
    count = len(last)
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
        ends = np.flatnonzero(last == number)
        sums[number][ends, lengths[ends, 0]] = 1.0
        scales[number][ends] = 0.0
    return sums, scales


def _log_totals(lattice: _Lattice, forward: tuple[list[np.ndarray], np.ndarray]) -> np.ndarray:
    """Returns float64 (B,), nats: the log-probability of each pair over all ways to edit."""
    sums, scales = forward
    rows = np.arange(len(lattice.lengths))
    final = np.stack(sums)[lattice.last, rows, lattice.lengths[:, 0]]
    with np.errstate(divide="ignore"):
        return np.log(final) + scales[lattice.last, rows]


def _expected(lattice: _Lattice) -> _Lattice:
    """Returns the expected number of times that each edit is used, in the form of the lattice."""
    count, height, width = lattice.substitution.shape
    diagonals = lattice.diagonals()
    forward = _forward(diagonals, count, height)
    totals = _log_totals(lattice, forward)
    backward, back_scales = _backward(diagonals, lattice.last, height, lattice.lengths)
    found = _Lattice(
        lattice.lengths,
        *(np.zeros((count, *shape)) for shape in ((height + 1, width + 1), (height + 1,), (width + 1,))),
    )
    for number, (i, substitution, deletion, insertion) in enumerate(diagonals):
        here = forward[0][number][:, i]
        scale = forward[1][number] - totals
        one, two = (np.exp(scale + back_scales[number + step])[:, None] * here for step in (1, 2))
        found.substitution[:, i, number - i] = two * substitution * backward[number + 2][:, i + 1]
        found.deletion[:, i] += one * deletion * backward[number + 1][:, i + 1]
        found.insertion[:, number - i] += one * insertion * backward[number + 1][:, i]
    return found._replace(
        substitution=found.substitution[:, :height, :width],
        deletion=found.deletion[:, :height],
        insertion=found.insertion[:, :width],
    )


def _best_edits(lattice: _Lattice) -> np.ndarray:
    """Returns the most probable edits of each pair, int8 (B, N + M), -1 after the last one."""
    count, height, width = lattice.substitution.shape
    diagonals = lattice.diagonals()
    with np.errstate(divide="ignore"):
        # whole numbers, so that their sums are exact, and equal paths are equal on every machine
        logs = [_Diagonal(each.rows, *(np.rint(np.log(values) / GRAIN) for values in each[1:])) for each in diagonals]
    best = [np.full((count, height + 2), -np.inf) for _ in range(len(logs) + 2)]
    choices = np.full((len(logs), count, height + 1), -1, np.int8)
    for number in reversed(range(len(logs))):
        i, substitution, deletion, insertion = logs[number]
        ways = np.stack(
            [
                substitution + best[number + 2][:, i + 1],
                deletion + best[number + 1][:, i + 1],
                insertion + best[number + 1][:, i],
            ]
        )
        choices[number][:, i] = ways.argmax(0)
        best[number][:, i] = ways.max(0)
        ends = np.flatnonzero(lattice.last == number)
        best[number][ends, lattice.lengths[ends, 0]] = 0.0
    rows = np.arange(count)
    place = diagonal = np.zeros(count, np.int64)
    edits = np.full((count, height + width), -1, np.int8)
    for step in range(height + width):
        live = diagonal < lattice.last
        chosen = choices[np.minimum(diagonal, len(logs) - 1), rows, place]
        edits[:, step] = np.where(live, chosen, -1)
        place = place + (live & (chosen != INSERTED))
        diagonal = diagonal + live * np.where(chosen == SUBSTITUTED, 2, 1)
    return edits

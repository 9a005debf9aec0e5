"""A learnt edit distance: how probable each edit is, from pairs alone, and the most probable edits of a pair."""

import dataclasses
import functools
from collections.abc import Iterator, Mapping

import numpy as np

from seq2seq.special import PAD, UNK
from seq2seq.text.batches import Ragged
from seq2seq.text.edit_lattice import (
    LARGEST,
    Lattice,
    expected_counts,
    forward_sums,
    log_totals,
    most_probable_edits,
)

PASSES = 10  # of expectation maximisation
GRAIN = 1e-4  # nats: differences of ways below it do not count
SMOOTHING = 1e-3  # added to the expected count of each edit
COPY_PRIOR = 2.0  # how much more often than any other edit a symbol is at first expected to stay
LEAST_LOG_PROB = -700.0  # nats: exp of less is 0 in float64, and then a pair may have no way to be edited
CELLS, MOST_ROWS = 1 << 19, 2048  # most numbers in a table of one batch of pairs, and its most pairs


@dataclasses.dataclass(frozen=True, eq=False)
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
                used = expected_counts(model._lattice(read, written))
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

    @staticmethod
    def shapes(source_size: int, target_size: int) -> dict[str, tuple[int, ...]]:
        """Returns the shape of each of the `tensors` of S source ids and T target ids."""
        parts = {"substitution": (source_size, target_size), "deletion": (source_size,), "insertion": (target_size,)}
        return {f"edit_distance.{name}": shape for name, shape in parts.items()}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, EditDistance):
            return NotImplemented
        others = other.tensors()
        return all(np.array_equal(values, others[name]) for name, values in self.tensors().items())

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> "EditDistance":
        """Reads what `tensors` returned; KeyError: a part is missing."""
        return cls(*(tensors[f"edit_distance.{field.name}"] for field in dataclasses.fields(cls)))

    def log_probs(self, sources: Ragged, targets: Ragged) -> np.ndarray:
        """Returns float64 (B,), nats: the log-probability of each pair, summed over all ways to edit."""
        found = np.zeros(len(sources))
        for rows in batches_of(sources, targets):
            lattice = self._lattice(sources.padded(rows), targets.padded(rows))
            found[rows] = log_totals(lattice, forward_sums(lattice))
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

    @functools.cached_property
    def grains(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The log-probabilities of substitutions (S, T), deletions (S,) and insertions (T,), float64, in grains."""
        substitution, deletion, insertion = (
            np.rint(np.maximum(values, -LARGEST, dtype=np.float64) / GRAIN) for values in self.tensors().values()
        )
        return substitution, deletion, insertion

    def best_edits(self, source_ids: np.ndarray, target_ids: np.ndarray) -> np.ndarray:
        """Returns the next edit of each cell on the most probable way, int8 (N + 1, B, M + 1).

        Args:
            source_ids: int32 (B, N), without END, left-padded.
            target_ids: int32 (B, M), without START and END, left-padded.

        """
        substitution, deletion, insertion = self.grains
        read = source_ids.T
        return most_probable_edits(substitution[read[:, :, None], target_ids], deletion[read], insertion[target_ids])

    def _lattice(self, source_ids: np.ndarray, target_ids: np.ndarray) -> Lattice:
        read, written = source_ids != PAD, target_ids != PAD
        substitution = np.exp(self.substitution.astype(np.float64))[source_ids[:, :, None], target_ids[:, None, :]]
        return Lattice(
            np.stack([read.sum(1), written.sum(1)], 1),
            substitution * (read[:, :, None] & written[:, None, :]),
            np.exp(self.deletion.astype(np.float64))[source_ids] * read,
            np.exp(self.insertion.astype(np.float64))[target_ids] * written,
        )


def batches_of(sources: Ragged, targets: Ragged) -> Iterator[np.ndarray]:
    """Yields the numbers of all rows, int (B,), in batches of similar length and bounded size."""
    order = np.lexsort((targets.lengths, sources.lengths)) if len(sources) > 1 else np.arange(len(sources))
    start = 0
    while start < len(order):
        rows = order[start : start + MOST_ROWS]
        # padded, each pair of a batch has the longest source and the longest target of them all
        height, width = (np.maximum.accumulate(side.lengths[rows] + 1) for side in (sources, targets))
        count = max(1, int((height * width * np.arange(1, len(rows) + 1) <= CELLS).sum()))
        yield order[start : start + count]
        start += count

"""The rows on which models are examined, with the teacher-forced predictions for them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from seq2seq.foreign.inference_models import Stepper
from seq2seq.foreign.layout import Data
from seq2seq.foreign.padding import Side
from seq2seq.foreign.teacher_forcing import BATCH, Teacher, scrambled

FORCED_ROWS, FREE_ROWS = BATCH, 24
MOST_SCORES = 10_000_000  # most probabilities in memory
LEARNT = 0.1  # by how much accuracy must beat the commonest symbol's share
TINY = 1e-12


@dataclass
class Sample:
    """Some rows of the data with the models that are examined on them."""

    data: Data
    teacher: Teacher | None
    stepper: Stepper | None
    rows: np.ndarray  # int (B,), indices among the rows that were read
    inference: tuple[Any, Any] = (None, None)  # encoder and decoder, connected or not

    def raw(self, side: Side | None, count: int | None = None) -> Any:
        """Returns rows of an array in their given form; None for no array."""
        return None if side is None else side.sequences.raw[side.sequences.rows[self.rows[:count]]]

    def source(self, count: int | None = None) -> Any:
        """Returns raw sources."""
        return self.raw(self.data.source, count)

    def inputs(self, count: int | None = None) -> Any:
        """Returns raw decoder inputs."""
        return self.raw(self.data.inputs, count)

    @cached_property
    def targets(self) -> np.ndarray:
        """Returns target ids, int (B, T)."""
        assert self.data.targets is not None
        return self.data.targets.ids[self.rows]

    @cached_property
    def real(self) -> np.ndarray:
        """Returns where targets are text or END, bool (B, T)."""
        assert self.data.targets is not None
        return self.data.targets.real[self.rows] & (self.targets >= 0)

    @cached_property
    def forced(self) -> np.ndarray:
        """Returns teacher-forced probabilities, (B, T, V)."""
        if self.teacher is not None:
            return self.teacher(self.source(), self.inputs())
        assert self.stepper is not None
        return self.stepper.forced(self.source(), self.inputs())

    @cached_property
    def right(self) -> np.ndarray:
        """Returns where the teacher-forced prediction is the target, bool (B, T)."""
        return self.forced.argmax(-1) == self.targets

    @property
    def accuracy(self) -> float:
        """Returns the teacher-forced accuracy on real targets, 0 to 1."""
        return float(self.right[self.real].mean()) if self.real.any() else 0.0

    @cached_property
    def majority(self) -> float:
        """Returns the accuracy of always predicting the commonest symbol."""
        ids = self.targets[self.real]
        return float(np.unique(ids, return_counts=True)[1].max() / len(ids)) if len(ids) else 1.0

    @property
    def learnt(self) -> bool:
        """Returns whether the model is clearly better than the commonest symbol."""
        return self.accuracy > self.majority + LEARNT * (1 - self.majority)

    @cached_property
    def future_effect(self) -> float:
        """Returns the change of probabilities in the first half of rows when only the second half of inputs changes."""
        inputs = self.inputs(16)
        if self.teacher is None or inputs is None or inputs.shape[1] < 2:
            return 0.0
        half = max(1, inputs.shape[1] // 2)
        as_given = self.teacher(self.source(16), inputs)  # the same rows in one batch: some models depend on it
        changed = self.teacher(self.source(16), scrambled(inputs, half))
        if changed.shape[1] != inputs.shape[1]:
            return 0.0
        return float(np.abs(changed - as_given)[:, :half][self.real[:16, :half]].max(initial=0.0))

    def nats(self, scores: np.ndarray) -> float:
        """Returns the mean negative log-probability of the real targets, nats per symbol."""
        chosen = np.take_along_axis(scores, np.maximum(self.targets, 0)[..., None], -1)[..., 0]
        return float(-np.log(np.maximum(chosen[self.real], TINY)).mean())

    def references(self, count: int) -> list[list[int]]:
        """Returns the correct outputs: targets without START, END and padding."""
        rows = []
        for ids, real in zip(self.targets[:count], self.real[:count], strict=True):
            row = ids[real].tolist()
            if row and row[0] == self.data.start:
                row = row[1:]
            rows.append(row[: row.index(self.data.end)] if self.data.end in row else row)
        return rows


def spread(data: Data) -> np.ndarray:
    """Chooses rows from all parts of the data, with different sources if possible."""
    side = data.source or data.inputs
    assert side is not None
    total = len(side.sequences.rows)
    candidates = np.linspace(0, total - 1, min(total, 4 * FORCED_ROWS)).astype(int)
    if side.ids.size:
        _, first = np.unique(side.ids[candidates], axis=0, return_index=True)
        candidates = candidates[np.sort(first)]
    width = max(part.ids.shape[1] for part in (side, data.targets) if part is not None)
    classes = data.targets.sequences.classes if data.targets is not None else 1
    most = int(np.clip(MOST_SCORES // max(width * classes, 1), 8, FORCED_ROWS))
    if len(candidates) > most:
        candidates = candidates[np.linspace(0, len(candidates) - 1, most).astype(int)]
    # in random order, so that the first few rows are both short and long
    return np.random.default_rng(0).permutation(candidates)

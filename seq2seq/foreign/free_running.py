"""A training model as a step function: it reads all that was written so far again at each step."""

from dataclasses import dataclass

import numpy as np

from seq2seq.decoding import State
from seq2seq.foreign.arrays import Sequences
from seq2seq.foreign.ids import ForeignIds, feedable
from seq2seq.foreign.padding import Side
from seq2seq.foreign.teacher_forcing import Teacher, fill_id
from seq2seq.special import END, SPECIAL_COUNT


@dataclass(frozen=True)
class GrowingRows:
    """A model of whole rows: the state is the row so far, filled up to the width of the data."""

    teacher: Teacher
    inputs: Side  # what the decoder was trained on: the form of its input, its width, its padding
    ids: ForeignIds

    def start(self, source: np.ndarray | None, prompts: np.ndarray) -> tuple[State, np.ndarray]:
        """Returns the state before the last id of the prompts, int (B, P), is fed, and these ids, our own, int (B,)."""
        count, length = prompts.shape
        rows = np.full((count, self.inputs.ids.shape[1]), fill_id(self.inputs))
        rows[:, : length - 1] = prompts[:, :-1]
        shared = () if source is None else (source,)
        return State((rows, np.full(count, length - 1)), shared), self.ids.ours(prompts[:, -1])

    def room(self, length: int, steps: int) -> int:
        """How many symbols can follow a prompt, `steps` at most; the last one of a full row is not fed back."""
        left = self.inputs.ids.shape[1] - length
        return steps if steps < left else left + 1

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Reads int (N,) ids of ours; returns the nats of the next, float64 (N, V), and the state."""
        rows, lengths = state.rows
        time = int(lengths[0])  # all rows grow together
        if time == rows.shape[1]:  # a row that is full can only end
            nats = np.full((len(rows), SPECIAL_COUNT), -np.inf)
            nats[:, END] = 0.0
            return nats, state
        rows = rows.copy()
        rows[:, time] = feedable(self.ids.theirs(token_ids), self.inputs.sequences)
        source = np.repeat(state.shared[0], len(rows) // len(state.shared[0]), axis=0) if state.shared else None
        probabilities = self.teacher(source, self.inputs.sequences.with_ids(rows))[:, time]
        return self.ids.log_probs(probabilities), State((rows, lengths + 1), state.shared)


@dataclass(frozen=True)
class SlidingWindows:
    """A model of windows: the state is the window, which drops its first symbol for each that is appended."""

    teacher: Teacher
    sequences: Sequences  # the form of its input
    ids: ForeignIds

    def start(self, windows: np.ndarray) -> tuple[State, np.ndarray]:
        """Returns the state before the last id of the windows, int (B, W), is fed, and these ids, our own, int (B,)."""
        return State(np.roll(windows, 1, axis=1), ()), self.ids.ours(windows[:, -1])

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Reads int (N,) ids of ours; returns the nats of the next, float64 (N, V), and the state."""
        symbols = feedable(self.ids.theirs(token_ids), self.sequences)
        windows = np.concatenate([state.rows[:, 1:], symbols[:, None]], axis=1)
        probabilities = self.teacher(None, self.sequences.with_ids(windows))[:, -1]
        return self.ids.log_probs(probabilities), State(windows, ())

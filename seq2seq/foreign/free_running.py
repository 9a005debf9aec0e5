"""Makes a training model a step function: it reads the whole prefix again at each step."""

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
    """A model of whole rows: the state is the prefix, padded to the width of the data."""

    teacher: Teacher
    inputs: Side  # the decoder's training inputs: their form, width and padding
    ids: ForeignIds

    def start(self, source: np.ndarray | None, prompts: np.ndarray) -> tuple[State, np.ndarray]:
        """Starts rows from prompts.

        Args:
            source: raw (B, S...); None: a language model.
            prompts: int (B, P), the model's ids.

        Returns:
            The state before the last id of each prompt, and these last ids as search ids, int (B,).

        """
        count, length = prompts.shape
        rows = np.full((count, self.inputs.ids.shape[1]), fill_id(self.inputs))
        rows[:, : length - 1] = prompts[:, :-1]
        shared = () if source is None else (source,)
        return State((rows, np.full(count, length - 1)), shared), self.ids.to_search(prompts[:, -1])

    def room(self, length: int, steps: int) -> int:
        """Returns how many symbols can follow a prompt, at most `steps`; the last symbol of a full row is not fed."""
        left = self.inputs.ids.shape[1] - length
        return steps if steps < left else left + 1

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds search ids, int (N,); returns log-probabilities (nats) of the next, float64 (N, V), and the state."""
        rows, lengths = state.rows
        time = int(lengths[0])  # all rows have the same length
        if time == rows.shape[1]:  # a full row can only end
            nats = np.full((len(rows), SPECIAL_COUNT), -np.inf)
            nats[:, END] = 0.0
            return nats, state
        rows = rows.copy()
        rows[:, time] = feedable(self.ids.to_model(token_ids), self.inputs.sequences)
        source = np.repeat(state.shared[0], len(rows) // len(state.shared[0]), axis=0) if state.shared else None
        probabilities = self.teacher(source, self.inputs.sequences.with_ids(rows))[:, time]
        return self.ids.log_probs(probabilities), State((rows, lengths + 1), state.shared)


@dataclass(frozen=True)
class SlidingWindows:
    """A model of windows: the state is the window, which drops its first symbol when one is appended."""

    teacher: Teacher
    sequences: Sequences  # the form of the model's input
    ids: ForeignIds

    def start(self, windows: np.ndarray) -> tuple[State, np.ndarray]:
        """Takes windows, int (B, W); returns the state before their last ids, and these as search ids, int (B,)."""
        return State(np.roll(windows, 1, axis=1), ()), self.ids.to_search(windows[:, -1])

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds search ids, int (N,); returns log-probabilities (nats) of the next, float64 (N, V), and the state."""
        symbols = feedable(self.ids.to_model(token_ids), self.sequences)
        windows = np.concatenate([state.rows[:, 1:], symbols[:, None]], axis=1)
        probabilities = self.teacher(None, self.sequences.with_ids(windows))[:, -1]
        return self.ids.log_probs(probabilities), State(windows, ())

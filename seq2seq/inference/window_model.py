"""A stateless language model, as trained on windows: reads the last symbols again at each step."""

from typing import Any, Protocol

import numpy as np

from seq2seq.decoding import State

NOT_YET = -1  # fills the places of a window for which the text has no symbols yet


class TextRuntime(Protocol):
    """A language model's step function, and the function that returns its first state."""

    def start(self, rows: int) -> State:
        """Returns the state of `rows` empty texts."""

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol to each text."""


class RestartingLanguageModel:
    """Predicts from the last `length` symbols, which it reads from a zero state at each step; a state holds them.

    Args:
        model: reads the symbols.
        length: the number of symbols.

    """

    def __init__(self, model: TextRuntime, length: int) -> None:
        self.model = model
        self.length = length

    def start(self, rows: int) -> State:
        """Returns the state of `rows` empty texts."""
        return State([np.full((rows, self.length), NOT_YET, np.int32)], ())

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol, int32 (N,), to each text; returns logits float (N, V) and the next state."""
        return self.read(token_ids[:, None], state)

    def read(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds T symbols, at least 1, to each text at once; costs as much as one symbol.

        Args:
            token_ids: int32 (N, T).
            state: of N texts.

        Returns:
            Logits float (N, V) after the last symbol, in the model's dtype, and the next state.

        """
        window = np.concatenate([state.rows[0], token_ids], 1)[:, -self.length :].astype(np.int32)
        read = (window != NOT_YET).sum(1)
        logits: Any = None
        # in a search all texts have read as many symbols; otherwise each number is a group of its own
        for count in np.unique(read):
            rows = np.flatnonzero(read == count)
            inner = self.model.start(len(rows))
            for column in window[rows, self.length - count :].T:
                some, inner = self.model.step(column, inner)
            if len(rows) == len(window):
                logits = some
            else:
                logits = np.zeros((len(window), some.shape[1]), some.dtype) if logits is None else logits
                logits[rows] = some
        return logits, State([window], ())

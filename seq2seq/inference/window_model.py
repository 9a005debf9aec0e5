"""A language model that reads its last symbols anew at each step, as models do that were trained on windows."""

from typing import Any, Protocol

import numpy as np

from seq2seq.decoding import State

NOT_YET = -1  # stands where a text has no symbol yet


class TextRuntime(Protocol):
    """A language model's step function with its beginning."""

    def start(self, rows: int) -> State:
        """Returns the state of texts of which nothing has been read."""

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol to each text."""


class RestartingLanguageModel:
    """Starts from zeros at each step and reads the last symbols; a state is nothing but those symbols.

    Args:
        model: what reads them.
        length: how many.

    """

    def __init__(self, model: TextRuntime, length: int) -> None:
        self.model = model
        self.length = length

    def start(self, rows: int) -> State:
        """Returns the state of `rows` texts of which nothing has been read."""
        return State([np.full((rows, self.length), NOT_YET, np.int32)], ())

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol, int32 (N,), to each text; returns logits float (N, V) and the next state."""
        return self.read(token_ids[:, None], state)

    def read(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds T symbols at once, at least 1, to each text; the cost is that of one.

        Args:
            token_ids: int32 (N, T).
            state: of N texts.

        Returns:
            Logits float (N, V) after the last, of the dtype that the model gives, and the next state.

        """
        window = np.concatenate([state.rows[0], token_ids], 1)[:, -self.length :].astype(np.int32)
        read = (window != NOT_YET).sum(1)
        logits: Any = None
        # texts of a search have read equally much; of others each group goes by itself
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

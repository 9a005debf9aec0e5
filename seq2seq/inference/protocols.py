"""What decoding needs of a translator's model: the first state of some sources, and a step."""

from typing import Protocol

import numpy as np

from seq2seq.decoding import State


class ActionRuntime(Protocol):
    """A transducer's step function, and the function that returns its first state."""

    def start(self, source_ids: np.ndarray, tag_ids: np.ndarray) -> State:
        """Encodes sources int32 (B, S) with their tags int32 (B, F)."""

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Takes one action for each hypothesis; returns logits (N, A) and the next state."""


class Runtime(Protocol):
    """A translator's step function, and the function that returns its first state."""

    def start(self, source_ids: np.ndarray) -> State:
        """Encodes sources int32 (B, S)."""

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol to each hypothesis; returns logits (N, V) and the next state."""


class AttendingRuntime(Runtime, Protocol):
    """A translator's runtime that can show where a step looked."""

    def attend(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State, np.ndarray | None]:
        """Computes a step and returns the attention weights (N, S) too; None for a model without attention."""

"""Runs a language model with NumPy only."""

import numpy as np

from seq2seq.config import ModelConfig
from seq2seq.decoding import State
from seq2seq.inference.numpy_cells import Weights
from seq2seq.inference.numpy_runtime import NumpyDecoder


class NumpyLanguageModel(NumpyDecoder):
    """A language model's step function, built from its weights."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        super().__init__(config, weights, attends=False)
        self.shape = (config.units, config.layers * self.cells[0].state_count)

    def start(self, rows: int) -> State:
        """Returns the state of `rows` empty texts."""
        size, count = self.shape
        return State([np.zeros((rows, size), np.float32) for _ in range(count)], ())

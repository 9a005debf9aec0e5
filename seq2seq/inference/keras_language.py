"""Runs a language model's decoder with Keras; states stay on the device between steps."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seq2seq.config import ModelConfig
from seq2seq.decoding import State
from seq2seq.inference.keras_runtime import DeviceRows
from seq2seq.models.backend import keras, tf
from seq2seq.models.decoder import build_decoder
from seq2seq.models.weights import import_weights


class KerasLanguageModel:
    """The step function of a language model's Keras decoder."""

    def __init__(self, decoder: keras.Model) -> None:
        self.decoder = decoder
        self._decode = tf.function(self._run_decoder, reduce_retracing=True)

    @classmethod
    def from_weights(
        cls, config: ModelConfig, weights: Mapping[str, np.ndarray], *, vocabulary_size: int, where: str
    ) -> "KerasLanguageModel":
        """Builds the decoder and fills it; `where` is named if the weights do not fit."""
        decoder = build_decoder(config, vocabulary_size)
        import_weights([decoder], weights, where=where)
        return cls(decoder)

    def _run_decoder(self, token_ids: Any, states: list[Any]) -> Any:
        logits, *after = self.decoder([token_ids[:, None], *states], training=False)
        return logits[:, 0], after

    def start(self, rows: int) -> State:
        """Returns the state of `rows` texts of which nothing has been read."""
        return State([DeviceRows(tf.zeros((rows, state.shape[-1]))) for state in self.decoder.inputs[1:]], ())

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol, int32 (N,), to each text; returns logits float32 (N, V) and the next state."""
        logits, after = self._decode(tf.constant(token_ids, tf.int32), [leaf.tensor for leaf in state.rows])
        return logits.numpy(), State([DeviceRows(tensor) for tensor in after], ())

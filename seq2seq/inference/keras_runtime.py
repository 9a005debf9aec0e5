"""Runs the models of either kind with Keras; states stay on the device between steps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq.config import ModelConfig
from seq2seq.decoding import State
from seq2seq.models.backend import keras, tf
from seq2seq.models.decoder import build_decoder
from seq2seq.models.translator import TranslatorModels, attending_decoder, build_translator, decoder_inputs
from seq2seq.models.weights import import_weights
from seq2seq.special import PAD


class DeviceRows:
    """A tensor whose rows can be selected on the device."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor

    def select(self, rows: np.ndarray) -> "DeviceRows":
        """Returns the rows with the given indexes, int (R,), in this order."""
        return DeviceRows(tf.gather(self.tensor, rows))

    def join(self, others: Sequence["DeviceRows"]) -> "DeviceRows":
        """Returns these rows, then those of the others."""
        return DeviceRows(tf.concat([self.tensor, *(other.tensor for other in others)], 0))

    def __len__(self) -> int:
        return int(self.tensor.shape[0])


class KerasTranslator:
    """The step function of a translator's Keras models."""

    def __init__(self, models: TranslatorModels) -> None:
        self.models = models
        self.decoder = attending_decoder(models)
        ids = tf.TensorSpec((None, None), tf.int32)
        self._encode = tf.function(self._run_encoder, input_signature=[ids])
        self._decode = tf.function(self._run_decoder, reduce_retracing=True)

    @classmethod
    def from_weights(
        cls,
        config: ModelConfig,
        weights: Mapping[str, np.ndarray],
        *,
        source_size: int,
        target_size: int,
        where: str,
    ) -> "KerasTranslator":
        """Builds the models with these weights; an error about them names `where`."""
        models = build_translator(config, source_size=source_size, target_size=target_size)
        import_weights([models.encoder, models.decoder], weights, where=where)
        return cls(models)

    def _run_encoder(self, source_ids: Any) -> Any:
        return self.models.encoder(source_ids, training=False)

    def _run_decoder(self, token_ids: Any, states: list[Any], memory: Any, mask: Any) -> Any:
        inputs = decoder_inputs(self.models, token_ids[:, None], [memory, *states], mask)
        logits, *after = self.decoder(inputs, training=False)
        weights = after.pop()[:, 0] if self.models.attends else None
        return logits[:, 0], after, weights

    def start(self, source_ids: np.ndarray) -> State:
        """Encodes sources.

        Args:
            source_ids: int32 (B, S), the symbols of each source and END, right-padded.

        """
        memory, *states = self._encode(tf.constant(source_ids, tf.int32))
        mask = tf.constant(source_ids != PAD)
        shared = (DeviceRows(memory), DeviceRows(mask)) if self.models.attends else ()
        return State(rows=[DeviceRows(state) for state in states], shared=shared)

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol, int32 (N,), to each hypothesis; returns logits float32 (N, V) and the next state."""
        logits, after, _ = self._step(token_ids, state)
        return logits, after

    def attend(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State, np.ndarray | None]:
        """Feeds one symbol, int32 (N,); returns logits float32 (N, V), the state and weights float32 (N, S) or None."""
        logits, after, weights = self._step(token_ids, state)
        return logits, after, None if weights is None else weights.numpy()

    def _step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State, Any]:
        """Feeds one symbol to each hypothesis.

        Args:
            token_ids: int32 (N,), N = B x K.
            state: rows (N, H) each; shared memory (B, S, M) and mask (B, S).

        Returns:
            Logits float32 (N, V), the next state, and the attention weights as a tensor (N, S) or None.

        """
        memory = mask = tf.zeros((0,))
        if state.shared:
            memory, mask = (leaf.tensor for leaf in state.shared)
            width = len(token_ids) // max(len(state.shared[0]), 1)
            if width > 1:
                memory, mask = tf.repeat(memory, width, axis=0), tf.repeat(mask, width, axis=0)
        logits, after, weights = self._decode(
            tf.constant(token_ids, tf.int32), [leaf.tensor for leaf in state.rows], memory, mask
        )
        return logits.numpy(), State([DeviceRows(tensor) for tensor in after], state.shared), weights


class KerasLanguageModel:
    """The step function of a language model's Keras decoder."""

    def __init__(self, decoder: keras.Model) -> None:
        self.decoder = decoder
        self._decode = tf.function(self._run_decoder, reduce_retracing=True)

    @classmethod
    def from_weights(
        cls, config: ModelConfig, weights: Mapping[str, np.ndarray], *, vocabulary_size: int, where: str
    ) -> "KerasLanguageModel":
        """Builds the decoder with these weights; an error about them names `where`."""
        decoder = build_decoder(config, vocabulary_size)
        import_weights([decoder], weights, where=where)
        return cls(decoder)

    def _run_decoder(self, token_ids: Any, states: list[Any]) -> Any:
        logits, *after = self.decoder([token_ids[:, None], *states], training=False)
        return logits[:, 0], after

    def start(self, rows: int) -> State:
        """Returns the state of `rows` empty texts."""
        return State([DeviceRows(tf.zeros((rows, state.shape[-1]))) for state in self.decoder.inputs[1:]], ())

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol, int32 (N,), to each text; returns logits float32 (N, V) and the next state."""
        logits, after = self._decode(tf.constant(token_ids, tf.int32), [leaf.tensor for leaf in state.rows])
        return logits.numpy(), State([DeviceRows(tensor) for tensor in after], ())

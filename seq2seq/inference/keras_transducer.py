"""Runs a transducer with Keras; states stay on the device between steps."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from seq2seq.config import ModelConfig
from seq2seq.decoding import State
from seq2seq.inference.keras_runtime import DeviceRows
from seq2seq.models.backend import tf
from seq2seq.models.transducer import TransducerModels, build_transducer
from seq2seq.models.weights import import_weights
from seq2seq.special import PAD


class KerasTransducer:
    """The step function of a transducer's Keras models."""

    def __init__(self, models: TransducerModels) -> None:
        self.models = models
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
    ) -> "KerasTransducer":
        """Builds the models with these weights; an error about them names `where`."""
        has_tags = "tag_embedding.embeddings" in weights
        models = build_transducer(config, source_size=source_size, target_size=target_size, has_tags=has_tags)
        import_weights([models.encoder, models.decoder], weights, where=where)
        return cls(models)

    def _run_encoder(self, source_ids: Any) -> Any:
        return self.models.encoder(source_ids, training=False)

    def _run_decoder(self, token_ids: Any, rows: list[Any], shared: list[Any], each: Any) -> Any:
        inputs = [token_ids[:, None], *rows, *(tf.gather(tensor, each) for tensor in shared)]
        logits, *after = self.models.decoder(inputs, training=False)
        return logits[:, 0], after

    def start(self, source_ids: np.ndarray, tag_ids: np.ndarray) -> State:
        """Encodes sources.

        Args:
            source_ids: int32 (B, S), the symbols of each source and END, right-padded.
            tag_ids: int32 (B, F), the tags of each source, right-padded; for a model with tags.

        """
        memory, *states = self._encode(tf.constant(source_ids, tf.int32))
        shared = [memory, tf.constant(source_ids != PAD)]
        if self.models.has_tags:
            shared.append(tf.constant(tag_ids))
        position = tf.zeros(len(source_ids), tf.int32)
        return State([DeviceRows(row) for row in (position, *states)], [DeviceRows(tensor) for tensor in shared])

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Takes one action for each hypothesis.

        Args:
            token_ids: int32 (N,), N = B x K.
            state: rows: the position (N,) and states (N, H) each; shared: memory, mask, and tags if there are any.

        Returns:
            logits float32 (N, A), minus infinity for impossible actions, and the next state.

        """
        count = max(len(state.shared[0]), 1)
        each = np.repeat(np.arange(count, dtype=np.int32), len(token_ids) // count)
        rows, shared = ([leaf.tensor for leaf in leaves] for leaves in (state.rows, state.shared))
        logits, after = self._decode(tf.constant(token_ids, tf.int32), rows, shared, tf.constant(each))
        return logits.numpy(), State([DeviceRows(row) for row in after], state.shared)

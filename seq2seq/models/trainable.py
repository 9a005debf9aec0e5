"""The translator as training sees it."""

from collections.abc import Sequence
from typing import Any

from seq2seq.models.backend import keras, tf
from seq2seq.models.step import Forward
from seq2seq.models.translator import TranslatorModels, training_model


class TrainableTranslator:
    """A translator whose batches are [source_ids (B, S), inputs (B, T), targets (B, T), weights (B, T)]."""

    def __init__(self, models: TranslatorModels) -> None:
        self.models: list[keras.Model] = [models.encoder, models.decoder]
        self.joined = training_model(models)
        ids = tf.TensorSpec((None, None), tf.int32)
        self.signature = [ids, ids, ids, tf.TensorSpec((None, None), tf.float32)]
        self.carry_signature: list[tf.TensorSpec] = []

    def forward(self, arrays: Sequence[Any], carry: Sequence[Any], *, training: bool) -> Forward:
        """Predicts every target from the source and the symbols before it."""
        source_ids, inputs, targets, weights = arrays
        logits = self.joined([source_ids, inputs], training=training)
        return Forward(logits, targets, weights, [])

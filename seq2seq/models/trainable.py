"""The models as training uses them: translator, transducer, and language model with states carried between windows."""

from collections.abc import Sequence
from typing import Any

from seq2seq.config import ModelConfig
from seq2seq.models.backend import keras, tf
from seq2seq.models.decoder import build_decoder, state_count
from seq2seq.models.step import Forward, Taught, Trainable
from seq2seq.models.transducer import TransducerModels, training_transducer
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


class TrainableTransducer:
    """A transducer whose batches are [source_ids (B, S), tag_ids (B, F), inputs, targets, weights (B, T) each]."""

    def __init__(self, models: TransducerModels) -> None:
        self.models: list[keras.Model] = [models.encoder, models.decoder]
        self.joined = training_transducer(models)
        self.has_tags = models.has_tags
        ids = tf.TensorSpec((None, None), tf.int32)
        self.signature = [ids, ids, ids, ids, tf.TensorSpec((None, None), tf.float32)]
        self.carry_signature: list[tf.TensorSpec] = []

    def forward(self, arrays: Sequence[Any], carry: Sequence[Any], *, training: bool) -> Forward:
        """Predicts every action from the source and the actions before it."""
        source_ids, tag_ids, inputs, targets, weights = arrays
        tags = [tag_ids] if self.has_tags else []
        logits = self.joined([source_ids, inputs, *tags], training=training)
        # padding has no action: it needs finite logits, since infinity times a weight of 0 is no number
        return Forward(tf.where(weights[..., None] > 0, logits, 0.0), targets, weights, [])


class TrainableLanguageModel:
    """A language model whose batches are [inputs (B, T), targets (B, T), weights (B, T)]."""

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
        self.decoder = build_decoder(config, vocabulary_size)
        self.models: list[keras.Model] = [self.decoder]
        ids = tf.TensorSpec((None, None), tf.int32)
        self.signature = [ids, ids, tf.TensorSpec((None, None), tf.float32)]
        self.carry_signature = [tf.TensorSpec((None, config.units), tf.float32)] * state_count(config)

    def forward(self, arrays: Sequence[Any], carry: Sequence[Any], *, training: bool) -> Forward:
        """Predicts every target from the symbols before it in the window, and from the states before the window."""
        inputs, targets, weights = arrays
        logits, *after = self.decoder([inputs, *carry], training=training)
        return Forward(logits, targets, weights, after)


class TrainableStudent:
    """A translator or transducer that learns from a teacher too.

    Its batches have the K most probable ids of the teacher's distributions, int32 (B, T, K), and their probabilities,
    float32 (B, T, K), before the last three arrays, [inputs, targets, weights].
    """

    def __init__(self, model: Trainable, share: float) -> None:
        """`share` is the teacher's share of the loss."""
        self.model, self.share = model, share
        self.models = model.models
        ids, probs = (tf.TensorSpec((None, None, None), kind) for kind in (tf.int32, tf.float32))
        self.signature = [*model.signature[:-3], ids, probs, *model.signature[-3:]]
        self.carry_signature = model.carry_signature

    def forward(self, arrays: Sequence[Any], carry: Sequence[Any], *, training: bool) -> Forward:
        """Predicts every target as the model does."""
        *first, ids, probs, inputs, targets, weights = arrays
        result = self.model.forward([*first, inputs, targets, weights], carry, training=training)
        return result._replace(taught=Taught(ids, probs, self.share))

"""Computes attention weights for pictures: how much each output symbol attended to each source symbol."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.bundle import Bundle
from seq2seq.errors import OptionError
from seq2seq.inference.keras_runtime import KerasTranslator
from seq2seq.inference.translator import Translator
from seq2seq.models.backend import tf
from seq2seq.models.translator import attention_model, decoder_inputs
from seq2seq.special import END, PAD, START


class AttentionView(NamedTuple):
    """The attention of one translation."""

    source: list[str]  # S symbols as the model reads them; <END> last, unless the model was adopted without it
    target: list[str]  # T symbols, <END> last
    weights: np.ndarray  # float32 (T, S), each row sums to 1


def view_attention(bundle: Bundle, source: str, target: str | Sequence[int]) -> AttentionView:
    """Computes the attention weights for a given source and target.

    Args:
        bundle: a translator.
        source: a line.
        target: a text, or the ids of an output.

    Raises:
        OptionError: the model has no attention, or is an ensemble.

    """
    if bundle.edits:
        raise OptionError(
            f"{bundle.path}: is a transducer, which reads the source at one position in each step and has no attention "
            "to show; train with --architecture attention"
        )
    if bundle.members:
        raise OptionError(
            f"{bundle.path}: expected one model, got an ensemble of {len(bundle.members)}; give one member, "
            f"such as {bundle.members[0].path}"
        )
    if bundle.model.attention == "none":
        raise OptionError(f"{bundle.path}: has no attention to show; train with --attention luong or bahdanau")
    translator = Translator(bundle, runtime="keras")
    assert isinstance(translator.runtime, KerasTranslator)
    models = translator.runtime.models
    encoded = translator.encode(source, "map", 1, lambda *_: None)
    read = translator.source_form.row(encoded.tags + encoded.ids)
    written = [*(bundle.target_vocabulary.encode(target) if isinstance(target, str) else target), END]
    source_ids = tf.constant([read], tf.int32)
    inputs = tf.constant([[START, *written[:-1]]], tf.int32)
    encoded = models.encoder(source_ids)
    weights = attention_model(models)(decoder_inputs(models, inputs, encoded, source_ids != PAD), training=False)
    return AttentionView(
        [translator.source_vocabulary.symbol(id_) for id_ in read],
        [bundle.target_vocabulary.symbol(id_) for id_ in written],
        np.asarray(weights)[0],
    )

"""Attention weights of a translator, for pictures: which source symbols each output symbol looked at."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.bundle import Bundle
from seq2seq.errors import OptionError
from seq2seq.inference.keras_runtime import KerasTranslator
from seq2seq.models.backend import tf
from seq2seq.models.translator import attention_model, decoder_inputs
from seq2seq.special import END, PAD, START
from seq2seq.text.pairs import normalise
from seq2seq.text.source_layout import SourceForm


class AttentionView(NamedTuple):
    """One translation's attention."""

    source: list[str]  # S symbols as they were read; of our own models <END> last
    target: list[str]  # T symbols, <END> last
    weights: np.ndarray  # float32 (T, S), each row sums to 1


def view_attention(bundle: Bundle, source: str, target: str | Sequence[int]) -> AttentionView:
    """Computes the attention of a model that is made to write `target`.

    Args:
        bundle: a translator.
        source: a line.
        target: text, or the ids of an output.

    Raises:
        OptionError: the model has no attention.

    """
    if bundle.model.attention == "none" or bundle.source_vocabulary is None:
        raise OptionError(f"{bundle.path}: has no attention to show; train with --attention luong or bahdanau")
    vocabularies = bundle.source_vocabulary, bundle.target_vocabulary
    runtime = KerasTranslator.from_weights(
        bundle.model,
        bundle.weights,
        source_size=len(vocabularies[0]),
        target_size=len(vocabularies[1]),
        where=str(bundle.path),
    )
    form = SourceForm.from_record(bundle.record)
    text = normalise(source, bundle.data.lowercase) if form.clean else source
    read = form.row(vocabularies[0].encode(text))
    written = [*(vocabularies[1].encode(target) if isinstance(target, str) else target), END]
    source_ids = tf.constant([read], tf.int32)
    inputs = tf.constant([[START, *written[:-1]]], tf.int32)
    encoded = runtime.models.encoder(source_ids)
    weights = attention_model(runtime.models)(
        decoder_inputs(runtime.models, inputs, encoded, source_ids != PAD), training=False
    )
    return AttentionView(
        [vocabularies[0].symbol(id_) for id_ in read],
        [vocabularies[1].symbol(id_) for id_ in written],
        np.asarray(weights)[0],
    )

"""Computes attention weights for pictures: how much each output symbol attended to each source symbol."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.errors import OptionError
from seq2seq.inference.translator import Translator
from seq2seq.special import END, START


class AttentionView(NamedTuple):
    """The attention of one translation."""

    source: list[str]  # S symbols as the model reads them; <END> last, unless the model was adopted without it
    target: list[str]  # T symbols, <END> last
    weights: np.ndarray  # float32 (T, S), each row sums to 1


def view_attention(bundle: Bundle, source: str, target: str | Sequence[int]) -> AttentionView:
    """Computes the attention weights for a given source and target.

    Args:
        bundle: a translator; an ensemble shows the mean of the members that attend.
        source: a line.
        target: a text, or the ids of an output.

    Raises:
        OptionError: the model has no attention.

    """
    if bundle.edits:
        raise OptionError(
            f"{bundle.path}: is a transducer, which reads the source at one position in each step and has no attention "
            "to show; train with --architecture attention"
        )
    translator = Translator(bundle)
    encoded = translator.encode(source, "map", 1, lambda *_: None)
    written = [*(bundle.target_vocabulary.encode(target) if isinstance(target, str) else target), END]
    weights = translator.writer.follow(encoded, [START, *written]).attention
    if weights is None:
        raise OptionError(f"{bundle.path}: has no attention to show; train with --attention luong or bahdanau")
    read = translator.source_form.row(encoded.tags + encoded.ids)
    return AttentionView(
        translator.source_vocabulary.symbols_of(read), bundle.target_vocabulary.symbols_of(written), weights
    )

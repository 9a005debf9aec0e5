"""Scores language models on held-out text: nats, bits and perplexity."""

import math
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2seq.errors import DataError
from seq2seq.inference.forcing import text_log_probs
from seq2seq.inference.language_model import LanguageModel
from seq2seq.scoring.training_data import training_data
from seq2seq.special import UNK
from seq2seq.text.datasets import resolve
from seq2seq.text.prose import encode_text, make_encoder, read_blocks
from seq2seq.text.windows import validation_windows


class TextScores(NamedTuple):
    """How well a language model predicts a text; lower is better."""

    nats_per_symbol: float
    nats_per_character: float
    bits_per_character: float
    perplexity: float  # per symbol
    symbols: int  # number of scored symbols
    unknown_symbols: int  # scored symbols that are not in the vocabulary, scored as UNK


def text_scores(nats: float, *, symbols: int, unknown: int, symbols_per_character: float) -> TextScores:
    """Computes all scores from the mean nats per symbol."""
    by_character = nats * symbols_per_character
    return TextScores(nats, by_character, by_character / math.log(2), math.exp(min(nats, 700.0)), symbols, unknown)


class HeldOut(NamedTuple):
    """A text as ids of the model's vocabulary, and where its scored part begins."""

    ids: np.ndarray  # int (N,)
    split: int  # index of the first scored symbol
    characters: int  # of the scored part


def evaluate_text(model: LanguageModel, data: str | None = None, *, most: int | None = None) -> TextScores:
    """Scores a language model on the last tenth of its own text, or on all of another text.

    The state is carried through the text, as in training.

    Args:
        model: the model.
        data: a text's path or a data set's name; None: the last tenth of the model's own text, which was held out.
        most: how many symbols are scored, from the beginning of the part; None: all.

    Raises:
        BundleError: the model does not record its training data.
        DataError: the text cannot be used.

    """
    part = own_text(model) if data is None else given_text(model, data)
    symbols_per_character = (len(part.ids) - part.split) / part.characters
    ids = part.ids if most is None else part.ids[: part.split + most]
    return text_scores(
        mean_nats(model, part._replace(ids=ids)),
        symbols=len(ids) - part.split,
        unknown=int((ids[part.split :] == UNK).sum()),
        symbols_per_character=symbols_per_character,
    )


def own_text(model: LanguageModel) -> HeldOut:
    """Reads the text that a model was trained on."""
    dataset = training_data(model.bundle)
    with tempfile.TemporaryDirectory() as folder:
        text = encode_text(dataset.paths["all"], model.bundle.data, Path(folder))
        return HeldOut(np.array(text.ids), text.split, text.validation_characters)


def given_text(model: LanguageModel, data: str) -> HeldOut:
    """Reads another text; all of it is scored except the first symbol."""
    dataset = resolve(data)
    if dataset.kind != "text":
        raise DataError(f"--data {data}: expected a text, since the model was trained on a text, got {dataset.kind}")
    encode = make_encoder(model.vocabulary, model.form, np.min_scalar_type(len(model.vocabulary) - 1))
    with dataset.paths["all"].open("rb") as file:
        blocks = list(read_blocks(file, model.form, name=data, encoding=model.bundle.data.encoding))
    ids = np.concatenate([np.zeros(0, np.int64), *map(encode, blocks)])
    if len(ids) < 2:
        raise DataError(f"{data}: expected a text of at least 2 symbols, got {len(ids)}; give a longer one")
    return HeldOut(ids, 1, sum(map(len, blocks)))


def mean_nats(model: LanguageModel, part: HeldOut) -> float:
    """Returns the mean nats per symbol of the held-out part; the state is carried through it."""
    nats = count = 0.0
    state = None
    for inputs, targets, weights in validation_windows(part.ids, part.split):
        state = model.runtime.start(len(inputs)) if state is None else state
        log_probs, state = text_log_probs(model.runtime, inputs, targets, state)
        nats -= float((log_probs * weights).sum())
        count += float(weights.sum())
    return nats / count

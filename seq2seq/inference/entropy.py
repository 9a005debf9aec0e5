"""Measures the entropy (bits) of the distributions from which a model drew the symbols of its outputs."""

import math
from collections.abc import Sequence

import numpy as np

from seq2seq.decoding import State, StepModel, select_rows
from seq2seq.decoding.filters import temper
from seq2seq.inference.drafts import Opening
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.results import Generated, Output
from seq2seq.inference.translator import Translator
from seq2seq.special import END, SPECIAL_COUNT, START
from seq2seq.text.batches import Ragged


def text_entropy(model: LanguageModel, opening: Opening, texts: Sequence[Generated], temperature: float) -> float:
    """Returns the mean entropy (bits per symbol) of texts that a language model wrote after an opening."""
    ids = Ragged([text.token_ids for text in texts])
    logits, state = model.read(opening.ids)
    each = np.zeros(len(texts), np.int64)
    bits = entropies(
        model.runtime,
        logits[each],
        select_rows(state, each),
        ids.padded(np.arange(len(texts))),
        temperature,
        first_id=SPECIAL_COUNT,
    )
    return mean_over(bits, ids.lengths)


def output_entropy(translator: Translator, outputs: Sequence[Output], temperature: float) -> float:
    """Returns the mean entropy (bits per symbol) of a translator's outputs, END included."""
    encoded = [translator.encode(output.source, "map", output.line, lambda *_: None) for output in outputs]
    targets = Ragged([[*output.token_ids, END] for output in outputs])
    each = np.arange(len(outputs))
    state = translator.writer.start(encoded)
    logits, state = translator.runtime.step(np.full(len(outputs), START, np.int32), state)
    bits = entropies(translator.runtime, logits, state, targets.padded(each), temperature, first_id=END)
    return mean_over(bits, targets.lengths)


def entropies(
    model: StepModel, logits: np.ndarray, state: State, ids: np.ndarray, temperature: float, *, first_id: int
) -> np.ndarray:
    """Computes the entropy of a model's distribution at each symbol of given texts.

    Args:
        model: the step function.
        logits: float (N, V), for the first symbol.
        state: the state of N rows before the first symbol is fed.
        ids: int32 (N, T), the texts.
        temperature: that of the draws; at 0 the entropy is 0.
        first_id: the smallest id that may be emitted, such as END.

    Returns:
        float64 (N, T), bits.

    Source: Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x, section 6.

    """
    found = np.zeros(ids.shape)
    for time in range(ids.shape[1]):
        found[:, time] = entropy(np.asarray(logits)[:, first_id:], temperature)
        if time + 1 < ids.shape[1]:
            logits, state = model.step(ids[:, time].astype(np.int32), state)
    return found


def entropy(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Returns the entropy, float64 (N,), in bits, of softmax(logits / temperature); logits float (N, V)."""
    if not temperature:
        return np.zeros(len(logits))
    tempered = temper(logits, temperature)
    weights = np.exp(tempered)
    total = weights.sum(-1, keepdims=True)
    # 0 times -inf is 0 here: an impossible symbol adds nothing
    terms = np.where(weights > 0, weights * np.where(weights > 0, tempered, 0.0), 0.0)
    return (np.log(total[:, 0]) - terms.sum(-1) / total[:, 0]) / math.log(2)


def mean_over(values: np.ndarray, lengths: np.ndarray) -> float:
    """Averages values float (N, T) over the first symbols of each row; lengths int (N,) are their numbers."""
    real = np.arange(values.shape[1]) < lengths[:, None]
    return float(values[real].mean()) if real.any() else 0.0

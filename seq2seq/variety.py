"""Measures how varied and how repetitive texts are, and how undecided a model was: texts in, numbers out."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from seq2seq.decoding import State, StepModel
from seq2seq.decoding.filters import temper
from seq2seq.texts import TextForm

LOOP_PERIOD = 200  # characters, the longest period that is looked for
GRAM = 8  # characters


def words_of(text: str, form: TextForm) -> list[str]:
    """Cuts text into what a reader takes for words: delimited symbols, else words, punctuation and CJK characters."""
    tokens = form if form.separator else TextForm("word")
    return [token for token in tokens.tokens(text) if not token.isspace()]


def entropies(
    model: StepModel, logits: np.ndarray, state: State, ids: np.ndarray, temperature: float, *, first_id: int
) -> np.ndarray:
    """Computes how undecided a model was at each symbol of given texts.

    Args:
        model: what makes the steps.
        logits: float (N, V), of the first symbol.
        state: of N rows, before the first symbol is fed.
        ids: int32 (N, T): the texts.
        temperature: 0 has no entropy.
        first_id: the smallest that may be emitted, such as END.

    Returns:
        float64 (N, T): bits, of the distribution that a draw at this temperature is from.

    Source: Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x, section 6.

    """
    found = np.zeros(ids.shape)
    for time in range(ids.shape[1]):
        found[:, time] = entropy(np.asarray(logits)[:, first_id:], temperature)
        if time + 1 < ids.shape[1]:
            logits, state = model.step(ids[:, time].astype(np.int32), state)
    return found


def entropy(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Returns float64 (N,), bits, of softmax(logits / temperature), from logits float (N, V) that may be emitted."""
    if not temperature:
        return np.zeros(len(logits))
    tempered = temper(logits, temperature)
    weights = np.exp(tempered)
    total = weights.sum(-1, keepdims=True)
    # 0 times -inf is 0 here: what cannot be drawn adds nothing
    terms = np.where(weights > 0, weights * np.where(weights > 0, tempered, 0.0), 0.0)
    return (np.log(total[:, 0]) - terms.sum(-1) / total[:, 0]) / math.log(2)


def distinct(texts: Iterable[Sequence[str]], size: int) -> float:
    """Returns the share of distinct n-grams among all n-grams of the texts; 0 where there are none.

    Source: Li et al. 2016, arXiv:1510.03055, section 5.
    """
    grams = [tuple(text[start : start + size]) for text in texts for start in range(len(text) - size + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def repeated_share(texts: Iterable[str], size: int = GRAM) -> float:
    """Returns the share of n-grams (characters) that occurred before in the same text."""
    total = fresh = 0
    for text in texts:
        count = max(len(text) - size + 1, 0)
        total += count
        fresh += len({text[start : start + size] for start in range(count)})
    return 1 - fresh / total if total else 0.0


def longest_loop(text: str) -> int:
    """Returns the length of the longest part that is the same characters twice or more in a row; 0 without one.

    A loop of blanks alone does not count.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    longest = 0
    for period in range(1, min(LOOP_PERIOD, len(codes) // 2) + 1):
        differ = np.flatnonzero(np.concatenate([[True], codes[period:] != codes[:-period], [True]]))
        runs = np.diff(differ) - 1
        start, length = int(differ[runs.argmax()]), int(runs.max())
        if length >= period and length + period > longest and text[start : start + period].strip():
            longest = length + period
    return longest


def text_measures(texts: Sequence[str], form: TextForm) -> dict[str, float]:
    """Measures variety and repetition of some texts."""
    words = [words_of(text, form) for text in texts]
    return {
        **{f"distinct_{size}": distinct(words, size) for size in (1, 2, 3, 4)},
        "longest_loop": float(max(map(longest_loop, texts), default=0)),
        f"repeated_{GRAM}_grams": repeated_share(texts),
    }


def unknown_words(texts: Sequence[str], source: Iterable[str], form: TextForm) -> float:
    """Returns the share of words that do not occur in the source, a text in consecutive blocks."""
    written = [word for text in texts for word in words_of(text, form) if any(map(str.isalnum, word))]
    missing = set(written)
    for block in source:
        missing -= set(words_of(block, form))
    return sum(word in missing for word in written) / max(len(written), 1)

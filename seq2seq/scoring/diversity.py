"""Measures the variety and the repetition of texts."""

from collections.abc import Iterable, Sequence

import numpy as np

from seq2seq.text.prose import TextForm

LOOP_PERIOD = 200  # characters, the longest period of a loop
GRAM = 8  # characters


def words_of(text: str, form: TextForm) -> list[str]:
    """Splits text into words: delimited symbols, else words, punctuation marks and CJK characters."""
    tokens = form if form.separator else TextForm("word")
    return [token for token in tokens.tokens(text) if not token.isspace()]


def distinct(texts: Iterable[Sequence[str]], size: int) -> float:
    """Returns the share of distinct n-grams among all n-grams of the texts; 0 if there are none.

    Source: Li et al. 2016, arXiv:1510.03055, section 5.
    """
    grams = [tuple(text[start : start + size]) for text in texts for start in range(len(text) - size + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def repeated_share(texts: Iterable[str], size: int = GRAM) -> float:
    """Returns the share of character n-grams that occur earlier in the same text."""
    total = fresh = 0
    for text in texts:
        count = max(len(text) - size + 1, 0)
        total += count
        fresh += len({text[start : start + size] for start in range(count)})
    return 1 - fresh / total if total else 0.0


def longest_loop(text: str) -> int:
    """Returns the length of the longest part that consists of one string, two or more times in a row; 0 without one.

    Repeated blanks do not count.
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
    """Measures the variety and the repetition of some texts; the values have names."""
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

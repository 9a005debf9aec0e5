"""Finds the parts of an output that are quoted verbatim from the text that the model was trained on."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.scoring.training_data import training_data
from seq2seq.text.prose import TextForm, read_blocks

SPAN = 20  # characters; shorter agreements may be chance
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it modulo 2**64 is one-to-one


def span_hashes(text: str, span: int = SPAN) -> np.ndarray:
    """Returns uint64 (N,): a hash of the `span` characters at each position, N = len(text) - span + 1.

    Source: Karp and Rabin 1987, doi:10.1147/rd.312.0249, modulo 2**64.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    count = max(len(codes) - span + 1, 0)
    hashes = np.zeros(count, np.uint64)
    for place in range(span):
        hashes *= _FACTOR
        hashes += codes[place : place + count] + np.uint64(1)
    return hashes


def quoted_spans(texts: Sequence[str], source: Iterable[str], span: int = SPAN) -> list[list[tuple[int, int]]]:
    """Finds the parts of texts in which all sequences of `span` characters occur in the source.

    Args:
        texts: the outputs.
        source: the training text in consecutive blocks, read once and not kept in memory.
        span: characters.

    Returns:
        For each text the (start, end) of its parts, in order; they neither overlap nor touch.

    """
    hashes = [span_hashes(text, span) for text in texts]
    wanted = np.unique(np.concatenate(hashes)) if hashes else np.zeros(0, np.uint64)
    seen = np.zeros(len(wanted), bool)
    tail = ""
    for block in source:
        seen |= np.isin(wanted, span_hashes(tail + block, span))
        tail = (tail + block)[-(span - 1) :]
    found = wanted[seen]
    return [merged(np.flatnonzero(np.isin(own, found)), span) for own in hashes]


def merged(starts: np.ndarray, span: int) -> list[tuple[int, int]]:
    """Joins spans that overlap or touch; starts, int (N,), are in increasing order."""
    spans: list[tuple[int, int]] = []
    for start in starts.tolist():
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], start + span)
        else:
            spans.append((start, start + span))
    return spans


def quoted_share(texts: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]) -> float:
    """Returns the share of the texts' characters that lie in the spans."""
    inside = sum(end - start for several in spans for start, end in several)
    return inside / max(sum(map(len, texts)), 1)


def marked(text: str, spans: Iterable[tuple[int, int]], before: str, after: str) -> str:
    """Puts `before` and `after` around the spans."""
    parts, place = [], 0
    for start, end in spans:
        parts += [text[place:start], before, text[start:end], after]
        place = end
    return "".join([*parts, text[place:]])


def training_text(bundle: Bundle, data: str | None = None) -> Iterator[str]:
    """Yields the training part of the text that a model was trained on, in blocks.

    Args:
        bundle: a language model, which records the file and its sha256.
        data: a data set's name or a path, instead of the recorded place.

    Raises:
        BundleError: the model does not record its training data.
        DataError: the file is missing, or differs from the recorded one.

    """
    path = training_data(bundle, data).paths["all"]
    form = TextForm.of(bundle.data)
    left = int(bundle.record["trained_on"]["characters"]["train"])
    with path.open("rb") as file:
        for block in read_blocks(file, form, name=str(path), encoding=bundle.data.encoding):
            yield block[:left]
            left -= len(block)
            if left <= 0:
                return

"""Computes the model's cross-entropy on the data for a candidate: given ids and a given form of source rows."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.adoption.conversion import sizes_of, weights_of
from seq2seq.adoption.model_parts import ModelParts
from seq2seq.adoption.numbering_rules import Numbering
from seq2seq.adoption.source_model import padded
from seq2seq.decoding import State, log_softmax
from seq2seq.foreign.arrays import NOTHING
from seq2seq.inference.forcing import forced_log_probs
from seq2seq.inference.numpy_runtime import NumpyTranslator
from seq2seq.special import PAD, SPECIAL_COUNT, UNK
from seq2seq.text.source_layout import SourceForm

Symbols = tuple[list[str], list[str]]  # of source and target
Row = tuple[tuple[int, ...], tuple[int, ...]]  # the original's ids: those that the encoder reads, and START ... END
MOST_REMEMBERED, MOST_BYTES = 32, 2**26  # rows of a batch whose state is remembered, and bytes of all such states
EVEN, FEW = 0.98, 20  # share of even chances' entropy that a model has which was not trained; rows to measure it on
FLOOR = -30.0  # nats; so that one impossible symbol does not decide alone


class Candidate(NamedTuple):
    """A reading of the data that the original may have had, in its own ids."""

    source: Numbering
    target: Numbering
    form: SourceForm

    def encode(self, pair: Symbols) -> Row | None:
        """Turns a pair into ids; None if a symbol has none."""
        source, target = self.source.encode(pair[0]), self.target.encode(pair[1])
        if source is None or target is None or self.target.start is None or self.target.end is None:
            return None
        return tuple(self.form.row(source)), (self.target.start, *target, self.target.end)


class RememberingTranslator:
    """A runtime that remembers the states after the last sources: other targets often follow the same ones."""

    def __init__(self, runtime: NumpyTranslator) -> None:
        self.runtime = runtime
        self.step = runtime.step
        self._states: dict[bytes, State] = {}

    def start(self, source_ids: np.ndarray) -> State:
        """Reads sources int64 (B, S), right-padded."""
        if len(source_ids) > MOST_REMEMBERED:
            return self.runtime.start(source_ids)
        key = source_ids.tobytes() + bytes(str(source_ids.shape), "ascii")
        state = self._states.pop(key, None) or self.runtime.start(source_ids)
        self._states[key] = state
        size = sum(array.nbytes for array in (*state.rows, *state.shared))
        if len(self._states) * size > MOST_BYTES:
            del self._states[next(iter(self._states))]
        return state


class Likelihood:
    """The model on the NumPy runtime, which reads the original's ids; no row is computed twice."""

    def __init__(self, parts: ModelParts) -> None:
        self.parts = parts
        assert parts.source is not None
        config = sizes_of(parts)
        special: list[int | None] = [None] * SPECIAL_COUNT
        count = max(parts.target.size, parts.classes)
        classes = [number if number < parts.classes else None for number in range(count)]
        weights = weights_of(
            parts, config, [*special, *range(parts.source.size)], [*special, *range(count)], [*special, *classes]
        )
        self.runtime = RememberingTranslator(NumpyTranslator(config, weights))
        self._known: dict[Row, float] = {}

    def cross_entropy(self, candidate: Candidate, pairs: Sequence[Symbols]) -> float:
        """Returns mean nats per target symbol, with END; infinity if fewer than half of the pairs can be encoded."""
        rows = [row for pair in pairs if (row := candidate.encode(pair)) is not None and fits(self.parts, row)]
        if len(rows) < 0.5 * len(pairs) or not rows:
            return np.inf
        return -sum(self.log_probs(rows)) / sum(len(target) - 1 for _, target in rows)

    def is_padded_with(self, candidate: Candidate, pairs: Sequence[Symbols], symbol: str) -> bool:
        """Returns whether the model repeats a symbol after END, because its targets were padded with it."""
        number = candidate.target.ids.get(symbol)
        rows = [row for pair in pairs if (row := candidate.encode(pair)) is not None]
        if number is None or not rows:
            return False
        longer = [(source, (*target, number, number, number)) for source, target in rows]
        gained = np.subtract(self.log_probs(longer), self.log_probs(rows))  # nats of the three together
        return bool(np.exp(gained / 3).mean() > 0.8)

    def log_probs(self, rows: Sequence[Row]) -> list[float]:
        """Returns the teacher-forced log-probability (nats) of each row's targets; each symbol's is at least FLOOR."""
        new = [row for row in dict.fromkeys(rows) if row not in self._known]
        if new:
            self._known.update(zip(new, np.maximum(self.forced(new), FLOOR).sum(1).tolist(), strict=True))
        return [self._known[row] for row in rows]

    def forced(self, rows: Sequence[Row]) -> np.ndarray:
        """Returns log-probabilities (nats) of rows' targets, float64 (B, T), 0 after their ends."""
        return forced_log_probs(self.runtime, *self.arrays(rows))

    def entropy(self, candidate: Candidate, pairs: Sequence[Symbols]) -> float:
        """Returns the mean entropy (nats) of the model's predictions along some rows, also if their ids are wrong.

        It is 0 if no pair can be encoded.
        """
        rows = [row for pair in pairs if (row := candidate.encode(pair)) is not None and fits(self.parts, row)][:FEW]
        if not rows:
            return 0.0
        sources, targets = self.arrays(rows)
        state, found = self.runtime.start(sources), []
        for column in targets.T[: min(len(target) for _, target in rows) - 1]:
            logits, state = self.runtime.step(column, state)
            found.append(mean_entropy(logits))
        return float(np.mean(found))

    def arrays(self, rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
        """Returns the sources, int (B, S), and the targets, int (B, T), of rows, right-padded."""
        # ids are moved up behind the special ones; UNK has a row of zeros
        sides = [[[UNK if i == NOTHING else i + SPECIAL_COUNT for i in row[side]] for row in rows] for side in (0, 1)]
        if self.parts.backwards:
            sides[0] = [row[::-1] for row in sides[0]]
        sources, targets = (padded(side, max(map(len, side)), PAD) for side in sides)
        return sources, targets


def mean_entropy(logits: np.ndarray) -> float:
    """Returns the mean entropy (nats) of the distributions with logits float (B, V)."""
    log_probs = log_softmax(logits)
    terms = np.where(np.isfinite(log_probs), np.exp(log_probs) * log_probs, 0.0)
    return float(-terms.sum(-1).mean())


def fits(parts: ModelParts, row: Row) -> bool:
    """Returns whether the model's inputs are long enough for a row, and its tables have its ids."""
    (sources, targets), source, target = row, parts.source, parts.target
    assert source is not None
    return (
        len(sources) <= (source.width or len(sources))
        and len(targets) - 1 <= (target.width or len(targets))
        and max(sources, default=0) < source.size
        and max(targets[:-1]) < target.size
        and max(targets) < parts.classes
    )


def unigram_baseline(symbols: Iterable[str | None]) -> float:
    """Returns the unigram baseline, nats per symbol: the entropy of the symbols' frequencies; None stands for END."""
    counts = np.array(list(Counter(symbols).values()))
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def unlikely(nats: float, what: str, baseline: float, entropy: float, classes: int, *, way_out: str) -> str:
    """Writes the message for a model under which the data is hardly likelier than by the symbols' frequencies.

    Args:
        nats: per symbol, with the likeliest ids.
        what: those ids, in words.
        baseline: the unigram baseline, nats per symbol.
        entropy: nats, of the model's predictions.
        classes: symbols among which the model chooses.
        way_out: how the user names the ids.

    """
    even = math.log(classes)
    got = f"{nats:.2f} nats per symbol with {what} (unigram baseline: {baseline:.2f})"
    if entropy > EVEN * even:
        return (
            f"the model has learnt nothing: all of its {classes} symbols are about as probable everywhere (entropy of "
            f"its predictions {entropy:.2f} nats, of even chances {even:.2f}), and the data has {got}; train it until "
            "its loss is below the baseline"
        )
    return (
        f"the data: expected a numbering under which the model's predictions are likely, got {got}; if it has learnt "
        f"too little, train it longer, else {way_out}"
    )

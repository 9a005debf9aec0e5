"""Judges a numbering by the model itself: nats of each target symbol, teacher-forced on some rows."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.adoption.conversion import sizes_of, weights_of
from seq2seq.adoption.numbering import Numbering
from seq2seq.adoption.original import Original, filled
from seq2seq.adoption.parts import Traced
from seq2seq.forcing import forced_log_probs
from seq2seq.foreign.arrays import NOTHING
from seq2seq.runtimes.numpy_runtime import NumpyTranslator
from seq2seq.source_form import SourceForm
from seq2seq.special import PAD, SPECIAL_COUNT, UNK

Symbols = tuple[list[str], list[str]]  # of source and target


class Guess(NamedTuple):
    """How a translator read its data: with ids of its own."""

    source: Numbering
    target: Numbering
    form: SourceForm


def encoded(guess: Guess, pair: Symbols) -> tuple[list[int], list[int]] | None:
    """Writes a pair as the original was fed: its source's row, and START ... END; None where a symbol has no id."""
    source, target = guess.source.row(pair[0]), guess.target.row(pair[1])
    if source is None or target is None or guess.target.start is None or guess.target.end is None:
        return None
    return guess.form.row(source), [guess.target.start, *target, guess.target.end]


def forced(original: Original, rows: Sequence[tuple[list[int], list[int]]], masked: bool) -> list[np.ndarray]:
    """Computes the log-probability (nats) of each target symbol, END's last, as the original gives it."""
    source_table, target_table = original.traced.source, original.traced.target
    assert source_table is not None
    found: list[np.ndarray] = [np.zeros(0)] * len(rows)
    groups: dict[int, list[int]] = {}
    for number, (source, _) in enumerate(rows):
        groups.setdefault(0 if masked else len(source), []).append(number)
    for members in groups.values():
        sources = [rows[number][0] for number in members]
        targets = [rows[number][1] for number in members]
        width = source_table.width or max(map(len, sources))
        steps = max(map(len, targets)) - 1
        log_probs = original.log_probs(
            filled(sources, width, original.nothing(source_table)),
            filled([row[:-1] for row in targets], steps, original.nothing(target_table)),
        )
        for place, number in enumerate(members):
            wanted = np.array(targets[place][1:])
            found[number] = log_probs[place, np.arange(len(wanted)), wanted]
    return found


class Judge:
    """The traced model in NumPy, on ids of the original: many guesses take little time."""

    def __init__(self, traced: Traced) -> None:
        self.traced = traced
        assert traced.source is not None
        config = sizes_of(traced)
        blank: list[int | None] = [None] * SPECIAL_COUNT
        count = max(traced.target.size, traced.classes)
        symbols = [number if number < traced.classes else None for number in range(count)]
        weights = weights_of(
            traced, config, [*blank, *range(traced.source.size)], [*blank, *range(count)], [*blank, *symbols]
        )
        self.runtime = NumpyTranslator(config, weights)

    def nats(self, guess: Guess, pairs: Sequence[Symbols]) -> float:
        """Mean nats of a target symbol; infinite where a numbering does not serve."""
        rows = [row for pair in pairs if (row := encoded(guess, pair)) is not None and fits(self.traced, row)]
        if len(rows) < 0.5 * len(pairs) or not rows:
            return np.inf
        values = self.forced(rows)
        return float(-np.maximum(values, -30.0).sum() / sum(len(row) - 1 for _, row in rows))

    def goes_on_with(self, guess: Guess, pairs: Sequence[Symbols], symbol: str) -> bool:
        """Says whether the model has learnt to write a symbol again and again after END, to fill rows with it."""
        number = guess.target.ids.get(symbol)
        rows = [row for pair in pairs if (row := encoded(guess, pair)) is not None]
        if number is None or not rows:
            return False
        longer = [(source, [*target, number, number, number]) for source, target in rows]
        gained = self.forced(longer).sum(1) - self.forced(rows).sum(1)  # nats of the three together
        return bool(np.exp(gained / 3).mean() > 0.8)

    def forced(self, rows: Sequence[tuple[list[int], list[int]]]) -> np.ndarray:
        """Log-probabilities of rows of the original's ids, float64 (B, T), 0 after their ends."""
        # every id of the original's is moved up behind our special ones; a row of zeros is that of UNK
        sides = [[[UNK if i == NOTHING else i + SPECIAL_COUNT for i in row[side]] for row in rows] for side in (0, 1)]
        if self.traced.backwards:
            sides[0] = [row[::-1] for row in sides[0]]
        sources, targets = (filled(side, max(map(len, side)), PAD) for side in sides)
        return forced_log_probs(self.runtime, sources, targets)


def fits(traced: Traced, row: tuple[list[int], list[int]]) -> bool:
    """Says whether the model's inputs have room for a row, and its tables for the ids."""
    source, target = traced.source, traced.target
    assert source is not None
    return (
        len(row[0]) <= (source.width or len(row[0]))
        and len(row[1]) - 1 <= (target.width or len(row[1]))
        and max(row[0], default=0) < source.size
        and max(row[1][:-1]) < target.size
        and max(row[1]) < traced.classes
    )


def unigram(pairs: Sequence[Symbols]) -> float:
    """Nats of a target symbol, END included, for one who knows nothing but how frequent each is."""
    counts = Counter(symbol for _, target in pairs for symbol in target)
    counts["END"] += len(pairs)
    shares = np.array(list(counts.values())) / sum(counts.values())
    return float(-(shares * np.log(shares)).sum())

"""The texts a model was trained on, cut into symbols, and the numbering rules that give as many as the model has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from seq2seq.adoption.numbering import Numbering, Reading, Scheme, distinct_counts, rows_that_give
from seq2seq.corpus import Pair
from seq2seq.lines import clean


@dataclass(frozen=True)
class Told:
    """What the user says of the data."""

    separators: tuple[str, str] = ("", "")
    lowercase: bool = False
    rows: int | None = None
    length: int | None = None
    start: str | None = None
    end: str | None = None
    pad: str | None = None


class Option(NamedTuple):
    """A rule that gives as many ids as the model has, and the numbers of first rows that it does so for."""

    scheme: Scheme
    readings: tuple[Reading, Reading]
    low: int
    high: int


class Texts:
    """The pairs of a file, cut into symbols in every way that is asked for."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs
        self._cut: dict[tuple[int, Reading], list[list[str]]] = {}
        self._known: dict[Any, Numbering] = {}

    def cut(self, side: int, reading: Reading) -> list[list[str]]:
        """Cuts one side."""
        if (side, reading) not in self._cut:
            self._cut[side, reading] = [reading(pair[side]) for pair in self.pairs]
        return self._cut[side, reading]

    def numbered(self, source: Option, target: Option, rows: int) -> tuple[Numbering, Numbering]:
        """Numbers both sides of the first rows."""
        other = self._numbered(1, target, rows)
        return (other, other) if target.scheme.shared else (self._numbered(0, source, rows), other)

    def _numbered(self, side: int, option: Option, rows: int) -> Numbering:
        key = side, option.scheme, option.readings, rows
        if key not in self._known:
            own = self.cut(side, option.readings[side])[:rows]
            also = self.cut(0, option.readings[0])[:rows] if option.scheme.shared else []
            self._known[key] = option.scheme.number(own, option.readings[side], also=also)
        return self._known[key]

    def readings(self, told: Told) -> Iterator[tuple[Reading, Reading]]:
        """Ways in which the file may have been read."""
        texts = "".join(text for pair in self.pairs for text in pair)
        for lower in (True,) if told.lowercase else (False, True) if texts.lower() != texts else (False,):
            for tidy in (True,) if clean(texts) == texts else (False, True):
                yield Reading(told.separators[0], lower, tidy), Reading(told.separators[1], lower, tidy)


def options(texts: Texts, told: Told, side: int, sizes: set[int], schemes: Sequence[Scheme]) -> list[Option]:
    """Lists the rules that fit a side's size."""
    found = []
    for readings in texts.readings(told):
        own = texts.cut(side, readings[side])
        together = [one + other for one, other in zip(*(texts.cut(s, readings[s]) for s in (0, 1)), strict=True)]
        tables = {
            shared: (distinct_counts(rows), set().union(*rows)) for shared, rows in ((False, own), (True, together))
        }
        for scheme in schemes:
            counts, known = tables[scheme.shared]
            added = scheme.extra + len(set(scheme.around or ()) - known)
            for size in sorted(sizes):
                span = rows_that_give(counts, size - added)
                if span is None or (told.rows is not None and not span[0] <= told.rows <= span[1]):
                    continue
                low, high = (told.rows, told.rows) if told.rows is not None else span
                found.append(Option(scheme, readings, low, high))
    return found

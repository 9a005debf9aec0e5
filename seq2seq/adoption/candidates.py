"""The inputs of one adoption, its pairs cut into symbols, and the rules that give as many ids as the model has."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seq2seq.adoption.likelihood import Symbols
from seq2seq.adoption.numbering_rules import (
    NO_COUNTS,
    Numbering,
    NumberingRule,
    Segmentation,
    SymbolCounts,
    count_symbols,
    distinct_counts,
    roundest,
    rows_of_size,
)
from seq2seq.adoption.source_model import OriginalModel
from seq2seq.config import DataConfig
from seq2seq.errors import OptionError
from seq2seq.foreign.layout import Data
from seq2seq.foreign.vocabularies import Table
from seq2seq.text.lines import clean
from seq2seq.text.pairs import Pair

Segmentations = tuple[Segmentation, Segmentation]  # of source and target


@dataclass(frozen=True, kw_only=True)
class UserHints:
    """What the user states about the training data; None: adoption finds it out.

    Raises:
        OptionError: a number is below 1.

    """

    separators: tuple[str, str] = ("", "")  # between the symbols of source and target; empty: they are characters
    lowercase: bool = False  # whether the text was lower-cased
    rows: int | None = None  # first rows of the data that the model was trained on
    source_length: int | None = None  # symbols that sources were padded to
    window: int | None = None  # symbols that a language model reads before each prediction
    start: str | None = None  # the symbol that begins rows, or its id
    end: str | None = None  # the symbol that ends rows, or its id
    pad: str | None = None  # the symbol that pads rows, or its id

    def __post_init__(self) -> None:
        for option, value in self.numbers.items():
            if value < 1:
                raise OptionError(f"{option}: expected at least 1, got {value}")

    @property
    def numbers(self) -> dict[str, int]:
        """The numbers that were given, by option."""
        options = {"--rows": self.rows, "--source-length": self.source_length, "--window": self.window}
        return {option: value for option, value in options.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """The inputs of one adoption."""

    original: OriginalModel
    data: Path  # the file that the model was trained on
    folder: Path  # where the model folder is written
    arrays: Data | None  # what the model was fitted to, if the user gave it
    tables: Sequence[Table]  # vocabularies of source and target, if the user gave them
    hints: UserHints
    config: DataConfig  # how the data is read, for the model folder
    record: Mapping[str, Any]  # where the model came from, for config.json
    report: Callable[[str], None]  # called with each line for the user
    progress: Callable[..., None]  # called with the share that is done, and what is being done

    @property
    def origin(self) -> dict[str, Any]:
        """Where the data came from, for config.json, so that other verbs find it."""
        return {
            "name": self.data.stem,
            "origin": "path",
            "paths": {"all": str(self.data.absolute())},
            "sha256": {"all": self.record["data"]["sha256"]},
            "licence": None,
        }


class FittingRule(NamedTuple):
    """A rule that gives as many ids as the model has, if it is applied to the first `low` to `high` rows."""

    rule: NumberingRule
    segmentations: Segmentations
    low: int
    high: int


@dataclass(frozen=True)
class VocabularyPair:
    """Ids of both sides, and the least and the most first rows that the model may have been trained on."""

    source: Numbering
    target: Numbering
    segmentations: Segmentations
    low: int
    high: int

    @property
    def rows(self) -> int:
        """Returns how many first rows the model was probably trained on."""
        return roundest(self.low, self.high)


class Texts:
    """The pairs of a file, cut into symbols; each way of cutting is computed once."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = pairs
        self._cut: dict[tuple[int, Segmentation], list[list[str]]] = {}
        self._numbered: dict[Any, Numbering] = {}
        self._counted: dict[tuple[int, Segmentation, int], SymbolCounts] = {}
        self._sampled: set[int] = set()
        self._order = np.random.default_rng(0).permutation(len(pairs))

    def cut(self, side: int, segmentation: Segmentation) -> list[list[str]]:
        """Cuts one side, 0 the source or 1 the target, into symbols."""
        if (side, segmentation) not in self._cut:
            self._cut[side, segmentation] = [segmentation(pair[side]) for pair in self.pairs]
        return self._cut[side, segmentation]

    def sample(self, segmentations: Segmentations, rows: int, count: int) -> list[Symbols]:
        """Draws at most `count` of the first rows, the same ones at each call."""
        sources, targets = (self.cut(side, segmentations[side]) for side in (0, 1))
        drawn = np.random.default_rng(0).permutation(rows)[:count].tolist()
        self._sampled.update(drawn)
        return [(sources[row], targets[row]) for row in drawn]

    def short_sample(self, segmentations: Segmentations, rows: int, count: int) -> list[Symbols]:
        """Draws at most `count` of the first rows whose targets are of median length or shorter."""
        sources, targets = (self.cut(side, segmentations[side]) for side in (0, 1))
        drawn = self._order[self._order < rows][: 8 * count].tolist()  # nearly the same ones for another number of rows
        median = np.median([len(targets[row]) for row in drawn])
        short = [row for row in drawn if len(targets[row]) <= median][:count]
        self._sampled.update(short)
        return [(sources[row], targets[row]) for row in short]

    def held_back(self, rows: int) -> list[int]:
        """Lists the first rows in random order, those that no sample held first."""
        order = np.random.default_rng(1).permutation(rows).tolist()
        return sorted(order, key=lambda row: row in self._sampled)

    def numbered(self, source: FittingRule, target: FittingRule) -> VocabularyPair:
        """Applies two rules to the first rows that fit both."""
        low, high = max(source.low, target.low), min(source.high, target.high)
        other = self._number(1, target, roundest(low, high))
        one = other if target.rule.shared else self._number(0, source, roundest(low, high))
        return VocabularyPair(one, other, target.segmentations, low, high)

    def _number(self, side: int, fitting: FittingRule, rows: int) -> Numbering:
        key = side, fitting.rule, fitting.segmentations, rows
        if key not in self._numbered:
            own = self._count(side, fitting.segmentations[side], rows)
            also = self._count(0, fitting.segmentations[0], rows).counts if fitting.rule.shared else NO_COUNTS
            self._numbered[key] = fitting.rule.number(own, fitting.segmentations[side], also=also)
        return self._numbered[key]

    def _count(self, side: int, segmentation: Segmentation, rows: int) -> SymbolCounts:
        key = side, segmentation, rows
        if key not in self._counted:
            self._counted[key] = count_symbols(self.cut(side, segmentation)[:rows])
        return self._counted[key]

    def segmentations(self, hints: UserHints) -> Iterator[Segmentations]:
        """Yields the ways in which the file may have been read."""
        texts = "".join(text for pair in self.pairs for text in pair)
        for lower in (True,) if hints.lowercase else (False, True) if texts.lower() != texts else (False,):
            for cleaned in (True,) if clean(texts) == texts else (False, True):
                source, target = (Segmentation(separator, lower, cleaned) for separator in hints.separators)
                yield source, target

    def fitting(
        self, rules: Sequence[NumberingRule], side: int, *, sizes: set[int], hints: UserHints
    ) -> list[FittingRule]:
        """Lists the rules that give one of the sizes for some number of first rows."""
        found = []
        for segmentations in self.segmentations(hints):
            sides = [self.cut(each, segmentations[each]) for each in (0, 1)]
            both = [one + other for one, other in zip(*sides, strict=True)]
            tables = [(distinct_counts(rows), set().union(*rows)) for rows in (sides[side], both)]
            for rule, size in product(rules, sorted(sizes)):
                counts, known = tables[rule.shared]
                added = rule.extra + len(set(rule.around or ()) - known)
                low, high = rows_of_size(counts, size - added)
                if hints.rows is not None:
                    low, high = max(low, hints.rows), min(high, hints.rows)
                if low <= high:
                    found.append(FittingRule(rule, segmentations, low, high))
        return found

"""The usual rules that number symbols: from the texts of one side to the id of each symbol."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from seq2seq.fields import whole_number
from seq2seq.foreign.arrays import NOTHING
from seq2seq.text.lines import clean

PAD, UNK, START, END = "pad", "unk", "start", "end"


@dataclass(frozen=True)
class Numbering:
    """The original's ids of one side's symbols, and its special ids; None: none is known."""

    ids: Mapping[str, int]
    how: str  # where the ids come from, in words
    pad: int | None = None  # NOTHING: padding is a row of zeros
    unk: int | None = None
    start: int | None = None  # NOTHING: a row of zeros
    end: int | None = None

    def encode(self, symbols: Sequence[str]) -> list[int] | None:
        """Turns the symbols of a line into ids; None if one of them has no id."""
        found = [self.ids.get(symbol, self.unk) for symbol in symbols]
        return None if any(number is None for number in found) else found  # type: ignore[return-value]

    @cached_property
    def key(self) -> Hashable:
        """Returns a key that is equal for numberings with the same ids."""
        return frozenset(self.ids.items()), self.start, self.end, self.pad, self.unk


@dataclass(frozen=True)
class Segmentation:
    """How a line is cut into symbols."""

    separator: str = ""  # empty: symbols are characters
    lowercase: bool = False
    clean: bool = True  # whether special spaces and apostrophes become plain ones

    def __call__(self, text: str) -> list[str]:
        """Cuts a line."""
        text = clean(text) if self.clean else text
        text = text.lower() if self.lowercase else text
        return [symbol for symbol in text.split(self.separator) if symbol] if self.separator else list(text)


def id_of(text: str, ids: Mapping[str, int]) -> int | None:
    """Reads an id that the user gave as a symbol or as a whole number from 0; None for any other text."""
    number = ids.get(text, whole_number(text))
    return number if number is not None and number >= 0 else None


Counts = Mapping[str, int]  # of symbols, in the order in which they first appear
NO_COUNTS: Counts = MappingProxyType({})


class SymbolCounts(NamedTuple):
    """How often each symbol stands in some rows."""

    rows: int
    first: Sequence[str]  # the first row's symbols
    counts: Counts


def count_symbols(rows: Sequence[Sequence[str]]) -> SymbolCounts:
    """Counts the symbols of at least one row."""
    return SymbolCounts(len(rows), rows[0], Counter(chain.from_iterable(rows)))


def by_code(counts: Counts) -> list[str]:
    """Sorts the symbols as `sorted(set(...))` does."""
    return sorted(counts)


def by_frequency(counts: Counts) -> list[str]:
    """Sorts by frequency, ties by first appearance, as Keras's Tokenizer and Counter do."""
    return sorted(counts, key=lambda symbol: -counts[symbol])


def by_frequency_and_code(counts: Counts) -> list[str]:
    """Sorts by frequency, ties from the last by code point, as Keras's TextVectorization does."""
    return sorted(counts, key=lambda symbol: (counts[symbol], symbol.encode()), reverse=True)


ORDERS: dict[str, Callable[[Counts], list[str]]] = {
    "sorted": by_code,
    "in order of appearance": list,
    "by frequency": by_frequency,
    "by frequency as TextVectorization does": by_frequency_and_code,
}
# special ids that stand before those of the symbols
HEADS: tuple[tuple[str, ...], ...] = (
    (), (PAD,), (PAD, START, END), (PAD, UNK), (PAD, START, END, UNK), (PAD, UNK, START, END), (START, END),
    (UNK,), (PAD, START), (PAD, END), (START, END, PAD), (START, END, UNK), (UNK, START, END), (START, END, PAD, UNK),
)  # fmt: skip
AROUND_HEADS: tuple[tuple[str, ...], ...] = ((), (PAD,), (PAD, UNK), (UNK,))  # START and END are symbols there
TAILS: tuple[tuple[str, ...], ...] = ((START, END), (START, END, PAD), (PAD, START, END), (PAD,))
# usual START and END in lines of characters, and in lines of words
CHARACTERS = (("\t", "\n"), ("\n", "\n"), ("\t", "\t"), ("^", "$"), ("<", ">"), ("[", "]"), ("{", "}"), ("@", "$"))
WORDS = (
    ("<start>", "<end>"), ("<s>", "</s>"), ("[start]", "[end]"), ("<sos>", "<eos>"), ("start_", "_end"),
    ("START_", "_END"), ("startseq", "endseq"), ("sostok", "eostok"), ("<START>", "<END>"), ("<SOS>", "<EOS>"),
    ("<BOS>", "<EOS>"), ("<bos>", "<eos>"), ("start", "end"), ("sos", "eos"), ("bos", "eos"), ("\t", "\n"),
)  # fmt: skip
NAMES = {
    PAD: {"", "<pad>", "[pad]", "<PAD>", "[PAD]", "PAD", "_PAD", "<blank>"},
    UNK: {"<unk>", "[unk]", "<UNK>", "[UNK]", "UNK", "<oov>", "<OOV>", "OOV", "_UNK"},
    START: {start for start, _ in (*WORDS, *CHARACTERS[:1])}
    | {"[START]", "[BOS]", "[CLS]", "GO", "<GO>", "<go>", "SOS"},
    END: {end for _, end in (*WORDS, *CHARACTERS[:1])} | {"[END]", "[EOS]", "[SEP]", "EOS"},
}


@dataclass(frozen=True)
class NumberingRule:
    """One usual rule, with the ids that it gives to START, END and padding."""

    order: str
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    around: tuple[str, str] | None = None  # START and END, where they are symbols of the data
    shared: bool = False  # whether both sides have one vocabulary

    @property
    def extra(self) -> int:
        """Returns how many special ids stand before and after the symbols."""
        return len(self.head) + len(self.tail)

    def number(self, own: SymbolCounts, segmentation: Segmentation, *, also: Counts = NO_COUNTS) -> Numbering:
        """Gives ids to the symbols of rows.

        Args:
            own: symbols of one side, without START and END, which are added if `around` has them.
            segmentation: how the rows were cut, for the description.
            also: symbols of the source, if the vocabulary is shared; it has no START and END.

        """
        counts = Counter(also)
        if self.around is not None:
            start, end = self.around
            counts[start] += own.rows
            for symbol in own.first:
                counts[symbol] += 0
            counts[end] += own.rows
        counts.update(own.counts)
        symbols = ORDERS[self.order](counts)
        ids = {symbol: number for number, symbol in enumerate(symbols, len(self.head))}
        special = {name: number for number, name in enumerate(self.head)}
        special |= {name: number for number, name in enumerate(self.tail, len(self.head) + len(symbols))}
        if self.around is not None:
            special |= {name: ids[symbol] for name, symbol in zip((START, END), self.around, strict=True)}
            for symbol in set(self.around):
                if symbol not in own.counts and symbol not in also:
                    del ids[symbol]
        how = self.describe(len(symbols), segmentation)
        return Numbering(ids, how, *(special.get(name) for name in (PAD, UNK, START, END)))

    def describe(self, count: int, segmentation: Segmentation) -> str:
        """Returns the rule in words; `count` is the number of symbols."""
        case = " of lower-cased text" if segmentation.lowercase else ""
        what = f"{count} symbols{case} {self.order} from {len(self.head)}"
        if self.head:
            what += f", after {', '.join(name.upper() for name in self.head)}"
        if self.tail:
            what += f", then {', '.join(name.upper() for name in self.tail)}"
        if self.around is not None:
            what += f", START {self.around[0]!r} and END {self.around[1]!r} among them"
        return what + (", one numbering for source and target" if self.shared else "")


def source_rules(separator: str) -> Iterator[NumberingRule]:
    """Yields rules for a source with a vocabulary of its own."""
    for order in ORDERS:
        for head in HEADS:
            yield NumberingRule(order, head)
        for tail in TAILS:
            yield NumberingRule(order, (), tail)
        for around in WORDS if separator else CHARACTERS:
            for head in AROUND_HEADS[:3]:
                yield NumberingRule(order, head, around=around)


def target_rules(separator: str, start: str | None, end: str | None) -> Iterator[NumberingRule]:
    """Yields rules for a target, which has START and END."""
    pairs = [(start or first, end or last) for first, last in (WORDS if separator else CHARACTERS)]
    for shared in (False, True):
        for order in ORDERS:
            for around in dict.fromkeys(pairs):
                for head in AROUND_HEADS:
                    yield NumberingRule(order, head, around=around, shared=shared)
            if start is None and end is None:
                for head in HEADS:
                    if START in head and END in head:
                        yield NumberingRule(order, head, shared=shared)
                for tail in TAILS:
                    if START in tail:
                        yield NumberingRule(order, (), tail, shared=shared)
                        without = tuple(name for name in tail if name != PAD)
                        yield NumberingRule(order, (PAD,), without, shared=shared)


def distinct_counts(rows: Sequence[Sequence[str]]) -> np.ndarray:
    """Returns how many different symbols the first 1, 2, ... rows hold, int (N,)."""
    seen: set[str] = set()
    counts = np.zeros(len(rows), np.int64)
    for number, row in enumerate(rows):
        seen.update(row)
        counts[number] = len(seen)
    return counts


def rows_of_size(counts: np.ndarray, size: int) -> tuple[int, int]:
    """Returns the least and the most first rows with `size` different symbols; the least is the larger if none do."""
    first, last = np.searchsorted(counts, size, "left"), np.searchsorted(counts, size, "right")
    return int(first) + 1, int(last)


def roundest(low: int, high: int) -> int:
    """Returns the roundest number of a range: the one with the fewest digits that are not zero."""
    for zeros in range(len(str(high)), -1, -1):
        step = 10**zeros
        if (candidate := high // step * step) >= max(low, 1):
            return candidate
    return high


def shown(value: int | None) -> str:
    """Returns an id in words."""
    return "a row of zeros" if value == NOTHING else "none" if value is None else f"id {value}"

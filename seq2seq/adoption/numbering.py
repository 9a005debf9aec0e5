"""How a model numbered its symbols: the rules that people use, each giving a numbering of a side's texts."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from seq2seq.foreign.arrays import NOTHING
from seq2seq.lines import clean

PAD, UNK, START, END = "pad", "unk", "start", "end"
LARGEST_SHOWN = 3


@dataclass(frozen=True)
class Numbering:
    """The original's ids of one side's symbols and of what surrounds them."""

    ids: Mapping[str, int]
    how: str  # in words
    pad: int | None = None  # what fills rows, NOTHING: rows of zeros; None: nothing is known to
    unk: int | None = None
    start: int | None = None  # before the symbols; NOTHING: a row of zeros
    end: int | None = None

    def row(self, symbols: Sequence[str]) -> list[int] | None:
        """Numbers the symbols of a line; None where one has no number."""
        found = [self.ids.get(symbol, self.unk) for symbol in symbols]
        return None if any(number is None for number in found) else found  # type: ignore[return-value]

    @property
    def taken(self) -> set[int]:
        """Ids that symbols have."""
        return set(self.ids.values())


@dataclass(frozen=True)
class Reading:
    """How a line is cut into symbols."""

    separator: str = ""
    lower: bool = False
    tidy: bool = True  # whether special spaces and apostrophes are made plain

    def __call__(self, text: str) -> list[str]:
        """Cuts a line."""
        text = clean(text) if self.tidy else text
        text = text.lower() if self.lower else text
        return [symbol for symbol in text.split(self.separator) if symbol] if self.separator else list(text)

    def words(self) -> str:
        """Says what is particular about it."""
        return " of lower-cased text" if self.lower else ""


def by_code(rows: Iterable[Sequence[str]]) -> list[str]:
    """Sorts the symbols as sorted(set(...)) does."""
    return sorted(set(chain.from_iterable(rows)))


def by_appearance(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lists the symbols as they first appear."""
    return list(dict.fromkeys(chain.from_iterable(rows)))


def by_frequency(rows: Iterable[Sequence[str]]) -> list[str]:
    """Sorts by frequency, ties by first appearance, as Keras's Tokenizer and Counter do."""
    return [symbol for symbol, _ in Counter(chain.from_iterable(rows)).most_common()]


def by_frequency_and_code(rows: Iterable[Sequence[str]]) -> list[str]:
    """Sorts by frequency, ties from the last by code point, as Keras's TextVectorization does."""
    counts = Counter(chain.from_iterable(rows))
    return sorted(counts, key=lambda symbol: (counts[symbol], symbol.encode()), reverse=True)


ORDERS: dict[str, Callable[[Iterable[Sequence[str]]], list[str]]] = {
    "sorted": by_code,
    "in order of appearance": by_appearance,
    "by frequency": by_frequency,
    "by frequency as TextVectorization does": by_frequency_and_code,
}
# what stands before the symbols
HEADS: tuple[tuple[str, ...], ...] = (
    (), (PAD,), (PAD, START, END), (PAD, UNK), (PAD, START, END, UNK), (PAD, UNK, START, END), (START, END),
    (UNK,), (PAD, START), (PAD, END), (START, END, PAD), (START, END, UNK), (UNK, START, END), (START, END, PAD, UNK),
)  # fmt: skip
AROUND_HEADS: tuple[tuple[str, ...], ...] = ((), (PAD,), (PAD, UNK), (UNK,))  # START and END are symbols there
TAILS: tuple[tuple[str, ...], ...] = ((START, END), (START, END, PAD), (PAD, START, END), (PAD,))
# symbols that people put around lines of the data
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
class Scheme:
    """One rule, with what it knows of START, END and padding."""

    order: str
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    around: tuple[str, str] | None = None  # symbols that the data's lines were put between
    shared: bool = False  # whether both sides have one vocabulary

    @property
    def extra(self) -> int:
        """How many ids are no symbols."""
        return len(self.head) + len(self.tail)

    def number(self, rows: Sequence[Sequence[str]], reading: Reading, also: Sequence[Sequence[str]] = ()) -> Numbering:
        """Numbers the symbols of rows, which are not yet put between START and END, and of others that never are."""
        given: Iterable[Sequence[str]] = rows
        if self.around is not None:
            first, last = self.around
            given = ([first, *row, last] for row in rows)
        given = chain(also, given)
        symbols = ORDERS[self.order](given)
        ids = {symbol: number for number, symbol in enumerate(symbols, len(self.head))}
        names = {name: number for number, name in enumerate(self.head)}
        names |= {name: number for number, name in enumerate(self.tail, len(self.head) + len(symbols))}
        start, end = names.get(START), names.get(END)
        if self.around is not None:
            start, end = ids[self.around[0]], ids[self.around[1]]
            for name in set(self.around):
                if not any(name in row for row in chain(rows, also)):
                    del ids[name]
        pad = names.get(PAD)
        return Numbering(ids, self.words(len(symbols), reading), pad, names.get(UNK), start, end)

    def words(self, count: int, reading: Reading) -> str:
        """Says what the rule is."""
        what = f"{count} symbols{reading.words()} {self.order} from {len(self.head)}"
        if self.head:
            what += f", after {', '.join(name.upper() for name in self.head)}"
        if self.tail:
            what += f", then {', '.join(name.upper() for name in self.tail)}"
        if self.around is not None:
            what += f", START {self.around[0]!r} and END {self.around[1]!r} among them"
        return what + (", one numbering for source and target" if self.shared else "")


def source_schemes(separator: str) -> Iterator[Scheme]:
    """Rules for a source with a vocabulary of its own."""
    for order in ORDERS:
        for head in HEADS:
            yield Scheme(order, head)
        for tail in TAILS:
            yield Scheme(order, (), tail)
        for around in WORDS if separator else CHARACTERS:
            for head in AROUND_HEADS[:3]:
                yield Scheme(order, head, around=around)


def target_schemes(separator: str, start: str | None, end: str | None) -> Iterator[Scheme]:
    """Rules for a target, which must know START and END."""
    pairs = [
        (start or first, end or last)
        for first, last in (WORDS if separator else CHARACTERS)
    ]  # fmt: skip
    for shared in (False, True):
        for order in ORDERS:
            for around in dict.fromkeys(pairs):
                for head in AROUND_HEADS:
                    yield Scheme(order, head, around=around, shared=shared)
            if start is None and end is None:
                for head in HEADS:
                    if START in head and END in head:
                        yield Scheme(order, head, shared=shared)
                for tail in TAILS:
                    if START in tail:
                        yield Scheme(order, (), tail, shared=shared)
                        yield Scheme(order, (PAD,), tuple(name for name in tail if name != PAD), shared=shared)


def distinct_counts(rows: Sequence[Sequence[str]]) -> np.ndarray:
    """How many different symbols the first 1, 2, ... rows hold, int (N,)."""
    seen: set[str] = set()
    counts = np.zeros(len(rows), np.int64)
    for number, row in enumerate(rows):
        seen.update(row)
        counts[number] = len(seen)
    return counts


def rows_that_give(counts: np.ndarray, size: int) -> tuple[int, int] | None:
    """Of which numbers of first rows the set has this size: the least and the most."""
    first, last = np.searchsorted(counts, size, "left"), np.searchsorted(counts, size, "right")
    return (int(first) + 1, int(last)) if first < last else None


def roundest(low: int, high: int) -> int:
    """The number of a range that a person would write: the one with the fewest digits that are not zero."""
    for zeros in range(len(str(high)), -1, -1):
        step = 10**zeros
        if (candidate := high // step * step) >= max(low, 1):
            return candidate
    return high


def shown(value: int | None) -> str:
    """Writes an id."""
    return "a row of zeros" if value == NOTHING else "none" if value is None else f"id {value}"

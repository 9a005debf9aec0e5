"""Infers from the ids where the padding of an array is, and which symbols begin and end its rows."""

from dataclasses import dataclass, replace

import numpy as np

from seq2seq.foreign.arrays import NOTHING, VECTORS, Sequences

COMMON = 0.98  # share of rows above which a first or last symbol is START or END


@dataclass(frozen=True)
class Side:
    """Sequences and their padding."""

    sequences: Sequences
    pad: int | None  # NOTHING: rows of zeros; None: no padding
    real: np.ndarray  # bool (N, T), False on the padding

    @property
    def ids(self) -> np.ndarray:
        """The ids, int32 (N, T)."""
        return self.sequences.ids

    @property
    def name(self) -> str:
        """The name of the array."""
        return self.sequences.name

    def taken(self, rows: np.ndarray) -> "Side":
        """The rows at positions int (M,) alone."""
        sequences = self.sequences
        raw, ids = sequences.raw[sequences.rows[rows]], sequences.ids[rows]
        return Side(replace(sequences, raw=raw, rows=np.arange(len(rows)), ids=ids), self.pad, self.real[rows])

    def lengths(self) -> np.ndarray:
        """The number of real symbols of each row, int (N,)."""
        return self.real.sum(1)

    def first(self) -> np.ndarray:
        """The first real id of each row, int (N,)."""
        return self.ids[np.arange(len(self.ids)), self.real.argmax(1)]

    def last(self) -> np.ndarray:
        """The last real id of each row, int (N,)."""
        width = self.ids.shape[1]
        return self.ids[np.arange(len(self.ids)), width - 1 - self.real[:, ::-1].argmax(1)]


def with_padding(sequences: Sequences, pad: int | None) -> Side:
    """Marks the padding of an array; `pad` None: there is no padding."""
    ids = sequences.ids
    if pad is None or sequences.kind == VECTORS or sequences.single:
        return Side(sequences, None, np.ones(ids.shape, bool))
    at_end, at_front = run_at_end(ids == pad), run_at_end((ids == pad)[:, ::-1])
    width = ids.shape[1]
    time = np.arange(width)
    tail = time >= width - at_end[:, None]
    head = time < at_front[:, None]
    in_front = at_front.sum() > at_end.sum() and len(np.unique(at_front)) > 1  # one in each row may be START
    return Side(sequences, pad, ~(head if in_front else tail))


def run_at_end(flags: np.ndarray) -> np.ndarray:
    """Counts the True values that end each row of bool (N, T); returns int (N,)."""
    return np.where(flags.all(1), flags.shape[1], (~flags[:, ::-1]).argmax(1))


def infer_pad(ids: np.ndarray) -> int | None:
    """Infers the symbol that pads rows, at their end or their front; None if no symbol does.

    A symbol that also occurs inside rows, such as a space, must end many rows in runs. A symbol that occurs nowhere
    else need not.
    """
    if ids.shape[1] < 2:
        return None
    nothing = ids == NOTHING
    # if each row has the same number, they are a first or last step, not padding
    if any(len(np.unique(run_at_end(flags))) > 1 for flags in (nothing, nothing[:, ::-1])):
        return NOTHING
    best: tuple[float, int] | None = None
    for view in (ids, ids[:, :-1], ids[:, ::-1]):  # a last column that np.roll wrapped hides the padding before it
        values, counts = np.unique(view[:, -1], return_counts=True)
        likely = values[np.argsort(-counts)][:4].tolist()
        for pad in [*likely, *([0] if 0 in values and 0 not in likely else [])]:  # even if few rows are short
            runs = run_at_end(view == pad)
            partial = runs < view.shape[1]
            if not partial.any() or (len(np.unique(runs[partial])) < 2 and runs.max() < 2):
                continue
            inside = int((view == pad).sum() - runs.sum())
            long = float((runs[partial] >= 2).mean())
            if (not inside and long > 0) or (long >= 0.2 and runs[partial].mean() >= 1):
                score = float(runs[partial].mean())
                if best is None or score > best[0] * 1.5:
                    best = (score, int(pad))
        if best is not None and view is not ids:
            break
    return best[1] if best else None


def infer_start(inputs: Side) -> int | None:
    """Infers START: the first symbol of nearly all rows, or of most rows if it occurs nowhere else."""
    for firsts in (inputs.ids[:, 0], inputs.first()):
        symbol, share = commonest(firsts)
        if share >= COMMON:
            return symbol
        others = firsts != symbol
        inside = (inputs.ids == symbol).sum() - (firsts == symbol).sum()
        if share >= 0.5 and inside <= 0.01 * (firsts == symbol).sum() and not elsewhere_first(inputs, firsts, others):
            return symbol
    return None


def elsewhere_first(inputs: Side, firsts: np.ndarray, others: np.ndarray) -> bool:
    """Returns whether rows that begin with another symbol begin with one that occurs at no later position."""
    inside = set(np.unique(inputs.ids[:, 1:]).tolist())
    return bool(np.mean([first not in inside for first in firsts[others].tolist()]) > 0.5)


def infer_end(targets: Side, start: int | None) -> int | None:
    """Infers END: the last symbol of the rows that are padded, or of most rows if it occurs nowhere else."""
    if targets.pad is not None and (targets.ids[:, -2:-1] == targets.pad).mean() > 0.2 and targets.real.all():
        # a symbol follows the padding: np.roll wrapped it around
        ids = targets.ids[:, :-1]
        tail = run_at_end(ids == targets.pad)[:, None]
        kept = np.arange(ids.shape[1]) < ids.shape[1] - tail
        targets = Side(replace(targets.sequences, ids=ids), targets.pad, kept)
    lasts, width = targets.last(), targets.ids.shape[1]
    filled = targets.real.any(1)
    short = filled & (targets.lengths() < width)
    if short.sum() >= 5:
        symbol, share = commonest(lasts[short])
        if share >= COMMON and symbol != targets.pad:
            return symbol
    symbol, share = commonest(lasts[filled]) if filled.any() else (NOTHING, 0.0)
    if symbol in (NOTHING, targets.pad):
        return None
    ended = lasts == symbol
    inside = (targets.ids == symbol)[targets.real].sum() - ended.sum()
    if share < 0.5 and not (symbol == start and share > 0.2):
        return None
    if inside > 0.02 * ended.sum() and symbol != start:
        return None
    # rows without END must end with symbols that precede it elsewhere: else it is punctuation
    others = lasts[filled & ~ended].tolist()
    if others and targets.ids.shape[1] > 1:
        before = set(before_last(targets, ended).tolist())
        inner = set(np.unique(targets.ids[:, :-1][targets.real[:, 1:]]).tolist())
        if np.mean([last in before or last in inner for last in others]) < 0.7:
            return None
    return symbol


def before_last(side: Side, rows: np.ndarray) -> np.ndarray:
    """The ids before the last real id of some rows."""
    ends = side.ids.shape[1] - 1 - side.real[:, ::-1].argmax(1)
    return side.ids[np.flatnonzero(rows), np.maximum(ends[rows] - 1, 0)]


def commonest(values: np.ndarray) -> tuple[int, float]:
    """The most frequent value and its share."""
    found, counts = np.unique(values, return_counts=True)
    return int(found[counts.argmax()]), float(counts.max() / len(values))

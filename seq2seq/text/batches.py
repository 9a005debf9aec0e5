"""Turns rows of token ids into padded batches, and target rows into the arrays of teacher forcing."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.errors import DataError
from seq2seq.special import END, PAD, START

FEWEST_ROWS = 16  # least rows of a batch when lines are divided to bound the memory
# least rows of a batch when lines are divided among cores: with fewer, two threads wait longer for the interpreter's
# lock than they save (32 rows in one batch took 37 ms, in two batches on two cores 47 ms; 64 rows 71 and 55 ms)
SHARED_ROWS = 32
# most bytes that a step reads of a batch's sources and takes for several hypotheses; long lines and wide beams reach it
MEMORY_BYTES = 64 << 20


class TeacherForced(NamedTuple):
    """Decoder arrays of one batch."""

    inputs: np.ndarray  # int32 (B, T), START first
    targets: np.ndarray  # int32 (B, T), one step ahead of `inputs`
    weights: np.ndarray  # float32 (B, T), the row's weight where a target counts, 0 on padding


class Batch(NamedTuple):
    """One training batch."""

    source_ids: np.ndarray  # int32 (B, S), each row's symbols and END, right-padded
    target_ids: np.ndarray  # int32 (B, T + 1), START ... END, right-padded
    weights: np.ndarray  # float32 (B,), the weight of each row
    tag_ids: list[np.ndarray]  # int32 (B, F), one array where tags are apart from the source, else none


def shift(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Splits rows of ids into the decoder's inputs and its targets, which are one step ahead.

    Args:
        ids: int (B, T + 1).

    Returns:
        Inputs, int (B, T), and targets, int (B, T).

    """
    return ids[:, :-1], ids[:, 1:]


def teacher_force(target_ids: np.ndarray, row_weights: np.ndarray | None = None) -> TeacherForced:
    """Shifts START ... END rows so that step t sees symbol t and predicts symbol t + 1.

    Args:
        target_ids: int32 (B, T + 1), right-padded with PAD.
        row_weights: float32 (B,), how much each row's targets count; None: 1.

    Raises:
        DataError: a row does not begin with START.

    Source: Williams and Zipser 1989, doi:10.1162/neco.1989.1.2.270.

    """
    wrong = np.flatnonzero(target_ids[:, 0] != START)
    if wrong.size:
        raise DataError(
            f"row {wrong[0]}: expected START ({START}) first, got id {int(target_ids[wrong[0], 0])}; "
            "put START before and END after the ids of every target"
        )
    inputs, targets = shift(target_ids)
    weights = (targets != PAD).astype(np.float32)
    return TeacherForced(inputs, targets, weights if row_weights is None else weights * row_weights[:, None])


class Ragged:
    """Rows of ids of different lengths in one flat array: 4 bytes per id, however long the longest row is."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.lengths = np.array([len(row) for row in rows], np.int64)
        self.starts = self.lengths.cumsum() - self.lengths
        self.flat = np.fromiter(itertools.chain.from_iterable(rows), np.int32)

    def __len__(self) -> int:
        return len(self.lengths)

    def rows(self) -> list[list[int]]:
        """Returns all rows as lists."""
        ends = (self.starts + self.lengths).tolist()
        return [self.flat[start:end].tolist() for start, end in zip(self.starts.tolist(), ends, strict=True)]

    def padded(self, rows: np.ndarray, *, left: bool = False) -> np.ndarray:
        """Returns int32 (R, L): the rows of the given numbers, int (R,), padded with PAD to the longest."""
        lengths = self.lengths[rows]
        if len(rows) == 1:
            start = int(self.starts[rows[0]])
            return self.flat[None, start : start + int(lengths[0])]
        steps = np.arange(int(lengths.max(initial=0))) - (lengths.max(initial=0) - lengths[:, None] if left else 0)
        real = (steps >= 0) & (steps < lengths[:, None])
        places = np.where(real, self.starts[rows][:, None] + steps, 0)
        return np.where(real, self.flat[places] if self.flat.size else 0, PAD).astype(np.int32)


def padded(rows: Sequence[Sequence[int]], chosen: Sequence[int] | np.ndarray) -> np.ndarray:
    """Pads the rows with the numbers `chosen`, int (B,), with PAD on the right; returns int32 (B, S)."""
    return Ragged([rows[index] for index in chosen]).padded(np.arange(len(chosen)))


class EncodedPairs(NamedTuple):
    """A part of a corpus as ids."""

    sources: Ragged  # symbols and END
    targets: Ragged  # START, symbols or edit actions, END
    weights: np.ndarray  # float32 (R,), the weight of each row
    tags: Ragged | None = None  # of each source, where they are apart from it

    def batch(self, rows: np.ndarray) -> Batch:
        """Returns the rows with the given numbers, int (B,), padded to the longest of them."""
        tag_ids = [] if self.tags is None else [self.tags.padded(rows)]
        return Batch(self.sources.padded(rows), self.targets.padded(rows), self.weights[rows], tag_ids)


def encode_pairs(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], weights: np.ndarray | None = None
) -> EncodedPairs:
    """Adds START and END to rows of symbol ids and packs them; `weights`, float (R,), are 1 unless given."""
    weights = np.ones(len(sources)) if weights is None else weights
    return EncodedPairs(
        Ragged([[*row, END] for row in sources]),
        Ragged([[START, *row, END] for row in targets]),
        weights.astype(np.float32),
    )


def training_weights(counts: Sequence[int]) -> np.ndarray:
    """Returns how much each distinct row counts in training, float64 (R,): 1 + log(count), scaled to a mean of 1.

    The count itself would let one row decide a batch: in 10 000 tokens a comma occurs 900 times, most words once.
    """
    weights = 1 + np.log(np.asarray(counts, np.float64))
    return np.asarray(weights / weights.mean())


def plan_epoch(pairs: EncodedPairs, batch_size: int, generator: np.random.Generator | None) -> list[np.ndarray]:
    """Groups all rows into batches of similar length, in random order.

    Args:
        pairs: the rows.
        batch_size: rows of a batch; the last one may have fewer.
        generator: random numbers for shuffling; None: batches in order of length, for validation.

    Returns:
        Row numbers of each batch; every row occurs once. With a generator, a uniform random number from -1.5 to 1.5
        is added to each length before sorting. So batches differ between epochs, and padding stays below about 10 %.

    """
    lengths = pairs.targets.lengths + 0.01 * pairs.sources.lengths
    if generator is not None:
        lengths = lengths + generator.uniform(-1.5, 1.5, len(lengths))
    order = np.argsort(lengths, kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if generator is not None:
        generator.shuffle(batches)
    return batches


def epoch(pairs: EncodedPairs, batch_size: int, generator: np.random.Generator | None) -> Iterator[Batch]:
    """Yields the batches of one pass over the data."""
    for rows in plan_epoch(pairs, batch_size, generator):
        yield pairs.batch(rows)


def cut_batches(
    order: Sequence[int],
    lengths: Sequence[int],
    *,
    most: int,
    workers: int,
    symbol_bytes: int,
    slots: int = 1,
    slot_bytes: int = 0,
) -> list[np.ndarray]:
    """Cuts lines, sorted by length, into the fewest batches that share the work equally and bound the memory.

    Lines that fit into one batch are divided only where each worker gets enough of them.

    Args:
        order: indices of the lines, longest first.
        lengths: symbols of each, in that order.
        most: the largest number of lines in a batch.
        workers: how many batches are decoded at the same time.
        symbol_bytes: bytes that attention reads in a step for each symbol of each line; 0: no attention.
        slots: hypotheses of each line.
        slot_bytes: bytes that a step takes for each of several hypotheses.

    """
    fewest, shared = max(1, FEWEST_ROWS // slots), max(1, SHARED_ROWS // slots)
    line_bytes = slots * slot_bytes if slots > 1 else 0
    batches: list[np.ndarray] = []
    start = 0
    while start < len(order):
        left = len(order) - start
        size = symbol_bytes * lengths[start] + line_bytes
        largest = min(most, max(fewest, MEMORY_BYTES // size)) if size else most
        sharing = min(workers, max(left // shared, math.ceil(left / largest)))
        rounds = math.ceil(left / (sharing * largest))
        count = math.ceil(left / (sharing * rounds))
        stop = min(len(order), start + sharing * count)
        batches.extend(np.array(order[low : min(low + count, stop)]) for low in range(start, stop, count))
        start = stop
    return batches

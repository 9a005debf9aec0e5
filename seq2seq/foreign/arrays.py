"""Reads arrays of any form as token ids: one-hot vectors, ids of any dtype, or ids that were scaled to magnitudes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from seq2seq.errors import DataError

NOTHING = -1  # the id of a one-hot position that is all zeros
ONE_HOT, IDS, MAGNITUDES, VECTORS = "one-hot", "ids", "magnitudes", "vectors"
MOST_ELEMENTS = 250_000_000  # elements of an array that is read whole; of a larger one only blocks of rows are read
BLOCK = 50  # neighbouring rows per block when an array is too large to be read whole
MOST_LEVELS = 20_000  # most distinct magnitudes that can be ids


@dataclass(frozen=True)
class Sequences:
    """One array, read as sequences of token ids."""

    name: str
    raw: np.ndarray  # all rows, as they were given
    rows: np.ndarray  # int (N,): which rows of `raw` were read
    ids: np.ndarray  # int32 (N, T); NOTHING where a one-hot position is all zeros; empty for VECTORS
    kind: str  # ONE_HOT, IDS, MAGNITUDES or VECTORS
    single: bool = False  # one symbol per row: (N,) or (N, V)

    @property
    def classes(self) -> int:
        """The number of possible ids: the width of one-hot vectors, else the largest id plus one."""
        if self.kind == ONE_HOT:
            return int(self.raw.shape[-1])
        return int(self.ids.max()) + 1 if self.ids.size else 0

    def with_ids(self, ids: np.ndarray) -> np.ndarray:
        """Writes ids, int (B, T), in the form of the given array; NOTHING is allowed for one-hot."""
        if self.kind == ONE_HOT:
            hot = np.zeros((*ids.shape, self.raw.shape[-1]), self.raw.dtype)
            np.put_along_axis(hot, np.maximum(ids, 0)[..., None], (ids != NOTHING)[..., None], -1)
            return hot
        if self.kind == MAGNITUDES:
            levels = self.levels()
            values = levels[np.clip(ids, 0, len(levels) - 1)].astype(self.raw.dtype)
        else:
            values = ids.astype(self.raw.dtype)
        return values[..., None] if self.raw.ndim == 3 else values

    def levels(self) -> np.ndarray:
        """The distinct magnitudes, sorted; the id of a magnitude is its index."""
        return np.unique(self.raw[self.rows])


def read(name: str, array: Any, *, target: bool = False) -> Sequences:
    """Reads an array as ids and infers its form.

    Args:
        name: the name of the array.
        array: (N, T, V) one-hot, (N, T) or (N, T, 1) ids or magnitudes; a target may be (N,) or (N, V).
        target: whether the model predicts this array.

    Raises:
        DataError: no rows, more than three axes, or not numbers.

    """
    raw = np.asarray(array)
    if raw.dtype.kind not in "biuf" and raw.dtype.name != "bfloat16":
        raise DataError(f"array {name!r}: expected numbers, got dtype {raw.dtype}; encode the text as ids first")
    if raw.ndim not in (1, 2, 3) or 0 in raw.shape:
        raise DataError(f"array {name!r}: expected (rows, time), (rows, time, symbols) or (rows,), got {raw.shape}")
    rows = chosen_rows(len(raw), raw.size)
    part = raw[rows] if len(rows) < len(raw) else raw
    if raw.dtype.kind == "f" and not np.isfinite(part.sum(dtype=np.float64)) and not np.isfinite(part).all():
        raise DataError(f"array {name!r}: expected numbers, got NaN or infinity among them")
    if raw.ndim == 1:
        return Sequences(name, raw, rows, as_ids(part)[:, None], IDS, single=True)
    if raw.ndim == 2 and target and raw.shape[1] > 2 and is_one_hot(part, zeros=False):
        return Sequences(name, raw, rows, part.argmax(1).astype(np.int32)[:, None], ONE_HOT, single=True)
    if raw.ndim == 3 and raw.shape[2] > 1:
        if is_one_hot(part, zeros=True) or is_smoothed(part):
            ids = part.argmax(-1).astype(np.int32)
            ids[~part.any(-1)] = NOTHING
            return Sequences(name, raw, rows, ids, ONE_HOT)
        return Sequences(name, raw, rows, np.zeros((len(rows), 0), np.int32), VECTORS)
    flat = part[..., 0] if raw.ndim == 3 else part
    if raw.dtype.kind in "iub" or (flat == np.round(flat)).all():
        return Sequences(name, raw, rows, as_ids(flat), IDS)
    levels, ids = np.unique(flat, return_inverse=True)
    if len(levels) <= MOST_LEVELS and len(levels) * 4 <= flat.size:
        return Sequences(name, raw, rows, ids.reshape(flat.shape).astype(np.int32), MAGNITUDES)
    return Sequences(name, raw, rows, np.zeros((len(rows), 0), np.int32), VECTORS)


def as_ids(array: np.ndarray) -> np.ndarray:
    """Converts numbers to int32; numbers beyond its range become its largest."""
    top = np.iinfo(np.int32).max
    return np.asarray(array if array.dtype.kind == "b" else np.clip(array, -top, top)).astype(np.int32)


def chosen_rows(count: int, elements: int) -> np.ndarray:
    """Chooses the rows to read: all, or blocks spread over the array when there are too many."""
    most = max(BLOCK, int(MOST_ELEMENTS / max(elements / count, 1)))
    if count <= most:
        return np.arange(count)
    starts = np.linspace(0, count - BLOCK, max(1, most // BLOCK)).astype(int)
    return np.unique((starts[:, None] + np.arange(BLOCK)).ravel())


def is_one_hot(array: np.ndarray, *, zeros: bool) -> bool:
    """Returns whether each vector of the last axis has a single 1 (or, with `zeros`, none), in a sample of rows."""
    some = array[:: max(1, len(array) // 500)]
    if not ((some == 0) | (some == 1)).all():
        return False
    sums = some.sum(-1, dtype=np.int64)
    return bool((sums <= 1).all()) if zeros else bool((sums == 1).all())


def is_smoothed(array: np.ndarray) -> bool:
    """Returns whether each vector is a distribution, such as one-hot with label smoothing, or all zeros."""
    some = array[:: max(1, len(array) // 500)]
    sums = some.sum(-1)
    return bool((some >= 0).all() and ((np.abs(sums - 1) < 1e-3) | (sums == 0)).all())

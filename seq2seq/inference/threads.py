"""Distributes independent work over the cores, with one thread for each of NumPy's matrix products.

The products of a decoding step are too small for several threads: OpenBLAS's threads wait for one another, on a busy
machine most of the time. One thread per product and one batch per core is faster.
"""

import contextlib
import ctypes
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")


class BlasThreads(NamedTuple):
    """Reads and sets the number of threads of a matrix product."""

    get: Callable[[], int]
    set: Callable[[int], None]


@functools.cache
def blas_threads() -> BlasThreads | None:
    """Finds the OpenBLAS of NumPy's wheels; None where NumPy uses another library, whose threads do not change."""
    for path in Path(np.__file__).parent.parent.glob("numpy.libs/lib*openblas*"):
        library = ctypes.CDLL(str(path))
        for prefix, suffix in (("scipy_", "64_"), ("", "64_"), ("scipy_", ""), ("", "")):
            names = (f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set"))
            found: list[Any] = [getattr(library, name, None) for name in names]
            if None not in found:
                return BlasThreads(*found)
    return None


class _Limit(contextlib.ContextDecorator):
    """One thread per product: the first block that is entered sets it, the last one that is left restores it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.holders = 0
        self.before = 0

    def __enter__(self) -> None:
        blas = blas_threads()
        with self.lock:
            self.holders += 1
            if blas and self.holders == 1:
                self.before = blas.get()
                blas.set(1)

    def __exit__(self, *_: object) -> None:
        blas = blas_threads()
        with self.lock:
            self.holders -= 1
            if blas and not self.holders:
                blas.set(self.before)


_LIMIT = _Limit()  # one for the whole process


def single_threaded_products() -> _Limit:
    """Limits each of NumPy's matrix products to one thread inside a block or function, in the whole process."""
    return _LIMIT


def single_threaded_steps(steps: Iterator[Item]) -> Iterator[Item]:
    """Yields the items of an iterator; products have one thread only while the iterator computes an item."""
    while True:
        with _LIMIT:
            item = next(steps, None)
        if item is None:
            return
        yield item


def spread(work: Callable[[Item], Result], items: Sequence[Item], *, workers: int) -> list[Result]:
    """Applies `work` to each item, to `workers` items at a time; returns the results in the order of the items."""
    if workers < 2 or len(items) < 2:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor  # takes 10 ms, which a single line should not wait for

    with ThreadPoolExecutor(min(workers, len(items))) as pool:
        return list(pool.map(work, items))

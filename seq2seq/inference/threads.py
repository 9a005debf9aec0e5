"""Spreads independent work over the cores, and keeps NumPy's products from fighting for them.

The products of a decoding step are too small to share: OpenBLAS's threads wait for one another, on a busy machine
for most of the time. One thread a product and one batch a core is faster.
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
    """How the number of threads of a matrix product is read and set."""

    get: Callable[[], int]
    set: Callable[[int], None]


@functools.cache
def blas_threads() -> BlasThreads | None:
    """Finds the OpenBLAS that comes with NumPy's wheels; None for another library, which is then left alone."""
    for path in Path(np.__file__).parent.parent.glob("numpy.libs/lib*openblas*"):
        library = ctypes.CDLL(str(path))
        for prefix, suffix in (("scipy_", "64_"), ("", "64_"), ("scipy_", ""), ("", "")):
            names = (f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set"))
            found: list[Any] = [getattr(library, name, None) for name in names]
            if None not in found:
                return BlasThreads(*found)
    return None


class _Limit:
    """One thread a product for as long as anyone asks: the first sets it, the last restores what was there."""

    def __init__(self, blas: BlasThreads) -> None:
        self.blas = blas
        self.lock = threading.Lock()
        self.holders = 0
        self.before = 0

    def __enter__(self) -> None:
        with self.lock:
            self.holders += 1
            if self.holders == 1:
                self.before = self.blas.get()
                self.blas.set(1)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.holders -= 1
            if not self.holders:
                self.blas.set(self.before)


@functools.cache
def _limit() -> contextlib.AbstractContextManager[None]:
    blas = blas_threads()
    return _Limit(blas) if blas else contextlib.nullcontext()


@contextlib.contextmanager
def single_threaded_products() -> Iterator[None]:
    """Gives each of NumPy's matrix products one thread inside the block, in the whole process."""
    with _limit():
        yield


def single_threaded_steps(steps: Iterator[Item]) -> Iterator[Item]:
    """Yields what an iterator yields; products have one thread while an item is made, and not between two items."""
    limit = _limit()
    while True:
        with limit:
            item = next(steps, None)
        if item is None:
            return
        yield item


def spread(work: Callable[[Item], Result], items: Sequence[Item], *, workers: int) -> list[Result]:
    """Applies `work` to each item, `workers` of them at a time, and returns the results in their order."""
    if workers < 2 or len(items) < 2:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor  # costs a hundredth of a second, which one line need not pay

    with ThreadPoolExecutor(min(workers, len(items))) as pool:
        return list(pool.map(work, items))

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


class _Holders:
    """Counts who asked for one thread; the first sets it, the last restores what was there."""

    lock = threading.Lock()
    count = 0
    before = 0


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


@contextlib.contextmanager
def single_threaded_products() -> Iterator[None]:
    """Gives each of NumPy's matrix products one thread inside the block, in the whole process."""
    blas = blas_threads()
    if blas is None:
        yield
        return
    with _Holders.lock:
        _Holders.count += 1
        if _Holders.count == 1:
            _Holders.before = blas.get()
            blas.set(1)
    try:
        yield
    finally:
        with _Holders.lock:
            _Holders.count -= 1
            if not _Holders.count:
                blas.set(_Holders.before)


def spread(work: Callable[[Item], Result], items: Sequence[Item], *, workers: int) -> list[Result]:
    """Applies `work` to each item, `workers` of them at a time, and returns the results in their order."""
    if workers < 2 or len(items) < 2:
        return [work(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor  # costs a hundredth of a second, which one line need not pay

    with ThreadPoolExecutor(min(workers, len(items))) as pool:
        return list(pool.map(work, items))

"""Counts the cores that training and decoding may use."""

import os

_most: int | None = None


def core_count() -> int:
    """Counts the cores that this process may use."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, _most or available)


def use_cores(most: int) -> None:
    """Lets this process use at most so many cores."""
    global _most
    _most = most

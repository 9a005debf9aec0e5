"""Counts the cores of this machine that a process may use: one rule for training and decoding."""

import os


def core_count() -> int:
    """Counts the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

"""Drops what the native code of libraries prints on stderr, past Python's `sys.stderr`."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def native_stderr_closed() -> Iterator[None]:
    """Drops what native code writes to file descriptor 2; TensorFlow logs there before its settings apply."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # the process has no stderr
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)

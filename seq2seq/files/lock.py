"""The lock on a file or folder."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from seq2seq.errors import Seq2SeqError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextlib.contextmanager
def exclusive_lock(path: Path, refusal: Seq2SeqError) -> Iterator[None]:
    """Locks a file or folder against other processes; the system removes the lock when the process ends.

    Where the system or the file system has no such locks, nothing keeps two processes apart.

    Args:
        path: the file or folder; a file that is absent is created.
        refusal: the error for a lock that another process holds.

    Raises:
        Seq2SeqError: `refusal`.

    """
    if fcntl is None:
        yield
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # a process that has just finished may have renamed what is locked here
            free = path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())
        except BlockingIOError:
            free = False
        except OSError:  # a file system without locks
            free = True
        if not free:
            raise refusal
        yield
    finally:
        os.close(descriptor)

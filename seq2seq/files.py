"""Files that are complete or absent: written under another name, flushed, and renamed; and the lock on a file."""

import contextlib
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from seq2seq.errors import BundleError, Seq2SeqError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PARTIAL = ".partial"


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes a file beside its name, flushes it to disk and renames it."""
    beside = path.with_name(path.name + PARTIAL)
    with beside.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def write_json(path: Path, content: Any) -> None:
    """Writes JSON that a person can read."""
    write_atomically(path, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by name as safetensors; the file gets the user's usual permissions."""
    # safetensors' own save_file makes files that nobody else may read
    write_atomically(path, save({name: np.asarray(array, order="C") for name, array in arrays.items()}))


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads arrays by name.

    Raises:
        BundleError: the file is missing or damaged.

    """
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path}: cannot be read: {error}; train again, or restore the file") from error


def read_json(path: Path) -> Any:
    """Reads JSON.

    Raises:
        BundleError: the file is missing, unreadable or damaged.

    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BundleError(f"{path}: is damaged: {error}; train again, or restore the file") from error


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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


def fresh_name(path: Path) -> Path:
    """Finds a name beside a file or folder that nothing has: NAME.partial, or NAME.2.partial and so on."""
    numbers = itertools.chain([""], (f".{number}" for number in itertools.count(2)))
    names = (path.with_name(f"{path.name}{number}{PARTIAL}") for number in numbers)
    return next(name for name in names if not os.path.lexists(name))


def fresh_folder(path: Path) -> Path:
    """Makes an empty folder beside a name, to be filled and then given that name."""
    beside = fresh_name(path)
    beside.mkdir(parents=True)
    return beside


def replace_folder(beside: Path, path: Path, *, remove: Callable[[Path], None]) -> None:
    """Gives a folder that was written beside its name that name; a folder that has it is first renamed.

    At every moment both are whole, under the name or beside it, until the new one has the name.

    Args:
        beside: the new folder.
        path: the name.
        remove: removes from the old folder what this program wrote; what is left moves into the new one.

    """
    if not path.exists():
        os.replace(beside, path)
        return
    aside = fresh_name(path)
    os.replace(path, aside)
    try:
        os.replace(beside, path)
    except OSError:
        os.replace(aside, path)
        raise
    remove(aside)
    for left in aside.iterdir():
        if not os.path.lexists(path / left.name):
            os.replace(left, path / left.name)
    if not any(aside.iterdir()):
        aside.rmdir()

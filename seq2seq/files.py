"""Files that are complete or absent: written under another name, flushed, and renamed; and the lock on a file."""

import contextlib
import hashlib
import itertools
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from seq2seq.errors import BundleError, OptionError, Seq2SeqError

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PARTIAL = ".partial"


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes a file under a temporary name beside its own, flushes it to disk and renames it."""
    temporary = path.with_name(path.name + PARTIAL)
    with temporary.open("wb") as file:
        try:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        except (OSError, KeyboardInterrupt):  # a full disk needs the room
            temporary.unlink()
            raise
    os.replace(temporary, path)


@contextlib.contextmanager
def written(place: Path, way_out: str) -> Iterator[None]:
    """Names the file or folder that is written in the `with` block, and the way out, where the system refuses.

    Errors about files elsewhere stay what they are.

    Raises:
        BundleError: the system refuses, for example because the disk is full.

    """
    try:
        yield
    except BrokenPipeError:  # the reader of the results has gone: run_verb ends the process
        raise
    except OSError as error:
        if error.filename and place.absolute().parent not in Path(os.fsdecode(error.filename)).absolute().parents:
            raise
        raise BundleError(f"{place}: cannot be written: {error.strerror or error}; {way_out}") from error


def write_json(path: Path, content: Any) -> None:
    """Writes JSON with line breaks, so that people can read it."""
    write_atomically(path, json_text(content))


def json_text(content: Any) -> str:
    """Returns the text that `write_json` writes."""
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes named arrays as safetensors; the file has the user's usual permissions."""
    # files from safetensors' save_file are readable for their owner only
    write_atomically(path, save({name: np.asarray(array, order="C") for name, array in arrays.items()}))


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads named arrays.

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


def check_hash(path: Path, expected: str) -> None:
    """Raises BundleError if a file is missing or does not have the expected SHA-256."""
    if not path.is_file():
        raise BundleError(f"{path}: is missing; train again, or restore the file")
    if sha256_of(path) != expected:
        raise BundleError(
            f"{path}: is not the file that was written (its sha256 differs); train again, or restore the file"
        )


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
    """Returns a name that is free beside a file or folder: NAME.partial, or NAME.2.partial and so on."""
    numbers = itertools.chain([""], (f".{number}" for number in itertools.count(2)))
    names = (path.with_name(f"{path.name}{number}{PARTIAL}") for number in numbers)
    return next(name for name in names if not os.path.lexists(name))


def fresh_folder(path: Path) -> Path:
    """Creates an empty folder under a free name beside `path`; `replace_folder` renames it later."""
    temporary = fresh_name(path)
    temporary.mkdir(parents=True)
    return temporary


def replace_folder(temporary: Path, path: Path, *, remove: Callable[[Path], None]) -> None:
    """Renames a folder to `path`; a folder that has this name is renamed first.

    At every moment until the new folder has the name, both folders are complete under some name.

    Args:
        temporary: the new folder, written beside `path`.
        path: the final name.
        remove: removes this program's files from the old folder; other files move to the new folder.

    """
    if not path.exists():
        os.replace(temporary, path)
        return
    old = fresh_name(path)
    os.replace(path, old)
    try:
        os.replace(temporary, path)
    except OSError:
        os.replace(old, path)
        raise
    remove(old)
    for left in old.iterdir():
        if not os.path.lexists(path / left.name):
            os.replace(left, path / left.name)
    if not any(old.iterdir()):
        old.rmdir()


def check_result_file(path: Path, option: str) -> None:
    """Refuses a file that a verb could not write at its end; `option` is what names it.

    Raises:
        OptionError: it is a folder, its folder does not exist, or nothing may be written there.

    """
    where = f"{option} {path}"
    if not path.name or path.is_dir():
        raise OptionError(f"{where}: expected the name of a file, got {'a folder' if path.name else repr(str(path))}")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OptionError(f"{where}: expected a file in a folder that exists; make the folder first")
    try:
        if is_special(path):
            with path.open("ab"):
                pass
        else:
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        raise OptionError(
            f"{where}: cannot be written: {error.strerror}; change the permissions, or give another {option}"
        ) from error


def write_result(path: Path, content: bytes | str, option: str) -> None:
    """Writes a file that the user named, complete or not at all; a pipe or a device is written to directly.

    Raises:
        OptionError: the system refuses, for example because the disk is full.

    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if is_special(path):
            path.write_bytes(data)
            return
        path = path.resolve()  # a link stays a link
        temporary = fresh_name(path)
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OptionError(
            f"{option} {path}: cannot be written: {error.strerror}; make room or write elsewhere"
        ) from error


def is_special(path: Path) -> bool:
    """Returns whether a name is that of a pipe or a device."""
    return path.exists() and not path.is_file() and not path.is_dir()

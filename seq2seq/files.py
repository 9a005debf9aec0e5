"""Files that are complete or absent: written under another name, flushed, and renamed; and the lock on a file."""

import contextlib
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
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
SMALL_BYTES = 1 << 20  # most bytes of a file of options


def write_atomically(path: Path, content: bytes | str) -> None:
    """Writes a file under a temporary name beside its own, flushes it to disk and renames it; raises as below."""
    write_together(path.parent, {path.name: content})


def write_together(folder: Path, contents: Mapping[str, bytes | str], *, marker: str | None = None) -> None:
    """Writes files under temporary names beside their own, flushes all of them to disk, then renames them in order.

    Where the system refuses before the first rename, as a full disk does, the files are as they were before.

    Args:
        folder: receives the files.
        contents: by name.
        marker: the one that says that the others are whole, which is given last; an older one is removed first.

    Raises:
        OSError: the system refuses; the error names the file.

    """
    temporaries = []
    path = folder
    try:
        for name, content in contents.items():
            path = folder / name
            temporary = path.with_name(name + PARTIAL)
            with temporary.open("wb") as file:
                temporaries.append(temporary)
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
        if marker is not None:
            (folder / marker).unlink(missing_ok=True)
        for name, temporary in zip(contents, temporaries, strict=True):
            path = folder / name
            os.replace(temporary, path)
    except (OSError, KeyboardInterrupt) as error:
        for temporary in temporaries:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = error.filename or str(path)  # of a full disk, the system does not say where
        raise


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
    write_atomically(path, arrays_bytes(arrays))


def arrays_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Returns what `write_arrays` writes."""
    return bytes(save({name: np.asarray(array, order="C") for name, array in arrays.items()}))


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
        return json.loads(path.read_bytes(), parse_constant=refuse_constant)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise BundleError(f"{path}: is damaged: too many nested brackets; train again, or restore the file") from error
    except ValueError as error:
        raise BundleError(f"{path}: is damaged: {error}; train again, or restore the file") from error


def refuse_constant(name: str) -> None:
    """Raises ValueError for NaN and the infinities, which Python reads as numbers and no JSON has."""
    raise ValueError(f"{name} is no number")


def read_small(path: str | Path, option: str, most: int = SMALL_BYTES) -> bytes:
    """Reads a file, pipe or device that a user named; `option` is what names it.

    Raises:
        OptionError: it cannot be read, or has more than `most` bytes.

    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(most + 1)
    except (OSError, ValueError) as error:  # a name with NUL is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise OptionError(f"{option}: cannot be read: {reason}; give another file") from error
    if len(content) > most:
        raise OptionError(f"{option}: expected at most {most} bytes, got more; give another file")
    return content


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_file(folder: Path, name: str, *, largest: int) -> None:
    """Refuses a file before it is read.

    Args:
        folder: where it must be.
        name: its name in the folder.
        largest: its most bytes.

    Raises:
        BundleError: it is missing, no regular file, outside the folder by way of a link, or too large.

    """
    path = folder / name
    try:
        status = path.stat()
    except FileNotFoundError:
        raise BundleError(f"{path}: is missing; train again, or restore the file") from None
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}; restore the file") from error
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{path}: expected a file, got something else; restore the file")
    linked = any((folder / part).is_symlink() for part in (name, *map(str, Path(name).parents)) if part != ".")
    if linked and not path.resolve().is_relative_to(folder.resolve()):
        raise BundleError(f"{path}: leads out of its folder, to {path.resolve()}; put the file itself there")
    if status.st_size > largest:
        raise BundleError(
            f"{path}: has {status.st_size} bytes, expected at most {largest}; train again, or restore the file"
        )


def check_hash(path: Path, expected: str) -> None:
    """Raises BundleError if a file does not have the expected SHA-256."""
    if sha256_of(path) != expected:
        raise changed(path)


def changed(path: Path) -> BundleError:
    """Returns the error for a file that has another hash than the one that was recorded."""
    return BundleError(
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


def is_special(path: Path) -> bool:
    """Returns whether a name is that of a pipe or a device."""
    return path.exists() and not path.is_file() and not path.is_dir()

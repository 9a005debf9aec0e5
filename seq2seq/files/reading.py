"""Reads files and checks them: what they are, their size, their hash."""

import hashlib
import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from seq2seq.errors import BundleError, OptionError

SMALL_BYTES = 1 << 20  # most bytes of a file of options


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


def is_special(path: Path) -> bool:
    """Returns whether a name is that of a pipe or a device."""
    return path.exists() and not path.is_file() and not path.is_dir()

"""Files that are whole or absent: written beside their name, flushed, and renamed."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from seq2seq.errors import BundleError

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


def replace_folder(beside: Path, path: Path) -> None:
    """Gives a folder that was written beside its name that name, in place of one that has it."""
    if path.exists():
        shutil.rmtree(path)
    os.replace(beside, path)

"""Writes files that are complete or absent: under another name, flushed to disk, and renamed."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from seq2seq.errors import BundleError

PARTIAL = ".partial"


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

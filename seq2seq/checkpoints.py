"""An unfinished model folder: what a run needs to go on where it stopped."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from seq2seq.errors import BundleError
from seq2seq.files import PARTIAL, read_json, replace_folder, write_atomically, write_json

CURRENT = "current"
RUN = "run.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come; everything but arrays."""

    epoch: int = 0  # finished epochs
    step: int = 0  # finished steps
    seconds: float = 0.0  # wall clock so far
    best_epoch: int = 0
    best_score: float | None = None
    epochs_without_better: int = 0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)


def save_checkpoint(
    folder: Path, progress: Progress, *, weights: Mapping[str, np.ndarray], state: Mapping[str, np.ndarray]
) -> None:
    """Writes `checkpoint-N`, points `current` at it, and removes what is neither newest nor best.

    Args:
        folder: the run's folder.
        progress: N is its epoch.
        weights: by name.
        state: optimiser slots and dropout's random state, by name.

    """
    name = f"checkpoint-{progress.epoch}"
    beside = folder / (name + PARTIAL)
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    save_file(dict(weights), beside / "weights.safetensors")
    save_file(dict(state), beside / "state.safetensors")
    write_json(beside / "progress.json", dataclasses.asdict(progress))
    replace_folder(beside, folder / name)
    write_atomically(folder / CURRENT, name + "\n")
    keep = {name, f"checkpoint-{progress.best_epoch}"}
    for path in folder.glob("checkpoint-*"):
        if path.name not in keep:
            shutil.rmtree(path)


def current_checkpoint(folder: Path) -> Path | None:
    """Returns the checkpoint a run goes on from; None if it has none.

    Raises:
        BundleError: `current` names a folder that is not there.

    """
    try:
        name = (folder / CURRENT).read_text().strip()
    except FileNotFoundError:
        return None
    if not (folder / name / "progress.json").is_file():
        raise BundleError(f"{folder / CURRENT}: names {name!r}, which is not there; --overwrite starts anew")
    return folder / name


def load_progress(checkpoint: Path) -> Progress:
    """Reads how far a run had come."""
    return Progress(**read_json(checkpoint / "progress.json"))


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads arrays by name.

    Raises:
        BundleError: the file is missing or damaged.

    """
    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path}: cannot be read: {error}; train again, or restore the file") from error


def best_weights(folder: Path, progress: Progress) -> dict[str, np.ndarray]:
    """Reads the weights of the best epoch."""
    return load_arrays(folder / f"checkpoint-{progress.best_epoch}" / "weights.safetensors")


def remove_checkpoints(folder: Path) -> None:
    """Removes what only an unfinished run needs."""
    (folder / CURRENT).unlink(missing_ok=True)
    (folder / RUN).unlink(missing_ok=True)
    for path in folder.glob("checkpoint-*"):
        shutil.rmtree(path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps two runs from writing into one folder.

    Raises:
        BundleError: another process that is alive holds the folder.

    """
    lock = folder / "lock"
    try:
        descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        owner = lock.read_text().strip()
        if owner.isdigit() and process_lives(int(owner)):
            raise BundleError(
                f"{folder}: process {owner} is training into this folder; wait for it, or give another --model"
            ) from None
        lock.unlink(missing_ok=True)
        descriptor = os.open(lock, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    os.close(descriptor)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def process_lives(number: int) -> bool:
    """Tells whether a process with this number exists."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

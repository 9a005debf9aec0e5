"""An unfinished model folder: what a run needs to go on where it stopped."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import numpy as np

from seq2seq.errors import BundleError
from seq2seq.files import PARTIAL, read_arrays, read_json, replace_folder, write_arrays, write_atomically, write_json

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:
    fcntl = None

CURRENT = "current"
RUN = "run.json"
WEIGHTS, STATE = "weights.safetensors", "state.safetensors"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come; everything but arrays."""

    epoch: int = 0  # finished epochs
    step: int = 0  # finished steps
    within: int = 0  # of these, steps of an epoch that is not finished
    nats: float = 0.0  # summed over those
    count: float = 0.0  # symbols of those
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
        progress: N is its epoch, and the steps within the next one.
        weights: by name.
        state: optimiser slots and dropout's random state, by name.

    """
    name = f"checkpoint-{progress.epoch}" + (f"-{progress.within}" if progress.within else "")
    beside = folder / (name + PARTIAL)
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    write_arrays(beside / WEIGHTS, weights)
    write_arrays(beside / STATE, state)
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


def best_weights(folder: Path, progress: Progress) -> dict[str, np.ndarray]:
    """Reads the weights of the best epoch."""
    return read_arrays(folder / f"checkpoint-{progress.best_epoch}" / WEIGHTS)


def remove_checkpoints(folder: Path) -> None:
    """Removes what only an unfinished run needs."""
    (folder / CURRENT).unlink(missing_ok=True)
    (folder / RUN).unlink(missing_ok=True)
    for path in folder.glob("checkpoint-*"):
        shutil.rmtree(path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps two runs from writing into one folder; the lock ends with the process that holds it.

    Raises:
        BundleError: another run holds the folder.

    """
    if fcntl is None:  # Windows: nothing keeps two runs apart
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BundleError(
                f"{folder}: another process is training into this folder; wait for it, or give another --model"
            ) from None
        except OSError:  # a file system that knows no locks
            pass
        yield
    finally:
        os.close(descriptor)

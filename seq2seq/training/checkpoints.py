"""A run's checkpoints: what it needs to go on where it stopped. Only folders of our own are ever removed."""

import dataclasses
import os
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from seq2seq.errors import BundleError
from seq2seq.files import (
    PARTIAL,
    exclusive_lock,
    fresh_folder,
    fresh_name,
    read_arrays,
    read_json,
    replace_folder,
    write_arrays,
    write_atomically,
    write_json,
)
from seq2seq.typed_json import from_json

CURRENT = "current"
WEIGHTS, STATE, PROGRESS = "weights.safetensors", "state.safetensors", "progress.json"
NAME = re.compile(r"checkpoint-(\d+)(-\d+)?")
BESIDE = re.compile(NAME.pattern + r"(\.\d+)?" + re.escape(PARTIAL))


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
    folder: Path,
    progress: Progress,
    *,
    weights: Mapping[str, np.ndarray],
    state: Mapping[str, np.ndarray],
    claim: Callable[[], None] = lambda: None,
) -> None:
    """Writes `checkpoint-N`, points `current` at it, and removes those of ours that are neither newest nor best.

    Args:
        folder: the run's folder.
        progress: N is its epoch, and the steps within the next one.
        weights: by name.
        state: optimiser slots and dropout's random state, by name.
        claim: called when the checkpoint is whole and before it has its name: the folder becomes this run's.

    Raises:
        BundleError: another program wrote a folder of this name.

    """
    path = folder / (f"checkpoint-{progress.epoch}" + (f"-{progress.within}" if progress.within else ""))
    check_free(path)
    beside = fresh_folder(path)
    write_json(beside / PROGRESS, dataclasses.asdict(progress))  # first: it marks the folder as ours
    write_arrays(beside / WEIGHTS, weights)
    write_arrays(beside / STATE, state)
    claim()
    replace_folder(beside, path, remove=remove_files)
    write_atomically(folder / CURRENT, path.name + "\n")
    remove_checkpoints(folder, keep={path.name, f"checkpoint-{progress.best_epoch}"})


def current_checkpoint(folder: Path) -> Path | None:
    """Returns the checkpoint a run goes on from; None if it has none.

    Raises:
        BundleError: `current` names a folder that is not there.

    """
    try:
        name = (folder / CURRENT).read_bytes().decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    if not NAME.fullmatch(name) or not (folder / name / PROGRESS).is_file():
        raise BundleError(f"{folder / CURRENT}: names {name!r}, which is not there; --overwrite starts anew")
    return folder / name


def load_progress(checkpoint: Path) -> Progress:
    """Reads how far a run had come.

    Raises:
        BundleError: the file is missing or damaged, or another program wrote it.

    """
    return from_json(Progress, read_json(checkpoint / PROGRESS), where=str(checkpoint / PROGRESS))


def best_weights(folder: Path, progress: Progress) -> dict[str, np.ndarray]:
    """Reads the weights of the best epoch; a finished model keeps them without their checkpoint."""
    kept = folder / f"checkpoint-{progress.best_epoch}" / WEIGHTS
    return read_arrays(kept if kept.is_file() else folder / WEIGHTS)


def is_checkpoint(path: Path) -> bool:
    """Tells whether a folder is a checkpoint of ours, or what is left of one, and holds nothing else."""
    beside = BESIDE.fullmatch(path.name)
    if path.is_symlink() or not path.is_dir() or not (beside or NAME.fullmatch(path.name)):
        return False
    names = {each.name for each in path.iterdir()}
    if beside and names <= {PROGRESS + PARTIAL}:
        return True
    if not {name.removesuffix(PARTIAL) for name in names} <= {WEIGHTS, STATE, PROGRESS}:
        return False
    try:
        load_progress(path)
    except BundleError:
        return False
    return True


def check_free(path: Path) -> None:
    """Raises BundleError where another program's file or folder has a checkpoint's name."""
    if os.path.lexists(path) and not is_checkpoint(path):
        raise BundleError(
            f"{path}: has the name of a checkpoint, but is not one of this program alone; move it away, "
            "or give another --model"
        )


def check_names_free(folder: Path, *, epochs: int) -> None:
    """Raises BundleError where another program has a name that the checkpoints of so many epochs will need."""
    for path in folder.iterdir():
        name = NAME.fullmatch(path.name)
        if name and int(name[1]) <= epochs:
            check_free(path)


def remove_checkpoints(folder: Path, *, keep: Collection[str]) -> None:
    """Removes the checkpoints of ours that `keep` does not name; what holds anything else stays."""
    for path in sorted(folder.glob("checkpoint-*")):
        if path.name not in keep and is_checkpoint(path):
            beside = path
            if not BESIDE.fullmatch(path.name):  # what has a checkpoint's own name is whole
                beside = fresh_name(path)
                os.replace(path, beside)
            remove_files(beside)
            beside.rmdir()


def remove_files(checkpoint: Path) -> None:
    """Removes a checkpoint's files from its folder, last the one that tells that they are ours."""
    for name in (WEIGHTS, STATE, PROGRESS):
        (checkpoint / (name + PARTIAL)).unlink(missing_ok=True)
        (checkpoint / name).unlink(missing_ok=True)


def locked(folder: Path) -> AbstractContextManager[None]:
    """Keeps two runs from writing into one folder; the lock ends with the process that holds it.

    Raises:
        BundleError: another run holds the folder.

    """
    message = f"{folder}: another process is training into this folder; wait for it, or give another --model"
    return exclusive_lock(folder, BundleError(message))

"""The checkpoints of a run: what it needs to continue where it stopped. `run_folder` explains the order of writes."""

import contextlib
import dataclasses
import os
import re
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np

from seq2seq.errors import BundleError
from seq2seq.files.folders import fresh_name, replace_folder
from seq2seq.files.lock import exclusive_lock
from seq2seq.files.reading import read_arrays, read_json
from seq2seq.files.writing import PARTIAL, write_arrays, write_atomically, write_json
from seq2seq.typed_json import from_json

CURRENT = "current"
WEIGHTS, STATE, PROGRESS = "weights.safetensors", "state.safetensors", "progress.json"
NAME = re.compile(r"checkpoint-(\d+)(-\d+)?")
PARTIAL_NAME = re.compile(NAME.pattern + r"(\.\d+)?" + re.escape(PARTIAL))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come, without arrays; the fields are the keys of `progress.json`."""

    epoch: int = 0  # finished epochs
    step: int = 0  # finished steps
    within: int = 0  # the finished steps of an unfinished epoch
    nats: float = 0.0  # summed over the steps in `within`
    count: float = 0.0  # target symbols of the steps in `within`
    seconds: float = 0.0  # wall clock so far
    best_epoch: int = 0
    best_score: float | None = None
    epochs_without_better: int = 0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    samples: list[list[str]] = dataclasses.field(default_factory=list)  # lines to print, of each epoch


def save_checkpoint(
    folder: Path,
    progress: Progress,
    *,
    weights: Mapping[str, np.ndarray],
    state: Mapping[str, np.ndarray],
    claim: Callable[[], None] = lambda: None,
) -> None:
    """Writes `checkpoint-N`, makes `current` name it, and removes checkpoints that are neither the newest nor the best.

    Args:
        folder: the run's folder.
        progress: N is its epoch, with the steps of an unfinished epoch: `checkpoint-2-500`.
        weights: by name.
        state: optimiser slots and the random state of dropout, by name.
        claim: called when the checkpoint is whole and before it gets its name.

    Raises:
        BundleError: another program wrote a folder of this name.
        OSError: the system refuses, for example because the disk is full; the checkpoints so far are as they were.

    """
    path = folder / (f"checkpoint-{progress.epoch}" + (f"-{progress.within}" if progress.within else ""))
    check_free(path)
    partial = fresh_name(path)
    partial.mkdir()  # without its parents: a run's folder that has vanished is not made anew, half empty
    try:
        write_json(partial / PROGRESS, dataclasses.asdict(progress))  # first: it shows that this program made it
        write_arrays(partial / WEIGHTS, weights)
        write_arrays(partial / STATE, state)
    except OSError:
        with contextlib.suppress(OSError):  # the disk may be full: this makes room
            remove_files(partial)
            partial.rmdir()
        raise
    claim()
    replace_folder(partial, path, remove=remove_files)
    write_atomically(folder / CURRENT, path.name + "\n")
    remove_checkpoints(folder, keep={path.name, f"checkpoint-{progress.best_epoch}"})


def current_checkpoint(folder: Path) -> Path | None:
    """Returns the checkpoint that a run continues from; None if it has none.

    Raises:
        BundleError: `current` names a checkpoint that does not exist.

    """
    try:
        name = (folder / CURRENT).read_bytes().decode(errors="replace").strip()
    except FileNotFoundError:
        return None
    if not NAME.fullmatch(name) or not (folder / name / PROGRESS).is_file():
        raise BundleError(
            f"{folder / CURRENT}: names {name!r}, which does not exist; --overwrite starts from the beginning"
        )
    return folder / name


def load_progress(checkpoint: Path) -> Progress:
    """Reads how far a run had come.

    Raises:
        BundleError: the file is missing or damaged, or another program wrote it.

    """
    values = read_json(checkpoint / PROGRESS)
    if isinstance(values, dict):
        values = {"samples": [], **values}  # an earlier version kept none
    return from_json(Progress, values, where=str(checkpoint / PROGRESS))


def continues(progress: Progress) -> str:
    """Says where a run continues: `continues after epoch 2 and 500 steps`."""
    within = f" and {progress.within} steps" if progress.within else ""
    return f"continues after epoch {progress.epoch}{within}"


def best_weights(folder: Path, progress: Progress) -> dict[str, np.ndarray]:
    """Reads the weights of the best epoch: from its checkpoint, or from the finished model that was made of it."""
    kept = folder / f"checkpoint-{progress.best_epoch}" / WEIGHTS
    return read_arrays(kept if kept.is_file() else folder / WEIGHTS)


def is_checkpoint(path: Path) -> bool:
    """Returns whether a folder is a checkpoint of this program, or what remains of one, and holds nothing else."""
    partial = PARTIAL_NAME.fullmatch(path.name)
    if path.is_symlink() or not path.is_dir() or not (partial or NAME.fullmatch(path.name)):
        return False
    names = {each.name for each in path.iterdir()}
    if partial and names <= {PROGRESS + PARTIAL}:
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
            f"{path}: has the name of a checkpoint, but this program did not write it, or not all of it; move it away, "
            "or give another --model"
        )


def check_names_free(folder: Path, *, epochs: int) -> None:
    """Raises BundleError where another program has a name that a checkpoint of the first `epochs` epochs will need."""
    for path in folder.iterdir():
        name = NAME.fullmatch(path.name)
        if name and int(name[1]) <= epochs:
            check_free(path)


def remove_checkpoints(folder: Path, *, keep: Collection[str]) -> None:
    """Removes the checkpoints that `keep` does not name; a folder that holds anything else stays."""
    for path in sorted(folder.glob("checkpoint-*")):
        if path.name not in keep and is_checkpoint(path):
            partial = path
            if not PARTIAL_NAME.fullmatch(path.name):  # a folder with a checkpoint's own name must be whole
                partial = fresh_name(path)
                os.replace(path, partial)
            remove_files(partial)
            partial.rmdir()


def keep_last(folder: Path) -> None:
    """Removes the checkpoints of a finished run but the last, from which it can be trained for longer."""
    last = current_checkpoint(folder)
    remove_checkpoints(folder, keep={last.name} if last else set())


def remove_files(checkpoint: Path) -> None:
    """Removes the files of a checkpoint; `progress.json` goes last, since it shows that this program wrote them."""
    for name in (WEIGHTS, STATE, PROGRESS):
        (checkpoint / (name + PARTIAL)).unlink(missing_ok=True)
        (checkpoint / name).unlink(missing_ok=True)


def locked(folder: Path) -> AbstractContextManager[None]:
    """Prevents two runs from writing into one folder; the lock ends with the process that holds it.

    Raises:
        BundleError: another run holds the folder.

    """
    message = f"{folder}: another process is training into this folder; wait for it, or give another --model"
    return exclusive_lock(folder, BundleError(message))

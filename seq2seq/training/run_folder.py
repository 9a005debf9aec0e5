"""What a run's folder holds: the names that this program writes, and how they go. Nothing else is ever removed."""

from pathlib import Path
from typing import Any

from seq2seq.bundle import CONFIG, MODEL_FILES, kind_in
from seq2seq.errors import BundleError
from seq2seq.files import PARTIAL, read_json
from seq2seq.training.checkpoints import CURRENT, is_checkpoint, remove_checkpoints

RUN, RESOLVED = "run.json", "config.toml"
MARK = "seq2seq run "  # and a version: how the format of a run begins
SECTIONS = ("data", "model", "train", "sha256")
OUR_FILES = {RUN, RESOLVED, CURRENT, *MODEL_FILES}


def is_run(folder: Path) -> bool:
    """Tells whether a folder's `run.json` is ours; the first version gave it no mark, but always these sections."""
    try:
        record: Any = read_json(folder / RUN)
    except BundleError:
        return False
    if not isinstance(record, dict):
        return False
    if "format" in record:
        return str(record["format"]).startswith(MARK)
    return all(isinstance(record.get(name), dict) for name in SECTIONS)


def is_ours(path: Path) -> bool:
    """Tells whether a name in a folder of ours is one that this program writes."""
    named = path.name.removesuffix(PARTIAL) in OUR_FILES and (path.is_symlink() or path.is_file())
    return named or is_checkpoint(path)


def is_leftover(path: Path) -> bool:
    """Tells whether a name is what an interrupted beginning left; such a folder counts as empty."""
    return is_ours(path) and path.name.endswith(PARTIAL)


def check_ours(folder: Path, *, overwrite: bool) -> None:
    """Refuses to train into a folder of another program.

    Raises:
        BundleError: it holds files but no run of ours, or another program's file under a name that we write.

    """
    marks = {RUN: is_run(folder), CONFIG: kind_in(folder) is not None}
    if not any(marks.values()):
        names = sorted(path.name for path in folder.iterdir() if not is_leftover(path))
        if names and overwrite:
            raise BundleError(
                f"{folder}: is not a model folder (it holds {names[0]!r}); --overwrite removes only model folders"
            )
        if names:
            raise BundleError(
                f"{folder}: is not empty and not a model folder (it holds {names[0]!r}); give another --model"
            )
    for name, ours in marks.items():
        if not ours and (folder / name).exists():
            raise BundleError(
                f"{folder / name}: is damaged, or another program wrote it; move it away, or give another --model"
            )


def strangers(folder: Path) -> list[str]:
    """Names what a folder holds that this program did not write."""
    return sorted(path.name for path in folder.iterdir() if not is_ours(path))


def remove_model(folder: Path) -> None:
    """Removes a finished model: first the file that says that the folder is one, then the parts that it lists."""
    if kind_in(folder) is None:
        return
    parts = read_json(folder / CONFIG)["sha256"]
    listed = set(parts) if isinstance(parts, dict) else set()
    remove_names(folder, (CONFIG, *(name for name in MODEL_FILES if name in listed)))


def remove_ours(folder: Path) -> None:
    """Removes a finished model and its run."""
    remove_model(folder)
    if is_run(folder):
        remove_checkpoints(folder, keep=())
        remove_names(folder, (CURRENT, RESOLVED, RUN))


def remove_names(folder: Path, names: tuple[str, ...]) -> None:
    """Removes files by name, and what was left of writing them."""
    for name in names:
        for path in (folder / name, folder / (name + PARTIAL)):
            if path.is_file() or path.is_symlink():
                path.unlink()

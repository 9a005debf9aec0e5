"""The folder of a run: which files this program writes there, in which order, and how it removes them.

The folder holds `run.json` and `config.toml` (which run the checkpoints belong to), `current` (the name of the
checkpoint to continue from), `checkpoint-N` folders, and the parts of a finished model, whose `config.json` is written
last. The order below makes sure that a process that is killed between two steps loses nothing but the work since the
last checkpoint. Each file is written under a `.partial` name, flushed to disk and renamed.

1. Before the first checkpoint, a new run only reads. The old model and the old checkpoints stay as they are.
2. A checkpoint is written in a folder with a `.partial` name. Until it is whole, nothing else changes.
3. The first checkpoint of a process then claims the folder. For a new run, `current` is removed first, since it names
   a checkpoint of the old run; then `run.json` and `config.toml` are written. A finished model still works.
4. The checkpoint gets its name. An old checkpoint of the same name is first moved to a `.partial` name. `current`
   never names that one: a run that continues has passed it, and a new run removed `current` in step 3.
5. `current` names the checkpoint. From here the same command continues the new run.
6. Older checkpoints that are neither the newest nor the best are removed: each is first renamed to a `.partial` name,
   so that a checkpoint under its own name is always whole.
7. The finished model of another run is removed, `config.json` first. If the process is killed before, the run repeats
   this step after its next checkpoint. The model of the same run, which is trained for longer, stays until step 8.
8. At the end the finished model is written: its parts under `.partial` names; then an older `config.json` is removed,
   and the parts get their names, `config.json` last. The checkpoints are still there, so a killed process continues
   from the last one and writes the model again.
9. All checkpoints but the last are removed, by the same command again if the process is killed before. The last one
   lets the run be trained for longer; the weights of the best epoch are those of the model.

`samples.txt`, `curves.svg` and `curves.png` show people how the run goes (`run_views`). They are written after each
checkpoint, from what it holds, and are no parts of the model: a finished model must stay whole while the same run is
trained for longer. They are removed with `run.json`, and by step 3 of a new run. A file of such a name without this
program's mark is left alone.

An ensemble's folder holds a folder for each member, `member-N`, which is the folder of an ordinary run with all of the
above. Its own files are the parts of a finished ensemble: `metrics.json`, `canary.json`, and `config.json`, which is
written last, after all members are finished. It names the members with the hashes of their `config.json`. When a member
is trained for longer, the ensemble's model is removed after the member's new model is whole. A new run that replaces an
ensemble removes its model and its other members once the first checkpoint of the first member is whole.

Only files with the names above are removed, one by one, and only if `run.json` or `config.json` shows that this program
wrote the folder. A checkpoint is removed only if its `progress.json` shows the same and it holds no other file, or if
it has a `.partial` name and holds at most the beginning of a `progress.json`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.bundle.record import CONFIG, MEMBER, MODEL_FILES, PULLED, kind_in
from seq2seq.errors import BundleError
from seq2seq.fields import to_toml
from seq2seq.files.reading import read_json
from seq2seq.files.writing import PARTIAL, write_atomically, write_json
from seq2seq.training.checkpoints import CURRENT, Progress, is_checkpoint, remove_checkpoints, save_checkpoint
from seq2seq.training.run_views import is_view, remove_views, write_views
from seq2seq.training.task import Run, Start

RUN, RESOLVED = "run.json", "config.toml"
FORMAT_PREFIX = "seq2seq run "  # a version follows
FORMAT = FORMAT_PREFIX + "1"
SECTIONS = ("data", "model", "train", "sha256")
WRITTEN_FILES = {RUN, RESOLVED, CURRENT, PULLED, *MODEL_FILES}


class Saver:
    """Writes the checkpoints of a run; with the first of them the folder becomes this run's."""

    def __init__(self, run: Run, start: Start) -> None:
        """`run` is resolved; `start` is what `begin` found in its folder."""
        self.run = run
        self.start = start
        self.claimed = False

    def save(self, progress: Progress, *, weights: Mapping[str, np.ndarray], state: Mapping[str, np.ndarray]) -> None:
        """Takes steps 2 to 7 of the module's docstring, and writes the views; arguments as in `save_checkpoint`."""
        first = not self.claimed
        save_checkpoint(self.run.folder, progress, weights=weights, state=state, claim=self.claim)
        if first:
            self.run.on_first_checkpoint()
        if self.start.replaces:
            remove_model(self.run.folder)
        write_views(self.run.folder, progress)

    def claim(self) -> None:
        """Takes step 3, once."""
        if self.claimed:
            return
        if self.start.checkpoint is None:
            (self.run.folder / CURRENT).unlink(missing_ok=True)
            remove_views(self.run.folder)
        record = {"format": FORMAT, **self.run.settings, "sha256": self.run.sha256}
        write_json(self.run.folder / RUN, record)
        sections = {name: self.run.signature[name] for name in self.run.settings}
        write_atomically(self.run.folder / RESOLVED, to_toml(sections))
        self.claimed = True


def is_run(folder: Path) -> bool:
    """Returns whether this program wrote the folder's `run.json`; its first version wrote sections, but no format."""
    try:
        record: Any = read_json(folder / RUN)
    except BundleError:
        return False
    if not isinstance(record, dict):
        return False
    if "format" in record:
        return str(record["format"]).startswith(FORMAT_PREFIX)
    return all(isinstance(record.get(name), dict) for name in SECTIONS)


def is_written_name(path: Path) -> bool:
    """Returns whether this program writes such a name into a run's folder."""
    is_file = path.name.removesuffix(PARTIAL) in WRITTEN_FILES and (path.is_symlink() or path.is_file())
    return is_file or is_view(path) or is_checkpoint(path) or is_member(path)


def is_member(path: Path) -> bool:
    """Returns whether a folder is a member of an ensemble, or what an interrupted first checkpoint of one left."""
    if not MEMBER.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
        return False
    return is_run(path) or kind_in(path) is not None or not any(map(is_foreign, path.iterdir()))


def is_foreign(path: Path) -> bool:
    """Returns whether a name is more than what an interrupted first checkpoint leaves in a new folder."""
    return not (is_member(path) or (path.name.endswith(PARTIAL) and is_written_name(path)))


def member_folders(folder: Path) -> list[Path]:
    """Returns the folders of an ensemble's members that hold a run or a model, by number; none for a single model."""
    if is_single(folder):
        return []
    found = [path for path in folder.iterdir() if is_member(path) and (is_run(path) or kind_in(path) is not None)]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))


def is_single(folder: Path) -> bool:
    """Returns whether a folder holds a run or a model that is no ensemble."""
    return is_run(folder) or (kind_in(folder) is not None and "members" not in read_json(folder / CONFIG))


def foreign_names(folder: Path) -> list[str]:
    """Returns the names in a run's folder that this program did not write, files first.

    The checkpoint that `current` names is this run's, even if it is damaged: reading it says so.
    """
    own = (folder / CURRENT).read_text(errors="replace").strip() if (folder / CURRENT).is_file() else ""
    paths = [path for path in folder.iterdir() if not is_written_name(path) and path.name != own]
    return [path.name for path in sorted(paths, key=lambda path: (path.is_dir(), path.name))]


def report_foreign_names(run: Run) -> None:
    """Reports what the folder holds that this program did not write."""
    names = foreign_names(run.folder)
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        run.report(f"{run.folder}: {', '.join(names[:3])}{more}: not written by this program, left alone")


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuses to train into a folder of another program. Files that an interrupted first checkpoint left may stay.

    Raises:
        BundleError: it holds files but no run of this program, or another program's file under a name that it writes.

    """
    marks = {RUN: is_run(folder), CONFIG: kind_in(folder) is not None}
    if not any(marks.values()) and not member_folders(folder):
        names = [path.name for path in sorted(folder.iterdir()) if is_foreign(path)]
        if names and overwrite:
            raise BundleError(
                f"{folder}: is not a model folder (it holds {names[0]!r}); --overwrite removes only model folders"
            )
        if names:
            raise BundleError(
                f"{folder}: is not empty and not a model folder (it holds {names[0]!r}); give another --model"
            )
    # a model that the first version trained has no run.json any more, but its config.toml
    trained = marks[CONFIG] and "signature" in read_json(folder / CONFIG)
    for name, written in {**marks, CURRENT: marks[RUN], RESOLVED: marks[RUN] or trained}.items():
        if not written and (folder / name).exists():
            raise BundleError(
                f"{folder / name}: is damaged, or another program wrote it; move it away, or give another --model"
            )


def remove_model(folder: Path) -> None:
    """Removes a finished model: first `config.json`, which makes the folder a model, then the parts that it lists."""
    if kind_in(folder) is None:
        return
    parts = read_json(folder / CONFIG)["sha256"]
    listed = set(parts) if isinstance(parts, dict) else set()
    remove_names(folder, (CONFIG, *(name for name in MODEL_FILES if name in listed)))


def remove_model_and_run(folder: Path) -> None:
    """Removes a finished model, and the record and checkpoints of its run; an ensemble with its members."""
    members = member_folders(folder)
    remove_model(folder)
    remove_run(folder)
    remove_members(members)


def remove_run(folder: Path, names: tuple[str, ...] = (CURRENT, RESOLVED, RUN)) -> None:
    """Removes the checkpoints of a run, and the files `names` of its record."""
    if is_run(folder):
        remove_checkpoints(folder, keep=())
        remove_views(folder)
        remove_names(folder, names)


def remove_members(members: Sequence[Path]) -> None:
    """Removes what this program wrote into the folders of an ensemble's members, and the folders that are then empty.

    Where another program's file stays, `run.json` stays with it, so that the folder can be trained into.
    """
    for member in members:
        remove_model(member)
        remove_run(member, (CURRENT, RESOLVED))
        if not foreign_names(member):
            remove_run(member)
        if not any(member.iterdir()):
            member.rmdir()


def remove_names(folder: Path, names: tuple[str, ...]) -> None:
    """Removes files by name, and the `.partial` files of an interrupted write."""
    for name in names:
        for path in (folder / name, folder / (name + PARTIAL)):
            if path.is_file() or path.is_symlink():
                path.unlink()

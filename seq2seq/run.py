"""One training run in its folder: a new one, one that goes on, or one that is finished already."""

import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seq2seq.bundle import CONFIG, RUNS, kind_in
from seq2seq.checkpoints import CURRENT, RUN, locked, remove_checkpoints
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.datasets import Dataset, resolve
from seq2seq.errors import BundleError
from seq2seq.fields import to_toml
from seq2seq.files import PARTIAL, read_json, write_atomically, write_json

RESOLVED = "config.toml"


def train_into(
    folder: Path | None,
    data: DataConfig,
    model: ModelConfig,
    train: TrainingConfig,
    *,
    overwrite: bool,
    started: float,
    report: Callable[[str], None],
    profile: bool = False,
) -> Path:
    """Trains into a folder, or goes on with the same run there; returns the folder.

    Args:
        folder: None: `runs/` and the data set's name.
        overwrite: remove what is there first.
        started: time.monotonic() of the command's start.
        report: receives lines for the user.
        profile: say first where a step's time goes.

    Raises:
        BundleError: the folder holds another run, or something that is no run.
        DataError: the data cannot be used.

    """
    dataset = resolve(data.data)
    if dataset.notice:
        report(dataset.notice)
    folder = folder or RUNS / dataset.name
    settings = {section.section: section.to_dict() for section in (data, model, train)}
    signature = {**settings, "sha256": dataset.sha256}
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if overwrite:
            empty(folder)
        if finished(folder, signature):
            remove_checkpoints(folder)
            report(f"{folder}: is finished already; --overwrite starts anew")
            return folder
        begin(folder, signature, settings)
        report(f"model: {folder}")
        train_kind(
            folder,
            dataset,
            data,
            model,
            train,
            signature=signature,
            started=started,
            report=report,
            profile=profile,
        )
        remove_checkpoints(folder)
        report(f"finished: {folder}")
    return folder


def train_kind(
    folder: Path,
    dataset: Dataset,
    data: DataConfig,
    model: ModelConfig,
    train: TrainingConfig,
    *,
    signature: Mapping[str, Any],
    started: float,
    report: Callable[[str], None],
    dry_run: bool = False,
    profile: bool = False,
) -> None:
    """Trains the kind of model that the data asks for; imports TensorFlow."""
    from seq2seq import profiling

    look = functools.partial(profiling.look, dry_run=dry_run, profile=profile, report=report)
    if dataset.kind == "text":
        from seq2seq.language import train_language_model

        train_language_model(
            folder, dataset, data, model, train, signature=signature, started=started, report=report, look=look
        )
        return
    from seq2seq.translation import train_translator

    train_translator(
        folder, dataset, data, model, train, signature=signature, started=started, report=report, look=look
    )


def look_only(
    data: DataConfig,
    model: ModelConfig,
    train: TrainingConfig,
    *,
    profile: bool,
    started: float,
    report: Callable[[str], None],
) -> None:
    """Says what a run would be like and leaves nothing behind; see `train_into`."""
    dataset = resolve(data.data)
    if dataset.notice:
        report(dataset.notice)
    with tempfile.TemporaryDirectory() as folder:
        train_kind(
            Path(folder),
            dataset,
            data,
            model,
            train,
            signature={},
            started=started,
            report=report,
            dry_run=True,
            profile=profile,
        )


def empty(folder: Path) -> None:
    """Removes a run's files; refuses a folder that is no run.

    Raises:
        BundleError: the folder holds files but no run.

    """
    names = names_in(folder)
    if names and RUN not in names and kind_in(folder) is None:
        raise BundleError(
            f"{folder}: is not a model folder (it holds {sorted(names)[0]!r}); --overwrite removes only model folders"
        )
    if CONFIG in names:  # from now on an unfinished run: what remains after an interruption is never taken for a model
        os.replace(folder / CONFIG, folder / RUN)
    for path in sorted(folder.iterdir(), key=lambda path: path.name == RUN):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def names_in(folder: Path) -> set[str]:
    """Names what a folder holds, but for files whose writing was interrupted."""
    return {path.name for path in folder.iterdir() if not path.name.endswith(PARTIAL)}


def finished(folder: Path, signature: Mapping[str, Any]) -> bool:
    """Tells whether the folder holds this very run, finished.

    Raises:
        BundleError: it holds another finished run.

    """
    if kind_in(folder) is None:
        return False
    record = read_json(folder / CONFIG)
    check_same(folder, record.get("signature", {}), signature)
    return True


def begin(folder: Path, signature: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes down what the run is, or checks that the run found there is the same.

    Raises:
        BundleError: the folder holds another run, or files that are no run's.

    """
    names = names_in(folder)
    if CURRENT in names:
        check_same(folder, read_json(folder / RUN), signature)
        return
    if names and RUN not in names:
        raise BundleError(
            f"{folder}: is not empty and not a model folder (it holds {sorted(names)[0]!r}); give another --model"
        )
    # nothing is trained yet: an earlier attempt that failed at its data must not stand in the way
    write_json(folder / RUN, signature)
    write_atomically(folder / RESOLVED, to_toml(settings))


def check_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises BundleError that lists what differs between the run in the folder and the one asked for."""
    differences = []
    for section in now:
        old, new = before.get(section), now[section]
        old = old if isinstance(old, dict) else {}
        differences += [
            f"{section}.{key} was {old.get(key)!r}, now {new.get(key)!r}"
            for key in sorted({*old, *new})
            if old.get(key) != new.get(key)
        ]
    if differences:
        raise BundleError(
            f"{folder}: holds another run: {'; '.join(differences)}; give another --model, or --overwrite to start anew"
        )

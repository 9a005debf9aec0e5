"""One training run in its folder: a new one, one that goes on, or one that is finished already."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seq2seq.bundle import CONFIG
from seq2seq.checkpoints import RUN, locked, remove_checkpoints
from seq2seq.cli import RUNS
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.datasets import Dataset, resolve
from seq2seq.errors import BundleError
from seq2seq.files import read_json, write_atomically, write_json
from seq2seq.options import to_toml

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
) -> Path:
    """Trains into a folder, or goes on with the same run there; returns the folder.

    Args:
        folder: None: `runs/` and the data set's name.
        overwrite: remove what is there first.
        started: time.monotonic() of the command's start.
        report: receives lines for the user.

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
            report(f"{folder}: is finished already; --overwrite starts anew")
            return folder
        begin(folder, signature, settings)
        report(f"model: {folder}")
        train_kind(folder, dataset, data, model, train, signature=signature, started=started, report=report)
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
) -> None:
    """Trains the kind of model that the data asks for; imports TensorFlow."""
    from seq2seq.translation import train_translator

    train_translator(folder, dataset, data, model, train, signature=signature, started=started, report=report)


def empty(folder: Path) -> None:
    """Removes a run's files; refuses a folder that is no run.

    Raises:
        BundleError: the folder holds files but no run.

    """
    names = {path.name for path in folder.iterdir()} - {"lock"}
    if names and not names & {CONFIG, RUN}:
        raise BundleError(
            f"{folder}: is not a model folder (it holds {sorted(names)[0]!r}); --overwrite removes only model folders"
        )
    for name in names:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def finished(folder: Path, signature: Mapping[str, Any]) -> bool:
    """Tells whether the folder holds this very run, finished.

    Raises:
        BundleError: it holds another finished run.

    """
    if not (folder / CONFIG).is_file():
        return False
    record = read_json(folder / CONFIG)
    check_same(folder, record.get("signature", {}), signature)
    return True


def begin(folder: Path, signature: Mapping[str, Any], settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes down what the run is, or checks that the run found there is the same.

    Raises:
        BundleError: the folder holds another run, or files that are no run's.

    """
    names = {path.name for path in folder.iterdir()} - {"lock"}
    if RUN in names:
        check_same(folder, read_json(folder / RUN), signature)
        return
    if names:
        raise BundleError(
            f"{folder}: is not empty and not a model folder (it holds {sorted(names)[0]!r}); give another --model"
        )
    write_atomically(folder / RESOLVED, to_toml(settings))
    write_json(folder / RUN, signature)


def check_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises BundleError that lists what differs between the run in the folder and the one asked for."""
    differences = [
        f"{section}.{key} was {before.get(section, {}).get(key)!r}, now {now.get(section, {}).get(key)!r}"
        for section in sorted({*before, *now})
        for key in sorted({*before.get(section, {}), *now.get(section, {})})
        if before.get(section, {}).get(key) != now.get(section, {}).get(key)
    ]
    if differences:
        raise BundleError(
            f"{folder}: holds another run: {'; '.join(differences)}; give another --model, or --overwrite to start anew"
        )

"""Trains into a folder: starts a new run, continues an interrupted or a finished one. Imports no TensorFlow itself."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from seq2seq.errors import BundleError
from seq2seq.files import written
from seq2seq.training.checkpoints import locked
from seq2seq.training.ensemble import check_members, replacing_members, train_members
from seq2seq.training.run_folder import check_folder, report_foreign_names
from seq2seq.training.run_record import FINISHED, finished_as_asked
from seq2seq.training.task import Run


def train_into(run: Run) -> Path:
    """Trains a model or an ensemble into the run's folder, or continues the same run there; returns the folder.

    `run_folder` explains in which order files are written and removed.

    Raises:
        BundleError: the folder holds another run, or something that is not a run.
        DataError: the data cannot be used.
        OptionError: an option does not fit the data.

    """
    if run.dataset.notice:
        run.report(run.dataset.notice)
    with made(run.folder), locked(run.folder):
        check_folder(run.folder, overwrite=run.overwrite)
        check_members(run)
        if run.train.members > 1:
            train_members(run, train_into)
        else:
            train_alone(replacing_members(run) if run.overwrite else run)
    return run.folder


def train_alone(run: Run) -> None:
    """Trains one model into a folder that may be used."""
    if not run.overwrite and finished_as_asked(run):
        run.report(f"{run.folder}: {FINISHED}")
        return
    check_writable(run.folder)
    report_foreign_names(run)
    from seq2seq.training.trainer import train_in_folder

    with written(run.folder, "make room or change the permissions; then the same command goes on"):
        train_in_folder(run)


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """Makes a folder if it is absent; removes it again if an error leaves it empty.

    Raises:
        BundleError: a file or a link to nothing has its name, or it cannot be made.

    """
    absent = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(
            f"--model {folder}: expected a folder, or a name for a new one: {error.strerror}; give another --model"
        ) from error
    try:
        yield
    finally:
        if absent and not any(folder.iterdir()):
            folder.rmdir()


def check_writable(folder: Path) -> None:
    """Raises BundleError for a folder in which this process may write no file, before any time is spent on training."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BundleError(
            f"{folder}: cannot be written: {error.strerror}; change its permissions, make room, or give another --model"
        ) from error


def describe_run(run: Run) -> None:
    """Reports the batches, memory and time that a run would need; writes nothing. Errors as in `train_into`."""
    from seq2seq.training.trainer import describe

    if run.dataset.notice:
        run.report(run.dataset.notice)
    describe(run)
    if run.train.members > 1:
        run.report(f"--members {run.train.members}: as many such runs, one after the other: as many times the minutes")

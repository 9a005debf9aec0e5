"""Trains into a folder: starts a new run, continues an interrupted or a finished one. Imports no TensorFlow itself."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from seq2seq.errors import BundleError
from seq2seq.training.checkpoints import continues, current_checkpoint, load_progress, locked
from seq2seq.training.ensemble import check_members, replacing_members, train_members
from seq2seq.training.run_folder import check_folder, member_folders, report_foreign_names
from seq2seq.training.run_record import FINISHED, finished_as_asked
from seq2seq.training.task import Run


def train_into(run: Run) -> Path:
    """Trains a model or an ensemble into the run's folder, or continues the same run there; returns the folder.

    `run_folder` explains in which order files are written and removed.

    Raises:
        BundleError: the folder holds another run, or something that is not a run.
        DataError: the data cannot be used.
        OptionError: an option does not fit the data.
        KeyboardInterrupt, OSError: Ctrl-C, or the system refuses; a note says what the same command does next.

    """
    if run.dataset.notice:
        run.report(run.dataset.notice)
    with made(run.folder), noting_what_remains(run.folder), locked(run.folder):
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

    train_in_folder(run)


@contextlib.contextmanager
def noting_what_remains(folder: Path) -> Iterator[None]:
    """Adds a note to Ctrl-C, and to an error of the system: whether the same command continues, and where."""
    try:
        yield
    except (KeyboardInterrupt, OSError) as error:
        if not getattr(error, "__notes__", None):  # otherwise a member of an ensemble has said it
            error.add_note(what_remains(folder))
        raise


def what_remains(folder: Path) -> str:
    """Says what the same command does with a folder as an interrupted run left it."""
    if not folder.is_dir():
        return f"{folder} is gone: put it back, and the same command goes on with its last checkpoint"
    try:
        checkpoint = current_checkpoint(folder)
        if checkpoint:
            return f"the same command {continues(load_progress(checkpoint))}"
        if member_folders(folder):
            return "the same command goes on with the members that are finished"
    except (BundleError, OSError) as error:
        return f"no checkpoint can be read: {error}"
    return "no checkpoint was written yet: the same command starts from the beginning"


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
        if absent and folder.is_dir() and not any(folder.iterdir()):
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

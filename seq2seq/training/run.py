"""Trains into a folder: starts a new run, continues an interrupted or a finished one. Imports no TensorFlow itself."""

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

from seq2seq.errors import BundleError, OptionError, WorkerError
from seq2seq.training.checkpoints import continues, current_checkpoint, load_progress, locked
from seq2seq.training.ensemble import check_members, replacing_members, train_members
from seq2seq.training.rendezvous import first_joined, others_joined
from seq2seq.training.run_folder import check_folder, member_folders, report_foreign_names
from seq2seq.training.run_record import FINISHED, finished_as_asked, remove_left_checkpoints
from seq2seq.training.task import Run
from seq2seq.training.wire import Kind
from seq2seq.training.workers import Workers


def train_into(run: Run) -> Path:
    """Trains a model or an ensemble into the run's folder, or continues the same run there; returns the folder.

    `run_folder` explains in which order files are written and removed.

    Raises:
        BundleError: the folder holds another run, or something that is not a run.
        DataError: the data cannot be used.
        OptionError: an option does not fit the data.
        WorkerError: another worker never came, ended, or was started with something else.
        KeyboardInterrupt, OSError: Ctrl-C, or the system refuses; a note says what the same command does next.

    """
    workers = run.workers
    if run.train.members > 1 and workers:
        raise OptionError(
            f"--members {run.train.members}: with --workers or TF_CONFIG a run trains one model; train the members one "
            "by one, or side by side with --engine ray"
        )
    if workers and workers.index:
        follow(run, workers)
        return run.folder
    if run.dataset.notice:
        run.report(run.dataset.notice)
    if workers is None:
        return train_here(run)
    with others_joined(run, workers) as wires:
        from seq2seq.training.shared_step import Others

        others = Others(workers, wires)
        train_here(dataclasses.replace(run, others=others))
        others.end(f"finished: {workers.name(0)} has the model")
    return run.folder


def train_here(run: Run) -> Path:
    """Trains into the run's folder on this machine, the only one or the first of several; returns the folder."""
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
        remove_left_checkpoints(run)
        run.report(f"{run.folder}: {FINISHED}")
        return
    check_writable(run.folder)
    report_foreign_names(run)
    from seq2seq.training.trainer import train_in_folder

    train_in_folder(run)


def follow(run: Run, workers: Workers) -> None:
    """Computes shards for the first worker until it ends; writes nothing, and leaves the run's folder alone.

    Raises:
        DataError: the data cannot be used.
        WorkerError: another worker never came, ended, or was started with something else.

    """
    with first_joined(run, workers) as wire, tempfile.TemporaryDirectory() as place:
        from seq2seq.training.trainer import build_follower, prepare

        quiet = dataclasses.replace(run, folder=Path(place), report=lambda line: None)
        prepared = prepare(quiet)
        kind, found = wire.receive(Kind.START, Kind.END)
        if kind == Kind.START:
            from seq2seq.training.shared_step import serve_shards

            model, train = build_follower(quiet, prepared, found)
            found = serve_shards(wire, workers, model, train)
        run.report(str(found))


@contextlib.contextmanager
def noting_what_remains(folder: Path) -> Iterator[None]:
    """Adds a note to Ctrl-C, to an error of the system or of another worker: whether and where the run continues."""
    try:
        yield
    except (KeyboardInterrupt, OSError, WorkerError) as error:
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

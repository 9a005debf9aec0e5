"""Trains into a folder: starts a new run, continues an interrupted or a finished one. Imports no TensorFlow itself."""

from pathlib import Path

from seq2seq.training.checkpoints import locked
from seq2seq.training.run_folder import check_folder, foreign_names
from seq2seq.training.run_record import FINISHED, finished_as_asked
from seq2seq.training.task import Run


def train_into(run: Run) -> Path:
    """Trains into the run's folder, or continues the same run there; returns the folder.

    `run_folder` explains in which order files are written and removed.

    Raises:
        BundleError: the folder holds another run, or something that is not a run.
        DataError: the data cannot be used.
        OptionError: an option does not fit the data.

    """
    if run.dataset.notice:
        run.report(run.dataset.notice)
    run.folder.mkdir(parents=True, exist_ok=True)
    with locked(run.folder):
        check_folder(run.folder, overwrite=run.overwrite)
        if not run.overwrite and finished_as_asked(run):
            run.report(f"{run.folder}: {FINISHED}")
            return run.folder
        report_foreign_names(run)
        from seq2seq.training.trainer import train_in_folder

        train_in_folder(run)
    return run.folder


def describe_run(run: Run) -> None:
    """Reports the batches, memory and time that a run would need; writes nothing. Errors as in `train_into`."""
    from seq2seq.training.trainer import describe

    if run.dataset.notice:
        run.report(run.dataset.notice)
    describe(run)


def report_foreign_names(run: Run) -> None:
    """Reports what the folder holds that this program did not write."""
    names = foreign_names(run.folder)
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        run.report(f"{run.folder}: {', '.join(names[:3])}{more}: not written by this program, left alone")

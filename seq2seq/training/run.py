"""Trains into a folder: a new run, one that goes on, or one that is finished already."""

import dataclasses
import tempfile
from pathlib import Path

from seq2seq.bundle import kind_in
from seq2seq.training.checkpoints import check_names_free, current_checkpoint, locked, remove_checkpoints
from seq2seq.training.run_folder import check_ours, strangers
from seq2seq.training.run_record import finished_as_asked, finished_run, run_under_way, start_of
from seq2seq.training.task import Prepared, Run, Start


def train_into(run: Run) -> Path:
    """Trains into the run's folder, or goes on with the same run there; returns the folder.

    What the folder held before goes with the first checkpoint of a new run, or, where a run was to last longer,
    with the weights of its end.

    Raises:
        BundleError: the folder holds another run, or something that is no run.
        DataError: the data cannot be used.
        OptionError: an option does not fit the data.

    """
    if run.dataset.notice:
        run.report(run.dataset.notice)
    run.folder.mkdir(parents=True, exist_ok=True)
    with locked(run.folder):
        check_ours(run.folder, overwrite=run.overwrite)
        if not run.overwrite and finished_as_asked(run):
            return say_finished(run)
        say_strangers(run)
        prepared = prepare(run)
        run, start = begin(run, prepared)
        if start is None:
            return say_finished(run)
        from seq2seq.training.trainer import train

        run.report(f"model: {run.folder}")
        train(run, prepared, start)
        keep_last_checkpoint(run.folder)
        run.report(f"finished: {run.folder}")
    return run.folder


def look_only(run: Run) -> None:
    """Says what a run would be like and leaves nothing behind; see `train_into`."""
    from seq2seq.training.trainer import resolved, train

    if run.dataset.notice:
        run.report(run.dataset.notice)
    with tempfile.TemporaryDirectory() as folder:
        run = dataclasses.replace(run, folder=Path(folder), dry_run=True)
        prepared = prepare(run)
        train(resolved(run, prepared), prepared, Start())


def prepare(run: Run) -> Prepared:
    """Reads the data for the kind of model that it asks for; imports TensorFlow."""
    if run.dataset.kind == "text":
        from seq2seq.training.language_model import prepare_text

        return prepare_text(run)
    from seq2seq.training.translator import prepare_pairs

    return prepare_pairs(run.dataset, run.data)


def begin(run: Run, prepared: Prepared) -> tuple[Run, Start | None]:
    """Resolves a run, and tells where it begins; None: it is finished already.

    Raises:
        BundleError: the folder holds another run, or one that cannot go on.

    """
    from seq2seq.training.trainer import resolved

    if run.overwrite:
        start: Start | None = Start(replaces=kind_in(run.folder) is not None)
        run = resolved(run, prepared)
    else:
        there = run_under_way(run.folder), finished_run(run.folder)
        under_way, finished = (each.resolved(prepared) if each else None for each in there)
        before = under_way or finished
        run = resolved(run, prepared, shards=before.train.shards if before else None)
        start = start_of(run, under_way, finished)
    check_names_free(run.folder, epochs=run.train.epochs or 0)
    return run, start


def say_finished(run: Run) -> Path:
    """Says that there is nothing to do in the run's folder, which is returned."""
    run.report(f"{run.folder}: is finished already; --overwrite starts anew")
    return run.folder


def say_strangers(run: Run) -> None:
    """Names what the folder holds that this program did not write, and leaves it alone."""
    names = strangers(run.folder)
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        run.report(f"{run.folder}: {', '.join(names[:3])}{more}: not written by this program, left alone")


def keep_last_checkpoint(folder: Path) -> None:
    """Keeps of a finished run what it needs to be trained for longer."""
    last = current_checkpoint(folder)
    remove_checkpoints(folder, keep={last.name} if last else set())

"""Carries out one run in its folder: reads the data, resolves the options, fits the model and saves it."""

import dataclasses
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.bundle.folder import save_bundle
from seq2seq.bundle.record import kind_in
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError
from seq2seq.memory import check_memory
from seq2seq.models.backend import keras, tf
from seq2seq.models.step import Trainable, shard_count, share_cores, training_record, use_gpu
from seq2seq.models.weights import export_weights
from seq2seq.text.datasets import Dataset
from seq2seq.training.checkpoints import check_names_free, keep_last
from seq2seq.training.fit import fit
from seq2seq.training.language_model import prepare_text
from seq2seq.training.prepared_pairs import prepare_pairs
from seq2seq.training.profiling import preview
from seq2seq.training.run_record import (
    FINISHED,
    continued,
    default_sizes,
    finished_run,
    start_of,
    unfinished_run,
    with_recorded_pairs,
)
from seq2seq.training.run_views import write_picture
from seq2seq.training.student import prepare_student
from seq2seq.training.task import Prepared, Run, Start, Task
from seq2seq.typed_json import read_section
from seq2seq.version import __version__

FLOAT_BYTES, COPIES = 4, 4  # of float32; and a weight has a gradient and two moments beside it


def train_in_folder(run: Run) -> None:
    """Trains into a folder that may be used, and leaves a finished model there with its last checkpoint.

    Raises:
        BundleError: the folder holds another run, or one that cannot continue.
        DataError: the data cannot be used.
        OptionError: an option does not fit the data.
        Seq2SeqError: training diverged.

    """
    run = with_recorded_pairs(run)
    prepared = prepare(run)
    run, start = begin(run, prepared)
    if start is None:
        run.report(f"{run.folder}: {FINISHED}")
        return
    run.report(f"model: {run.folder}")
    task = build_task(run, prepared)
    if run.others:
        run.others.start(run)
    if run.profile:
        report_all(run, preview(task, run.train, describe=False, profile=True))
    progress = fit(task, run, start)
    bundle = dataclasses.replace(task.bundle, weights=export_weights(task.model.models))
    outcome = task.outcome(bundle, progress)
    save_bundle(bundle, metrics=outcome.metrics, history=progress.history, canary=outcome.canary)
    report_all(run, outcome.lines)
    keep_last(run.folder)
    write_picture(run.folder, progress)
    run.report(f"finished: {run.folder}")


def describe(run: Run) -> None:
    """Reports what `--dry-run` asks for; works in a temporary folder, whatever the run's folder holds."""
    with tempfile.TemporaryDirectory() as folder:
        run = dataclasses.replace(run, folder=Path(folder))
        prepared = prepare(run)
        run = resolved(run, prepared)
        report_all(run, preview(build_task(run, prepared), run.train, describe=True, profile=run.profile))


def prepare(run: Run) -> Prepared:
    """Reads the data of a run."""
    if run.teacher:
        return prepare_student(run, run.teacher)
    if run.dataset.kind == "text":
        return prepare_text(run)
    return prepare_pairs(run.dataset, run.data, hallucinate=run.train.hallucinate, seed=run.train.seed)


def begin(run: Run, prepared: Prepared) -> tuple[Run, Start | None]:
    """Resolves a run and finds where it starts; None: it is already finished.

    Raises:
        BundleError: the folder holds another run, or one that cannot continue.

    """
    start: Start | None
    if run.overwrite:
        run = resolved(run, prepared)
        start = Start(replaces=kind_in(run.folder) is not None)
    else:
        records = unfinished_run(run.folder), finished_run(run.folder)
        unfinished, finished = (record and record.resolved(prepared) for record in records)
        before = unfinished or finished
        run = continued(run, before, prepared) if before else run
        run = resolved(run, prepared, shards=before.train.shards if before else None)
        start = start_of(run, unfinished, finished)
    check_names_free(run.folder, epochs=run.train.epochs or 0)
    return run, start


def resolved(run: Run, prepared: Prepared, *, shards: int | None = None) -> Run:
    """Fills in every option that depends on the data or the machine.

    Args:
        run: as the user asked for it.
        prepared: its data.
        shards: of the run that it continues; None: the machine decides.

    Raises:
        OptionError: more shards than rows in a batch, fewer than workers, or more units than memory holds.

    """
    model, train = prepared.resolved(run.model, run.train)
    assert train.batch_size is not None
    workers = len(run.workers) if run.workers else 1
    chosen = train.shards or shards or max(workers, shard_count(train.batch_size))
    if chosen > train.batch_size and (train.shards or not shards):
        asked = f"--shards {train.shards}" if train.shards else f"--workers: {workers} of them"
        raise OptionError(f"{asked}: expected at most one for each row of a batch; give {train.batch_size} or fewer")
    if chosen < workers:
        raise OptionError(
            f"--workers: {workers} of them, and a batch of this run has shards for {chosen}; name fewer workers, or "
            f"give --shards {workers} to a run in another --model"
        )
    check_size(model)
    train = dataclasses.replace(train, shards=chosen)
    return dataclasses.replace(run, data=prepared.data, model=model, train=train)


def check_size(model: ModelConfig) -> None:
    """Raises OptionError for sizes whose recurrent layers alone, without the vocabulary's part, exceed the memory."""
    gates, units, inputs = {"lstm": 4, "gru": 3}[model.rnn], float(model.units), float(model.embedding_size)
    weights = gates * units * (units + inputs + (model.layers - 1) * 2 * units)
    name, value = ("hidden-size", model.units) if units > inputs else ("embedding-size", model.embedding_size)
    check_memory(weights * COPIES * FLOAT_BYTES, f"--{name} {value}", f"give a smaller --{name}")


def build_task(run: Run, prepared: Prepared) -> Task:
    """Builds the model of a resolved run, sets the random seeds, and reports what is trained on what."""
    assert run.train.shards is not None
    share_cores(run.train.shards)
    if run.workers:
        use_gpu(run.workers.place)
    keras.utils.set_random_seed(run.train.seed)
    record = {
        "trained_on": {**origin(run.dataset), **prepared.sizes()},
        "train": training_record(run.train),
        "signature": dict(run.signature),
        "versions": versions(),
    }
    task = prepared.task(run, record)
    report_all(run, [*task.describe(), *size_chosen(run, prepared)])
    return task


def build_follower(run: Run, prepared: Prepared, settings: Mapping[str, Any]) -> tuple[Trainable, TrainingConfig]:
    """Builds the model that another worker trains, with that worker's resolved options.

    Args:
        run: as this worker was asked.
        prepared: its data.
        settings: the first worker's options, by section.

    """
    where = "the first worker's options"
    train = read_section(TrainingConfig, settings.get("train"), where=where)
    run = dataclasses.replace(
        run,
        data=read_section(DataConfig, settings.get("data"), where=where),
        model=read_section(ModelConfig, settings.get("model"), where=where),
        train=train,
    )
    return build_task(run, prepared).model, train


def size_chosen(run: Run, prepared: Prepared) -> list[str]:
    """Returns a line if no hidden size was given and the time made it another than usual."""
    usual, *_ = default_sizes(run.model, run.train, prepared)
    if run.signature["model"].get("hidden_size") is not None or run.model.units == usual:
        return []
    return [
        f"hidden size: {run.model.units}, since --max-minutes {run.train.max_minutes:g} leaves time for it; "
        f"otherwise it is {usual}"
    ]


def report_all(run: Run, lines: Iterable[str]) -> None:
    """Reports several lines."""
    for line in lines:
        run.report(line)


def origin(dataset: Dataset) -> dict[str, Any]:
    """Returns where the data came from, for the model folder."""
    return {
        "name": dataset.name,
        "origin": dataset.origin,
        "paths": {part: str(path.resolve()) for part, path in dataset.paths.items()},
        "sha256": dataset.sha256,
        "licence": dataset.licence,
    }


def versions() -> dict[str, str]:
    """Returns the versions of the software that trains a model, for the model folder."""
    return {
        "seq2seq": __version__,
        "python": sys.version.split()[0],
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }

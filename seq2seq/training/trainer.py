"""Trains what was prepared, of either kind: from resolved options to a finished model folder."""

import dataclasses
import sys
from typing import Any

import numpy as np

from seq2seq import __version__
from seq2seq.bundle import Bundle, save_bundle
from seq2seq.errors import OptionError
from seq2seq.models.backend import keras, tf
from seq2seq.models.step import shard_count, share_cores, training_record
from seq2seq.models.weights import export_weights
from seq2seq.text.datasets import Dataset
from seq2seq.training.fit import fit
from seq2seq.training.profiling import look
from seq2seq.training.task import Prepared, Run, Start


def resolved(run: Run, prepared: Prepared, *, shards: int | None = None) -> Run:
    """Fills in every option that depends on the data or the machine.

    Args:
        run: what is asked for.
        prepared: its data.
        shards: of the run that it goes on with; None: the machine decides.

    Raises:
        OptionError: more shards than rows in a batch.

    """
    model, train = prepared.resolved(run.model, run.train)
    assert train.batch_size is not None
    if (train.shards or 1) > train.batch_size:
        raise OptionError(
            f"--shards {train.shards}: expected at most one for each row of a batch; give {train.batch_size} or fewer"
        )
    train = dataclasses.replace(train, shards=train.shards or shards or shard_count(train.batch_size))
    return dataclasses.replace(run, model=model, train=train)


def train(run: Run, prepared: Prepared, start: Start) -> Bundle | None:
    """Trains a model into the run's folder, which exists.

    Args:
        run: its configurations are resolved.
        prepared: its data.
        start: where it begins.

    Returns:
        The finished model; None where the run was only described.

    Raises:
        DataError: the data is not fit for teacher forcing.
        Seq2SeqError: training diverged.

    """
    assert run.train.shards is not None
    share_cores(run.train.shards)
    keras.utils.set_random_seed(run.train.seed)
    record = {
        "trained_on": {**origin(run.dataset), **prepared.sizes()},
        "train": training_record(run.train),
        "signature": dict(run.signature),
        "versions": versions(),
    }
    task = prepared.task(run, record)
    for line in task.describe():
        run.report(line)
    if not look(task, run):
        return None
    progress = fit(task, run, start)
    bundle = dataclasses.replace(task.bundle, weights=export_weights(task.model.models))
    outcome = task.outcome(bundle, progress)
    save_bundle(bundle, metrics=outcome.metrics, history=progress.history, canary=outcome.canary)
    for line in outcome.lines:
        run.report(line)
    return bundle


def origin(dataset: Dataset) -> dict[str, Any]:
    """Says where the data came from, for the model folder."""
    return {
        "name": dataset.name,
        "origin": dataset.origin,
        "paths": {part: str(path.resolve()) for part, path in dataset.paths.items()},
        "sha256": dataset.sha256,
        "licence": dataset.licence,
    }


def versions() -> dict[str, str]:
    """Names the versions that trained a model."""
    return {
        "seq2seq": __version__,
        "python": sys.version.split()[0],
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }

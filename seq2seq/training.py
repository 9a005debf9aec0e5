"""Trains a model: batches in, a checkpoint after each epoch, the best weights at the end."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from seq2seq.backend import keras, tf
from seq2seq.checkpoints import (
    Progress,
    best_weights,
    current_checkpoint,
    load_arrays,
    load_progress,
    save_checkpoint,
)
from seq2seq.config import TrainingConfig
from seq2seq.errors import DataError, Seq2SeqError
from seq2seq.models.step import Trainable, make_optimizer, make_train_step, shard_count
from seq2seq.models.weights import export_weights, import_weights

CHECK_EVERY = 20  # steps between looks at the loss; each look waits for the device


class Scores(NamedTuple):
    """What validation says after an epoch."""

    loss: float  # nats per symbol
    others: dict[str, float]  # by name, such as chrf; higher is better
    examples: list[str]  # lines to print


class Task(Protocol):
    """What training needs beyond the model: the data and its validation."""

    @property
    def model(self) -> Trainable:
        """The model."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass over the training part."""

    def epoch(self, generator: np.random.Generator) -> Iterator[list[np.ndarray]]:
        """Yields the arrays of each batch of one pass."""

    def initial_carry(self) -> list[np.ndarray]:
        """Returns the states the first batch of an epoch starts from."""

    def validate(self) -> Scores:
        """Scores the model as it is."""


class Clock:
    """Knows when a run must end: progress from 0 to 1, in steps or in minutes, whichever is further."""

    def __init__(self, config: TrainingConfig, *, total_steps: int, started: float, before: float) -> None:
        """`started` is a reading of time.monotonic(); `before` counts the seconds of earlier parts of the run."""
        self.total_steps = total_steps
        self.started = started - before
        self.budget = math.inf if config.max_minutes is None else 60 * config.max_minutes
        self.reserve = 2.0  # seconds for the last validation and for writing

    def seconds(self) -> float:
        """Wall clock of the run so far."""
        return time.monotonic() - self.started

    def progress(self, step: int) -> float:
        """Share of the run that is over."""
        return min(1.0, max(step / self.total_steps, self.seconds() / max(self.budget - self.reserve, 1e-9)))


def learning_rate(config: TrainingConfig, *, step: int, progress: float) -> float:
    """Returns the learning rate of a step: a linear rise, then the schedule's fall to a hundredth.

    Source: cosine: Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    """
    rise = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    fall = {
        "cosine": 0.5 * (1 + math.cos(math.pi * progress)),
        "linear": 1 - progress,
        "constant": 1.0,
    }[config.schedule]
    return config.learning_rate * rise * max(fall, 0.01)


def seed_states(models: list[keras.Model]) -> dict[str, keras.Variable]:
    """Names the state of every random generator in the models (dropout's)."""
    return {
        f"{layer.name}.{index}": variable
        for model in models
        for layer in model.layers
        for index, variable in enumerate(layer.non_trainable_variables)
    }


def restart_point(checkpoint: Path, models: list[keras.Model], optimizer: keras.optimizers.Optimizer) -> Progress:
    """Puts models, optimiser and random states back to where a checkpoint left them."""
    import_weights(models, load_arrays(checkpoint / "weights.safetensors"), where=str(checkpoint))
    state = load_arrays(checkpoint / "state.safetensors")
    for name, variable in training_state(models, optimizer).items():
        variable.assign(state[name].reshape(variable.shape))
    return load_progress(checkpoint)


def training_state(models: list[keras.Model], optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Names everything but weights that the next step depends on."""
    slots = {f"optimizer.{index}": variable for index, variable in enumerate(optimizer.variables)}
    return {**slots, **{f"seed.{name}": variable for name, variable in seed_states(models).items()}}


def fit(
    task: Task,
    config: TrainingConfig,
    folder: Path,
    *,
    started: float,
    report: Callable[[str], None],
    check: Callable[[list[np.ndarray]], None] = lambda arrays: None,
) -> Progress:
    """Trains until an end that `config` names, then leaves the best weights in the model.

    Args:
        task: model and data.
        config: epochs must be resolved (not None).
        folder: exists; checkpoints are written into it, and a run found there goes on.
        started: time.monotonic() of the command's start, for --max-minutes.
        report: receives lines for the user.
        check: refuses the arrays of the first batch by raising.

    Returns:
        The progress at the end.

    Raises:
        DataError: the first batch is not fit for teacher forcing.
        Seq2SeqError: the loss is not a number.

    """
    assert config.epochs is not None
    optimizer = make_optimizer(config)
    step = make_train_step(task.model, optimizer, config, shards=shard_count(config.batch_size))
    checkpoint = current_checkpoint(folder)
    progress = restart_point(checkpoint, task.model.models, optimizer) if checkpoint else Progress()
    if checkpoint:
        report(f"goes on after epoch {progress.epoch}")
    total = config.epochs * task.steps_per_epoch
    if config.max_steps is not None:
        total = min(total, config.max_steps)
    clock = Clock(config, total_steps=total, started=started, before=progress.seconds)
    while not over(progress, config, clock):
        number = progress.epoch + 1
        generator = np.random.default_rng([config.seed, number])
        loss, progress = one_epoch(task, step, config, progress, clock, generator, check)
        validation_began = time.monotonic()
        scores = task.validate()
        clock.reserve = max(clock.reserve, 1.5 * (time.monotonic() - validation_began) + 1.0)
        progress = judged(progress, config, scores, train_loss=loss, seconds=clock.seconds())
        save_checkpoint(
            folder,
            progress,
            weights=export_weights(task.model.models),
            state={name: np.array(variable) for name, variable in training_state(task.model.models, optimizer).items()},
        )
        for line in (epoch_line(progress, config), *scores.examples):
            report(line)
    import_weights(task.model.models, best_weights(folder, progress), where=str(folder))
    return progress


def over(progress: Progress, config: TrainingConfig, clock: Clock) -> bool:
    """Tells whether the run has come to its end."""
    if config.patience is not None and progress.epochs_without_better >= config.patience:
        return True
    return progress.epoch > 0 and clock.progress(progress.step) >= 1.0


def one_epoch(
    task: Task,
    step: Callable[..., Any],
    config: TrainingConfig,
    progress: Progress,
    clock: Clock,
    generator: np.random.Generator,
    check: Callable[[list[np.ndarray]], None],
) -> tuple[float, Progress]:
    """Makes one pass over the data, or as much of it as the run's end allows; returns nats per symbol."""
    sums: list[tuple[Any, Any]] = []
    nats = count = 0.0
    done = progress.step
    carry: list[Any] = task.initial_carry()
    for arrays in task.epoch(generator):
        share = clock.progress(done)
        if share >= 1.0 and done:
            break
        if done == 0:
            check(arrays)
        rate = np.float32(learning_rate(config, step=done, progress=share))
        result = step([tf.constant(array) for array in arrays], [tf.constant(state) for state in carry], rate)
        carry = result.carry
        sums.append((result.nats, result.count))
        done += 1
        if done % CHECK_EVERY == 0 or done == 1:
            nats, count = add_sums(sums, nats, count, done)
    nats, count = add_sums(sums, nats, count, done)
    return nats / max(count, 1.0), dataclasses.replace(progress, epoch=progress.epoch + 1, step=done)


def add_sums(sums: list[tuple[Any, Any]], nats: float, count: float, step: int) -> tuple[float, float]:
    """Adds what the last steps returned, in float64, and empties the list."""
    for one, other in sums:
        nats += float(one)
        count += float(other)
    sums.clear()
    if not math.isfinite(nats):
        raise Seq2SeqError(
            f"the loss is not a number at step {step}; lower --learning-rate or give --clip-norm 1, "
            "then start anew with --overwrite"
        )
    return nats, count


def judged(
    progress: Progress, config: TrainingConfig, scores: Scores, *, train_loss: float, seconds: float
) -> Progress:
    """Adds an epoch's scores to the history and says whether it is the best so far."""
    values = {"loss": -scores.loss, **scores.others}
    score = values.get(config.early_stop_metric)
    if score is None:
        raise DataError(
            f"--early-stop-metric {config.early_stop_metric}: is not a score of this kind of model; "
            f"give one of {', '.join(values)}"
        )
    better = progress.best_score is None or score > progress.best_score
    row = {
        "epoch": progress.epoch,
        "step": progress.step,
        "seconds": round(seconds, 1),
        "train_loss": train_loss,
        "loss": scores.loss,
        **scores.others,
    }
    return dataclasses.replace(
        progress,
        seconds=seconds,
        best_epoch=progress.epoch if better else progress.best_epoch,
        best_score=score if better else progress.best_score,
        epochs_without_better=0 if better else progress.epochs_without_better + 1,
        history=[*progress.history, row],
    )


def epoch_line(progress: Progress, config: TrainingConfig) -> str:
    """Describes the last epoch in one line."""
    row: Mapping[str, float] = progress.history[-1]
    scores = "".join(
        f"  {name} {value:.1f}" if name == "chrf" else f"  {name} {value:.3f}"
        for name, value in row.items()
        if name not in ("epoch", "step", "seconds", "train_loss", "loss")
    )
    mark = " *" if progress.best_epoch == progress.epoch else ""
    return (
        f"epoch {progress.epoch}/{config.epochs}  {row['seconds']:.0f} s  train {row['train_loss']:.3f}  "
        f"validation {row['loss']:.3f}{scores}{mark}"
    )

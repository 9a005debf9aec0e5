"""The training loop: a step for each batch, then validation and a checkpoint; the best weights at the end."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from seq2seq.config import TrainingConfig
from seq2seq.errors import DataError
from seq2seq.models.averaging import WeightAverage
from seq2seq.models.backend import keras, tf
from seq2seq.models.step import StepResult, make_optimizer, make_train_step
from seq2seq.models.weights import export_weights, import_weights
from seq2seq.terminal import LiveLine, shows_colours
from seq2seq.training.checkpoints import Progress, best_weights, continues
from seq2seq.training.divergence import check_loss, check_weights
from seq2seq.training.events import Events
from seq2seq.training.live_curves import curves_block
from seq2seq.training.restart import export_state, restore
from seq2seq.training.run_folder import Saver
from seq2seq.training.run_views import write_views
from seq2seq.training.schedule import Clock, describe_change, epoch_number, learning_rate, total_steps
from seq2seq.training.task import Run, Scores, Start, Task

FIRST_EPOCHS = 2  # without warnings: every model shows these symptoms at first
SAVE_SECONDS = 600.0  # between checkpoints within a long epoch
CHECK_EVERY = 20  # steps between two readings of the loss; each reading waits for the device


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trainer:
    """What stays the same in all epochs of a run."""

    task: Task
    config: TrainingConfig
    optimizer: keras.optimizers.Optimizer
    average: WeightAverage | None
    step: Callable[..., StepResult]
    clock: Clock
    saver: Saver
    live: LiveLine
    events: Events

    def save(self, progress: Progress, carry: list[Any], weights: Mapping[str, np.ndarray] | None = None) -> None:
        """Writes a checkpoint; `weights` are the model's weights, or their average, if they were already copied."""
        models = self.task.model.models
        state = export_state(models, self.optimizer, self.average, carry)
        if weights is None:
            with self.averaged():
                weights = export_weights(models)
        self.saver.save(progress, weights=weights, state=state)
        self.events.flush()

    def show(self, progress: Progress) -> None:
        """Puts the curves so far above the progress line."""
        self.live.above = partial(curves_block, progress.history, colour=shows_colours())

    def averaged(self) -> AbstractContextManager[None]:
        """Puts the average of the weights into the model for a while, if the run keeps one."""
        return self.average.in_models() if self.average else contextlib.nullcontext()


def fit(task: Task, run: Run, start: Start) -> Progress:
    """Trains until one of the run's limits is reached, then puts the best weights into the model.

    With an average of the weights, that average is scored and saved; training goes on with the weights themselves.

    Args:
        task: model and data.
        run: resolved; its folder exists and receives the checkpoints.
        start: where the run starts.

    Returns:
        The progress at the end.

    Raises:
        DataError: the first batch is not correctly shifted.
        Seq2SeqError: training diverged: a loss or a weight is not a number.

    """
    config, report = run.train, run.report
    assert config.shards is not None
    events = Events(run.tensorboard, continues=start.checkpoint is not None)
    optimizer = make_optimizer(config)
    average = WeightAverage(task.model.models, config.average) if config.average else None
    if run.others:
        step = run.others.make_step(task.model, optimizer, config)
    else:
        step = make_train_step(task.model, optimizer, config, shards=config.shards)
    progress = Progress()
    carry: list[np.ndarray] = []
    if start.checkpoint:
        progress, carry = restore(start.checkpoint, task.model.models, optimizer, average)
        report(continues(progress))
        write_views(run.folder, progress)  # the last process may have ended before it could
    if start.before:
        report(describe_change(start.before, config, progress, steps_per_epoch=task.steps_per_epoch))
    total = total_steps(config, task.steps_per_epoch)
    clock = Clock(config, total_steps=total, started=run.started, before=progress.seconds)
    saver, live = Saver(run, start), LiveLine()
    trainer = Trainer(
        task=task,
        config=config,
        optimizer=optimizer,
        average=average,
        step=step,
        clock=clock,
        saver=saver,
        live=live,
        events=events,
    )
    with contextlib.closing(events):
        progress = train_epochs(trainer, run, progress, carry)
    live.keep_above()
    import_weights(task.model.models, best_weights(run.folder, progress), where=str(run.folder))
    return progress


def train_epochs(trainer: Trainer, run: Run, progress: Progress, carry: list[Any]) -> Progress:
    """Trains, validates and saves epoch by epoch until the run is over; `progress` and `carry` as in `one_epoch`."""
    task, config, clock = trainer.task, trainer.config, trainer.clock
    trainer.show(progress)
    while not is_over(progress, config, clock):
        with trainer.live:
            tally, reached = one_epoch(trainer, progress, carry)
        carry = []
        if reached.step == progress.step - progress.within:  # the time was up before a first step of this epoch
            break
        speed = tally.speed
        validation_began = time.monotonic()
        with trainer.averaged():
            weights = export_weights(task.model.models)
            check_weights(weights, reached.step)
            with np.errstate(over="ignore", invalid="ignore"):  # of a model that the next line refuses
                scores = task.validate()
        check_loss(scores.loss, "the validation loss", reached.step)
        # enough for the last validation, and for the translation of both held-out parts at the end
        clock.reserve = max(clock.reserve, 5 * (time.monotonic() - validation_began) + 3.0)
        progress = with_scores(reached, config, scores, train_loss=tally.loss, speed=speed, seconds=clock.seconds())
        others = {f"score/{name}": value for name, value in scores.others.items()}
        trainer.events.add(progress.step, {"loss/validation": scores.loss, **others})
        trainer.save(progress, [], weights)
        trainer.show(progress)
        symptoms = scores.symptoms if progress.epoch > FIRST_EPOCHS else ()
        warnings = (f"    warning {symptom}; python -m seq2seq.doctor --explain {symptom[:3]}" for symptom in symptoms)
        for line in (epoch_line(progress, config, scores), *scores.examples, *warnings):
            run.report(line)
    return progress


def is_over(progress: Progress, config: TrainingConfig, clock: Clock) -> bool:
    """Returns whether the run has reached one of its limits. An epoch that has begun is at least validated."""
    if progress.within:
        return False
    if config.patience is not None and progress.epochs_without_better >= config.patience:
        return True
    return progress.epoch > 0 and clock.progress(progress.step) >= 1.0


class Tally:
    """Sums over an epoch, in float64. Results stay on the device until `settle`, since reading one waits for it."""

    def __init__(self, nats: float = 0.0, count: float = 0.0) -> None:
        self.pending: list[tuple[Any, Any]] = []
        self.nats, self.count, self.counted_before = nats, count, count
        self.recent = 0.0  # nats per symbol of the steps that `settle` added last
        self.began = time.monotonic()

    def add(self, nats: Any, count: Any) -> None:
        """Keeps the sums of a step, which may still be computed."""
        self.pending.append((nats, count))

    def settle(self, step: int) -> None:
        """Waits for the steps so far and adds their sums.

        Raises:
            Seq2SeqError: training diverged: a loss or a weight is not a number.

        """
        nats_before, count_before = self.nats, self.count
        for nats, count in self.pending:
            self.nats += float(nats)
            self.count += float(count)
        self.pending.clear()
        self.recent = (self.nats - nats_before) / max(self.count - count_before, 1.0)
        check_loss(max(self.loss, self.recent), "the loss", step)

    @property
    def loss(self) -> float:
        """Nats per symbol."""
        return self.nats / max(self.count, 1.0)

    @property
    def speed(self) -> float:
        """Target symbols per second."""
        return (self.count - self.counted_before) / max(time.monotonic() - self.began, 1e-9)


def one_epoch(trainer: Trainer, progress: Progress, carry: list[Any]) -> tuple[Tally, Progress]:
    """Trains to the end of an epoch or of the run, and writes a checkpoint every SAVE_SECONDS.

    `progress` may be within an epoch; its first steps are then skipped, and `carry` has the states after them.
    """
    task, config, clock = trainer.task, trainer.config, trainer.clock
    tally = Tally(progress.nats, progress.count)
    done, saved = progress.step, time.monotonic()
    carry = carry or task.initial_carry()
    generator = np.random.default_rng([config.seed, progress.epoch + 1])
    for index, arrays in enumerate(task.epoch(generator), 1):
        if index <= progress.within:
            continue
        share = clock.progress(done)
        if share >= 1.0 and done:
            break
        if done == 0:
            task.check(arrays)
        rate = np.float32(learning_rate(config, step=done, progress=share))
        result = trainer.step([tf.constant(array) for array in arrays], [tf.constant(state) for state in carry], rate)
        carry = result.carry
        tally.add(result.nats, result.count)
        done += 1
        if trainer.average is not None:
            trainer.average.update(done)
        if done % CHECK_EVERY == 0 or done == 1:
            settle(trainer, tally, done, rate)
            shown = epoch_number(progress.epoch + 1, config), f"loss {tally.loss:.3f}"
            trainer.live.show(clock.progress(done), *shown, f"{tally.speed / 1000:.1f} k symbols/s")
            if time.monotonic() - saved > SAVE_SECONDS:
                reached = dataclasses.replace(progress, step=done, within=index, nats=tally.nats, count=tally.count)
                trainer.save(dataclasses.replace(reached, seconds=clock.seconds()), carry)
                saved = time.monotonic()
    if tally.pending:
        settle(trainer, tally, done, rate)
    return tally, dataclasses.replace(progress, epoch=progress.epoch + 1, step=done, within=0, nats=0.0, count=0.0)


def settle(trainer: Trainer, tally: Tally, step: int, rate: np.float32) -> None:
    """Waits for the steps so far; `rate` is the learning rate of the last one."""
    tally.settle(step)
    trainer.events.add(step, {"loss/training": tally.recent, "learning_rate": float(rate)})


def with_scores(
    progress: Progress, config: TrainingConfig, scores: Scores, *, train_loss: float, speed: float, seconds: float
) -> Progress:
    """Adds the scores of an epoch to the history, and compares it with the best so far."""
    values = {"loss": -scores.loss, **scores.others}
    score = values.get(config.early_stop_metric or "loss")
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
        "symbols_per_second": round(speed),
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
        samples=[*progress.samples, *[[]] * (progress.epoch - 1 - len(progress.samples)), scores.examples],
    )


def epoch_line(progress: Progress, config: TrainingConfig, scores: Scores) -> str:
    """Describes the last epoch in one line."""
    row = progress.history[-1]
    others = "".join(f"  {name} {value:.{1 if name == 'chrf' else 3}f}" for name, value in scores.others.items())
    mark = " *" if progress.best_epoch == progress.epoch else ""
    return (
        f"{epoch_number(progress.epoch, config)}  {row['seconds']:.0f} s  {row['symbols_per_second'] / 1000:.1f} k/s  "
        f"train {row['train_loss']:.3f}  validation {row['loss']:.3f}{others}{mark}"
    )

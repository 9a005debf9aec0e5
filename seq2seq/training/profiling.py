"""Looks at a training run before it is made: batches, padding, memory, minutes, and where a step's time goes."""

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2seq.config import TrainingConfig
from seq2seq.models.backend import tf
from seq2seq.models.step import (
    Trainable,
    make_optimizer,
    make_train_step,
    make_validation_step,
    smoothed_nats,
    split_rows,
    symbol_nats,
)
from seq2seq.special import PAD
from seq2seq.training.task import Run, Task

TIMED = 10  # batches that are timed, spread over all sizes
REPEATS = 3
SHARES = (0, 25, 50, 75, 100)  # percentiles that are shown


class Size(NamedTuple):
    """The shape of one batch."""

    rows: int
    source: int  # symbols of the longest source, END included; 0 for a language model
    target: int  # places of the targets
    real: int  # places that hold a symbol, sources and targets together
    symbols: int  # target symbols that count

    @property
    def places(self) -> int:
        """Places of sources and targets, padding included."""
        return self.rows * (self.source + self.target)


def size_of(arrays: Sequence[np.ndarray]) -> Size:
    """Measures a batch: [source_ids,] inputs, targets, weights."""
    sources = arrays[0] if len(arrays) == 4 else np.empty((0, 0), np.int32)
    weights = arrays[-1]
    symbols = int(weights.sum())
    real = int((sources != PAD).sum()) + symbols
    return Size(weights.shape[0], sources.shape[1], weights.shape[1], real, symbols)


def sizes_of_epoch(task: Task, config: TrainingConfig) -> list[Size]:
    """Measures every batch of the first epoch."""
    return [size_of(arrays) for arrays in task.epoch(np.random.default_rng([config.seed, 1]))]


def chosen_batches(task: Task, config: TrainingConfig, sizes: Sequence[Size]) -> list[list[np.ndarray]]:
    """Returns some batches of the first epoch, from the smallest to the largest."""
    order = sorted(range(len(sizes)), key=lambda index: sizes[index].places)
    wanted = {order[round(share * (len(order) - 1))] for share in np.linspace(0, 1, TIMED)}
    batches = enumerate(task.epoch(np.random.default_rng([config.seed, 1])))
    found = [arrays for index, arrays in batches if index in wanted]
    return sorted(found, key=lambda arrays: size_of(arrays).places)


def describe_batches(sizes: Sequence[Size]) -> list[str]:
    """Says how many batches an epoch has, their shapes, and how much of them is padding."""
    places, real = sum(size.places for size in sizes), sum(size.real for size in sizes)
    lines = [
        f"batches: {len(sizes)} an epoch, {max(size.rows for size in sizes)} rows each, "
        f"{sum(size.symbols for size in sizes):,} target symbols",
        f"padding: {1 - real / max(places, 1):.1%} of {places:,} places",
        f"shapes: {len({size[:3] for size in sizes})} different ones (no program is compiled for a shape)",
    ]
    rows = {"longest source": [size.source for size in sizes], "longest target": [size.target for size in sizes]}
    for name, values in rows.items():
        if any(values):
            shown = ", ".join(f"{share} %: {np.percentile(values, share):.0f}" for share in SHARES)
            lines.append(f"{name} of a batch, percentiles: {shown}")
    return lines


class Parts(NamedTuple):
    """Seconds of one step on one batch, and what they consist of."""

    feeding: float
    forward: float
    backward: float
    update: float
    whole: float  # of the step as training takes it
    validation: float


class Profile(NamedTuple):
    """What was timed."""

    parts: list[Parts]  # of each batch
    sizes: list[Size]
    tracing: float  # seconds, once: until the first step was made
    peak: float | None  # MiB of this process, the largest batch included; None where the system does not say


def measure(task: Task, config: TrainingConfig, batches: Sequence[Sequence[np.ndarray]], *, parts: bool) -> Profile:
    """Times steps on these batches and leaves the model as it was.

    Args:
        task: model and data.
        config: with resolved shards.
        batches: arrays.
        parts: also time what a step consists of; if not, forward, backward and update are 0.

    """
    assert config.shards is not None
    shards = config.shards
    variables = [variable for model in task.model.models for variable in model.variables]
    before = [variable.numpy() for variable in variables]
    step = make_train_step(task.model, make_optimizer(config), config, shards=shards)
    forward, gradients = part_functions(task.model, config, shards)
    validation = make_validation_step(task.model)
    rate = np.float32(0)
    carry = [tf.constant(state) for state in task.initial_carry()]
    began = time.perf_counter()
    wait(step([tf.constant(array) for array in batches[0]], carry, rate))
    tracing = time.perf_counter() - began
    found = []
    for arrays in batches:
        feeding = seconds(lambda arrays=arrays: [tf.constant(array) for array in arrays])  # type: ignore[misc]
        fed = [tf.constant(array) for array in arrays]
        whole = seconds(lambda fed=fed: step(fed, carry, rate))  # type: ignore[misc]
        ahead = both = checked = 0.0
        if parts:
            ahead = seconds(lambda fed=fed: forward(fed, carry))  # type: ignore[misc]
            both = seconds(lambda fed=fed: gradients(fed, carry))  # type: ignore[misc]
            checked = seconds(lambda fed=fed: validation(fed, carry))  # type: ignore[misc]
        found.append(Parts(feeding, ahead, max(both - ahead, 0.0), max(whole - both, 0.0), whole, checked))
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    return Profile(found, [size_of(arrays) for arrays in batches], tracing, peak_memory())


def part_functions(model: Trainable, config: TrainingConfig, shards: int) -> tuple[Callable[..., Any], ...]:
    """Compiles two beginnings of a step: (arrays, carry) -> the loss, and -> the loss and its gradients."""
    variables = [variable for part in model.models for variable in part.trainable_variables]
    signature = [model.signature, model.carry_signature]

    def loss_of(arrays: Sequence[Any], carry: Sequence[Any]) -> Any:
        result = model.forward(arrays, carry, training=True)
        nats = smoothed_nats(symbol_nats(result.logits, result.targets), result.logits, config.label_smoothing)
        return tf.reduce_sum(nats * result.weights)

    @tf.function(input_signature=signature)
    def forward(arrays: list[Any], carry: list[Any]) -> Any:
        return tf.add_n([loss_of(*part) for part in split_rows(arrays, carry, shards)])

    @tf.function(input_signature=signature)
    def gradients(arrays: list[Any], carry: list[Any]) -> Any:
        shares = []
        for part in split_rows(arrays, carry, shards):
            with tf.GradientTape() as tape:
                loss = loss_of(*part)
            values = tape.gradient(loss, [variable.value for variable in variables])
            shares.append([tf.convert_to_tensor(value) for value in values])
        return [tf.add_n(list(several)) for several in zip(*shares, strict=True)]

    return forward, gradients


def seconds(action: Callable[[], Any]) -> float:
    """Returns the median time of an action, which is made once before."""
    wait(action())
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        wait(action())
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def wait(result: Any) -> None:
    """Waits until the device has computed a result."""
    for tensor in tf.nest.flatten(result):
        tensor.numpy()


def peak_memory() -> float | None:
    """Returns the largest resident set of this process so far, in MiB."""
    try:
        import resource  # absent on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def describe_cost(profile: Profile, sizes: Sequence[Size], config: TrainingConfig) -> list[str]:
    """Says how long an epoch takes and how much memory."""
    timed = sum(size.places for size in profile.sizes)
    step_seconds = sum(part.whole + part.feeding for part in profile.parts)
    epoch = step_seconds / timed * sum(size.places for size in sizes)
    speed = sum(size.symbols for size in profile.sizes) / step_seconds
    lines = [
        f"time: {epoch / 60:.1f} minutes an epoch and its validation besides ({speed / 1000:.1f} thousand target "
        f"symbols a second, {len(profile.parts)} batches timed); {profile.tracing:.1f} s once, to trace the step"
    ]
    if config.epochs and config.max_minutes is None and config.max_steps is None:
        lines.append(f"in all: {config.epochs * epoch / 60:.0f} minutes for {config.epochs} epochs")
    if profile.peak is not None:
        lines.append(f"memory: {profile.peak:,.0f} MiB, TensorFlow and the largest batch included")
    return lines


def describe_parts(profile: Profile, making: float) -> list[str]:
    """Writes the table of a step's parts; `making` is the time of making a batch, in seconds."""
    names = {
        "input pipeline": "feeding",
        "forward": "forward",
        "backward": "backward",
        "clipping and update": "update",
    }
    profile = profile._replace(parts=[part._replace(feeding=part.feeding + making) for part in profile.parts])
    whole = sum(part.whole + part.feeding for part in profile.parts)
    count = len(profile.parts)
    lines = [f"{'part of a step':<22}{'ms':>8}{'share':>8}"]
    for name, field in names.items():
        total = sum(getattr(part, field) for part in profile.parts)
        lines.append(f"{name:<22}{1000 * total / count:>8.1f}{total / whole:>8.0%}")
    lines.append(f"{'the whole step':<22}{1000 * whole / count:>8.1f}{1:>8.0%}")
    checked = sum(part.validation for part in profile.parts)
    lines.append(f"{'(validation instead)':<22}{1000 * checked / count:>8.1f}{checked / whole:>8.0%}")
    return lines


def making_seconds(task: Task, config: TrainingConfig, most: int = 100) -> float:
    """Returns how long it takes to make a batch: padding and shifting, without a device."""
    batches = task.epoch(np.random.default_rng([config.seed, 2]))
    next(batches)  # the plan of the epoch is made with its first batch
    began = time.perf_counter()
    count = sum(1 for _ in itertools.islice(batches, most))
    return (time.perf_counter() - began) / max(count, 1)


def look(task: Task, run: Run) -> bool:
    """Says what `--dry-run` and `--profile` ask for.

    Args:
        task: model and data.
        run: with resolved configurations.

    Returns:
        Whether training goes on.

    """
    if not (run.dry_run or run.profile):
        return True
    sizes = sizes_of_epoch(task, run.train)
    measured = measure(task, run.train, chosen_batches(task, run.train, sizes), parts=run.profile)
    lines = [*describe_batches(sizes), *describe_cost(measured, sizes, run.train)] if run.dry_run else []
    if run.profile:
        lines += describe_parts(measured, making_seconds(task, run.train))
    for line in lines:
        run.report(line)
    return not run.dry_run

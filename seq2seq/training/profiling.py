"""Measures a training run before it starts: batches, padding, memory, minutes, and the time of each part of a step."""

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
    objective,
    split_rows,
    symbol_nats,
)
from seq2seq.special import PAD
from seq2seq.training.task import Task

TIMED = 10  # batches that are timed, from the smallest to the largest
REPEATS = 3  # of which the median counts
SHARES = (0, 25, 50, 75, 100)  # percentiles that are shown


class Size(NamedTuple):
    """The shape of one batch."""

    rows: int
    source: int  # symbols of the longest source, END included; 0 for a language model
    target: int  # positions of the targets
    real: int  # positions that are not padding, sources and targets together
    symbols: int  # target symbols that count

    @property
    def positions(self) -> int:
        """Positions of sources and targets, padding included."""
        return self.rows * (self.source + self.target)


def size_of(arrays: Sequence[np.ndarray]) -> Size:
    """Measures a batch: [source_ids, ...] inputs, targets, weights."""
    sources = arrays[0] if len(arrays) > 3 else np.empty((0, 0), np.int32)
    weights = arrays[-1]
    symbols = int(weights.sum())
    real = int((sources != PAD).sum()) + symbols
    return Size(weights.shape[0], sources.shape[1], weights.shape[1], real, symbols)


def chosen_batches(task: Task, config: TrainingConfig, sizes: Sequence[Size]) -> list[list[np.ndarray]]:
    """Returns up to TIMED batches of the first epoch, from the smallest to the largest."""
    order = sorted(range(len(sizes)), key=lambda index: sizes[index].positions)
    wanted = {order[round(share * (len(order) - 1))] for share in np.linspace(0, 1, TIMED)}
    batches = enumerate(task.epoch(np.random.default_rng([config.seed, 1])))
    found = [arrays for index, arrays in batches if index in wanted]
    return sorted(found, key=lambda arrays: size_of(arrays).positions)


def describe_batches(sizes: Sequence[Size]) -> list[str]:
    """Describes the batches of an epoch: their number, their shapes, and their share of padding."""
    positions, real = sum(size.positions for size in sizes), sum(size.real for size in sizes)
    lines = [
        f"batches: {len(sizes)} per epoch, {max(size.rows for size in sizes)} rows each, "
        f"{sum(size.symbols for size in sizes):,} target symbols",
        f"padding: {1 - real / max(positions, 1):.1%} of {positions:,} positions",
        f"shapes: {len({size[:3] for size in sizes})} different ones (the step is traced once for all of them)",
    ]
    rows = {"longest source": [size.source for size in sizes], "longest target": [size.target for size in sizes]}
    for name, values in rows.items():
        if any(values):
            shown = ", ".join(f"{share} %: {np.percentile(values, share):.0f}" for share in SHARES)
            lines.append(f"{name} of a batch, percentiles: {shown}")
    return lines


class Parts(NamedTuple):
    """Seconds that each part of one step takes on one batch."""

    feeding: float
    forward: float
    backward: float
    update: float
    whole: float  # the step as in training
    validation: float


class Profile(NamedTuple):
    """The results of `measure`."""

    parts: list[Parts]  # of each batch
    sizes: list[Size]
    tracing: float  # seconds of the first step, which TensorFlow traces
    peak: float | None  # MiB of this process, the largest batch included; None if the system does not report it


def measure(task: Task, config: TrainingConfig, batches: Sequence[Sequence[np.ndarray]], *, parts: bool) -> Profile:
    """Times steps on the given batches, and leaves the model as it was.

    Args:
        task: model and data.
        config: resolved.
        batches: the arrays of each.
        parts: whether to time each part of a step; otherwise these times are 0.

    """
    assert config.shards is not None
    shards = config.shards
    variables = [variable for model in task.model.models for variable in model.variables]
    before = [variable.numpy() for variable in variables]
    step = make_train_step(task.model, make_optimizer(config), config, shards=shards)
    forward, gradients = part_functions(task.model, config, shards)
    validation = make_validation_step(task.model)
    rate = np.float32(0)
    carry = constants(task.initial_carry())
    began = time.perf_counter()
    wait(step(constants(batches[0]), carry, rate))
    tracing = time.perf_counter() - began
    found = []
    for arrays in batches:
        feeding = seconds(constants, arrays)
        fed = constants(arrays)
        whole = seconds(step, fed, carry, rate)
        ahead = both = checked = 0.0
        if parts:
            ahead, both, checked = (seconds(action, fed, carry) for action in (forward, gradients, validation))
        found.append(Parts(feeding, ahead, max(both - ahead, 0.0), max(whole - both, 0.0), whole, checked))
    for variable, value in zip(variables, before, strict=True):
        variable.assign(value)
    return Profile(found, [size_of(arrays) for arrays in batches], tracing, peak_memory())


def constants(arrays: Sequence[np.ndarray]) -> list[Any]:
    """Copies arrays to the device."""
    return [tf.constant(array) for array in arrays]


def part_functions(model: Trainable, config: TrainingConfig, shards: int) -> tuple[Callable[..., Any], ...]:
    """Compiles two functions of (arrays, carry): the loss of a batch, and the gradients of this loss."""
    variables = [variable for part in model.models for variable in part.trainable_variables]
    signature = [model.signature, model.carry_signature]

    def loss_of(arrays: Sequence[Any], carry: Sequence[Any]) -> Any:
        result = model.forward(arrays, carry, training=True)
        nats = objective(result, symbol_nats(result.logits, result.targets), config)
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


def seconds(action: Callable[..., Any], *args: Any) -> float:
    """Returns the median time of a call, after one call that is not timed."""
    wait(action(*args))
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        wait(action(*args))
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def wait(result: Any) -> None:
    """Waits until the device has computed a result."""
    for tensor in tf.nest.flatten(result):
        tensor.numpy()


def peak_memory() -> float | None:
    """Returns the largest resident set size of this process so far, in MiB; None if the system does not report it."""
    try:
        import resource  # absent on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def describe_cost(profile: Profile, sizes: Sequence[Size], config: TrainingConfig) -> list[str]:
    """Describes the time of an epoch and of the whole run, and the memory."""
    timed = sum(size.positions for size in profile.sizes)
    step_seconds = sum(part.whole + part.feeding for part in profile.parts)
    epoch = step_seconds / timed * sum(size.positions for size in sizes)
    speed = sum(size.symbols for size in profile.sizes) / step_seconds
    lines = [
        f"time: {epoch / 60:.1f} minutes per epoch, validation not included ({speed / 1000:.1f} thousand target "
        f"symbols per second, {len(profile.parts)} batches timed); {profile.tracing:.1f} s once, to trace the step"
    ]
    if config.epochs and config.max_minutes is None and config.max_steps is None:
        lines.append(f"total: {config.epochs * epoch / 60:.0f} minutes for {config.epochs} epochs")
    if profile.peak is not None:
        lines.append(f"memory: {profile.peak:,.0f} MiB, TensorFlow and the largest batch included")
    return lines


def describe_parts(profile: Profile, making: float) -> list[str]:
    """Returns the table of the parts of a step; `making` is the time to make one batch, in seconds."""
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


def batch_seconds(task: Task, config: TrainingConfig) -> float:
    """Returns the time to make one batch, in seconds: padding and shifting, without the copy to the device."""
    batches = task.epoch(np.random.default_rng([config.seed, 2]))
    next(batches)  # the first batch also plans the epoch
    began = time.perf_counter()
    count = sum(1 for _ in itertools.islice(batches, 100))
    return (time.perf_counter() - began) / max(count, 1)


def preview(task: Task, config: TrainingConfig, *, describe: bool, profile: bool) -> list[str]:
    """Measures a run before it starts, and leaves the model as it was.

    Args:
        task: model and data.
        config: resolved.
        describe: whether to describe batches, time and memory.
        profile: whether to list how long each part of a step takes.

    Returns:
        Lines to print.

    """
    sizes = [size_of(arrays) for arrays in task.epoch(np.random.default_rng([config.seed, 1]))]
    measured = measure(task, config, chosen_batches(task, config, sizes), parts=profile)
    lines = [*describe_batches(sizes), *describe_cost(measured, sizes, config)] if describe else []
    return [*lines, *describe_parts(measured, batch_seconds(task, config))] if profile else lines

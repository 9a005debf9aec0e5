"""The limits of a run, and its learning rate at each step."""

import math
import time

from seq2seq.config import TrainingConfig
from seq2seq.training.checkpoints import Progress

UNLIMITED_EPOCHS = 1_000_000  # of a run whose only limits are steps or minutes
AVERAGE = 0.0  # the default of --average


def total_steps(config: TrainingConfig, steps_per_epoch: int) -> int:
    """Returns the steps of a whole run; a limit in minutes may end it earlier.

    Args:
        config: its number of epochs is resolved.
        steps_per_epoch: steps in one pass over the training part.

    """
    assert config.epochs is not None
    total = config.epochs * steps_per_epoch
    return total if config.max_steps is None else min(total, config.max_steps)


class Clock:
    """Measures the progress of a run from 0 to 1, in steps or in minutes, whichever is further."""

    def __init__(self, config: TrainingConfig, *, total_steps: int, started: float, before: float) -> None:
        """`started` is a reading of time.monotonic(); `before` is the seconds of the run before this process."""
        self.total_steps = total_steps
        self.started = started - before
        self.budget = math.inf if config.max_minutes is None else 60 * config.max_minutes
        self.reserve = 2.0  # seconds, for the last validation and for writing

    def seconds(self) -> float:
        """Returns the wall clock time of the run so far."""
        return time.monotonic() - self.started

    def progress(self, step: int) -> float:
        """Returns the share of the run that is over, 0 to 1."""
        return min(1.0, max(step / self.total_steps, self.seconds() / max(self.budget - self.reserve, 1e-9)))


def learning_rate(config: TrainingConfig, *, step: int, progress: float) -> float:
    """Returns the learning rate of a step: a linear warm-up, then the schedule's decay to a hundredth.

    Source: cosine: Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    """
    assert config.learning_rate is not None
    warm_up = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    decay = {
        "cosine": 0.5 * (1 + math.cos(math.pi * progress)),
        "linear": 1 - progress,
        "constant": 1.0,
    }[config.schedule]
    return config.learning_rate * warm_up * max(decay, 0.01)


def describe_change(before: TrainingConfig, now: TrainingConfig, progress: Progress, *, steps_per_epoch: int) -> str:
    """Describes in one line how the learning rate changes when a run is trained for longer.

    Args:
        before: the options so far.
        now: the options from here on.
        progress: how far the run has come.
        steps_per_epoch: steps in one pass over the training part.

    """

    def described(config: TrainingConfig) -> str:
        total = total_steps(config, steps_per_epoch)
        clock = Clock(config, total_steps=total, started=time.monotonic(), before=progress.seconds)
        rate = learning_rate(config, step=progress.step, progress=clock.progress(progress.step))
        ends = [] if total >= UNLIMITED_EPOCHS * steps_per_epoch else [f"{total:,} steps"]
        ends += [] if config.max_minutes is None else [f"{config.max_minutes:g} minutes"]
        return f"{config.schedule} over {' or '.join(ends)}, {rate:.3g} at step {progress.step:,}"

    return f"learning rate: was {described(before)}; is now {described(now)}"


def epoch_number(number: int, config: TrainingConfig) -> str:
    """Names an epoch, with the number of all epochs if that is known."""
    of = f"/{config.epochs}" if config.max_minutes is None and config.max_steps is None else ""
    return f"epoch {number}{of}"

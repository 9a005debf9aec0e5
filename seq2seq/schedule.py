"""When a run ends, and the learning rate on the way there."""

import math
import time

from seq2seq.config import TrainingConfig


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


def epoch_number(number: int, config: TrainingConfig) -> str:
    """Names an epoch, with how many there will be where that is known."""
    of = f"/{config.epochs}" if config.max_minutes is None and config.max_steps is None else ""
    return f"epoch {number}{of}"

"""What training needs to know of a model and its data."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from seq2seq.config import TrainingConfig
from seq2seq.models.step import Trainable


class Scores(NamedTuple):
    """What validation says after an epoch."""

    loss: float  # nats per symbol
    others: dict[str, float]  # by name, such as chrf; higher is better
    examples: list[str]  # lines to print
    symptoms: Sequence[str] = ()  # what looks wrong, a line each that begins with a code


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


Look = Callable[[Task, TrainingConfig], bool]
"""Sees a task before it is trained; tells whether to train it."""


def train_at_once(task: Task, config: TrainingConfig) -> bool:
    """Looks at nothing."""
    return True

"""The exponential moving average of the weights: kept beside the weights that are trained, and used in their place."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from seq2seq.models.backend import keras, tf

EVERY = 8  # steps between two updates, after the first EVERY steps; an update at each step takes 5 % of a small step


class WeightAverage:
    """Average of the trained weights of models over the steps of a run; later steps count more."""

    def __init__(self, models: Sequence[keras.Model], decay: float) -> None:
        """Starts at the weights that the models have now; each step keeps at most the share `decay` of the average."""
        self.decay = decay
        self.weights = [variable.value for model in models for variable in model.trainable_variables]
        self.averages = [tf.Variable(weight, trainable=False) for weight in self.weights]

    def start(self) -> None:
        """Starts again, at the weights that the models have now."""
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.assign(weight)

    def update(self, step: int) -> None:
        """Takes in the weights after a step, the first of which is 1, if an update is due.

        The first weights are random, so step n keeps at most (1 + n) / (10 + n) of the average.

        Source: Polyak and Juditsky 1992, doi:10.1137/0330046; the start as in tf.train.ExponentialMovingAverage.
        """
        taken = 1 if step <= EVERY else EVERY
        if step % taken == 0:
            self.take_in(1 - min(self.decay, (1 + step) / (10 + step)) ** taken)

    @tf.function(input_signature=[tf.TensorSpec((), tf.float32)])
    def take_in(self, share: Any) -> None:
        """Moves the average towards the weights: by all of the way for a share of 1."""
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.assign_sub(share * (average - weight))

    @contextlib.contextmanager
    def in_models(self) -> Iterator[None]:
        """Puts the average into the models, and in the end the trained weights again, bit for bit."""
        trained = [tf.identity(weight) for weight in self.weights]
        try:
            for average, weight in zip(self.averages, self.weights, strict=True):
                weight.assign(average)
            yield
        finally:
            for weight, value in zip(self.weights, trained, strict=True):
                weight.assign(value)

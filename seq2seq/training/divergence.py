"""Recognises a run that has diverged: its loss or its weights are of no use any more."""

import math
from collections.abc import Mapping

import numpy as np

from seq2seq.errors import Seq2SeqError

EXPLODED = 1e4  # nats per symbol: a thousand times the loss of a guess among all symbols


def check_loss(value: float, what: str, step: int) -> None:
    """Refuses a loss that is not a number, or so large that no model which learns has it.

    Args:
        value: nats per symbol.
        what: the name of the loss, for the message.
        step: the number of the last step.

    Raises:
        Seq2SeqError: training diverged.

    """
    if not math.isfinite(value):
        raise diverged(f"{what} is not a number", step)
    if value > EXPLODED:
        raise diverged(f"{what} is {value:.2g} nats per symbol", step)


def check_weights(weights: Mapping[str, np.ndarray], step: int) -> None:
    """Raises Seq2SeqError, as `check_loss` does, for a weight that is infinite or not a number."""
    if not all(np.isfinite(values).all() for values in weights.values()):
        raise diverged("a weight is not a number", step)


def diverged(what: str, step: int) -> Seq2SeqError:
    """Returns the error of a run whose weights are of no use any more."""
    return Seq2SeqError(
        f"training diverged: {what} at step {step}; lower --learning-rate or give --clip-norm 1, "
        "then start from the beginning with --overwrite"
    )

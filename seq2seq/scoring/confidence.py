"""The intervals of scores, and how many resamples they take."""

from typing import NamedTuple

from seq2seq.errors import OptionError


class Confidence(NamedTuple):
    """A 95 % interval in sacrebleu's form: the mean of the resamples, and half the length of the interval."""

    mean: float
    plus_minus: float


def check_resamples(number: int) -> None:
    """Raises OptionError for a number of resamples that gives no interval."""
    if not isinstance(number, int) or number < 0 or number == 1:
        raise OptionError(f"--bootstrap: expected 0 or at least 2, got {number!r}")

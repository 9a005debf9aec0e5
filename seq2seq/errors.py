"""The errors that a user can cause; the command line prints such an error in one line and exits with status 2."""

from typing import Any

QUOTED_CHARACTERS = 60
SHOWN_CHARACTERS = 200


class Seq2SeqError(ValueError):
    """Base of all errors of this package; the message names what was expected, what came, where, and the way out."""


class DataError(Seq2SeqError):
    """A data file, line or array cannot be used."""


class BundleError(Seq2SeqError):
    """A model folder is missing, unfinished, damaged, or has another kind of model."""


class OptionError(Seq2SeqError):
    """An option or configuration key is unknown, out of range or contradicts another."""


class AdoptionError(Seq2SeqError):
    """A model that another program trained cannot be converted."""


class WorkerError(Seq2SeqError):
    """Another worker of a training on several machines never came, ended, or was started with something else."""


def excerpt(line: str | bytes) -> str:
    """Quotes a line for a message; a long line is cut."""
    return repr(line) if len(line) <= QUOTED_CHARACTERS else repr(line[:QUOTED_CHARACTERS]) + "..."


def brief(value: Any) -> str:
    """Returns a value from a file as messages write it; a long one is cut."""
    try:
        text = repr(value)
    except RecursionError:
        return "a deeply nested value"
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."

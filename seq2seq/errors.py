"""The errors a user can cause; the command line prints one as a single line and exits with status 2."""

QUOTED_CHARACTERS = 60


class Seq2SeqError(ValueError):
    """Base of every error of this package: says what was expected, what came, where, and the way out."""


class DataError(Seq2SeqError):
    """A data file, line or array cannot be used."""


class BundleError(Seq2SeqError):
    """A model folder is missing, unfinished, damaged or of another kind."""


class OptionError(Seq2SeqError):
    """An option or configuration key is unknown, out of range or contradicts another."""


class AdoptionError(Seq2SeqError):
    """A model that another program trained cannot be taken over as it is."""


def excerpt(line: str | bytes) -> str:
    """Quotes a line for a message, cut where it is long."""
    return repr(line) if len(line) <= QUOTED_CHARACTERS else repr(line[:QUOTED_CHARACTERS]) + "..."

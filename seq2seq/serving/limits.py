"""The limits of the service as options: what a request may ask for, how often a client may ask, how much may wait."""

from dataclasses import dataclass
from typing import ClassVar

from seq2seq.fields import Config, option


@dataclass(frozen=True, kw_only=True)
class Limits(Config):
    """What a request, a client and all requests together may ask for."""

    section: ClassVar[str] = "serve"

    max_length: int = option(
        500, "most symbols of a source, and of an output", at_least=1, at_most=100_000, metavar="N"
    )
    max_lines: int = option(100, "most lines or prompts of a request", at_least=1, metavar="N")
    max_bytes: int = option(1_000_000, "most bytes of a request's body", at_least=1, metavar="N")
    max_waiting: int = option(
        2000, "most lines of all requests that wait for a model; a request beyond gets status 503", at_least=1,
        metavar="N",
    )  # fmt: skip
    max_streams: int = option(
        8, "most streams, and other requests that are not decoded together, at a time; one beyond gets status 503",
        at_least=1, metavar="N",
    )  # fmt: skip
    rate: float | None = option(
        None, "most requests a minute of a client; one beyond gets status 429", above=0.0, metavar="N"
    )

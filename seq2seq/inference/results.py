"""What translators and language models return: outputs, generated texts and scored targets."""

import math
from typing import Any, NamedTuple


class Scored(NamedTuple):
    """A target for a source, and how probable it is."""

    source: str
    target: str
    log_probs: list[float]  # nats, one a symbol of the target, END's last

    @property
    def score(self) -> float:
        """The sum of the log-probabilities, in nats."""
        return math.fsum(self.log_probs)


class Output(NamedTuple):
    """One result for one line."""

    line: int  # 1-based, in the whole input
    source: str  # as it was read
    text: str
    symbols: list[str]  # of the text, a forced prefix included
    log_probs: list[float]  # nats, one a generated symbol, END's last if it was reached
    score: float  # nats, the sum of `log_probs`
    rank_score: float  # score / max(len(log_probs), 1) ** length_penalty
    finished: bool  # END was reached; otherwise the output was cut off
    seed: int | None  # None: nothing was drawn
    token_ids: list[int]  # of `symbols`, without START and END

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields of a line of jsonl by name: all but the ids."""
        values = self._asdict()
        del values["token_ids"]
        return values


class Generated(NamedTuple):
    """One text."""

    sample: int  # from 1
    prompt: str
    text: str  # begins with the prompt that was given; a stop string is no part of it
    symbols: list[str]  # those that were written; with a stop string also its own
    log_probs: list[float]  # nats, untempered, one a symbol
    finished: bool  # a stop string was reached
    seed: int
    token_ids: list[int]  # of `symbols`

    def to_dict(self) -> dict[str, Any]:
        """Returns the fields of a line of jsonl by name: all but the ids."""
        values = self._asdict()
        del values["token_ids"]
        return values

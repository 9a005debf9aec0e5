"""What translators and language models return: outputs, generated texts and scored targets."""

import math
from typing import Any, NamedTuple


class Scored(NamedTuple):
    """A target of a source, and how probable it is; for a language model, a text after its first symbol."""

    source: str
    target: str
    log_probs: list[float]  # nats, one for each symbol of the target; a translator's has END last

    @property
    def score(self) -> float:
        """The sum of the log-probabilities, in nats."""
        return math.fsum(self.log_probs)


class Output(NamedTuple):
    """One output for one line."""

    line: int  # 1-based, in the whole input
    source: str  # unchanged
    text: str
    symbols: list[str]  # of the text, with a forced prefix
    log_probs: list[float]  # nats, one for each generated symbol; END last if it was reached
    score: float  # nats, the sum of `log_probs`
    rank_score: float  # score / max(len(log_probs), 1) ** length_penalty
    finished: bool  # END was reached; False: the output was cut off
    seed: int | None  # None: not sampled
    token_ids: list[int]  # of `symbols`, without START and END
    looked_up: bool = False  # the text comes from the dictionary; the log-probabilities are the model's for it


class Generated(NamedTuple):
    """One text of a language model."""

    sample: int  # from 1
    prompt: str
    text: str  # begins with the prompt, if one was given; ends before the stop string
    symbols: list[str]  # without the prompt, but with those of the stop string
    log_probs: list[float]  # nats at temperature 1, one for each symbol
    finished: bool  # a stop string was reached
    seed: int
    token_ids: list[int]  # of `symbols`


def fields_of(result: Output | Generated) -> dict[str, Any]:
    """Returns the fields of a line of jsonl, by name: all but the ids; `looked_up` only where it is true."""
    fields = result._asdict()
    return {name: value for name, value in fields.items() if name != "token_ids" and (name != "looked_up" or value)}

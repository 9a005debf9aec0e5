"""What explains one decoded line: each symbol's probability and alternatives, and where the model looked for it."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Alternative:
    """A symbol that could have been next."""

    symbol: str | None  # None: END; an empty string: a transducer deletes the symbol at its position
    probability: float


@dataclass(frozen=True)
class ExplainedSymbol:
    """One symbol of an output. For a transducer, the deletions before a symbol count in its probability."""

    symbol: str | None  # None: END
    probability: float  # the model's own, untempered
    forced: bool  # it comes from the prefix
    alternatives: list[Alternative]  # the most probable first; the chosen one is always among them


@dataclass(frozen=True)
class ExplainedAction:
    """One edit of a transducer."""

    action: str  # "copy", "delete", "substitute", "insert" or "end"
    position: int  # in `source`, from 0
    symbol: str | None  # what it writes
    probability: float


@dataclass(frozen=True)
class TreeNode:
    """A hypothesis of the search."""

    id: int
    parent: int | None  # None: the root, which has no symbol
    step: int  # symbols (for a transducer: actions) so far
    symbol: str | None  # the last one; None: END; an empty string: the root, or a deletion
    action: str | None  # of a transducer; None for other models
    log_prob: float  # nats, of the symbol; 0 if it was forced
    score: float  # nats, the sum so far
    kept: bool  # False: one of the best that found no place in the beam
    best: bool  # it is the output, or what that continues


@dataclass(frozen=True)
class SearchTree:
    """The hypotheses of a search: for each step those that were kept, and at most as many that were not."""

    beam_size: int
    nodes: list[TreeNode]


@dataclass(frozen=True)
class Explanation:
    """One output of a model, explained. The product of the probabilities that were not forced is exp(score)."""

    model: str  # name of the folder
    kind: str  # "translator", "transducer" or "language model"
    source: list[str]  # what the encoder read, with its END as `<END>`; for a language model, the prompt
    text: str
    finished: bool  # END or a stop string was reached; otherwise the output was cut off
    score: float  # nats, the sum of the log-probabilities of the symbols that were not forced
    seed: int | None  # None: not sampled
    symbols: list[ExplainedSymbol]  # END is the last one, if it was reached
    attention: list[list[float]] | None  # for each of `symbols` a weight for each of `source`; None: no attention
    actions: list[ExplainedAction] | None  # None: the model is no transducer
    tree: SearchTree | None  # None: not asked for, or nothing was searched

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values, for JSON."""
        return asdict(self)

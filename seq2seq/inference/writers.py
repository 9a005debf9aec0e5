"""How a translator writes targets: symbol by symbol, or (in `action_writer`) as edits of the source."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from seq2seq.decoding import Observer, State, StepModel, Strategy, decode
from seq2seq.inference.forcing import Followed, fed_log_probs, followed
from seq2seq.inference.protocols import AttendingRuntime
from seq2seq.inference.results import Output
from seq2seq.special import END, START
from seq2seq.text.batches import Ragged
from seq2seq.text.readings import Reading
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Vocabulary


class Written(NamedTuple):
    """One output of the search."""

    symbols: list[str]  # with a forced prefix
    token_ids: list[int]  # what the model was fed, without START and END
    log_probs: list[float]  # nats, untempered: one for each symbol, END included; none for a forced prefix
    score: float  # nats, the sum of `log_probs`
    rank_score: float  # score / max(len(log_probs), 1) ** length_penalty
    finished: bool  # END was reached; otherwise the output was cut off


class WritingLimits(NamedTuple):
    """Limits of the outputs for B sources, in target symbols with the prefix, without END."""

    max_lengths: np.ndarray  # int (B,)
    min_length: int
    prefix: list[int]  # target ids
    not_after_prefix: list[int]  # target ids that may not follow the prefix at once


class Writer(Protocol):
    """What a translator needs of the way in which its model writes."""

    @property
    def runtime(self) -> StepModel:
        """The step function."""

    def start(self, sources: Sequence[Reading]) -> State:
        """Encodes sources."""

    def row_length(self, source: Reading) -> int:
        """Returns the number of ids that the encoder reads."""

    def decode(
        self,
        sources: Sequence[Reading],
        *,
        strategy: Strategy,
        line_numbers: np.ndarray,
        limits: WritingLimits,
        observer: Observer | None = None,
    ) -> list[list[Written]]:
        """Returns the outputs of each source, with `line_numbers`, int (B,); for a beam the best first."""

    def paths(self, sources: Sequence[Reading], targets: Sequence[Reading]) -> list[list[int]]:
        """Returns the ids that write given targets, with START and END."""

    def log_probs(self, sources: Sequence[Reading], targets: Sequence[Reading]) -> list[list[float]]:
        """Returns the log-probability of each symbol of given targets and of END, in nats."""

    def fed(self, sources: Sequence[Reading], targets: Sequence[Reading]) -> list[list[int]]:
        """Returns the ids that the model is fed for given targets, without START and END."""

    def path(self, source: Reading, output: Output) -> list[int]:
        """Returns the ids that an output's log-probabilities belong to, with START, and END if it was reached."""

    def follow(self, source: Reading, path: Sequence[int]) -> Followed:
        """Feeds a path for one source; returns what the model computed."""


class SymbolWriter:
    """Writes one target symbol in each step."""

    def __init__(self, runtime: AttendingRuntime, form: SourceForm, vocabulary: Vocabulary) -> None:
        self.runtime, self.form, self.vocabulary = runtime, form, vocabulary

    def start(self, sources: Sequence[Reading]) -> State:
        """Encodes sources; tags are read before the text."""
        rows = Ragged([self.form.row(source.tags + source.ids) for source in sources])
        return self.runtime.start(rows.padded(np.arange(len(sources))))

    def row_length(self, source: Reading) -> int:
        """Returns the number of ids that the encoder reads."""
        return len(self.form.row(source.tags + source.ids))

    def decode(
        self,
        sources: Sequence[Reading],
        *,
        strategy: Strategy,
        line_numbers: np.ndarray,
        limits: WritingLimits,
        observer: Observer | None = None,
    ) -> list[list[Written]]:
        """Returns the outputs of each source, with `line_numbers`, int (B,); for a beam the best first."""
        decoded = decode(
            self.runtime,
            self.start(sources),
            strategy=strategy,
            line_numbers=line_numbers,
            max_length=limits.max_lengths,
            min_length=limits.min_length,
            prefix=[limits.prefix] * len(sources) if limits.prefix else None,
            not_after_prefix=limits.not_after_prefix,
            observer=observer,
        )
        return [[Written(self.vocabulary.symbols_of(one.token_ids), *one) for one in several] for several in decoded]

    def paths(self, sources: Sequence[Reading], targets: Sequence[Reading]) -> list[list[int]]:
        """Returns the ids that write given targets, with START and END."""
        return [[START, *target.ids, END] for target in targets]

    def log_probs(self, sources: Sequence[Reading], targets: Sequence[Reading]) -> list[list[float]]:
        """Returns the log-probability of each symbol of given targets and of END, in nats."""
        rows = self.paths(sources, targets)
        found = fed_log_probs(self.runtime, self.start(sources), Ragged(rows).padded(np.arange(len(rows))))
        return [values[: len(row) - 1] for values, row in zip(found.tolist(), rows, strict=True)]

    def fed(self, sources: Sequence[Reading], targets: Sequence[Reading]) -> list[list[int]]:
        """Returns the ids that the model is fed for given targets, without START and END."""
        return [target.ids for target in targets]

    def path(self, source: Reading, output: Output) -> list[int]:
        """Returns the ids that an output's log-probabilities belong to, with START, and END if it was reached."""
        return [START, *output.token_ids, *[END] * output.finished]

    def follow(self, source: Reading, path: Sequence[int]) -> Followed:
        """Feeds a path for one source; returns what the model computed."""
        return followed(self.runtime.attend, self.start([source]), path)

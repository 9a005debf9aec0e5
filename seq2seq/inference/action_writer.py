"""How a transducer writes targets: the search finds edit actions, and texts and scores are made from them.

The score of a text is that of its canonical path, the most probable one of the edit distance, on which the model was
trained. So two paths to one text are one output, and `score` gives what `decode` prints.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.decoding import Hypothesis, Observer, State, Strategy, decode, penalties
from seq2seq.decoding.limits import Limits
from seq2seq.errors import OptionError
from seq2seq.inference.forcing import Followed, fed_log_probs, followed, without_attention
from seq2seq.inference.protocols import ActionRuntime
from seq2seq.inference.results import Output
from seq2seq.inference.writers import WritingLimits, Written
from seq2seq.special import END, PAD, START, UNK
from seq2seq.text.batches import Ragged
from seq2seq.text.edit_distance import EditDistance
from seq2seq.text.edits import (
    COPY,
    DELETE,
    action_count,
    advances,
    apply,
    canonical_paths,
    insert,
    substitute,
    writes,
)
from seq2seq.text.readings import Reading
from seq2seq.text.vocabulary import Vocabulary


class ActionWriter:
    """Writes targets as edits of the source."""

    def __init__(self, runtime: ActionRuntime, vocabulary: Vocabulary, edits: EditDistance) -> None:
        self.runtime, self.vocabulary, self.edits = runtime, vocabulary, edits
        self.names = vocabulary.symbols_of(range(len(vocabulary)))
        self.actions = action_count(len(vocabulary))

    def start(self, sources: Sequence[Reading]) -> State:
        """Encodes sources; tags are no part of the rows."""
        rows = np.arange(len(sources))
        tags = Ragged([source.known_tags for source in sources])
        return self.runtime.start(Ragged([[*source.ids, END] for source in sources]).padded(rows), tags.padded(rows))

    def row_length(self, source: Reading) -> int:
        """Returns the number of ids that the encoder reads."""
        return len(source.ids) + 1

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
        lengths = np.array([len(source.ids) for source in sources])
        prefixes = [limits.prefix] * len(sources)
        if limits.prefix or limits.min_length:
            # refuses what a search for symbols refuses, since this search counts actions
            Limits.of(
                len(sources), max_length=limits.max_lengths, min_length=limits.min_length, prefix=prefixes,
                allow_end=True,
            )  # fmt: skip
        model = LimitedActions(self.runtime, self.actions, limits, self.names)
        decoded = decode(
            model,
            model.start(self.start(sources), sources),
            strategy=strategy,
            line_numbers=line_numbers,
            max_length=lengths + limits.max_lengths + 2,  # END included
            observer=observer,
        )
        found = [
            Found(index, one, *self.cut(one, sources[index], int(limits.max_lengths[index])))
            for index, several in enumerate(decoded)
            for one in several
        ]
        exact = not limits.prefix and not limits.min_length  # what limits forbid changes the probabilities of the rest
        scored = self.scored(sources, found, exact=exact)
        outputs: list[list[Written]] = [[] for _ in sources]
        for one, log_probs in zip(found, scored, strict=True):
            counted = log_probs[len(limits.prefix) :]
            score = sum(counted)
            rank = score / float(penalties(len(counted), strategy.length_penalty))
            if strategy.ranked and any(one.symbols == other.symbols for other in outputs[one.source]):
                continue
            token_ids = one.actions[1 : -1 if one.finished else None]
            outputs[one.source].append(Written(one.symbols, token_ids, counted, score, rank, one.finished))
        return [sorted(each, key=lambda one: -one.rank_score) if strategy.ranked else each for each in outputs]

    def cut(self, one: Hypothesis, source: Reading, most: int) -> tuple[list[str], list[int], bool]:
        """Returns the symbols of a hypothesis, at most `most`; the actions that write them, with START; and its end."""
        symbols = apply(one.token_ids, source.symbols, self.names)
        if len(symbols) <= most:
            return symbols, [START, *one.token_ids, END], True
        writes = [place for place, action in enumerate(one.token_ids) if action != DELETE]
        return symbols[:most], [START, *one.token_ids[: writes[most - 1] + 1]], False

    def scored(self, sources: Sequence[Reading], found: Sequence["Found"], *, exact: bool) -> list[list[float]]:
        """Returns the log-probabilities of each output's symbols, in nats, of a cut-off one by the path that was found.

        Args:
            sources: that the outputs belong to.
            found: the outputs.
            exact: whether the search's own log-probabilities are the model's.

        """
        whole = [one for one in found if one.finished]
        canonical = iter(self.paths([sources[one.source] for one in whole], [self.read(one) for one in whole]))
        paths = [next(canonical) if one.finished else one.actions for one in found]
        # mostly the search finds the canonical path
        known = [exact and one.finished and path == one.actions for one, path in zip(found, paths, strict=True)]
        rows = [index for index, is_known in enumerate(known) if not is_known]
        forced = iter(self.forced([sources[found[row].source] for row in rows], [paths[row] for row in rows]))
        return [
            by_symbol(path, one.hypothesis.log_probs if is_known else next(forced))
            for one, path, is_known in zip(found, paths, known, strict=True)
        ]

    def read(self, one: "Found") -> Reading:
        """Returns the symbols of an output as a target."""
        ids = self.vocabulary.ids_of(one.symbols)
        return Reading([], ids, one.symbols)

    def paths(self, sources: Sequence[Reading], targets: Sequence[Reading]) -> list[list[int]]:
        """Returns the canonical path of each pair: action ids with START and END."""
        return canonical_paths(self.edits, sources, targets, target_size=len(self.vocabulary))

    def forced(self, sources: Sequence[Reading], paths: Sequence[Sequence[int]]) -> list[list[float]]:
        """Returns the log-probability of each action of given paths after START, in nats."""
        if not paths:
            return []
        values = fed_log_probs(self.runtime, self.start(sources), Ragged(paths).padded(np.arange(len(paths))))
        return [row[: len(path) - 1] for row, path in zip(values.tolist(), paths, strict=True)]

    def log_probs(self, sources: Sequence[Reading], targets: Sequence[Reading]) -> list[list[float]]:
        """Returns the log-probability of each symbol of given targets and of END, in nats."""
        paths = self.paths(sources, targets)
        return [by_symbol(path, row) for path, row in zip(paths, self.forced(sources, paths), strict=True)]

    def fed(self, sources: Sequence[Reading], targets: Sequence[Reading]) -> list[list[int]]:
        """Returns the ids that the model is fed for given targets, without START and END."""
        return [path[1:-1] for path in self.paths(sources, targets)]

    def path(self, source: Reading, output: Output) -> list[int]:
        """Returns the actions that an output's log-probabilities belong to, with START, and END if it was reached."""
        if not output.finished:
            return [START, *output.token_ids]
        return self.paths([source], [Reading([], self.vocabulary.ids_of(output.symbols), output.symbols)])[0]

    def follow(self, source: Reading, path: Sequence[int]) -> Followed:
        """Feeds a path for one source; returns what the model computed."""
        return followed(without_attention(self.runtime), self.start([source]), path)


class Found(NamedTuple):
    """An output of the search before it is scored."""

    source: int  # index in the batch
    hypothesis: Hypothesis
    symbols: list[str]
    actions: list[int]  # with START, and with END if it is finished
    finished: bool


def by_symbol(path: Sequence[int], log_probs: Sequence[float]) -> list[float]:
    """Adds the log-probabilities of deletions to those of the next symbol that is written, or END.

    Args:
        path: action ids after START, which stands first.
        log_probs: nats, one for each action.

    """
    found, pending = [], 0.0
    for action, value in zip(path[1:], log_probs, strict=True):
        pending += value
        if action != DELETE:
            found.append(pending)
            pending = 0.0
    return found


class LimitedActions:
    """The step function of a transducer that keeps to limits in target symbols.

    Inside a prefix it allows only what writes the next symbol of the prefix, and deletions. An output that has more
    than its largest number of symbols ends at once, and is then cut.
    """

    def __init__(self, runtime: ActionRuntime, actions: int, limits: WritingLimits, names: Sequence[str]) -> None:
        self.runtime, self.limits = runtime, limits
        self.writes, self.moves = writes(actions), advances(actions)
        if UNK in limits.prefix:
            raise OptionError(
                f"--prefix: expected symbols that the model can write, got {names[UNK]} in "
                f"{[names[token] for token in limits.prefix]!r}; leave out what training never saw, or train with "
                "--architecture attention"
            )
        self.shortest, self.least = int(limits.max_lengths.min(initial=0)), max(limits.min_length, len(limits.prefix))
        self.ids = {names[token]: token for token in (*limits.prefix, *limits.not_after_prefix)}
        if not self.ids:
            return
        self.prefix, self.joining = (np.array(ids, np.int64) for ids in (limits.prefix, limits.not_after_prefix))
        # the substitution and the insertion that write each symbol
        self.prefix_writers, self.joining_writers = (
            np.stack([substitute(ids), insert(ids, len(names))], 1) for ids in (self.prefix, self.joining)
        )

    def start(self, state: State, sources: Sequence[Reading]) -> State:
        """Adds what the limits need to the state of B sources: numbers of symbols written and read, and the sources."""
        zeros = np.zeros(len(sources), np.int64)
        copied = Ragged([[*(self.ids.get(symbol, PAD) for symbol in source.symbols), PAD] for source in sources])
        shared = (state.shared, self.limits.max_lengths, copied.padded(np.arange(len(sources))))
        return State((state.rows, zeros, zeros), shared)

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Takes one action, int32 (N,), for each hypothesis; returns logits float32 (N, A) and the next state."""
        inner, written, position = state.rows
        shared, most, copied = state.shared
        written = written + self.writes.take(token_ids)
        logits, after = self.runtime.step(token_ids, State(inner, shared))
        logits = np.asarray(logits)
        if self.ids:
            position = position + self.moves.take(token_ids)
            self.keep_symbols(logits, written, position, copied)
        if written.max(initial=0) > self.shortest:
            over = written > most.repeat(len(token_ids) // len(most))
            logits[over] = -np.inf
            logits[over, END] = 0.0
        if self.least:
            logits[written < self.least, END] = -np.inf
        return logits, State((after.rows, written, position), (after.shared, most, copied))

    def keep_symbols(self, logits: np.ndarray, written: np.ndarray, position: np.ndarray, copied: np.ndarray) -> None:
        """Forbids what the prefix forbids.

        Args:
            logits: float (N, A), changed in place.
            written: int (N,), symbols that each hypothesis has written.
            position: int (N,), of each in its source.
            copied: int (B, S), the target id of each source symbol that the prefix or `joining` has; PAD for others.

        """
        each = np.arange(len(copied)).repeat(len(written) // max(len(copied), 1))
        inside = np.flatnonzero(written < len(self.prefix))
        if len(inside):
            self.keep_prefix(logits, inside, written[inside], copied[each[inside]], position[inside])
        if len(self.joining):
            just = np.flatnonzero(written == len(self.prefix))
            logits[np.ix_(just, self.joining_writers.ravel())] = -np.inf
            at = copied[each[just], np.minimum(position[just], copied.shape[1] - 1)]
            logits[just[np.isin(at, self.joining)], COPY] = -np.inf

    def keep_prefix(
        self, logits: np.ndarray, rows: np.ndarray, written: np.ndarray, copied: np.ndarray, position: np.ndarray
    ) -> None:
        """Forbids what does not write the next symbol of the prefix.

        Args:
            logits: float (N, A), changed in place.
            rows: int (R,), hypotheses inside the prefix.
            written: int (R,), symbols of the prefix that each has written.
            copied: int (R, S), the target id of each source symbol that the prefix has; PAD for others.
            position: int (R,), of each in its source.

        """
        allowed = np.zeros((len(rows), logits.shape[1]), bool)
        each = np.arange(len(rows))
        allowed[each[:, None], self.prefix_writers[written]] = True
        allowed[:, DELETE] = True
        allowed[:, COPY] = copied[each, np.minimum(position, copied.shape[1] - 1)] == self.prefix[written]
        logits[rows] = np.where(allowed, logits[rows], -np.inf)

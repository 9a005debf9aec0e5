"""Runs several models as one: at each step the mean of their probabilities. The members are runtimes of any kind."""

from collections.abc import Iterable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from seq2seq.decoding import State, log_softmax
from seq2seq.inference.protocols import ActionRuntime, AttendingRuntime
from seq2seq.inference.window_model import TextRuntime

Member = TypeVar("Member", AttendingRuntime, ActionRuntime, TextRuntime)


class Ensemble(Generic[Member]):
    """The step function of several models that write the same symbols; a state holds a state of each."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members: Sequence[Member] = members
        sizes: list[Any] = [getattr(member, "symbol_bytes", None) for member in members]
        # memory that a step reads for each symbol of a source; None: a member uses all cores by itself
        self.symbol_bytes: int | None = None if None in sizes else sum(sizes)

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol to each hypothesis of every member.

        Args:
            token_ids: int32 (N,).
            state: of N hypotheses.

        Returns:
            Logits float32 (N, V), which are log-probabilities, and the next state.

        """
        states = map(State, state.rows, state.shared)
        found = [member.step(token_ids, each) for member, each in zip(self.members, states, strict=True)]
        return mean_log_probs([logits for logits, _ in found]), joined(after for _, after in found)


class EnsembleTranslator(Ensemble[AttendingRuntime]):
    """Several translators as one."""

    def start(self, source_ids: np.ndarray) -> State:
        """Encodes sources, int32 (B, S), with every member."""
        return joined(member.start(source_ids) for member in self.members)

    def attend(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State, np.ndarray | None]:
        """Computes a step and the mean of the attention weights of those members that attend.

        Args:
            token_ids: int32 (N,).
            state: of N hypotheses.

        Returns:
            Logits float32 (N, V), which are log-probabilities, the next state, and weights float32 (N, S) or None.

        """
        states = map(State, state.rows, state.shared)
        found = [member.attend(token_ids, each) for member, each in zip(self.members, states, strict=True)]
        logits = mean_log_probs([each for each, *_ in found])
        weights = [each for *_, each in found if each is not None]
        mean = np.mean(np.stack(weights), axis=0) if weights else None
        return logits, joined(after for _, after, _ in found), mean


class EnsembleTransducer(Ensemble[ActionRuntime]):
    """Several transducers as one; they share the edit distance, which comes from the same pairs."""

    def start(self, source_ids: np.ndarray, tag_ids: np.ndarray) -> State:
        """Encodes sources, int32 (B, S), and their tags, int32 (B, F), with every member."""
        return joined(member.start(source_ids, tag_ids) for member in self.members)


class EnsembleLanguageModel(Ensemble[TextRuntime]):
    """Several language models as one."""

    def start(self, rows: int) -> State:
        """Returns the state of `rows` empty texts."""
        return joined(member.start(rows) for member in self.members)


def joined(states: Iterable[State]) -> State:
    """Makes one state of the members' states; the search reorders and drops the rows of all of them."""
    rows, shared = zip(*states, strict=True)
    return State(rows, shared)


def mean_log_probs(logits: Sequence[Any]) -> np.ndarray:
    """Computes the log of the mean of several models' probabilities.

    An id that is impossible (minus infinity) for every model stays so.

    Args:
        logits: of each model, (N, V).

    Returns:
        Log-probabilities float32 (N, V), in nats.

    """
    with np.errstate(divide="ignore", invalid="ignore"):  # the search checks the rows of unfinished hypotheses
        log_probs = np.stack([log_softmax(np.asarray(each)) for each in logits])
        largest = log_probs.max(axis=0)
        largest[largest == -np.inf] = 0.0
        mean = np.exp(log_probs - largest).mean(axis=0)
        return (np.log(mean) + largest).astype(np.float32)

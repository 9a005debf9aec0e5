"""The hypotheses of a search, and what a step adds to them: tokens, log-probabilities, scores, and the event of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.errors import Seq2SeqError
from seq2seq.special import END, PAD

# nats, and a sum of exp: between them exp neither overflows nor loses digits, so that logits need not be shifted
LARGEST, SMALLEST = np.array(650.0), np.array(1e-290)


class StepEvent(NamedTuple):
    """The result of one step, for the b sources that are still in the batch and their K slots.

    K is 1 while the prefix decides for all of them.
    """

    step: int  # 0 for the first symbol
    sources: np.ndarray  # int (b,): the index of each row's source in the call
    parents: np.ndarray  # int (b, K): the slot at the step before that each slot continues
    tokens: np.ndarray  # int (b, K): the forced or chosen symbol, or END; PAD where no token was added
    log_probs: np.ndarray  # float64 (b, K): nats of the token, 0 where it was forced or none was added
    scores: np.ndarray  # float64 (b, K): sum of the log-probabilities so far, -inf for an empty slot


class Steps(NamedTuple):
    """T steps, one after another, of the same b sources and K slots; the arrays are those of their events."""

    first: int  # the number of the first of them
    sources: np.ndarray  # int (b,)
    parents: np.ndarray  # int (b, K), at each step
    tokens: np.ndarray  # int (T, b, K)
    log_probs: np.ndarray  # float64 (T, b, K)
    scores: np.ndarray  # float64 (T, b, K)

    def event(self, index: int) -> StepEvent:
        """Returns the event of one of the steps."""
        values = self.tokens[index], self.log_probs[index], self.scores[index]
        return StepEvent(self.first + index, self.sources, self.parents, *values)


class Slots(NamedTuple):
    """The hypotheses of b sources, J slots each; see Candidates."""

    scores: np.ndarray  # float64 (b, J)
    lengths: np.ndarray  # int (b, J)
    ended: np.ndarray  # bool (b, J)


class Continuation(NamedTuple):
    """How the K slots of a step continue those before it."""

    rows: np.ndarray  # int (b, K): the row that each new slot continues
    tokens: np.ndarray  # int (b, K): its next token; PAD leaves the slot empty
    forced: np.ndarray  # bool (..., 1): the token comes from the prefix; of each source, or one for all
    cut: np.ndarray  # bool (..., J): the output has its full length, and the token is not END; likewise
    plain: bool = False  # every slot continues itself with a token that the strategy chose


class Unscored(NamedTuple):
    """A step in which every slot continues itself with a token that was chosen without scores."""

    tokens: np.ndarray  # int (b, K)
    logits: np.ndarray  # float (b x K, V)


def extend(
    previous: Slots, choice: Continuation, log_probs: np.ndarray, some_ended: bool
) -> tuple[np.ndarray, np.ndarray, Slots]:
    """Adds tokens to the unfinished slots, and the log-probabilities of tokens that are not forced to their scores.

    Args:
        previous: the slots that the new slots continue, (b, K).
        choice: the chosen rows and tokens.
        log_probs: float64 (b, K), nats of the chosen tokens.
        some_ended: whether a previous slot may have ended.

    Returns:
        Tokens int (b, K) and log_probs float64 (b, K) of the event, and the new slots.

    """
    tokens = choice.tokens
    if choice.plain and not some_ended:
        scores, ended = previous.scores + log_probs, tokens == END
        if not math.isfinite(_total(scores)):
            ended |= scores == -np.inf
        return tokens, log_probs, Slots(scores, previous.lengths + 1, ended)
    empty = tokens == PAD
    frozen = previous.ended | choice.cut | empty
    counted = ~(frozen | choice.forced)
    if not counted.all():
        tokens = np.where(frozen, PAD, tokens)
        log_probs = np.where(counted, log_probs, np.where(empty, -np.inf, 0.0))
    scores = previous.scores + log_probs
    ended = previous.ended | (tokens == END) | (scores == -np.inf)
    return tokens, log_probs, Slots(scores, previous.lengths + counted, ended)


def score(
    unscored: Sequence[Unscored], last: int, slots: Slots, sources: np.ndarray, parents: np.ndarray, lines: np.ndarray
) -> tuple[Steps, Slots]:
    """Computes the scores of steps that were chosen without them.

    Args:
        unscored: T steps, one after another; no output has ended before the last of them.
        last: the number of the last step.
        slots: before the first step, (b, K).
        sources: int (b,), as in the events.
        parents: int (b, K), as in the events.
        lines: int (B,), the line number of each source, for messages.

    Returns:
        The steps, and the slots after them.

    """
    shape, first = (len(unscored), *slots.scores.shape), last + 1 - len(unscored)
    logits = np.concatenate([one.logits for one in unscored])
    tokens = np.concatenate([one.tokens for one in unscored]).reshape(shape)
    normalizers, finite = log_sum_exp(logits)
    if not finite:
        check_finite(~np.isfinite(normalizers).reshape(shape), first, lines[sources])
    log_probs = (logits[np.arange(len(logits)), tokens.ravel()] - normalizers).reshape(shape)
    scores = np.add.accumulate(np.concatenate([slots.scores[None], log_probs]))  # from the first step to the last
    ended = tokens[-1] == END
    if not np.isfinite(scores[-1]).all():
        check_continued(scores[1:], first, lines[sources])
        empty = scores[:-1] == -np.inf
        tokens, log_probs = np.where(empty, PAD, tokens), np.where(empty, 0.0, log_probs)
        ended |= scores[-1] == -np.inf
    steps = Steps(first, sources, parents, tokens, log_probs, scores[1:])
    return steps, Slots(scores[-1], slots.lengths + len(unscored), ended)


def log_sum_exp(logits: np.ndarray) -> tuple[np.ndarray, bool]:
    """Computes the log of the sum of exp over all V ids of each row.

    Args:
        logits: float (N, V).

    Returns:
        float64 (N,), nats, and whether all are finite. They are not if a row has NaN, infinity or minus infinity alone.

    """
    values = logits.astype(np.float64)
    np.exp(np.minimum(values, LARGEST, out=values), out=values)
    normalizers = np.log(np.maximum(np.add.reduce(values, axis=-1), SMALLEST))
    size = abs(normalizers.item()) if normalizers.size == 1 else np.maximum.reduce(np.abs(normalizers), initial=0.0)
    if size < LARGEST:  # not for NaN
        return normalizers, True
    maxima = logits.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        shifted = np.subtract(logits, maxima, dtype=np.float64)
        exact = np.log(np.exp(shifted).sum(axis=-1)) + maxima[:, 0]
    return exact, math.isfinite(maxima.sum(dtype=np.float64))


def _total(values: np.ndarray) -> float:
    """Sums float64 (b, K); a single number is taken as it is, which is much faster."""
    return float(values.item() if values.size == 1 else np.add.reduce(values, axis=None))


def any_of(values: np.ndarray) -> bool:
    """Returns whether one of bool (b, K) is true; a single one is taken as it is, which is much faster."""
    return bool(values.item() if values.size == 1 else values.any())


def check_finite(bad: np.ndarray, first: int, lines: np.ndarray) -> None:
    """Refuses damaged logits.

    Args:
        bad: bool (T, b, J), whether the normalizers of unfinished slots are not finite.
        first: the number of the first of the T steps.
        lines: int (b,), the line number of each source.

    Raises:
        Seq2SeqError: one is not finite.

    """
    if bad.any():
        step, source, _ = np.argwhere(bad)[0]
        raise Seq2SeqError(
            f"expected finite logits, got NaN or infinity from the model at step {first + step} "
            f"for line {lines[source]}; its weights are damaged or its training diverged"
        )


def check_continued(scores: np.ndarray, first: int, lines: np.ndarray) -> None:
    """Refuses sources without a symbol to go on with.

    Args:
        scores: float64 (T, b, K), after each step.
        first: the number of the first of the T steps.
        lines: int (b,), the line number of each source.

    Raises:
        Seq2SeqError: all slots of a source are empty.

    """
    stuck = scores.max(axis=-1) == -np.inf
    if stuck.any():
        step, source = np.argwhere(stuck)[0]
        raise Seq2SeqError(
            f"expected a symbol of probability above 0 at step {first + step} for line {lines[source]}, got none: "
            "the model allows only ids that are never emitted, or END before --min-length"
        )

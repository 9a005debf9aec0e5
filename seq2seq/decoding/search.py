"""The decoding loop: a step function and a strategy in, one event per step out.

At step t every unfinished hypothesis has exactly t symbols, with its forced prefix. So one step serves all sources of a
batch, whatever their prefixes are, and the cost of a step does not depend on the number of steps before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from seq2seq.decoding.limits import Limits
from seq2seq.decoding.state import State, select_rows, select_sources
from seq2seq.decoding.strategies import Candidates, Strategy
from seq2seq.errors import Seq2SeqError
from seq2seq.special import END, PAD, START, UNK

# PAD, UNK and START come before END, so the ids that may be emitted begin at END or at the next id
assert max(PAD, UNK, START) < END

# finished sources leave the batch only when at most this share is unfinished, since the others are then copied
UNFINISHED_SHARE = 0.75

# nats, and a sum of exp: between them exp neither overflows nor loses digits, so that logits need not be shifted
LARGEST, SMALLEST = np.array(650.0), np.array(1e-290)

NONE = np.zeros((1, 1), bool)  # False for all sources, in place of bool (b, 1)


class StepModel(Protocol):
    """The interface between the search and a model."""

    def step(self, token_ids: np.ndarray, state: State) -> tuple[Any, State]:
        """Reads int32 (N,) ids, one per hypothesis; returns float (N, V) logits of the next ids, and the state."""


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


Observer = Callable[[StepEvent, Candidates, np.ndarray], None]
"""Sees each step: its event, what could be chosen, and bool (b,): whether the strategy chose freely for each source."""


class _Slots(NamedTuple):
    """The hypotheses of b sources, J slots each; see Candidates."""

    scores: np.ndarray  # float64 (b, J)
    lengths: np.ndarray  # int (b, J)
    ended: np.ndarray  # bool (b, J)


class _Choice(NamedTuple):
    rows: np.ndarray  # int (b, K): the row that each new slot continues
    tokens: np.ndarray  # int (b, K): its next token; PAD leaves the slot empty
    forced: np.ndarray  # bool (b, 1): the token comes from the prefix
    cut: np.ndarray  # bool (b, K): the output has its full length, and the token is not END
    plain: bool = False  # every slot continues itself with a token that the strategy chose


def search(
    model: StepModel,
    state: State,
    *,
    strategy: Strategy,
    line_numbers: Sequence[int] | np.ndarray,
    max_length: int | np.ndarray,
    min_length: int = 0,
    prefix: Sequence[Sequence[int]] | None = None,
    not_after_prefix: Sequence[int] = (),
    start_ids: int | np.ndarray = START,
    first_logits: np.ndarray | None = None,
    allow_end: bool = True,
    observer: Observer | None = None,
) -> Iterator[StepEvent]:
    """Decodes B sources together and yields an event after each step.

    After `max_length` symbols one more step may add END, if the strategy chooses it; if not, the output is cut off. So
    `max_length` does not change an output that is not longer.

    Args:
        model: the step function.
        state: of B rows, one for each source; the search copies them into slots.
        strategy: Greedy, Sampling or Beam, with the number of slots per source.
        line_numbers: int (B,), the line number of each source in the whole input, on which its draws depend.
        max_length: most symbols of an output, with the prefix, without END; one number for all or int (B,).
        min_length: least symbols of an output, counted in the same way.
        prefix: ids that each output must begin with, B sequences, or None.
        not_after_prefix: ids that may not follow a prefix at once, since they would change its last character.
        start_ids: the input of the first step: one id for all or int (B,).
        first_logits: float (B, V), the logits after a prompt that the state has read; replaces `start_ids`.
        allow_end: whether END may be chosen; False for a text without end.
        observer: is called after each step, before its event is yielded; it must not change what it gets.

    Returns:
        An iterator, which computes each step only when its event is requested.

    Raises:
        OptionError: a length or prefix is out of range.
        Seq2SeqError: the model returns NaN, or allows no id that may be emitted.

    """
    lines = np.asarray(line_numbers, dtype=np.int64)
    limits = Limits.of(
        len(lines),
        max_length=max_length,
        min_length=min_length,
        prefix=prefix,
        not_after_prefix=not_after_prefix,
        allow_end=allow_end,
    )
    start = np.full(lines.shape, start_ids, dtype=np.int32)
    return _steps(model, state, strategy, lines, limits, start, first_logits, observer)


def _steps(
    model: StepModel,
    state: State,
    strategy: Strategy,
    lines: np.ndarray,
    limits: Limits,
    fed: np.ndarray,
    logits: Any,
    observer: Observer | None,
) -> Iterator[StepEvent]:
    sources = np.arange(len(lines))
    slots = _Slots(*(np.zeros((len(lines), 1), kind) for kind in (np.float64, np.int64, bool)))
    own = sources[:, None]  # the row of each slot
    still = np.zeros_like(own)  # the parents where every slot continues itself
    some_ended = False
    uniforms = strategy.draws(lines)
    for step in range(limits.step_counts.max(initial=0)):
        if step > 0 or logits is None:
            logits, state = model.step(fed, state)
        logits = np.asarray(logits)  # (b * J, V)
        first_id, drawn = limits.first_id(step), uniforms.at(step) if uniforms else None
        normalizers, finite = _log_sum_exp(logits)
        allowed = limits.allowed(logits.reshape(*own.shape, -1), step, sources)[..., first_id:]
        candidates = Candidates(allowed, first_id, normalizers.reshape(own.shape), *slots, drawn)
        if not finite:
            _check_finite(candidates, step, lines[sources])
        choice = _choose(candidates, own, strategy, limits, step, sources)
        rows, previous, divisors, parents = choice.rows, slots, candidates.normalizers, still
        if rows is not own:
            previous = _Slots(*(values.ravel()[rows] for values in slots))
            divisors, parents = normalizers[rows], rows - own[:, :1]
        tokens, log_probs, slots = _extend(previous, choice, logits[rows, choice.tokens] - divisors, some_ended)
        some_ended = bool(np.count_nonzero(slots.ended))
        if some_ended:
            _check_continued(slots, step, lines[sources])
        event = StepEvent(step, sources, parents, tokens, log_probs, slots.scores)
        if observer is not None:
            observer(event, candidates, limits.free(step, sources))
        yield event

        fed = tokens.astype(np.int32).ravel()
        if rows is not own:
            if not np.array_equal(rows, own):
                state = select_rows(state, rows.ravel())
            own = np.arange(rows.size).reshape(rows.shape)
            still = own - own[:, :1]
        if not some_ended and step + 1 < limits.first_stop:
            continue
        done = slots.ended.all(axis=1) | limits.last(step, sources)
        slots.ended[done] = True
        kept = np.flatnonzero(~done)
        if len(kept) == 0:
            return
        if len(kept) <= UNFINISHED_SHARE * len(sources):
            width = slots.scores.shape[1]
            state = select_sources(state, kept, width)
            fed = fed.reshape(-1, width)[kept].ravel()
            slots = _Slots(*(values[kept] for values in slots))
            sources = sources[kept]
            own, still = np.arange(slots.scores.size).reshape(slots.scores.shape), still[: len(kept)]
            if uniforms:
                uniforms.keep(kept)
        some_ended = bool(slots.ended.any())


def _choose(
    candidates: Candidates,
    own: np.ndarray,
    strategy: Strategy,
    limits: Limits,
    step: int,
    sources: np.ndarray,
) -> _Choice:
    """Chooses tokens by the strategy, except where a prefix or the length decides; `own` (b, J) holds the rows."""
    if not limits.decide(step):
        parents, tokens = strategy.choose(candidates)
        rows = _rows(own, parents, tokens)
        return _Choice(rows, tokens, NONE, NONE, rows is own)
    forced, closing = limits.forced(step, sources)[:, None], limits.closing(step, sources)[:, None]
    prefix_ids = limits.prefix_ids_at(step, sources)[:, None]
    if forced.all():
        return _Choice(own, np.broadcast_to(prefix_ids, own.shape), forced=forced, cut=NONE)
    parents, tokens = strategy.choose(candidates)
    rows = np.where(forced | closing, _rows(own, None, tokens), _rows(own, parents, tokens))
    tokens = np.where(forced, prefix_ids, np.where(closing, strategy.close(candidates, tokens), tokens))
    if strategy.ranked and tokens.shape != own.shape:
        tokens[(forced | closing)[:, 0], 1:] = PAD  # the beam would fill with copies of one hypothesis
    return _Choice(rows, tokens, forced=forced, cut=closing & (tokens != END))


def _rows(own: np.ndarray, parents: np.ndarray | None, tokens: np.ndarray) -> np.ndarray:
    """Returns int (b, K), the row that each slot continues; the first free choice divides one slot into K."""
    if parents is not None:
        return own[:, :1] + parents
    return own if tokens.shape == own.shape else np.repeat(own, tokens.shape[1], axis=1)


def _extend(
    previous: _Slots, choice: _Choice, log_probs: np.ndarray, some_ended: bool
) -> tuple[np.ndarray, np.ndarray, _Slots]:
    """Adds tokens to the unfinished slots, and the log-probabilities of tokens that are not forced to their scores.

    Args:
        previous: the slots that the new slots continue, (b, K).
        choice: the chosen rows and tokens.
        log_probs: float64 (b, K), nats of the chosen tokens.
        some_ended: whether a previous slot may have ended.

    Returns:
        Tokens and log_probs of the event, (b, K), and the new slots.

    """
    tokens = choice.tokens
    if choice.plain and not some_ended:
        scores, ended = previous.scores + log_probs, tokens == END
        if not math.isfinite(_total(scores)):
            ended |= scores == -np.inf
        return tokens, log_probs, _Slots(scores, previous.lengths + 1, ended)
    empty = tokens == PAD
    frozen = previous.ended | choice.cut | empty
    counted = ~(frozen | choice.forced)
    if not counted.all():
        tokens = np.where(frozen, PAD, tokens)
        log_probs = np.where(counted, log_probs, np.where(empty, -np.inf, 0.0))
    scores = previous.scores + log_probs
    ended = previous.ended | (tokens == END) | (scores == -np.inf)
    return tokens, log_probs, _Slots(scores, previous.lengths + counted, ended)


def _log_sum_exp(logits: np.ndarray) -> tuple[np.ndarray, bool]:
    """Returns float64 (N,), nats: the log of the sum of exp over all V ids of each row; and whether all are finite.

    They are not if a row has NaN or infinity, or only minus infinity.
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
    """Sums float64 (b, J); a single number is taken as it is, which is much faster."""
    return float(values.item() if values.size == 1 else np.add.reduce(values, axis=None))


def _check_finite(candidates: Candidates, step: int, lines: np.ndarray) -> None:
    bad = ~(np.isfinite(candidates.normalizers) | candidates.ended)
    if bad.any():
        raise Seq2SeqError(
            f"expected finite logits, got NaN or infinity from the model at step {step} "
            f"for line {lines[bad.any(axis=1)][0]}; its weights are damaged or its training diverged"
        )


def _check_continued(slots: _Slots, step: int, lines: np.ndarray) -> None:
    stuck = slots.scores.max(axis=1) == -np.inf
    if stuck.any():
        raise Seq2SeqError(
            f"expected a symbol of probability above 0 at step {step} for line {lines[stuck][0]}, got none: "
            "the model allows only ids that are never emitted, or END before --min-length"
        )

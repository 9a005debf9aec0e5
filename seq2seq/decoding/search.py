"""The one decoding loop: a step function and a strategy in, one event per step out.

At step t every live hypothesis holds exactly t symbols, a forced prefix included. So one step serves all
sources of a batch, whatever their prefixes, and the cost of a step does not depend on how many went before.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from seq2seq.decoding.limits import Limits
from seq2seq.decoding.state import State, select_rows, select_sources
from seq2seq.decoding.strategies import Candidates, Strategy
from seq2seq.errors import Seq2SeqError
from seq2seq.special import END, PAD, START

# PAD, UNK and START come before END, so what may be emitted is the range from END, or from the id after it.
assert max(PAD, START) < END

# Done sources leave the batch when no more than this share of it is open: dropping copies the others.
OPEN_SHARE = 0.75

NOBODY = np.zeros((1, 1), bool)  # stands for bool (b, 1) without a True


class StepModel(Protocol):
    """All that the search knows of a model."""

    def step(self, token_ids: np.ndarray, state: State) -> tuple[Any, State]:
        """Reads int32 (N,) ids, one a hypothesis; returns float (N, V) logits of the next, and the state."""


class StepEvent(NamedTuple):
    """What one step added, for the b sources that are still in the batch and their K slots.

    K is 1 for as long as a forced prefix is fed to all of them.
    """

    step: int  # 0 for the first symbol
    sources: np.ndarray  # int (b,): which source of the call each row is
    parents: np.ndarray  # int (b, K): the slot of the step before that a slot continues
    tokens: np.ndarray  # int (b, K): the symbol, forced or chosen; END; or PAD where nothing was added
    log_probs: np.ndarray  # float64 (b, K): nats of the token, 0 where it was forced or nothing was added
    scores: np.ndarray  # float64 (b, K): sum of the log-probabilities so far, -inf for an empty slot


class _Slots(NamedTuple):
    """The hypotheses of b sources, J slots each; see Candidates."""

    scores: np.ndarray  # float64 (b, J)
    lengths: np.ndarray  # int (b, J)
    ended: np.ndarray  # bool (b, J)


class _Choice(NamedTuple):
    rows: np.ndarray  # int (b, K): the row that each new slot continues
    tokens: np.ndarray  # int (b, K): its next token; PAD leaves the slot empty
    forced: np.ndarray  # bool (b, 1): the prefix decided
    cut: np.ndarray  # bool (b, K): the output is full, and the token is not END
    plain: bool = False  # every slot continues itself with a symbol that the strategy chose


def search(
    model: StepModel,
    state: State,
    *,
    strategy: Strategy,
    line_numbers: Sequence[int] | np.ndarray,
    max_length: int | np.ndarray,
    min_length: int = 0,
    prefix: Sequence[Sequence[int]] | None = None,
    start_ids: int | np.ndarray = START,
    first_logits: np.ndarray | None = None,
    allow_end: bool = True,
) -> Iterator[StepEvent]:
    """Decodes B sources together and yields an event per step, as soon as the step is made.

    An output of exactly `max_length` symbols may still take END, in a step of its own, if the strategy
    chooses it; if not, it was cut off. So `max_length` changes nothing in an output that is not longer.

    Args:
        model: what makes the steps.
        state: of B rows, one a source; the search copies them into slots.
        strategy: Greedy, Sampling or Beam, with the number of slots per source.
        line_numbers: int (B,), the place of each source in the whole input, which decides its draws.
        max_length: symbols of an output, prefix included, END not; one for all or int (B,).
        min_length: symbols, counted in the same way, before which END is never chosen.
        prefix: ids that each output must begin with, B sequences, or None.
        start_ids: fed in the first step: one for all or int (B,).
        first_logits: float (B, V) where the state has read its prompt already; then `start_ids` is not fed.
        allow_end: False for a text without end: END is never chosen.

    Returns:
        An iterator; nothing is computed before its first event is asked for, or after the last that is.

    Raises:
        OptionError: a length or prefix out of range.
        Seq2SeqError: the model gives NaN, or leaves nothing that may be emitted.

    """
    lines = np.asarray(line_numbers, dtype=np.int64)
    limits = Limits.of(len(lines), max_length=max_length, min_length=min_length, prefix=prefix, allow_end=allow_end)
    start = np.full(lines.shape, start_ids, dtype=np.int32)
    return _steps(model, state, strategy, lines, limits, start, first_logits)


def _steps(
    model: StepModel,
    state: State,
    strategy: Strategy,
    lines: np.ndarray,
    limits: Limits,
    fed: np.ndarray,
    logits: Any,
) -> Iterator[StepEvent]:
    sources = np.arange(len(lines))
    slots = _Slots(*(np.zeros((len(lines), 1), kind) for kind in (np.float64, np.int64, bool)))
    own = sources[:, None]  # the row of each slot
    some_ended = False
    uniforms = strategy.draws(lines)
    for step in range(limits.step_counts.max(initial=0)):
        if step > 0 or logits is None:
            logits, state = model.step(fed, state)
        logits = np.asarray(logits)  # (b * J, V)
        drawn = uniforms.at(step) if uniforms else None
        normalizers, finite = _log_sum_exp(logits)
        candidates = Candidates(
            logits=logits.reshape(*own.shape, -1)[..., limits.first_id(step) :],
            first_id=limits.first_id(step),
            normalizers=normalizers.reshape(own.shape),
            scores=slots.scores,
            lengths=slots.lengths,
            ended=slots.ended,
            uniforms=drawn,
        )
        if not finite:
            _check_finite(candidates, step, lines[sources])
        choice = _choose(candidates, own, strategy, limits, step, sources)
        rows = choice.rows
        log_probs = logits[rows, choice.tokens] - normalizers[rows]
        previous = slots if rows is own else _Slots(*(values.ravel()[rows] for values in slots))
        tokens, log_probs, slots = _extend(previous, choice, log_probs, some_ended)
        some_ended = bool(np.logical_or.reduce(slots.ended, axis=None))
        if some_ended:
            _check_continued(slots, step, lines[sources])
        yield StepEvent(step, sources, rows - own[:, :1], tokens, log_probs, slots.scores)

        fed = tokens.astype(np.int32).ravel()
        if rows is not own:
            if not np.array_equal(rows, own):
                state = select_rows(state, rows.ravel())
            own = np.arange(rows.size).reshape(rows.shape)
        if not some_ended and step + 1 < limits.first_stop:
            continue
        done = slots.ended.all(axis=1) | limits.last(step, sources)
        slots.ended[done] = True
        kept = np.flatnonzero(~done)
        if len(kept) == 0:
            return
        if len(kept) <= OPEN_SHARE * len(sources):
            width = slots.scores.shape[1]
            state = select_sources(state, kept, width)
            fed = fed.reshape(-1, width)[kept].ravel()
            slots = _Slots(*(values[kept] for values in slots))
            sources = sources[kept]
            own = np.arange(slots.scores.size).reshape(slots.scores.shape)
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
    """Lets the strategy choose, save where a prefix or the length decides; `own` (b, J) holds the rows."""
    if not limits.decide(step):
        parents, tokens = strategy.choose(candidates)
        rows = _rows(own, parents, tokens)
        return _Choice(rows, tokens, forced=NOBODY, cut=NOBODY, plain=rows is own)
    forced, closing = limits.forced(step, sources)[:, None], limits.closing(step, sources)[:, None]
    prefix_ids = limits.prefix_ids_at(step, sources)[:, None]
    if forced.all():
        return _Choice(own, np.broadcast_to(prefix_ids, own.shape), forced=forced, cut=NOBODY)
    parents, tokens = strategy.choose(candidates)
    rows = np.where(forced | closing, _rows(own, None, tokens), _rows(own, parents, tokens))
    tokens = np.where(forced, prefix_ids, np.where(closing, strategy.close(candidates, tokens), tokens))
    if strategy.ranked and tokens.shape != own.shape:
        tokens[(forced | closing)[:, 0], 1:] = PAD  # copies of one hypothesis would crowd the beam
    return _Choice(rows, tokens, forced=forced, cut=closing & (tokens != END))


def _rows(own: np.ndarray, parents: np.ndarray | None, tokens: np.ndarray) -> np.ndarray:
    """Returns int (b, K), the row that each slot continues; the first choice of all parts one slot into K."""
    if parents is not None:
        return own[:, :1] + parents
    return own if tokens.shape == own.shape else np.repeat(own, tokens.shape[1], axis=1)


def _extend(
    previous: _Slots, choice: _Choice, log_probs: np.ndarray, some_ended: bool
) -> tuple[np.ndarray, np.ndarray, _Slots]:
    """Adds the tokens where the slot is live, and to its score what was not forced.

    Args:
        previous: what each new slot continues, (b, K).
        choice: what it continues with.
        log_probs: float64 (b, K), nats of the chosen tokens.
        some_ended: whether any of the previous slots may be ended.

    Returns:
        What an event tells, tokens and log_probs (b, K), and the new slots.

    """
    tokens = choice.tokens
    if choice.plain and not some_ended:
        scores = previous.scores + log_probs
        return tokens, log_probs, _Slots(scores, previous.lengths + 1, (tokens == END) | (scores == -np.inf))
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

    They are not where a row has NaN or infinity, or minus infinity alone.
    """
    maxima = np.maximum.reduce(logits, axis=-1, keepdims=True)
    finite = math.isfinite(np.add.reduce(maxima, axis=None, dtype=np.float64))
    with contextlib.nullcontext() if finite else np.errstate(invalid="ignore"):  # infinity minus infinity
        shifted = np.subtract(logits, maxima, dtype=np.float64)
        return np.log(np.add.reduce(np.exp(shifted, out=shifted), axis=-1)) + maxima[:, 0], finite


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

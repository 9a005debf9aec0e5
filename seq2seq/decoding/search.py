"""The decoding loop: a step function and a strategy in, one event per step out, or several steps together.

At step t every unfinished hypothesis has exactly t symbols, with its forced prefix. So one step serves all sources of a
batch, whatever their prefixes are, and the cost of a step does not depend on the number of steps before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from seq2seq.decoding.limits import Limits
from seq2seq.decoding.slots import (
    Continuation,
    Slots,
    StepEvent,
    Steps,
    Unscored,
    any_of,
    check_continued,
    check_finite,
    extend,
    log_sum_exp,
    score,
)
from seq2seq.decoding.state import State, select_rows, select_sources
from seq2seq.decoding.strategies import Candidates, Strategy
from seq2seq.special import END, PAD, START, UNK

# PAD, UNK and START come before END, so the ids that may be emitted begin at END or at the next id
assert max(PAD, UNK, START) < END

# finished sources leave the batch only when at most this share is unfinished, since the others are then copied
UNFINISHED_SHARE = 0.75

WAITING_BYTES = 1 << 15  # of the logits of steps that are scored together; with more rows each step is scored alone

NONE = np.zeros((1, 1), bool)  # False for all sources, in place of bool (b, 1)


class StepModel(Protocol):
    """The interface between the search and a model."""

    def step(self, token_ids: np.ndarray, state: State) -> tuple[Any, State]:
        """Reads int32 (N,) ids, one per hypothesis; returns float (N, V) logits of the next ids, and the state.

        The logits are an array of their own, which no later step changes.
        """


Observer = Callable[[StepEvent, Candidates, np.ndarray], None]
"""Sees each step: its event, what could be chosen, and bool (b,): whether the strategy chose freely for each source."""


def search(model: StepModel, state: State, **options: Any) -> Iterator[StepEvent]:
    """Decodes B sources together and yields an event after each step.

    Args:
        model: the step function.
        state: of B rows, one for each source; the search copies them into slots.
        **options: those of `search_blocks` but `at_once`.

    Returns:
        An iterator, which computes each step only when its event is requested.

    Raises:
        OptionError, Seq2SeqError: as `search_blocks`.

    """
    return (steps.event(0) for steps in search_blocks(model, state, at_once=True, **options))


def search_blocks(
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
    at_once: bool = False,
) -> Iterator[Steps]:
    """Decodes B sources together and yields its steps, some of them together.

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
        at_once: whether each step is yielded before the next one is computed. Otherwise several may come together:
            where the strategy chooses without scores, those of several steps are computed at once, which is faster.

    Returns:
        An iterator, which computes steps only when an event is requested.

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
    return _steps(model, state, strategy, lines, limits, start, first_logits, observer, at_once)


def _steps(
    model: StepModel,
    state: State,
    strategy: Strategy,
    lines: np.ndarray,
    limits: Limits,
    fed: np.ndarray,
    logits: Any,
    observer: Observer | None,
    at_once: bool,
) -> Iterator[Steps]:
    sources = np.arange(len(lines))
    slots = Slots(*(np.zeros((len(lines), 1), kind) for kind in (np.float64, np.int64, bool)))
    own = sources[:, None]  # the row of each slot
    still = np.zeros_like(own)  # the parents where every slot continues itself
    some_ended = False
    late = not (at_once or strategy.ranked or observer is not None)  # scores may be computed after later steps
    unscored: list[Unscored] = []
    uniforms = strategy.draws(lines)
    for step in range(limits.step_counts.max(initial=0)):
        if step > 0 or logits is None:
            logits, state = model.step(fed, state)
        logits = np.asarray(logits)  # (b * J, V)
        first_id, drawn = limits.first_id(step), uniforms.at(step) if uniforms else None
        allowed = limits.allowed(logits.reshape(*own.shape, -1), step, sources)[..., first_id:]
        alone = some_ended or step not in limits.undecided or 2 * logits.nbytes > WAITING_BYTES
        if late and not alone and own.shape[1] == strategy.width:
            _, tokens = strategy.choose(Candidates(allowed, first_id, None, *slots, drawn))
            fed = tokens.ravel().astype(np.int32)
            unscored.append(Unscored(tokens, logits))
            some_ended = END in fed.tolist()
            full = (len(unscored) + 1) * logits.nbytes > WAITING_BYTES
            if full or some_ended or step + 1 not in limits.undecided:
                steps, slots = score(unscored, step, slots, sources, still, lines)
                yield steps
                unscored, some_ended = [], any_of(slots.ended)
        else:
            normalizers, finite = log_sum_exp(logits)
            candidates = Candidates(allowed, first_id, normalizers.reshape(own.shape), *slots, drawn)
            if not finite:
                bad = ~(np.isfinite(normalizers).reshape(own.shape) | slots.ended)
                check_finite(bad[None], step, lines[sources])
            choice = _choose(candidates, own, strategy, limits, step, sources)
            rows, previous, divisors, parents = choice.rows, slots, candidates.normalizers, still
            if rows is not own:
                previous = Slots(*(values.ravel()[rows] for values in slots))
                divisors, parents = normalizers[rows], rows - own[:, :1]
            tokens, log_probs, slots = extend(previous, choice, logits[rows, choice.tokens] - divisors, some_ended)
            some_ended = any_of(slots.ended)
            if some_ended:
                check_continued(slots.scores[None], step, lines[sources])
            if observer is not None:
                event = StepEvent(step, sources, parents, tokens, log_probs, slots.scores)
                observer(event, candidates, limits.free(step, sources))
            yield Steps(step, sources, parents, tokens[None], log_probs[None], slots.scores[None])
            if rows is not own:
                if not np.array_equal(rows, own):
                    state = select_rows(state, rows.ravel())
                own = np.arange(rows.size).reshape(rows.shape)
                still = own - own[:, :1]
            fed = tokens.ravel().astype(np.int32)

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
            slots = Slots(*(values[kept] for values in slots))
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
) -> Continuation:
    """Chooses tokens by the strategy, except where a prefix or the length decides; `own` (b, J) holds the rows."""
    if step in limits.undecided:
        parents, tokens = strategy.choose(candidates)
        rows = _rows(own, parents, tokens)
        return Continuation(rows, tokens, NONE, NONE, rows is own)
    forced, closing = limits.forced(step, sources)[:, None], limits.closing(step, sources)[:, None]
    prefix_ids = limits.prefix_ids_at(step, sources)[:, None]
    if forced.all():
        return Continuation(own, np.broadcast_to(prefix_ids, own.shape), forced=forced, cut=NONE)
    parents, tokens = strategy.choose(candidates)
    rows = np.where(forced | closing, _rows(own, None, tokens), _rows(own, parents, tokens))
    tokens = np.where(forced, prefix_ids, np.where(closing, strategy.close(candidates, tokens), tokens))
    if strategy.ranked and tokens.shape != own.shape:
        tokens[(forced | closing)[:, 0], 1:] = PAD  # the beam would fill with copies of one hypothesis
    return Continuation(rows, tokens, forced=forced, cut=closing & (tokens != END))


def _rows(own: np.ndarray, parents: np.ndarray | None, tokens: np.ndarray) -> np.ndarray:
    """Returns int (b, K), the row that each slot continues; the first free choice divides one slot into K."""
    if parents is not None:
        return own[:, :1] + parents
    return own if tokens.shape == own.shape else np.repeat(own, tokens.shape[1], axis=1)

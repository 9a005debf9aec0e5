"""Collects the steps of a search into hypotheses by following their back-pointers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2seq.decoding.search import StepModel, search_blocks
from seq2seq.decoding.slots import Steps
from seq2seq.decoding.state import State
from seq2seq.decoding.strategies import Strategy
from seq2seq.special import END, PAD


class Hypothesis(NamedTuple):
    """One output of the search."""

    token_ids: list[int]  # without START and END, a forced prefix included
    log_probs: list[float]  # nats, untempered: one per chosen symbol, END included; none for a forced prefix
    score: float  # nats, the sum of `log_probs`
    rank_score: float  # score / max(len(log_probs), 1) ** length_penalty
    finished: bool  # END was reached; otherwise the output was cut off


class _Trace(NamedTuple):
    """All events of a search: T steps, B sources, K slots."""

    tokens: np.ndarray  # int (T, B, K), PAD where nothing was added
    log_probs: np.ndarray  # float64 (T, B, K)
    parents: np.ndarray  # int (T, B, K)
    scores: np.ndarray  # float64 (B, K)


def decode(
    model: StepModel,
    state: State,
    *,
    strategy: Strategy,
    line_numbers: Sequence[int] | np.ndarray,
    prefix: Sequence[Sequence[int]] | None = None,
    **options: Any,
) -> list[list[Hypothesis]]:
    """Decodes B sources together and returns the hypotheses of each.

    Args:
        model: the step function.
        state: of B rows, one for each source.
        strategy: Greedy, Sampling or Beam.
        line_numbers: int (B,), the line number of each source in the whole input.
        prefix: ids that each output must begin with, B sequences, or None.
        **options: the other options of `search_blocks`.

    Returns:
        For each source at most K hypotheses: for a beam the best by rank_score first, for sampling in the order of the
        samples. They are fewer than K only if the model allows fewer.

    Raises:
        OptionError, Seq2SeqError: as `search_blocks`.

    """
    blocks = search_blocks(model, state, strategy=strategy, line_numbers=line_numbers, prefix=prefix, **options)
    trace = _follow_parents(_record(blocks, len(line_numbers), strategy.width))
    forced = [0] * len(line_numbers) if prefix is None else [len(ids) for ids in prefix]
    return _hypotheses(trace, forced, strategy)


def _record(blocks: Iterable[Steps], count: int, width: int) -> _Trace:
    """Copies all steps into arrays."""
    parts = list(blocks)
    shape = (sum(len(part.tokens) for part in parts), count, width)
    # steps that add no token and keep all slots
    trace = _Trace(np.full(shape, PAD), np.zeros(shape), np.zeros(shape, np.int64), np.zeros(shape[1:]))
    if width > 1:
        trace.parents[:] = np.arange(width)
    for part in parts:
        rows = slice(None) if len(part.sources) == count else part.sources  # a slice is faster
        here = slice(part.first, part.first + len(part.tokens)), rows
        trace.tokens[here], trace.log_probs[here] = part.tokens, part.log_probs
        if width > 1:
            trace.parents[here] = part.parents
        trace.scores[part.sources] = part.scores[-1]
    return trace


def _follow_parents(trace: _Trace) -> _Trace:
    """Reorders every step so that slot k holds the history of the hypothesis that is in slot k at the end."""
    if trace.scores.shape[1] == 1:
        return trace
    slots = np.broadcast_to(np.arange(trace.scores.shape[1]), trace.scores.shape)
    for step in reversed(range(len(trace.tokens))):
        for values in (trace.tokens, trace.log_probs):
            values[step] = np.take_along_axis(values[step], slots, axis=1)
        slots = np.take_along_axis(trace.parents[step], slots, axis=1)
    return trace


def _hypotheses(trace: _Trace, forced: Sequence[int], strategy: Strategy) -> list[list[Hypothesis]]:
    """Splits the trace into hypotheses; `forced` has the length of each source's prefix."""
    outputs = []
    by_source = (trace.tokens.transpose(1, 2, 0), trace.log_probs.transpose(1, 2, 0), trace.scores)  # (B, K, ...)
    for begun, *slots in zip(forced, *(values.tolist() for values in by_source), strict=True):
        found = [
            _hypothesis(ids, log_probs, score, begun, strategy.length_penalty)
            for ids, log_probs, score in zip(*slots, strict=True)
            if score > -math.inf
        ]
        outputs.append(sorted(found, key=lambda one: -one.rank_score) if strategy.ranked else found)
    return outputs


def _hypothesis(
    tokens: list[int], log_probs: list[float], score: float, begun: int, length_penalty: float
) -> Hypothesis:
    """Makes a hypothesis of what a slot holds for each of T steps, of which `begun` were forced."""
    finished = END in tokens
    length = tokens.index(END) if finished else len(tokens) - tokens.count(PAD)
    chosen = log_probs[begun : length + finished]
    return Hypothesis(tokens[:length], chosen, score, score / max(len(chosen), 1) ** length_penalty, finished)

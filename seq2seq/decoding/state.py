"""The state of a model between steps, and how the search reorders, copies and drops its rows.

To the search a state is only nested tuples, named tuples, lists and dicts of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class State(NamedTuple):
    """The state of B sources with K hypotheses each."""

    rows: Any  # arrays with N = B * K rows, one per hypothesis: row b * K + k
    shared: Any  # arrays with B rows, one per source (memory, mask); () for a language model


def select_rows(state: State, rows: np.ndarray) -> State:
    """Reorders, copies or drops hypotheses; the shared arrays do not change.

    Args:
        state: with N rows.
        rows: int (M,), for each new row the old row that it continues.

    """
    return State(_select(state.rows, rows), state.shared)


def select_sources(state: State, sources: np.ndarray, width: int) -> State:
    """Keeps some of the sources, each with its `width` hypotheses.

    Args:
        state: B sources with `width` rows each.
        sources: int (b,), positions of the sources to keep.
        width: K, hypotheses per source.

    """
    rows = (sources[:, None] * width + np.arange(width)).ravel()
    return State(_select(state.rows, rows), _select(state.shared, sources))


def join_rows(states: Sequence[State]) -> State:
    """Makes one state of several, each of other hypotheses of the same model; the first state has the first rows."""
    return states[0] if len(states) == 1 else State(*(_join(trees) for trees in zip(*states, strict=True)))


def _join(trees: Sequence[Any]) -> Any:
    first = trees[0]
    if isinstance(first, dict):
        return {key: _join([tree[key] for tree in trees]) for key in first}
    if isinstance(first, list | tuple):
        parts = [_join(each) for each in zip(*trees, strict=True)]
        return type(first)(*parts) if hasattr(first, "_fields") else type(first)(parts)
    if isinstance(first, np.ndarray):
        return np.concatenate(trees)
    return first.join(trees[1:])  # an array on a device has its own method for this


def _select(tree: Any, rows: np.ndarray) -> Any:
    if isinstance(tree, dict):
        return {key: _select(value, rows) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_select(value, rows) for value in tree]
    if isinstance(tree, tuple):
        parts = (_select(value, rows) for value in tree)
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    if isinstance(tree, np.ndarray):
        return tree.take(rows, axis=0)
    return tree.select(rows)  # an array on a device has its own method for this

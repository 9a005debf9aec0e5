"""What a model carries from step to step, and how the search reorders, copies and drops its rows.

The search does not look inside: nested tuples, named tuples, lists and dicts whose leaves are arrays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class State(NamedTuple):
    """The state of B sources with K hypotheses each."""

    rows: Any  # leaves with leading axis N = B * K, one row a hypothesis: row b * K + k
    shared: Any  # leaves with leading axis B, one row a source (memory, mask); () for a language model


def select_rows(state: State, rows: np.ndarray) -> State:
    """Reorders, copies or drops hypotheses; what the sources share stays as it is.

    Args:
        state: N rows.
        rows: int (M,), for each new row the old row it continues.

    """
    return State(_select(state.rows, rows), state.shared)


def select_sources(state: State, sources: np.ndarray, width: int) -> State:
    """Keeps the named sources, each with its `width` hypotheses.

    Args:
        state: B sources of `width` rows each.
        sources: int (b,), positions of the sources to keep.
        width: K, hypotheses of a source.

    """
    rows = (sources[:, None] * width + np.arange(width)).ravel()
    return State(_select(state.rows, rows), _select(state.shared, sources))


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
    return tree.select(rows)  # an array that lives on a device knows how to gather its own rows

"""Pure functions that filter logits before a draw: temperature, then top-k, top-p and min-p.

A filter takes logits (..., V) and returns logits of the same shape, -inf where it removes an id. Between equal logits
the smaller id comes first, so that "the k most probable" are always exactly k.
"""

from __future__ import annotations

import numpy as np

ROUNDING = 1e-12  # a sum of probabilities that is at most this much below a threshold has reached it


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Converts logits to natural-log probabilities.

    Args:
        logits: float (..., V), at least one finite value in each row.

    Returns:
        float64 (..., V), nats; exp of each row sums to 1.

    """
    shifted = np.subtract(logits, logits.max(axis=-1, keepdims=True), dtype=np.float64)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def temper(logits: np.ndarray, temperature: float) -> np.ndarray:
    """Divides by the temperature; the maximum is subtracted first, so that no temperature above 0 gives NaN.

    Args:
        logits: float (..., V), at least one finite value in each row.
        temperature: above 0; below 1 sharpens the distribution, above 1 flattens it.

    Returns:
        float64 (..., V), each row's maximum 0.

    """
    below_maximum = logits.astype(np.float64)
    # -5 / 1e-320 is -inf, which is right; a row without a finite value becomes NaN, which the search reports
    with np.errstate(over="ignore", invalid="ignore"):
        below_maximum -= below_maximum.max(axis=-1, keepdims=True)
        below_maximum /= temperature
    return below_maximum


def keep_top_k(logits: np.ndarray, top_k: int) -> np.ndarray:
    """Keeps the `top_k` most probable ids of logits float (..., V); returns float (..., V).

    Source: Fan, Lewis and Dauphin 2018, arXiv:1805.04833, section 5.
    """
    if top_k >= logits.shape[-1]:
        return logits
    return _keep_largest(logits, _descending(logits), np.full((*logits.shape[:-1], 1), top_k))


def keep_top_p(logits: np.ndarray, top_p: float) -> np.ndarray:
    """Keeps the smallest set of most probable ids whose probabilities sum to at least `top_p`.

    Takes logits float (..., V); returns float (..., V).

    Source: Holtzman et al. 2020, arXiv:1904.09751, equation 2.
    """
    if top_p >= 1:
        return logits
    ordered = _descending(logits)
    with np.errstate(invalid="ignore"):  # NaN and infinity, which the search reports
        reached = np.cumsum(np.exp(ordered - ordered[..., :1]), axis=-1)
    short_of_p = reached < (top_p - ROUNDING) * reached[..., -1:]
    return _keep_largest(logits, ordered, 1 + short_of_p.sum(axis=-1, keepdims=True))


def keep_min_p(logits: np.ndarray, min_p: float) -> np.ndarray:
    """Keeps the ids that are at least `min_p` times as probable as the most probable one.

    Takes logits float (..., V); returns float (..., V).

    Source: Nguyen et al. 2024, arXiv:2407.01082, section 3.
    """
    if min_p <= 0:
        return logits
    threshold = logits.max(axis=-1, keepdims=True) + np.log(min_p) - ROUNDING
    return np.where(logits >= threshold, logits, -np.inf)


def filter_logits(
    logits: np.ndarray,
    *,
    temperature: float,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
) -> np.ndarray:
    """Applies the filters in their fixed order: temperature, top-k, top-p, min-p.

    Args:
        logits: float (..., V) of the ids that may be emitted.
        temperature: above 0.
        top_k: at least 1; None keeps all.
        top_p: in (0, 1]; None keeps all.
        min_p: in [0, 1]; None keeps all.

    Returns:
        float64 (..., V), -inf where removed; each row keeps at least its maximum, which is 0.

    """
    logits = temper(logits, temperature)
    if top_k is not None:
        logits = keep_top_k(logits, top_k)
    if top_p is not None:
        logits = keep_top_p(logits, top_p)
    if min_p is not None:
        logits = keep_min_p(logits, min_p)
    return logits


def _descending(logits: np.ndarray) -> np.ndarray:
    return -np.sort(-logits, axis=-1)


def _keep_largest(logits: np.ndarray, ordered: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Keeps the `counts` (..., 1) largest of each row; `ordered` is the row in descending order."""
    smallest_kept = np.take_along_axis(ordered, counts - 1, axis=-1)
    keep = logits >= smallest_kept
    if (np.count_nonzero(keep, axis=-1) != counts[..., 0]).any():  # ties: smaller ids first
        above = logits > smallest_kept
        room = counts - np.count_nonzero(above, axis=-1, keepdims=True)
        keep = above | (keep & (np.cumsum(keep & ~above, axis=-1) <= room))
    return np.where(keep, logits, -np.inf)

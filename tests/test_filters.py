"""Temperature, top-k, top-p and min-p: examples by hand, and properties for any logits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seq2seq.decoding.filters import filter_logits, keep_min_p, keep_top_k, keep_top_p, log_softmax, temper

HALVES = np.log([0.5, 0.3, 0.15, 0.05])
any_logits = arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 12)), elements=st.floats(-50, 50, width=32))


def kept(logits):
    return np.isfinite(logits).tolist()


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


@given(any_logits)
def test_log_softmax_is_the_log_of_probabilities_that_sum_to_one(logits):
    log_probs = log_softmax(logits)
    assert log_probs.dtype == np.float64
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1)
    np.testing.assert_allclose(log_probs, np.log(softmax(logits.astype(np.float64))), atol=1e-9)


def test_temperature_divides_the_distance_to_the_maximum():
    np.testing.assert_allclose(temper(np.array([3.0, 1.0, 2.0]), 0.5), [0, -4, -2])


@pytest.mark.parametrize("temperature", [1e-320, 1e-300, 1e-4, 100.0, 1e300])
def test_no_temperature_above_zero_gives_nan(temperature):
    tempered = temper(np.array([-1e30, 88.0, 87.9, 3e38], dtype=np.float32), temperature)
    assert not np.isnan(tempered).any()
    assert tempered.max() == 0


def test_top_k_keeps_the_k_most_probable():
    assert kept(keep_top_k(HALVES[[3, 0, 2, 1]], 2)) == [False, True, False, True]


def test_top_k_keeps_exactly_k_of_equal_logits_the_smaller_ids_first():
    assert kept(keep_top_k(np.array([1.0, 5.0, 1.0, 1.0]), 3)) == [True, True, True, False]


def test_top_k_larger_than_the_vocabulary_keeps_all():
    assert kept(keep_top_k(HALVES, 50)) == [True] * 4


@pytest.mark.parametrize(("top_p", "count"), [(0.01, 1), (0.5, 1), (0.51, 2), (0.8, 2), (0.81, 3), (0.95, 3), (1, 4)])
def test_top_p_keeps_the_smallest_set_that_reaches_p(top_p, count):
    assert kept(keep_top_p(HALVES, top_p)) == [True] * count + [False] * (4 - count)


def test_top_p_treats_rows_apart():
    rows = np.array([HALVES, HALVES[::-1]])
    assert kept(keep_top_p(rows, 0.7)) == [[True, True, False, False], [False, False, True, True]]


@pytest.mark.parametrize(("min_p", "count"), [(0.0, 4), (0.1, 4), (0.11, 3), (0.3, 3), (0.31, 2), (1.0, 1)])
def test_min_p_keeps_what_is_at_least_that_share_of_the_best(min_p, count):
    assert kept(keep_min_p(HALVES, min_p)) == [True] * count + [False] * (4 - count)


def test_filters_come_in_the_order_temperature_top_k_top_p_min_p():
    # Of the two that top-k keeps, the first holds 0.625: top-p reaches 0.6 with one, but from all four needs two.
    assert kept(filter_logits(HALVES, temperature=1, top_k=2, top_p=0.6)) == [True, False, False, False]
    assert kept(filter_logits(HALVES, temperature=1, top_p=0.6)) == [True, True, False, False]
    # At temperature 2 the probabilities are 0.38, 0.29, 0.21, 0.12: the filters see the tempered ones.
    assert kept(filter_logits(HALVES, temperature=2, top_p=0.6)) == [True, True, False, False]
    assert kept(filter_logits(HALVES, temperature=2, min_p=0.5)) == [True, True, True, False]
    assert kept(filter_logits(HALVES, temperature=1, min_p=0.5)) == [True, True, False, False]


@given(any_logits, st.floats(0.01, 100), st.integers(1, 14), st.floats(0.01, 1), st.floats(0, 1))
def test_filters_keep_a_most_probable_id_and_change_no_kept_logit(logits, temperature, top_k, top_p, min_p):
    tempered = temper(logits, temperature)
    filtered = filter_logits(logits, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    assert (filtered.max(axis=-1) == 0).all()
    assert (np.isfinite(filtered).sum(axis=-1) <= top_k).all()
    alive = np.isfinite(filtered)
    np.testing.assert_array_equal(filtered[alive], tempered[alive])


@given(any_logits, st.floats(0.01, 0.99))
def test_top_p_reaches_p_and_would_not_without_its_least_probable_id(logits, top_p):
    for row, filtered in zip(temper(logits, 1), keep_top_p(temper(logits, 1), top_p), strict=True):
        probabilities = np.sort(softmax(row)[np.isfinite(filtered)])
        assert probabilities.sum() >= top_p - 1e-9
        assert probabilities[1:].sum() < top_p + 1e-9


@given(any_logits, st.integers(1, 12))
def test_top_k_keeps_k_ids_of_which_none_is_less_probable_than_a_removed_one(logits, top_k):
    for row, filtered in zip(logits, keep_top_k(logits, top_k), strict=True):
        alive = np.isfinite(filtered)
        assert alive.sum() == min(top_k, len(row))
        assert row[alive].min() >= row[~alive].max(initial=-np.inf)

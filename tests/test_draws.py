"""Uniform numbers for each line and step, and draws with the inverse distribution function."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.decoding.draws import BLOCK, Uniforms, inverse_cdf, uniforms


def test_uniforms_are_those_of_philox_keyed_by_seed_and_line():
    generator = np.random.Generator(np.random.Philox(key=np.array([7, 3], dtype=np.uint64)))
    np.testing.assert_array_equal(uniforms(7, 3, 0, 0, 10), generator.random(10))


def test_uniforms_of_a_later_step_need_none_of_the_earlier_ones():
    np.testing.assert_array_equal(uniforms(7, 3, 1, 0, 200)[64:72], uniforms(7, 3, 1, 64, 8))


def test_seed_line_and_sample_each_change_the_uniforms():
    firsts = [uniforms(*key, 0, 1)[0] for key in [(1, 1, 0), (2, 1, 0), (1, 2, 0), (1, 1, 1), (2, 2, 1)]]
    assert len(set(firsts)) == len(firsts)


@pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1])
def test_every_seed_of_64_bits_is_usable(seed):
    assert 0 <= uniforms(seed, 1, 0, 0, 1)[0] < 1


def test_a_batch_reads_the_uniforms_of_its_lines_over_block_ends_and_after_drops():
    batch = Uniforms(5, np.array([10, 20, 30]), width=2)
    for step in range(2 * BLOCK + 3):
        lines = [10, 20, 30] if step <= 70 else [30]
        expected = [[uniforms(5, line, k, 0, step + 1)[step] for k in range(2)] for line in lines]
        np.testing.assert_array_equal(batch.at(step), expected)
        if step == 70:
            batch.keep(np.array([2]))


def test_inverse_cdf_walks_the_ids_in_order():
    logits = np.log([[0.25, 0.5, 0.25]] * 5)
    uniform = np.array([0.0, 0.2499, 0.2501, 0.7499, 0.7501])
    assert inverse_cdf(logits, uniform).tolist() == [0, 0, 1, 1, 2]


@given(st.lists(st.sampled_from([-np.inf, -745.0, -30.0, -1.0, 0.0]), min_size=1, max_size=8), st.floats(0, 1))
def test_inverse_cdf_never_draws_a_removed_id(logits, uniform):
    row = np.array([*logits, 0.0, -np.inf])
    (drawn,) = inverse_cdf(row[None], np.array([min(uniform, np.nextafter(1, 0))]))
    assert np.isfinite(row[drawn])

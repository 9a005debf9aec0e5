import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.errors import DataError
from seq2seq.special import END, PAD, START, UNK
from seq2seq.text.batches import (
    Ragged,
    cut_batches,
    encode_pairs,
    epoch,
    plan_epoch,
    shift,
    teacher_force,
    training_weights,
)

ROWS = st.lists(st.lists(st.integers(UNK, 99), max_size=6), min_size=1, max_size=20)


def test_targets_lead_inputs_by_one_step():
    batch = teacher_force(np.array([[START, 4, 5, END], [START, 4, END, PAD]]))
    np.testing.assert_array_equal(batch.inputs, [[START, 4, 5], [START, 4, END]])
    np.testing.assert_array_equal(batch.targets, [[4, 5, END], [4, END, PAD]])
    np.testing.assert_array_equal(batch.weights, [[1, 1, 1], [1, 1, 0]])
    assert batch.weights.dtype == np.float32


def test_shift_splits_and_copies_nothing_else():
    inputs, targets = shift(np.array([[7, 8, 9], [1, 2, 3]]))
    assert inputs.tolist() == [[7, 8], [1, 2]]
    assert targets.tolist() == [[8, 9], [2, 3]]


def test_a_row_without_start_is_refused_with_its_number():
    with pytest.raises(DataError) as error:
        teacher_force(np.array([[START, 4, END], [4, END, PAD]]))
    assert str(error.value) == (
        "row 1: expected START (2) first, got id 4; put START before and END after the ids of every target"
    )


def test_ragged_rows_are_padded_to_the_longest_that_is_asked_for():
    rows = Ragged([[4, 5, 6], [], [7], [8, 9]])
    assert len(rows) == 4
    assert rows.padded(np.array([2, 3])).tolist() == [[7, PAD], [8, 9]]
    assert rows.padded(np.array([3, 0, 1])).tolist() == [[8, 9, PAD], [4, 5, 6], [PAD, PAD, PAD]]
    assert rows.padded(np.array([3, 0, 1]), left=True).tolist() == [[PAD, 8, 9], [4, 5, 6], [PAD, PAD, PAD]]
    assert rows.padded(np.array([3]), left=True).tolist() == rows.padded(np.array([3])).tolist() == [[8, 9]]
    assert rows.padded(np.array([1])).shape == (1, 0)
    assert rows.padded(np.array([], int)).shape == (0, 0)
    assert rows.padded(np.array([0])).dtype == np.int32


def test_ragged_rows_take_four_bytes_a_symbol_however_long_the_longest():
    rows = Ragged([[4]] * 1000 + [[5] * 100_000])
    assert rows.flat.nbytes == 4 * 101_000
    assert len(Ragged([])) == 0


@given(ROWS)
def test_ragged_rows_come_back(rows):
    padded = Ragged(rows).padded(np.arange(len(rows)))
    assert [row[row != PAD].tolist() for row in padded] == rows
    assert all((np.diff((row != PAD).astype(int)) <= 0).all() for row in padded)  # padding is on the right


def test_pairs_get_their_delimiters():
    batch = encode_pairs([[4, 5], []], [[6], [7, 8]]).batch(np.array([0, 1]))
    assert batch.source_ids.tolist() == [[4, 5, END], [END, PAD, PAD]]
    assert batch.target_ids.tolist() == [[START, 6, END, PAD], [START, 7, 8, END]]


def test_the_weight_of_a_row_is_that_of_its_targets():
    pairs = encode_pairs([[4], [5]], [[6], [7, 8]], np.array([3.0, 0.5]))
    batch = pairs.batch(np.array([1, 0]))
    assert batch.weights.tolist() == [0.5, 3.0]
    forced = teacher_force(batch.target_ids, batch.weights)
    np.testing.assert_array_equal(forced.weights, [[0.5, 0.5, 0.5], [3, 3, 0]])
    assert forced.weights.dtype == np.float32


def test_without_repeated_rows_weights_change_no_bit():
    pairs = encode_pairs([[4], [5]], [[6], [7, 8]], training_weights([1, 1]))
    plain = encode_pairs([[4], [5]], [[6], [7, 8]])
    assert pairs.weights.tobytes() == plain.weights.tobytes()
    batch = pairs.batch(np.array([0, 1]))
    pair = teacher_force(batch.target_ids, batch.weights), teacher_force(batch.target_ids)
    for weighted, same in zip(*pair, strict=True):
        assert (weighted.dtype, weighted.tobytes()) == (same.dtype, same.tobytes())


def test_training_weights_by_hand():
    """Of a row that occurs e times: 2, against 1; their mean is 1.5."""
    np.testing.assert_allclose(training_weights([1, np.e]), [2 / 3, 4 / 3])


def pairs_of(lengths):
    return encode_pairs([[4] * (length % 7) for length in lengths], [[5] * length for length in lengths])


@given(st.lists(st.integers(0, 30), min_size=1, max_size=200), st.integers(1, 40), st.booleans())
def test_an_epoch_covers_every_row_once(lengths, batch_size, shuffled):
    plan = plan_epoch(pairs_of(lengths), batch_size, np.random.default_rng(1) if shuffled else None)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(lengths)))
    assert sum(len(rows) != batch_size for rows in plan) <= 1
    assert len(plan) == -(-len(lengths) // batch_size)


def plan(seed, lengths=tuple(np.random.default_rng(0).integers(2, 40, 500))):
    generator = np.random.default_rng(seed) if seed else None
    return [rows.tolist() for rows in plan_epoch(pairs_of(lengths), 32, generator)]


def test_epochs_differ_and_a_seed_repeats_one():
    assert plan([1, 1]) == plan([1, 1])
    assert plan([1, 1]) != plan([1, 2])
    batches = {frozenset(rows) for rows in plan([1, 1])}
    assert len(batches & {frozenset(rows) for rows in plan([1, 2])}) < 3  # other rows, not only another order
    assert plan(None) == plan(None)


def test_batches_are_of_similar_length_and_come_in_random_order():
    pairs = pairs_of(np.random.default_rng(0).integers(2, 40, 2000))
    batches = list(epoch(pairs, 32, np.random.default_rng(1)))
    padding = sum((batch.target_ids == PAD).sum() for batch in batches) / sum(b.target_ids.size for b in batches)
    assert padding < 0.1
    widths = [batch.target_ids.shape[1] for batch in batches]
    assert widths != sorted(widths)
    validation = [batch.target_ids.shape[1] for batch in epoch(pairs, 32, None)]
    assert validation == sorted(validation)


@pytest.mark.parametrize(
    ("lengths", "most", "workers", "symbol_bytes", "sizes"),
    [
        ([20] * 100, 256, 1, 2048, [100]),
        ([20] * 100, 256, 2, 2048, [50, 50]),
        ([20] * 64, 256, 2, 2048, [32, 32]),
        ([20] * 63, 256, 2, 2048, [63]),  # 32 rows at least for each worker
        ([20] * 100, 256, 8, 2048, [34, 34, 32]),
        ([1024] * 63, 256, 2, 2048, [32, 31]),  # they are divided anyway, since 32 fit into the memory
        ([30] * 600, 256, 2, 2048, [150, 150, 150, 150]),  # both workers have as much to do
        ([1024] * 64 + [10] * 300, 256, 1, 2048, [31, 31, 31, 136, 135]),  # 32 fit into the memory
        ([1024] * 64 + [10] * 300, 256, 1, 0, [182, 182]),
        ([9] * 5, 2, 1, 2048, [2, 2, 1]),
    ],
)
def test_batches_share_the_work_and_bound_their_memory(lengths, most, workers, symbol_bytes, sizes):
    order = list(range(len(lengths)))
    cut = cut_batches(order, lengths, most=most, workers=workers, symbol_bytes=symbol_bytes)
    assert [len(batch) for batch in cut] == sizes
    assert np.concatenate(cut).tolist() == order

import itertools

import numpy as np
import pytest

from seq2seq.scoring.by_length import length_ranges, length_table, scores_by_length, share_interval


def test_sources_of_similar_length_are_scored_together_by_hand():
    sources = ["a", "bb\tV;PST", "b b", "cc"]
    rows = scores_by_length(["x", "yy", "zz", "yy"], [["x"], ["yy"], ["z"], ["wrong", "yz"]], sources)
    assert [(row.shortest, row.longest, row.n, row.exact_match) for row in rows] == [
        (1, 1, 1, 1.0),
        (2, 2, 2, 0.5),
        (3, 3, 1, 0.0),
    ]
    assert [row.cer for row in rows] == [0, 1 / 4, 1]
    assert rows[0].chrf == pytest.approx(100)


def test_separators_decide_what_a_symbol_is():
    (row,) = scores_by_length(["a b"], [["a c"]], ["k ae t"], separator=" ", source_separator=" ")
    assert (row.longest, row.cer) == (3, 0.5)
    (row,) = scores_by_length(["Ab"], [["aB"]], ["kat"], ignore_case=True)
    assert row.exact_match == 1
    (row,) = scores_by_length(["Ab"], [["aB"]], ["kat"])
    assert row.exact_match == 0


def test_ranges_are_as_wide_as_ten_of_them_need_and_the_last_takes_the_rest():
    assert length_ranges(np.arange(1, 8)).tolist() == [0, 1, 2, 3, 4, 5, 6]
    lengths = np.array([0, *range(1, 101), 5000])
    places = length_ranges(lengths)
    assert places.max() == 9
    assert places[[0, 1, 10, 11, 100, 101]].tolist() == [0, 0, 0, 1, 9, 9]


def test_every_output_is_in_one_range():
    lengths = np.random.default_rng(1).integers(1, 40, 200)
    rows = scores_by_length(["x"] * 200, [["x"]] * 200, ["s" * length for length in lengths])
    assert sum(row.n for row in rows) == 200
    assert all(one.longest < other.shortest for one, other in itertools.pairwise(rows))


def test_the_interval_of_a_share_by_hand():
    """One trial, one hit: Wilson's interval is 1 / (1 + 1.96 ** 2) to 1."""
    assert share_interval(1.0, 1) == pytest.approx((1 / (1 + 1.96**2), 1.0))
    for n in range(1, 1000):  # rounding ended the interval of 1.0 below it for some n, which no picture can show
        assert share_interval(1.0, n)[1] == 1.0 and share_interval(0.0, n)[0] == 0.0
    low, high = share_interval(0.5, 400)
    assert (high - low) / 2 == pytest.approx(1.96 * (0.25 / 400) ** 0.5, rel=0.01)


def test_the_table_names_the_rate():
    table = length_table(scores_by_length(["x", "y"], [["x"], ["z"]], ["a", "bb"]), "PER")
    assert table[0].split() == ["symbols", "n", "chrF", "exact", "match", "95", "%", "interval", "PER"]
    assert table[1].split() == ["1", "1", "100.00", "1.0000", "0.207", "to", "1.000", "0.0000"]
    assert len({line.rindex(".") for line in table[1:]}) == 1

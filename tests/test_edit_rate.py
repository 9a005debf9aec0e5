import random

import pytest

from seq2seq.scoring.edit_rate import edit_distance, nearest_reference


def table_distance(one, other):
    """The textbook's table, row by row."""
    row = list(range(len(other) + 1))
    for index, symbol in enumerate(one, 1):
        diagonal, row[0] = row[0], index
        for place, another in enumerate(other, 1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (symbol != another))
    return row[-1]


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [
        ("kitten", "sitting", 3),
        ("flaw", "lawn", 2),
        ("", "abc", 3),
        ("abc", "", 3),
        ("", "", 0),
        ("same", "same", 0),
        (["k", "ae", "t"], ["k", "t"], 1),
    ],
)
def test_edits_are_insertions_deletions_and_substitutions(one, other, edits):
    assert edit_distance(one, other) == edits


def test_edits_equal_those_of_the_textbook_table():
    draw = random.Random(1)
    for longest in (3, 8, 40, 150):
        for _ in range(60):
            one, other = ("".join(draw.choices("abc", k=draw.randrange(longest + 1))) for _ in range(2))
            assert edit_distance(one, other) == table_distance(one, other), (one, other)


def test_the_nearest_reference_has_the_fewest_edits():
    assert nearest_reference("abc", ["xyz", "abd", "abcdef"]) == (1, "abd")


def test_of_equally_near_references_the_longest_counts():
    assert nearest_reference("abc", ["ab", "abcd"]) == (1, "abcd")


def test_an_equal_reference_costs_nothing():
    assert nearest_reference("abc", ["ab", "abc"]) == (0, "abc")

"""Symptoms of a model that trains well and decodes badly: which numbers make one, by hand."""

import pytest

from seq2seq.scoring.degeneration import best_accuracy, loop_period, positional_accuracy, symptoms

SOURCES = [f"{number:03}" for number in range(8)]
REFERENCES = [[f"a{number}bcd"] for number in range(8)]
RIGHT = [several[0] for several in REFERENCES]
SAME, LOOPS, SHIFTED = ["a0bcd"] * 8, [f"{number}" + "x" * 6 for number in range(8)], [f"-{text}" for text in RIGHT]


def codes(outputs, *, forced=0.9, before=0.8, count=8):
    given = SOURCES[:count], REFERENCES[:count], outputs[:count]
    found = symptoms(*given, forced_accuracy=forced, before_mistake=before)
    return [line[:3] for line in found]


@pytest.mark.parametrize(
    ("outputs", "expected"), [(RIGHT, []), (SAME, ["D05"]), (SHIFTED, ["D06"]), (LOOPS, ["D06", "D14"])], ids=str
)
def test_each_kind_of_bad_output_has_its_symptom(outputs, expected):
    assert codes(outputs) == expected


@pytest.mark.parametrize(
    ("forced", "expected"), [(0.29, []), (0.3, ["D05"]), (0.59, ["D05"]), (0.6, ["D05", "D06", "D14"])]
)
def test_a_model_that_learnt_little_has_few_symptoms_or_none(forced, expected):
    assert codes(["x" * 9] * 8, forced=forced) == expected


def test_seven_rows_are_too_few_and_eight_are_enough():
    assert codes(LOOPS, count=7) == []
    assert codes(LOOPS, count=8) == ["D06", "D14"]


def test_free_running_may_be_as_bad_as_the_first_mistake_explains():
    assert codes(SHIFTED, before=0.09) == []  # the outputs of other rows agree with no reference: chance is 0
    assert codes(SHIFTED, before=0.11) == ["D06"]
    half = [text[:2] + "---" for text in RIGHT]  # two symbols of five, as well as chance
    assert codes(half, before=0.79) == [] and codes(half, before=0.81) == ["D06"]


def test_the_nearest_reference_counts():
    assert positional_accuracy(["abc", "x"], ["abd", "xyz"]) == pytest.approx(3 / 6)
    assert best_accuracy(["abc"], [["xyz", "abd"]]) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("text", "period"),
    [("abababab", 2), ("xyzabab", 0), ("abcdef", 0), ("aaa", 0), ("aaaa", 1), ("xxbabab", 0), ("xbababab", 2)],
)
def test_a_loop_is_a_tail_of_three_periods_or_more(text, period):
    assert loop_period(text) == period

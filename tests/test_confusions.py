import json

from hypothesis import given
from hypothesis import strategies as st

from seq2seq.scoring.confusions import MOST, Confusion, confusion_table, find_confusions, visible, width
from seq2seq.scoring.edit_rate import aligned, edit_distance

WORDS = st.text("abc", max_size=9)


def test_an_alignment_by_hand():
    assert aligned("kitten", "sitting") == [
        ("k", "s"), ("i", "i"), ("t", "t"), ("t", "t"), ("e", "i"), ("n", "n"), (None, "g"),
    ]  # fmt: skip
    assert aligned(["k", "ae", "t"], ["k", "t"]) == [("k", "k"), ("ae", None), ("t", "t")]
    assert aligned("", "ab") == [(None, "a"), (None, "b")]
    assert aligned("ab", "") == [("a", None), ("b", None)]


@given(WORDS, WORDS)
def test_an_alignment_has_both_sequences_and_the_fewest_edits(one, other):
    pairs = aligned(one, other)
    assert "".join(symbol for symbol, _ in pairs if symbol) == one
    assert "".join(symbol for _, symbol in pairs if symbol) == other
    assert sum(symbol != another for symbol, another in pairs) == edit_distance(one, other)


def test_confusions_by_hand():
    outputs = ["bal", "bel", "cat", "cats", "dog"]
    references = [["bel"], ["bel"], ["xyz", "at"], ["cats"], ["dogs"]]
    found = find_confusions(outputs, references, ["1", "2", "3", "4", "5"])
    assert (found.wrong, found.edits) == (3, 3)
    assert found.most_frequent == [
        Confusion("substitution", "e", "a", 1, 2, {"source": "1", "output": "bal", "reference": "bel"}),
        Confusion("deletion", "s", "", 1, 2, {"source": "5", "output": "dog", "reference": "dogs"}),
        Confusion("insertion", "", "c", 1, None, {"source": "3", "output": "cat", "reference": "at"}),
    ]


def test_the_most_frequent_comes_first_and_a_repeated_row_counts_each_time():
    found = find_confusions(["xb", "ay", "ay", "ay"], [["ab"]] * 4, ["s"] * 4)
    assert [(one.reference, one.output, one.count, one.of) for one in found.most_frequent] == [
        ("b", "y", 3, 4),
        ("a", "x", 1, 4),
    ]


def test_the_example_is_an_output_with_few_other_edits():
    found = find_confusions(["xyz", "xbc", "xyc"], [["abc"]] * 3, ["1", "2", "3"])
    assert found.most_frequent[0].reference == "a"
    assert found.most_frequent[0].example["source"] == "2"


def test_separated_symbols_and_case():
    found = find_confusions(["t s a"], [["ts a"]], ["w"], separator=" ")
    assert [(one.kind, one.reference, one.output) for one in found.most_frequent] == [
        ("substitution", "ts", "s"),
        ("insertion", "", "t"),
    ]
    assert find_confusions(["UND"], [["und"]], ["w"]).wrong == 1
    assert find_confusions(["UND"], [["und"]], ["w"], ignore_case=True).wrong == 0


def test_no_more_than_the_most_frequent_are_kept_but_all_are_counted():
    letters = [chr(0x4E00 + number) for number in range(MOST + 5)]
    found = find_confusions(["x"] * len(letters), [[letter] for letter in letters], letters)
    assert len(found.most_frequent) == MOST
    assert found.edits == MOST + 5
    assert json.loads(json.dumps(found.to_dict()))["edits"] == MOST + 5


def test_the_table_can_be_read():
    outputs, references = ["t̪ a", "t̪ a", "b"], [["t a"], ["t a"], ["b", "c d"]]
    found = find_confusions([*outputs, "a"], [*references, ["a ʃ"]], ["та\tN", "та\tN", "б", "аш"], separator=" ")
    assert confusion_table(found) == [
        "3 wrong outputs, 3 edits to the nearest reference",
        "",
        "substitutions: reference -> output, and how many of the reference's symbols",
        "  t -> t̪  2 of 2  та N  ->  t̪ a  (reference t a)",
        "",
        "deletions: in the reference alone",
        "  ʃ  1 of 1  аш  ->  a  (reference a ʃ)",
    ]
    assert confusion_table(find_confusions(["a"], [["a"]], ["s"])) == [
        "0 wrong outputs, 0 edits to the nearest reference"
    ]


def test_spaces_and_marks_are_visible_and_widths_are_those_of_a_terminal():
    assert (visible(" "), visible("\u0301"), visible("a")) == ("␣", "◌\u0301", "a")
    assert (width("ab"), width("t\u032a"), width("漢")) == (2, 1, 2)

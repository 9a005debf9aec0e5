import pytest

from seq2seq.errors import DataError
from seq2seq.text.pairs import Pair
from seq2seq.text.splits import (
    References,
    count_rows,
    group_references,
    scored_by,
    scored_items,
    source_key,
    split_by_source,
)

SORTED = [Pair("a" * (1 + i // 2), f"{i}") for i in range(200)]


def test_rows_of_a_source_stay_together():
    split = split_by_source(SORTED, seed=1)
    parts = [{pair.source for pair in part} for part in split]
    assert sum(map(len, split)) == 200
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


def test_sources_that_differ_in_case_spaces_or_form_are_one():
    assert source_key("Go  on !") == source_key("GO on ! ")
    assert source_key("e\u0301") == source_key("É")
    same = [Pair("Go!", "1"), Pair("GO!", "2"), Pair("go! ", "3")]
    split = split_by_source([*same, Pair("b", "b"), Pair("c", "c")], seed=0)
    assert any(set(same) <= set(part) for part in split)


def test_held_out_sources_of_a_sorted_file_have_all_lengths():
    lengths = [len(pair.source) for pair in split_by_source(SORTED, seed=1).validation]
    assert min(lengths) < 50 < max(lengths)


def test_a_tenth_of_the_sources_is_held_out_for_each_part():
    split = split_by_source(SORTED, seed=1)
    assert [len({pair.source for pair in part}) for part in split] == [80, 10, 10]


def test_at_most_a_thousand_sources_are_held_out_for_each_part():
    split = split_by_source((Pair(str(i), "x") for i in range(30_000)), seed=1)
    assert list(map(len, split)) == [28_000, 1000, 1000]


def test_three_sources_make_three_parts():
    assert list(map(len, split_by_source([Pair(s, s) for s in "abc"], seed=5))) == [1, 1, 1]


def test_the_seed_decides_the_split():
    assert split_by_source(SORTED, seed=3) == split_by_source(SORTED, seed=3)
    assert split_by_source(SORTED, seed=3).test != split_by_source(SORTED, seed=4).test


def test_two_sources_are_too_few():
    with pytest.raises(DataError, match=r"at least 3 distinct sources.*got 2: \['a', 'b'\]"):
        split_by_source([Pair("a", "1"), Pair("A", "2"), Pair("b", "3")], seed=1)


def test_references_of_a_source_are_collected_once_in_order():
    pairs = [Pair("Hi.", "Salut !"), Pair("Go.", "Va !"), Pair("Hi.", "Ça va ?"), Pair("Hi.", "Salut !")]
    assert group_references(pairs) == [References("Hi.", ["Salut !", "Ça va ?"]), References("Go.", ["Va !"])]


def test_references_of_other_tags_are_others():
    grouped = group_references([Pair("walk\tV;PST", "walked"), Pair("walk\tV;PRS", "walks")])
    assert [group.references for group in grouped] == [["walked"], ["walks"]]


TOKENS = [Pair("und", "und"), Pair("vnd", "und"), Pair("und", "und"), Pair("vnd", "vnd")]


def test_identical_rows_are_counted_in_the_order_of_their_first_appearance():
    assert count_rows(TOKENS) == ([Pair("und", "und"), Pair("vnd", "und"), Pair("vnd", "vnd")], [2, 1, 1])


def test_a_row_that_repeats_is_an_item_each_time():
    assert scored_items(TOKENS, "row") == [
        References("und", ["und"]),
        References("vnd", ["und"]),
        References("und", ["und"]),
        References("vnd", ["vnd"]),
    ]
    assert scored_items(TOKENS, "source") == [References("und", ["und"]), References("vnd", ["und", "vnd"])]


def test_a_token_list_is_told_from_a_few_repeated_rows():
    distinct = [Pair(str(number), "x") for number in range(95)]
    assert scored_by(TOKENS) == "row"
    assert scored_by(distinct) == scored_by([]) == "source"
    assert scored_by([*distinct, *distinct[:4]]) == "source"  # 4 of 99
    assert scored_by([*distinct, *distinct[:5]]) == "row"  # 5 of 100
    assert scored_by([Pair("a", "1"), Pair("a", "2")]) == "source"  # another target is another row

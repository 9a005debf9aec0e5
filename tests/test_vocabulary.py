import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.errors import BundleError, DataError, OptionError
from seq2seq.special import SPECIAL_COUNT, UNK
from seq2seq.text.readings import Replacement
from seq2seq.text.vocabulary import Vocabulary

FIRST = SPECIAL_COUNT


def test_ids_follow_frequency_then_code_point():
    vocabulary = Vocabulary.build(["banana", "bc"])
    assert vocabulary.symbols == ("a", "b", "n", "c")
    assert vocabulary.encode("can") == [FIRST + 3, FIRST, FIRST + 2]
    assert len(vocabulary) == SPECIAL_COUNT + 4


def test_the_order_of_lines_does_not_change_the_ids():
    assert Vocabulary.build(["ab", "cb"]) == Vocabulary.build(["cb", "ab"])


def test_a_limit_keeps_the_most_frequent():
    assert Vocabulary.build(["aaabbc"], limit=2).symbols == ("a", "b")


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(OptionError, match="limit of at least 1, got 0"):
        Vocabulary.build(["a"], limit=0)


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1))
def test_encoding_and_decoding_give_the_line_back(lines):
    vocabulary = Vocabulary.build(lines)
    assert [vocabulary.decode(vocabulary.encode(line, oov="error")) for line in lines] == lines


@settings(deadline=None)
@given(st.lists(st.text(), min_size=1))
def test_json_keeps_every_id(lines):
    vocabulary = Vocabulary.build(lines, features_sep=";")
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json())), where="file") == vocabulary


def test_line_separators_and_nul_survive_the_file():
    symbols = ["\x00", "\x85", "\u2028", "\u2029", "\n", "\r", "\ufeff", "\t", " ", '"', "\\"]
    written = json.dumps(Vocabulary(symbols).to_json(), ensure_ascii=False).encode()
    assert Vocabulary.from_json(json.loads(written), where="file").symbols == tuple(symbols)


def test_separated_symbols_are_atomic_and_runs_of_separators_give_none():
    vocabulary = Vocabulary.build(["K AE1 T", " K  AE1 "], separator=" ")
    assert vocabulary.symbols == ("AE1", "K", "T")
    assert vocabulary.segment("  T  AE1 ") == ["T", "AE1"]
    assert vocabulary.decode(vocabulary.encode("K AE1 T")) == "K AE1 T"


def test_tags_come_first_each_one_symbol():
    vocabulary = Vocabulary.build(["walk\tV;PST"], features_sep=";")
    assert vocabulary.segment("walk\tV;PST") == ["<V>", "<PST>", "w", "a", "l", "k"]
    assert vocabulary.segment("walk\t V ; ;PST") == ["<V>", "<PST>", "w", "a", "l", "k"]
    assert vocabulary.segment("walk") == ["w", "a", "l", "k"]
    assert "\t" not in vocabulary
    assert "<V>" in vocabulary


def test_a_tag_is_not_the_letter_of_the_same_name():
    vocabulary = Vocabulary.build(["V\tV"], features_sep=";")
    assert len(set(vocabulary.encode("V\tV"))) == 2


def test_without_features_a_tab_is_a_character():
    assert Vocabulary.build(["a\tb"]).segment("a\tb") == ["a", "\t", "b"]


@pytest.mark.parametrize(
    ("known", "unknown", "becomes"),
    [
        ("fi", "\ufb01", "fi"),  # compatibility form of a ligature
        ("2", "\u00b2", "2"),
        ("eé", "É", "é"),  # other case before base letter
        ("E", "é", "E"),  # base letter in the other case
        ("e", "ễ", "e"),
        ("A", "\uff41", "A"),  # fullwidth a, then the other case
        ("s", "ſ", "s"),
        ("x", "\u0303", ""),  # a lone combining mark is dropped
        ("x", "中", None),
        ("f", "\ufb01", None),  # half a ligature is no ligature
    ],
)
def test_unknown_characters_map_to_the_nearest_known(known, unknown, becomes):
    vocabulary = Vocabulary.build([known])
    expected = [UNK] if becomes is None else vocabulary.encode(becomes, oov="error")
    assert vocabulary.encode(unknown) == expected
    code_point = f"U+{ord(unknown):04X}"
    assert vocabulary.replacements(unknown) == [Replacement(1, unknown, code_point, becomes)]


def test_the_other_characters_of_a_line_keep_their_ids():
    vocabulary = Vocabulary.build(["abc"])
    assert vocabulary.encode("aÀ中c") == [FIRST, FIRST, UNK, FIRST + 2]
    assert vocabulary.encode("aÀ中c", oov="unk") == [FIRST, UNK, UNK, FIRST + 2]
    assert [found.column for found in vocabulary.replacements("aÀ中c")] == [2, 3]


def test_unknown_symbols_and_tags_map_as_wholes():
    vocabulary = Vocabulary.build(["k ae\tN"], separator=" ", features_sep=";")
    assert vocabulary.encode("K OW\tn;PL", oov="map") == [
        *vocabulary.encode("x\tN")[:1],
        UNK,
        *vocabulary.encode("k"),
        UNK,
    ]
    assert vocabulary.replacements("K OW\tn;PL") == [
        Replacement(1, "K", "U+004B", "k"),
        Replacement(3, "OW", "U+004F U+0057", None),
        Replacement(6, "<n>", "U+003C U+006E U+003E", "<N>"),
        Replacement(8, "<PL>", "U+003C U+0050 U+004C U+003E", None),
    ]


@pytest.mark.parametrize("tag", ["AB", "ab", "B", "É"])
def test_an_unknown_tag_is_one_unk_though_its_characters_are_known(tag):
    vocabulary = Vocabulary.build(["<AB>abÉ\tV;A"], features_sep=";")
    line, known = f"a\tV;{tag}", vocabulary.encode("a\tV")
    expected = [known[0], UNK, *known[1:]]
    assert vocabulary.encode(line, oov="map") == vocabulary.encode(line, oov="unk") == expected
    code_points = " ".join(f"U+{ord(character):04X}" for character in f"<{tag}>")
    assert vocabulary.replacements(line) == [Replacement(5, f"<{tag}>", code_points, None)]
    with pytest.raises(DataError, match=f"^line 3, column 5: expected a symbol that the model has seen, got '<{tag}>'"):
        vocabulary.encode(line, oov="error", where="line 3")


def test_a_tag_in_another_case_is_the_known_tag_as_a_whole():
    vocabulary = Vocabulary.build(["walk<>vpst\tV;PST"], features_sep=";")
    assert vocabulary.encode("walk\tv;pst") == vocabulary.encode("walk\tV;PST")
    assert [found.becomes for found in vocabulary.replacements("walk\tv;pst")] == ["<V>", "<PST>"]


def test_a_known_line_has_no_replacements():
    assert Vocabulary.build(["abc"]).replacements("cab") == []


def test_error_mode_names_character_code_point_line_and_column():
    vocabulary = Vocabulary.build(["abc"])
    with pytest.raises(DataError, match=r"line 17, column 2: .*got 'é' \(U\+00E9\).*--oov map"):
        vocabulary.encode("aéb", oov="error", where="line 17")
    with pytest.raises(DataError, match=r"^column 1: "):
        vocabulary.encode("é", oov="error")


def test_another_mode_is_refused():
    with pytest.raises(OptionError, match="--oov map, unk or error, got 'skip'"):
        Vocabulary.build(["a"]).encode("a", oov="skip")


def test_special_ids_are_skipped_in_text_and_named_alone():
    vocabulary = Vocabulary.build(["ab"])
    assert vocabulary.decode([2, FIRST, 1, FIRST + 1, 3, 0]) == "ab"
    assert [vocabulary.symbol(i) for i in range(FIRST + 1)] == ["<PAD>", "<UNK>", "<START>", "<END>", "a"]


@pytest.mark.parametrize("token_id", [-1, 6])
def test_an_id_that_is_not_there_is_refused(token_id):
    with pytest.raises(DataError, match=f"token id from 0 to 5, got {token_id}"):
        Vocabulary.build(["ab"]).decode([token_id])


def test_a_vocabulary_cannot_be_changed_and_shows_its_form_alone():
    vocabulary = Vocabulary(["a"])
    assert "decompose=False" in repr(vocabulary) and "<PAD>" not in repr(vocabulary)
    with pytest.raises(AttributeError):
        vocabulary.separator = " "
    assert isinstance(vocabulary.symbols, tuple)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"symbols": ["a", "b", "a"]}, "distinct symbols, got 'a' at positions 0 and 2"),
        ({"symbols": ["a", 5]}, "strings, none empty, got 5 at position 1"),
        ({"symbols": [""]}, "got '' at position 0"),
        ({"symbols": "abc"}, "symbols to be a list, got 'abc'"),
        ({"separator": None}, "separator to be a string, got None"),
        ({"format": 2}, "vocabulary format 1, got 2"),
        ({"extra": 1}, "with the keys .* got .*extra"),
    ],
)
def test_a_damaged_vocabulary_names_its_file(change, message):
    data = Vocabulary(["a", "b"]).to_json() | change
    with pytest.raises(BundleError, match=f"^runs/x/source.json: .*{message}"):
        Vocabulary.from_json(data, where="runs/x/source.json")


def test_what_is_not_an_object_is_no_vocabulary():
    with pytest.raises(BundleError, match=r"with the keys .*, got \['a'\]"):
        Vocabulary.from_json(["a"], where="file")


def test_symbols_twice_are_refused_when_made():
    with pytest.raises(DataError, match="distinct symbols, got 'a'"):
        Vocabulary(["a", "a"])


def test_a_hundred_thousand_short_lines_encode_quickly():
    vocabulary = Vocabulary.build(["the quick brown fox"])
    begin = time.process_time()
    for _ in range(100_000):
        vocabulary.encode("the quick fox")
    assert time.process_time() - begin < 3

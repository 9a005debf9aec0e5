import random

import pytest

from seq2seq.config import DataConfig, is_encoding
from seq2seq.errors import DataError
from seq2seq.text import encodings
from seq2seq.text.encodings import likely_encoding, wide_encoding
from seq2seq.text.pairs import read_pairs

FRENCH = "Where were you?\tOù étiez-vous ?\nI'm disappointed.\tJ'ai été déçu.\nIt's summer.\tC'est l'été.\n"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Où étiez-vous ? « Ça va » L'Été… à l'œuvre"),
        ("cp1252", "Schöne Grüße aus München, Äpfel und Öl"),
        ("cp1252", "¿Qué pasó, señor? ¡Mañana!"),
        ("cp1250", "Zażółć gęślą jaźń. Może być później"),
        ("cp1251", "Привет, как дела? Я не знаю."),
        ("koi8_r", "Привет, как дела? Я не знаю."),
        ("gb18030", "我不知道你在说什么。今天天气很好"),
        ("shift_jis", "私は学生です。今日はいい天気ですね"),
        ("euc_kr", "나는 사과를 먹었어요. 오늘은 날씨가 좋네요"),
    ],
)
def test_an_encoding_is_known_by_what_it_makes_of_the_bytes(encoding, text):
    assert likely_encoding(f"{text}\n".encode(encoding)) == encoding


@pytest.mark.parametrize(
    ("run", "count"), [("école", 1), ("École", 1), ("éCole", 0), ("Ñandú", 2), ("ПрИвет", 0), ("Привет", 6)]
)
def test_letters_with_capitals_inside_a_word_are_no_sign_of_an_encoding(run, count):
    assert encodings._natural(run, "cp1252") == count


def test_bytes_that_look_like_no_text_have_no_encoding():
    assert likely_encoding(random.Random(1).randbytes(1000)) is None


def test_a_cut_last_character_does_no_harm():
    assert likely_encoding("我不知道你在说什么".encode("gb18030")[:-1]) == "gb18030"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_two_and_four_bytes_a_character_are_known_by_mark_or_zero_bytes(encoding):
    assert wide_encoding("Go now.\tVa !\n".encode(encoding)) == encoding
    assert wide_encoding(b"Go now.\tVa !\n") is None


@pytest.mark.parametrize(
    ("name", "known"), [("utf-8", True), ("CP1252", True), ("rot13", False), ("nothing", False), ("", False)]
)
def test_only_encodings_of_text_are_encodings(name, known):
    assert is_encoding(name) == known


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16", "utf-16-le", "utf-8-sig"])
def test_pairs_are_read_in_the_encoding_that_is_given(tmp_path, encoding):
    (tmp_path / "fra.tsv").write_bytes(FRENCH.encode(encoding))
    pairs = read_pairs(tmp_path / "fra.tsv", DataConfig(encoding=encoding)).pairs
    assert pairs[1] == ("I'm disappointed.", "J'ai été déçu.")
    assert len(pairs) == 3


def test_a_file_that_is_mostly_of_another_encoding_stops_with_the_likely_one(tmp_path):
    (tmp_path / "fra.tsv").write_bytes((FRENCH + "Go.\tVa !\n").encode("cp1252"))
    message = (
        r"expected UTF-8 text, got '.*fra\.tsv', where 3 of 4 lines are not, such as line 1: b'Where.*'; "
        r"it looks like cp1252: read it with --encoding cp1252, or convert it to UTF-8"
    )
    with pytest.raises(DataError, match=message):
        read_pairs(tmp_path / "fra.tsv", DataConfig())


def test_half_of_another_encoding_is_skipped_and_said_with_the_likely_one(tmp_path):
    (tmp_path / "fra.tsv").write_bytes((FRENCH + "a\tb\n\nc\td\ne\tf\n").encode("cp1252"))
    file = read_pairs(tmp_path / "fra.tsv", DataConfig())
    assert file.pairs == [("a", "b"), ("c", "d"), ("e", "f")]
    warning = file.report.warning()
    assert "skipped 4 of 7 lines (3 invalid UTF-8, 1 blank line)" in warning
    assert "for the lines that could not be decoded: it looks like cp1252: read it with --encoding cp1252" in warning


def test_a_file_that_looks_like_nothing_is_not_given_a_name(tmp_path):
    (tmp_path / "x.tsv").write_bytes(b"\x81\xff\t\xfe\x98\n" * 3)
    with pytest.raises(DataError, match="3 of 3 lines are not, .*; name its encoding, such as --encoding cp1252, or"):
        read_pairs(tmp_path / "x.tsv", DataConfig())


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "shift_jis"])
def test_utf8_is_not_read_as_something_else(tmp_path, encoding):
    (tmp_path / "fra.tsv").write_text(FRENCH, encoding="utf-8")
    with pytest.raises(DataError, match=rf"expected {encoding} text, got .*, which is UTF-8; give --encoding utf-8"):
        read_pairs(tmp_path / "fra.tsv", DataConfig(encoding=encoding))


def test_a_damaged_file_of_two_bytes_a_character_is_refused(tmp_path):
    (tmp_path / "x.tsv").write_bytes("a\tb\n".encode("utf-16") + b"\x00")
    with pytest.raises(DataError, match=r"expected utf-16 text, got .*, which cannot be decoded at byte 10 \(trunc"):
        read_pairs(tmp_path / "x.tsv", DataConfig(encoding="utf-16"))


def test_a_line_that_is_not_of_the_given_encoding_is_bad(tmp_path):
    (tmp_path / "x.tsv").write_bytes("é\tà\nè\tê\n".encode("cp1252") + b"\x81\tb\n")
    file = read_pairs(tmp_path / "x.tsv", DataConfig(encoding="cp1252"))
    assert file.pairs == [("é", "à"), ("è", "ê")]
    assert file.report.bad == {"invalid cp1252": 1}

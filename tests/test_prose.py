"""Reading a text: symbols, normalisation, blocks, the split by position."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.config import DataConfig
from seq2seq.errors import DataError, OptionError
from seq2seq.special import SPECIAL_COUNT, UNK
from seq2seq.text import prose as texts
from seq2seq.text.prose import TextForm, encode_text, read_blocks
from seq2seq.text.vocabulary import Vocabulary

CHARACTERS, WORDS, NOTES = TextForm(), TextForm("word"), TextForm(separator=" ")
# what blocks could cut wrongly: CR LF, marks, Hangul letters, characters of several bytes, sigma at a word's end
TRICKY = "a\r\n\r \n e\u0301\u0323 \u1112\u1161\u11ab\u3042中文 ΑΣ ΑΣΑ don't ’tis \U0001f600\ufeffx\u00a0y--z\tİ"


def encoded(tmp_path, text, *, block_bytes=1 << 20, **options):
    path = tmp_path / "text.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return encode_text(path, DataConfig(data=str(path), **options), tmp_path, block_bytes=block_bytes)


def decoded(text):
    symbols = [text.vocabulary.symbol(int(token)) for token in text.ids]
    return text.form.text(symbols)


def blocks(text, form, size):
    return list(read_blocks(io.BytesIO(text.encode()), form, name="x.txt", block_bytes=size))


# Symbols


def test_words_punctuation_and_spaces_are_symbols_of_their_own():
    assert WORDS.tokens("I can't, she  said.\n") == ["I", " ", "can't", ",", " ", "she", " ", " ", "said", ".", "\n"]


def test_chinese_words_are_single_characters():
    assert WORDS.tokens("他說hello。") == ["他", "說", "hello", "。"]


def test_delimited_symbols_keep_their_line_ends():
    assert NOTES.tokens("C4 D4\nE4  F4\n") == ["C4", "D4", "\n", "E4", "F4", "\n"]
    assert NOTES.text(["C4", "D4", "\n", "E4"]) == "C4 D4\nE4"


def test_a_line_end_may_be_the_separator():
    form = TextForm(separator="\n")
    assert form.tokens("e4\nd5\n") == ["e4", "d5"]
    assert form.text(["e4", "d5"]) == "e4\nd5"


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_joined_words_and_characters_are_the_text(text):
    for form in (CHARACTERS, WORDS):
        assert form.text(form.tokens(text)) == text


def test_text_is_composed_and_keeps_its_quotes_and_spaces():
    assert CHARACTERS.normalise("\ufeffcafe\u0301 ’x’\u00a0y\r\n") == "café ’x’\u00a0y\n"
    assert TextForm(lowercase=True).normalise("ÀB") == "àb"


# Blocks


@pytest.mark.parametrize("form", [CHARACTERS, WORDS, NOTES, TextForm(lowercase=True)], ids=str)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_blocks_of_any_size_give_the_same_symbols(form, size):
    text = TRICKY * 3
    whole = form.tokens(form.normalise(text.replace("\ufeff", "")))
    assert [symbol for block in blocks(text, form, size) for symbol in form.tokens(block)] == whole


@given(st.text(alphabet="ae\u0301\u0323\u1112\u1161\u11ab \r\n中ΣΑ", max_size=40), st.integers(1, 9))
def test_blocks_join_to_the_normalised_text(text, size):
    for form in (CHARACTERS, WORDS, TextForm(lowercase=True)):
        assert "".join(blocks(text, form, size)) == form.normalise(text)


@pytest.mark.parametrize("options", [{}, {"unit": "word"}, {"target_sep": " "}, {"lowercase": True}], ids=str)
def test_chunked_and_unchunked_reading_give_the_same_ids(tmp_path, options):
    whole = encoded(tmp_path, TRICKY * 30, **options)
    chunked = encoded(tmp_path, TRICKY * 30, block_bytes=11, **options)
    assert chunked.vocabulary == whole.vocabulary
    np.testing.assert_array_equal(chunked.ids, whole.ids)
    assert chunked[3:] == whole[3:]


def test_a_line_without_end_is_cut_between_letters(monkeypatch):
    monkeypatch.setattr(texts, "LONGEST_SYMBOL", 5)
    text = "中e\u0301\u0323\u1112\u1161\u11ab文" * 5
    found = blocks(text, CHARACTERS, 3)
    assert max(map(len, found)) < 10
    assert "".join(found) == CHARACTERS.normalise(text)


# Ids


def test_the_last_tenth_validates_and_the_vocabulary_is_the_training_parts(tmp_path):
    text = encoded(tmp_path, "ab" * 45 + "abzab" + "z" * 5)
    assert (len(text.ids), text.split, text.unknown) == (100, 90, 6)
    assert text.vocabulary.symbols == ("a", "b")
    assert [int(token) for token in text.ids[88:93]] == [SPECIAL_COUNT, SPECIAL_COUNT + 1, 4, 5, UNK]
    assert (text.train_characters, text.validation_characters, text.excerpt) == (90, 10, "abzabzzzzz")


def test_ids_are_mapped_from_a_file_of_the_smallest_type(tmp_path):
    few = encoded(tmp_path, "abc" * 100)
    many = encoded(tmp_path, "".join(map(chr, range(0x4E00, 0x4E00 + 600))))
    assert (few.ids.dtype, many.ids.dtype) == (np.uint8, np.uint16)
    assert isinstance(few.ids, np.memmap)
    assert decoded(few) == "abc" * 100


def test_a_word_model_has_a_vocabulary_limit(tmp_path):
    text = encoded(tmp_path, "the cat and the dog and the bird\n" * 10, unit="word", vocabulary_limit=3)
    assert text.vocabulary.symbols == (" ", "the", "and")
    assert UNK in text.ids


def test_the_split_falls_between_words(tmp_path):
    text = encoded(tmp_path, "abcdefghij " * 10, unit="word")
    assert (text.split, text.train_characters) == (17, 98)
    assert text.excerpt == " abcdefghij "


def test_a_chinese_text_and_one_line_are_read(tmp_path):
    line = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。" * 5
    assert decoded(encoded(tmp_path, line)) == line
    assert decoded(encoded(tmp_path, line, unit="word")) == line


# Errors


def test_a_training_part_of_one_symbol_is_refused(tmp_path):
    text = " ".join(["x" * 8999, *["y" * 50] * 20])
    with pytest.raises(DataError, match="the first 90 % train the model, the last 10 % validate it"):
        encoded(tmp_path, text, unit="word")


@pytest.mark.parametrize("text", ["", "\n", "short", "\ufeff"])
def test_an_empty_or_short_text_is_refused(tmp_path, text):
    with pytest.raises(DataError, match=r"text\.txt: expected a text of at least 20 symbols, got \d+; the first 90 %"):
        encoded(tmp_path, text)


@pytest.mark.parametrize("block_bytes", [5, 9, 1000])
def test_bytes_that_are_no_utf_8_are_named_with_their_line(tmp_path, block_bytes):
    with pytest.raises(DataError, match=r"text\.txt:3: expected UTF-8 text, got byte 0xe9; it looks like cp1252"):
        encoded(tmp_path, b"one\ntwo\ncaf\xe9\n" * 4, block_bytes=block_bytes)


def test_a_text_is_read_in_the_encoding_that_is_given(tmp_path):
    text = "Où étiez-vous ? « Ça va », dit-elle…\n" * 3
    for encoding in ("cp1252", "utf-16"):
        assert decoded(encoded(tmp_path, text.encode(encoding), block_bytes=7, encoding=encoding)) == text
    with pytest.raises(DataError, match="expected cp1252 text, got .* which is UTF-8; give --encoding utf-8"):
        encoded(tmp_path, text, encoding="cp1252")


def test_words_and_a_separator_exclude_each_other(tmp_path):
    with pytest.raises(OptionError, match="--unit word and --target-sep ' ' exclude each other"):
        encoded(tmp_path, "a b c", unit="word", target_sep=" ")


def test_the_table_of_characters_gives_the_ids_of_the_vocabulary(tmp_path):
    seen = TRICKY.replace("\ufeff", "") * 3
    vocabulary = Vocabulary.build([texts.TextForm().normalise(seen)])
    encode = texts.make_encoder(vocabulary, CHARACTERS, np.dtype(np.uint8))
    text = CHARACTERS.normalise(seen + "\U0010ffffé\0漢")
    np.testing.assert_array_equal(encode(text), vocabulary.encode(text, oov="unk"))
    assert encode("").dtype == np.uint8
    assert texts.make_encoder(Vocabulary([]), CHARACTERS, np.dtype(np.uint8))("ab").tolist() == [UNK, UNK]

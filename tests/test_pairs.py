import dataclasses
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq import memory
from seq2seq.config import DataConfig
from seq2seq.errors import DataError, OptionError
from seq2seq.text.pairs import EVERY_ROW, Pair, normalise, read_pairs


@pytest.fixture
def write(tmp_path):
    def _write(content: bytes | str):
        path = tmp_path / "pairs.tsv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def read(path, **options):
    """Reads every row, however long, with options of DataConfig."""
    return read_pairs(path, dataclasses.replace(EVERY_ROW, **options))


def test_pairs_are_the_first_two_columns_and_the_attribution_is_left_aside(write):
    path = write("Go.\tVa !\tCC-BY 2.0 (France)\nHi.\tSalut !\n")
    assert read(path).pairs == [Pair("Go.", "Va !"), Pair("Hi.", "Salut !")]


def test_a_quote_that_is_never_closed_swallows_nothing(write):
    path = write('"Go.\tVa\nb\tc"\n"d"\t"e\n')
    assert read(path).pairs == [('"Go.', "Va"), ("b", 'c"'), ('"d"', '"e')]


def test_na_and_null_are_ordinary_text(write):
    path = write("NA\tnull\nnan\tNone\n#N/A\t\\N\n")
    assert read(path).pairs == [("NA", "null"), ("nan", "None"), ("#N/A", "\\N")]


def test_special_spaces_and_apostrophes_become_plain_and_are_counted(write):
    file = read(write("It\u2019s\u00a0me!\tC\u2019est moi\u202f!\na\t\u2009b\u2009\n"))
    assert file.pairs == [("It's me!", "C'est moi !"), ("a", "b")]
    assert (file.report.spaces_mapped, file.report.apostrophes_mapped) == (4, 2)
    assert "4 special spaces made plain, 2 curly apostrophes made straight" in file.report.summary()


def test_decomposed_letters_are_composed(write):
    assert read(write("e\u0301te\u0301\tsummer\n")).pairs == [("été", "summer")]


def test_each_kind_of_bad_line_is_counted_and_the_first_are_named(write):
    content = b"a\tb\nno tab\n\t empty\nx\t \nbad\xff\tutf\nc\x00d\te\n\nf\tg\nc\tn\xc2\x85l\n"
    file = read(write(content))
    assert file.pairs == [("a", "b"), ("f", "g")]
    assert file.report.bad == {
        "no tab": 1,
        "empty side": 2,
        "invalid UTF-8": 1,
        "control character": 2,
        "blank line": 1,
    }
    assert [bad.line for bad in file.report.examples] == [2, 3, 4]
    warning = file.report.warning()
    assert "pairs.tsv: skipped 7 of 9 lines (1 no tab, 2 empty side" in warning
    assert "line 2 (no tab): 'no tab'" in warning
    assert "\n" not in warning


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"alone", "no tab"),
        (b"a\t", "empty side"),
        (b"\xff\tb", "invalid UTF-8"),
        (b"a\x1b\tb", "control character"),
        (b"a\rb\tc", "control character"),
    ],
)
def test_a_bad_line_under_error_names_file_line_kind_and_way_out(write, line, kind):
    with pytest.raises(DataError, match=rf"pairs\.tsv, line 2: .*columns 1, 2, got {kind}: .*--on-bad-line skip"):
        read(write(b"a\tb\n" + line + b"\n"), on_bad_line="error")


@pytest.mark.parametrize(
    ("free", "what", "way_out"),
    [(100, "", "give a smaller file"), (1000, ", 50 lines", "give fewer lines")],
)
def test_a_file_that_needs_more_memory_than_is_free_is_refused(write, monkeypatch, free, what, way_out):
    path = write("a\tb\n" * 50)
    monkeypatch.setattr(memory, "ALWAYS", 0)
    monkeypatch.setattr(memory, "free_bytes", lambda: free)
    with pytest.raises(OptionError) as error:
        read(path)
    assert str(error.value) == f"{path}{what}: needs about 0.0 GB of memory, and 0.0 GB are free; {way_out}"


def test_a_clean_file_has_no_warning(write):
    assert read(write("a\tb\n")).report.warning() is None


@pytest.mark.parametrize("header", ["source\ttarget", "English\tFrench", "en\tfr", "src\ttgt", "target\tsource"])
def test_a_header_is_skipped_and_said(write, header):
    file = read(write(f"{header}\na\tb\n"))
    assert file.pairs == [("a", "b")]
    assert "skipped line 1, which looks like a header" in file.report.warning()
    assert header.split("\t")[0] in file.report.warning()


@pytest.mark.parametrize("first", ["Source of life.\tSource de vie.", "english\tanglais", "text\ttext", "a\tb"])
def test_an_ordinary_first_line_is_kept(write, first):
    file = read(write(f"{first}\nc\td\n"))
    assert len(file.pairs) == 2
    assert file.report.header is None


def test_a_header_word_further_down_is_kept(write):
    assert len(read(write("a\tb\nsource\ttarget\n")).pairs) == 2


def test_columns_are_counted_from_one_and_may_be_any(write):
    path = write("1\tFrançais\tEnglish here\n")
    assert read(path, source_col=3, target_col=2).pairs == [("English here", "Français")]


def test_a_row_without_the_asked_column_is_bad(write):
    file = read(write("a\tb\tc\nd\te\n"), target_col=3)
    assert file.pairs == [("a", "c")]
    assert file.report.bad == {"missing column": 1}


def test_features_follow_the_source_after_a_tab(write):
    path = write("walk\twalked\tV;PST\nrun\tran\t \n")
    pairs = read(path, features_col=3).pairs
    assert pairs == [("walk\tV;PST", "walked"), ("run", "ran")]


def test_features_stay_with_the_source_side_when_reversed(write):
    path = write("walk\twalked\tV;PST\n")
    assert read(path, features_col=3, reverse=True).pairs == [("walked\tV;PST", "walk")]


def test_lowercase_leaves_the_tags(write):
    path = write("Walk\tWALKED\tV;PST\n")
    assert read(path, features_col=3, lowercase=True).pairs == [("walk\tV;PST", "walked")]


def test_reverse_swaps_the_sides(write):
    assert read(write("a\tb\n"), reverse=True).pairs == [("b", "a")]


def test_length_filters_count_what_they_drop(write):
    file = read(write("abc\tx\nab\txyz\nab\txy\n"), max_source_length=2, max_target_length=2)
    assert file.pairs == [("ab", "xy")]
    assert (file.report.source_too_long, file.report.target_too_long) == (1, 1)
    assert "1 dropped: source over the maximum length" in file.report.summary()


def test_lengths_count_separated_symbols_and_no_tags(write):
    path = write("cat\tK  AE1 T\tN;SG;DEF\n")
    options = {"features_col": 3, "max_source_length": 3, "max_target_length": 3, "target_sep": " "}
    assert read(path, **options).pairs == [("cat\tN;SG;DEF", "K  AE1 T")]


def test_dropping_every_pair_by_length_names_the_option(write):
    with pytest.raises(DataError, match=r"no usable pair.*1 dropped.*raise --max-source-length"):
        read(write("abc\tx\n"), max_source_length=2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"one\ntwo\n", r"no usable pair: .*2 no tab.*--source-col"),
        (b"source\ttarget\n", "header"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"\x1f\x8brest", "gzip"),
        ("a\tb\n".encode("utf-16"), "looks like UTF-16; read it with --encoding utf-16"),
        ("aaaa\tbbbb\n".encode("utf-16-le"), "looks like UTF-16-LE; read it with --encoding utf-16-le"),
        (bytes(4000), "NUL bytes"),
    ],
)
def test_a_file_without_a_usable_pair_is_always_an_error(write, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read(write(content))
    assert "pairs.tsv" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_bad_line": "ignore"}, "--on-bad-line: expected one of skip, error, got 'ignore'"),
        ({"source_col": 0}, "--source-col: expected at least 1, got 0"),
        ({"source_col": 2}, "different columns, got --source-col 2, --target-col 2; give each its own number"),
        ({"features_col": 1}, "different columns, got --source-col 1, --target-col 2, --features-col 1"),
        ({"max_target_length": 0}, "--max-target-length: expected at least 1, got 0"),
        ({"features_col": 3, "features_sep": ""}, "--features-sep to be at least one character"),
        ({"source_sep": "\t"}, r"--source-sep without tab or line end, got '\\t'"),
        ({"features_sep": "\n"}, r"--features-sep without tab or line end, got '\\n'"),
        ({"encoding": "utf8000"}, "--encoding to be one that Python knows, got 'utf8000'; such as utf-8, utf-16 or cp"),
        ({"encoding": "rot13"}, "--encoding to be one that Python knows, got 'rot13'"),
        ({"encoding": "a\0"}, "--encoding to be one that Python knows"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_before_a_file_is_read(options, message):
    with pytest.raises(OptionError, match=message):
        DataConfig(**options)


def test_a_target_separator_that_stands_in_no_column_is_refused_for_pairs(tmp_path):
    with pytest.raises(OptionError, match=r"--target-sep without tab or line end, got '\\n'; tab separates columns"):
        read(tmp_path / "absent.tsv", target_sep="\n")


def test_input_lines_take_the_form_of_training_lines(write):
    line = "  L\u2019E\u0301te\u0301\u202f! "
    assert normalise(line) == "L'Été !" == read(write(f"{line}\tx\n")).pairs[0].source
    assert normalise(line, lowercase=True) == "l'été !"


def test_normalise_keeps_tags_apart_and_their_case():
    assert normalise(" Walk \t V;PST \n", lowercase=True) == "walk\tV;PST"
    assert normalise("walk\t") == "walk"


@settings(deadline=None)
@given(st.text())
def test_normalising_twice_changes_nothing(text):
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1), min_size=1))
def test_a_whole_file_is_normalised_like_its_lines(texts):
    kept = [normalise(text) for text in texts if normalise(text)]
    if kept:
        content = "".join(f"{text}\tx\n" for text in texts).encode()
        assert [pair.source for pair in read_pairs("pairs.tsv", EVERY_ROW, content=content).pairs] == kept

import pytest

from seq2seq.errors import DataError
from seq2seq.fields import whole_number
from seq2seq.text.lines import read_lines
from seq2seq.text.pairs import EVERY_ROW, read_pairs


@pytest.fixture
def write(tmp_path):
    def _write(content: bytes | str):
        path = tmp_path / "pairs.tsv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def test_byte_order_mark_and_windows_line_ends_leave_no_trace(write):
    path = write(b"\xef\xbb\xbfa\tb\r\nc\td\r\r\ne\tf\r")
    assert read_pairs(path, EVERY_ROW).pairs == [("a", "b"), ("c", "d"), ("e", "f")]


def test_only_line_feeds_end_a_line(write):
    path = write("a\u2028b\tc\u2029d\ne\tf\n")
    assert read_pairs(path, EVERY_ROW).pairs == [("a\u2028b", "c\u2029d"), ("e", "f")]


def test_the_other_lines_of_a_file_with_invalid_utf8_are_whole(write):
    assert read_pairs(write("é\tœ\n".encode() + b"\xe9\tlatin\n" + "è\tà".encode()), EVERY_ROW).pairs == [
        ("é", "œ"),
        ("è", "à"),
    ]


def test_an_invalid_last_line_is_counted(write):
    assert read_pairs(write(b"a\tb\n\xff"), EVERY_ROW).report.bad == {"invalid UTF-8": 1}


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"got '.*absent\.tsv', which does not exist"):
        read_pairs(tmp_path / "absent.tsv", EVERY_ROW)


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        read_pairs(tmp_path, EVERY_ROW)


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x.tsv").write_text("a\tb\n")
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(DataError, match=r"cannot read '.*x\.tsv': Permission denied"):
        read_pairs(tmp_path / "x.tsv", EVERY_ROW)


@pytest.mark.parametrize(
    ("text", "number"),
    [("17", 17), (" -1 ", -1), ("٣", 3), ("²", None), ("", None), ("-", None), ("1.5", None), ("9" * 5000, None)],
)
def test_a_whole_number_is_read_and_other_text_is_not(text, number):
    assert whole_number(text) == number


def test_a_return_before_a_byte_order_mark_at_the_end_of_a_line_belongs_to_the_line_end():
    assert read_lines("file", b"a\r\xef\xbb\xbf\nb\r\n").lines == ["a", "b"]

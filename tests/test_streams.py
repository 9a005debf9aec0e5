import os
import sys
import threading

import pytest

from seq2seq.cli.streams import chunks, open_input
from seq2seq.errors import DataError, OptionError
from seq2seq.files.lines import decode_line


def read(tmp_path, content, size=100):
    path = tmp_path / "in.txt"
    path.write_bytes(content)
    with open_input(str(path)) as (file, name):
        return list(chunks(file, size, name=name, symbols=100))


def lines(tmp_path, content, size=100):
    return [line for chunk in read(tmp_path, content, size) for line in chunk]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\nb\n", ["a", "b"]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"a\r\n\r\nb\r\n", ["a", "", "b"]),
        (b"a\rb\n", ["a\rb"]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        ("é\u2028ü\x85\x0b\n".encode(), ["é\u2028ü\x85\x0b"]),
    ],
)
def test_lines_end_at_line_feeds_alone(tmp_path, content, expected):
    assert lines(tmp_path, content) == expected


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_chunks_hold_at_most_as_many_lines_as_asked_for(tmp_path, size):
    content = b"".join(b"%d\n" % number for number in range(7))
    found = read(tmp_path, content, size)
    assert [line for chunk in found for line in chunk] == [str(number) for number in range(7)]
    assert all(len(chunk) == size for chunk in found[:-1]) and 0 < len(found[-1]) <= size


def test_a_character_may_lie_across_two_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.cli.streams.READ_BYTES", 3)
    assert lines(tmp_path, "añb日本語\nüü\n".encode()) == ["añb日本語", "üü"]


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order-mark"])
def test_bytes_that_are_not_utf_8_are_named_with_their_place(start):
    with pytest.raises(DataError) as error:
        decode_line(start + "né".encode() + b"\xe9t", 1, "in.txt")
    assert str(error.value) == (
        "in.txt:1: expected UTF-8 text, got byte 0xe9 at column 3; convert the file: iconv -f latin1 -t utf-8"
    )


def test_the_number_of_a_bad_line_is_that_in_the_file(tmp_path):
    with pytest.raises(DataError, match=r"in\.txt:3: expected UTF-8 text, got byte 0xff at column 1"):
        lines(tmp_path, b"a\nb\n\xff\n", size=2)


def test_what_has_come_is_handed_on_when_the_writer_pauses():
    reading, writing = os.pipe()
    arrived, first_came, in_time = [], threading.Event(), []

    def write():
        os.write(writing, b"one\ntwo\nthr")
        in_time.append(first_came.wait(60))
        os.write(writing, b"ee\n")
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb", buffering=0) as file:
        for chunk in chunks(file, 100, name="pipe", symbols=100):
            arrived.append(chunk)
            first_came.set()
    writer.join()
    assert arrived == [["one", "two"], ["three"]]
    assert in_time == [True], "the first lines waited for the last"


def test_a_line_without_end_is_refused_before_it_is_read_whole(monkeypatch):
    monkeypatch.setattr("seq2seq.files.lines.FEWEST_BYTES", 1 << 17)
    taken = 0

    def endless(descriptor, size):
        nonlocal taken
        taken += size
        return b"a" * size if taken > size else b"one\ntwo"

    monkeypatch.setattr("seq2seq.cli.streams.os.read", endless)
    monkeypatch.setattr("seq2seq.cli.streams.waiting", lambda descriptor: True)
    with open(os.devnull, "rb") as file, pytest.raises(DataError) as error:
        list(chunks(file, 100, name="pipe", symbols=1000))
    assert str(error.value) == (
        "pipe:2: expected a line of at most 1000 symbols, got more than 131072 bytes; cut it into sentences, one a line"
    )
    assert taken < 1 << 18


def test_a_line_has_room_for_long_words(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.files.lines.FEWEST_BYTES", 1)
    assert lines(tmp_path, b"word" * 1000) == ["word" * 1000]
    with pytest.raises(DataError, match=r"in\.txt:1: expected a line of at most 100 symbols, got more than 6400 bytes"):
        lines(tmp_path, b"word" * 2000)


@pytest.mark.parametrize(("name", "reason"), [("none.txt", "No such file or directory"), (".", "Is a directory")])
def test_an_input_that_cannot_be_read_is_named(name, reason):
    with pytest.raises(OptionError, match=f"--input {name}: cannot be read: {reason}"), open_input(name):
        pass


def test_a_closed_standard_input_is_said(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(OptionError, match="standard input, which is closed; give --input FILE"), open_input(None):
        pass


def test_a_file_is_closed_in_the_end_and_standard_input_stays_open(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("one\n")
    with pytest.raises(KeyError), open_input(str(path)) as (file, name):
        assert (file.read(), name) == (b"one\n", str(path))
        raise KeyError
    assert file.closed
    with open_input(None) as (file, name):
        assert name == "standard input"
    assert not file.closed

import io
import json
import os
import sys
import threading
import time

import pytest

from seq2seq.errors import BundleError, DataError, OptionError
from seq2seq.streams import OutputFile, chunks, decode_line, open_input

SETTINGS = {"model": "abc", "seed": 1}


def read(tmp_path, content, size=100):
    path = tmp_path / "in.txt"
    path.write_bytes(content)
    with open_input(str(path)) as (file, name):
        return list(chunks(file, size, name=name))


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
    monkeypatch.setattr("seq2seq.streams.READ_BYTES", 3)
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
    arrived = []

    def write():
        os.write(writing, b"one\ntwo\nthr")
        time.sleep(0.3)
        os.write(writing, b"ee\n")
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(reading, "rb", buffering=0) as file:
        for chunk in chunks(file, 100, name="pipe"):
            arrived.append((chunk, writer.is_alive()))
    writer.join()
    assert [chunk for chunk, _ in arrived] == [["one", "two"], ["three"]]
    assert arrived[0][1], "the first lines waited for the last"


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


# output


def output(path, *, resume=False, settings=SETTINGS):
    return OutputFile(None if path is None else str(path), resume=resume, settings=settings)


def interrupted(path, texts, unsaved=""):
    """Leaves what a run leaves that was interrupted after some lines."""
    with pytest.raises(KeyboardInterrupt), output(path) as file:
        for text in texts:
            file.write(text + "\n", lines=1, settings=SETTINGS)
        file.file.write(unsaved.encode())
        raise KeyboardInterrupt


def test_a_file_gets_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "out.txt"
    with output(path) as file:
        file.write("one\n", lines=1, settings=SETTINGS)
        assert not path.exists()
    assert path.read_text() == "one\n"
    assert [each.name for each in tmp_path.iterdir()] == ["out.txt"]


def test_an_interrupted_file_goes_on_after_its_last_whole_chunk(tmp_path, capsys):
    path = tmp_path / "out.txt"
    path.write_text("an older result\n")
    interrupted(path, ["one", "two"], unsaved="thr")
    assert path.read_text() == "an older result\n"
    assert capsys.readouterr().err == f"2 lines are in {path}.partial; --resume goes on there\n"
    with output(path, resume=True) as file:
        assert file.done == 2
        file.write("three\n", lines=1, settings=SETTINGS)
    assert path.read_text() == "one\ntwo\nthree\n"
    assert [each.name for each in tmp_path.iterdir()] == ["out.txt"]


def test_without_resume_an_interrupted_file_is_begun_anew(tmp_path):
    path = tmp_path / "out.txt"
    interrupted(path, ["one"])
    with output(path) as file:
        assert file.done == 0
    assert path.read_text() == ""


def test_nothing_to_resume_is_a_beginning(tmp_path):
    with output(tmp_path / "out.txt", resume=True) as file:
        assert file.done == 0


def test_other_settings_are_refused_by_name(tmp_path):
    path = tmp_path / "out.txt"
    interrupted(path, ["one"])
    with pytest.raises(OptionError) as error:
        output(path, resume=True, settings={"model": "abc", "seed": 2})
    assert str(error.value) == (
        f"--resume: {path}.partial was written with other settings (seed); "
        "give the same ones, or leave --resume out to start anew"
    )


def test_a_partial_file_that_is_shorter_than_its_note_is_begun_anew(tmp_path):
    path = tmp_path / "out.txt"
    interrupted(path, ["one", "two"])
    (tmp_path / "out.txt.partial").write_text("o")
    with output(path, resume=True) as file:
        assert file.done == 0


def test_a_damaged_note_is_named(tmp_path):
    path = tmp_path / "out.txt"
    interrupted(path, ["one"])
    note = tmp_path / "out.txt.partial.json"
    assert json.loads(note.read_text())["lines"] == 1
    note.write_text("{")
    with pytest.raises(BundleError, match=r"out\.txt\.partial\.json: is damaged"):
        output(path, resume=True)


def test_standard_output_cannot_be_resumed():
    with pytest.raises(OptionError, match="--resume: needs --output FILE; standard output cannot be resumed"):
        output(None, resume=True)


@pytest.mark.parametrize(("place", "reason"), [("none/out.txt", "No such file or directory"), ("", "Is a directory")])
def test_an_output_that_cannot_be_written_is_said_at_once(tmp_path, place, reason):
    with pytest.raises(OptionError, match=f"--output .*: cannot be written: {reason}"):
        output(tmp_path / place)


def test_a_link_leads_to_its_file(tmp_path):
    (tmp_path / "real.txt").write_text("")
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    with output(tmp_path / "link.txt") as file:
        file.write("one\n", lines=1, settings=SETTINGS)
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "one\n"


def test_a_device_is_written_to_and_stays_a_device(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with output(pipe) as file:
        file.write("one\n", lines=1, settings=SETTINGS)
    assert os.read(reader, 100) == b"one\n"
    os.close(reader)
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"] and pipe.is_fifo()
    with pytest.raises(OptionError, match="--resume: needs an ordinary file"):
        output(pipe, resume=True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
def test_a_full_disk_is_said_and_what_was_written_is_kept(tmp_path, capsys):
    path = tmp_path / "out.txt"
    with pytest.raises(OptionError) as error, output(path) as file:
        file.write("one\n", lines=1, settings=SETTINGS)
        file.file.close()
        file.file = open("/dev/full", "wb")  # noqa: SIM115 - the output closes it
        file.write("two\n", lines=1, settings=SETTINGS)
    assert str(error.value) == (
        f"--output {path}: cannot be written: No space left on device; make room or write elsewhere"
    )
    assert f"1 lines are in {path}.partial; --resume goes on there" in capsys.readouterr().err
    with output(path, resume=True) as file:
        assert file.done == 1


def test_standard_output_is_flushed_at_each_chunk(monkeypatch):
    class Out:
        buffer = io.BufferedWriter(io.BytesIO())

    monkeypatch.setattr(sys, "stdout", Out)
    with output(None) as file:
        file.write("one\n", lines=1, settings=SETTINGS)
        assert Out.buffer.raw.getvalue() == b"one\n"
    assert not Out.buffer.closed

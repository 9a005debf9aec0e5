import io
import json
import os
import subprocess
import sys

import pytest

from seq2seq.cli.output_file import OutputFile
from seq2seq.errors import OptionError
from seq2seq.files.lock import fcntl

SETTINGS = {"model": "abc", "seed": 1}
LINE = ["a line of the input"]
locks = pytest.mark.skipif(fcntl is None, reason="there are no locks of files here")


def output(path, *, resume=False, settings=SETTINGS):
    return OutputFile(None if path is None else str(path), resume=resume, settings=settings)


def interrupted(path, texts, unsaved=""):
    """Leaves what a run leaves that was interrupted after some lines."""
    with pytest.raises(KeyboardInterrupt), output(path) as file:
        for text in texts:
            file.write(text + "\n", [f"source of {text}"])
        file.file.write(unsaved.encode())
        raise KeyboardInterrupt


def unfinished(file, *texts, size=2):
    """The chunks that a resumed run has to do, of an input whose lines gave these texts."""
    lines = [f"source of {text}" for text in texts]
    return list(file.unfinished([lines[start : start + size] for start in range(0, len(lines), size)], "in.txt"))


def test_a_file_gets_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "out.txt"
    with output(path) as file:
        file.write("one\n", LINE)
        assert not path.exists()
    assert path.read_text() == "one\n"
    assert [each.name for each in tmp_path.iterdir()] == ["out.txt"]


def test_an_interrupted_file_continues_after_its_last_complete_chunk(tmp_path, capsys):
    path = tmp_path / "out.txt"
    path.write_text("an older result\n")
    interrupted(path, ["one", "two"], unsaved="thr")
    assert path.read_text() == "an older result\n"
    assert capsys.readouterr().err == f"2 lines are in {path}.partial; --resume continues there\n"
    with output(path, resume=True) as file:
        assert file.done == 2
        assert unfinished(file, "one", "two", "three") == [(2, ["source of three"])]
        file.write("three\n", LINE)
    assert path.read_text() == "one\ntwo\nthree\n"
    assert [each.name for each in tmp_path.iterdir()] == ["out.txt"]


def test_without_resume_an_interrupted_file_starts_from_the_beginning(tmp_path):
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
        "give the same ones, or leave --resume out to start from the beginning"
    )


def test_a_partial_file_that_is_shorter_than_its_note_starts_from_the_beginning(tmp_path):
    path = tmp_path / "out.txt"
    interrupted(path, ["one", "two"])
    (tmp_path / "out.txt.partial").write_text("o")
    with output(path, resume=True) as file:
        assert file.done == 0


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_the_same_input_is_continued_however_it_is_chunked(tmp_path, size):
    path = tmp_path / "out.txt"
    interrupted(path, ["one", "two", "three"])
    with output(path, resume=True) as file:
        found = unfinished(file, "one", "two", "three", "four", "five", size=size)
        assert [line for _, lines in found for line in lines] == ["source of four", "source of five"]
        assert next(before for before, _ in found) == 3


@pytest.mark.parametrize(
    "texts",
    [("one", "other", "three"), ("one", "twofold"), ("one",), (), ("two", "one"), ("one", "", "two")],
    ids=["other line", "longer line", "too short", "empty", "other order", "line between"],
)
def test_another_input_is_refused_and_nothing_is_lost(tmp_path, capsys, texts):
    path = tmp_path / "out.txt"
    interrupted(path, ["one", "two"])
    capsys.readouterr()
    left = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(OptionError) as error, output(path, resume=True) as file:
        unfinished(file, *texts)
    assert str(error.value) == (
        f"--resume: {path}.partial holds the results of 2 lines, and in.txt does not begin with these lines; "
        "give the same input, or leave --resume out to start from the beginning"
    )
    assert capsys.readouterr().err == ""
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == left


def test_a_resumed_file_may_be_interrupted_before_its_lines_are_read_again(tmp_path):
    path = tmp_path / "out.txt"
    interrupted(path, ["one", "two"])
    with pytest.raises(KeyboardInterrupt), output(path, resume=True):
        raise KeyboardInterrupt
    with output(path, resume=True) as file:
        assert unfinished(file, "one", "two", "three") == [(2, ["source of three"])]


def test_a_file_that_is_resumed_twice_knows_all_of_its_input(tmp_path):
    path = tmp_path / "out.txt"
    interrupted(path, ["one"])
    with pytest.raises(KeyboardInterrupt), output(path, resume=True) as file:
        for _, lines in file.unfinished([["source of one", "source of two"], ["source of three"]], "in.txt"):
            file.write("two\n", lines)
            raise KeyboardInterrupt
    with pytest.raises(OptionError, match="in.txt does not begin with these lines"), output(path, resume=True) as file:
        unfinished(file, "one", "other")
    with output(path, resume=True) as file:
        assert unfinished(file, "one", "two", "three") == [(2, ["source of three"])]
    assert path.read_text() == "one\ntwo\n"


def test_a_note_without_its_input_is_refused(tmp_path):
    path = tmp_path / "out.txt"
    interrupted(path, ["one"])
    note = tmp_path / "out.txt.partial.json"
    content = json.loads(note.read_text())
    del content["input"]
    note.write_text(json.dumps(content))
    with pytest.raises(OptionError) as error:
        output(path, resume=True)
    assert str(error.value) == (
        f"--resume: {note} is from an earlier version, which did not record the input; "
        "leave --resume out to start from the beginning"
    )
    with output(path) as file:
        assert file.done == 0


@pytest.mark.parametrize("content", ["{", "[1]", '{"lines": "1"}', "[" * 100_000, "\udcff"])
@pytest.mark.parametrize("resume", [True, False])
def test_a_note_that_is_damaged_or_another_programs_is_named_and_kept(tmp_path, content, resume):
    path = tmp_path / "out.txt"
    interrupted(path, ["one"])
    note = tmp_path / "out.txt.partial.json"
    assert json.loads(note.read_text())["lines"] == 1
    note.write_text(content, errors="surrogateescape")
    with pytest.raises(OptionError) as error:
        output(path, resume=resume)
    assert str(error.value) == (
        f"{'--resume' if resume else f'--output {path}'}: {note} is damaged or not the note of an interrupted run, "
        "so out.txt.partial can neither be resumed nor replaced; move both away, or give another --output"
    )
    assert (tmp_path / "out.txt.partial").read_text() == "one\n"
    assert note.read_text(errors="surrogateescape") == content


@pytest.mark.parametrize("resume", [True, False])
def test_a_partial_file_of_another_program_is_named_and_kept(tmp_path, resume):
    partial = tmp_path / "out.txt.partial"
    partial.write_text("a thesis")
    with pytest.raises(OptionError) as error:
        output(tmp_path / "out.txt", resume=resume)
    assert str(error.value) == (
        f"--output {tmp_path}/out.txt: {partial} exists, but there is no out.txt.partial.json from an "
        "interrupted run beside it; move it away, or give another --output"
    )
    assert partial.read_text() == "a thesis"
    assert [each.name for each in tmp_path.iterdir()] == ["out.txt.partial"]


def test_a_note_of_another_program_gets_no_partial_file_beside_it(tmp_path):
    note = tmp_path / "out.txt.partial.json"
    note.write_text("mine")
    with pytest.raises(OptionError, match="is damaged or not the note of an interrupted run"):
        output(tmp_path / "out.txt")
    assert [each.name for each in tmp_path.iterdir()] == ["out.txt.partial.json"]


# two writers


@locks
def test_two_outputs_into_one_file_are_refused(tmp_path):
    path, link = tmp_path / "out.txt", tmp_path / "link.txt"
    path.write_text("an older result\n")
    link.symlink_to(path)
    with output(path) as first:
        first.write("one\n", LINE)
        for name in (path, link):
            with pytest.raises(OptionError) as error:
                output(name)
            assert str(error.value) == (
                f"--output {name}: another process is writing this file; wait for it, or give another --output"
            )
        first.write("two\n", LINE)
    assert path.read_text() == "one\ntwo\n"
    with output(path) as file:
        file.write("three\n", LINE)
    assert path.read_text() == "three\n"


@locks
def test_a_finished_file_is_not_taken_for_its_partial_file(tmp_path, monkeypatch):
    path = tmp_path / "out.txt"
    flock = fcntl.flock

    def finished_meanwhile(*arguments):
        (tmp_path / "out.txt.partial").rename(path)  # by whoever held it
        flock(*arguments)

    monkeypatch.setattr(fcntl, "flock", finished_meanwhile)
    (tmp_path / "out.txt.partial").write_text("one\n")
    with pytest.raises(OptionError, match="another process is writing this file"):
        output(path)
    assert path.read_text() == "one\n"


@locks
def test_a_file_system_without_locks_is_written_to(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with output(tmp_path / "out.txt") as file:
        file.write("one\n", LINE)
    assert (tmp_path / "out.txt").read_text() == "one\n"


@locks
def test_the_lock_ends_with_the_process_that_held_it(tmp_path):
    path = tmp_path / "out.txt"
    code = """
import os, sys
from seq2seq.cli.output_file import OutputFile
file = OutputFile(sys.argv[1], resume=False, settings={})
file.write("one\\n", ["a line"])
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    assert (tmp_path / "out.txt.partial").read_text() == "one\n"
    with OutputFile(str(path), resume=True, settings={}) as file:
        assert list(file.unfinished([["a line", "another"]], "in.txt")) == [(1, ["another"])]


# what is written to as it is


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
        file.write("one\n", LINE)
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == "one\n"


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_the_file_behind_standard_output_is_added_to(tmp_path, name):
    if name == "link":
        name = tmp_path / "link"
        name.symlink_to("/dev/stdout")
    elif not os.path.exists(name):
        pytest.skip(f"there is no {name} here")
    file = tmp_path / "all.txt"
    file.write_text("an older result\n")
    code = """
import sys
from seq2seq.cli.output_file import OutputFile
with OutputFile(sys.argv[1], resume=False, settings={}) as file:
    file.write("one\\n", ["a line"])
"""
    with file.open("ab") as stream:
        subprocess.run([sys.executable, "-c", code, str(name)], stdout=stream, check=True)
    assert file.read_text() == "an older result\none\n"
    assert {each.name for each in tmp_path.iterdir()} - {"link"} == {"all.txt"}
    done = subprocess.run([sys.executable, "-c", code, str(name)], capture_output=True, check=True)
    assert done.stdout == b"one\n"


def test_a_descriptor_that_is_not_open_is_said():
    with pytest.raises(OptionError, match="--output /dev/fd/987: cannot be written: Bad file descriptor"):
        output("/dev/fd/987")
    with pytest.raises(OptionError, match="--resume: needs an ordinary file, got --output /dev/fd/1"):
        output("/dev/fd/1", resume=True)


def test_a_device_is_written_to_and_stays_a_device(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with output(pipe) as file:
        file.write("one\n", LINE)
    assert os.read(reader, 100) == b"one\n"
    os.close(reader)
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"] and pipe.is_fifo()
    with pytest.raises(OptionError, match="--resume: needs an ordinary file"):
        output(pipe, resume=True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
def test_a_full_disk_is_said_and_what_was_written_is_kept(tmp_path, capsys):
    path = tmp_path / "out.txt"
    with pytest.raises(OptionError) as error, output(path) as file:
        file.write("one\n", LINE)
        file.file.close()
        file.file = open("/dev/full", "wb")  # noqa: SIM115 - the output closes it
        file.write("two\n", LINE)
    assert str(error.value) == (
        f"--output {path}: cannot be written: No space left on device; make room or write elsewhere"
    )
    assert f"1 lines are in {path}.partial; --resume continues there" in capsys.readouterr().err
    with output(path, resume=True) as file:
        assert file.done == 1


def test_standard_output_is_flushed_at_each_chunk(monkeypatch):
    class Out:
        buffer = io.BufferedWriter(io.BytesIO())

    monkeypatch.setattr(sys, "stdout", Out)
    with output(None) as file:
        file.write("one\n", LINE)
        assert Out.buffer.raw.getvalue() == b"one\n"
    assert not Out.buffer.closed


def test_an_empty_name_is_refused_and_nothing_is_written_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(OptionError, match="--output: expected a file name, got ''; leave it out for standard output"):
        OutputFile("", resume=False, settings={})
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]

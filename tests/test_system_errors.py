"""What the system does to a command: a full disk, a folder that vanishes, closed streams, Ctrl-C. One line says it."""

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq import train, verify
from seq2seq.bundle.folder import load_bundle, save_bundle
from seq2seq.bundle.record import CONFIG, read_record
from seq2seq.cli.shell import WAYS_OUT, run_verb
from seq2seq.errors import BundleError, Seq2SeqError
from seq2seq.files.reading import read_json
from seq2seq.files.writing import write_atomically
from seq2seq.training import trainer
from seq2seq.training.checkpoints import current_checkpoint
from seq2seq.training.divergence import EXPLODED, check_loss
from tests.test_checkpoints import save

ROOT = Path(train.__file__).resolve().parents[1]


@contextlib.contextmanager
def full_disk(after):
    """A disk that is full after some files were flushed to it; as the system does, the error names no file."""
    left, flush = [after], os.fsync

    def fsync(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        yield


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# a full disk


def test_a_file_that_finds_no_room_is_named_and_leaves_nothing_behind(tmp_path):
    write_atomically(tmp_path / "file", "old")
    with full_disk(0), pytest.raises(OSError) as error:
        write_atomically(tmp_path / "file", "new")
    assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(tmp_path / "file"))
    assert contents(tmp_path) == {"file": b"old"}


@pytest.mark.parametrize("after", range(4))
def test_a_checkpoint_that_finds_no_room_leaves_the_last_one(tmp_path, after):
    save(tmp_path, 1)
    before = contents(tmp_path)
    with full_disk(after), pytest.raises(OSError) as error:
        save(tmp_path, 2)
    names = ("progress.json", "weights.safetensors", "state.safetensors", "current")
    assert Path(error.value.filename).name == names[after]
    assert before.items() <= contents(tmp_path).items()
    assert current_checkpoint(tmp_path).name == "checkpoint-1"
    assert not list(tmp_path.rglob("*.partial"))
    save(tmp_path, 2)
    assert current_checkpoint(tmp_path).name == "checkpoint-2"


def test_a_model_that_finds_no_room_leaves_the_old_one_whole(tiny_bundle):
    folder = tiny_bundle()
    bundle, before = load_bundle(folder), contents(folder)
    for after in range(100):
        try:
            with full_disk(after):
                save_bundle(
                    bundle, metrics={"new": 1}, history=[{"epoch": 2}], canary=read_json(folder / "canary.json")
                )
            break
        except OSError as error:
            assert Path(error.filename).parent == folder
            assert contents(folder) == before
    assert after == len(before)
    assert load_bundle(folder).record["sha256"] != json.loads(before[CONFIG])["sha256"]


# training


@pytest.fixture
def training(tmp_path, monkeypatch, capsys):
    """Runs the command with another body of the training; returns its exit code and what it said last."""
    (tmp_path / "pairs.tsv").write_text("".join(f"{one}\t{one.upper()}\n" for one in "abcdefgh"))

    def training(body, *options):
        monkeypatch.setattr(trainer, "train_in_folder", lambda run: body(run.folder))
        code = train.main(["--data", str(tmp_path / "pairs.tsv"), "--model", str(tmp_path / "model"), *options])
        return code, capsys.readouterr().err.splitlines()[-1]

    return training


def test_ctrl_c_says_that_the_same_command_goes_on(training):
    def interrupt(folder):
        raise KeyboardInterrupt

    def save_and_interrupt(folder):
        save(folder, 2)
        raise KeyboardInterrupt

    assert training(interrupt) == (
        130,
        "seq2seq train: interrupted; no checkpoint was written yet: the same command starts from the beginning",
    )
    assert training(save_and_interrupt, "--overwrite") == (
        130,
        "seq2seq train: interrupted; the same command continues after epoch 2",
    )


def test_a_full_disk_in_training_names_file_and_ways_out(training, tmp_path):
    def fill(folder):
        save(folder, 1)
        with full_disk(1):
            save(folder, 2)

    file = tmp_path / "model" / "checkpoint-2.partial" / "weights.safetensors"
    assert training(fill) == (
        2,
        f"seq2seq train: error: {file}: No space left on device; "
        "make room, or write elsewhere; the same command continues after epoch 1",
    )


def test_a_folder_that_vanishes_is_said_and_not_made_anew(training, tmp_path):
    def vanish(folder):
        save(folder, 1)
        shutil.rmtree(folder)
        save(folder, 2)

    folder = tmp_path / "model"
    assert training(vanish) == (
        2,
        f"seq2seq train: error: {folder / 'checkpoint-2.partial'}: No such file or directory; check the name, and "
        f"whether something else removed or moved it; {folder} is gone: put it back, and the same command goes on with "
        "its last checkpoint",
    )
    assert not folder.exists()


def test_a_damaged_checkpoint_is_said_with_the_interruption(training):
    def damage(folder):
        save(folder, 1)
        (folder / "current").write_text("checkpoint-9")
        raise KeyboardInterrupt

    code, said = training(damage)
    assert code == 130 and "interrupted; no checkpoint can be read: " in said and "names 'checkpoint-9'" in said


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2 * EXPLODED])
def test_a_loss_that_means_nothing_is_refused_with_the_advice(value):
    check_loss(EXPLODED, "the loss", 7)
    with pytest.raises(
        Seq2SeqError, match="^training diverged: the loss is .* at step 7; lower --learning-rate or give"
    ):
        check_loss(value, "the loss", 7)


# streams


def command(words, *, redirect="", before="", **options):
    """Runs a command in a shell, with redirections."""
    line = f"{before} exec {sys.executable} -m {words} {redirect}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, env=environment, **options)


@pytest.mark.parametrize(
    ("redirect", "reason"),
    [
        (">&-", "Bad file descriptor; it is closed; open it, or write elsewhere"),
        ("> /dev/full", "No space left on device; make room, or write elsewhere"),
    ],
)
def test_an_output_that_takes_nothing_is_one_line(tiny_bundle, redirect, reason):
    folder = tiny_bundle()
    result = command(f"seq2seq verify --model {folder}", redirect=redirect)
    assert (result.returncode, result.stderr) == (2, f"seq2seq verify: error: standard output: {reason}\n")


def test_a_device_that_takes_nothing_is_named(tiny_bundle):
    result = command(f"seq2seq decode --model {tiny_bundle()} -o /dev/full", before="echo abcd. |")
    said = "--output /dev/full: cannot be written: No space left on device; make room or write elsewhere"
    assert (result.returncode, result.stderr.splitlines()[-1]) == (2, f"seq2seq decode: error: {said}")


def test_closed_streams_lead_nowhere_and_no_other_file_gets_their_numbers(tiny_bundle, tmp_path):
    folder = tiny_bundle()
    (tmp_path / "lines").write_text("abcd.\n")
    words = f"seq2seq decode --model {folder} -i {tmp_path / 'lines'} -o {tmp_path / 'out'} --temperature 1"
    result = command(words, redirect="<&- >&- 2>&-")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert (tmp_path / "out").read_text().count("\n") == 1
    result = command("seq2seq --help", redirect="> /dev/full")
    assert (result.returncode, result.stderr) == (2, "seq2seq: error: standard output: No space left on device\n")


def test_the_reader_of_results_may_leave(tiny_bundle, tmp_path):
    folder = tiny_bundle()
    (tmp_path / "lines").write_text("abcd.\n" * 12_000)
    result = command(f"seq2seq decode --model {folder} -i {tmp_path / 'lines'}", redirect="| head -1", before="")
    assert result.stdout.count("\n") == 1 and result.stderr == ""


def test_an_error_of_the_system_has_a_way_out(monkeypatch, capsys):
    def refuse(folder):
        raise OSError(number, os.strerror(number), "some/file")

    monkeypatch.setattr(verify, "read_record", refuse)
    for number, way_out in {**WAYS_OUT, errno.ELOOP: "SEQ2SEQ_DEBUG=1 shows where in the program it occurred"}.items():
        assert verify.main(["--model", "."]) == 2
        assert capsys.readouterr().err == f"seq2seq verify: error: some/file: {os.strerror(number)}; {way_out}\n"


# memory


def test_a_command_that_gets_no_memory_says_so_in_one_line(capsys, monkeypatch):
    def run(argv):
        raise MemoryError

    assert run_verb("train", run, []) == 2
    assert capsys.readouterr().err == (
        "seq2seq train: error: needs more memory than is free; give a smaller file, "
        "or smaller --batch-size or lengths\n"
    )
    monkeypatch.setenv("SEQ2SEQ_DEBUG", "1")
    assert run_verb("train", run, []) == 2
    assert "Traceback" in capsys.readouterr().err


# Ctrl-C

HOOK = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
left = None
def interrupt(event, values):
    global left
    if event == "import" and (left is not None or values[0] == "seq2seq.version"):
        left = int(os.environ["IMPORTS"]) if left is None else left - 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(interrupt)
"""


@pytest.mark.parametrize(
    ("words", "imports"), [("seq2seq train --help", 9), ("seq2seq.decode --help", 60), ("seq2seq.distill --help", 150)]
)
def test_ctrl_c_while_modules_are_imported_leaves_no_traceback(tmp_path, words, imports):
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    environment = {"IMPORTS": str(imports), "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    result = command(words, env=environment)
    assert (result.returncode, result.stdout, result.stderr) == (-2, "", "")


def test_another_program_that_imports_the_package_keeps_its_ctrl_c(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import signal\nsignal.signal(2, signal.default_int_handler)\n"
        "import seq2seq\nprint(signal.getsignal(2) is signal.default_int_handler)\n"
    )
    result = command("mine seq2seq", cwd=tmp_path, env={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    assert result.stdout == "True\n"


# a replacement that was killed


def test_a_replacement_that_was_killed_is_said_where_the_model_is_missing(tiny_bundle, tmp_path):
    old = tiny_bundle("mine").rename(tmp_path / "mine.2.partial")
    new = tiny_bundle("mine").rename(tmp_path / "mine.partial")
    with pytest.raises(BundleError) as error:
        read_record(tmp_path / "mine")
    assert str(error.value) == (
        f"{tmp_path / 'mine'}: expected a model folder, got nothing there, but a replacement that was killed left "
        f"{old} and {new} beside it, each a whole model: look with `seq2seq verify --model`, rename the one you want, "
        "and remove the others"
    )

import dataclasses
import os
import shutil
import stat
import subprocess
import sys

import numpy as np
import pytest

from seq2seq.errors import BundleError
from seq2seq.files import lock
from seq2seq.files.folders import fresh_folder, replace_folder
from seq2seq.files.reading import read_arrays, read_json
from seq2seq.files.writing import write_arrays, write_atomically, write_json
from seq2seq.training.checkpoints import (
    CURRENT,
    Progress,
    best_weights,
    check_names_free,
    current_checkpoint,
    load_progress,
    locked,
    remove_checkpoints,
    save_checkpoint,
)


class PowerCut(BaseException):
    """The process ends here; nothing after it runs."""


class Scissors:
    """Ends the process at the n-th call that reaches the disk."""

    def __init__(self, monkeypatch, after):
        self.left = after
        for name in ("replace", "fsync", "mkdir", "rmdir", "unlink"):
            monkeypatch.setattr(os, name, self.counting(getattr(os, name)))

    def counting(self, call):
        def counted(*args, **options):
            if self.left == 0:
                raise PowerCut
            self.left -= 1
            return call(*args, **options)

        return counted


def arrays(epoch):
    return {"kernel": np.full((2, 3), epoch, np.float32), "step": np.array(epoch, np.int64)}


def save(folder, epoch, best=None):
    progress = Progress(epoch=epoch, step=10 * epoch, best_epoch=best or epoch, history=[{"epoch": epoch}] * epoch)
    save_checkpoint(folder, progress, weights=arrays(epoch), state=arrays(-epoch))


def test_a_checkpoint_holds_progress_weights_and_state(tmp_path):
    assert current_checkpoint(tmp_path) is None
    save(tmp_path, 1)
    checkpoint = current_checkpoint(tmp_path)
    assert checkpoint == tmp_path / "checkpoint-1"
    assert load_progress(checkpoint) == Progress(epoch=1, step=10, best_epoch=1, history=[{"epoch": 1}])
    found = read_arrays(checkpoint / "state.safetensors")
    assert found["kernel"].tolist() == [[-1] * 3] * 2
    assert found["step"].shape == () and found["step"].dtype == np.int64


def test_the_newest_and_the_best_are_kept(tmp_path):
    for epoch, best in ((1, 1), (2, 2), (3, 2), (4, 2)):
        save(tmp_path, epoch, best)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-2", "checkpoint-4", CURRENT]
    progress = load_progress(current_checkpoint(tmp_path))
    assert best_weights(tmp_path, progress)["kernel"][0, 0] == 2


def test_a_cut_between_any_two_writes_leaves_the_old_checkpoint_or_the_new(tmp_path):
    for after in range(100):
        folder = tmp_path / str(after)
        folder.mkdir()
        save(folder, 1)
        save(folder, 2, best=1)
        try:
            with pytest.MonkeyPatch.context() as patch:
                Scissors(patch, after)
                save(folder, 3)
            finished = True
        except PowerCut:
            finished = False
        checkpoint = current_checkpoint(folder)
        progress = load_progress(checkpoint)
        assert progress.epoch in ((3,) if finished else (2, 3))
        assert read_arrays(checkpoint / "weights.safetensors")["kernel"][0, 0] == progress.epoch
        assert read_arrays(checkpoint / "state.safetensors")["kernel"][0, 0] == -progress.epoch
        assert best_weights(folder, progress)["kernel"][0, 0] == progress.best_epoch
        # the same step again, and the next one, remove the incomplete files
        save(folder, progress.epoch + 1)
        save(folder, progress.epoch + 2)
        assert sorted(path.name for path in folder.iterdir()) == [f"checkpoint-{progress.epoch + 2}", CURRENT]
        if finished:
            break
    assert finished and after >= 8


def test_current_must_name_a_checkpoint_that_is_there(tmp_path):
    save(tmp_path, 1)
    (tmp_path / CURRENT).write_text("checkpoint-7\n")
    with pytest.raises(
        BundleError, match="names 'checkpoint-7', which does not exist; --overwrite starts from the beginning"
    ):
        current_checkpoint(tmp_path)


@pytest.mark.parametrize("file", ["pytorch_model.bin", "notes.txt"])
def test_checkpoints_of_other_programs_are_left_alone(tmp_path, file):
    for name in ("checkpoint-500", "checkpoint-7.partial", "checkpoint-notes", "checkpoint-6"):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("theirs")
    save(tmp_path, 1)
    shutil.copy(tmp_path / "checkpoint-1" / "progress.json", tmp_path / "checkpoint-6")  # beside another program's file
    (tmp_path / "checkpoint-9").symlink_to(tmp_path / "checkpoint-1")
    before = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    remove_checkpoints(tmp_path, keep={"checkpoint-1"})
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == before
    save(tmp_path, 2)
    assert not (tmp_path / "checkpoint-1").exists() and (tmp_path / "checkpoint-2").exists()
    assert sum(path.name == file for path in tmp_path.rglob("*")) == 4


def test_a_checkpoint_takes_no_name_that_another_program_has(tmp_path):
    (tmp_path / "checkpoint-2").mkdir()
    (tmp_path / "checkpoint-2" / "weights.safetensors").write_text("theirs")
    save(tmp_path, 1)
    message = (
        f"{tmp_path / 'checkpoint-2'}: has the name of a checkpoint, but this program did not write it, or not all of "
        "it; move it away, or give another --model"
    )
    for action in (lambda: save(tmp_path, 2), lambda: check_names_free(tmp_path, epochs=2)):
        with pytest.raises(BundleError) as error:
            action()
        assert str(error.value) == message
    assert (tmp_path / "checkpoint-2" / "weights.safetensors").read_text() == "theirs"
    check_names_free(tmp_path, epochs=1)


def test_a_cut_while_checkpoints_are_removed_leaves_none_that_looks_whole(tmp_path):
    for after in range(100):
        folder = tmp_path / str(after)
        folder.mkdir()
        save(folder, 1)
        try:
            with pytest.MonkeyPatch.context() as patch:
                Scissors(patch, after)
                remove_checkpoints(folder, keep=())
            finished = True
        except PowerCut:
            finished = False
        if (folder / "checkpoint-1").exists():
            assert len(list((folder / "checkpoint-1").iterdir())) == 3
        remove_checkpoints(folder, keep=())
        assert [path.name for path in folder.iterdir()] == [CURRENT]
        if finished:
            break
    assert finished and after >= 4


def test_the_best_weights_may_be_those_of_the_finished_model(tmp_path):
    save(tmp_path, 1)
    save(tmp_path, 2, best=1)
    write_arrays(tmp_path / "weights.safetensors", arrays(1))
    remove_checkpoints(tmp_path, keep={"checkpoint-2"})
    progress = load_progress(tmp_path / "checkpoint-2")
    assert best_weights(tmp_path, progress)["kernel"][0, 0] == 1


def test_progress_is_plain_data():
    assert Progress(**dataclasses.asdict(Progress(epoch=3, best_score=-0.5))) == Progress(epoch=3, best_score=-0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 3}, "unknown key 'epochs'"),
        ({"epoch": None}, "epoch is None"),
        ({"step": True}, "step is True"),
        ({"seconds": "3"}, "seconds is '3'"),
        ({"history": {}}, "history is {}"),
        ({"history": [{"epoch": "1"}]}, "history is [{'epoch': '1'}]"),
    ],
)
def test_wrong_progress_is_named_by_file_and_key(tmp_path, changes, message):
    save(tmp_path, 1)
    path = tmp_path / "checkpoint-1" / "progress.json"
    record = read_json(path)
    write_json(path, {**record, **changes})
    with pytest.raises(BundleError) as error:
        load_progress(path.parent)
    assert str(error.value) == f"{path}: is damaged: {message}; train again, or restore the file"


def test_progress_without_a_key_or_without_any_is_damaged(tmp_path):
    save(tmp_path, 1)
    path = tmp_path / "checkpoint-1" / "progress.json"
    record = read_json(path)
    for name in set(record) - {"samples"}:  # an earlier version kept none
        write_json(path, {key: value for key, value in record.items() if key != name})
        with pytest.raises(BundleError, match=f"progress.json: is damaged: no '{name}'; train again"):
            load_progress(path.parent)
    write_json(path, [1])
    with pytest.raises(BundleError, match=r"progress.json: is damaged: expected keys and values, got \[1\]"):
        load_progress(path.parent)


# folders


def folder_with(path, **files):
    path.mkdir()
    for name, content in files.items():
        (path / name).write_text(content)


def remove_model_file(folder):
    (folder / "model").unlink(missing_ok=True)


def test_a_cut_while_a_folder_is_replaced_loses_neither_the_old_one_nor_files_of_other_programs(tmp_path):
    for after in range(20):
        home = tmp_path / str(after)
        home.mkdir()
        folder_with(home / "model", model="old", notes="mine")
        folder_with(home / "model.partial", model="new")
        try:
            with pytest.MonkeyPatch.context() as patch:
                Scissors(patch, after)
                replace_folder(home / "model.partial", home / "model", remove=remove_model_file)
            finished = True
        except PowerCut:
            finished = False
        found = {path.read_text() for path in home.rglob("*") if path.is_file()}
        assert "new" in found and "mine" in found
        if not (home / "model").exists() or (home / "model" / "model").read_text() == "old":
            assert "old" in found
        if finished:
            break
    assert {path.name: path.read_text() for path in (home / "model").iterdir()} == {"model": "new", "notes": "mine"}
    assert finished and after >= 4 and [path.name for path in home.iterdir()] == ["model"]


def test_a_name_beside_is_one_that_nothing_has(tmp_path):
    (tmp_path / "m.partial").mkdir()
    (tmp_path / "m.2.partial").symlink_to("nowhere")
    assert fresh_folder(tmp_path / "m") == tmp_path / "m.3.partial"
    assert (tmp_path / "m.3.partial").is_dir()


def test_a_folder_whose_name_another_process_takes_gets_the_next_name(tmp_path, monkeypatch):
    (tmp_path / "m.partial").mkdir()
    names = iter([tmp_path / "m.partial", tmp_path / "m.2.partial"])  # the first was free when it was looked up
    monkeypatch.setattr("seq2seq.files.folders.fresh_name", lambda _: next(names))
    assert fresh_folder(tmp_path / "m") == tmp_path / "m.2.partial"


# one run at a time


def test_a_folder_is_trained_into_by_one_run_at_a_time(tmp_path):
    code = "import sys, pathlib; from seq2seq.training import checkpoints\n"
    code += "with checkpoints.locked(pathlib.Path(sys.argv[1])): pass"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with locked(tmp_path):
        with pytest.raises(BundleError) as error, locked(tmp_path):
            pass
        assert str(error.value) == (
            f"{tmp_path}: another process is training into this folder; wait for it, or give another --model"
        )
        assert "another process is training" in subprocess.run(command, capture_output=True, text=True).stderr
    assert subprocess.run(command).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_failed_holds_no_lock(tmp_path):
    with pytest.raises(KeyboardInterrupt), locked(tmp_path):
        raise KeyboardInterrupt
    with locked(tmp_path):
        pass


def test_a_system_without_locks_trains_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "fcntl", None)
    with locked(tmp_path), locked(tmp_path):
        pass


# files


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_files_have_the_permissions_that_the_user_gives_to_new_files(tmp_path, mask):
    before = os.umask(mask)
    try:
        write_arrays(tmp_path / "a", arrays(1))
        write_json(tmp_path / "b", {})
    finally:
        os.umask(before)
    for name in "ab":
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o666 & ~mask


def test_a_file_is_old_or_new(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, "old")
    for after in range(2):
        with pytest.MonkeyPatch.context() as patch, pytest.raises(PowerCut):
            Scissors(patch, after)
            write_atomically(path, "new")
        assert path.read_text() == "old"
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_arrays_that_are_not_in_order_are_written_as_they_look(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_arrays(tmp_path / "a", {"turned": array.T, "part": array[:, ::2]})
    found = read_arrays(tmp_path / "a")
    np.testing.assert_array_equal(found["turned"], array.T)
    np.testing.assert_array_equal(found["part"], array[:, ::2])


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(BundleError, match=r"file: cannot be read: .*; train again, or restore the file"):
        read_arrays(path)
    with pytest.raises(BundleError, match="file: cannot be read: No such file or directory"):
        read_json(path)
    path.write_text("{")
    with pytest.raises(BundleError, match="file: cannot be read: "):
        read_arrays(path)
    with pytest.raises(BundleError, match=r"file: is damaged: .*; train again, or restore the file"):
        read_json(path)


def test_numbers_that_json_does_not_have_are_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []

import dataclasses
import os
import stat
import subprocess
import sys

import numpy as np
import pytest

from seq2seq.checkpoints import (
    CURRENT,
    RUN,
    Progress,
    best_weights,
    current_checkpoint,
    load_progress,
    locked,
    remove_checkpoints,
    save_checkpoint,
)
from seq2seq.errors import BundleError
from seq2seq.files import read_arrays, read_json, write_arrays, write_atomically, write_json


class PowerCut(BaseException):
    """The process ends here; nothing after it runs."""


class Scissors:
    """Ends the process at its n-th call of what reaches the disk."""

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
        # the same step again, and the next one, clear away what the cut left
        save(folder, progress.epoch + 1)
        save(folder, progress.epoch + 2)
        assert sorted(path.name for path in folder.iterdir()) == [f"checkpoint-{progress.epoch + 2}", CURRENT]
        if finished:
            break
    assert finished and after >= 8


def test_current_must_name_a_checkpoint_that_is_there(tmp_path):
    save(tmp_path, 1)
    (tmp_path / CURRENT).write_text("checkpoint-7\n")
    with pytest.raises(BundleError, match="names 'checkpoint-7', which is not there; --overwrite starts anew"):
        current_checkpoint(tmp_path)


def test_what_only_an_unfinished_run_needs_is_removed(tmp_path):
    save(tmp_path, 1)
    write_json(tmp_path / RUN, {})
    (tmp_path / "config.json").write_text("{}")
    remove_checkpoints(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    remove_checkpoints(tmp_path)  # nothing to do


def test_progress_is_plain_data():
    assert Progress(**dataclasses.asdict(Progress(epoch=3, best_score=-0.5))) == Progress(epoch=3, best_score=-0.5)


# one run at a time


def test_a_folder_is_trained_into_by_one_run_at_a_time(tmp_path):
    code = "import sys, pathlib; from seq2seq.checkpoints import locked\nwith locked(pathlib.Path(sys.argv[1])): pass"
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

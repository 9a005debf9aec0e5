import math
import re
import types
from pathlib import Path

import numpy as np
import pytest

from seq2seq.config import TrainingConfig
from seq2seq.special import END, START
from seq2seq.train import main
from seq2seq.training import profiling
from seq2seq.training.profiling import Parts, Profile, Size, describe_batches, describe_cost, describe_parts, size_of

ROWS = [f"{one}{other}\t{other}{one}" for one in "abcdefgh" for other in "ijklmnop"]
SMALL = ["--hidden-size", "8", "--embedding-size", "4", "--batch-size", "16"]


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"{row}\n" for row in ROWS), encoding="utf-8")
    return file


def test_padding_is_what_is_neither_source_nor_target_symbol():
    source_ids = np.array([[4, END], [END, 0]])
    inputs = np.array([[START, 4, 5], [START, 0, 0]])
    weights = np.array([[1, 1, 1], [1, 0, 0]], np.float32)
    size = size_of([source_ids, inputs, inputs, weights])
    assert size == Size(rows=2, source=2, target=3, real=3 + 4, symbols=4)
    assert size.positions == 10
    assert "padding: 30.0% of 10 positions" in describe_batches([size])


def test_a_language_model_has_no_sources():
    inputs = np.ones((2, 5), np.int32)
    assert size_of([inputs, inputs, np.ones((2, 5), np.float32)]) == Size(2, 0, 5, 10, 10)


def test_minutes_per_epoch_grow_with_the_positions_that_were_not_timed():
    timed = Size(rows=32, source=10, target=10, real=640, symbols=320)
    profile = Profile([Parts(0.5, 0, 0, 0, 2.5, 0)], [timed], tracing=1.0, peak=500.0)
    lines = describe_cost(profile, [timed] * 40, TrainingConfig(epochs=10, batch_size=32))
    assert lines[0].startswith("time: 2.0 minutes per epoch") and "(0.1 thousand target symbols per second" in lines[0]
    assert lines[1] == "total: 20 minutes for 10 epochs"
    assert lines[2].startswith("memory: 500 MiB")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell its own peak here")
def test_the_peak_of_memory_is_in_mebibytes():
    (said,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert profiling.peak_memory() == pytest.approx(int(said) / 1024, rel=0.05)


def test_a_run_of_one_batch_takes_no_time_to_make_more():
    task = types.SimpleNamespace(epoch=lambda generator: iter(["the only batch"]))
    assert 0.0 <= profiling.batch_seconds(task, TrainingConfig()) < math.inf


def test_shares_of_a_step_are_of_the_whole():
    size = Size(rows=1, source=1, target=1, real=2, symbols=1)
    lines = describe_parts(Profile([Parts(0.01, 0.02, 0.05, 0.01, 0.08, 0.02)], [size], 0.0, None), making=0.01)
    shares = {line.rsplit(maxsplit=2)[0].strip(): line.split()[-1] for line in lines[1:]}
    assert shares == {
        "input pipeline": "20%",
        "forward": "20%",
        "backward": "50%",
        "clipping and update": "10%",
        "the whole step": "100%",
        "(validation instead)": "20%",
    }


def test_a_dry_run_describes_the_run_and_leaves_nothing(data, tmp_path, capsys, monkeypatch, one_shard):
    monkeypatch.setattr(profiling, "TIMED", 2)
    monkeypatch.chdir(tmp_path)
    assert main(["--data", str(data), "--dry-run", "--model", "mine", *SMALL]) == 0
    said = capsys.readouterr().err
    for word in ("batches: ", "shapes: ", "padding: ", "memory: ", "minutes per epoch", "longest target of a batch"):
        assert word in said
    assert "part of a step" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.tsv"]


def test_a_profile_changes_nothing_in_the_training_that_follows(data, tmp_path, capsys, monkeypatch, one_shard):
    monkeypatch.setattr(profiling, "TIMED", 2)
    for name, options in {"plain": [], "profiled": ["--profile"]}.items():
        run = ["--data", str(data), "--model", str(tmp_path / name), "--max-steps", "3", *SMALL]
        assert main([*run, "--warmup-steps", "0", *options]) == 0
        said = capsys.readouterr().err
        assert ("part of a step" in said) == bool(options)
    plain, profiled = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("plain", "profiled"))
    assert plain == profiled

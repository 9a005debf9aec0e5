"""Several workers train together, are killed and go on: the model is that of one process, byte for byte."""

import json
import os

import pytest

from seq2seq.training.wire import WAY_OUT
from tests.several import Several
from tests.test_kills import SMALL, TEXTS, contents

TORTURE = bool(os.environ.get("SEQ2SEQ_TORTURE"))
PAIRS = [*SMALL, "--batch-size", 16, "--average", 0.9, "--max-steps", 6]
KINDS = {
    "attention": (2, ["--data", "pairs.tsv", *PAIRS, "--architecture", "attention"]),
    "transducer": (2, ["--data", "tags.tsv", *PAIRS, "--architecture", "transducer", "--features-col", 3]),
    "language model": (
        4,
        ["--data", "text.txt", *SMALL, "--window", 20, "--batch-size", 8, "--layers", 2, "--max-steps", 3],
    ),
}


@pytest.fixture(scope="module")
def several():
    with Several() as several:
        yield several


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with all data, and a place for each kind's model of one process."""
    place = tmp_path_factory.mktemp("workers")
    for name, text in TEXTS.items():
        (place / name).write_text(text)
    return place


@pytest.fixture(scope="module")
def alone(several, place):
    """Trains a model of a kind in one process, with as many shards as there are workers."""

    def train(kind, eager=True):
        folder = place / f"{kind} {eager}"
        if not folder.exists():
            ((code, _, said),), _ = several.run(
                [*command(kind, place), "--shards", KINDS[kind][0]], folder, eager=eager
            )
            assert code == 0, said
        return folder

    return train


def command(kind, place):
    """The options of a kind, with its data in its place."""
    return [str(place / word) if word in TEXTS else word for word in KINDS[kind][1]]


def check_same(folder, other):
    """Two model folders have the same names and bytes, and record the same run."""
    assert contents(folder) == contents(other)
    for name in ("config.json", "run.json"):
        records = [json.loads((each / name).read_text()) for each in (folder, other)]
        assert records[0]["train"] == records[1]["train"] and records[0]["model"] == records[1]["model"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("eager", [True, False] if TORTURE else [True])
def test_workers_make_the_model_of_one_process(several, place, alone, tmp_path, kind, eager):
    workers, _ = KINDS[kind]
    options = [*command(kind, place), "--shards", workers]
    results, addresses = several.run(options, tmp_path / "model", workers=workers, eager=eager)
    assert [code for code, _, _ in results] == [0] * workers, results
    check_same(tmp_path / "model", alone(kind, eager))
    first, *others = results
    assert f"worker 0 ({addresses[0]}) waits for {workers - 1} other" in first[2]
    together = (
        f"{workers} workers compute {workers} shards of each batch; one process makes the same model with --shards "
    )
    assert f"{together}{workers}\n" in first[2]
    for number, (_, moments, said) in enumerate(others, 1):
        assert moments == []  # it wrote nothing
        assert [line for line in said.splitlines() if "oneDNN" not in line] == [  # which logs what it cannot do
            f"worker {number} ({addresses[number]}) has joined worker 0 ({addresses[0]})",
            f"finished: worker 0 ({addresses[0]}) has the model",
        ]


def error_of(said):
    return said.splitlines()[-1].removeprefix("seq2seq train: error: ")


@pytest.mark.parametrize("kind", KINDS if TORTURE else ["attention"])
def test_workers_that_are_killed_go_on_to_the_same_model(several, place, alone, tmp_path, kind):
    workers, _ = KINDS[kind]
    options, folder = [*command(kind, place), "--shards", workers], tmp_path / "model"
    for dying, message in ((workers - 1, 4), (0, 3), (workers - 1, 4)):  # a message later than the first step's
        results, addresses = several.run(options, folder, workers=workers, dies=(dying, message), save_often=True)
        assert results[dying][0] == -9
        ended = f"worker {dying} ({addresses[dying]}): has ended, its connection is closed; {WAY_OUT}"
        for number, (code, _, said) in enumerate(results):
            if number != dying:
                assert code == 2 and error_of(said).startswith(ended), results
        if dying:
            assert error_of(results[0][2]).startswith(f"{ended}; the same command continues after epoch 0 and ")
    ((code, moments, said), *_), _ = several.run(options, folder, workers=workers, moments=())
    assert code == 0 and moments, said
    check_same(folder, alone(kind))


def test_a_run_of_workers_is_continued_by_one_process_and_the_reverse(several, place, alone, tmp_path):
    options, folder = [*command("attention", place), "--shards", 2], tmp_path / "model"
    several.run(options, folder, workers=2, dies=(1, 5), save_often=True)
    assert (folder / "current").read_text() == "checkpoint-0-2\n"
    ((code, _, said),), _ = several.run(options, folder)
    assert code == 0 and "continues after epoch 0 and 2 steps" in said
    check_same(folder, alone("attention"))
    results, _ = several.run(options, folder, workers=2)  # it is finished: the other worker is told so
    assert [code for code, _, _ in results] == [0, 0]
    assert "is already finished" in results[0][2] and "has the model" in results[1][2]


def test_more_workers_than_shards_are_refused_on_all(several, place, tmp_path):
    options = [*command("attention", place), "--shards", 1]
    results, addresses = several.run(options, tmp_path / "model", workers=2)
    reason = (
        "--workers: 2 of them, and a batch of this run has shards for 1; name fewer workers, or give --shards 2 to a "
        "run in another --model"
    )
    assert error_of(results[0][2]) == reason
    assert error_of(results[1][2]) == f"worker 0 ({addresses[0]}): ended with an error: {reason}"
    options = [*options[:-2], "--batch-size", 1]
    results, _ = several.run(options, tmp_path / "model", workers=2)
    assert (
        error_of(results[0][2]) == "--workers: 2 of them: expected at most one for each row of a batch; give 1 or fewer"
    )


def test_a_worker_with_other_options_ends_all_with_a_line_that_names_it(several, place, tmp_path):
    options = command("attention", place)
    each = {0: ["--seed", 3], 1: ["--seed", 4]}.get
    results, addresses = several.run(options, tmp_path / "model", workers=2, each=each)
    for code, _, said in results:
        assert code == 2
        assert error_of(said) == (
            f"worker 1 ({addresses[1]}): was started with train.seed 4, worker 0 with 3; "
            "start the same command on all workers"
        )
    assert not (tmp_path / "model").exists()


def test_an_error_of_the_first_worker_is_told_to_the_others(several, place, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "notes.txt").write_text("mine")
    results, addresses = several.run(command("attention", place), tmp_path / "model", workers=2)
    reason = f"{tmp_path / 'model'}: is not empty and not a model folder (it holds 'notes.txt'); give another --model"
    assert [code for code, _, _ in results] == [2, 2]
    assert error_of(results[0][2]) == reason
    assert error_of(results[1][2]) == f"worker 0 ({addresses[0]}): ended with an error: {reason}"

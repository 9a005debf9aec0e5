"""A training that is killed at any moment continues, by the same command, to the model of the uninterrupted run.

The suite kills a few trainings at moments that are drawn with a seed. With SEQ2SEQ_TORTURE=1 (`make torture`) each kind
of model is killed before and after each fsync and each rename, and `KILLS` times at moments drawn uniformly from a run.
"""

import hashlib
import math
import os
import random

import pytest

from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import CONFIG
from tests.killing import Killer
from tests.tiny_language import SENTENCES

TORTURE = bool(os.environ.get("SEQ2SEQ_TORTURE"))
KILLS = 200
SAME = (".safetensors", "canary.json", "metrics.json", "vocabulary.json", "dictionary.tsv", "samples.txt")
SMALL = ["--hidden-size", 4, "--embedding-size", 3, "--epochs", 2, "--warmup-steps", 2, "--dropout", 0.3]
PAIRS = [*SMALL, "--batch-size", 16, "--average", 0.9]
TEXTS = {
    "pairs.tsv": "".join(f"{one}{other}\t{other.upper()}{one}\n" for one in "abcdefgh" for other in "abcdefgh"),
    "words.tsv": "".join(f"{one} {other}\t{other} the {one}\n" for one in "abcdefgh" for other in "abcdefgh"),
    "tags.tsv": "".join(
        f"{one}{other}\t{other}{one}\t{tag}\n" for one in "abcdefgh" for other in "abc" for tag in "XY"
    ),
    "text.txt": SENTENCES * 20,
}
KINDS = {
    "attention": ["train", "--data", "pairs.tsv", *PAIRS, "--architecture", "attention"],
    "no attention": ["train", "--data", "pairs.tsv", *PAIRS, "--architecture", "attention", "--attention", "none"],
    "transducer": ["train", "--data", "pairs.tsv", *PAIRS, "--architecture", "transducer"],
    "GRU": ["train", "--data", "pairs.tsv", *PAIRS, "--rnn", "gru", "--no-bidirectional"],
    "language model": ["train", "--data", "text.txt", *SMALL, "--window", 20],
    "members": ["train", "--data", "pairs.tsv", *PAIRS, "--members", 2],
    "distill": ["distill", "--teacher", "TEACHER", *PAIRS],
    "words": ["train", "--data", "words.tsv", *PAIRS, "--source-sep", " ", "--target-sep", " "],
    "tags": ["train", "--data", "tags.tsv", *PAIRS, "--features-col", 3, "--features-sep", ";"],
}
SAMPLE = ("GRU",)  # of the kinds, in the suite


@pytest.fixture(scope="module")
def killer():
    with Killer() as killer:
        yield killer


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with all data, and a place for each kind's model that was never killed."""
    place = tmp_path_factory.mktemp("kills")
    for name, text in TEXTS.items():
        (place / name).write_text(text)
    return place


@pytest.fixture(scope="module")
def uninterrupted(killer, place):
    """Trains a model of a kind once, without a kill; gives its folder, its moments, and its seconds."""
    made = {}

    def train(kind, **options):
        key = kind, *options.items()
        if key not in made:
            if kind == "distill":
                train("GRU")
            folder = place / f"model {len(made)} {kind}"
            code, moments, seconds, said = killer.run(*command(kind, folder, place), folder=folder, **options)
            assert code == 0, said
            made[key] = folder, moments, seconds
            if kind == "GRU":
                (place / "TEACHER").unlink(missing_ok=True)
                (place / "TEACHER").symlink_to(folder)
        return made[key]

    return train


def command(kind, folder, place):
    """The words of a kind's command, with its files in their place."""
    named = [str(place / word) if word in TEXTS or word == "TEACHER" else word for word in KINDS[kind]]
    return [*named, "--model", str(folder)]


def contents(folder):
    """All names of a finished folder; for those whose bytes a run decides, with a digest."""
    found = {}
    for path in sorted(folder.rglob("*")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.name.endswith(SAME) else ""
        found[str(path.relative_to(folder))] = digest
    return found


def check_whole(folder):
    """Whatever was killed, a folder with a config.json is a finished model."""
    for path in folder.rglob(CONFIG):
        load_bundle(path.parent)


def killed_at(killer, kind, folder, place, moments, **options):
    """Kills a training at each of some moments, each time in the process that continues; returns how often."""
    moments, kills = set(moments), 0
    while True:
        code, reached, _, said = killer.run(*command(kind, folder, place), folder=folder, moments=moments, **options)
        if code == 0:
            return kills
        assert code == -9, said
        kills += 1
        moments.discard(reached[-1])
        check_whole(folder)


def killed_within(killer, kind, folder, place, seconds, drawn, **options):
    """Kills a training after times drawn uniformly from its length, until it ends; returns how often."""
    kills = 0
    while True:
        left = drawn.uniform(0, seconds)
        code, _, _, said = killer.run(*command(kind, folder, place), folder=folder, seconds=left, **options)
        if code == 0:
            return kills
        assert code == -9, said
        kills += 1
        check_whole(folder)


@pytest.mark.parametrize("kind", KINDS if TORTURE else SAMPLE)
def test_a_run_that_is_killed_at_a_write_continues_to_the_same_model(killer, place, tmp_path, uninterrupted, kind):
    whole, moments, _ = uninterrupted(kind)
    chosen = moments if TORTURE else random.Random(kind).sample(moments, 3)
    kills = killed_at(killer, kind, tmp_path / "model", place, chosen)
    assert kills == len(set(chosen))
    assert contents(tmp_path / "model") == contents(whole)


@pytest.mark.parametrize("kind", KINDS if TORTURE else ())
@pytest.mark.parametrize("compiled", [True, False])
def test_a_run_that_is_killed_at_any_time_continues_to_the_same_model(
    killer, place, tmp_path, uninterrupted, kind, compiled
):
    options = {"eager": not compiled, "save_often": not compiled}
    whole, _, seconds = uninterrupted(kind, **options)
    drawn, kills, runs = random.Random(kind), 0, 0
    while kills < math.ceil(KILLS / len(KINDS) / 2):
        folder = tmp_path / str(runs)
        kills += killed_within(killer, kind, folder, place, seconds, drawn, **options)
        assert contents(folder) == contents(whole), f"after {kills} kills"
        runs += 1

"""A training that is killed at any moment continues, by the same command, to the model of the uninterrupted run.

The suite kills a few trainings at moments that are drawn with a seed. With `make torture` each kind of model is killed
before and after each fsync and each rename, and all kinds together 200 times at moments drawn uniformly from a run.
"""

import hashlib
import itertools
import math
import random

import pytest
from campaigns import TORTURE

from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import CONFIG
from tests.killing import Killer
from tests.tiny_language import SENTENCES

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
    """Trains a model of a kind once, without a kill; gives its folder, and how it ended."""
    made = {}

    def train(kind, **options):
        key = kind, *options.items()
        if key not in made:
            if kind == "distill":
                train("GRU")
            folder = place / f"model {len(made)} {kind}"
            ended = killer.run(*command(kind, folder, place), folder=folder, **options)
            assert ended.code == 0, ended.said
            made[key] = folder, ended
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


def interruptions(campaign, killer, kind, folder, place, next_kill, **options):
    """Trains into a folder until a training ends, each time killed as `next_kill()` says; yields those killed.

    Args:
        campaign: counts the kills.
        killer: runs the training.
        kind: of model.
        folder: the run's.
        place: of the data.
        next_kill: returns the options of `Killer.run` that say when the next training is killed.
        options: the others.

    """
    while True:
        ended = killer.run(*command(kind, folder, place), folder=folder, **next_kill(), **options)
        campaign.measured(ended.memory)
        if ended.code == 0:
            return
        assert ended.code == -9, ended.said
        check_whole(folder)
        yield ended
        campaign.did()


@pytest.mark.campaign("kills at each write", count=1000, sample=2)
@pytest.mark.parametrize("kind", KINDS if TORTURE else SAMPLE)
def test_a_run_that_is_killed_at_a_write_continues_to_the_same_model(
    campaign, killer, place, tmp_path, uninterrupted, kind
):
    whole, ended = uninterrupted(kind)
    moments = list(dict.fromkeys(ended.moments))
    drawn = random.Random(f"{campaign.seed}/{kind}").sample(range(len(moments)), min(campaign.count, len(moments)))
    left = {moments[place] for place in sorted(drawn)[campaign.first :]}
    while left:
        before, folder = len(left), tmp_path / str(len(left))
        for ended in interruptions(campaign, killer, kind, folder, place, lambda: {"moments": left}):
            left.remove(ended.moments[-1])
        assert contents(folder) == contents(whole)
        assert len(left) < before, f"a run that is not killed does not reach {sorted(left)}"
        campaign.found("runs to the same model")


@pytest.mark.campaign("kills at any time", count=200, sample=0)
@pytest.mark.parametrize("kind", KINDS if TORTURE else ())
@pytest.mark.parametrize("compiled", [True, False])
def test_a_run_that_is_killed_at_any_time_continues_to_the_same_model(
    campaign, killer, place, tmp_path, uninterrupted, kind, compiled
):
    options = {"eager": not compiled, "save_often": not compiled}
    whole, ended = uninterrupted(kind, **options)
    drawn, kills, runs = random.Random(f"{campaign.seed}/{campaign.first}/{kind}/{compiled}"), 0, itertools.count()

    def next_kill():
        return {"seconds": drawn.uniform(0, ended.seconds)}

    while kills < math.ceil((campaign.count - campaign.first) / len(KINDS) / 2):
        folder = tmp_path / str(next(runs))
        kills += sum(1 for _ in interruptions(campaign, killer, kind, folder, place, next_kill, **options))
        assert contents(folder) == contents(whole), f"after {kills} kills"
        campaign.found("runs to the same model")

"""An adopted model's folder: written under another name, compared, and put in the place of an older model."""

import shutil

import numpy as np
import pytest

from seq2seq.adoption.folder import write
from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import CONFIG
from seq2seq.errors import AdoptionError
from tests.test_checkpoints import PowerCut, Scissors


@pytest.fixture
def adopted(tiny_bundle):
    """The parts of a model that is to be written."""
    return load_bundle(tiny_bundle("theirs", seed=2))


def written(folder, parts, difference=0.0):
    """Writes the folder as if its log-probabilities differed from the original's; returns what was reported."""
    theirs = np.zeros(1)
    said = []
    write(
        folder,
        parts,
        metrics={},
        lines=["abcd."],
        compare=lambda models: (theirs, [theirs + difference for _ in models]),
        compared="of nothing",
        report=said.append,
    )
    return said


def holds(folder, parts):
    return np.array_equal(load_bundle(folder).weights["logits.kernel"], parts.weights["logits.kernel"])


def test_what_else_lies_in_and_beside_the_folder_stays(adopted, tiny_bundle):
    folder = tiny_bundle("model")
    theirs = {folder / "notes.txt": "mine", folder / "thesis" / "one.txt": "mine"}
    beside = folder.with_name("model.partial")
    theirs |= {beside / "weights.safetensors": "mine"}
    for path, content in theirs.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    said = "log-probabilities of nothing differ from the original's by at most 0.0e+00 (numpy) and 0.0e+00 (keras) nats"
    assert written(folder, adopted) == [said]
    assert holds(folder, adopted)
    assert {path: path.read_text() for path in theirs} == theirs
    assert sorted(path.name for path in folder.parent.glob("model*")) == ["model", "model.partial", "model.tsv"]


def test_a_link_to_a_folder_stays_a_link(adopted, tiny_bundle):
    folder = tiny_bundle("model")
    link = folder.with_name("link")
    link.symlink_to(folder)
    written(link, adopted)
    assert link.is_symlink() and holds(folder, adopted)


def test_a_model_that_says_something_else_replaces_nothing(adopted, tiny_bundle):
    folder = tiny_bundle("model")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(AdoptionError, match="the numpy runtime: expected the original's log-probabilities, got ones"):
        written(folder, adopted, difference=1.0)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not list(folder.parent.glob("model*.partial"))


def test_what_a_killed_replacement_left_is_reported(adopted, tiny_bundle):
    folder = tiny_bundle("model")
    left = folder.rename(folder.with_name("model.2.partial"))
    assert written(folder, adopted)[0].startswith(
        f"{folder}: a replacement that was killed left {left} beside it, each a whole model: look with"
    )
    assert holds(folder, adopted) and load_bundle(left)


def test_a_cut_at_any_moment_leaves_a_whole_model(adopted, tiny_bundle, tmp_path):
    old = tiny_bundle("old")
    for after in range(100):
        home = tmp_path / str(after)
        home.mkdir()
        folder = shutil.copytree(old, home / "model")
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("shutil.rmtree", lambda path: None)  # the process ends: nothing clears up
                Scissors(patch, after)
                written(folder, adopted)
            finished = True
        except PowerCut:
            finished = False
        # under its name, or in the moment between the two renames beside it
        whole = [path.parent for path in home.glob(f"*/{CONFIG}")]
        assert whole
        for path in whole:
            load_bundle(path)
        if finished:
            break
    assert finished and after >= 18 and holds(folder, adopted)

"""The verb `models`: its list, and copies with float16 weights that give what was recorded on both runtimes."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from seq2seq import decode, models_verb, train, verify
from seq2seq.api import load
from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import CANARY, CONFIG, LICENCE, METRICS, WEIGHTS, read_record
from seq2seq.errors import BundleError
from seq2seq.files.reading import read_json, sha256_of
from seq2seq.files.writing import write_arrays, write_json
from seq2seq.hub.summary import summarize
from seq2seq.inference.canary import TOLERANCE
from seq2seq.inference.language_model import LanguageModel
from seq2seq.scoring.evaluation import metrics_of
from seq2seq.scoring.text_evaluation import evaluate_text
from seq2seq.scoring.training_data import training_data
from seq2seq.text.datasets import load_pairs
from seq2seq.training.assembly import assemble
from seq2seq.training.shrinking import LARGEST_HALF, rounded, shrink
from tests.records import write_config
from tests.test_ensemble import eager  # noqa: F401 - a fixture
from tests.tiny_language import SENTENCES, make_model


def run(capsys, *arguments):
    code = models_verb.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def made(kind, tiny_bundle, tmp_path):
    """Makes a model of a kind."""
    if kind == "language model":
        return make_model(tmp_path / "lm", excerpt=SENTENCES).bundle.path
    if kind == "ensemble":
        assemble([tiny_bundle("one"), tiny_bundle("two", seed=2, attention="none")], tmp_path / "both")
        return tmp_path / "both"
    options = {"attention": {}, "no attention": {"attention": "none"}, "transducer": {"architecture": "transducer"}}
    return tiny_bundle("model", **options[kind])


KINDS = ["attention", "no attention", "transducer", "language model", "ensemble"]


# float16


@pytest.mark.parametrize("kind", KINDS)
def test_a_smaller_copy_gives_what_is_recorded_on_both_runtimes(kind, tiny_bundle, tmp_path, capsys, eager):  # noqa: F811
    folder = made(kind, tiny_bundle, tmp_path)
    code, out, said = run(capsys, "shrink", folder, tmp_path / "small")
    assert (code, out) == (0, "") and said.endswith(f"finished: {tmp_path / 'small'}\n")
    for runtime in ("numpy", "keras"):
        assert verify.main(["--model", str(tmp_path / "small"), "--runtime", runtime]) == 0
        assert "inputs give the same text and log-probabilities" in capsys.readouterr().out
    # the canary is that of the stored weights: the unrounded ones give other log-probabilities
    small, before = read_json(tmp_path / "small" / CANARY), read_json(folder / CANARY)
    values = [np.array([sum(entry["log_probs"]) for entry in several]) for several in (small, before)]
    assert 0 < len(small) <= len(before)
    if len(small) == len(before):
        assert np.abs(values[0] - values[1]).max() > TOLERANCE / 100


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_of_a_copy_are_the_nearest_float16_and_are_read_as_float32(kind, tiny_bundle, tmp_path):
    folder = made(kind, tiny_bundle, tmp_path)
    shrink(folder, tmp_path / "small")
    one, other = load_bundle(folder), load_bundle(tmp_path / "small")
    pairs = list(zip(one.members or [one], other.members or [other], strict=True))
    for whole, half in pairs:
        stored = load_file(half.path / WEIGHTS)
        assert {array.dtype for array in stored.values()} == {np.dtype(np.float16)}
        assert read_record(half.path)["weights"] == "float16"
        for name, array in half.weights.items():
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array, whole.weights[name].astype(np.float16).astype(np.float32))
        assert (half.path / WEIGHTS).stat().st_size < 0.75 * (whole.path / WEIGHTS).stat().st_size
    assert one.target_vocabulary == other.target_vocabulary and one.dictionary == other.dictionary


def test_rounding_by_hand():
    array = np.array([0.1, -1e9, 1.0, 7e4], np.float32)
    np.testing.assert_array_equal(rounded(array), np.array([0.0999755859375, -65504, 1, 65504], np.float32))
    assert LARGEST_HALF == 65504


def test_the_scores_of_a_copy_are_those_of_its_own_weights(tiny_bundle, tmp_path):
    folder = tiny_bundle()
    shrink(folder, tmp_path / "small")
    metrics, own = read_json(tmp_path / "small" / METRICS), load_bundle(folder)
    splits = load_pairs(training_data(own), own.data)
    expected = metrics_of(load(tmp_path / "small"), splits.test)
    assert metrics["test"] == expected and set(metrics) == {"validation", "test"}
    assert "scored" not in read_record(tmp_path / "small")


def test_the_scores_of_a_smaller_language_model_are_its_own(tmp_path):
    model = make_model(tmp_path / "lm")
    shrink(tmp_path / "lm", tmp_path / "small")
    found = read_json(tmp_path / "small" / METRICS)["validation"]["bits_per_character"]
    weights = {name: rounded(array) for name, array in model.bundle.weights.items()}
    half = LanguageModel(dataclasses.replace(model.bundle, weights=weights))
    assert found == evaluate_text(half).bits_per_character != evaluate_text(model).bits_per_character


def test_without_the_data_the_scores_are_copied_and_that_is_said(tiny_bundle, tmp_path, capsys):
    folder = tiny_bundle()
    write_json(folder / METRICS, {"test": {"chrf": 12.5}})
    change_record(folder, lambda record: record["sha256"].update({METRICS: sha256_of(folder / METRICS)}))
    (tmp_path / "tiny.tsv").unlink()
    code, _, said = run(capsys, "shrink", folder, tmp_path / "small")
    assert code == 0
    assert said.splitlines()[0] == (
        f"{folder}: the data it was trained on is not here, so the scores are those of its float32 weights"
    )
    assert read_json(tmp_path / "small" / METRICS) == {"test": {"chrf": 12.5}}
    assert read_record(tmp_path / "small")["scored"] == "float32"


def change_record(folder, change):
    record = read_json(folder / CONFIG)
    change(record)
    write_config(folder, record)


def test_a_copy_names_no_place_of_this_computer_and_is_not_trained_on(tiny_bundle, tmp_path, capsys):
    folder = tiny_bundle()
    change_record(folder, lambda record: record.update(teacher=str(tmp_path / "five"), signature={"data": {}}))
    shrink(folder, tmp_path / "small")
    text = (tmp_path / "small" / CONFIG).read_text()
    record = json.loads(text)
    assert str(tmp_path) not in text and str(tmp_path) in (folder / CONFIG).read_text()
    assert record["data"]["data"] == "tiny.tsv" and record["teacher"] == "five" and "signature" not in record
    assert train.main(["--data", str(tmp_path / "tiny.tsv"), "--model", str(tmp_path / "small")]) == 2
    assert "holds a model that was not trained here; give another --model" in capsys.readouterr().err


def test_a_licence_goes_with_the_copy_and_with_a_copy_of_the_copy(tiny_bundle, tmp_path, capsys):
    (tmp_path / "l.txt").write_text("CC BY 9.9\n\nby somebody\n")
    folder = made("ensemble", tiny_bundle, tmp_path)
    assert run(capsys, "shrink", folder, tmp_path / "small", "--licence", tmp_path / "l.txt")[0] == 0
    assert (tmp_path / "small" / LICENCE).read_text() == "CC BY 9.9\n\nby somebody\n"
    assert summarize(tmp_path / "small").licence == "CC BY 9.9"
    assert load_bundle(tmp_path / "small").licence.startswith("CC BY 9.9")
    (tmp_path / "small" / LICENCE).write_text("mine")
    assert verify.main(["--model", str(tmp_path / "small")]) == 2
    assert "LICENSE.txt: is not the file that was written" in capsys.readouterr().out


def test_a_copy_is_decoded_and_joined_like_any_model(tiny_bundle, tmp_path, capsys):
    shrink(tiny_bundle("one"), tmp_path / "small")
    assemble([tmp_path / "small", tiny_bundle("two", seed=2)], tmp_path / "both")
    assert "weights" not in read_record(tmp_path / "both")
    (tmp_path / "in.txt").write_text("abcd.\n")
    for name in ("small", "both"):
        assert verify.main(["--model", str(tmp_path / name)]) == 0
        assert decode.main(["--model", str(tmp_path / name), "-i", str(tmp_path / "in.txt")]) == 0


def test_what_cannot_be_made_smaller_is_named_and_leaves_nothing(tiny_bundle, tmp_path, capsys, monkeypatch):
    folder = tiny_bundle()
    shrink(folder, tmp_path / "small")
    (tmp_path / "empty.txt").write_text(" \n")
    before = sorted(tmp_path.iterdir())
    for arguments, message in (
        ((tmp_path / "small", tmp_path / "x"), "its weights are float16 already; there is nothing to make smaller"),
        ((folder, tmp_path / "small"), "expected a new folder for the smaller model, got one that exists"),
        ((folder, tmp_path / "tiny.tsv"), "expected a new folder for the smaller model, got one that exists"),
        ((tmp_path / "none", tmp_path / "x"), "expected a model folder, got nothing there"),
        ((folder, tmp_path / "x", "--licence", tmp_path / "no"), "cannot be read: No such file or directory; give a"),
        ((folder, tmp_path / "x", "--licence", tmp_path / "empty.txt"), "expected the name of a licence in the first"),
    ):
        code, out, said = run(capsys, "shrink", *arguments)
        assert (code, out) == (2, "") and message in said and said.startswith("seq2seq models: error: ")
    monkeypatch.setattr("seq2seq.training.shrinking.verify_bundle", lambda folder: (_ for _ in ()).throw(OSError("x")))
    assert run(capsys, "shrink", folder, tmp_path / "x")[0] == 2
    assert sorted(tmp_path.iterdir()) == before


def test_weights_of_another_type_than_recorded_are_refused(tiny_bundle, tmp_path):
    folder = tiny_bundle()
    weights = load_bundle(folder).weights
    write_arrays(folder / WEIGHTS, {name: array.astype(np.float16) for name, array in weights.items()})
    change_record(folder, lambda record: record["sha256"].update({WEIGHTS: sha256_of(folder / WEIGHTS)}))
    with pytest.raises(BundleError, match=r"weights.safetensors: is damaged: weight '.*' is float16, expected float32"):
        load_bundle(folder)
    change_record(folder, lambda record: record.update(weights="float8"))
    with pytest.raises(BundleError, match=r"config.json: is damaged: weights is 'float8'; train again"):
        load_bundle(folder)


# the list


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder, and an empty folder of the package's models."""
    (tmp_path / "place" / "runs").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "place")
    monkeypatch.setattr("seq2seq.bundle.record.PRETRAINED", tmp_path / "pretrained")
    monkeypatch.setattr("seq2seq.hub.summary.PRETRAINED", tmp_path / "pretrained")
    return tmp_path / "place"


def test_the_list_names_the_models_of_the_package_and_those_under_runs(place, tiny_bundle, tmp_path, capsys):
    shrink(tiny_bundle("data"), tmp_path / "pretrained" / "fra-eng", licence="CC0 1.0\n")
    write_scores(tiny_bundle("own", architecture="transducer"), {"test": {"chrf": 71.25, "exact_match": 0.5}})
    Path(tmp_path / "own").rename("runs/own")
    make_model(Path("runs/text"))
    assemble([tiny_bundle("a"), tiny_bundle("b", seed=2)], Path("runs/five"))
    Path("runs/unfinished").mkdir()
    code, out, said = run(capsys)
    assert (code, said) == (0, "")
    heads = [line for line in out.splitlines() if not line.startswith(" ")]
    assert [head.partition(":")[0] for head in heads] == ["fra-eng", "five", "own", "text"]
    assert "translator, 0.0 MB, comes with the package, " in heads[0]
    assert "translator, 2 members, " in heads[1] and "transducer, " in heads[2] and "language model, " in heads[3]
    assert "    data: data, CC0 1.0\n" in out
    assert "    scores: chrF 71.2, exact match 0.500 (test part)\n" in out
    code, out, _ = run(capsys, "--json")
    listed = {entry["name"]: entry for entry in json.loads(out)}
    assert list(listed["own"]) == ("name folder kind members size scores part data origin licence".split())
    assert listed["own"]["scores"] == {"chrf": 71.25, "exact_match": 0.5}
    assert listed["five"]["members"] == 2 and listed["own"]["folder"] == os.path.join("runs", "own")
    assert listed["own"]["size"] == sum(path.stat().st_size for path in Path("runs/own").iterdir())


def write_scores(folder, metrics):
    write_json(folder / METRICS, metrics)
    change_record(folder, lambda record: record["sha256"].update({METRICS: sha256_of(folder / METRICS)}))


def test_a_model_that_cannot_be_read_is_reported_beside_the_others(place, tiny_bundle, capsys):
    tiny_bundle("good").rename("runs/good")
    tiny_bundle("bad").rename("runs/bad")
    Path("runs/bad", METRICS).write_text("{")
    code, out, said = run(capsys)
    assert code == 0 and out.startswith("good: ") and "bad" not in out
    assert said.startswith(f"{Path('runs/bad', METRICS)}: is damaged: ")


def test_no_models_is_said(place, capsys):
    assert run(capsys) == (
        0, "", "no models: this copy of the package has none, and nothing is finished under runs/\n"
    )  # fmt: skip
    assert run(capsys, "--json") == (0, "[]\n", "")


def test_options_of_one_action_are_refused_elsewhere(place, capsys):
    assert run(capsys, "--json", "pull", "a/b")[2] == (
        "seq2seq models: error: --json: is about the list, and pull prints none; leave one of them out\n"
    )
    assert "unrecognized arguments: --private" in run(capsys, "pull", "a/b", "--private")[2]
    assert "invalid choice: 'delete'" in run(capsys, "delete")[2]
    assert "the following arguments are required: OUT" in run(capsys, "shrink", "x")[2]


def test_the_verb_runs_as_a_module_too(place):
    for command in ("seq2seq.models", "seq2seq models"):
        arguments = [sys.executable, "-m", *command.split(), "--json"]
        found = subprocess.run(arguments, capture_output=True, text=True, cwd=place)
        assert found.returncode == 0, found.stderr
        assert isinstance(json.loads(found.stdout), list)


@pytest.mark.parametrize("room", [0, 3])
def test_a_full_disk_is_named_with_the_way_out_and_nothing_is_left(room, tiny_bundle, tmp_path, capsys, full_disk):
    folder = tiny_bundle()
    full_disk(room)
    before = sorted(tmp_path.iterdir())
    code, out, said = run(capsys, "shrink", folder, tmp_path / "small")
    assert (code, out) == (2, "")
    assert said.splitlines()[-1] == (
        f"seq2seq models: error: {tmp_path / 'small'}: cannot be written: No space left on device; make room, change "
        "the permissions, or give another name"
    )
    assert sorted(tmp_path.iterdir()) == before


def test_an_interrupted_copy_leaves_nothing(tiny_bundle, tmp_path, capsys, full_disk):
    folder = tiny_bundle()
    full_disk(3, KeyboardInterrupt())
    before = sorted(tmp_path.iterdir())
    assert run(capsys, "shrink", folder, tmp_path / "small")[0] == 130
    assert sorted(tmp_path.iterdir()) == before

import dataclasses
import json

import numpy as np
import pytest

from seq2seq import verify
from seq2seq.api import load
from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import CONFIG, DICTIONARY, part_names
from seq2seq.errors import BundleError
from seq2seq.inference.canary import MARGIN, choose_canary, replay_canary, smallest_margin
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig
from seq2seq.special import END, START
from seq2seq.text.vocabulary import Vocabulary
from tests.conftest import ROWS
from tests.records import rehash
from tests.tiny_language import make_model


@pytest.fixture
def folder(tiny_bundle):
    return tiny_bundle()


def run(capsys, folder, *options):
    code = verify.main(["--model", str(folder), *options])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def change(folder, name, edit):
    """Changes a part and its hash, as one does who wants to deceive."""
    path = folder / name
    path.write_text(edit(path.read_text()))
    rehash(folder)


@pytest.mark.parametrize("runtime", ["auto", "keras"])
def test_a_whole_model_passes_every_check(folder, capsys, runtime):
    code, lines, said = run(capsys, folder, "--runtime", runtime)
    assert (code, said) == (0, "")
    record = json.loads((folder / CONFIG).read_text())
    parts = sorted([*part_names("translator"), DICTIONARY])
    assert lines == [
        "ok       config.json: format 1, translator",
        *(f"ok       {name}: sha256 {record['sha256'][name][:12]}..." for name in parts),
        f"ok       canary: 5 inputs give the same text and log-probabilities ({runtime} runtime)",
    ]


def test_a_language_model_is_verified_too(tmp_path, capsys):
    code, lines, _ = run(capsys, make_model(tmp_path / "prose").bundle.path)
    assert code == 0
    assert lines[0] == "ok       config.json: format 1, language-model"
    assert lines[-1].startswith("ok       canary: ")


def test_every_damaged_part_is_named_and_the_model_is_not_asked(folder, capsys):
    (folder / "metrics.json").write_text("{}")
    (folder / "history.csv").unlink()
    code, lines, _ = run(capsys, folder)
    assert code == 2
    assert [line for line in lines if line.startswith("FAILED")] == [
        f"FAILED   {folder}/history.csv: is missing; train again, or restore the file",
        f"FAILED   {folder}/metrics.json: is not the file that was written (its sha256 differs); "
        "train again, or restore the file",
    ]
    assert lines[-1] == "skipped  canary: a damaged model is not run"


def test_a_model_that_says_something_else_is_found(folder, capsys):
    said = json.loads((folder / "canary.json").read_text())[0]
    change(folder, "canary.json", lambda text: text.replace(json.dumps(said["text"]), '"something else"'))
    code, lines, _ = run(capsys, folder)
    assert code == 2
    assert lines[-1] == (
        f"FAILED   {folder}: input {said['source']!r}: gives {said['text']!r}, but 'something else' was recorded"
    )


def test_log_probabilities_that_differ_are_found(folder):
    canary = json.loads((folder / "canary.json").read_text())
    canary[0]["log_probs"][0] -= 0.01
    with pytest.raises(BundleError) as error:
        replay_canary(load(folder), canary)
    assert str(error.value) == (
        f"{folder}: input {canary[0]['source']!r}: log-probabilities differ by 0.01 nats from the recorded ones, "
        "more than 1e-04"
    )


def test_an_empty_canary_has_failed(folder, capsys):
    change(folder, "canary.json", lambda text: "[]")
    code, lines, _ = run(capsys, folder)
    assert (code, lines[-1]) == (
        2,
        f"FAILED   {folder}/canary.json: is damaged: no output is recorded, so nothing shows that the model gives what "
        "it gave; train again, or restore the file",
    )


def test_what_is_no_model_is_one_line(tmp_path, capsys):
    code, lines, said = run(capsys, tmp_path)
    assert (code, lines) == (2, [])
    assert said == (
        f"seq2seq verify: error: {tmp_path}: is not a model folder (no config.json); train one with `seq2seq train`\n"
    )


def test_an_unknown_runtime_is_refused_before_anything_is_checked(folder, capsys):
    code, lines, said = run(capsys, folder, "--runtime", "torch")
    assert (code, lines) == (2, [])
    assert "--runtime: expected one of auto, numpy, keras, onnx, got 'torch'" in said


def test_a_canary_holds_inputs_far_from_a_tie_with_what_they_gave(folder):
    translator = load(folder)
    canary = json.loads((folder / "canary.json").read_text())
    assert 1 <= len(canary) <= 5
    for entry in canary:
        assert entry["text"] == translator.translate([entry["source"]])[0]
        source = translator.source_vocabulary.read(entry["source"])
        target = translator.target_vocabulary.encode(entry["text"])
        assert smallest_margin(translator, source, target) > MARGIN
        np.testing.assert_allclose(
            entry["log_probs"], translator.score([(entry["source"], entry["text"])])[0].log_probs, atol=1e-5
        )
    assert load_bundle(folder).kind == "translator"


def test_ids_that_are_never_emitted_change_no_margin(folder):
    translator = load(folder)
    weights = dict(translator.bundle.weights)
    weights["logits.bias"] = weights["logits.bias"].copy()
    weights["logits.bias"][:END] = 50
    changed = Translator(dataclasses.replace(translator.bundle, weights=weights))
    (output,) = next(translator.outputs(["abcd."], DecodingConfig()))
    source = translator.source_vocabulary.read(output.source)
    expected = smallest_margin(translator, source, output.token_ids)
    assert smallest_margin(changed, source, output.token_ids) == pytest.approx(expected, abs=1e-4)


def test_an_end_that_comes_near_counts_in_the_margin(folder):
    translator = load(folder)
    (output,) = next(translator.outputs(["abcd."], DecodingConfig()))
    source = translator.source_vocabulary.read(output.source)
    state = translator.writer.start([source])
    logits, _ = translator.runtime.step(np.array([START], np.int32), state)
    weights = dict(translator.bundle.weights)
    weights["logits.bias"] = weights["logits.bias"].copy()
    weights["logits.bias"][END] += logits[0, END + 1 :].max() - logits[0, END] - 0.01
    near = Translator(dataclasses.replace(translator.bundle, weights=weights))
    assert smallest_margin(near, source, output.token_ids) <= 0.01 + 1e-4


def test_the_names_of_the_symbols_change_no_canary(folder, monkeypatch):
    translator = load(folder)
    symbols = [f"<{number}>" for number in range(len(translator.target_vocabulary.symbols))]
    renamed = Translator(dataclasses.replace(translator.bundle, target_vocabulary=Vocabulary(symbols)))
    monkeypatch.setattr("seq2seq.inference.canary.COUNT", 100)
    lines = [row.partition("\t")[0] for row in ROWS]
    chosen, expected = choose_canary(renamed, lines), choose_canary(translator, lines)
    assert [entry["source"] for entry in chosen] == [entry["source"] for entry in expected]
    assert 5 < len(chosen) < len(lines)
    assert all(entry["text"].startswith("<") for entry in chosen)
    replay_canary(renamed, chosen)


@pytest.mark.parametrize(
    "entry",
    [
        5,
        {"source": "a", "text": "b"},
        {"source": "a", "text": 5, "log_probs": [-1.0]},
        {"source": None, "text": "b", "log_probs": [-1.0]},
        {"source": "a", "text": "b", "log_probs": []},
        {"source": "a", "text": "b", "log_probs": -1.0},
        {"source": "a", "text": "b", "log_probs": ["-1"]},
    ],
)
def test_a_canary_whose_entries_are_none_has_failed(folder, capsys, entry):
    change(folder, "canary.json", lambda text: json.dumps([*json.loads(text)[:1], entry]))
    code, lines, said = run(capsys, folder)
    assert (code, said) == (2, "")
    assert lines[-1] == (
        f"FAILED   {folder}/canary.json: is damaged: entry 2: expected source, text and log_probs, got {entry!r}; "
        "train again, or restore the file"
    )


def test_a_canary_that_is_no_list_has_failed(folder, capsys):
    change(folder, "canary.json", lambda text: "{}")
    code, lines, said = run(capsys, folder)
    assert (code, said) == (2, "")
    assert lines[-1] == (
        f"FAILED   {folder}/canary.json: is damaged: expected a list of at most 5 entries, got {{}}; "
        "train again, or restore the file"
    )


def test_a_canary_that_is_no_json_has_failed(folder, capsys):
    change(folder, "canary.json", lambda text: text[:-3])
    code, lines, said = run(capsys, folder)
    assert (code, said) == (2, "")
    assert lines[-1].startswith(f"FAILED   {folder}/canary.json: is damaged: Expecting ")


@pytest.mark.parametrize("values", [[], [-1.0]])
def test_another_number_of_log_probabilities_is_found(folder, values):
    canary = json.loads((folder / "canary.json").read_text())
    count = len(canary[0]["log_probs"])
    canary[0]["log_probs"] = values
    with pytest.raises(BundleError) as error:
        replay_canary(load(folder), canary)
    assert str(error.value) == (
        f"{folder}: input {canary[0]['source']!r}: gives {count} log-probabilities, but {len(values)} were recorded"
    )


def test_a_log_probability_that_is_no_number_differs(folder):
    canary = json.loads((folder / "canary.json").read_text())
    canary[0]["log_probs"][0] = float("nan")
    with pytest.raises(BundleError, match="log-probabilities differ by nan nats from the recorded ones"):
        replay_canary(load(folder), canary)

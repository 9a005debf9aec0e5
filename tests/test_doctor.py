"""The doctor's command line: files in, findings and exit codes out."""

import json

import numpy as np
import pytest

from seq2seq.diagnosis.catalogue import CATALOGUE
from seq2seq.doctor import main
from seq2seq.foreign import files
from seq2seq.foreign.vocabularies import read_table
from seq2seq.models.backend import keras
from seq2seq.scoring.degeneration import loop_period, symptoms
from tests.defective.recipes import LETTERS, embedding_models, id_arrays, toy_pairs

PAIRS = toy_pairs()
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture
def arrays_file(tmp_path):
    """Writes arrays with a defect."""

    def write(defect="", name="arrays.npz"):
        np.savez(tmp_path / name, **id_arrays(PAIRS, defect=defect))
        return str(tmp_path / name)

    return write


def test_exit_codes(arrays_file, capsys):
    assert main([arrays_file()]) == 0
    assert "Nothing wrong was found" in capsys.readouterr().out
    assert main([arrays_file("copy")]) == 1
    assert capsys.readouterr().out.startswith("D01 broken: the copy bug")
    assert main(["nowhere.npz"]) == 2
    assert capsys.readouterr().err == "seq2seq doctor: error: nowhere.npz: no such file or folder\n"
    assert main([]) == 2
    assert "give a PATH" in capsys.readouterr().err


def test_json(arrays_file, capsys):
    main([arrays_file("copy"), "--json"])
    (first, second) = json.loads(capsys.readouterr().out)["findings"]
    assert (first["code"], first["severity"], first["because_of"]) == ("D01", "broken", None)
    assert first["evidence"]["share equal"] == 1.0
    assert (second["code"], second["because_of"]) == ("D03", "D01")
    assert first["fix"] == first["mend"] == "decoder_input, decoder_target = target_ids[:, :-1], target_ids[:, 1:]"


def test_a_fix_stands_under_each_finding(arrays_file, capsys):
    main([arrays_file("copy")])
    assert "\n  fix: decoder_input, decoder_target = target_ids[:, :-1], target_ids[:, 1:]\n" in capsys.readouterr().out


@pytest.mark.parametrize("code", CATALOGUE)
def test_each_code_is_explained_with_an_example(code, capsys):
    assert main(["--explain", code.lower()]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{code}: ")
    assert all(f"\n{heading}:\n    " in text for heading in ("Wrong", "Right", "Fix"))


def test_unknown_code(capsys):
    assert main(["--explain", "D99"]) == 2
    assert "expected a code from D01 to D16, got 'D99'" in capsys.readouterr().err


def test_a_folder_of_arrays_models_and_vocabularies(tmp_path, arrays_file, capsys):
    arrays_file()
    train, encoder, decoder = embedding_models(units=8)
    for name, model in (("s2s", train), ("encoder_model", encoder), ("decoder_model", decoder)):
        model.save(tmp_path / f"{name}.keras")
    (tmp_path / "symbols.json").write_text(json.dumps(["<pad>", "<s>", "</s>", *LETTERS]))
    assert main([str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "s2s.keras is the train model" in text
    assert "encoder_model.keras is the encoder" in text
    assert "decoder_model.keras is the decoder" in text
    assert "words = 'encoder_input', answers = 'decoder_input'" in text


def test_lambda_layers_are_refused_unless_allowed(tmp_path, arrays_file, capsys):
    source, fed = keras.Input((None,), dtype="int32", name="source"), keras.Input((None,), dtype="int32", name="target")
    hidden = keras.layers.Embedding(11, 4)(fed) + keras.layers.Embedding(11, 4)(source)[:, :1]
    model = keras.Model([source, fed], keras.layers.Lambda(lambda x: x * 2.0)(keras.layers.Dense(11)(hidden)))
    path = str(tmp_path / "model.keras")
    model.save(path)
    assert main([arrays_file(), path]) == 2
    assert "holds a Lambda layer, whose code would run" in capsys.readouterr().err
    assert main([arrays_file(), path, "--allow-lambda"]) in (0, 1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.keras", b"no model", "expected a Keras model"),
        ("arrays.npz", b"no arrays", "expected arrays of numbers written by np.savez"),
        ("symbols.json", b"{", "expected JSON"),
        ("long.json", b" " * 101, "long.json: expected at most 100 bytes, got more; give another file"),
        ("symbols.json", b"[1, 2]", "expected a vocabulary"),
        ("notes.txt", b"text", "expected arrays (.npz), a Keras model"),
        ("model.weights.h5", b"", "expected a whole model, got weights alone"),
    ],
)
def test_files_that_cannot_be_examined(tmp_path, name, content, message, capsys, monkeypatch):
    monkeypatch.setattr(files, "VOCABULARY_BYTES", 100)
    (tmp_path / name).write_bytes(content)
    assert main([str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_weights_alone_are_told_from_a_model_by_what_they_hold(tmp_path, capsys):
    embedding_models(units=8)[0].save_weights(tmp_path / "model.weights.h5")
    path = (tmp_path / "model.weights.h5").rename(tmp_path / "model.h5")
    assert main([str(path)]) == 2
    assert "expected a whole model, got weights alone" in capsys.readouterr().err
    assert main(["--train-model", str(tmp_path / "none.keras")]) == 2
    assert capsys.readouterr().err.endswith("none.keras: no such file\n")


def test_inputs_by_name(arrays_file, capsys):
    assert main([arrays_file(), "--inputs", "a=b,c"]) == 2
    assert "expected NAME,NAME or INPUT=ARRAY,INPUT=ARRAY" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--pad", "--start", "--end"])
@pytest.mark.parametrize("text", ["\N{SUPERSCRIPT TWO}", "9" * 5000, "--1", "1.5"])
def test_ids_on_the_command_line_are_whole_numbers(option, text, arrays_file, capsys):
    assert main([arrays_file(), f"{option}={text}"]) == 2
    assert capsys.readouterr().err == (
        f"seq2seq doctor: error: {option} {text!r}: expected an id or a symbol of the vocabulary, and there is no "
        "vocabulary; give the id\n"
    )


@pytest.mark.parametrize("text", ["\N{SUPERSCRIPT TWO}", "9" * 5000, "--1"])
def test_ids_of_a_vocabulary_are_whole_numbers(text, tmp_path, capsys):
    (tmp_path / "symbols.json").write_text(json.dumps({"-1": "a", "0": "b", text: "c"}))
    assert main([str(tmp_path / "symbols.json")]) == 2
    assert "expected a vocabulary: a list of symbols, or a mapping from symbol to id" in capsys.readouterr().err
    assert read_table({"-1": "a", "0": "b"}, "table").ids == {"a": -1, "b": 0}


def test_a_model_folder_of_this_package(tiny_bundle, capsys):
    folder = tiny_bundle(attention="none")
    assert main([str(folder), "--json"]) in (0, 1)
    codes = {finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert not codes & {"D01", "D02", "D03", "D04", "D07", "D08", "D11", "D13"}


def test_loops():
    assert loop_period([5, 6, 7, 7, 7, 7, 7]) == 1
    assert loop_period([1, 2, 3, 2, 3, 2, 3]) == 2
    assert loop_period([1, 2, 3, 4, 5, 6]) == 0
    assert loop_period([]) == 0


def test_symptoms_of_the_first_epochs():
    sources = [[row, row + 1] for row in range(10)]
    targets = [[row, 2 * row, 3] for row in range(10)]
    references = [[target, [0, *target]] for target in targets]
    good = {"forced_accuracy": 0.9, "before_mistake": 0.8}
    assert symptoms(sources, references, targets, **good) == []
    assert symptoms(sources, references, [[0, *target] for target in targets], **good) == []
    stuck = [[4, 4, 4, 4, 4, 4]] * 10
    lines = symptoms(sources, references, stuck, **good)
    assert [line[:4] for line in lines] == ["D05:", "D06:", "D14:"]
    assert "1 distinct outputs for 10 distinct sources" in lines[0]
    half = symptoms(sources, references, stuck, forced_accuracy=0.5, before_mistake=0.1)
    assert [line[:4] for line in half] == ["D05:"]
    assert symptoms(sources, references, stuck, forced_accuracy=0.2, before_mistake=0.1) == []


def test_a_mistake_at_the_first_step_is_no_symptom():
    sources = [[row, row + 1] for row in range(10)]
    references = [[[row, 2 * row, 3, 4, 5]] for row in range(10)]
    outputs = [[row, 9, 9, row + 3] for row in range(10)]
    assert symptoms(sources, references, outputs, forced_accuracy=0.8, before_mistake=0.2) == []


def test_options_about_models_of_others_are_refused_for_a_model_folder(tiny_bundle, capsys):
    assert main([str(tiny_bundle()), "--pad", "²"]) == 2
    message = "seq2seq doctor: error: --pad: a model folder of this package records what it needs; leave it out\n"
    assert capsys.readouterr().err == message

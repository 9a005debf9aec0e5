"""The doctor where arrays and model have different forms: ids or one-hot, real vectors, shapes that do not fit."""

import numpy as np
import pytest

import seq2seq
from seq2seq.doctor import main
from seq2seq.foreign.forms import converted
from seq2seq.foreign.layout import sort_out
from seq2seq.models.backend import keras
from tests.defective.recipes import embedding_models, id_arrays, toy_pairs, tutorial_arrays, tutorial_model

PAIRS = toy_pairs(120)
FORM = "the form of arrays differs from the model's; for the model they were converted"
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def as_ids(arrays, *names):
    """Replaces one-hot arrays by their ids."""
    return {name: a.argmax(-1).astype("int32") if name in names else a for name, a in arrays.items()}


def as_vectors(arrays, *names):
    """Replaces ids by one-hot arrays of 11 symbols."""
    return {name: np.eye(11, dtype="float32")[a] if name in names else a for name, a in arrays.items()}


def without_memory(report):
    """Findings but that on memory, which differs by form."""
    return [(f.code, f.severity, f.title) for f in report.findings if f.code != "D15"]


@pytest.fixture(scope="module")
def one_hot():
    """Arrays of the one-hot tutorial, an untrained model, and what is found of them."""
    keras.utils.set_random_seed(1)
    arrays = tutorial_arrays(PAIRS)
    model = tutorial_model(arrays, units=8)
    return arrays, model, without_memory(seq2seq.examine(arrays=arrays, train_model=model))


@pytest.mark.parametrize(
    "names",
    [("decoder_target",), ("encoder_input", "decoder_input"), ("encoder_input", "decoder_input", "decoder_target")],
)
def test_ids_for_a_one_hot_model_are_converted_and_judged_like_one_hot_arrays(names, one_hot):
    arrays, model, found = one_hot
    report = seq2seq.examine(arrays=as_ids(arrays, *names), train_model=model)
    assert without_memory(report) == found
    shown = ", ".join(map(repr, names))
    assert f"{FORM}: {shown} to one-hot vectors" in report.inferred
    assert not {"D10", "D11"} & set(report.codes)


@pytest.mark.parametrize(
    "names", [("decoder_target",), ("encoder_input",), ("encoder_input", "decoder_input", "decoder_target")]
)
def test_one_hot_arrays_for_a_model_of_ids_are_converted_and_judged_like_ids(names):
    keras.utils.set_random_seed(1)
    arrays = id_arrays(PAIRS)
    weights = (arrays["decoder_target"] > 0).astype("float32")
    model = embedding_models(units=8)[0]
    found = without_memory(seq2seq.examine(arrays={**arrays, "sample_weight": weights}, train_model=model))
    other = {**as_vectors(arrays, *names), "sample_weight": weights}
    report = seq2seq.examine(arrays=other, train_model=model)
    assert without_memory(report) == found
    shown = ", ".join(map(repr, names))
    assert f"{FORM}: {shown} to ids" in report.inferred


def test_converted_arrays_hold_the_same_symbols(one_hot):
    arrays, model, _ = one_hot
    names = list(arrays)
    given = sort_out(as_ids(arrays, *names), pads={}, start=None, end=None)
    data = converted(given, model)
    for side, name in ((data.source, "encoder_input"), (data.inputs, "decoder_input")):
        np.testing.assert_array_equal(side.sequences.raw, np.eye(arrays[name].shape[-1])[arrays[name].argmax(-1)])
    same = sort_out(arrays, pads={}, start=None, end=None)
    assert converted(same, model) is same


def test_arrays_of_the_models_form_are_not_converted(one_hot):
    arrays, model, _ = one_hot
    assert not any(FORM in note for note in seq2seq.examine(arrays=arrays, train_model=model).inferred)


def test_ids_that_a_recurrent_layer_reads_as_numbers_stay_magnitudes():
    given = keras.Input((None, 1))
    model = keras.Sequential([given, keras.layers.LSTM(4), keras.layers.Dense(11, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).integers(0, 11, (60, 9, 1))
    report = seq2seq.examine(arrays={"x": x, "y": x[:, -1, 0]}, train_model=model)
    assert "D10" in report.codes
    assert not any(FORM in note for note in report.inferred)


def vectors_model(steps=5, width=6, loss="categorical_crossentropy"):
    """Softmax outputs of word vectors."""
    return_sequences = keras.layers.LSTM(width, return_sequences=True)
    model = keras.Sequential([keras.Input((steps, width)), return_sequences, keras.layers.Softmax()])
    model.compile("adam", loss)
    return model


def word_vectors(steps=5):
    return np.random.default_rng(0).normal(0, 1, (60, steps, 6)).astype("float32")


def test_real_vectors_under_cross_entropy_are_no_distributions():
    report = seq2seq.examine(arrays={"x": word_vectors(), "y": word_vectors()}, train_model=vectors_model())
    assert report.broken
    assert report.findings[0].code == "D13"
    assert report.findings[0].title == "the targets are no distributions, and the loss is a cross-entropy"
    assert report.findings[0].evidence["smallest value"] < 0
    assert "loss='mse'" in report.findings[0].fix


@pytest.mark.parametrize("loss", ["mse", "cosine_similarity"])
def test_real_vectors_under_a_loss_of_vectors_are_no_defect_and_were_not_examined(loss):
    report = seq2seq.examine(arrays={"x": word_vectors(), "y": word_vectors()}, train_model=vectors_model(loss=loss))
    assert report.findings == []
    assert report.failed == ["the models"]
    assert str(report).startswith("Nothing wrong was found in what could be examined.")


def test_distributions_as_targets_are_no_defect():
    y = np.random.default_rng(0).dirichlet(np.ones(6), (60, 5)).astype("float32")
    report = seq2seq.examine(arrays={"x": word_vectors(), "y": y}, train_model=vectors_model())
    assert "D13" not in report.codes


def test_shapes_that_do_not_fit_end_with_exit_code_2(tmp_path, capsys):
    text = np.random.default_rng(0).integers(0, 11, 80)
    x = np.stack([text[i : i + 9] for i in range(70)])
    np.savez(tmp_path / "batch.npz", x=x[:-1], y=x[1:])
    given = keras.Input((3,), dtype="int32")
    keras.Model(given, keras.layers.Dense(11)(keras.layers.Embedding(11, 4)(given))).save(tmp_path / "model.keras")
    assert main([str(tmp_path / "batch.npz"), str(tmp_path / "model.keras")]) == 2
    shown = capsys.readouterr().out
    assert shown.startswith("Nothing wrong was found in what could be examined.\n")
    assert shown.splitlines()[-1] == (
        "0 broken, 0 harmful, 0 note. Examined: 69 rows (arrays). "
        "Not examined: the models, D05, D06, D07, D08, D09, D12, D13, D14."
    )


def test_an_examination_of_nothing_but_arrays_ends_with_what_was_not_examined(tmp_path, capsys):
    np.savez(tmp_path / "batch.npz", **id_arrays(PAIRS))
    assert main([str(tmp_path / "batch.npz")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "0 broken, 0 harmful, 0 note. Examined: 120 rows (arrays). "
        "Not examined: D05, D06, D07, D08, D09, D12, D13, D14."
    )


@pytest.mark.parametrize(
    ("size", "fix"), [(10, "size = len(word_index) + 1"), (8, "keras.layers.Embedding(11, width)  # one more than")]
)
def test_the_fix_for_ids_beyond_an_embedding_fits_the_cause(size, fix):
    report = seq2seq.examine(arrays=id_arrays(PAIRS), train_model=embedding_models(units=8, size=size)[0])
    assert report.findings[0].code == "D11"
    assert report.findings[0].fix.startswith(fix)

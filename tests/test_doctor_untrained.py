"""The doctor on models that are not trained: defects of losses, of ids and of the order of inputs."""

import pytest

import seq2seq
from seq2seq.models.backend import keras
from tests.defective import others
from tests.defective.recipes import embedding_models, id_arrays, toy_pairs, tutorial_arrays, tutorial_model

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
PAIRS = toy_pairs()


def found(report):
    """What is broken or harmful: code, severity, cause."""
    return [(f.code, f.severity, f.because_of) for f in report.findings if f.severity != "note"]


# D04, D09, D13


@pytest.mark.parametrize(
    ("loss", "code"),
    [
        (others.masked_loss, None),
        (others.diluted_loss, "D09"),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), None),
        ("sparse_categorical_crossentropy", "D13"),
    ],
    ids=["masked", "diluted", "mask_zero", "no from_logits"],
)
def test_losses_of_a_subclassed_model(loss, code):
    report = seq2seq.examine(arrays=others.dataset(PAIRS), train_model=others.subclassed(loss=loss))
    assert {f.code for f in report.findings} & {"D04", "D09", "D13"} == ({code} if code else set())


def test_sample_weights():
    arrays = id_arrays(PAIRS)
    real = (arrays["decoder_target"] != 0).astype("float32")
    model = embedding_models(mask=False)[0]
    assert "D04" in seq2seq.examine(arrays=arrays, train_model=model).codes
    report = seq2seq.examine(arrays={**arrays, "sample_weight": real}, train_model=model)
    assert "D04" not in report.codes
    assert "D09" in report.codes
    model.compile("adam", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    weights = real * real.size / real.sum()
    report = seq2seq.examine(arrays={**arrays, "sample_weight": weights}, train_model=model)
    assert not {"D04", "D09"} & set(report.codes)


@pytest.mark.parametrize(
    ("defect", "broken"),
    [
        ("from logits", False),
        ("from logits, far", True),
        ("logits", True),
        ("softmax twice", True),
        ("logits and loss", False),
        ("", False),
    ],
)
def test_softmax_once(defect, broken):
    arrays = tutorial_arrays(PAIRS, fill="")
    report = seq2seq.examine(arrays=arrays, train_model=tutorial_model(arrays, defect=defect))
    assert ("D13" in report.codes) == broken == report.broken


def test_uncompiled_models_have_no_loss_to_judge():
    arrays = id_arrays(PAIRS)
    model = embedding_models()[0]
    report = seq2seq.examine(arrays=arrays, train_model=keras.Model(model.inputs, model.outputs[0]))
    assert any("is not compiled" in note for note in report.not_examined)


# D10, D11


def test_ids_that_a_recurrent_layer_reads_as_numbers():
    source, fed = keras.Input((None, 1)), keras.Input((None, 1))
    state = keras.layers.GRU(8)(source)
    hidden = keras.layers.GRU(8, return_sequences=True)(fed, initial_state=state)
    model = keras.Model([source, fed], keras.layers.Dense(11, activation="softmax")(hidden))
    arrays = id_arrays(PAIRS, dtype="float32")
    arrays = {name: a if name == "decoder_target" else a[..., None] for name, a in arrays.items()}
    assert ("D10", "harmful", None) in found(seq2seq.examine(arrays=arrays, train_model=model))


def test_ids_beyond_the_embedding_and_the_output():
    model = embedding_models()[0]
    report = seq2seq.examine(arrays=id_arrays(PAIRS, defect="out of range"), train_model=model)
    assert found(report)[0] == ("D11", "broken", None)
    arrays = id_arrays(PAIRS)
    arrays["decoder_target"][3, 0] = 60
    report = seq2seq.examine(arrays=arrays, train_model=model)
    assert found(report)[0] == ("D11", "broken", None)
    assert "the model's output" in report.findings[0].title


# which array feeds which input


def test_inputs_in_any_order_and_names_that_say_nothing():
    a = id_arrays(PAIRS)
    model = embedding_models()[0]
    turned = keras.Model([model.inputs[1], model.inputs[0]], model.outputs[0])
    report = seq2seq.examine(arrays=a, train_model=turned)
    assert any("answers = 'decoder_input', words = 'encoder_input'" in note for note in report.inferred)
    nameless = {"a": a["encoder_input"], "b": a["decoder_input"], "y": a["decoder_target"]}
    report = seq2seq.examine(arrays=nameless, train_model=model, inputs=["a", "b"])
    assert not report.broken
    report = seq2seq.examine(arrays=a, train_model=model, inputs={"words": "encoder_input", "answers": "decoder_input"})
    assert not report.broken
    with pytest.raises(seq2seq.Seq2SeqError, match="expected the model's inputs words, answers"):
        seq2seq.examine(arrays=a, train_model=model, inputs={"x": "encoder_input", "y": "decoder_input"})

"""The doctor on models that hold models: what is inside them is seen as if it stood outside."""

import numpy as np
import pytest

import seq2seq
from seq2seq.models.backend import keras
from tests.defective.recipes import id_arrays, toy_pairs

PAIRS = toy_pairs()
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def nested_model(encoder, decoder, given):
    """A translator whose encoder and decoder are models of their own."""
    source, fed = keras.Input(given[1:], dtype=given[0]), keras.Input(given[1:], dtype=given[0])
    return keras.Model([source, fed], decoder([fed, encoder(source)]))


def encoder_of(size):
    inner = keras.Input((None,), dtype="int32")
    return keras.Model(inner, keras.layers.GRU(8)(keras.layers.Embedding(size, 4)(inner)), name="encoder")


def decoder_of(size, *, softmax="softmax"):
    inner, state = keras.Input((None,), dtype="int32"), keras.Input((8,))
    hidden = keras.layers.GRU(8, return_sequences=True)(keras.layers.Embedding(size, 4)(inner), initial_state=state)
    return keras.Model([inner, state], keras.layers.Dense(size, activation=softmax, name="scores")(hidden))


def test_ids_that_a_recurrent_layer_inside_a_model_reads_as_numbers():
    inner, decoder_inner, state = keras.Input((None, 1)), keras.Input((None, 1)), keras.Input((8,))
    encoder = keras.Model(inner, keras.layers.GRU(8)(inner))
    hidden = keras.layers.GRU(8, return_sequences=True)(decoder_inner, initial_state=state)
    decoder = keras.Model([decoder_inner, state], keras.layers.Dense(11, activation="softmax")(hidden))
    arrays = id_arrays(PAIRS, dtype="float32")
    arrays = {name: a if name == "decoder_target" else a[..., None] for name, a in arrays.items()}
    report = seq2seq.examine(arrays=arrays, train_model=nested_model(encoder, decoder, ("float32", None, 1)))
    (finding,) = [finding for finding in report.findings if finding.code == "D10"]
    assert (finding.evidence["array"], finding.evidence["read by"]) == ("encoder_input", ["GRU"])


def test_ids_beyond_an_embedding_inside_a_model():
    model = nested_model(encoder_of(11), decoder_of(20), ("int32", None))
    arrays = id_arrays(PAIRS)
    arrays["encoder_input"][50, 0] = 12  # which the decoder's embedding has
    finding = seq2seq.examine(arrays=arrays, train_model=model).findings[0]
    assert (finding.code, finding.severity) == ("D11", "broken")
    assert (finding.evidence["array"], finding.evidence["rows of the embedding"]) == ("encoder_input", 11)


def test_an_id_that_a_model_inside_only_reshapes_is_followed_to_its_embedding():
    inner = keras.Input((None, 1))
    reshaped = keras.Model(inner, keras.layers.Reshape((-1,))(inner), name="reshaped")
    source, fed = keras.Input((None, 1)), keras.Input((None,), dtype="int32")
    model = keras.Model([source, fed], decoder_of(20)([fed, encoder_of(11)(reshaped(source))]))
    arrays = id_arrays(PAIRS)
    arrays["encoder_input"][50, 0] = 12
    arrays["encoder_input"] = arrays["encoder_input"][..., None].astype("float32")
    finding = seq2seq.examine(arrays=arrays, train_model=model).findings[0]
    assert (finding.code, finding.severity) == ("D11", "broken")
    assert (finding.evidence["array"], finding.evidence["rows of the embedding"]) == ("encoder_input", 11)


@pytest.mark.parametrize("outside", [True, False])
def test_softmax_inside_a_model_and_again(outside):
    activation = keras.layers.Activation("softmax", name="again")
    if outside:
        model = nested_model(encoder_of(11), decoder_of(11), ("int32", None))
        model = keras.Model(model.inputs, activation(model.outputs[0]))
    else:
        scores = decoder_of(11)
        decoder = keras.Model(scores.inputs, activation(scores(scores.inputs)))
        model = nested_model(encoder_of(11), decoder, ("int32", None))
    model.compile("adam", "sparse_categorical_crossentropy")
    report = seq2seq.examine(arrays=id_arrays(PAIRS), train_model=model)
    (finding,) = [finding for finding in report.findings if finding.code == "D13"]
    assert finding.evidence["layers"] == ["scores", "again"]


def test_one_softmax_outside_of_a_model_is_right():
    model = nested_model(encoder_of(11), decoder_of(11, softmax=None), ("int32", None))
    model = keras.Model(model.inputs, keras.layers.Softmax()(model.outputs[0]))
    model.compile("adam", "sparse_categorical_crossentropy")
    report = seq2seq.examine(arrays=id_arrays(PAIRS), train_model=model)
    assert np.isin(report.codes, ["D10", "D11", "D13"]).sum() == 0

"""The reader of other people's arrays, models, graphs and vocabularies."""

import pytest

from seq2seq.adoption.tracing import trace
from seq2seq.backend import keras
from seq2seq.errors import AdoptionError, DataError
from seq2seq.foreign.graph import Place, call_of, softmax_layers


def test_a_subclassed_model_inside_a_model_is_named():
    class Inner(keras.Model):
        def __init__(self):
            super().__init__(name="inner")
            self.dense = keras.layers.Dense(3)

        def call(self, inputs):
            return self.dense(inputs)

    given = keras.Input((4, 5))
    model = keras.Model(given, Inner()(given))
    with pytest.raises(DataError, match=r"layer 'inner' \(Inner\): is a subclassed model inside, whose layers cannot"):
        call_of(Place(model.outputs[0]))


def scored(*activations):
    """A language model whose scores go through activations, each in a model of its own."""
    given = keras.Input((None,), dtype="int32")
    hidden = keras.layers.LSTM(4, return_sequences=True)(keras.layers.Embedding(5, 3)(given))
    scores = keras.layers.Dense(5, name="scores")(hidden)
    for number, activation in enumerate(activations):
        inner = keras.Input((None, 5))
        scores = keras.Model(inner, keras.layers.Activation(activation, name=f"{activation}{number}")(inner))(scores)
    return keras.Model(given, scores)


def test_softmax_layers_of_an_output_are_named_first_to_last():
    assert softmax_layers(scored()) == []
    assert softmax_layers(scored("softmax")) == ["softmax0"]
    assert softmax_layers(scored("softmax", "linear", "softmax")) == ["softmax0", "softmax2"]


def test_adoption_refuses_a_softmax_after_a_softmax():
    assert trace(scored("softmax"), "the model").classes == 5
    with pytest.raises(AdoptionError, match=r"layer 'scores' \(Dense\): a softmax is applied twice; remove one"):
        trace(scored("softmax", "softmax"), "the model")

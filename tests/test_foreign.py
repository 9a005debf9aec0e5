"""The reader of other people's arrays, models, graphs and vocabularies."""

import pytest

from seq2seq.backend import keras
from seq2seq.errors import DataError
from seq2seq.foreign.graph import Place, call_of


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

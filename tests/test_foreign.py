"""The reader of other people's arrays, models, graphs and vocabularies."""

import numpy as np
import pytest

from seq2seq.adoption.tracing import trace
from seq2seq.decoding import Beam, Greedy, decode
from seq2seq.errors import AdoptionError, DataError
from seq2seq.foreign.arrays import NOTHING, read
from seq2seq.foreign.free_running import GrowingRows, SlidingWindows
from seq2seq.foreign.graph import Place, call_of, consumers, softmax_layers
from seq2seq.foreign.ids import ForeignIds
from seq2seq.foreign.inference_models import make_stepper
from seq2seq.foreign.layout import sort_out
from seq2seq.foreign.teacher_forcing import make_teacher
from seq2seq.models.backend import keras
from seq2seq.special import END, PAD, SPECIAL_COUNT, UNK
from tests.defective.recipes import embedding_models, id_arrays, toy_pairs


def test_a_subclassed_model_inside_a_model_is_named():
    class Inner(keras.Model):
        def __init__(self):
            super().__init__(name="inner")
            self.dense = keras.layers.Dense(3)

        def call(self, inputs):
            return self.dense(inputs)

    given = keras.Input((4, 5))
    model = keras.Model(given, Inner()(given))
    assert softmax_layers(model) == []
    with pytest.raises(DataError, match=r"layer 'inner' \(Inner\): is a subclassed model inside, whose layers cannot"):
        call_of(Place(model.outputs[0]))


def test_a_model_inside_that_is_called_with_more_than_its_inputs_is_named():
    inner = keras.Input((4,), name="a")
    layer = keras.Model({"a": inner}, keras.layers.Softmax()(inner), name="inner")
    given = [keras.Input((4,)), keras.Input((4,))]
    model = keras.Model(given, keras.layers.Add()([layer({"a": given[0], "b": given[1]}), given[1]]))
    assert [one.name for one in consumers(model, 0)] == ["inner"]
    assert softmax_layers(model) == []
    with pytest.raises(DataError, match=r"layer 'inner' \(Functional\): is called with 2 tensors and has 1 inputs"):
        call_of(Place(layer._inbound_nodes[-1].output_tensors[0]))


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


def test_ids_of_a_foreign_model_become_search_ids_and_back():
    ids = ForeignIds(end=2)
    np.testing.assert_array_equal(ids.to_search(np.array([0, 2, 5, NOTHING])), [4, 6, 9, UNK])
    np.testing.assert_array_equal(ids.to_model(np.array([4, 6, 9, UNK, END, PAD])), [0, 2, 5, NOTHING, 2, 0])
    nats = ids.log_probs(np.array([[0.5, 0.2, 0.3, 0.0]]))
    assert np.exp(nats[0]).round(6).tolist() == [0, 0, 0, 0.3, 0.5, 0.2, 0, 0]
    assert np.exp(ForeignIds().log_probs(np.array([[0.5, 0.5]]))[0]).round(6).tolist() == [0, 0, 0, 0, 0.5, 0.5]


def test_a_model_that_gives_nan_is_still_run():
    assert np.isfinite(ForeignIds(end=0).log_probs(np.full((1, 3), np.nan))[0, [END, 5, 6]]).all()


@pytest.fixture(scope="module")
def translator():
    """Arrays, and both ways to run one untrained model step by step: by its inference models and by itself."""
    keras.utils.set_random_seed(3)
    arrays = id_arrays(toy_pairs(24))
    train, encoder, decoder = embedding_models(units=16)
    data = sort_out(arrays, pads={}, start=None, end=None)
    stepper = make_stepper(encoder, decoder, data.inputs, classes=11, end=data.end)
    teacher = make_teacher(train, data)
    return data, stepper, GrowingRows(teacher, data.inputs, ForeignIds(data.end))


def outputs(model, state, start_ids, **options):
    options = {"strategy": Greedy(), "max_length": 5, **options}
    return decode(model, state, start_ids=start_ids, line_numbers=range(len(start_ids)), **options)


def test_a_training_model_and_its_inference_models_write_the_same(translator):
    data, stepper, rows = translator
    source, starts = data.source.sequences.raw, data.inputs.first()
    for strategy in (Greedy(), Beam(width=3)):
        one = outputs(stepper, stepper.start(source), stepper.ids.to_search(starts), strategy=strategy)
        other = outputs(rows, *rows.start(source, starts[:, None]), strategy=strategy)
        assert [[h.token_ids for h in line] for line in one] == [[h.token_ids for h in line] for line in other]
        assert len({tuple(line[0].token_ids) for line in one}) > 1
        scores = [[[h.score for h in line] for line in lines] for lines in (one, other)]
        np.testing.assert_allclose(*scores, atol=1e-4)


def test_a_row_that_is_full_can_only_end(translator):
    data, _, rows = translator
    prompts = data.inputs.ids[:4]
    width = prompts.shape[1]
    state, start_ids = rows.start(data.source.sequences.raw[:4], prompts)
    nats, state = rows.step(start_ids, state)
    assert nats.shape == (4, SPECIAL_COUNT + 11)
    assert rows.step(start_ids, state)[0].argmax(1).tolist() == [END] * 4
    assert (rows.room(1, 3), rows.room(1, 40), rows.room(width - 1, 1)) == (3, width, 2)


def test_a_prompt_is_read_to_its_last_symbol(translator):
    data, _, rows = translator
    source, fed = data.source.sequences.raw[:4], data.inputs.sequences.raw[:4]
    state, start_ids = rows.start(source, data.inputs.ids[:4, :3])
    nats, _ = rows.step(start_ids, state)
    np.testing.assert_allclose(nats, rows.ids.log_probs(rows.teacher(source, fed)[:, 2]), atol=1e-5)


def test_a_window_drops_a_symbol_for_each_that_it_takes():
    windows = np.array([[0, 1, 2], [4, 3, 2]])
    seen = []

    def next_symbol(_, inputs):  # says the id after the last one
        seen.append(inputs.tolist())
        return np.eye(8)[(inputs + 1) % 8]

    model = SlidingWindows(next_symbol, read("x", windows), ForeignIds())
    found = outputs(model, *model.start(windows), allow_end=False, max_length=2)
    assert [model.ids.to_model(np.array(h.token_ids)).tolist() for (h,) in found] == [[3, 4], [3, 4]]
    assert seen == [[[0, 1, 2], [4, 3, 2]], [[1, 2, 3], [3, 2, 3]]]

"""The NumPy runtime and the Keras one are each other's oracle: they share weights and no code."""

import itertools

import numpy as np
import pytest

from seq2seq.bundle.folder import load_bundle
from seq2seq.config import ModelConfig
from seq2seq.decoding import Beam, Greedy, Sampling, State, decode, select_rows, select_sources
from seq2seq.errors import BundleError, OptionError
from seq2seq.inference.keras_runtime import DeviceRows, KerasTranslator
from seq2seq.inference.numpy_cells import sigmoid
from seq2seq.inference.numpy_runtime import NumpyTranslator
from seq2seq.inference.runtimes import make_runtime
from seq2seq.inference.translator import Translator
from seq2seq.models.backend import tf
from seq2seq.special import END, PAD, START
from tests.conftest import random_weights

SOURCE_SIZE, TARGET_SIZE = 11, 9
SOURCES = np.array([[4, 5, 6, 7, END], [8, END, PAD, PAD, PAD], [END, PAD, PAD, PAD, PAD], [9, 10, 4, END, PAD]])
KINDS = [
    {"rnn": rnn, "attention": attention, "bidirectional": bidirectional, "layers": layers}
    for rnn, attention, bidirectional, layers in itertools.product(
        ("lstm", "gru"), ("none", "luong", "bahdanau"), (True, False), (1, 2)
    )
]
NAMES = ["-".join(str(value) for value in kind.values()) for kind in KINDS]
FEW = [KINDS[index] for index in (1, 4, 21)]  # lstm-none-2, lstm-luong-1, gru-bahdanau-2


@pytest.fixture
def eager():
    """Saves the seconds that compiling takes."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def runtimes(kind):
    config = ModelConfig(hidden_size=6, embedding_size=4, **kind)
    weights = random_weights(config, SOURCE_SIZE, TARGET_SIZE, np.random.default_rng(1))
    other = KerasTranslator.from_weights(
        config, weights, source_size=SOURCE_SIZE, target_size=TARGET_SIZE, where="test"
    )
    return NumpyTranslator(config, weights), other


def log_softmax(logits):
    wide = np.asarray(logits, np.float64)
    wide = wide - wide.max(-1, keepdims=True)
    return wide - np.log(np.exp(wide).sum(-1, keepdims=True))


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_numpy_and_keras_give_the_same_log_probabilities(kind):
    tokens = [np.full(4, START, np.int32), np.array([4, 5, 6, 7], np.int32), np.array([8, 8, 4, END], np.int32)]
    log_probs = []
    for runtime in runtimes(kind):
        state = runtime.start(SOURCES)
        found = []
        for fed in tokens:
            logits, state = runtime.step(fed, state)
            assert np.asarray(logits).dtype == np.float32
            found.append(log_softmax(logits))
        log_probs.append(np.array(found))
    np.testing.assert_allclose(*log_probs, atol=1e-5)
    assert np.ptp(log_probs[0], axis=1).max() > 0.1  # sources make a difference


@pytest.mark.parametrize("kind", FEW, ids=["lstm-none", "lstm-luong", "gru-bahdanau"])
def test_searches_give_the_same_hypotheses_on_both(kind):
    strategies = [
        Greedy(),
        Sampling(temperature=1.0, seed=3, width=2),
        Sampling(temperature=0.8, seed=5, top_k=4, top_p=0.9, min_p=0.01),
        Beam(width=3),
        Beam(width=2, length_penalty=0.0),
    ]
    both = runtimes(kind)
    for strategy in strategies:
        results = [
            decode(runtime, runtime.start(SOURCES), strategy=strategy, line_numbers=[1, 2, 3, 4], max_length=8)
            for runtime in both
        ]
        for one_line, other_line in zip(*results, strict=True):
            assert [one.token_ids for one in one_line] == [one.token_ids for one in other_line], strategy
            for one, other in zip(one_line, other_line, strict=True):
                np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-5)
                assert one.finished == other.finished


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", FEW[1:], ids=["luong", "bahdanau"])
@pytest.mark.parametrize("which", [0, 1], ids=["numpy", "keras"])
def test_rows_and_sources_that_are_dropped_leave_the_others_as_they_were(kind, which):
    runtime = runtimes(kind)[which]
    wide = np.repeat(np.arange(4), 2)
    fed = np.array([4, 5, 6, 7, 8, 4, 5, 6], np.int32)
    state = select_rows(runtime.start(SOURCES), wide)
    _, state = runtime.step(fed, state)
    kept = np.array([3, 1])
    following = np.array([5, 6, 7, 8], np.int32)
    found, _ = runtime.step(following, select_sources(state, kept, 2))
    everything, _ = runtime.step(np.array([4, 4, 7, 8, 4, 4, 5, 6], np.int32), state)
    np.testing.assert_allclose(found, np.asarray(everything)[[6, 7, 2, 3]], atol=1e-5)
    swapped, _ = runtime.step(following[:2], select_rows(select_sources(state, np.array([2]), 2), np.array([1, 0])))
    straight, _ = runtime.step(following[:2][::-1], select_sources(state, np.array([2]), 2))
    np.testing.assert_allclose(swapped, np.asarray(straight)[::-1], atol=1e-5)


def test_the_state_is_not_written_into():
    runtime, _ = runtimes(FEW[1])
    state = runtime.start(SOURCES)
    before = [array.copy() for array in (*state.rows, *state.shared)]
    first, _ = runtime.step(np.full(4, 5, np.int32), state)
    again, _ = runtime.step(np.full(4, 5, np.int32), state)
    np.testing.assert_array_equal(first, again)
    for array, kept in zip((*state.rows, *state.shared), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_numpy_does_not_mind_how_wide_the_padding_is():
    runtime, _ = runtimes(FEW[1])
    fed = np.full(4, START, np.int32)
    narrow, _ = runtime.step(fed, runtime.start(SOURCES))
    wide, _ = runtime.step(fed, runtime.start(np.pad(SOURCES, ((0, 0), (0, 7)))))
    np.testing.assert_allclose(narrow, wide, atol=1e-6)


def test_device_rows_select_and_count():
    rows = DeviceRows(tf.constant([[1.0], [2.0], [3.0]]))
    assert len(rows) == 3
    state = select_rows(State([rows], ()), np.array([2, 0]))
    assert state.rows[0].tensor.numpy().tolist() == [[3.0], [1.0]]


def test_a_large_negative_number_does_not_overflow():
    with np.errstate(all="raise"):
        assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]


def test_a_loaded_model_runs_on_either(tiny_bundle):
    folder = tiny_bundle()
    bundle = load_bundle(folder)
    lines = ["abcd.", "", "ghij.", "k"]
    texts = [Translator(bundle, runtime=name).translate(lines, beam_size=2) for name in ("auto", "numpy", "keras")]
    assert texts[0] == texts[1] == texts[2]
    assert texts[0][1] == ""
    assert isinstance(make_runtime(bundle, "auto"), NumpyTranslator)
    with pytest.raises(OptionError, match="--runtime: expected one of auto, numpy, keras, onnx, got 'torch'"):
        make_runtime(bundle, "torch")


def test_keras_refuses_weights_that_do_not_fit_the_sizes(tiny_bundle):
    bundle = load_bundle(tiny_bundle())
    weights = {name: array for name, array in bundle.weights.items() if name != "combine.bias"}
    sizes = {"source_size": len(bundle.source_vocabulary), "target_size": len(bundle.target_vocabulary)}
    with pytest.raises(BundleError, match=r"there: weight 'combine\.bias' is missing"):
        KerasTranslator.from_weights(bundle.model, weights, where="there", **sizes)


def test_a_beam_wider_than_the_vocabulary_has_as_many_hypotheses_as_there_are():
    runtime, _ = runtimes(FEW[1])
    (found,) = decode(runtime, runtime.start(SOURCES[:1]), strategy=Beam(width=50), line_numbers=[1], max_length=1)
    assert len(found) == TARGET_SIZE - 3  # END, or one of the symbols: PAD, UNK and START are never emitted

"""The doctor on models: each defect is found with its root first, and nothing is broken about correct models."""

import functools

import numpy as np
import pytest
from campaigns import TORTURE

import seq2seq
from seq2seq.diagnosis.causes import ordered
from seq2seq.diagnosis.report import finding
from seq2seq.models.backend import keras
from tests.defective import others
from tests.defective.recipes import (
    embedding_models,
    fit,
    id_arrays,
    toy_pairs,
    tutorial_arrays,
    tutorial_inference,
    tutorial_model,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
PAIRS = toy_pairs()


@functools.cache
def tutorial():
    """The one-hot tutorial, trained."""
    arrays = tutorial_arrays(PAIRS)
    return arrays, fit(tutorial_model(arrays), arrays, epochs=8)


@functools.cache
def gru(mask=True, attention="", cell="gru", bidirectional=False, epochs=10):
    """Embeddings, trained; training model, encoder, decoder."""
    arrays = id_arrays(PAIRS)
    models = embedding_models(mask=mask, attention=attention, cell=cell, bidirectional=bidirectional)
    fit(models[0], arrays, epochs=epochs)
    return arrays, *models


def found(report):
    """What is broken or harmful: code, severity, cause."""
    return [(f.code, f.severity, f.because_of) for f in report.findings if f.severity != "note"]


def first(report):
    """The root that stands first."""
    return report.findings[0].code


# correct models


def test_correct_tutorial_gets_d04_d12_d15_and_nothing_else():
    arrays, model = tutorial()
    encoder, decoder = tutorial_inference(model)
    pairs = sorted(PAIRS, key=lambda pair: len(pair[0]))
    report = seq2seq.examine(
        arrays=arrays, train_model=model, encoder=encoder, decoder=decoder, pairs=pairs, validation_split=0.2
    )
    assert set(report.codes) == {"D04", "D12", "D15"}
    assert not report.broken


STYLES = [{}, {"attention": "additive", "mask": False}]
if TORTURE:
    STYLES += [
        {"cell": "lstm", "attention": "luong", "epochs": 6},
        {"cell": "lstm", "bidirectional": True, "epochs": 6},
    ]
else:  # both in one
    STYLES += [{"cell": "lstm", "attention": "luong", "bidirectional": True, "epochs": 6}]


@pytest.mark.parametrize("style", STYLES, ids=str)
def test_correct_embedding_models_are_not_broken(style):
    arrays, model, encoder, decoder = gru(**style)
    report = seq2seq.examine(arrays=arrays, train_model=model, encoder=encoder, decoder=decoder)
    assert not report.broken, str(report)
    assert not {"D01", "D02", "D05", "D06", "D13"} & set(report.codes)


@pytest.mark.parametrize("kind", ["one-hot", "embedding", "subclassed"])
def test_untrained_models_are_not_broken(kind):
    if kind == "one-hot":
        arrays = tutorial_arrays(PAIRS, fill="")
        model = tutorial_model(arrays)
    elif kind == "embedding":
        arrays, model = id_arrays(PAIRS), embedding_models()[0]
    else:
        arrays, model = others.dataset(PAIRS), others.subclassed()
    report = seq2seq.examine(arrays=arrays, train_model=model)
    assert not report.broken, str(report)
    assert any("train it first" in note for note in report.not_examined)


@pytest.mark.parametrize("kind", ["sequence", "next"])
def test_correct_language_models_are_not_broken(kind):
    arrays, size = others.windows(kind=kind)
    model = others.language_model(size, kind=kind)
    model.fit(arrays["x"], arrays["y"], epochs=4, verbose=0)
    assert not seq2seq.examine(arrays=arrays, train_model=model).broken


def test_a_stateful_model_of_one_batch_size_is_fed_in_batches_of_that_size():
    arrays, size = others.continued_rows(16)
    embedding = [keras.Input(batch_shape=(16, None)), keras.layers.Embedding(size, 8)]
    rest = [keras.layers.LSTM(16, return_sequences=True, stateful=True), keras.layers.Dense(size, activation="softmax")]
    model = keras.Sequential([*embedding, *rest])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    report = seq2seq.examine(arrays=arrays, train_model=model)
    assert report.findings == []
    assert report.examined["with the right symbols fed"] > 16
    assert not any("no way to feed" in note for note in report.not_examined)


def test_an_autoencoder_with_a_bottleneck_is_not_the_copy_bug():
    arrays, model = others.autoencoder(PAIRS)
    model.fit(arrays["x"], arrays["y"], epochs=3, verbose=0)
    assert "D01" not in seq2seq.examine(arrays=arrays, train_model=model).codes


def test_a_subclassed_model_on_a_data_set_is_a_black_box():
    data = others.dataset(PAIRS)
    model = others.subclassed()
    model.fit(data, epochs=3, verbose=0)
    report = seq2seq.examine(arrays=data, train_model=model)
    assert not report.broken, str(report)
    assert "D04" not in report.codes


# D01 and what it brings


@functools.cache
def copied(style):
    """A model that was trained on the copy bug, and its arrays."""
    if style == "one-hot":
        arrays = tutorial_arrays(PAIRS, defect="copy")
        return arrays, fit(tutorial_model(arrays), arrays, epochs=15)
    if style == "subclassed":
        data = others.dataset(PAIRS, defect="copy")
        model = others.subclassed()
        model.fit(data, epochs=4, verbose=0)
        return data, model
    if style == "language model":
        arrays, size = others.windows(defect="copy")
        model = others.language_model(size)
        model.fit(arrays["x"], arrays["y"], epochs=6, verbose=0)
        return arrays, model
    arrays = id_arrays(PAIRS, defect="copy")
    return arrays, fit(embedding_models()[0], arrays, epochs=5)


@pytest.mark.parametrize("style", ["one-hot", "embedding", "subclassed", "language model"])
def test_copy_bug_brings_its_symptoms_under_it(style):
    arrays, model = copied(style)
    report = seq2seq.examine(arrays=arrays, train_model=model)
    assert first(report) == "D01"
    brought = {f.code for f in report.findings if f.because_of == "D01"}
    assert brought >= ({"D06", "D14"} if style == "language model" else {"D05", "D06", "D14"}), str(report)


def test_a_model_that_was_trained_on_the_bug_is_told_from_correct_arrays():
    _, model = copied("embedding")
    report = seq2seq.examine(arrays=id_arrays(PAIRS), train_model=model)
    assert first(report) == "D01"
    assert "copies its decoder input" in report.findings[0].title


# D05, D06


def test_a_decoder_without_the_encoders_states_ignores_the_source():
    arrays = tutorial_arrays(PAIRS, fill="")
    report = seq2seq.examine(arrays=arrays, train_model=tutorial_model(arrays, defect="no initial state"))
    assert found(report)[0] == ("D05", "broken", None)
    data = others.dataset(PAIRS)
    assert first(seq2seq.examine(arrays=data, train_model=others.subclassed(ignore=True))) == "D05"


def test_sources_in_another_order_than_the_targets_are_ignored():
    arrays = id_arrays(PAIRS)
    arrays["encoder_input"] = np.random.default_rng(3).permutation(arrays["encoder_input"])
    model = fit(embedding_models(units=24)[0], arrays, epochs=4)
    report = seq2seq.examine(arrays=arrays, train_model=model)
    assert ("D05", "harmful", None) in found(report)
    assert not any("initial_state" in finding.fix for finding in report.findings)


def test_a_decoder_that_looks_ahead():
    arrays = id_arrays(PAIRS)
    model = fit(embedding_models(defect="decoder looks both ways")[0], arrays, epochs=8)
    report = seq2seq.examine(arrays=arrays, train_model=model)
    (title,) = [finding.title for finding in report.findings if finding.code == "D06" and not finding.because_of]
    assert "sees the symbols" in title


def test_a_decoder_that_looks_ahead_is_known_by_its_structure_before_it_is_trained():
    arrays = id_arrays(PAIRS)
    model = embedding_models(defect="decoder looks both ways")[0]
    report = seq2seq.examine(arrays=arrays, train_model=model)
    assert found(report)[0] == ("D06", "broken", None)
    assert "use_causal_mask" in report.findings[0].fix


def test_ids_beyond_the_smaller_of_two_embeddings():
    arrays = id_arrays(PAIRS)
    source, fed = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    state = keras.layers.GRU(8)(keras.layers.Embedding(8, 4)(source))
    hidden = keras.layers.GRU(8, return_sequences=True)(keras.layers.Embedding(11, 4)(fed), initial_state=state)
    model = keras.Model([source, fed], keras.layers.Dense(11, activation="softmax")(hidden))
    report = seq2seq.examine(arrays=arrays, train_model=model)
    assert found(report)[0] == ("D11", "broken", None)
    assert report.findings[0].evidence["rows of the embedding"] == 8


def test_each_finding_is_listed_and_names_a_root():
    figures = {"figure": 1}
    several = [finding(code, "harmful", figures) for code in ("D14", "D06", "D05", "D10", "D08", "D09", "D04")]
    placed = [(f.code, f.because_of) for f in ordered(several)]
    assert placed == [
        ("D10", None), ("D05", "D10"), ("D06", "D10"), ("D14", "D10"), ("D04", None), ("D09", "D04"), ("D08", None)
    ]  # fmt: skip


def test_a_language_model_that_looks_ahead():
    arrays, size = others.windows()
    model = others.language_model(size, bidirectional=True)
    model.fit(arrays["x"], arrays["y"], epochs=2, verbose=0)
    assert first(seq2seq.examine(arrays=arrays, train_model=model)) == "D06"


# D07


@pytest.mark.parametrize("defect", ["swapped", "swapped out", "fresh lstm", "fresh dense"])
def test_inference_models_of_the_tutorial(defect):
    arrays, model = tutorial()
    encoder, decoder = tutorial_inference(model, defect=defect)
    report = seq2seq.examine(arrays=arrays, train_model=model, encoder=encoder, decoder=decoder)
    assert found(report)[0] == ("D07", "broken", None), str(report)
    assert all(cause in (None, "D07") for _, _, cause in found(report))
    if "swapped" in defect:
        assert "h and c in the wrong order" in report.findings[0].title


def test_inference_models_of_another_training():
    arrays, model, _, _ = gru()
    _, encoder, decoder = embedding_models()
    report = seq2seq.examine(arrays=arrays, train_model=model, encoder=encoder, decoder=decoder)
    assert found(report)[0] == ("D07", "broken", None)
    # how severe the consequence is depends on the guesses of a model that was never trained
    assert ("D06", "D07") in [(code, cause) for code, _, cause in found(report)]


# D08


def test_padding_that_an_encoder_reads():
    arrays, model, _, _ = gru(attention="additive", mask=False)
    assert ("D08", "harmful", None) in found(seq2seq.examine(arrays=arrays, train_model=model))


def test_padding_that_ruins_the_result():
    _, model = tutorial()
    report = seq2seq.examine(arrays=tutorial_arrays(PAIRS, width=60), train_model=model)
    assert found(report)[0] == ("D08", "broken", None)


def test_results_that_depend_on_the_batch():
    arrays = id_arrays(PAIRS)
    model = fit(others.batch_dependent(), arrays, epochs=2)
    report = seq2seq.examine(arrays=arrays, train_model=model)
    assert report.findings[0].title == "results depend on the other rows of the batch"
    assert "D06" not in report.codes

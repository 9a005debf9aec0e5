"""The doctor names the right cause: of a loss, of states that are kept, of loops, and of a source that is not used."""

import numpy as np
import pytest

import seq2seq
from seq2seq.diagnosis.catalogue import CATALOGUE
from seq2seq.diagnosis.explain import EXPLANATIONS
from seq2seq.foreign.graph import reaches_output
from seq2seq.models.backend import keras
from tests.defective import others
from tests.defective.recipes import (
    LETTERS,
    embedding_models,
    fit,
    id_arrays,
    toy_pairs,
    tutorial_arrays,
    tutorial_model,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
PAIRS = toy_pairs()


def findings(report, code):
    return [finding for finding in report.findings if finding.code == code]


# D04: padding that was never scored


def test_padding_that_was_never_scored_is_a_note_that_asks_for_the_weights():
    arrays = id_arrays(PAIRS)
    model = embedding_models(mask=False)[0]
    fit(model, arrays, epochs=4, sample_weight=(arrays["decoder_target"] != 0).astype("float32"))
    report = seq2seq.examine(arrays=arrays, train_model=model)
    assert not {"D04", "D09"} & set(report.codes), str(report)
    (note,) = [note for note in report.not_examined if "on padding" in note]
    assert "fit used sample_weight or a mask that is not in the arrays; add it as sample_weight" in note


def test_padding_that_was_scored_is_d04():
    arrays = id_arrays(PAIRS)
    model = fit(embedding_models(mask=False)[0], arrays, epochs=4)
    (finding,) = findings(seq2seq.examine(arrays=arrays, train_model=model), "D04")
    assert (finding.title, finding.evidence["padding is"]) == ("padding is scored as a symbol of its own", "id 0")


@pytest.mark.parametrize(("symbol", "role"), [(1, "START"), (2, "END")])
def test_padding_that_is_start_or_end_is_named(symbol, role):
    arrays = {name: np.where(array == 0, symbol, array) for name, array in id_arrays(PAIRS).items()}
    report = seq2seq.examine(arrays=arrays, train_model=embedding_models(mask=False)[0], start=1, end=2, pad=symbol)
    (finding,) = findings(report, "D04")
    assert finding.title == f"padding is {role} and is scored"
    assert finding.evidence["padding is"] == f"id {symbol} and {role}"


# D13: the loss that finds the logits before a softmax


def scored_by(last, *, epochs=0):
    """A model of windows that ends in these layers, with a loss from logits; its arrays."""
    arrays, size = others.windows()
    layers = [keras.layers.Embedding(size, 8), keras.layers.GRU(16, return_sequences=True), *last(size)]
    model = keras.Sequential([keras.Input((None,)), *layers])
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    if epochs:
        model.fit(arrays["x"], arrays["y"], epochs=epochs, verbose=0)
    return arrays, model


@pytest.mark.parametrize("epochs", [0, 3])
@pytest.mark.parametrize(
    ("last", "real"),
    [
        (lambda size: [keras.layers.Dense(size, activation="softmax")], False),
        (lambda size: [keras.layers.TimeDistributed(keras.layers.Dense(size, activation="softmax"))], True),
        (lambda size: [keras.layers.Dense(size, activation="softmax"), keras.layers.Reshape((-1, size))], True),
    ],
    ids=["Dense", "TimeDistributed", "a layer after it"],
)
def test_a_loss_from_logits_on_a_softmax_is_d13_where_evaluate_is_not_the_true_loss(last, real, epochs):
    arrays, model = scored_by(last, epochs=epochs)
    found = findings(seq2seq.examine(arrays=arrays, train_model=model), "D13")
    assert [finding.title for finding in found] == (
        ["softmax is applied twice: by the model and by the loss"] if real else []
    )


# D16


def stateful_model(size, batch, *, width=None):
    layers = [keras.layers.Embedding(size, 8), keras.layers.GRU(16, return_sequences=True, stateful=True)]
    model = keras.Sequential(
        [keras.Input(batch_shape=(batch, width)), *layers, keras.layers.Dense(size, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def test_states_that_are_kept_between_shuffled_rows_are_d16():
    arrays, size = others.continued_rows(8)
    order = np.random.default_rng(0).permutation(len(arrays["x"]))
    shuffled = {name: array[order] for name, array in arrays.items()}
    report = seq2seq.examine(arrays=shuffled, train_model=stateful_model(size, 8))
    assert report.codes == ["D16"], str(report)
    (finding,) = report.findings
    assert "the same rows predicted twice differ" in finding.title
    assert "set_weights" in finding.fix


def test_states_that_are_kept_for_rows_that_continue_are_right():
    arrays, size = others.continued_rows(8)
    assert seq2seq.examine(arrays=arrays, train_model=stateful_model(size, 8)).findings == []


def test_a_stateful_model_is_evaluated_from_initial_states_so_that_padding_is_not_blamed():
    rows, size = others.continued_rows(8)
    lengths = np.random.default_rng(0).integers(4, 11, len(rows["x"]))
    kept = np.arange(10) < lengths[:, None]
    arrays = {name: np.where(kept, array + 1, 0) for name, array in rows.items()}
    inputs = keras.Input(batch_shape=(8, 10))
    hidden = keras.layers.Embedding(size + 1, 8, mask_zero=True)(inputs)
    hidden = keras.layers.GRU(16, return_sequences=True, stateful=True)(hidden)
    model = keras.Model(inputs, keras.layers.Dense(size + 1, activation="softmax")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(arrays["x"], arrays["y"], batch_size=8, epochs=2, verbose=0)
    report = seq2seq.examine(arrays=arrays, train_model=model)
    assert not {"D04", "D08", "D09"} & set(report.codes), str(report)
    assert "D16" in report.codes


def test_each_code_has_a_story():
    assert list(CATALOGUE) == list(EXPLANATIONS) == [f"D{number:02}" for number in range(1, 17)]


# D14


def cycling(*, period, width=20):
    """A model that says the symbol after the last one in a cycle, and windows of text that does so most of the time."""
    generator = np.random.default_rng(0)
    text = [0]
    for _ in range(1500):
        text.append((text[-1] + 1) % period if generator.random() > 0.25 else int(generator.integers(period)))
    x = np.stack([text[i : i + width] for i in range(0, 1400, 7)])
    y = np.stack([text[i + 1 : i + width + 1] for i in range(0, 1400, 7)])
    table = np.roll(np.eye(period), 1, axis=1) * 9
    embedding = keras.layers.Embedding(period, period)
    model = keras.Sequential([keras.Input((None,)), embedding, keras.layers.Activation("softmax")])
    embedding.set_weights([table])
    model.compile("adam", "sparse_categorical_crossentropy")
    return {"x": x, "y": y}, model


def test_a_loop_of_a_long_period_is_found():
    arrays, model = cycling(period=67)
    (finding,) = findings(seq2seq.examine(arrays=arrays, train_model=model), "D14")
    assert finding.evidence["median period"] == 67
    assert finding.evidence["outputs that run in circles"] == 1


def test_a_window_that_occurred_before_is_a_period():
    from seq2seq.diagnosis.running import window_period

    assert window_period(np.array([9, 1, 2, 3, 4, 1, 2]), 2) == 4
    assert window_period(np.array([9, 1, 2, 3, 4, 1, 3]), 2) == 0


# D09


@pytest.mark.parametrize("fill", ["", " "])
def test_a_binary_loss_on_a_softmax_comes_before_padding(fill):
    arrays = tutorial_arrays(PAIRS, fill=fill)
    model = tutorial_model(arrays)
    model.compile("adam", "binary_crossentropy")
    report = seq2seq.examine(arrays=arrays, train_model=fit(model, arrays, epochs=2))
    (finding,) = [one for one in report.findings if one.severity == "harmful"][:1]
    assert finding.code == "D09"
    assert finding.title == "the loss is binary cross-entropy, and the output is a softmax over all symbols"
    assert finding.because_of is None
    assert "'categorical_crossentropy'" in finding.fix


def test_label_smoothing_that_makes_rows_of_zeros_count_is_named_with_its_share_of_the_loss():
    arrays = tutorial_arrays(PAIRS, fill="")
    model = tutorial_model(arrays)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    report = seq2seq.examine(arrays=arrays, train_model=fit(model, arrays, epochs=4))
    finding = findings(report, "D09")[0]
    shares = finding.evidence["shares of the loss"]
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert finding.title == (
        f"label smoothing makes rows of zeros count: {shares['label smoothing of padding']:.0%} of the loss"
    )
    assert "D04" not in report.codes


def test_label_smoothing_of_ids_without_padding_is_no_finding():
    arrays = tutorial_arrays([pair for pair in PAIRS if len(pair[0]) == 6], fill="")
    model = tutorial_model(arrays)
    model.compile("adam", keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    assert not findings(seq2seq.examine(arrays=arrays, train_model=model), "D09")


# D05


def slow_pairs(count=400):
    """Words, and runs of letters that begin with the word's first one: the source predicts one symbol of seven."""
    generator = np.random.default_rng(0)
    words = ["".join(generator.choice(list(LETTERS), 4)) for _ in range(count)]
    return [(word, (LETTERS * 2)[LETTERS.index(word[0]) :][:6]) for word in words]


def translator(*, path=True, silent=False, slow=False, size=11):
    """A translator whose encoder's state reaches the decoder, or does not, or is nothing."""
    source, fed = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    state = keras.layers.GRU(24, name="reader")(keras.layers.Embedding(size, 8, mask_zero=True)(source))
    if silent:
        scale = keras.layers.Dense(24, use_bias=False, kernel_initializer="zeros")
        state = scale(state)
    if slow:
        state = keras.layers.Rescaling(0.01)(state)
    inner, given = keras.Input((None,), dtype="int32"), keras.Input((24,))
    hidden = keras.layers.Embedding(size, 8, mask_zero=True)(inner)
    hidden = keras.layers.GRU(24, return_sequences=True)(hidden, initial_state=given if path else None)
    scores = keras.layers.Dense(size, activation="softmax")(hidden)
    decoder = keras.Model([inner, given], scores if path else [scores, given])
    output = decoder([fed, state])
    model = keras.Model([source, fed], output if path else output[0])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def test_a_path_through_a_model_inside_is_followed():
    assert reaches_output(translator(), 0)
    assert not reaches_output(translator(path=False), 0)
    assert reaches_output(translator(path=False), 1)


def test_a_source_without_a_path_is_told_from_one_whose_path_has_no_effect():
    arrays = id_arrays(PAIRS)
    (finding,) = findings(seq2seq.examine(arrays=arrays, train_model=translator(path=False)), "D05")
    assert (finding.severity, finding.title) == (
        "broken",
        "the source is ignored: no path in the model leads from it to the output",
    )
    assert "initial_state=encoder_states" in finding.fix
    (finding,) = findings(seq2seq.examine(arrays=arrays, train_model=translator(silent=True)), "D05")
    assert "a path leads to the output, but the weights on it have no effect" in finding.title
    assert "initial_state" not in finding.fix


def test_a_model_that_had_few_epochs_is_told_to_train_longer():
    arrays = id_arrays(slow_pairs())
    report = seq2seq.examine(arrays=arrays, train_model=fit(translator(slow=True), arrays, epochs=6))
    found = findings(report, "D05")
    assert not report.broken
    assert all("initial_state" not in finding.fix for finding in found), str(report)
    assert found[0].title == "the source is hardly used yet: the model has learnt the target language first"
    assert "train until the validation loss stops falling" in found[0].fix
    assert found[0].evidence["training steps"] == 78

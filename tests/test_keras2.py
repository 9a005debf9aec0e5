"""Models of Keras 2: the same outputs in Keras 3, and the real cause where a file cannot be opened."""

import io
import json
import shutil
import zipfile
from dataclasses import replace

import h5py
import numpy as np
import pytest

import seq2seq
from seq2seq.adoption.adopting import adopt
from seq2seq.adoption.conversion import sizes_of
from seq2seq.adoption.model_parts import EncoderLayer
from seq2seq.adoption.source_model import OriginalModel
from seq2seq.adoption.tracing import trace
from seq2seq.doctor import main
from seq2seq.errors import AdoptionError, DataError
from seq2seq.foreign.graph import Place, call_of
from seq2seq.foreign.keras2 import from_tf_keras
from seq2seq.foreign.models import load_model
from seq2seq.models.backend import keras
from seq2seq.models.recurrent import hard_sigmoid_of_keras_2
from tests.keras2_files import FILES, FOLDER, ROWS, STEPS, SYMBOLS, inputs_of, make
from tests.keras2_files import main as write_files

EXPECTED = np.load(FOLDER / "expected.npz")
TRANSLATOR, HARD, ATTENTION = "translator_2.12.keras", "hard_translator_2.2.h5", "attention_2.6.h5"


def inputs_for(name):
    """The arrays that a file's model was called with."""
    return [EXPECTED[key] for key in sorted(EXPECTED.files) if key.startswith(f"{name}/input")]


def outputs(model, inputs):
    """What a model gives."""
    return keras.ops.convert_to_numpy(model(inputs if len(inputs) > 1 else inputs[0]))


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_keras_2_gives_the_outputs_that_keras_2_computed(name):
    model, lost = load_model(FOLDER / name)
    assert not lost
    np.testing.assert_allclose(outputs(model, inputs_for(name)), EXPECTED[f"{name}/output"], atol=2e-6)


def test_the_hard_sigmoid_of_keras_2_is_another_function_than_that_of_keras_3():
    x = np.array([-3.0, -2.5, 0.0, 1.0, 2.5, 2.9], np.float32)
    np.testing.assert_allclose(hard_sigmoid_of_keras_2(x), [0, 0, 0.5, 0.7, 1, 1], atol=1e-7)
    assert abs(float(keras.activations.hard_sigmoid(x)[3]) - 0.7) > 0.03


@pytest.mark.parametrize(
    ("name", "loss", "rate"),
    [
        (HARD, "categorical_crossentropy", 0.002),
        (ATTENTION, "SparseCategoricalCrossentropy", 0.01),
        (TRANSLATOR, "categorical_crossentropy", 0.001),
    ],
)
def test_compile_settings_come_back(name, loss, rate):
    model, _ = load_model(FOLDER / name)
    assert loss in (model.loss, type(model.loss).__name__)
    assert float(model.optimizer.learning_rate) == pytest.approx(rate)
    ids = np.ones((ROWS, STEPS), int)
    figures = model.evaluate(
        inputs_for(name), ids if "Sparse" in loss else np.eye(SYMBOLS)[ids], verbose=0, return_dict=True
    )
    assert set(figures) == {"loss", "accuracy"}


def test_a_loss_that_takes_logits_still_does():
    model, _ = load_model(FOLDER / ATTENTION)
    assert model.loss.get_config()["from_logits"]


def test_the_decay_of_an_old_optimizer_is_kept():
    model, _ = load_model(FOLDER / HARD)
    assert float(model.optimizer._learning_rate(2)) == pytest.approx(0.002 / 2)


def test_initial_states_are_read_off_the_old_form_of_the_graph():
    model, _ = load_model(FOLDER / HARD)
    decoder = call_of(call_of(Place(model.outputs[0])).inputs[0])
    assert [call_of(state)[:2] for state in decoder.states] == [(model.layers[2], 1), (model.layers[2], 2)]


def arrays_of(rows=40):
    """One-hot rows of a toy language for the translators."""
    random = np.random.default_rng(0)
    ids = np.concatenate(
        [np.zeros((rows, 1), int), random.integers(2, SYMBOLS, (rows, STEPS)), np.ones((rows, 1), int)], 1
    )
    hot = np.eye(SYMBOLS, dtype=np.float32)
    return {"encoder_input": hot[ids[:, 1:-1]], "decoder_input": hot[ids[:, :-1]], "decoder_target": hot[ids[:, 1:]]}


@pytest.mark.parametrize("name", [HARD, TRANSLATOR])
def test_the_doctor_examines_a_file_of_keras_2(name, tmp_path, capsys):
    np.savez(tmp_path / "batch.npz", **arrays_of())
    assert main([str(tmp_path / "batch.npz"), str(FOLDER / name)]) in (0, 1)
    text = capsys.readouterr().out
    assert f"{name} is the train model" in text
    assert "(with the right symbols fed)" in text
    assert "not compiled" not in text


@pytest.mark.parametrize("name", [TRANSLATOR, HARD, ATTENTION])
def test_adoption_computes_the_log_probabilities_of_a_file_of_keras_2(name):
    model, _ = load_model(FOLDER / name)
    parts = trace(model, "the model")
    ids = [array.argmax(-1) if array.ndim == 3 else array.astype(int) for array in inputs_for(name)]
    found = np.exp(OriginalModel(model, parts).log_probs(*ids))
    wanted = EXPECTED[f"{name}/output"]
    if parts.logits:
        wanted = np.exp(wanted) / np.exp(wanted).sum(-1, keepdims=True)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_adoption_keeps_the_gates_of_keras_2():
    model, _ = load_model(FOLDER / HARD)
    parts = trace(model, "the model")
    assert sizes_of(parts).gates == "hard_sigmoid"
    mixed = replace(parts, encoder=[EncoderLayer(parts.encoder[0].forward._replace(gates="sigmoid"), None)])
    with pytest.raises(
        AdoptionError, match="expected LSTM layers with gates of one kind, got sigmoid and the hard_sig"
    ):
        sizes_of(mixed)


# files that cannot be opened, or not whole


@pytest.fixture
def edited(tmp_path):
    """Copies a file and changes its configuration, training settings or version."""

    def edit(name, config=None, training=None, version=None):
        path = tmp_path / "edited.h5"
        shutil.copy(FOLDER / name, path)
        with h5py.File(path, "r+") as file:
            for key, change in (("model_config", config), ("training_config", training)):
                if change is not None:
                    saved = json.loads(file.attrs[key]) if key in file.attrs else {}
                    file.attrs[key] = json.dumps(change(saved) or saved)
            if version is not None:
                file.attrs["keras_version"] = version
        return path

    return edit


def layer_with(number, **changes):
    """Changes a layer of a functional model: its class or its settings."""

    def change(config):
        layer = config["config"]["layers"][number]
        layer["class_name"] = changes.pop("kind", layer["class_name"])
        layer["inbound_nodes"] = changes.pop("nodes", layer["inbound_nodes"])
        layer["config"] |= changes

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            layer_with(3, kind="AttentionLayer"),
            r"layer 'lstm_1' \(AttentionLayer\), written by Keras 2.2.4: its class is",
        ),
        (
            layer_with(3, kind="TFOpLambda"),
            r"layer 'lstm_1' \(TFOpLambda\), written by Keras 2.2.4: its class is not one",
        ),
        (layer_with(3, time_major=True), r"layer 'lstm_1' \(LSTM\).*Keras 3 has no time_major=True"),
        (layer_with(3, peephole=True), r"layer 'lstm_1' \(LSTM\).*cannot make it from its settings .*peephole"),
        (
            layer_with(4, activation="my_softmax"),
            r"layer 'dense' \(Dense\).*'my_softmax' is a function of the user's own",
        ),
        (layer_with(4, units=7), r"layer 'dense' \(Dense\).*expected weights of shape \(4, 7\), got \(4, 6\)"),
        (layer_with(4, use_bias=False), r"layer 'dense' \(Dense\).*expected 1 arrays of weights, got 2"),
        (layer_with(4, units=10**9), r"layer 'dense'.*its sizes {'units': 1000000000} are too large for the file's"),
        (layer_with(3, units=400), r"layer 'lstm_1'.*its sizes {'units': 400} are too large for the file's weights"),
        (layer_with(4, nodes=[[["dense", 0, 0, {}]]]), r"layer 'dense' \(Dense\).*reads a tensor that no layer makes"),
        (
            layer_with(3, nodes=[[["input_2", 0, 0, {"constants": [1]}]]]),
            r"Keras 3 has no constants of recurrent layers",
        ),
        (layer_with(4, nodes=[[["input_1", 0, 0, {"speed": 3}]]]), r"calling it in Keras 3 failed \(.*speed"),
        (
            lambda config: {"class_name": "MyModel", "config": {}},
            r"got the class 'MyModel', written by Keras 2.2.4: its conf",
        ),
        (lambda config: {"class_name": "Model", "config": config["config"] | {"layers": 3}}, "got another form"),
        (lambda config: [1], "expected the configuration of a Keras model, an object, got list"),
    ],
)
def test_the_real_cause_is_named_where_a_file_cannot_be_opened(edited, change, message):
    with pytest.raises(DataError, match=message):
        load_model(edited(HARD, change))


def test_models_inside_each_other_without_end_are_refused(edited):
    def deep(config):
        for _ in range(30):
            config = {"class_name": "Sequential", "config": [config]}
        return config

    with pytest.raises(DataError, match="expected at most 20 models inside each other, got more"):
        load_model(edited(HARD, deep))


def test_a_sequential_model_without_the_shape_of_its_input_is_refused(edited):
    def shapeless(config):
        del config["config"][0]["config"]["batch_input_shape"]

    with pytest.raises(
        DataError, match="expected the shape of the input in a Sequential model .*call the model on data"
    ):
        load_model(edited("cudnn_2.2.h5", shapeless))


def test_a_file_of_keras_1_is_refused_with_the_conversion(edited):
    with pytest.raises(DataError, match=r"was written by Keras 1\.2\.2, .*tf_keras\.models\.load_model\('edited\.h5'"):
        load_model(edited(HARD, version="1.2.2"))


def test_a_file_without_a_version_is_told_by_its_form(edited):
    model, _ = load_model(edited(HARD, version=""))
    np.testing.assert_allclose(outputs(model, inputs_for(HARD)), EXPECTED[f"{HARD}/output"], atol=2e-6)


def test_a_saved_model_folder_is_refused_with_the_conversion(tmp_path, capsys):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"")
    assert main([str(tmp_path / "model")]) == 2
    error = capsys.readouterr().err
    assert "is a TensorFlow SavedModel" in error
    assert "tf_keras.models.load_model('model').save('model.h5')" in error


def doubled(x):
    return x * 2.0


def test_code_in_a_file_of_keras_2_runs_only_where_it_is_allowed(edited):
    saved = keras.layers.Lambda(doubled).get_config()["function"]
    code = keras.layers.Lambda(lambda x: x * 2.0).get_config()["function"]["config"]
    assert saved
    settings = {"function": [code["code"], None, None], "function_type": "lambda", "module": "m", "arguments": {}}

    def doubling(config):
        layers = config["config"]["layers"]
        call = [[["dense", 0, 0, {}]]]
        own = {**settings, "name": "double", "output_shape": None, "output_shape_type": "raw"}
        layers.append({"class_name": "Lambda", "name": "double", "config": own, "inbound_nodes": call})
        config["config"]["output_layers"] = [["double", 0, 0]]

    path = edited(HARD, doubling)
    with pytest.raises(DataError, match="holds a Lambda layer, whose code would run"):
        load_model(path)
    model, _ = load_model(path, allow_lambda=True)
    np.testing.assert_allclose(outputs(model, inputs_for(HARD)), 2 * EXPECTED[f"{HARD}/output"], atol=4e-6)


def test_a_named_function_of_a_lambda_is_not_in_the_file(edited):
    change = layer_with(4, kind="Lambda", function="my_function", function_type="function")
    with pytest.raises(DataError, match="its function 'my_function' is the user's own, and a file does not hold it"):
        load_model(edited(HARD, change), allow_lambda=True)


def test_names_of_weights_that_are_cut_into_numbered_attributes_are_read(edited):
    path = edited(HARD)
    with h5py.File(path, "r+") as file:
        names = file["model_weights"].attrs.pop("layer_names")
        file["model_weights"].attrs["layer_names0"] = names[:2]
        file["model_weights"].attrs["layer_names1"] = names[2:]
    model, _ = load_model(path)
    np.testing.assert_allclose(outputs(model, inputs_for(HARD)), EXPECTED[f"{HARD}/output"], atol=2e-6)


def test_a_keras_file_that_was_written_on_windows_is_read(tmp_path):
    path = tmp_path / "model.keras"
    content = io.BytesIO()
    with zipfile.ZipFile(FOLDER / TRANSLATOR) as archive, zipfile.ZipFile(path, "w") as written:
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as saved, h5py.File(content, "w") as file:

            def copied(name, value):
                if isinstance(value, h5py.Dataset):
                    group, _, number = name.rpartition("/")
                    file.require_group(group.replace("/", "\\"))[number] = value[()]

            saved.visititems(copied)
        for name in ("config.json", "metadata.json"):
            written.writestr(name, archive.read(name))
        written.writestr("model.weights.h5", content.getvalue())
    model, _ = load_model(path)
    np.testing.assert_allclose(outputs(model, inputs_for(TRANSLATOR)), EXPECTED[f"{TRANSLATOR}/output"], atol=2e-6)


def test_weights_that_the_file_names_and_does_not_hold_are_named(edited):
    path = edited(HARD)
    with h5py.File(path, "r+") as file:
        del file["model_weights/dense/dense/bias:0"]
    with pytest.raises(
        DataError, match="expected the weights 'model_weights/dense/dense/bias:0' in the file, found none"
    ):
        load_model(path)


def test_a_keras_file_without_weights_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(FOLDER / TRANSLATOR) as archive, zipfile.ZipFile(path, "w") as written:
        for name in ("config.json", "metadata.json"):
            written.writestr(name, archive.read(name))
    with pytest.raises(DataError, match=r"expected the weights of a model, which cannot be read: .*model\.weights\.h5"):
        load_model(path)


def test_compile_settings_of_an_unknown_form_are_named(edited):
    model, lost = load_model(edited(HARD, training=lambda saved: saved | {"loss": {"class_name": "Loss"}}))
    assert lost == "edited.h5: its compile settings could not be restored (KeyError: 'config')"
    np.testing.assert_allclose(outputs(model, inputs_for(HARD)), EXPECTED[f"{HARD}/output"], atol=2e-6)


def masked_loss(true, predicted):
    return keras.ops.mean(keras.losses.categorical_crossentropy(true, predicted))


def test_a_loss_of_the_users_own_is_named_and_nobody_is_told_to_compile(edited, tmp_path):
    model, _ = load_model(FOLDER / TRANSLATOR)
    model.compile("rmsprop", masked_loss)
    model.save(tmp_path / "model.keras")
    for path in (tmp_path / "model.keras", edited(HARD, training=lambda saved: saved | {"loss": "masked_loss"})):
        notes = seq2seq.examine(arrays=arrays_of(), train_model=path).not_examined
        (note,) = [note for note in notes if "the loss" in note]
        assert note.startswith(
            f"{path.name}: the loss 'masked_loss' is a function of your own, and a model file does not"
        )
        assert "seq2seq.examine(train_model=model, arrays=...)" in note
    notes = seq2seq.examine(arrays=arrays_of(), train_model=model).not_examined
    assert not [note for note in notes if "the loss" in note]


def test_a_metric_of_the_users_own_leaves_the_loss_to_be_examined(edited):
    path = edited(HARD, training=lambda saved: saved | {"metrics": ["accuracy", "my_accuracy"]})
    model, lost = load_model(path)
    assert lost == "edited.h5: the metrics 'my_accuracy' are functions of your own, and a model file does not hold them"
    assert model.loss == "categorical_crossentropy"


# with tf_keras


@pytest.fixture
def tf_keras():
    return pytest.importorskip("tf_keras", reason="CONTRIBUTING.md says how to run the tests that need tf_keras")


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_the_files_of_the_tests_are_those_that_their_script_writes(tf_keras, tmp_path):
    write_files(tmp_path)
    written = np.load(tmp_path / "expected.npz")
    assert sorted(written.files) == sorted(EXPECTED.files)
    for key in written.files:
        np.testing.assert_allclose(written[key], EXPECTED[key], atol=2e-6)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("name", FILES)
def test_what_tf_keras_saves_or_holds_gives_the_same_outputs(tf_keras, tmp_path, name):
    model = make(tf_keras, name)
    inputs = inputs_of(model)
    wanted = outputs(model, inputs)
    np.testing.assert_allclose(outputs(from_tf_keras(model)[0], inputs), wanted, atol=2e-6)
    for path in (tmp_path / "model.h5", tmp_path / "model.keras"):
        model.save(path)
        np.testing.assert_allclose(outputs(load_model(path)[0], inputs), wanted, atol=2e-6)


def test_tf_keras_reads_the_layout_of_cudnn_that_the_script_writes(tf_keras):
    model = make(tf_keras, "cudnn_2.2.h5")
    for variable in model.weights:
        variable.assign(variable * 0)
    model.load_weights(FOLDER / "cudnn_2.2.h5")
    np.testing.assert_allclose(outputs(model, inputs_for("cudnn_2.2.h5")), EXPECTED["cudnn_2.2.h5/output"], atol=2e-6)


def test_examine_takes_a_model_of_tf_keras_with_a_loss_of_its_own(tf_keras):
    model = make(tf_keras, TRANSLATOR)
    calls = []

    def own(true, predicted):
        calls.append(1)
        return tf_keras.losses.categorical_crossentropy(true, predicted)

    model.compile("rmsprop", own, metrics=["accuracy"])
    report = seq2seq.examine(arrays=arrays_of(), train_model=model)
    assert report.examined["with the right symbols fed"] == 40
    assert calls
    assert not [note for note in report.not_examined if "the loss" in note]


def test_adopt_takes_a_model_of_tf_keras(tf_keras, tmp_path):
    model = make(tf_keras, "reader_2.2.h5")
    data = tmp_path / "pairs.tsv"
    data.write_text("ab\tcd\n")
    with pytest.raises(
        AdoptionError, match=r"expected Dense scores of the symbols at the output, got layer 'leaky_re_lu'"
    ):
        adopt(model, data, tmp_path / "model")


def test_a_subclassed_model_of_tf_keras_is_refused_with_what_to_do(tf_keras):
    class Own(tf_keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(
        DataError, match=r"the tf_keras model 'own': .* got the class 'Own', .*build the same layers with"
    ):
        seq2seq.examine(train_model=Own(name="own"))


def test_a_model_of_tf_keras_without_a_configuration_is_refused_with_what_to_do(tf_keras):
    class Own(tf_keras.Model):
        def get_config(self):
            raise NotImplementedError

    with pytest.raises(
        DataError, match=r"has no configuration that could be rebuilt in Keras 3 \(NotImpl.*copy the weights"
    ):
        seq2seq.examine(train_model=Own(name="own"))

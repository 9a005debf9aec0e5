"""Writes the files of tests/data/keras2: small models in the forms of Keras 2.2, 2.6 and 2.12, with their outputs.

Needs tf_keras, which keeps Keras 2 (CONTRIBUTING.md says how to install it): python -m tests.keras2_files
tf_keras writes a file and computes the outputs; then the configuration and the names of weights are put into the form
of the older version, as `keras/engine/network.py` and `keras/engine/saving.py` of Keras 2.2.4, `hdf5_format.py` of
TensorFlow 2.6 and `saving_lib.py` of TensorFlow 2.12 wrote them.
"""

import io
import json
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np

FOLDER = Path(__file__).parent / "data" / "keras2"
SYMBOLS, STEPS, ROWS = 6, 5, 3
LATER = ("time_major", "ragged", "optional", "registered_name", "module", "build_config")  # than 2.2


def translator(keras, **settings):
    """The tutorial's encoder-decoder of one-hot vectors."""
    layers = keras.layers
    source, fed = keras.Input((None, SYMBOLS)), keras.Input((None, SYMBOLS))
    _, *states = layers.LSTM(4, return_state=True, **settings)(source)
    hidden = layers.LSTM(4, return_sequences=True, return_state=True, **settings)(fed, initial_state=states)[0]
    model = keras.Model([source, fed], layers.Dense(SYMBOLS, activation="softmax")(hidden))
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    return model


def hard_translator(keras):
    """The same with the recurrent activation that was the default until 2.2."""
    return translator(keras, recurrent_activation="hard_sigmoid")


def fused(keras):
    """LSTM and GRU, to be written as CuDNNLSTM and CuDNNGRU."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.LSTM(3, return_sequences=True, input_shape=(None, SYMBOLS)),
            layers.GRU(4, return_sequences=True),
            layers.Dense(SYMBOLS, activation="softmax"),
        ]
    )


def reader(keras):
    """A Sequential model with a GRU of the first form, a wrapper, and activations that Keras 3 defines otherwise."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Embedding(SYMBOLS, 3, mask_zero=True, input_length=STEPS),
            layers.Bidirectional(layers.LSTM(2, recurrent_activation="hard_sigmoid")),
            layers.RepeatVector(4),
            layers.GRU(3, return_sequences=True, recurrent_activation="hard_sigmoid", reset_after=False),
            layers.TimeDistributed(layers.Dense(SYMBOLS, activation="hard_sigmoid")),
            layers.LeakyReLU(0.25),
        ]
    )
    model.build((None, STEPS))
    return model


def attention(keras):
    """Bidirectional encoder, concatenated states, attention over masked ids; the loss takes logits."""
    layers = keras.layers
    source, fed = keras.Input((None,)), keras.Input((None,))
    encoder = layers.Bidirectional(layers.LSTM(2, return_sequences=True, return_state=True))
    memory, *states = encoder(layers.Embedding(SYMBOLS, 3, mask_zero=True)(source))
    states = [layers.Concatenate()(states[which::2]) for which in (0, 1)]
    decoder = layers.LSTM(4, return_sequences=True, return_state=True, dropout=0.1)
    hidden = decoder(layers.Embedding(SYMBOLS, 3, mask_zero=True)(fed), initial_state=states)[0]
    both = layers.Concatenate()([hidden, layers.Attention(use_scale=True)([hidden, memory])])
    model = keras.Model([source, fed], layers.Dense(SYMBOLS)(layers.Dropout(0.2)(both)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    return model


def nested(keras):
    """Models inside a model, one of them called twice; a frozen layer comes before trained ones."""
    layers = keras.layers
    inner = keras.Input((None,))
    frozen = layers.Embedding(SYMBOLS, 3, trainable=False)
    encoder = keras.Model(inner, layers.GRU(3, return_state=True)(frozen(inner))[1], name="encoder")
    ids, state = keras.Input((None,)), keras.Input((3,))
    hidden = layers.GRU(3, return_sequences=True)(layers.Embedding(SYMBOLS, 2)(ids), initial_state=state)
    scorer = keras.Sequential([layers.Dense(3), layers.BatchNormalization(), layers.Dense(SYMBOLS)], name="scorer")
    decoder = keras.Model([ids, state], scorer(hidden), name="decoder")
    source, fed = keras.Input((None,)), keras.Input((None,))
    both = layers.Add()([encoder(source), encoder(fed)])
    return keras.Model([source, fed], decoder([fed, both]))


def wrapped(keras):
    """Additive attention, dot products over other axes, and wrappers, for the format of 2.12."""
    layers = keras.layers
    source, fed = keras.Input((STEPS,)), keras.Input((STEPS,))
    embedding = layers.Embedding(SYMBOLS, 4)
    memory, state = layers.GRU(4, return_sequences=True, return_state=True)(embedding(source))
    hidden = layers.GRU(4, return_sequences=True)(embedding(fed), initial_state=state)
    context = layers.AdditiveAttention()([hidden, memory])
    weights = layers.Activation("softmax")(layers.Dot(axes=[2, 2])([hidden, memory]))
    both = layers.Concatenate()([hidden, context, layers.Dot(axes=[2, 1])([weights, memory])])
    both = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(both)
    scores = layers.TimeDistributed(layers.Dense(SYMBOLS, activation="softmax"))(layers.Dense(3)(both))
    model = keras.Model([source, fed], scores)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


FILES = {
    "hard_translator_2.2.h5": hard_translator,
    "cudnn_2.2.h5": fused,
    "reader_2.2.h5": reader,
    "attention_2.6.h5": attention,
    "nested_2.6.h5": nested,
    "translator_2.12.keras": translator,
    "wrapped_2.12.keras": wrapped,
}


def make(keras, name):
    """Makes a model with random weights, large enough that each activation bends."""
    keras.backend.clear_session()
    model = FILES[name](keras)
    random = np.random.default_rng(sum(name.encode()))
    for variable in model.weights:
        values = random.normal(0, 1, variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.name else values)
    return model


def inputs_of(model):
    """Arrays that a model is called with: ids with padding, or one-hot rows."""
    random = np.random.default_rng(7)
    found = []
    for tensor in model.inputs:
        ids = random.integers(1, SYMBOLS, (ROWS, STEPS))
        ids[1, 3:] = 0
        found.append((np.eye(SYMBOLS)[ids] if len(tensor.shape) == 3 else ids).astype(np.float32))
    return found


def old_config(value, later=("optional", "registered_name", "module", "build_config")):
    """Takes the settings out of a configuration that came later, and writes initializers as 2.2 did."""
    if isinstance(value, list):
        return [old_config(item, later) for item in value]
    if not isinstance(value, dict):
        return value
    found = {key: old_config(item, later) for key, item in value.items() if key not in later}
    if later is LATER and found.get("class_name") == "GlorotUniform":
        settings = {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}
        found = {"class_name": "VarianceScaling", "config": settings}
    return found


def as_2_2(config):
    """The configuration as Keras 2.2.4 wrote it."""
    config = old_config(config, LATER)
    if config["class_name"] == "Functional":
        config["class_name"] = "Model"
        return config
    layers = [layer for layer in config["config"]["layers"] if layer["class_name"] != "InputLayer"]
    for layer in layers:
        if layer["class_name"] == "GRU" and not layer["config"]["reset_after"]:
            del layer["config"]["reset_after"]  # it came in 2.1.3
    config["config"] = layers  # a list until 2.2.2
    return config


def as_cudnn(config):
    """LSTM and GRU layers as CuDNN's, which have fewer settings."""
    for layer in config["config"]:
        if layer["class_name"] in ("LSTM", "GRU"):
            layer["class_name"] = f"CuDNN{layer['class_name']}"
            for (
                setting
            ) in "activation recurrent_activation use_bias dropout recurrent_dropout reset_after unroll".split():
                layer["config"].pop(setting, None)
    return config


def cudnn_weights(weights):
    """The weights of an LSTM, or a GRU with reset_after, in CuDNN's layout."""
    kernel, recurrent, bias = weights
    gates = kernel.shape[1] // recurrent.shape[0]
    turned = [part.ravel(order="F").reshape(part.shape) for part in np.split(kernel, gates, 1)]
    recurrent = np.concatenate([part.T for part in np.split(recurrent, gates, 1)], 1)
    bias = bias.ravel() if bias.ndim == 2 else np.concatenate([0.25 * bias, 0.75 * bias])
    return [np.concatenate(turned, 1), recurrent, bias]


OLD_TRAINING = {
    "optimizer_config": {"class_name": "RMSprop", "config": {"lr": 0.002, "rho": 0.9, "decay": 0.5, "epsilon": 1e-7}},
    "loss": "categorical_crossentropy",
    "metrics": ["accuracy"],
    "sample_weight_mode": None,
    "loss_weights": None,
}


def write_h5(model, path, version):
    """Writes an .h5 file."""
    content = path.with_suffix(".tmp.h5")
    model.save(content)
    with h5py.File(content) as saved, h5py.File(path, "w") as file:
        file.attrs.update(saved.attrs)
        saved.copy("model_weights", file)
        config = json.loads(file.attrs["model_config"])
        old = version.startswith("2.2")
        config = as_2_2(config) if old else old_config(config)
        if "cudnn" in path.name:
            config = as_cudnn(config)
        file.attrs["model_config"] = np.bytes_(json.dumps(config).encode())
        if old and "training_config" in file.attrs:
            file.attrs["training_config"] = np.bytes_(json.dumps(OLD_TRAINING).encode())
        file.attrs["keras_version"] = file["model_weights"].attrs["keras_version"] = np.bytes_(version.encode())
        for layer in model.layers:
            group = file["model_weights"][layer.name]
            names = [str(name) for name in group.attrs["weight_names"]]
            values = [group[name][()] for name in names]
            if "cudnn" in path.name and len(values) == 3:
                values = cudnn_weights(values)
            for name in names:
                del group[name]
            if old:
                names = [name.replace("/lstm_cell/", "/").replace("/gru_cell/", "/") for name in names]
            for name, value in zip(names, values, strict=True):
                group[name] = value
            group.attrs["weight_names"] = np.array([name.encode() for name in names])
    content.unlink()


def write_keras(model, path, version):
    """Writes a .keras file."""
    from tf_keras.src.utils.generic_utils import to_snake_case

    model.save(path)
    with zipfile.ZipFile(path) as archive:
        config, weights = json.loads(archive.read("config.json")), archive.read("model.weights.h5")
    config["module"] = "keras.engine.functional"
    content = io.BytesIO()
    with h5py.File(io.BytesIO(weights)) as saved, h5py.File(content, "w") as file:
        counts = {}
        for layer in model.layers:  # a layer with weights was counted twice
            kind = to_snake_case(type(layer).__name__)
            number = counts.setdefault(kind, [0, 0])
            old, new = (f"{kind}_{count}" if count else kind for count in number)
            saved.copy(f"layers/{old}", file, f"_layer_checkpoint_dependencies/{new}")
            number[0] += 1
            number[1] += 2 if layer.weights else 1
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": version, "date_saved": "2023-04-01@12:00:00"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", content.getvalue())


def main(folder=FOLDER):
    """Writes all files, and the arrays that they are called with and give."""
    import tf_keras

    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name in FILES:
        model = make(tf_keras, name)
        inputs = inputs_of(model)
        outputs = model(inputs if len(inputs) > 1 else inputs[0]).numpy()
        version = {"2.2": "2.2.4", "2.6": "2.6.0", "2.12": "2.12.0"}[Path(name).stem.split("_")[-1]]
        (write_h5 if name.endswith(".h5") else write_keras)(model, folder / name, version)
        expected |= {f"{name}/input {number}": array for number, array in enumerate(inputs)}
        expected[f"{name}/output"] = outputs
    np.savez_compressed(folder / "expected.npz", **expected)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))

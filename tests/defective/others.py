"""Other people's styles: language models of windows, a subclassed model on tf.data, a repeat-vector autoencoder."""

import numpy as np

from seq2seq.models.backend import keras, tf
from tests.defective.recipes import LETTERS, id_arrays

TEXT = ("the cat sat on the mat and the dog ate the hat. a rat ran at the cat, the cat ran to the dog. " * 12)[:900]


def text_ids(text=TEXT):
    """Ids of a text and how many there are."""
    table = {character: number for number, character in enumerate(sorted(set(text)))}
    return np.array([table[character] for character in text]), len(table)


def windows(*, kind="sequence", defect="", length=20, step=3, shuffle=False, text=TEXT):
    """Windows of a text: `sequence` predicts each next symbol, `next` the one after the window."""
    ids, size = text_ids(text)
    starts = np.arange(0, len(ids) - length - 4, step)
    if shuffle:
        starts = np.random.default_rng(0).permutation(starts)
    x = np.stack([ids[i : i + length] for i in starts])
    ahead = {"": 1, "copy": 0, "two ahead": 2}[defect]
    if kind == "sequence":
        y = np.stack([ids[i + ahead : i + ahead + length] for i in starts])
        return {"x": x, "y": y}, size
    y = np.array([ids[i + length - 1 + ahead] for i in starts])
    if kind == "scaled":
        return {"x": (x / float(size))[..., None], "y": keras.utils.to_categorical(y, size)}, size
    return {"x": keras.utils.to_categorical(x, size), "y": keras.utils.to_categorical(y, size)}, size


def continued_rows(batch, *, length=10):
    """Rows of a text, each of which continues the row one batch before."""
    ids, size = text_ids()
    streams = ids[: len(ids) // batch * batch].reshape(batch, -1)
    count = (streams.shape[1] - 1) // length
    x = np.concatenate([streams[:, i * length : (i + 1) * length] for i in range(count)])
    y = np.concatenate([streams[:, i * length + 1 : (i + 1) * length + 1] for i in range(count)])
    return {"x": x, "y": y}, size


def language_model(size, *, kind="sequence", bidirectional=False, units=48):
    """The tutorials' Sequential models."""
    layers = []
    if kind == "sequence":
        layers.append(keras.layers.Embedding(size, 16))
    cell = keras.layers.LSTM(units, return_sequences=kind == "sequence")
    layers.append(keras.layers.Bidirectional(cell) if bidirectional else cell)
    layers.append(keras.layers.Dense(size, activation="softmax"))
    model = keras.Sequential(layers)
    loss = "sparse_categorical_crossentropy" if kind == "sequence" else "categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


@keras.saving.register_keras_serializable("doctor_tests")
class Black(keras.Model):
    """A subclassed encoder-decoder that takes a tuple."""

    def __init__(self, size=len(LETTERS) + 3, units=48, ignore=False, **keywords):
        super().__init__(**keywords)
        self.ignore = ignore
        self.source_embedding = keras.layers.Embedding(size, 24, mask_zero=True)
        self.target_embedding = keras.layers.Embedding(size, 24, mask_zero=True)
        self.reader = keras.layers.GRU(units)
        self.writer = keras.layers.GRU(units, return_sequences=True)
        self.scores = keras.layers.Dense(size)

    def call(self, inputs, training=None):
        """Logits from (source, target) ids."""
        source, target = inputs
        state = self.reader(self.source_embedding(source))
        return self.scores(self.writer(self.target_embedding(target), initial_state=None if self.ignore else state))


def masked_loss(true, predicted):
    """Cross-entropy of logits, mean over real positions."""
    nats = keras.losses.sparse_categorical_crossentropy(true, predicted, from_logits=True)
    real = keras.ops.cast(keras.ops.not_equal(true, 0), nats.dtype)
    return keras.ops.sum(nats * real) / keras.ops.sum(real)


def diluted_loss(true, predicted):
    """The same, but the mean is over all positions."""
    nats = keras.losses.sparse_categorical_crossentropy(true, predicted, from_logits=True)
    return keras.ops.mean(nats * keras.ops.cast(keras.ops.not_equal(true, 0), nats.dtype))


def subclassed(*, loss=masked_loss, **keywords):
    """A compiled `Black`."""
    model = Black(**keywords)
    model.compile(keras.optimizers.Adam(0.01), loss)
    return model


def dataset(pairs, *, defect="", batch=32):
    """The same arrays as a tf.data pipeline of ((source, input), target)."""
    arrays = id_arrays(pairs, defect=defect)
    parts = (arrays["encoder_input"], arrays["decoder_input"]), arrays["decoder_target"]
    return tf.data.Dataset.from_tensor_slices(parts).shuffle(1000, seed=1).batch(batch)


def autoencoder(pairs):
    """Arrays whose targets rightly equal the source, and a repeat-vector model."""
    x = id_arrays(pairs)["encoder_input"]
    size = len(LETTERS) + 3
    model = keras.Sequential(
        [
            keras.layers.Embedding(size, 16),
            keras.layers.GRU(48),
            keras.layers.RepeatVector(x.shape[1]),
            keras.layers.GRU(48, return_sequences=True),
            keras.layers.TimeDistributed(keras.layers.Dense(size, activation="softmax")),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return {"x": x, "y": x.copy()}, model


@keras.saving.register_keras_serializable("doctor_tests")
class BatchStatistics(keras.layers.Layer):
    """Centres each feature over the batch, in inference too."""

    def call(self, inputs):
        """The inputs less their mean over the batch."""
        return inputs - keras.ops.mean(inputs, axis=0, keepdims=True)


def batch_dependent(size=len(LETTERS) + 3):
    """An encoder-decoder whose encoder state depends on the rest of the batch."""
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    state = keras.layers.GRU(48)(keras.layers.Embedding(size, 16, mask_zero=True)(source))
    state = BatchStatistics()(state)
    hidden = keras.layers.GRU(48, return_sequences=True)(
        keras.layers.Embedding(size, 16, mask_zero=True)(target), initial_state=state
    )
    model = keras.Model([source, target], keras.layers.Dense(size, activation="softmax")(hidden))
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model

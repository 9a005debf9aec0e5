"""Encoder-decoders in the usual styles, for `adopt`; nothing here uses the package's own models.

Most keep random weights, large enough that predictions differ: the tests are of arithmetic, not of learning.
"""

import numpy as np

from seq2seq.models.backend import keras

layers = keras.layers


def lively(model, *, seed=0, scale=0.5):
    """Draws all weights at random, so that predictions differ much between rows and steps."""
    random = np.random.default_rng(seed)
    model.set_weights([random.normal(0, scale, weight.shape).astype("float32") for weight in model.get_weights()])
    return model


def stacked(
    size, *, cell="lstm", depth=2, units=(10, 7), embedding=(6, 5), mask=True, dropout=0.2, wiring="each", **gates
):
    """Several layers; `wiring`: each decoder layer starts from its encoder layer, or all or the first from the last."""
    layer = {"lstm": layers.LSTM, "gru": layers.GRU}[cell]
    source, target = keras.Input((None,), name="q"), keras.Input((None,), name="a")
    hidden = layers.SpatialDropout1D(dropout)(layers.Embedding(size, embedding[0], mask_zero=mask)(source))
    states = []
    for index in range(depth):
        hidden, *after = layer(units[index], return_sequences=True, return_state=True, use_bias=index == 0, **gates)(
            hidden
        )
        states.append(after)
    hidden = layers.Dropout(dropout)(layers.Embedding(size, embedding[1], mask_zero=mask)(target))
    count = depth if wiring == "each" else 2 if wiring == "last twice" else 1
    for index in range(count):
        start = states[index] if wiring == "each" else states[-1]
        width = units[index] if wiring == "each" else units[depth - 1]
        hidden = layer(width, return_sequences=True, dropout=dropout, **gates)(hidden, initial_state=start)
    scores = layers.TimeDistributed(layers.Dense(size))(hidden)
    return lively(keras.Model([source, target], layers.Activation("softmax")(scores)))


def mixed_directions(size):
    """A bidirectional layer below one that reads forwards; the decoder starts from both, in two layers."""
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    hidden, fh, fc, bh, bc = layers.Bidirectional(layers.LSTM(5, return_sequences=True, return_state=True))(
        layers.Embedding(size, 6)(source)
    )
    _, h, c = layers.LSTM(8, return_sequences=True, return_state=True)(hidden)
    decoded = layers.Embedding(size, 4)(target)
    # backward before forward
    decoded = layers.LSTM(10, return_sequences=True)(
        decoded, initial_state=[layers.Concatenate()([bh, fh]), layers.Concatenate()([bc, fc])]
    )
    decoded = layers.LSTM(8, return_sequences=True)(decoded, initial_state=[h, c])
    return lively(keras.Model([source, target], layers.Dense(size, activation="softmax")(decoded)))


def attending(size, kind, *, mask=False, bidirectional=False, combine=0, logits=False):
    """Attention after the decoder: Dot layers, Keras's own two, with or without a tanh layer after it."""
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    embedded = layers.Embedding(size, 6, mask_zero=mask)(source)
    if bidirectional:
        memory, *states = layers.Bidirectional(layers.GRU(4, return_sequences=True, return_state=True))(embedded)
        states = [layers.Concatenate()(states)]
        layer = layers.GRU
    else:
        memory, *states = layers.LSTM(8, return_sequences=True, return_state=True)(embedded)
        layer = layers.LSTM
    hidden = layer(8, return_sequences=True)(layers.Embedding(size, 5, mask_zero=mask)(target), initial_state=states)
    if kind == "dot":
        weights = layers.Activation("softmax")(layers.Dot(axes=[2, 2])([hidden, memory]))
        context = layers.Dot(axes=[2, 1])([weights, memory])
    elif kind == "general":
        context = layers.Attention()([layers.Dense(8, use_bias=False)(hidden), memory])
    else:
        layer = {
            "luong": layers.Attention(use_scale=True),
            "concat": layers.Attention(score_mode="concat", use_scale=True),
            "additive": layers.AdditiveAttention(),
        }[kind]
        context = layer([hidden, memory])
    hidden = layers.Concatenate()([hidden, context] if combine else [context, hidden])
    if combine:
        hidden = layers.TimeDistributed(layers.Dense(combine, activation="tanh"))(hidden)
    scores = layers.Dense(size, activation=None if logits else "softmax")(hidden)
    return lively(keras.Model([source, target], scores))


def nested(size):
    """An encoder model and a decoder model, joined in a third."""
    source = keras.Input((None,), dtype="int32")
    encoder = keras.Model(
        source, layers.GRU(9, return_state=True)(layers.Embedding(size, 6, mask_zero=True)(source))[1]
    )
    target, state = keras.Input((None,), dtype="int32"), keras.Input((9,))
    hidden = layers.GRU(9, return_sequences=True)(layers.Embedding(size, 6)(target), initial_state=state)
    scorer = keras.Sequential([keras.Input((None, 9)), layers.Dense(size, activation="softmax")])
    decoder = keras.Model({"symbols": target, "state": state}, scorer(hidden))
    inputs = {"encoder_in": keras.Input((None,), dtype="int32"), "decoder_in": keras.Input((None,), dtype="int32")}
    outputs = decoder({"symbols": inputs["decoder_in"], "state": encoder(inputs["encoder_in"])})
    return lively(keras.Model(inputs, outputs))


def backwards(size):
    """An encoder that reads from the end."""
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    states = layers.LSTM(8, return_state=True, go_backwards=True)(layers.Embedding(size, 6)(source))[1:]
    hidden = layers.LSTM(8, return_sequences=True)(layers.Embedding(size, 6)(target), initial_state=states)
    return lively(keras.Model([source, target], layers.Dense(size, activation="softmax")(hidden)))


def narrow(size, steps):
    """A decoder that reads a fixed number of steps."""
    source, target = keras.Input((None,), dtype="int32"), keras.Input((steps,), dtype="int32")
    states = layers.LSTM(8, return_state=True)(layers.Embedding(size, 6)(source))[1:]
    hidden = layers.LSTM(8, return_sequences=True)(layers.Embedding(size, 6)(target), initial_state=states)
    return lively(keras.Model([source, target], layers.Dense(size, activation="softmax")(hidden)))


def one_hot(arrays, *, masking=False, cell="lstm", **keywords):
    """The one-hot tutorial, with what a test changes about its layers."""
    layer = {"lstm": layers.LSTM, "gru": layers.GRU}[cell]
    source = keras.Input((None, arrays["encoder_input"].shape[-1]))
    target = keras.Input((None, arrays["decoder_input"].shape[-1]))
    states = layer(8, return_state=True, **keywords)(layers.Masking()(source) if masking else source)[1:]
    hidden, *_ = layer(8, return_sequences=True, return_state=True, **keywords)(target, initial_state=states)
    size = arrays["decoder_target"].shape[-1]
    return lively(keras.Model([source, target], layers.Dense(size, activation="softmax")(hidden)))


def teacher_forced(model, arrays, ids):
    """Log-probabilities of given ids, row by row, straight from the model; `ids` are lists of each row's targets."""
    inputs = [arrays["encoder_input"], arrays["decoder_input"]]
    scores = np.asarray(model(keras.tree.pack_sequence_as(model.input, by_name(model, inputs)), training=False))
    scores = scores.astype(np.float64)
    if scores.min() < 0 or scores.max() > 1.01:
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
    return [np.log(scores[row, np.arange(len(wanted)), wanted]) for row, wanted in enumerate(ids)]


def by_name(model, inputs):
    """Source and target in the order of the model's inputs."""
    if isinstance(model.input, dict):
        return inputs[::-1]  # decoder_in, encoder_in
    return inputs


def greedy(model, arrays, *, start, end, banned, length):
    """The tutorial's loop, by running the whole training model on ever longer inputs; ids of each row."""
    source = arrays["encoder_input"]
    one_hot = arrays["decoder_input"].ndim == 3
    written = np.full((len(source), 1), start)
    while written.shape[1] <= length:
        decoder = np.eye(arrays["decoder_input"].shape[-1], dtype="float32")[written] if one_hot else written
        packed = keras.tree.pack_sequence_as(model.input, by_name(model, [source, decoder]))
        scores = np.array(model(packed, training=False))[:, -1]
        scores[:, banned] = -np.inf
        written = np.concatenate([written, scores.argmax(-1)[:, None]], 1)
    rows = written[:, 1:].tolist()
    return [row[: row.index(end)] if end in row else row for row in rows]

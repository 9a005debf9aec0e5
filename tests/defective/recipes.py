"""The encoder-decoder recipes that people copy, written out as they are found, each with switches that break it.

Nothing here uses the package: what the doctor is tried on must not come from its own batcher.
"""

import numpy as np

from seq2seq.models.backend import keras

LETTERS = "abcdefgh"


def toy_pairs(count=400, *, seed=0, low=2, high=6, task="cipher"):
    """Words and the same words with each letter moved on by one (or reversed)."""
    generator = np.random.default_rng(seed)
    words = ["".join(generator.choice(list(LETTERS), generator.integers(low, high + 1))) for _ in range(count)]
    moved = str.maketrans(LETTERS, LETTERS[1:] + LETTERS[0])
    return [(word, word.translate(moved) if task == "cipher" else word[::-1]) for word in words]


# the one-hot tutorial: "\t" begins, "\n" ends, spaces fill up


def tutorial_arrays(pairs, *, defect="", fill=" ", width=None):
    """Arrays of the one-hot tutorial; `fill` "" leaves zeros."""
    begin, stop = ("", "\n") if defect == "no start" else ("\t", "" if defect == "no end" else "\n")
    texts = [source for source, _ in pairs]
    targets = [begin + target + stop for _, target in pairs]
    if defect == "end on some rows":
        targets = [target if i % 5 else target.rstrip("\n") for i, target in enumerate(targets)]
    source_index = {c: i for i, c in enumerate(sorted(set("".join(texts)) | set(fill)))}
    target_index = {c: i for i, c in enumerate(sorted(set("".join(targets)) | set(fill)))}
    source_width = width or max(map(len, texts))
    target_width = max(map(len, targets))
    if defect == "end cut off":
        target_width -= 2
    x = np.zeros((len(pairs), source_width, len(source_index)), "float32")
    d = np.zeros((len(pairs), target_width, len(target_index)), "float32")
    y = np.zeros_like(d)
    for i, (text, target) in enumerate(zip(texts, targets, strict=True)):
        for t, c in enumerate(text):
            x[i, t, source_index[c]] = 1
        for t, c in enumerate(target):
            if t < target_width:
                d[i, t, target_index[c]] = 1
            if defect == "copy":
                place = t
            elif defect == "two ahead":
                place = t - 2
            elif defect == "behind":
                place = t + 1
            else:
                place = t - 1
            if 0 <= place < target_width:
                y[i, place, target_index[c]] = 1
        if fill:
            x[i, len(text) :, source_index[fill]] = 1
            d[i, len(target) :, target_index[fill]] = 1
            y[i, y[i].any(-1).nonzero()[0].max() + 1 :, target_index[fill]] = 1
    if defect == "rolled":
        y = np.roll(d, -1, axis=1)
    if defect == "numbered differently":
        y = y[:, :, np.random.default_rng(5).permutation(y.shape[-1])]
    if defect == "same source":
        x[:] = x[:1]
    return {"encoder_input": x, "decoder_input": d, "decoder_target": y}


def tutorial_model(arrays, *, units=64, defect=""):
    """The tutorial's training model."""
    encoder_inputs = keras.Input((None, arrays["encoder_input"].shape[-1]))
    _, state_h, state_c = keras.layers.LSTM(units, return_state=True)(encoder_inputs)
    decoder_inputs = keras.Input((None, arrays["decoder_input"].shape[-1]))
    decoder_lstm = keras.layers.LSTM(units, return_sequences=True, return_state=True)
    states = None if defect == "no initial state" else [state_h, state_c]
    outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=states)
    logits = defect in ("logits", "logits and loss")
    outputs = keras.layers.Dense(arrays["decoder_target"].shape[-1], activation=None if logits else "softmax")(outputs)
    if defect == "from logits, far":  # Keras looks for the logits right before the output
        outputs = keras.layers.Reshape((-1, outputs.shape[-1]))(outputs)
    if defect == "softmax twice":
        outputs = keras.layers.Activation("softmax")(outputs)
    model = keras.Model([encoder_inputs, decoder_inputs], outputs)
    loss = "categorical_crossentropy"
    if defect in ("from logits", "from logits, far", "logits and loss"):
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss, metrics=["accuracy"])
    return model


def tutorial_inference(model, *, units=64, defect=""):
    """Encoder and decoder dug out by layer number, as the tutorial does."""
    _, h, c = model.layers[2].output
    encoder = keras.Model(model.input[0], [c, h] if defect == "swapped" else [h, c])
    h_input, c_input = keras.Input((units,)), keras.Input((units,))
    lstm, dense = model.layers[3], model.layers[4]
    if defect == "fresh lstm":
        lstm = keras.layers.LSTM(units, return_sequences=True, return_state=True)
    if defect == "fresh dense":
        dense = keras.layers.Dense(model.output.shape[-1], activation="softmax")
    outputs, h, c = lstm(model.input[1], initial_state=[h_input, c_input])
    states = [c, h] if defect == "swapped out" else [h, c]
    decoder = keras.Model([model.input[1], h_input, c_input], [dense(outputs), *states])
    return encoder, decoder


def fit(model, arrays, *, epochs=20, batch_size=32, **keywords):
    """Trains on the dictionary of arrays."""
    keras.utils.set_random_seed(1)
    inputs = [arrays[name] for name in ("encoder_input", "decoder_input") if name in arrays]
    model.fit(
        inputs if len(inputs) > 1 else inputs[0],
        arrays["decoder_target"],
        batch_size=batch_size,
        epochs=epochs,
        verbose=0,
        **keywords,
    )
    return model


# word or letter ids, embeddings, sparse loss, masks


def id_arrays(pairs, *, defect="", dtype="int32", width=None, pad="post"):
    """PAD 0, START 1, END 2, letters from 3; the decoder's arrays are slices of one."""
    table = {letter: number for number, letter in enumerate(LETTERS, 3)}
    sources = [[table[c] for c in source] for source, _ in pairs]
    targets = [[1, *(table[c] for c in target), 2] for _, target in pairs]
    both = keras.utils.pad_sequences(targets, padding="post")
    x = keras.utils.pad_sequences(sources, padding=pad, maxlen=width)
    d, y = both[:, :-1], both[:, 1:]
    if defect == "copy":
        d, y = both, both
    if defect == "two ahead":
        d, y = both[:, :-2], both[:, 2:]
    if defect == "behind":
        d, y = both[:, 1:], both[:, :-1]
    if defect == "no start":
        d, y = both[:, 1:-1], both[:, 2:]
    if defect == "no end":
        cleared = np.where(both == 2, 0, both)
        d, y = cleared[:, :-1], cleared[:, 1:-1]
        d = d[:, : y.shape[1]]
    if defect == "out of range":
        x = np.where(x == 5, 200, x)
    if defect == "minus one":
        y = np.where(y > 0, y - 1, 0)
    arrays = {"encoder_input": x, "decoder_input": d, "decoder_target": y}
    return {name: np.ascontiguousarray(array).astype(dtype) for name, array in arrays.items()}


def embedding_models(*, cell="gru", units=48, size=len(LETTERS) + 3, mask=True, attention="", bidirectional=False,
                     defect="", embedding=24):  # fmt: skip
    """Training model and inference pair that share layers; GRU or LSTM, with or without attention."""
    layer = {"gru": keras.layers.GRU, "lstm": keras.layers.LSTM}[cell]
    encoder_in = keras.Input((None,), dtype="int32", name="words")
    encoded = keras.layers.Embedding(size, embedding, mask_zero=mask)(encoder_in)
    half = units // 2
    if bidirectional:
        sequence, *states = keras.layers.Bidirectional(layer(half, return_sequences=True, return_state=True))(encoded)
        middle = len(states) // 2
        states = [
            keras.layers.Concatenate()([one, other])
            for one, other in zip(states[:middle], states[middle:], strict=True)
        ]
    else:
        sequence, *states = layer(units, return_sequences=True, return_state=True)(encoded)
    encoder = keras.Model(encoder_in, [sequence, *states] if attention else states)

    decoder_embedding = keras.layers.Embedding(size, embedding, mask_zero=mask)
    decoder_cell = layer(units, return_sequences=True, return_state=True)
    if defect == "decoder looks both ways":
        reader = keras.layers.Bidirectional(layer(half, return_sequences=True))
    attend = {"luong": keras.layers.Attention, "additive": keras.layers.AdditiveAttention}.get(
        attention, lambda: None
    )()
    output = keras.layers.TimeDistributed(keras.layers.Dense(size, activation="softmax"))

    def decode(ids, initial, memory):
        embedded = decoder_embedding(ids)
        if defect == "decoder looks both ways":
            embedded = reader(embedded)
        hidden, *after = decoder_cell(embedded, initial_state=None if defect == "no initial state" else initial)
        if attend is not None:
            hidden = keras.layers.Concatenate()([hidden, attend([hidden, memory])])
        return output(hidden), after

    decoder_in = keras.Input((None,), dtype="int32", name="answers")
    probabilities, _ = decode(decoder_in, states, sequence)
    train = keras.Model([encoder_in, decoder_in], probabilities)
    train.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    train.optimizer.learning_rate = 0.01
    step_in = keras.Input((1,), dtype="int32")
    state_in = [keras.Input((units,)) for _ in states]
    memory_in = keras.Input((None, units))
    step_out, after = decode(step_in, state_in, memory_in)
    taken = [step_in, memory_in, *state_in] if attention else [step_in, *state_in]
    decoder = keras.Model(taken, [step_out, *after])
    return train, encoder, decoder

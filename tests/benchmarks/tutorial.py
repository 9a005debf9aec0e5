"""The tutorial recipe: one-hot floats padded with spaces to the longest row, no masks, RMSprop; `predict` to decode."""

import time

import numpy as np

from seq2seq.models.backend import keras
from seq2seq.special import PAD
from seq2seq.text.batches import teacher_force
from tests.benchmarks.pairs import TrainingSide

HIDDEN = 256
SOURCE_SIZE, TARGET_SIZE, SOURCE_LENGTH, TARGET_LENGTH = 80, 100, 25, 30


def build(source_size, target_size):
    """Returns the training model, and the two that decode."""
    layers = keras.layers
    source, inputs = keras.Input((None, source_size)), keras.Input((None, target_size))
    _, *states = layers.LSTM(HIDDEN, return_state=True)(source)
    decoder = layers.LSTM(HIDDEN, return_sequences=True, return_state=True)
    to_symbols = layers.Dense(target_size, activation="softmax")
    outputs, *_ = decoder(inputs, initial_state=states)
    before = [keras.Input((HIDDEN,)), keras.Input((HIDDEN,))]
    stepped, *after = decoder(inputs, initial_state=before)
    return (
        keras.Model([source, inputs], to_symbols(outputs)),
        keras.Model(source, states),
        keras.Model([inputs, *before], [to_symbols(stepped), *after]),
    )


class Tutorial(TrainingSide):
    def build(self):
        keras.utils.set_random_seed(1)
        self.model, *_ = build(self.material.source_size, self.material.target_size)
        self.model.compile(optimizer="rmsprop", loss="categorical_crossentropy")
        self.lengths = [int(part.lengths.max()) for part in self.material.train]

    def one_hot(self, ids, length, size):
        """Floats (B, length, size); padding is the space of the tutorial, here the id PAD."""
        return np.eye(size, dtype=np.float32)[np.pad(ids, ((0, 0), (0, length - ids.shape[1])), constant_values=PAD)]

    def arrays(self, pairs, rows):
        batch = pairs.batch(rows)
        inputs, targets, weights = teacher_force(batch.target_ids)
        length = self.lengths[1] - 1
        return (
            self.one_hot(batch.source_ids, self.lengths[0], self.material.source_size),
            self.one_hot(inputs, length, self.material.target_size),
            self.one_hot(targets, length, self.material.target_size),
            weights,
        )

    def warm_up(self):
        before = self.model.get_weights()
        self.train(self.material.slices[0][:2])
        self.model.set_weights(before)
        for variable in self.model.optimizer.variables[2:]:
            variable.assign(np.zeros(variable.shape))

    def train(self, slice_):
        # the tutorial holds the whole set in memory and shuffles it; here as much as one repetition needs
        sources, inputs, targets, _ = self.arrays(self.material.train, np.concatenate(slice_))
        self.model.fit([sources, inputs], targets, batch_size=self.batch_size, verbose=0)

    def validation_loss(self):
        everything = np.arange(len(self.material.validation.sources))
        sources, inputs, targets, weights = self.arrays(self.material.validation, everything)
        probabilities = (self.model.predict([sources, inputs], verbose=0) * targets).sum(-1)[:, : weights.shape[1]]
        return float(-(np.log(np.maximum(probabilities, 1e-12)) * weights).sum() / weights.sum())


class TutorialDecoding:
    """Decodes one sentence by `predict` once a character."""

    def __init__(self):
        _, self.encoder, self.decoder = build(SOURCE_SIZE, TARGET_SIZE)
        self.source = np.eye(SOURCE_SIZE, dtype=np.float32)[np.arange(SOURCE_LENGTH)][None]

    def ready(self):
        self.translate(3)
        return {}

    def translate(self, length):
        states = self.encoder.predict(self.source, verbose=0)
        symbol = 2
        for _ in range(length):
            probabilities, *states = self.decoder.predict(
                [np.eye(TARGET_SIZE, dtype=np.float32)[[[symbol]]], *states], verbose=0
            )
            symbol = int(probabilities[0, -1].argmax())

    def go(self):
        self.translate(3)
        began = time.perf_counter()
        self.translate(TARGET_LENGTH)
        return {"seconds": time.perf_counter() - began}

    def end(self):
        return {}


KINDS = {"tutorial": Tutorial, "tutorial-decoding": TutorialDecoding}

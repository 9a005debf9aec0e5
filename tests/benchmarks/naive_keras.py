"""The naive Keras side: ids, lengths rounded up to multiples of 8, `fit` with XLA; one program a shape."""

import numpy as np

from seq2seq.models.backend import keras, tf
from seq2seq.text.batches import teacher_force
from tests.benchmarks.pairs import TrainingSide

HIDDEN, EMBEDDING, MULTIPLE = 256, 64, 8


def rounded(ids):
    """Pads (B, T) on the right so that T is a multiple of 8."""
    return np.pad(ids, ((0, 0), (0, -ids.shape[1] % MULTIPLE)))


class NaiveKeras(TrainingSide):
    def build(self):
        keras.utils.set_random_seed(1)
        layers = keras.layers
        source, inputs = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
        embedded = layers.Embedding(self.material.source_size, EMBEDDING)(source)
        if self.attention:
            encoder = layers.Bidirectional(layers.LSTM(HIDDEN // 2, return_sequences=True, return_state=True))
            memory, *states = encoder(embedded)
            states = [layers.Concatenate()(states[0::2]), layers.Concatenate()(states[1::2])]
        else:
            memory, *states = layers.LSTM(HIDDEN, return_sequences=True, return_state=True)(embedded)
        outputs = layers.Embedding(self.material.target_size, EMBEDDING)(inputs)
        outputs = layers.LSTM(HIDDEN, return_sequences=True)(outputs, initial_state=states)
        if self.attention:
            context = layers.Attention()([layers.Dense(HIDDEN, use_bias=False)(outputs), memory])
            outputs = layers.Dense(HIDDEN, activation="tanh")(layers.Concatenate()([context, outputs]))
        logits = layers.Dense(self.material.target_size)(outputs)
        self.model = keras.Model([source, inputs], logits)
        self.model.compile(
            optimizer=keras.optimizers.Adam(0.002, global_clipnorm=1.0),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
        )
        self.model.optimizer.build(self.model.trainable_variables)

    def batch(self, pairs, rows):
        batch = pairs.batch(rows)
        inputs, targets, weights = teacher_force(batch.target_ids)
        return (rounded(batch.source_ids), rounded(inputs)), rounded(targets), rounded(weights)

    def feed(self, slice_):
        ids = tf.TensorSpec((None, None), tf.int32)
        signature = ((ids, ids), ids, tf.TensorSpec((None, None), tf.float32))
        batches = lambda: (self.batch(self.material.train, rows) for rows in slice_)  # noqa: E731
        return tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(2)

    def warm_up(self):
        shapes = {}
        for slice_ in self.material.slices:
            for rows in slice_:
                sources, targets = self.material.train.sources.lengths[rows], self.material.train.targets.lengths[rows]
                shapes[(len(rows), -(-sources.max() // MULTIPLE), -(-(targets.max() - 1) // MULTIPLE))] = rows
        before = self.model.get_weights(), [v.numpy() for v in self.model.optimizer.variables]
        self.model.fit(self.feed(list(shapes.values())), verbose=0)
        self.model.set_weights(before[0])
        for variable, value in zip(self.model.optimizer.variables, before[1], strict=True):
            variable.assign(value)
        self.shapes = len(shapes)

    def ready(self):
        return {**super().ready(), "shapes": self.shapes}

    def train(self, slice_):
        self.model.fit(self.feed(slice_), verbose=0)

    def validation_loss(self):
        everything = np.arange(len(self.material.validation.sources))
        (source, inputs), targets, weights = self.batch(self.material.validation, everything)
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, self.model([source, inputs]))
        return float(tf.reduce_sum(nats * weights)) / float(weights.sum())

"""Our side of the training rows: the step that `seq2seq train` takes, fed as it feeds it."""

import numpy as np

from seq2seq.config import ModelConfig, TrainingConfig
from seq2seq.models.backend import keras, tf
from seq2seq.models.step import make_optimizer, make_train_step, make_validation_step, shard_count, share_cores
from seq2seq.models.trainable import TrainableTranslator
from seq2seq.models.translator import build_translator
from seq2seq.text.batches import teacher_force
from seq2seq.training.fit import CHECK_EVERY, Tally
from tests.benchmarks.pairs import TrainingSide


class Ours(TrainingSide):
    def build(self):
        shards = shard_count(self.batch_size)
        share_cores(shards)
        keras.utils.set_random_seed(1)
        kind = {"attention": "luong"} if self.attention else {"attention": "none", "bidirectional": False}
        model = ModelConfig(dropout=self.dropout, **kind)
        config = TrainingConfig(batch_size=self.batch_size, epochs=1, learning_rate=0.002)
        models = build_translator(model, source_size=self.material.source_size, target_size=self.material.target_size)
        self.model = TrainableTranslator(models)
        self.optimizer = make_optimizer(config)
        self.rate = np.float32(config.learning_rate)
        self.step = make_train_step(self.model, self.optimizer, config, shards=shards)
        self.validation_step = make_validation_step(self.model)

    def variables(self):
        return [v for part in self.model.models for v in part.variables] + self.optimizer.variables

    def arrays(self, pairs, rows):
        batch = pairs.batch(rows)
        return [tf.constant(array) for array in (batch.source_ids, *teacher_force(batch.target_ids))]

    def warm_up(self):
        before = [v.numpy() for v in self.variables()]
        for rows in self.material.slices[0][:2]:
            self.step(self.arrays(self.material.train, rows), [], self.rate)
        for variable, value in zip(self.variables(), before, strict=True):
            variable.assign(value)

    def train(self, slice_):
        tally = Tally()
        for index, rows in enumerate(slice_, 1):
            result = self.step(self.arrays(self.material.train, rows), [], self.rate)
            tally.add(result.nats, result.count)
            if index % CHECK_EVERY == 0:
                tally.settle(index)
        tally.settle(len(slice_))

    def validation_loss(self):
        result = self.validation_step(
            self.arrays(self.material.validation, np.arange(len(self.material.validation.sources))), []
        )
        return float(result.nats) / float(result.count)

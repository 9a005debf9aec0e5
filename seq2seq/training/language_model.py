"""Training of a language model: its text, the options that depend on the text, and its scores."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import LANGUAGE_MODEL
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError
from seq2seq.inference.canary import choose_text_canary
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.numpy_language import NumpyLanguageModel
from seq2seq.models.backend import tf
from seq2seq.models.step import make_validation_step
from seq2seq.models.trainable import TrainableLanguageModel
from seq2seq.models.weights import export_weights
from seq2seq.scoring.text_evaluation import text_scores
from seq2seq.text.prose import EncodedText, encode_text
from seq2seq.text.shift_check import check_shift
from seq2seq.text.windows import steps_per_pass, stream_count, training_windows, validation_windows
from seq2seq.training.checkpoints import Progress
from seq2seq.training.schedule import AVERAGE, UNLIMITED_EPOCHS
from seq2seq.training.task import Outcome, Run, Scores

TEMPERATURES = (0.2, 0.5, 1.0)  # of the sampled texts after each epoch
SAMPLE_LENGTH = 100  # symbols
EPOCH_SYMBOLS = 500_000  # of the validation part are scored after each epoch, and the whole part at the end
SHORT = 300_000  # symbols; a shorter training part gets more dropout
LANGUAGE_UNITS = 512  # the usual hidden size
SYMBOLS_PER_STREAM, SMALLEST_BATCH, LARGEST_BATCH = 64_000, 4, 32
TARGET_SYMBOLS, FEWEST_EPOCHS, FEW_EPOCHS, MOST_EPOCHS = 10_000_000, 3, 4, 20


class PreparedText(NamedTuple):
    """A text that was read and encoded for a language model."""

    text: EncodedText
    data: DataConfig

    def sizes(self) -> dict[str, Any]:
        """Returns the numbers of symbols and characters of each part."""
        text = self.text
        return {
            "symbols": {"train": text.split, "validation": len(text.ids) - text.split},
            "characters": {"train": text.train_characters, "validation": text.validation_characters},
        }

    def resolved(self, model: ModelConfig, train: TrainingConfig) -> tuple[ModelConfig, TrainingConfig]:
        """Fills in the options that depend on the length of the training part."""
        return resolved_options(model, train, symbols=self.text.split)

    def task(self, run: Run, record: Mapping[str, Any]) -> "LanguageTask":
        """Builds the language model of a resolved run; `record` is for its `config.json`."""
        bundle = Bundle(
            path=run.folder,
            kind=LANGUAGE_MODEL,
            data=run.data,
            model=run.model,
            source_vocabulary=None,
            target_vocabulary=self.text.vocabulary,
            weights={},
            record=record,
            excerpt=self.text.excerpt,
        )
        return LanguageTask(bundle, self.text, run.train)


def prepare_text(run: Run) -> PreparedText:
    """Reads and encodes a text.

    Raises:
        DataError: the text cannot be used.
        OptionError: --early-stop-metric names a score that needs references.

    """
    metric = run.train.early_stop_metric
    if metric not in (None, "loss"):
        raise OptionError(
            f"--early-stop-metric {metric}: a text has no references to score against; leave it out, or give loss"
        )
    data = dataclasses.replace(run.data, decompose=False)
    return PreparedText(encode_text(run.dataset.paths["all"], data, run.folder), data)


class LanguageTask:
    """A language model and its text, in the form that the training loop uses."""

    def __init__(self, bundle: Bundle, text: EncodedText, config: TrainingConfig) -> None:
        self.bundle = bundle
        self.text = text
        assert config.batch_size is not None
        self.config = config
        self.model = TrainableLanguageModel(bundle.model, len(text.vocabulary))
        self.streams = stream_count(text.split, config.batch_size, config.window)
        self.steps_per_epoch = steps_per_pass(text.split, self.streams, config.window)
        self.validation_step = make_validation_step(self.model)

    def describe(self) -> Iterator[str]:
        """Yields lines on the sizes of the text and the model, and warnings about the text."""
        text = self.text
        held_out = len(text.ids) - text.split
        yield (
            f"text: {text.split:,} symbols train, {held_out:,} validation; {len(text.vocabulary)} different; "
            f"{self.streams} streams, windows of {self.config.window}; "
            f"parameters: {self.model.decoder.count_params():,}"
        )
        if text.unknown:
            yield f"{text.unknown:,} of {held_out:,} symbols of the validation part are not in the vocabulary (UNK)"
        if self.streams < (self.config.batch_size or 0):
            yield f"the text is short: {self.streams} streams instead of --batch-size {self.config.batch_size}"

    def epoch(self, generator: np.random.Generator) -> Iterator[list[np.ndarray]]:
        """Yields [inputs, targets, weights] of each window of one pass, which starts at a random position."""
        offset = int(generator.integers(self.text.split))
        ids = self.text.ids[: self.text.split]
        return (list(window) for window in training_windows(ids, self.streams, self.config.window, offset))

    @staticmethod
    def check(arrays: list[np.ndarray]) -> None:
        """Raises DataError if a window is not correctly shifted."""
        inputs, targets, weights = arrays
        check_shift(inputs, targets, weights, delimited=False)

    def initial_carry(self) -> list[np.ndarray]:
        """Returns states of zero, float32 (B, H) each."""
        return self.zeros(self.streams)

    def zeros(self, rows: int) -> list[np.ndarray]:
        """Returns the states before the first symbol, float32 (rows, H) each."""
        return [np.zeros((rows, spec.shape[-1]), np.float32) for spec in self.model.carry_signature]

    def nats(self, most: int) -> tuple[float, int]:
        """Computes the loss of the validation part; each window starts with the states after the one before.

        Args:
            most: the number of symbols to score, from the beginning of the part.

        Returns:
            Mean nats per symbol, and the number of symbols that were scored.

        """
        nats = count = 0.0
        carry: list[Any] = []
        for window in validation_windows(self.text.ids[: self.text.split + most], self.text.split):
            carry = carry or [tf.constant(state) for state in self.zeros(len(window.inputs))]
            result = self.validation_step([tf.constant(array) for array in window], carry)
            carry, nats, count = result.carry, nats + float(result.nats), count + float(result.count)
        return nats / count, int(count)

    def validate(self) -> Scores:
        """Computes the loss of the validation part, and samples a text at each of TEMPERATURES."""
        weights = export_weights(self.model.models)
        writer = LanguageModel(self.bundle, step_model=NumpyLanguageModel(self.bundle.model, weights))
        examples = [
            f"    {temperature}: "
            + writer.generate(length=SAMPLE_LENGTH, temperature=temperature, seed=self.config.seed).replace("\n", "↵")
            for temperature in TEMPERATURES
        ]
        return Scores(self.nats(EPOCH_SYMBOLS)[0], {}, examples)

    def outcome(self, bundle: Bundle, progress: Progress) -> Outcome:
        """Scores the best weights on the whole validation part.

        A run with --max-minutes scores only as much as after an epoch, since scoring a large part takes long.
        """
        held_out = len(self.text.ids) - self.text.split
        if self.config.max_minutes is None and held_out > EPOCH_SYMBOLS:
            nats, symbols = self.nats(held_out)
        else:  # the validation after the best epoch computed this
            nats, symbols = progress.history[progress.best_epoch - 1]["loss"], min(held_out, EPOCH_SYMBOLS)
        scores = text_scores(
            nats,
            symbols=symbols,
            unknown=self.text.unknown,
            symbols_per_character=held_out / self.text.validation_characters,
        )
        return Outcome({"validation": scores._asdict()}, choose_text_canary(LanguageModel(bundle)), [])


def resolved_options(model: ModelConfig, train: TrainingConfig, *, symbols: int) -> tuple[ModelConfig, TrainingConfig]:
    """Fills in the options that depend on the length of the training part.

    A shorter text gets smaller batches, more epochs and more dropout; a few epochs need no dropout.
    With --max-steps alone, the number of epochs is unlimited; with --max-minutes, it is at most MOST_EPOCHS.
    A language model has no source, so the options `bidirectional` and `attention` are turned off.
    """
    batch_size, epochs, dropout = train.batch_size, train.epochs, model.dropout
    if batch_size is None:
        batch_size = 1 << round(math.log2(symbols / SYMBOLS_PER_STREAM)) if symbols > SYMBOLS_PER_STREAM else 1
        batch_size = min(LARGEST_BATCH, max(SMALLEST_BATCH, batch_size))
    if epochs is None and train.max_minutes is not None:
        epochs = MOST_EPOCHS
    elif epochs is None and train.max_steps is not None:
        epochs = UNLIMITED_EPOCHS
    elif epochs is None:
        epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, math.ceil(TARGET_SYMBOLS / symbols)))
    average = AVERAGE if train.average is None else train.average
    if dropout is None:
        dropout = 0.0 if epochs <= FEW_EPOCHS else 0.4 if symbols < SHORT else 0.2
    hidden_size = model.hidden_size or LANGUAGE_UNITS
    return (
        dataclasses.replace(model, hidden_size=hidden_size, dropout=dropout, bidirectional=False, attention="none"),
        dataclasses.replace(
            train, batch_size=batch_size, epochs=epochs, average=average, hallucinate=0, early_stop_metric="loss"
        ),
    )

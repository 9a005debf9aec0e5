"""Trains a translator: from configurations to a finished model folder."""

import dataclasses
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seq2seq import __version__
from seq2seq.alignment import check_shift
from seq2seq.backend import keras, tf
from seq2seq.batches import EncodedPairs, encode_pairs, epoch, teacher_force
from seq2seq.bundle import TRANSLATOR, Bundle, finish_bundle, save_bundle
from seq2seq.canary import choose_canary
from seq2seq.config import DataConfig, DecodingConfig, ModelConfig, TrainingConfig
from seq2seq.corpus import Pair
from seq2seq.datasets import Dataset, Splits, load_pairs
from seq2seq.evaluation import metrics_of
from seq2seq.inference import Output, Translator
from seq2seq.metrics import chrf, exact_match
from seq2seq.models.step import make_validation_step, shard_count, share_cores, training_record
from seq2seq.models.trainable import TrainableTranslator
from seq2seq.models.translator import TranslatorModels, build_translator
from seq2seq.models.weights import export_weights
from seq2seq.runtimes.keras_runtime import KerasTranslator
from seq2seq.splits import References, group_references
from seq2seq.symptoms import symptoms
from seq2seq.task import Look, Scores, train_at_once
from seq2seq.training import Progress, fit
from seq2seq.vocabulary import Vocabulary

VALIDATION_SOURCES = 300  # translated after each epoch
EXAMPLES = 3
FEW, SOME = 5000, 20_000  # training pairs
TARGET_STEPS, FEWEST_EPOCHS, MOST_EPOCHS, UNLIMITED_EPOCHS = 6000, 10, 100, 1_000_000


class PreparedPairs(NamedTuple):
    """A data set as a translator needs it."""

    splits: Splits
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    train: EncodedPairs
    validation: EncodedPairs
    references: list[References]  # of the validation sources that are translated after each epoch


def prepare_pairs(dataset: Dataset, config: DataConfig) -> PreparedPairs:
    """Reads, splits and encodes a data set; the vocabularies come from the training part alone."""
    splits = load_pairs(dataset, config)
    source = Vocabulary.build(
        (pair.source for pair in splits.train),
        separator=config.source_sep,
        features_sep=config.features_sep if config.features_col else "",
    )
    target = Vocabulary.build((pair.target for pair in splits.train), separator=config.target_sep)
    grouped = group_references(splits.validation)
    np.random.default_rng(config.split_seed).shuffle(grouped)
    return PreparedPairs(
        splits,
        source,
        target,
        encode_part(splits.train, source, target),
        encode_part(splits.validation, source, target),
        grouped[:VALIDATION_SOURCES],
    )


def encode_part(pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary) -> EncodedPairs:
    """Turns pairs into ids; a symbol of the held-out part that training never saw is UNK."""
    return encode_pairs(
        [source.encode(pair.source) for pair in pairs],
        [target.encode(pair.target, oov="unk") for pair in pairs],
    )


def resolved_model(config: ModelConfig, *, pairs: int) -> ModelConfig:
    """Fills in what depends on the number of training pairs: the less data, the more dropout."""
    if config.dropout is not None:
        return config
    return dataclasses.replace(config, dropout=0.5 if pairs < FEW else 0.3 if pairs < SOME else 0.1)


def resolved_training(config: TrainingConfig, *, pairs: int) -> TrainingConfig:
    """Fills in what depends on the number of training pairs: smaller batches and more epochs for less data.

    A limit in steps or minutes alone leaves the number of epochs open.
    """
    batch_size = config.batch_size or (16 if pairs < FEW else 32)
    epochs = config.epochs
    if epochs is None and (config.max_minutes is not None or config.max_steps is not None):
        epochs = UNLIMITED_EPOCHS
    if epochs is None:
        steps = math.ceil(pairs / batch_size)
        epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, math.ceil(TARGET_STEPS / steps)))
    metric = config.early_stop_metric or "chrf"
    return dataclasses.replace(config, batch_size=batch_size, epochs=epochs, early_stop_metric=metric)


class TranslationTask:
    """A translator and its data, as training sees them."""

    def __init__(
        self, models: TranslatorModels, data: PreparedPairs, config: TrainingConfig, scorer: Translator
    ) -> None:
        self.model = TrainableTranslator(models)
        self.data = data
        assert config.batch_size is not None
        self.batch_size = config.batch_size
        self.scorer = scorer
        self.steps_per_epoch = math.ceil(len(data.train.sources) / self.batch_size)
        self.validation_step = make_validation_step(self.model)

    def epoch(self, generator: np.random.Generator | None) -> Iterator[list[np.ndarray]]:
        """Yields [source_ids, inputs, targets, weights] of each batch of one pass."""
        for batch in epoch(self.data.train, self.batch_size, generator):
            yield [batch.source_ids, *teacher_force(batch.target_ids)]

    def initial_carry(self) -> list[np.ndarray]:
        """A translator carries nothing from batch to batch."""
        return []

    def validate(self) -> Scores:
        """Computes the loss of the validation part, and translates some of it."""
        nats = count = right = before = 0.0
        for batch in epoch(self.data.validation, 4 * self.batch_size, None):
            arrays = [tf.constant(array) for array in (batch.source_ids, *teacher_force(batch.target_ids))]
            result = self.validation_step(arrays, [])
            nats, count = nats + float(result.nats), count + float(result.count)
            right, before = right + float(result.right), before + float(result.before)
        sources = [several.source for several in self.data.references]
        references = [several.references for several in self.data.references]
        found = [best[0] for best in self.scorer.outputs(sources, DecodingConfig())]
        outputs = [output.text for output in found]
        examples = [f"    {output.source}  ->  {output.text}" for output in found[:EXAMPLES]]
        scores = {"chrf": chrf(outputs, references), "exact": exact_match(outputs, references)}
        count = max(count, 1.0)
        return Scores(nats / count, scores, examples, self.symptoms(found, right / count, before / count))

    def symptoms(self, outputs: Sequence[Output], forced_accuracy: float, before_mistake: float) -> list[str]:
        """Says what looks wrong with the greedy translations of the validation sources."""
        source, target = self.data.source_vocabulary, self.data.target_vocabulary
        references = self.data.references
        return symptoms(
            [source.segment(several.source) for several in references],
            [[target.segment(reference) for reference in several.references] for several in references],
            [output.symbols for output in outputs],
            forced_accuracy=forced_accuracy,
            before_mistake=before_mistake,
        )


def first_batch_check(arrays: list[np.ndarray]) -> None:
    """Refuses arrays that are not correctly shifted."""
    _, inputs, targets, weights = arrays
    check_shift(inputs, targets, weights)


def train_translator(
    folder: Path,
    dataset: Dataset,
    data_config: DataConfig,
    model_config: ModelConfig,
    config: TrainingConfig,
    *,
    signature: Mapping[str, Any],
    started: float,
    report: Callable[[str], None],
    look: Look = train_at_once,
) -> Bundle | None:
    """Trains a translator into a folder that exists, going on where an earlier run stopped.

    Args:
        folder: receives checkpoints, then the finished model.
        dataset: what `data_config.data` resolves to.
        data_config: how the data is read.
        model_config: sizes.
        config: how it is trained.
        signature: what tells this run from another; recorded.
        started: time.monotonic() of the command's start.
        report: receives lines for the user.
        look: sees the task before training and says whether to train; if not, there is no bundle.

    Raises:
        DataError: the data cannot be used.

    """
    data = prepare_pairs(dataset, data_config)
    model_config = resolved_model(model_config, pairs=len(data.splits.train))
    config = resolved_training(config, pairs=len(data.splits.train))
    assert config.batch_size is not None
    shards = shard_count(config.batch_size)
    share_cores(shards)
    keras.utils.set_random_seed(config.seed)
    for line in data.splits.warnings:
        report(line)
    models = build_translator(
        model_config, source_size=len(data.source_vocabulary), target_size=len(data.target_vocabulary)
    )
    report(describe(data, models))
    record = {
        "lengths": {
            "source": int(data.train.sources.lengths.max()) - 1,
            "target": int(data.train.targets.lengths.max()) - 2,
        },
        "trained_on": origin(dataset, data),
        "train": training_record(config, shards),
        "signature": dict(signature),
        "versions": versions(),
    }
    bundle = Bundle(
        path=folder,
        kind=TRANSLATOR,
        data=data_config,
        model=model_config,
        source_vocabulary=data.source_vocabulary,
        target_vocabulary=data.target_vocabulary,
        weights={},
        record=record,
    )
    task = TranslationTask(models, data, config, Translator(bundle, step_model=KerasTranslator(models)))
    if not look(task, config):
        return None
    progress = fit(task, config, folder, started=started, report=report, check=first_batch_check)
    return finish(bundle, models, data, progress, report=report)


def finish(
    bundle: Bundle,
    models: TranslatorModels,
    data: PreparedPairs,
    progress: Progress,
    *,
    report: Callable[[str], None],
) -> Bundle:
    """Scores the best weights on validation and test parts and writes the finished folder."""
    weights = export_weights([models.encoder, models.decoder])
    translator = Translator(dataclasses.replace(bundle, weights=weights))
    metrics = {
        "validation": metrics_of(translator, data.splits.validation),
        "test": metrics_of(translator, data.splits.test),
    }
    saved = save_bundle(
        bundle.path,
        kind=bundle.kind,
        data=bundle.data,
        model=bundle.model,
        source_vocabulary=bundle.source_vocabulary,
        target_vocabulary=bundle.target_vocabulary,
        weights=weights,
        metrics=metrics,
        history=progress.history,
        record=bundle.record,
    )
    finish_bundle(saved, choose_canary(translator, [several.source for several in data.references]))
    test = metrics["test"]
    report(
        f"test part, {test['n']} sources, best epoch {progress.best_epoch}: chrF {test['chrf']:.1f}, "
        f"BLEU {test['bleu']:.1f}, exact match {test['exact_match']:.3f}, CER {test['cer']:.3f}"
    )
    return saved


def origin(dataset: Dataset, data: PreparedPairs) -> dict[str, Any]:
    """Says where the data came from, for the model folder."""
    return {
        "name": dataset.name,
        "origin": dataset.origin,
        "paths": {part: str(path.resolve()) for part, path in dataset.paths.items()},
        "sha256": dataset.sha256,
        "licence": dataset.licence,
        "pairs": {part: len(getattr(data.splits, part)) for part in ("train", "validation", "test")},
    }


def versions() -> dict[str, str]:
    """Names the versions that trained a model."""
    return {
        "seq2seq": __version__,
        "python": sys.version.split()[0],
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }


def describe(data: PreparedPairs, models: TranslatorModels) -> str:
    """Says what is trained on what, in one line."""
    counts = ", ".join(f"{len(getattr(data.splits, part))} {part}" for part in ("train", "validation", "test"))
    parameters = models.encoder.count_params() + models.decoder.count_params()
    return (
        f"pairs: {counts}; symbols: {len(data.source_vocabulary)} source, {len(data.target_vocabulary)} target; "
        f"parameters: {parameters:,}"
    )

"""Training of a translator: its pairs, the options that depend on the pairs, and its scores."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2seq.bundle import TRANSLATOR, Bundle
from seq2seq.config import UNITS, DataConfig, DecodingConfig, ModelConfig, TrainingConfig
from seq2seq.inference.canary import choose_canary
from seq2seq.inference.keras_runtime import KerasTranslator
from seq2seq.inference.results import Output
from seq2seq.inference.translator import Translator
from seq2seq.models.backend import tf
from seq2seq.models.step import make_validation_step
from seq2seq.models.trainable import TrainableTranslator
from seq2seq.models.translator import build_translator
from seq2seq.scoring.degeneration import symptoms
from seq2seq.scoring.evaluation import metrics_of
from seq2seq.scoring.metrics import chrf, exact_match
from seq2seq.text.batches import EncodedPairs, encode_pairs, epoch, teacher_force
from seq2seq.text.datasets import Dataset, Splits, load_pairs
from seq2seq.text.pairs import Pair
from seq2seq.text.shift_check import check_shift
from seq2seq.text.splits import References, group_references
from seq2seq.text.vocabulary import Vocabulary
from seq2seq.training.checkpoints import Progress
from seq2seq.training.schedule import AVERAGE, UNLIMITED_EPOCHS
from seq2seq.training.task import Outcome, Run, Scores

VALIDATION_SOURCES = 300  # are translated after each epoch
EXAMPLES = 3  # of these are printed
FEW, SOME, MANY = 5000, 20_000, 50_000  # training pairs
LONG = 40.0  # minutes, in which MANY pairs can train MORE_UNITS
MORE_UNITS = 512
TARGET_STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 6000, 10, 100


class PreparedPairs(NamedTuple):
    """A data set that was read, split and encoded for a translator."""

    splits: Splits
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    train: EncodedPairs
    validation: EncodedPairs
    references: list[References]  # the validation sources that are translated after each epoch, with their references

    def sizes(self) -> dict[str, Any]:
        """Returns the number of pairs of each part."""
        return {"pairs": {part: len(getattr(self.splits, part)) for part in ("train", "validation", "test")}}

    def resolved(self, model: ModelConfig, train: TrainingConfig) -> tuple[ModelConfig, TrainingConfig]:
        """Fills in the options that depend on the number of training pairs."""
        return resolved_options(model, train, pairs=len(self.splits.train))

    def task(self, run: Run, record: Mapping[str, Any]) -> "TranslationTask":
        """Builds the translator of a resolved run; `record` is for its `config.json`."""
        lengths = {
            "source": int(self.train.sources.lengths.max()) - 1,
            "target": int(self.train.targets.lengths.max()) - 2,
        }
        bundle = Bundle(
            path=run.folder,
            kind=TRANSLATOR,
            data=run.data,
            model=run.model,
            source_vocabulary=self.source_vocabulary,
            target_vocabulary=self.target_vocabulary,
            weights={},
            record={"lengths": lengths, **record},
        )
        return TranslationTask(bundle, self, run.train)


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
    """Encodes pairs; a target symbol that is not in the training part becomes UNK."""
    return encode_pairs(
        [source.encode(pair.source) for pair in pairs],
        [target.encode(pair.target, oov="unk") for pair in pairs],
    )


def resolved_options(model: ModelConfig, train: TrainingConfig, *, pairs: int) -> tuple[ModelConfig, TrainingConfig]:
    """Fills in the options that depend on the number of training pairs and on the time.

    Less data gets more dropout, smaller batches and more epochs. With --max-steps or --max-minutes alone, the number of
    epochs is unlimited.
    """
    batch_size = train.batch_size or (16 if pairs < FEW else 32)
    epochs, dropout = train.epochs, model.dropout
    if epochs is None and (train.max_minutes is not None or train.max_steps is not None):
        epochs = UNLIMITED_EPOCHS
    if epochs is None:
        steps = math.ceil(pairs / batch_size)
        epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, math.ceil(TARGET_STEPS / steps)))
    if dropout is None:
        dropout = 0.5 if pairs < FEW else 0.3 if pairs < SOME else 0.1
    average = AVERAGE if train.average is None else train.average
    hidden_size = model.hidden_size or (MORE_UNITS if pairs >= MANY and (train.max_minutes or 0) >= LONG else UNITS)
    metric = train.early_stop_metric or "chrf"
    return (
        dataclasses.replace(model, hidden_size=hidden_size, dropout=dropout),
        dataclasses.replace(train, batch_size=batch_size, epochs=epochs, average=average, early_stop_metric=metric),
    )


class TranslationTask:
    """A translator and its data, in the form that the training loop uses."""

    def __init__(self, bundle: Bundle, data: PreparedPairs, config: TrainingConfig) -> None:
        """`bundle` has no weights yet; `config` is resolved."""
        sizes = len(data.source_vocabulary), len(data.target_vocabulary)
        models = build_translator(bundle.model, source_size=sizes[0], target_size=sizes[1])
        self.bundle = bundle
        self.model = TrainableTranslator(models)
        self.data = data
        assert config.batch_size is not None
        self.batch_size = config.batch_size
        self.scorer = Translator(bundle, step_model=KerasTranslator(models))
        self.steps_per_epoch = math.ceil(len(data.train.sources) / self.batch_size)
        self.validation_step = make_validation_step(self.model)

    def describe(self) -> Iterator[str]:
        """Yields warnings about the data, and the sizes of the data and the model."""
        yield from self.data.splits.warnings
        counts = ", ".join(f"{count} {part}" for part, count in self.data.sizes()["pairs"].items())
        parameters = sum(model.count_params() for model in self.model.models)
        yield (
            f"pairs: {counts}; symbols: {len(self.data.source_vocabulary)} source, "
            f"{len(self.data.target_vocabulary)} target; parameters: {parameters:,}"
        )

    def epoch(self, generator: np.random.Generator | None) -> Iterator[list[np.ndarray]]:
        """Yields [source_ids, inputs, targets, weights] of each batch of one pass."""
        for batch in epoch(self.data.train, self.batch_size, generator):
            yield [batch.source_ids, *teacher_force(batch.target_ids)]

    @staticmethod
    def check(arrays: list[np.ndarray]) -> None:
        """Raises DataError if the arrays are not correctly shifted."""
        _, inputs, targets, weights = arrays
        check_shift(inputs, targets, weights)

    def initial_carry(self) -> list[np.ndarray]:
        """Returns no states: a translator carries none from batch to batch."""
        return []

    def validate(self) -> Scores:
        """Computes the loss of the validation part, and translates up to VALIDATION_SOURCES of its sources."""
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
        """Returns the signs of a fault in the greedy translations of the validation sources."""
        source, target = self.data.source_vocabulary, self.data.target_vocabulary
        references = self.data.references
        return symptoms(
            [source.segment(several.source) for several in references],
            [[target.segment(reference) for reference in several.references] for several in references],
            [output.symbols for output in outputs],
            forced_accuracy=forced_accuracy,
            before_mistake=before_mistake,
        )

    def outcome(self, bundle: Bundle, progress: Progress) -> Outcome:
        """Scores the best weights on the validation and test parts; the line gives the scores of the test part."""
        translator = Translator(bundle)
        splits = self.data.splits
        metrics = {part: metrics_of(translator, getattr(splits, part)) for part in ("validation", "test")}
        test = metrics["test"]
        line = (
            f"test part, {test['n']} sources, best epoch {progress.best_epoch}: chrF {test['chrf']:.1f}, "
            f"BLEU {test['bleu']:.1f}, exact match {test['exact_match']:.3f}, CER {test['cer']:.3f}"
        )
        canary = choose_canary(translator, [several.source for several in self.data.references])
        return Outcome(metrics, canary, [line])

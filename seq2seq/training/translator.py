"""Training of a translator: its pairs, the options that depend on the pairs, and its scores."""

import dataclasses
import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq.bundle import TRANSLATOR, Bundle
from seq2seq.config import ATTENTION, TRANSDUCER, DataConfig, DecodingConfig, ModelConfig, TrainingConfig
from seq2seq.inference.canary import choose_canary
from seq2seq.inference.keras_runtime import KerasTranslator
from seq2seq.inference.keras_transducer import KerasTransducer
from seq2seq.inference.protocols import ActionRuntime, Runtime
from seq2seq.inference.results import Output
from seq2seq.inference.translator import Translator
from seq2seq.models.backend import tf
from seq2seq.models.step import Trainable, make_validation_step
from seq2seq.models.trainable import TrainableTransducer, TrainableTranslator
from seq2seq.models.transducer import build_transducer
from seq2seq.models.translator import build_translator
from seq2seq.scoring.degeneration import symptoms
from seq2seq.scoring.evaluation import best_outputs, headline, metrics_of
from seq2seq.scoring.metrics import chrf, exact_match
from seq2seq.text.batches import Batch, EncodedPairs, encode_pairs, epoch, teacher_force, training_weights
from seq2seq.text.datasets import Dataset, Splits, load_pairs
from seq2seq.text.edit_distance import EditDistance
from seq2seq.text.edits import check_paths
from seq2seq.text.shift_check import check_shift
from seq2seq.text.splits import Counted, References, count_rows, scored_by, scored_items
from seq2seq.text.vocabulary import Vocabulary
from seq2seq.training.architecture import LARGEST_SHARE, encode_actions, learn_edits, uncertainty_left
from seq2seq.training.checkpoints import Progress
from seq2seq.training.schedule import UNLIMITED_EPOCHS
from seq2seq.training.task import Outcome, Run, Scores

VALIDATION_SOURCES = 300  # distinct ones, which are translated after each epoch
EXAMPLES = 3  # of these are printed
FEW, SOME = 5000, 20_000  # training pairs
TARGET_STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 6000, 10, 100


@dataclasses.dataclass(frozen=True)
class PreparedPairs:
    """A data set that was read, split and encoded for a translator."""

    splits: Splits
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    train: EncodedPairs  # distinct rows
    validation: EncodedPairs  # distinct rows
    by: str  # "row" or "source": what is an item of the scores
    references: list[References]  # the validation items that are scored after each epoch
    edits: EditDistance | None = None  # a teacher's, for a transducer; None: the training part's own

    @functools.cached_property
    def left(self) -> float:
        """The share of the targets' uncertainty that edits leave, which decides between the architectures."""
        return uncertainty_left(self.splits.train, self.source_vocabulary, self.target_vocabulary)

    def sizes(self) -> dict[str, Any]:
        """Returns the number of pairs of each part."""
        return {"pairs": {part: len(getattr(self.splits, part)) for part in ("train", "validation", "test")}}

    def resolved(self, model: ModelConfig, train: TrainingConfig) -> tuple[ModelConfig, TrainingConfig]:
        """Fills in the options that depend on the distinct training pairs."""
        if model.architecture == "auto":
            chosen = TRANSDUCER if self.left <= LARGEST_SHARE else ATTENTION
            model = dataclasses.replace(model, architecture=chosen)
        return resolved_options(model, train, pairs=len(self.train.sources))

    def task(self, run: Run, record: Mapping[str, Any]) -> "TranslationTask":
        """Builds the translator of a resolved run; `record` is for its `config.json`."""
        bundle, data = self.aligned(run, record)
        reason = ""
        if run.signature["model"].get("architecture") == "auto":
            reason = (
                f", since a learnt edit distance leaves {self.left:.0%} of the targets' uncertainty "
                f"(transducer: up to {LARGEST_SHARE:.0%})"
            )
        return TranslationTask(bundle, data, run.train, reason)

    def aligned(self, run: Run, record: Mapping[str, Any]) -> tuple[Bundle, "PreparedPairs"]:
        """Returns what a resolved run will save, without weights, and its pairs, for a transducer as edit actions."""
        longest = int(self.train.sources.lengths.max()) - 1, int(self.train.targets.lengths.max()) - 2
        data = self
        edits = None
        if run.model.architecture == TRANSDUCER:
            vocabularies = self.source_vocabulary, self.target_vocabulary
            rows, held = (count_rows(part).pairs for part in (self.splits.train, self.splits.validation))
            edits = self.edits or learn_edits(rows, *vocabularies, self.train.weights)
            data = dataclasses.replace(
                self,
                train=encode_actions(rows, edits, *vocabularies, self.train.weights),
                validation=encode_actions(held, edits, *vocabularies, self.validation.weights),
            )
        bundle = Bundle(
            path=run.folder,
            kind=TRANSLATOR,
            data=run.data,
            model=run.model,
            source_vocabulary=self.source_vocabulary,
            target_vocabulary=self.target_vocabulary,
            weights={},
            record={"lengths": {"source": longest[0], "target": longest[1]}, **record},
            edits=edits,
        )
        return bundle, data


def prepare_pairs(dataset: Dataset, config: DataConfig) -> PreparedPairs:
    """Reads, splits and encodes a data set; the vocabularies come from the training part alone."""
    splits = load_pairs(dataset, config)
    source = Vocabulary.build(
        (pair.source for pair in splits.train),
        separator=config.source_sep,
        features_sep=config.features_sep if config.features_col else "",
    )
    target = Vocabulary.build((pair.target for pair in splits.train), separator=config.target_sep)
    return encode_splits(splits, source, target, seed=config.split_seed)


def encode_splits(splits: Splits, source: Vocabulary, target: Vocabulary, *, seed: int) -> PreparedPairs:
    """Encodes the parts of a data set; `seed` chooses the validation items that are scored after each epoch."""
    train, validation = count_rows(splits.train), count_rows(splits.validation)
    by = scored_by([*splits.validation, *splits.test])
    items = scored_items(splits.validation, by)
    np.random.default_rng(seed).shuffle(items)
    return PreparedPairs(
        splits,
        source,
        target,
        encode_part(train, source, target, training_weights(train.counts)),
        encode_part(validation, source, target, np.array(validation.counts, np.float64)),
        by,
        first_items(items, VALIDATION_SOURCES),
    )


def encode_part(rows: Counted, source: Vocabulary, target: Vocabulary, weights: np.ndarray) -> EncodedPairs:
    """Encodes distinct rows; a target symbol that is not in the training part becomes UNK.

    Args:
        rows: the pairs.
        source, target: their vocabularies.
        weights: float (R,), how much each row counts.

    """
    return encode_pairs(
        [source.encode(pair.source) for pair in rows.pairs],
        [target.encode(pair.target, oov="unk") for pair in rows.pairs],
        weights,
    )


def first_items(items: Sequence[References], sources: int) -> list[References]:
    """Returns as many of the first items as have at most this number of distinct sources."""
    seen: set[str] = set()
    found = []
    for item in items:
        seen.add(item.source)
        if len(seen) > sources:
            break
        found.append(item)
    return found


def resolved_options(model: ModelConfig, train: TrainingConfig, *, pairs: int) -> tuple[ModelConfig, TrainingConfig]:
    """Fills in the options that depend on the number of training pairs.

    Less data gets more dropout, smaller batches and more epochs. With --max-steps or --max-minutes alone, the number of
    epochs is unlimited.
    """
    transduces = model.architecture == TRANSDUCER
    batch_size = train.batch_size or (16 if pairs < FEW else 32)
    epochs, dropout = train.epochs, model.dropout
    if epochs is None and (train.max_minutes is not None or train.max_steps is not None):
        epochs = UNLIMITED_EPOCHS
    if epochs is None:
        steps = math.ceil(pairs / batch_size)
        epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, math.ceil(TARGET_STEPS / steps)))
    if dropout is None:
        few = 0.4 if transduces else 0.5
        dropout = few if pairs < FEW else 0.3 if pairs < SOME else 0.1
    return (
        dataclasses.replace(model, dropout=dropout),
        dataclasses.replace(
            train,
            batch_size=batch_size,
            epochs=epochs,
            early_stop_metric=train.early_stop_metric or ("exact" if transduces else "chrf"),
            learning_rate=train.learning_rate or (0.004 if transduces else 0.008),
        ),
    )


def build_models(bundle: Bundle, *, has_tags: bool) -> tuple[Trainable, Runtime | ActionRuntime]:
    """Builds the models of a bundle without weights, as training and as decoding use them."""
    assert bundle.source_vocabulary is not None
    sizes = {"source_size": len(bundle.source_vocabulary), "target_size": len(bundle.target_vocabulary)}
    if bundle.edits:
        transducer = build_transducer(bundle.model, **sizes, has_tags=has_tags)
        return TrainableTransducer(transducer), KerasTransducer(transducer)
    translator = build_translator(bundle.model, **sizes)
    return TrainableTranslator(translator), KerasTranslator(translator)


def arrays_of(batch: Batch) -> list[np.ndarray]:
    """Returns the arrays of a batch as the model takes them, the last three shifted for teacher forcing."""
    return [batch.source_ids, *batch.tag_ids, *teacher_force(batch.target_ids, batch.weights)]


class TranslationTask:
    """A translator and its data, in the form that the training loop uses."""

    def __init__(self, bundle: Bundle, data: PreparedPairs, config: TrainingConfig, reason: str = "") -> None:
        """`bundle` has no weights yet; `config` is resolved; `reason` says why the architecture was chosen."""
        self.reason = reason
        self.bundle = bundle
        self.model, step_model = build_models(bundle, has_tags=bool(data.source_vocabulary.features_sep))
        self.data = data
        assert config.batch_size is not None
        self.batch_size = config.batch_size
        self.scorer = Translator(bundle, step_model=step_model)
        self.steps_per_epoch = math.ceil(len(data.train.sources) / self.batch_size)
        self.validation_step = make_validation_step(self.model)

    def describe(self) -> Iterator[str]:
        """Yields warnings about the data, and the sizes of the data and the model."""
        yield from self.data.splits.warnings
        counts = ", ".join(f"{count} {part}" for part, count in self.data.sizes()["pairs"].items())
        distinct = len(self.data.train.sources)
        if distinct < len(self.data.splits.train):
            yield f"training part: {distinct} distinct rows; how often a row occurs is its weight"
        if self.data.by == "row":
            yield "many held-out rows repeat, so each row is scored as it stands (not each distinct source once)"
        parameters = sum(model.count_params() for model in self.model.models)
        yield f"architecture: {self.bundle.model.architecture}{self.reason}"
        yield (
            f"pairs: {counts}; symbols: {len(self.data.source_vocabulary)} source, "
            f"{len(self.data.target_vocabulary)} target; parameters: {parameters:,}"
        )

    def epoch(self, generator: np.random.Generator | None) -> Iterator[list[np.ndarray]]:
        """Yields [source_ids, (tag_ids,) inputs, targets, weights] of each batch of one pass."""
        for batch in epoch(self.data.train, self.batch_size, generator):
            yield arrays_of(batch)

    def check(self, arrays: list[np.ndarray]) -> None:
        """Raises DataError if the arrays are not correctly shifted, or actions do not fit their sources."""
        check_shift(*arrays[-3:])
        if self.bundle.edits:
            check_paths(arrays[0], arrays[-2], target_size=len(self.data.target_vocabulary))

    def initial_carry(self) -> list[np.ndarray]:
        """Returns no states: a translator carries none from batch to batch."""
        return []

    def validate(self) -> Scores:
        """Computes the loss of the validation part, and scores items of up to VALIDATION_SOURCES of its sources."""
        nats = count = right = before = 0.0
        for batch in epoch(self.data.validation, 4 * self.batch_size, None):
            result = self.validation_step([tf.constant(array) for array in arrays_of(batch)], [])
            nats, count = nats + float(result.nats), count + float(result.count)
            right, before = right + float(result.right), before + float(result.before)
        sources = [several.source for several in self.data.references]
        references = [several.references for several in self.data.references]
        found = best_outputs(self.scorer, sources, DecodingConfig())
        outputs = [output.text for output in found]
        shown = dict.fromkeys(f"    {output.source}  ->  {output.text}" for output in found)
        examples = list(shown)[:EXAMPLES]
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
        by = self.data.by
        metrics = {part: metrics_of(translator, getattr(splits, part), by=by) for part in ("validation", "test")}
        test = metrics["test"]
        line = f"test part, {test['n']} {by}s, best epoch {progress.best_epoch}: {headline(test)}"
        canary = choose_canary(translator, [several.source for several in self.data.references])
        return Outcome(metrics, canary, [line])

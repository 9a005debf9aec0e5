"""Training of a translator or transducer: its models, its batches and its scores."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.config import TrainingConfig
from seq2seq.inference.canary import choose_canary
from seq2seq.inference.keras_runtime import KerasTranslator
from seq2seq.inference.keras_transducer import KerasTransducer
from seq2seq.inference.protocols import ActionRuntime, AttendingRuntime
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
from seq2seq.search_config import DecodingConfig
from seq2seq.text.batches import Batch, epoch, teacher_force
from seq2seq.text.edits import check_paths
from seq2seq.text.shift_check import check_shift
from seq2seq.training.checkpoints import Progress
from seq2seq.training.task import Outcome, Scores

if TYPE_CHECKING:  # it imports this file
    from seq2seq.training.prepared_pairs import PreparedPairs

EXAMPLES = 3  # of the validation items are printed


def build_models(bundle: Bundle, *, has_tags: bool) -> tuple[Trainable, AttendingRuntime | ActionRuntime]:
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

    def __init__(self, bundle: Bundle, data: "PreparedPairs", config: TrainingConfig, reason: str = "") -> None:
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
        yield from self.data.notes
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

"""Training of a model that learns from a teacher: an ordinary translator's run whose rows have probabilities too."""

import dataclasses
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.config import ModelConfig, TrainingConfig
from seq2seq.errors import DataError
from seq2seq.models.step import Trainable
from seq2seq.models.trainable import TrainableStudent
from seq2seq.special import END, UNK
from seq2seq.terminal import LiveLine
from seq2seq.text.batches import EncodedPairs, Ragged, plan_epoch
from seq2seq.text.datasets import Splits, load_pairs
from seq2seq.text.readings import Reading
from seq2seq.text.splits import count_rows
from seq2seq.training.prepared_pairs import PreparedPairs, encode_splits, resolved_options
from seq2seq.training.task import Run
from seq2seq.training.teacher import SHARE, Labelled, SoftTargets, Teacher, labelled, soft_targets
from seq2seq.training.translator import TranslationTask, arrays_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class PreparedStudent(PreparedPairs):
    """A data set that was read, split and encoded with the vocabularies and the edit distance of a teacher."""

    teacher: Teacher

    def resolved(self, model: ModelConfig, train: TrainingConfig) -> tuple[ModelConfig, TrainingConfig]:
        """Fills in the options that depend on the number of rows, those without targets included."""
        train = dataclasses.replace(train, teacher_share=SHARE if train.teacher_share is None else train.teacher_share)
        return resolved_options(model, train, pairs=len(self.train.sources) + len(self.teacher.unlabelled))

    def task(self, run: Run, record: Mapping[str, Any]) -> "StudentTask":
        """Builds the translator of a resolved run, and asks the teacher; `record` is for its `config.json`."""
        began = time.monotonic()
        teacher, translator = self.teacher, self.teacher.translator
        run.report(f"teacher: {teacher}")
        bundle, data = self.aligned(run, {**record, "teacher": str(translator.bundle.path.resolve())})
        with LiveLine() as live:
            more = labelled(teacher, longest=run.data.max_source_length, progress=live.show)
        lines = [pair.source for pair in count_rows(self.splits.train).pairs]
        sources = [translator.encode(line, "unk", 0, lambda *_: None) for line in lines]
        rows = with_labelled(data.train, more, tags_apart=bundle.edits is not None)
        with LiveLine() as live:
            soft = soft_targets(translator, [*sources, *more.sources], rows.targets, progress=live.show)
        run.report(f"the teacher gave probabilities for {len(rows.targets)} rows in {time.monotonic() - began:.0f} s")
        if teacher.unlabelled:
            left_out = len(teacher.unlabelled) - len(more.sources)
            run.report(f"unlabelled sources: {len(more.sources)}; left out, too long or without an end: {left_out}")
        return StudentTask(bundle, data, run.train, rows, soft)


def prepare_student(run: Run, teacher: Teacher) -> PreparedStudent:
    """Reads, splits and encodes the data of a run as its teacher reads data.

    Raises:
        DataError: the data cannot be used, or its training part has symbols that the teacher does not know.

    """
    bundle, splits = teacher.translator.bundle, load_pairs(run.dataset, run.data)
    assert bundle.source_vocabulary is not None
    check_known(splits, teacher)
    data = dataclasses.replace(run.data, decompose=bool(bundle.data.decompose))
    prepared = encode_splits(splits, bundle.source_vocabulary, bundle.target_vocabulary, data)
    return PreparedStudent(**{**vars(prepared), "edits": bundle.edits}, teacher=teacher)


def check_known(splits: Splits, teacher: Teacher) -> None:
    """Raises DataError if a training pair has a symbol that the teacher does not know."""
    translator = teacher.translator
    for pair in splits.train:
        for side, vocabulary in (("source", translator.source_vocabulary), ("target", translator.target_vocabulary)):
            read: Reading = vocabulary.read(getattr(pair, side), oov="unk")
            if UNK in read.tags or UNK in read.ids:
                raise DataError(
                    f"--data: the {side} {getattr(pair, side)!r} has a symbol that the teacher does not know; "
                    f"give the data that {translator.bundle.path} was trained on, or pairs in its symbols"
                )


def with_labelled(train: EncodedPairs, more: Labelled, *, tags_apart: bool) -> EncodedPairs:
    """Adds rows of weight 1 with the teacher's outputs as targets; `tags_apart`: tags are no part of the source."""
    if not more.sources:
        return train
    tags = [one.known_tags if tags_apart else one.tags for one in more.sources]
    sources = [[*([] if tags_apart else one.tags), *one.ids, END] for one in more.sources]
    return EncodedPairs(
        Ragged([*train.sources.rows(), *sources]),
        Ragged([*train.targets.rows(), *more.paths]),
        np.concatenate([train.weights, np.ones(len(sources), np.float32)]),
        Ragged([*train.tags.rows(), *tags]) if train.tags is not None else None,
    )


class StudentTask(TranslationTask):
    """A translator, its pairs and the outputs and probabilities of a teacher, in the form of the training loop."""

    def __init__(
        self, bundle: Bundle, data: PreparedPairs, config: TrainingConfig, rows: EncodedPairs, soft: SoftTargets
    ) -> None:
        """`rows` are the training part and the rows that the teacher labelled; `soft` has the same rows."""
        super().__init__(bundle, data, config)
        assert config.teacher_share is not None
        self.share = config.teacher_share
        self.rows, self.soft = rows, soft
        self.model: Trainable = TrainableStudent(self.model, self.share)  # validation goes on without a teacher
        self.steps_per_epoch = math.ceil(len(rows.sources) / self.batch_size)

    def describe(self) -> Iterator[str]:
        """Yields the lines of an ordinary translator, and the teacher's share of the loss."""
        yield from super().describe()
        yield f"the teacher's probabilities are {self.share:.0%} of the loss"

    def epoch(self, generator: np.random.Generator | None) -> Iterator[list[np.ndarray]]:
        """Yields [source_ids, (tag_ids,) the teacher's ids and probabilities, inputs, targets, weights]."""
        for numbers in plan_epoch(self.rows, self.batch_size, generator):
            *first, inputs, targets, weights = arrays_of(self.rows.batch(numbers))
            yield [*first, *self.soft.padded(numbers), inputs, targets, weights]

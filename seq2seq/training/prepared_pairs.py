"""The pairs of a translator, read, split and encoded, and the options that depend on them."""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import TRANSLATOR, Lengths
from seq2seq.config import ATTENTION, TRANSDUCER, UNITS, DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError
from seq2seq.text.batches import EncodedPairs, encode_pairs, training_weights
from seq2seq.text.datasets import Dataset, Splits, load_pairs
from seq2seq.text.dictionary import dictionary_text
from seq2seq.text.edit_distance import EditDistance
from seq2seq.text.hallucination import hallucinate as make_pairs
from seq2seq.text.pairs import Pair
from seq2seq.text.splits import Counted, References, count_rows, scored_by, scored_items
from seq2seq.text.unicode_forms import alphabets
from seq2seq.text.vocabulary import Vocabulary
from seq2seq.training.architecture import LARGEST_SHARE, encode_actions, learn_edits, uncertainty_left
from seq2seq.training.schedule import AVERAGE, UNLIMITED_EPOCHS
from seq2seq.training.task import Run

if TYPE_CHECKING:  # it imports TensorFlow
    from seq2seq.training.translator import TranslationTask

VALIDATION_SOURCES = 300  # are translated after each epoch
FEW, SOME, MANY = 5000, 20_000, 50_000  # training pairs
FEW_INFLECTED, MADE_UP = 500, 1000  # pairs with tags, and how many are made up for fewer
LONG = 40.0  # minutes, in which MANY pairs can train MORE_UNITS
MORE_UNITS = 512
TARGET_STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 6000, 10, 100


@dataclasses.dataclass(frozen=True)
class PreparedPairs:
    """A data set that was read, split and encoded for a translator."""

    splits: Splits
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    rows: list[Pair]  # the distinct rows of the training part, with those that were made up
    train: EncodedPairs  # of these rows
    validation: EncodedPairs  # distinct rows
    by: str  # "row" or "source": what is an item of the scores
    references: list[References]  # the validation items that are scored after each epoch
    data: DataConfig  # how the data was read, with the options that depend on it
    hallucinate: int  # pairs that were to be made up for the training part
    hallucinated: int  # those that could be made
    notes: list[str]  # lines for the user
    edits: EditDistance | None = None  # a teacher's, for a transducer; None: the training part's own

    @functools.cached_property
    def left(self) -> float:
        """The share of the targets' uncertainty that edits leave, which decides between the architectures."""
        return uncertainty_left(self.splits.train, self.source_vocabulary, self.target_vocabulary)

    def sizes(self) -> dict[str, Any]:
        """Returns the number of pairs of each part, and of those that were made up."""
        sizes = {"pairs": {part: len(getattr(self.splits, part)) for part in ("train", "validation", "test")}}
        return {**sizes, "hallucinated": self.hallucinated} if self.hallucinated else sizes

    def resolved(self, model: ModelConfig, train: TrainingConfig) -> tuple[ModelConfig, TrainingConfig]:
        """Fills in the options that depend on the distinct training pairs, hallucinated ones included."""
        train = dataclasses.replace(train, hallucinate=self.hallucinate)
        if model.architecture == "auto":
            chosen = TRANSDUCER if self.left <= LARGEST_SHARE else ATTENTION
            model = dataclasses.replace(model, architecture=chosen)
        return resolved_options(model, train, pairs=len(self.train.sources))

    def task(self, run: Run, record: Mapping[str, Any]) -> "TranslationTask":
        """Builds the translator of a resolved run; `record` is for its `config.json`."""
        from seq2seq.training.translator import TranslationTask

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
        bundle = Bundle(
            path=run.folder,
            kind=TRANSLATOR,
            data=run.data,
            model=run.model,
            source_vocabulary=self.source_vocabulary,
            target_vocabulary=self.target_vocabulary,
            weights={},
            record={"lengths": Lengths.of(*longest), **record},
            dictionary=dictionary_text(self.splits.train) if run.train.dictionary else "",
        )
        if run.model.architecture != TRANSDUCER:
            return bundle, self
        vocabularies = self.source_vocabulary, self.target_vocabulary
        edits = self.edits or learn_edits(self.rows, *vocabularies, self.train.weights)
        held_out = count_rows(self.splits.validation).pairs
        data = dataclasses.replace(
            self,
            train=encode_actions(self.rows, edits, *vocabularies, self.train.weights),
            validation=encode_actions(held_out, edits, *vocabularies, self.validation.weights),
        )
        return dataclasses.replace(bundle, edits=edits), data


def prepare_pairs(
    dataset: Dataset, config: DataConfig, *, hallucinate: int | None = None, seed: int = 1
) -> PreparedPairs:
    """Reads, splits and encodes a data set; the vocabularies come from the training part alone.

    Args:
        dataset: pairs.
        config: how they are read.
        hallucinate: how many pairs to make up for the training part; None: MADE_UP for few pairs with tags, if their
            sides share symbols.
        seed: of these pairs.

    Raises:
        DataError: the data cannot be used.
        OptionError: the pairs do not allow hallucinated ones.

    """
    splits = load_pairs(dataset, config)
    config, notes = decided_decomposition(splits.train, config)
    source = Vocabulary.build(
        (pair.source for pair in splits.train),
        separator=config.source_sep,
        features_sep=config.features_sep if config.features_col else "",
        decompose=bool(config.decompose and not config.source_sep),
    )
    target = Vocabulary.build(
        (pair.target for pair in splits.train),
        separator=config.target_sep,
        decompose=bool(config.decompose and not config.target_sep),
    )
    made: list[Pair] = []
    wanted = hallucinate
    if wanted is None:
        wanted = MADE_UP if config.features_col is not None and len(set(splits.train)) < FEW_INFLECTED else 0
    if wanted:
        held_out = {pair.source for pair in (*splits.validation, *splits.test)}
        try:
            made = make_pairs(splits.train, wanted, config=config, seed=seed, avoid=held_out)
        except OptionError:
            if hallucinate is not None:
                raise
            wanted = 0
    if made:
        notes.append(
            f"hallucinated pairs: {len(made)} of {wanted} made from {len(splits.train)} training pairs, "
            "with random symbols where source and target share a stem (--hallucinate 0: none)"
        )
    return encode_splits(splits, source, target, config, made=made, hallucinate=wanted, notes=notes)


def encode_splits(
    splits: Splits,
    source: Vocabulary,
    target: Vocabulary,
    config: DataConfig,
    *,
    made: Sequence[Pair] = (),
    hallucinate: int = 0,
    notes: Sequence[str] = (),
) -> PreparedPairs:
    """Encodes the parts of a data set.

    Args:
        splits: the parts.
        source, target: the vocabularies.
        config: how the data was read; its seed chooses the validation items that are scored after each epoch.
        made: pairs that were made up for the training part.
        hallucinate: how many were to be made.
        notes: lines for the user.

    """
    train, validation = count_rows([*splits.train, *made]), count_rows(splits.validation)
    by = scored_by([*splits.validation, *splits.test])
    items = scored_items(splits.validation, by)
    np.random.default_rng(config.split_seed).shuffle(items)
    return PreparedPairs(
        splits=splits,
        source_vocabulary=source,
        target_vocabulary=target,
        rows=train.pairs,
        train=encode_part(train, source, target, training_weights(train.counts)),
        validation=encode_part(validation, source, target, np.array(validation.counts, np.float64)),
        by=by,
        references=first_items(items, VALIDATION_SOURCES),
        data=config,
        hallucinate=hallucinate,
        hallucinated=len(made),
        notes=list(notes),
    )


def decided_decomposition(pairs: Sequence[Pair], config: DataConfig) -> tuple[DataConfig, list[str]]:
    """Decides whether characters are cut into their parts, if the user did not, and says so where they are.

    One decision for both sides, so that a symbol that both have stays the same. Separated symbols are never cut.

    Raises:
        OptionError: --decompose was given, and both sides have separated symbols.

    """
    sides = {"source": config.source_sep, "target": config.target_sep}
    found = {}
    for side, separator in sides.items():
        lines = (getattr(pair, side) for pair in pairs)
        if not separator:
            found[side] = alphabets(line.partition("\t")[0] if config.features_col else line for line in lines)
    decompose = config.decompose
    if decompose and not found:
        raise OptionError(
            f"--decompose: expected a side whose symbols are characters, got the separators {config.source_sep!r} and "
            f"{config.target_sep!r}, and separated symbols are never cut; leave it out"
        )
    if decompose is None:
        decompose = any(alphabet.much_smaller for alphabet in found.values())
    config = dataclasses.replace(config, decompose=decompose)
    counts = ", ".join(
        f"{alphabet.characters} different {side} characters have {alphabet.parts} parts"
        for side, alphabet in found.items()
    )
    if not (decompose and counts):
        return config, []
    return config, [f"decomposition: {counts}; the model works on the parts, outputs are composed (--no-decompose)"]


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
    """Fills in the options that depend on the number of training pairs and on the time.

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
    hidden_size = model.hidden_size or (MORE_UNITS if pairs >= MANY and (train.max_minutes or 0) >= LONG else UNITS)
    return (
        dataclasses.replace(model, hidden_size=hidden_size, dropout=dropout),
        dataclasses.replace(
            train,
            batch_size=batch_size,
            epochs=epochs,
            average=AVERAGE if train.average is None else train.average,
            early_stop_metric=train.early_stop_metric or ("exact" if transduces else "chrf"),
            learning_rate=train.learning_rate or (0.004 if transduces else 0.008),
        ),
    )

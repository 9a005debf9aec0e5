"""Scores translators: finds sentences with references, translates them, and scores the outputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.bundle import Bundle
from seq2seq.config import DataConfig, DecodingConfig
from seq2seq.errors import BundleError, OptionError, Seq2SeqError
from seq2seq.inference.translator import Translator
from seq2seq.scoring import metrics
from seq2seq.scoring.metrics import Scores
from seq2seq.scoring.training_data import training_data
from seq2seq.text.datasets import load_pairs, resolve
from seq2seq.text.lines import clean
from seq2seq.text.pairs import UNLIMITED, Pair, read_pairs
from seq2seq.text.splits import References, group_references, source_key
from seq2seq.text.vocabulary import Replacement

PARTS = ("test", "validation")
N_BOOTSTRAP = 1000


@dataclass(frozen=True)
class Material:
    """The sentences on which a model is scored."""

    name: str  # for messages, such as "fra-eng, test part"
    references: list[References]
    notes: tuple[str, ...] = ()  # lines for the user


@dataclass(frozen=True)
class Evaluation:
    """A model's outputs and their scores."""

    material: Material
    outputs: list[str]  # one for each source of the material
    cut_off: int  # outputs that reached their maximum length before END
    scores: Scores
    looked_up: int = 0  # outputs that come from the dictionary

    @property
    def references(self) -> list[References]:
        """The sources with their references, in the order of the outputs."""
        return self.material.references


def evaluate_model(
    translator: Translator,
    data: str | None = None,
    split: str | None = None,
    *,
    tokenize: str | None = None,
    n_bootstrap: int = N_BOOTSTRAP,
    **decoding: Any,
) -> Evaluation:
    """Scores a model on a held-out part of its own data, or on other data.

    Args:
        translator: the model.
        data: a .tsv file, a folder or a data set's name; None: the data that the model was trained on.
        split: "test" or "validation"; None: "test", or all rows of a .tsv file.
        tokenize: BLEU's tokenisation; None: `metrics.score_all` chooses.
        n_bootstrap: resamples for the intervals; 0: no intervals.
        decoding: options of DecodingConfig, such as beam_size=5; greedy by default.

    Raises:
        BundleError: the model does not record its training data.
        DataError: the data cannot be used.
        OptionError: an option is unknown or out of range.

    """
    config = DecodingConfig.from_dict(decoding, where="evaluate")
    material = find_material(translator.bundle, data, split)
    return evaluate(translator, material, config, tokenize=tokenize, n_bootstrap=n_bootstrap)


def find_material(bundle: Bundle, data: str | None = None, part: str | None = None, **options: Any) -> Material:
    """Finds the sentences to score a model on: `own_material` without `data`, else `given_material`."""
    if part not in (None, *PARTS):
        raise OptionError(f"--split: expected one of {', '.join(PARTS)}, got {part!r}")
    return own_material(bundle, part or "test") if data is None else given_material(bundle, data, part, **options)


def own_material(bundle: Bundle, part: str = "test") -> Material:
    """Reads a held-out part of the data that a model was trained on; splits the data as in training.

    Raises:
        BundleError: the model does not record its training data.
        DataError: the data is missing, or has changed.

    """
    splits = load_pairs(training_data(bundle), bundle.data)
    name = bundle.record["trained_on"].get("name", bundle.data.data)
    return Material(f"{name}, {part} part", group_references(getattr(splits, part)), tuple(splits.warnings))


def given_material(bundle: Bundle, data: str, part: str | None = None, **options: Any) -> Material:
    """Reads other data with the options of the model's own data: a whole file, or a part of a data set.

    Args:
        bundle: the model.
        data: a file, which is read whole; or a folder or a data set's name, of which one part is read.
        part: "test" (default) or "validation"; must be None for a file.
        options: fields of DataConfig that differ from the model's.

    Raises:
        DataError: the data cannot be used.
        OptionError: a part of a file, or an option is out of range.

    """
    dataset = resolve(data)
    notes = [dataset.notice] if dataset.notice else []
    if dataset.kind != "pairs" or dataset.origin != "path" or "all" not in dataset.paths:
        config = DataConfig.from_dict({**bundle.data.to_dict(), **options}, where="--data")
        splits = load_pairs(dataset, config)
        part = part or "test"
        return Material(
            f"{dataset.name}, {part} part", group_references(getattr(splits, part)), (*notes, *splits.warnings)
        )
    if part is not None:
        raise OptionError(f"--split {part}: all rows of {data} are scored; leave --split out")
    # the limits of length were for training: all given pairs are scored
    config = DataConfig.from_dict({**bundle.data.to_dict(), **UNLIMITED, **options}, where="--data")
    pairs, report = read_pairs(dataset.paths["all"], config)
    warning = report.warning()
    notes += [report.summary(), *([warning] if warning else [])]
    return Material(data, group_references(pairs), tuple(notes))


def seen_in_training(bundle: Bundle, references: Sequence[References]) -> int | None:
    """Counts sources that are in a model's training part; None where that data is missing now."""
    try:
        trained = {source_key(pair.source) for pair in load_pairs(training_data(bundle), bundle.data).train}
    except (Seq2SeqError, OSError):
        return None
    return sum(source_key(several.source) in trained for several in references)


def evaluate(
    translator: Translator,
    material: Material,
    config: DecodingConfig | None = None,
    *,
    tokenize: str | None = None,
    n_bootstrap: int = N_BOOTSTRAP,
    notice: Callable[[Replacement, int], None] = lambda replacement, line: None,
) -> Evaluation:
    """Translates sources and scores the best output of each against all its references.

    Args:
        translator: the model.
        material: sources with their references.
        config: how to decode; greedy by default.
        tokenize: BLEU's tokenisation; None: `metrics.score_all` chooses.
        n_bootstrap: resamples for the intervals; 0: no intervals.
        notice: receives each unknown character and the number of its source.

    Raises:
        DataError: there is nothing to score, or the model cannot read a source.

    """
    sources = [several.source for several in material.references]
    found = [best[0] for best in translator.outputs(sources, config or DecodingConfig(), notice=notice)]
    outputs = [clean(output.text) for output in found]  # in the form of the references
    scores = metrics.score_all(
        outputs,
        [several.references for several in material.references],
        sources,
        separator=translator.target_vocabulary.separator,
        tokenize=tokenize,
        n_bootstrap=n_bootstrap,
    )
    cut_off, looked_up = sum(not output.finished for output in found), sum(output.looked_up for output in found)
    return Evaluation(material, outputs, cut_off, scores, looked_up)


def metrics_of(translator: Translator, pairs: Sequence[Pair], *, n_bootstrap: int = 0) -> dict[str, Any]:
    """Scores a model's greedy translations of pairs, in the form of `evaluate --json`."""
    material = Material("pairs", group_references(pairs))
    return evaluate(translator, material, n_bootstrap=n_bootstrap).scores.to_dict()


def check_comparable(one: Translator, other: Translator) -> None:
    """Raises BundleError unless two models read and write the same kind of line."""
    for what, values in (
        ("separator of target symbols", [t.target_vocabulary.separator for t in (one, other)]),
        ("separator of feature tags", [t.source_vocabulary.features_sep for t in (one, other)]),
    ):
        if values[0] != values[1]:
            raise BundleError(
                f"{other.bundle.path}: expected a model with the {what} {values[0]!r} of {one.bundle.path}, "
                f"got {values[1]!r}; compare models of the same kind of data"
            )

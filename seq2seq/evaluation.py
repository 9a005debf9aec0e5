"""Scores models: finds sentences with their references, translates them, and compares what came with what should."""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq import metrics
from seq2seq.bundle import Bundle
from seq2seq.config import DataConfig, DecodingConfig
from seq2seq.corpus import Pair, read_pairs
from seq2seq.datasets import Dataset, Splits, bundled_path, load_pairs, resolve
from seq2seq.errors import BundleError, DataError, OptionError, Seq2SeqError
from seq2seq.inference import Translator
from seq2seq.lines import clean
from seq2seq.metrics import Comparison, Scores
from seq2seq.splits import References, group_references, source_key
from seq2seq.vocabulary import Replacement

PARTS = ("test", "validation")
N_BOOTSTRAP = 1000
# how a file of pairs is laid out and what is left out of it, and what of it the model was made for
LAYOUT = (
    *("source_col", "target_col", "reverse", "features_col", "on_bad_line"),
    *("max_source_length", "max_target_length"),
)
READING = (*LAYOUT, "features_sep", "source_sep", "target_sep", "lowercase")


class Material(NamedTuple):
    """What is to be scored."""

    name: str  # in words, such as "fra-eng, test part"
    references: list[References]
    notes: list[str]  # lines for the user


class Evaluation(NamedTuple):
    """What a model said, and its scores."""

    outputs: list[str]
    cut_off: int  # outputs that reached their maximum length before END
    scores: Scores


def training_data(bundle: Bundle) -> Dataset:
    """Finds the data that a model was trained on, as it was then.

    Raises:
        BundleError: the model does not say what it was trained on.
        DataError: the data is gone, or has changed.

    """
    origin = bundle.record.get("trained_on", {})
    expected = origin.get("sha256")
    if not expected:
        raise BundleError(f"{bundle.path}: does not record what it was trained on; give --data FILE.tsv")
    reasons = []
    for place in recorded_places(bundle):
        try:
            dataset = resolve(place)
        except DataError as error:
            reasons.append(f"it cannot be found: {error}")
            continue
        if dataset.sha256 == expected:
            return dataset
        reasons.append(f"what is there now has sha256 {digests(dataset.sha256)}")
    raise DataError(
        f"{bundle.path}: expected the data it was trained on, {origin.get('name', bundle.data.data)!r} with sha256 "
        f"{digests(expected)}, but {reasons[0]}; bring that data back, or give --data FILE.tsv to score another file"
    )


def recorded_places(bundle: Bundle) -> list[str]:
    """Lists names and paths under which a model's training data may be found, the likeliest first."""
    origin = bundle.record.get("trained_on", {})
    places = [bundle.data.data]
    paths = origin.get("paths", {})
    if "all" in paths:
        places.append(paths["all"])
    elif "train" in paths:
        places.append(str(Path(paths["train"]).parent))
    if origin.get("origin") == "bundled":
        # a download of the same name, made since, would hide it
        with contextlib.suppress(DataError):
            places.append(str(bundled_path(origin["name"])))
    return places


def digests(sha256: dict[str, str]) -> str:
    """Writes the beginnings of some digests."""
    return ", ".join(digest[:12] for digest in sha256.values())


def reading_options(config: DataConfig) -> dict[str, Any]:
    """Returns a data configuration as the options of `read_pairs`."""
    return {name: getattr(config, name) for name in READING}


def splits_of(dataset: Dataset, config: DataConfig) -> Splits:
    """Reads and splits a data set as a configuration says."""
    return load_pairs(dataset, seed=config.split_seed, **reading_options(config))


def own_material(bundle: Bundle, part: str = "test") -> Material:
    """Computes again a held-out part of the data that a model was trained on.

    Raises:
        BundleError: the model does not say what it was trained on.
        DataError: the data is gone, or has changed.

    """
    splits = splits_of(training_data(bundle), bundle.data)
    name = bundle.record["trained_on"].get("name", bundle.data.data)
    return Material(f"{name}, {part} part", group_references(getattr(splits, part)), splits.warnings)


def given_material(bundle: Bundle, data: str, part: str | None = None, **options: Any) -> Material:
    """Reads other data, in the way in which the model's own was read: a whole file, or a part of a set.

    Args:
        bundle: the model.
        data: a .tsv, all of whose rows are taken; a folder or a name, of which a part is.
        part: "test", the default, or "validation"; not for a .tsv.
        options: fields of DataConfig that differ from the model's.

    Raises:
        DataError: the data cannot be used.
        OptionError: a part of a .tsv, or an option out of range.

    """
    dataset = resolve(data)
    if dataset.kind != "pairs" or dataset.origin != "path" or "all" not in dataset.paths:
        config = DataConfig.from_dict({**bundle.data.to_dict(), **options}, where="--data")
        splits = splits_of(dataset, config)
        part = part or "test"
        notes = [*([dataset.notice] if dataset.notice else []), *splits.warnings]
        return Material(f"{dataset.name}, {part} part", group_references(getattr(splits, part)), notes)
    if part is not None:
        raise OptionError(f"--split {part}: all rows of {data} are scored; leave --split out")
    # the limits were for training: what is given is scored, however long
    unlimited = {"max_source_length": None, "max_target_length": None}
    config = DataConfig.from_dict({**bundle.data.to_dict(), **unlimited, **options}, where="--data")
    pairs, report = read_pairs(dataset.paths["all"], **reading_options(config))
    warning = report.warning()
    notes = [report.summary(), *([warning] if warning else [])]
    return Material(data, group_references(pairs), notes)


def seen_in_training(bundle: Bundle, references: Sequence[References]) -> int | None:
    """Counts sources that were in a model's training part; None where its data cannot be had any more."""
    try:
        trained = {source_key(pair.source) for pair in splits_of(training_data(bundle), bundle.data).train}
    except (Seq2SeqError, OSError):
        return None
    return sum(source_key(several.source) in trained for several in references)


def evaluate(
    translator: Translator,
    references: Sequence[References],
    config: DecodingConfig | None = None,
    *,
    tokenize: str | None = None,
    n_bootstrap: int = N_BOOTSTRAP,
    notice: Callable[[Replacement, int], None] = lambda replacement, line: None,
) -> Evaluation:
    """Translates sources and scores the best output of each against all its references.

    Args:
        translator: the model.
        references: sources with their references.
        config: how to decode; greedy by default.
        tokenize: BLEU's tokenisation; None: as `metrics.score_all` chooses.
        n_bootstrap: resamples for the intervals; 0: none.
        notice: receives each source character that the model does not know, with the number of its source.

    Raises:
        DataError: nothing to score, or a source that the model cannot read.

    """
    sources = [several.source for several in references]
    found = [best[0] for best in translator.outputs(sources, config or DecodingConfig(), notice=notice)]
    outputs = [clean(output.text) for output in found]  # as the references are
    scores = metrics.score_all(
        outputs,
        [several.references for several in references],
        sources,
        separator=translator.target_vocabulary.separator,
        tokenize=tokenize,
        n_bootstrap=n_bootstrap,
    )
    return Evaluation(outputs, sum(not output.finished for output in found), scores)


def metrics_of(translator: Translator, pairs: Sequence[Pair], *, n_bootstrap: int = 0) -> dict[str, Any]:
    """Scores a model's greedy translations of pairs, in the form of `evaluate --json`; rows of a source are grouped."""
    return evaluate(translator, group_references(pairs), n_bootstrap=n_bootstrap).scores.to_dict()


def compare(
    translator: Translator,
    outputs: Sequence[str],
    others: Sequence[str],
    references: Sequence[References],
    *,
    test: str = "bs",
    tokenize: str | None = None,
) -> Comparison:
    """Tests whether two models' outputs differ in score by more than chance; `translator` is one of the models."""
    return metrics.compare(
        outputs,
        others,
        [several.references for several in references],
        test=test,
        separator=translator.target_vocabulary.separator,
        tokenize=tokenize,
    )


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

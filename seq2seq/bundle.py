"""Saves and loads a finished model folder; only this module knows its contents."""

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from seq2seq.config import Config, DataConfig, ModelConfig
from seq2seq.errors import BundleError, OptionError
from seq2seq.files import read_arrays, read_json, sha256_of, write_arrays, write_atomically, write_json
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Vocabulary
from seq2seq.typed_json import damaged, from_json

FORMAT_VERSION = 1
TRANSLATOR, LANGUAGE_MODEL = "translator", "language-model"
CONFIG, WEIGHTS, METRICS, HISTORY, CANARY = (
    "config.json", "weights.safetensors", "metrics.json", "history.csv", "canary.json",
)  # fmt: skip
SOURCE_VOCABULARY, TARGET_VOCABULARY = "source_vocabulary.json", "target_vocabulary.json"
EXCERPT, DICTIONARY = "validation.txt", "dictionary.tsv"  # a model may have no such file
MODEL_FILES = (CONFIG, WEIGHTS, METRICS, HISTORY, CANARY, SOURCE_VOCABULARY, TARGET_VOCABULARY, EXCERPT, DICTIONARY)
Section = TypeVar("Section", bound=Config)


@dataclasses.dataclass(frozen=True)
class Lengths:
    """The longest lines of a translator's training data, in symbols."""

    source: int
    target: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """A finished model: settings, vocabularies and weights."""

    path: Path
    kind: str  # TRANSLATOR or LANGUAGE_MODEL
    data: DataConfig
    model: ModelConfig
    source_vocabulary: Vocabulary | None  # None: a language model
    target_vocabulary: Vocabulary
    weights: Mapping[str, np.ndarray]
    record: Mapping[str, Any]  # all of config.json, with the data's sha256 and licence and the record of training
    excerpt: str = ""  # for a language model: a part of the validation text, for prompts
    dictionary: str = ""  # for a translator: the training part's sources, each with its most frequent target


def save_bundle(
    bundle: Bundle,
    *,
    metrics: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    canary: Sequence[Mapping[str, Any]],
) -> None:
    """Writes a complete model folder, and replaces the model in it if there is one.

    `config.json` is removed first and written last, with the hash of every part: a folder without it is no model.

    Args:
        bundle: the model; the folder at its path exists.
        metrics: scores for each part of the data.
        history: a row for each epoch.
        canary: a few inputs with the model's outputs.

    """
    vocabularies = {SOURCE_VOCABULARY: bundle.source_vocabulary, TARGET_VOCABULARY: bundle.target_vocabulary}
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(history[0]) if history else ["epoch"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    path = bundle.path
    (path / CONFIG).unlink(missing_ok=True)
    for name, vocabulary in vocabularies.items():
        if vocabulary is not None:
            write_json(path / name, vocabulary.to_json())
    texts = {name: text for name, text in ((EXCERPT, bundle.excerpt), (DICTIONARY, bundle.dictionary)) if text}
    for name, text in texts.items():
        write_atomically(path / name, text)
    write_arrays(path / WEIGHTS, bundle.weights)
    write_json(path / METRICS, metrics)
    write_atomically(path / HISTORY, table.getvalue())
    write_json(path / CANARY, list(canary))
    names = [*part_names(bundle.kind), *texts]
    write_json(
        path / CONFIG,
        {
            "format": FORMAT_VERSION,
            "kind": bundle.kind,
            "data": bundle.data.to_dict(),
            "model": bundle.model.to_dict(),
            **bundle.record,
            "sha256": {name: sha256_of(path / name) for name in sorted(names)},
        },
    )


def load_bundle(path: str | Path) -> Bundle:
    """Reads a finished model folder.

    Raises:
        BundleError: the folder is missing, unfinished, damaged, in another format, or mixes parts of two models.

    """
    path = Path(path)
    record = read_record(path)
    for name, expected in record["sha256"].items():
        check_hash(path / name, expected)
    weights = read_arrays(path / WEIGHTS)
    where = str(path / CONFIG)
    data = read_section(DataConfig, record["data"], where=where)
    model = read_section(ModelConfig, record["model"], where=where)
    source = None
    if record["kind"] == TRANSLATOR:
        source = read_vocabulary(path / SOURCE_VOCABULARY, weights, "source_embedding.embeddings")
    target = read_vocabulary(path / TARGET_VOCABULARY, weights, "target_embedding.embeddings")
    excerpt, dictionary = (
        (path / name).read_bytes().decode() if name in record["sha256"] else "" for name in (EXCERPT, DICTIONARY)
    )
    return Bundle(
        path=path,
        kind=record["kind"],
        data=data,
        model=model,
        source_vocabulary=source,
        target_vocabulary=target,
        weights=weights,
        record=record,
        excerpt=excerpt,
        dictionary=dictionary,
    )


def read_record(path: Path) -> dict[str, Any]:
    """Reads config.json.

    Raises:
        BundleError: the folder is missing or unfinished, or the file is damaged or in another format.

    """
    if not path.is_dir():
        raise BundleError(f"{path}: expected a model folder, got {'a file' if path.exists() else 'nothing'} there")
    if not (path / CONFIG).is_file():
        if any(path.glob("checkpoint-*")):
            raise BundleError(f"{path}: is unfinished (no {CONFIG}); run the same train command again to finish it")
        raise BundleError(f"{path}: is not a model folder (no {CONFIG}); train one with `seq2seq train`")
    record = read_json(path / CONFIG)
    if not isinstance(record, dict) or "format" not in record:
        raise BundleError(f"{path / CONFIG}: is not a model's configuration (no 'format')")
    if record["format"] != FORMAT_VERSION:
        raise BundleError(
            f"{path / CONFIG}: has format {record['format']!r}, expected {FORMAT_VERSION}; "
            "use the version of seq2seq that wrote it"
        )
    wrong = [key for key in ("data", "model", "sha256") if not isinstance(record.get(key), dict)]
    if record.get("kind") not in (TRANSLATOR, LANGUAGE_MODEL):
        wrong.append("kind")
    if wrong:
        raise damaged(str(path / CONFIG), f"{wrong[0]} is {record.get(wrong[0])!r}")
    if "lengths" in record:
        from_json(Lengths, record["lengths"], where=f"{path / CONFIG}: lengths")
    if "source_form" in record:
        from_json(SourceForm, record["source_form"], where=f"{path / CONFIG}: source_form", optional=True)
    unlisted = [name for name in part_names(record["kind"]) if name not in record["sha256"]]
    if unlisted:
        raise damaged(str(path / CONFIG), f"no sha256 of {unlisted[0]}")
    return record


def read_section(kind: type[Section], values: Any, *, where: str) -> Section:
    """Reads one section of options from a file that this program wrote; missing options get their defaults.

    Raises:
        BundleError: a key is unknown, or a value has the wrong type or is out of range.

    """
    if not isinstance(values, dict):
        raise damaged(where, f"{kind.section} is {values!r}")
    try:
        return kind.from_dict(values, where=where)
    except OptionError as error:
        raise BundleError(f"{where}: cannot be used: {error}; use the version of seq2seq that wrote it") from error


def part_names(kind: str) -> list[str]:
    """Returns the names of the files that every model of a kind has, except for `config.json`."""
    names = [WEIGHTS, METRICS, HISTORY, CANARY, TARGET_VOCABULARY]
    return [*names, SOURCE_VOCABULARY] if kind == TRANSLATOR else names


def check_hash(path: Path, expected: str) -> None:
    """Raises BundleError if a file is missing or does not have the expected SHA-256."""
    if not path.is_file():
        raise BundleError(f"{path}: is missing; train again, or restore the file")
    if sha256_of(path) != expected:
        raise BundleError(
            f"{path}: is not the file that was written (its sha256 differs); train again, or restore the file"
        )


def read_vocabulary(path: Path, weights: Mapping[str, np.ndarray], embedding: str) -> Vocabulary:
    """Reads one vocabulary.

    Raises:
        BundleError: the file is damaged, or the weights named `embedding` do not have one row for each id.

    """
    vocabulary = Vocabulary.from_json(read_json(path), where=str(path))
    rows = weights[embedding].shape[0] if embedding in weights else 0
    if rows != len(vocabulary):
        raise BundleError(
            f"{path.parent}: {embedding} has {rows} rows, its vocabulary {len(vocabulary)} ids; "
            "the folder mixes parts of different models"
        )
    return vocabulary


def kind_in(folder: Path) -> str | None:
    """Returns the kind of model in a folder; None if there is none, or only another program's config.json."""
    try:
        record = read_json(folder / CONFIG)
    except BundleError:
        return None
    written_here = isinstance(record, dict) and {"format", "kind", "sha256"} <= set(record)
    return str(record["kind"]) if written_here and record["kind"] in (TRANSLATOR, LANGUAGE_MODEL) else None


RUNS = Path("runs")  # where `train` writes models, and where the other verbs find them


def newest_bundle(runs: Path, kind: str | None = None) -> Path:
    """Finds the model folder that was finished last, with models of one kind or of any.

    Raises:
        BundleError: there is no such model.

    """
    finished = sorted(runs.glob(f"*/{CONFIG}"), key=lambda path: path.stat().st_mtime_ns)
    finished = [path for path in finished if (found := kind_in(path.parent)) and kind in (None, found)]
    if not finished:
        what = kind or "model"
        raise BundleError(f"no finished {what} under {runs}/; train one (`make train`), or give --model DIR")
    return finished[-1].parent

"""Saves and loads a finished model folder; only this module knows its contents."""

import csv
import dataclasses
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.config import DataConfig, ModelConfig
from seq2seq.errors import BundleError
from seq2seq.fields import flag_of
from seq2seq.files import check_hash, read_arrays, read_json, sha256_of, write_arrays, write_atomically, write_json
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Vocabulary
from seq2seq.typed_json import damaged, from_json, read_section

FORMAT_VERSION = 1
TRANSLATOR, LANGUAGE_MODEL = "translator", "language-model"
CONFIG, WEIGHTS, METRICS, HISTORY, CANARY = (
    "config.json", "weights.safetensors", "metrics.json", "history.csv", "canary.json",
)  # fmt: skip
SOURCE_VOCABULARY, TARGET_VOCABULARY = "source_vocabulary.json", "target_vocabulary.json"
EXCERPT = "validation.txt"
MODEL_FILES = (CONFIG, WEIGHTS, METRICS, HISTORY, CANARY, SOURCE_VOCABULARY, TARGET_VOCABULARY, EXCERPT)
MEMBER = re.compile(r"member-[1-9][0-9]*")  # the folder of an ensemble's member, a model folder inside the ensemble's
OWN_KEYS = {"format", "kind", "data", "model", "signature", "train", "sha256"}  # of config.json, not an ensemble's
SYMBOL_OPTIONS = ("lowercase", "unit", "source_sep", "target_sep")  # of DataConfig: what a symbol is


@dataclasses.dataclass(frozen=True)
class Lengths:
    """The longest lines of a translator's training data, in symbols."""

    source: int
    target: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """A finished model: settings, vocabularies and weights. An ensemble has members in place of weights."""

    path: Path
    kind: str  # TRANSLATOR or LANGUAGE_MODEL
    data: DataConfig
    model: ModelConfig
    source_vocabulary: Vocabulary | None  # None: a language model
    target_vocabulary: Vocabulary
    weights: Mapping[str, np.ndarray]
    record: Mapping[str, Any]  # all of config.json, with the data's sha256 and licence and the record of training
    excerpt: str = ""  # for a language model: a part of the validation text, for prompts
    members: tuple["Bundle", ...] = ()  # of an ensemble; its other fields are those of its first member


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
        bundle: the model; the folder at its path exists, and those of an ensemble's members are finished.
        metrics: scores for each part of the data.
        history: a row for each epoch; an ensemble has none.
        canary: a few inputs with the model's outputs.

    """
    path = bundle.path
    (path / CONFIG).unlink(missing_ok=True)
    names = part_names(bundle.kind, bundle.record.get("members", ()))
    if not bundle.members:
        names += [EXCERPT] if bundle.excerpt else []
        save_trained(bundle, history)
    write_json(path / METRICS, metrics)
    write_json(path / CANARY, list(canary))
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


def save_trained(bundle: Bundle, history: Sequence[Mapping[str, float]]) -> None:
    """Writes the parts of a model that training made: vocabularies, weights, history and excerpt."""
    path = bundle.path
    vocabularies = {SOURCE_VOCABULARY: bundle.source_vocabulary, TARGET_VOCABULARY: bundle.target_vocabulary}
    for name, vocabulary in vocabularies.items():
        if vocabulary is not None:
            write_json(path / name, vocabulary.to_json())
    if bundle.excerpt:
        write_atomically(path / EXCERPT, bundle.excerpt)
    write_arrays(path / WEIGHTS, bundle.weights)
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(history[0]) if history else ["epoch"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_atomically(path / HISTORY, table.getvalue())


def load_bundle(path: str | Path) -> Bundle:
    """Reads a finished model folder.

    Raises:
        BundleError: the folder is missing, unfinished, damaged, in another format, or mixes parts of two models.

    """
    path = Path(path)
    record = read_record(path)
    for name, expected in record["sha256"].items():
        check_hash(path / name, expected)
    if "members" in record:
        return dataclasses.replace(join_members(path, record["members"]), record=record)
    weights = read_arrays(path / WEIGHTS)
    where = str(path / CONFIG)
    data = read_section(DataConfig, record["data"], where=where)
    model = read_section(ModelConfig, record["model"], where=where)
    source = None
    if record["kind"] == TRANSLATOR:
        source = read_vocabulary(path / SOURCE_VOCABULARY, weights, "source_embedding.embeddings")
    target = read_vocabulary(path / TARGET_VOCABULARY, weights, "target_embedding.embeddings")
    return Bundle(
        path=path,
        kind=record["kind"],
        data=data,
        model=model,
        source_vocabulary=source,
        target_vocabulary=target,
        weights=weights,
        record=record,
        excerpt=(path / EXCERPT).read_bytes().decode() if EXCERPT in record["sha256"] else "",
    )


def join_members(path: Path, names: Sequence[str]) -> Bundle:
    """Makes an ensemble of the finished models in the folders `names` of `path`; raises as `ensemble_of`."""
    return ensemble_of(path, tuple(load_bundle(path / name) for name in names))


def ensemble_of(path: Path, members: tuple[Bundle, ...]) -> Bundle:
    """Makes one model, with the folder `path`, of several.

    Raises:
        BundleError: a member does not read and write the symbols of the first one.

    """
    first = members[0]
    expected = symbols_of(first)
    for member in members[1:]:
        other = next((what for what, value in symbols_of(member).items() if value != expected.get(what)), None)
        if other:
            raise BundleError(
                f"{member.path}: expected the {other} of {first.path}, which is a member of the same ensemble, "
                "got another; the members must be trained on the same data, read in the same way"
            )
    record = {key: value for key, value in first.record.items() if key not in OWN_KEYS}
    record["members"] = [member.path.name for member in members]
    if all("lengths" in member.record for member in members):
        sides = ("source", "target")
        record["lengths"] = {side: max(member.record["lengths"][side] for member in members) for side in sides}
    if len({str(member.record.get("trained_on", {}).get("sha256")) for member in members}) > 1:
        record.pop("trained_on", None)
    return dataclasses.replace(first, path=path, weights={}, members=members, record=record)


def symbols_of(bundle: Bundle) -> dict[str, Any]:
    """Returns by name what the members of an ensemble have in common: their kind, and what they read and write."""
    own = {"path", "data", "model", "weights", "record", "excerpt", "members"}
    fields = [field.name for field in dataclasses.fields(bundle) if field.name not in own]
    found = {name.replace("_", " "): getattr(bundle, name) for name in fields}
    found |= {flag_of(name): getattr(bundle.data, name) for name in SYMBOL_OPTIONS}
    return {**found, "source form": SourceForm.from_record(bundle.record)}


def read_record(path: Path) -> dict[str, Any]:
    """Reads config.json.

    Raises:
        BundleError: the folder is missing or unfinished, or the file is damaged or in another format.

    """
    if not path.is_dir():
        raise BundleError(f"{path}: expected a model folder, got {'a file' if path.exists() else 'nothing'} there")
    if not (path / CONFIG).is_file():
        if any(path.glob("checkpoint-*")) or any(path.glob("member-*")):
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
    if "members" in record and not are_members(record["members"]):
        wrong.append("members")
    if wrong:
        raise damaged(str(path / CONFIG), f"{wrong[0]} is {record.get(wrong[0])!r}")
    if "lengths" in record:
        from_json(Lengths, record["lengths"], where=f"{path / CONFIG}: lengths")
    if "source_form" in record:
        from_json(SourceForm, record["source_form"], where=f"{path / CONFIG}: source_form", optional=True)
    names = part_names(record["kind"], record.get("members", ()))
    unlisted = [name for name in names if name not in record["sha256"]]
    if unlisted:
        raise damaged(str(path / CONFIG), f"no sha256 of {unlisted[0]}")
    return record


def are_members(names: Any) -> bool:
    """Returns whether a JSON value lists the folders of an ensemble's members."""
    listed = isinstance(names, list) and all(isinstance(name, str) and MEMBER.fullmatch(name) for name in names)
    return listed and 0 < len(names) == len(set(names))


def part_names(kind: str, members: Sequence[str] = ()) -> list[str]:
    """Returns the names of the files that every model of a kind, or an ensemble, has, except for `config.json`.

    An ensemble has the `config.json` of each member, which lists the member's files in turn.
    """
    if members:
        return [METRICS, CANARY, *(f"{member}/{CONFIG}" for member in members)]
    names = [WEIGHTS, METRICS, HISTORY, CANARY, TARGET_VOCABULARY]
    return [*names, SOURCE_VOCABULARY] if kind == TRANSLATOR else names


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

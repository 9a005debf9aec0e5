"""Saves and loads a finished model folder; only this module knows its contents."""

import csv
import dataclasses
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.bundle.exported import is_export, read_export
from seq2seq.bundle.parts import check_source_form, read_edits, read_text, read_vocabulary
from seq2seq.bundle.record import (
    CANARY,
    CONFIG,
    DICTIONARY,
    EDITS,
    EXCERPT,
    FORMAT_VERSION,
    HALF,
    HISTORY,
    LICENCE,
    METRICS,
    PRECISION,
    SEAL,
    SOURCE_VOCABULARY,
    TARGET_VOCABULARY,
    TRANSLATOR,
    UNKNOWN_LENGTHS,
    WEIGHTS,
    Lengths,
    check_part,
    check_seal,
    part_names,
    read_record,
    sealed,
)
from seq2seq.bundle.weights import check_tables, read_tensors, weight_shapes
from seq2seq.config import TRANSDUCER, DataConfig, ModelConfig
from seq2seq.errors import BundleError
from seq2seq.fields import flag_of
from seq2seq.files.reading import sha256_of
from seq2seq.files.writing import arrays_bytes, json_text, write_together
from seq2seq.text.edit_distance import EditDistance
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Vocabulary
from seq2seq.typed_json import damaged, read_section

# of config.json, not an ensemble's
OWN_KEYS = {"format", "kind", "data", "model", "signature", "train", "sha256", PRECISION, SEAL}
# keys of the section `model` that every version wrote
SIZES = ("hidden_size", "embedding_size", "layers", "rnn", "bidirectional", "attention")
SYMBOL_OPTIONS = ("lowercase", "unit", "source_sep", "target_sep")  # of DataConfig: what a symbol is


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
    dictionary: str = ""  # for a translator: the training part's sources, each with its most frequent target
    edits: EditDistance | None = None  # for a transducer: what aligns sources with targets
    licence: str = ""  # text that goes with the model wherever it goes
    graphs: Mapping[str, bytes] = field(default_factory=dict)  # of an export, in place of weights: ONNX files by name
    members: tuple["Bundle", ...] = ()  # of an ensemble; its other fields are those of its first member

    @property
    def lengths(self) -> Lengths:
        """The longest lines of a translator's training data."""
        return Lengths(**self.record["lengths"]) if "lengths" in self.record else UNKNOWN_LENGTHS


def check_weights(bundle: Bundle) -> None:
    """Raises BundleError for an export, where weights are needed."""
    if bundle.graphs:
        raise BundleError(
            f"{bundle.path}: is an export, which has graphs in place of weights; name the model folder it was made of"
        )


def save_bundle(
    bundle: Bundle,
    *,
    metrics: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    canary: Sequence[Mapping[str, Any]],
) -> None:
    """Writes a complete model folder, and replaces the model in it if there is one.

    All parts are first written under other names, so that an older model stays whole where there is no room for them.
    Then its `config.json` is removed; the new one gets its name last, with the hash of every part: a folder without it
    is no model.

    Args:
        bundle: the model; the folder at its path exists, and those of an ensemble's members are finished.
        metrics: scores for each part of the data.
        history: a row for each epoch; an ensemble has none.
        canary: a few inputs with the model's outputs.

    Raises:
        OSError: the system refuses, for example because the disk is full.

    """
    path = bundle.path
    parts: dict[str, bytes | str] = {} if bundle.members else trained_parts(bundle, history)
    if bundle.licence:
        parts[LICENCE] = bundle.licence
    parts |= {METRICS: json_text(metrics), CANARY: json_text(list(canary))}
    sha256 = {name: hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()
              for name, content in parts.items()}  # fmt: skip
    members = part_names(bundle.kind, bundle.record.get("members", ()))
    sha256 |= {name: sha256_of(path / name) for name in members if name not in sha256}
    record = {
        "format": FORMAT_VERSION,
        "kind": bundle.kind,
        "data": bundle.data.to_dict(),
        "model": bundle.model.to_dict(),
        **bundle.record,
        "sha256": dict(sorted(sha256.items())),
    }
    write_together(path, {**parts, CONFIG: json_text(sealed(record))}, marker=CONFIG)


def trained_parts(bundle: Bundle, history: Sequence[Mapping[str, float]]) -> dict[str, bytes | str]:
    """Returns by name the parts of a model that training made: vocabularies, weights, history and excerpt."""
    vocabularies = {SOURCE_VOCABULARY: bundle.source_vocabulary, TARGET_VOCABULARY: bundle.target_vocabulary}
    parts: dict[str, bytes | str] = {
        name: json_text(vocabulary.to_json()) for name, vocabulary in vocabularies.items() if vocabulary is not None
    }
    parts |= {name: text for name, text in ((EXCERPT, bundle.excerpt), (DICTIONARY, bundle.dictionary)) if text}
    if bundle.edits:
        parts[EDITS] = arrays_bytes(bundle.edits.tensors())
    kept = np.float16 if bundle.record.get(PRECISION) == HALF else np.float32
    weights = {name: array.astype(kept, copy=False) for name, array in bundle.weights.items()}
    parts[WEIGHTS] = arrays_bytes(weights)
    table = io.StringIO()
    writer = csv.DictWriter(table, fieldnames=list(history[0]) if history else ["epoch"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return {**parts, HISTORY: table.getvalue()}


def load_bundle(path: str | Path) -> Bundle:
    """Reads a finished model folder, and checks all of it before anything of the model's size is made; or an export.

    Raises:
        BundleError: the folder is missing, unfinished, damaged, in another format, or mixes parts of two models.

    """
    path = Path(path)
    if is_export(path):
        return Bundle(**read_export(path))
    record = read_record(path)
    for name, expected in record["sha256"].items():
        check_part(path, name, expected)
    bundle = join_recorded(path, record) if "members" in record else read_single(path, record)
    check_seal(path, record)
    return dataclasses.replace(bundle, licence=read_text(path, record, LICENCE))


def read_single(path: Path, record: Mapping[str, Any]) -> Bundle:
    """Reads the parts of one model, whose hashes are checked; raises as `load_bundle`."""
    where = str(path / CONFIG)
    data = read_section(DataConfig, record["data"], where=where)
    model = read_section(ModelConfig, record["model"], where=where)
    unsaid = next((size for size in SIZES if record["model"].get(size) is None), None)
    if unsaid:
        raise damaged(where, f"no {unsaid!r} in the section 'model'")
    source, target = None, read_vocabulary(path / TARGET_VOCABULARY)
    if record["kind"] == TRANSLATOR:
        source = read_vocabulary(path / SOURCE_VOCABULARY)
        check_source_form(record, len(source), where=where)
    shapes = weight_shapes(
        model,
        source_size=len(source) if source else 0,
        target_size=len(target),
        has_tags=bool(source and source.features_sep),
    )
    weights = read_tensors(path / WEIGHTS, shapes, np.dtype(record.get(PRECISION, np.float32)))
    check_tables(model, shapes, where=where)  # of sizes that the weights have: a wrong size is said to be wrong
    transduces = source is not None and model.architecture == TRANSDUCER
    return Bundle(
        path=path,
        kind=record["kind"],
        data=data,
        model=model,
        source_vocabulary=source,
        target_vocabulary=target,
        weights=weights,
        record=record,
        excerpt=read_text(path, record, EXCERPT),
        dictionary=read_text(path, record, DICTIONARY),
        edits=read_edits(path, record, len(source), len(target)) if source and transduces else None,
    )


def join_members(path: Path, names: Sequence[str]) -> Bundle:
    """Makes an ensemble of the finished models in the folders `names` of `path`; raises as `ensemble_of`."""
    return ensemble_of(path, tuple(load_bundle(path / name) for name in names))


def join_recorded(path: Path, record: Mapping[str, Any]) -> Bundle:
    """Makes the ensemble of a folder that records it.

    Raises:
        BundleError: a member is an ensemble, or the members make another ensemble than is recorded.

    """
    where = str(path / CONFIG)
    for name in record["members"]:
        if "members" in read_record(path / name):
            raise damaged(where, f"{name} is an ensemble, expected one model")
    bundle = join_members(path, record["members"])
    recorded = {
        "kind": record["kind"],
        "data": read_section(DataConfig, record["data"], where=where),
        "model": read_section(ModelConfig, record["model"], where=where),
    }
    differing = [key for key, value in recorded.items() if value != getattr(bundle, key)]
    kept = ("lengths", "source_form", "restarts")
    differing += [key for key in kept if record.get(key) != bundle.record.get(key)]
    if differing:
        raise damaged(where, f"{differing[0]} is not that of the members")
    return dataclasses.replace(bundle, record=record)


def ensemble_of(path: Path, members: tuple[Bundle, ...]) -> Bundle:
    """Makes one model, with the folder `path`, of several.

    Raises:
        BundleError: a member does not read and write the symbols of the first one, or is an export.

    """
    first = members[0]
    for member in members:
        check_weights(member)
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
    licence = "\n".join(dict.fromkeys(member.licence for member in members if member.licence))
    return dataclasses.replace(first, path=path, weights={}, members=members, record=record, licence=licence)


def symbols_of(bundle: Bundle) -> dict[str, Any]:
    """Returns by name what the members of an ensemble have in common: their kind, and what they read and write."""
    own = {"path", "data", "model", "weights", "graphs", "record", "excerpt", "dictionary", "licence", "members"}
    fields = [field.name for field in dataclasses.fields(bundle) if field.name not in own]
    found = {name.replace("_", " "): getattr(bundle, name) for name in fields}
    found |= {flag_of(name): getattr(bundle.data, name) for name in SYMBOL_OPTIONS}
    return {**found, "source form": SourceForm.from_record(bundle.record)}

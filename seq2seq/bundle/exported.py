"""The description of an exported model, `model.json`, and reading an export: graphs stand in place of weights."""

import dataclasses
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from seq2seq.bundle.parts import check_source_form, read_edits, read_text
from seq2seq.bundle.record import CONFIG, HASH, LARGEST, LICENCE, MIB, TRANSLATOR, Lengths, check_part
from seq2seq.config import TRANSDUCER, DataConfig, ModelConfig
from seq2seq.errors import BundleError, brief
from seq2seq.files.reading import check_file, read_json, sha256_of
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Vocabulary
from seq2seq.typed_json import damaged, from_json, read_section

DESCRIPTION = "model.json"
ONNX = "onnx"
EXPORT_FORMAT, EXPORT_VERSION = "seq2seq-export", 1
LARGEST_DESCRIPTION, LARGEST_GRAPH = 64 * MIB, LARGEST["weights.safetensors"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
    """The keys of model.json."""

    format: str
    version: int
    written_by: str
    form: str  # of the files: "onnx"
    kind: Literal["translator", "language-model"]
    writes: Literal["symbols", "actions"]  # what the ids of a step's output stand for
    members: int = 1  # of an ensemble, which has the same graphs as one model
    quantized: str | None = None
    opset: int | None = None
    graphs: dict[str, Any]  # by name: the file, and name, dtype, shape and meaning of each input and output
    axes: dict[str, str]  # what the letters of shapes stand for
    loop: list[str]  # how a program runs the graphs, in words
    special_ids: dict[str, int]
    never_written: list[int]
    source_vocabulary: dict[str, Any] | None = None  # symbols in the order of their ids, which begin at 4
    target_vocabulary: dict[str, Any]
    text: dict[str, Any]  # how a line becomes symbols, and symbols become text
    source_form: SourceForm = field(default_factory=SourceForm)
    lengths: dict[str, int] | None = None  # of a translator: the longest source and target of its training data
    max_length: int | None = None
    restarts: int = 0
    actions: dict[str, Any] | None = None
    data: dict[str, Any]  # a DataConfig
    model: dict[str, Any]  # a ModelConfig
    sha256: dict[str, str]  # of each file that `seq2seq` reads again


def is_export(folder: Path) -> bool:
    """Returns whether a folder is an export, and no model folder."""
    return (folder / DESCRIPTION).exists() and not (folder / CONFIG).exists()


def identity_file(folder: Path) -> Path:
    """Returns the file whose hash tells a model from others: a model folder's config.json, an export's model.json."""
    return folder / (DESCRIPTION if is_export(folder) else CONFIG)


def identity(folder: Path) -> str:
    """Returns the hash that tells a model from others; empty where the folder holds none."""
    file = identity_file(folder)
    return sha256_of(file) if file.is_file() else ""


def check_identity(folder: Path, expected: str) -> None:
    """Raises BundleError where a folder, which was just loaded, holds another model than `identity` found there."""
    if identity(folder) != expected:
        raise BundleError(f"{folder}: holds another model than when this program started; start it again")


def read_description(folder: Path) -> Description:
    """Reads model.json, and checks the hashes of the files that it lists.

    Raises:
        BundleError: it is missing, damaged, of another program or version, or a file is not the one that was written.

    """
    where = str(folder / DESCRIPTION)
    check_file(folder, DESCRIPTION, largest=LARGEST_DESCRIPTION)
    values = read_json(folder / DESCRIPTION)
    if not isinstance(values, dict) or values.get("format") != EXPORT_FORMAT:
        raise BundleError(f"{where}: is not the description of an export of this package; give a model folder")
    if values.get("version") != EXPORT_VERSION:
        raise BundleError(
            f"{where}: has version {brief(values.get('version'))}, expected {EXPORT_VERSION}; use the version of "
            "seq2seq that wrote it"
        )
    found = from_json(Description, values, where=where, optional=True)
    for name, digest in found.sha256.items():
        if Path(name).name != name or name in (".", "..") or not HASH.fullmatch(digest):
            raise damaged(where, f"sha256 of {brief(name)} is {brief(digest)}")
        check_part(folder, name, digest, largest=LARGEST.get(name, LARGEST_GRAPH))
    return found


def read_export(folder: Path) -> dict[str, Any]:
    """Reads an export; returns the fields of a Bundle, whose graphs stand in place of weights.

    Raises:
        BundleError: see `read_description`; or the files are not those that `seq2seq` runs.

    """
    found, where = read_description(folder), str(folder / DESCRIPTION)
    if found.form != ONNX:
        raise BundleError(f"{folder}: is an export as {found.form}, which seq2seq does not run; name the model folder")
    graphs = ("encoder", "step") if found.kind == TRANSLATOR else ("step",)
    unlisted = next((name for name in graphs if f"{name}.onnx" not in found.sha256), None)
    if unlisted:
        raise damaged(where, f"no sha256 of {unlisted}.onnx")
    source, target = (
        None if values is None else Vocabulary.from_json(values, where=where)
        for values in (found.source_vocabulary, found.target_vocabulary)
    )
    if (source is None) == (found.kind == TRANSLATOR) or target is None:
        raise damaged(where, "expected a source vocabulary of a translator alone")
    record: dict[str, Any] = {"source_form": found.source_form.to_dict(), "sha256": found.sha256}
    if found.lengths:
        record["lengths"] = dataclasses.asdict(from_json(Lengths, found.lengths, where=f"{where}: lengths"))
    if found.restarts:
        record["restarts"] = found.restarts
    if source is not None:
        check_source_form(record, len(source), where=where)
    model = read_section(ModelConfig, found.model, where=where)
    transduces = source is not None and model.architecture == TRANSDUCER
    return {
        "path": folder,
        "kind": found.kind,
        "data": read_section(DataConfig, found.data, where=where),
        "model": model,
        "source_vocabulary": source,
        "target_vocabulary": target,
        "weights": {},
        "record": record,
        "edits": read_edits(folder, record, len(source), len(target)) if source and transduces else None,
        "licence": read_text(folder, record, LICENCE),
        "graphs": {name: (folder / f"{name}.onnx").read_bytes() for name in graphs},
    }

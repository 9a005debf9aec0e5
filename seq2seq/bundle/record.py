"""The files of a model folder, and the schema of its `config.json`: read and checked without the weights."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

from seq2seq.errors import BundleError, brief
from seq2seq.fields import option
from seq2seq.files.reading import changed, check_file, check_hash, read_json
from seq2seq.files.writing import PARTIAL
from seq2seq.text.source_layout import SourceForm
from seq2seq.typed_json import damaged, from_json

FORMAT_VERSION = 1
TRANSLATOR, LANGUAGE_MODEL = "translator", "language-model"
CONFIG, WEIGHTS, METRICS, HISTORY, CANARY = (
    "config.json", "weights.safetensors", "metrics.json", "history.csv", "canary.json",
)  # fmt: skip
SOURCE_VOCABULARY, TARGET_VOCABULARY = "source_vocabulary.json", "target_vocabulary.json"
# a model may have no such file
EXCERPT, EDITS, DICTIONARY, LICENCE = "validation.txt", "edits.safetensors", "dictionary.tsv", "LICENSE.txt"
PULLED = "pulled.json"  # beside a model from a hub: the repository that it came from
MIB = 1 << 20
LARGEST = {  # bytes of each file; a larger one is not read
    CONFIG: MIB, WEIGHTS: 2048 * MIB, METRICS: 16 * MIB, HISTORY: 16 * MIB, CANARY: MIB, SOURCE_VOCABULARY: 32 * MIB,
    TARGET_VOCABULARY: 32 * MIB, EXCERPT: MIB, EDITS: 512 * MIB, DICTIONARY: 16 * MIB, LICENCE: MIB,
}  # fmt: skip
MODEL_FILES = tuple(LARGEST)
PRECISION, HALF = "weights", "float16"  # config.json's key and value where weights are stored as float16
SEAL = "config_sha256"  # config.json's key of its own hash
MEMBER = re.compile(r"member-[1-9][0-9]{0,3}")  # the folder of an ensemble's member, a model folder in the ensemble's
LONGEST_LINE = 10_000  # symbols; decoding takes a longer line of the training data for one of this length
HASH = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Lengths:
    """The longest lines of a translator's training data, in symbols."""

    source: int = option(dataclasses.MISSING, "of a source", at_least=1, at_most=LONGEST_LINE)
    target: int = option(dataclasses.MISSING, "of a target", at_least=1, at_most=LONGEST_LINE)

    @classmethod
    def of(cls, source: int, target: int) -> dict[str, int]:
        """Returns the lengths as config.json has them."""
        return dataclasses.asdict(cls(*(min(max(length, 1), LONGEST_LINE) for length in (source, target))))


UNKNOWN_LENGTHS = Lengths(100, 100)  # of a translator whose record has none


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainedOn:
    """The data of a model."""

    name: str = ""
    origin: str = ""
    paths: dict[str, str] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)
    licence: str | None = None
    pairs: dict[str, int] = field(default_factory=dict)
    symbols: dict[str, int] = field(default_factory=dict)
    characters: dict[str, int] = field(default_factory=dict)
    hallucinated: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Configuration:
    """The keys of config.json; those without a default are in every one. A new key needs a new FORMAT_VERSION."""

    format: int
    kind: Literal["translator", "language-model"]
    data: dict[str, Any]  # a DataConfig
    model: dict[str, Any]  # a ModelConfig
    sha256: dict[str, str]  # of each other file
    config_sha256: str = ""  # of this file; empty: an early version wrote it
    weights: Literal["float32", "float16"] = "float32"
    members: list[str] = field(default_factory=list)  # of an ensemble
    lengths: Lengths = UNKNOWN_LENGTHS  # of a translator
    source_form: SourceForm = field(default_factory=SourceForm)  # of an adopted translator
    restarts: int = option(0, "symbols that a step reads again", at_least=0, at_most=LONGEST_LINE)  # of an adopted text
    trained_on: TrainedOn = field(default_factory=TrainedOn)
    # how the model was made; nothing of it changes an output
    train: dict[str, Any] = field(default_factory=dict)
    signature: dict[str, Any] = field(default_factory=dict)
    adopted: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    teacher: str = ""
    scored: str = ""


def read_record(path: Path) -> dict[str, Any]:
    """Reads config.json and checks all of it, but for the options in its sections.

    Raises:
        BundleError: the folder is missing or unfinished, or the file is damaged or in another format.

    """
    if not path.is_dir():
        left = left_beside(path)
        found = (
            "a file there"
            if path.exists()
            else f"nothing there, but {describe_left(left)}"
            if left
            else "nothing there; `seq2seq models` lists those that there are"
        )
        raise BundleError(f"{path}: expected a model folder, got {found}")
    where = str(path / CONFIG)
    if not (path / CONFIG).exists():
        if any(path.glob("checkpoint-*")) or any(path.glob("member-*")):
            raise BundleError(f"{path}: is unfinished (no {CONFIG}); run the same train command again to finish it")
        raise BundleError(f"{path}: is not a model folder (no {CONFIG}); train one with `seq2seq train`")
    check_file(path, CONFIG, largest=LARGEST[CONFIG])
    record = read_json(path / CONFIG)
    if not isinstance(record, dict) or "format" not in record:
        raise BundleError(f"{where}: is not a model's configuration (no 'format')")
    if record["format"] != FORMAT_VERSION:
        versions = record.get("versions")
        writer = versions.get("seq2seq") if isinstance(versions, dict) else None
        raise BundleError(
            f"{where}: has format {brief(record['format'])}, expected {FORMAT_VERSION}; use the version of seq2seq "
            f"that wrote it{f' ({brief(writer)})' if writer else ''}"
        )
    problem = contradiction(record, from_json(Configuration, record, where=where, optional=True))
    if problem:
        raise damaged(where, problem)
    return record


def contradiction(record: Mapping[str, Any], found: Configuration) -> str | None:
    """Returns which keys of config.json lack or contradict another, in words; None: none does."""
    if "members" in record and not are_members(found.members):
        return f"members is {brief(found.members)}"
    names = part_names(found.kind, found.members)
    unlisted = next((name for name in names if name not in found.sha256), None)
    if unlisted:
        return f"no sha256 of {unlisted}"
    optional = (LICENCE,) if found.members else (LICENCE, EXCERPT, EDITS, DICTIONARY)
    for name, digest in found.sha256.items():
        if name not in names and name not in optional:
            return f"lists the file {brief(name)}, which is no part of a model"
        if not HASH.fullmatch(digest):
            return f"the sha256 of {name} is {brief(digest)}"
    needed = ["lengths"] if found.kind == TRANSLATOR else []
    if found.adopted:
        needed.append("source_form" if found.kind == TRANSLATOR else "restarts")
    missing = next((key for key in needed if key not in record), None)
    return missing and f"no {missing!r}"


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of config.json with its own hash as the last key."""
    content = {key: value for key, value in record.items() if key != SEAL}
    return {**content, SEAL: hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()}


def check_seal(path: Path, record: Mapping[str, Any]) -> None:
    """Raises BundleError where the folder's config.json does not have its own hash; early ones have none."""
    try:
        whole = not record.get(SEAL) or record[SEAL] == sealed(record)[SEAL]
    except RecursionError:
        whole = False
    if not whole:
        raise changed(path / CONFIG)


def check_part(path: Path, name: str, expected: str, *, largest: int | None = None) -> None:
    """Raises BundleError where a file of the folder `path` is missing, too large, elsewhere, or has another SHA-256."""
    check_file(path, name, largest=largest or LARGEST[Path(name).name])
    check_hash(path / name, expected)


def are_members(names: Sequence[str]) -> bool:
    """Returns whether names are those of the folders of an ensemble's members."""
    return 0 < len(names) == len(set(names)) and all(map(MEMBER.fullmatch, names))


def left_beside(path: Path) -> list[Path]:
    """Returns the whole model folders that a replacement of `path` left under other names, since it was killed."""
    name = re.compile(re.escape(path.name) + r"(\.\d+)?" + re.escape(PARTIAL))
    beside = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
    return [each for each in beside if name.fullmatch(each.name) and kind_in(each)]


def describe_left(folders: Sequence[Path]) -> str:
    """Says what the folders are that `left_beside` found, and the way out."""
    return (
        f"a replacement that was killed left {' and '.join(map(str, folders))} beside it, each a whole model: look "
        "with `seq2seq verify --model`, rename the one you want, and remove the others"
    )


def part_names(kind: str, members: Sequence[str] = ()) -> list[str]:
    """Returns the names of the files that every model of a kind, or an ensemble, has, except for `config.json`.

    An ensemble has the `config.json` of each member, which lists the member's files in turn.
    """
    if members:
        return [METRICS, CANARY, *(f"{member}/{CONFIG}" for member in members)]
    names = [WEIGHTS, METRICS, HISTORY, CANARY, TARGET_VOCABULARY]
    return [*names, SOURCE_VOCABULARY] if kind == TRANSLATOR else names


def kind_in(folder: Path) -> str | None:
    """Returns the kind of model in a folder; None if there is none, or only another program's config.json."""
    try:
        check_file(folder, CONFIG, largest=LARGEST[CONFIG])
        record = read_json(folder / CONFIG)
    except BundleError:
        return None
    written_here = isinstance(record, dict) and {"format", "kind", "sha256"} <= set(record)
    return str(record["kind"]) if written_here and record["kind"] in (TRANSLATOR, LANGUAGE_MODEL) else None


RUNS = Path("runs")  # where `train` writes models, and where the other verbs find them
PRETRAINED = Path(__file__).resolve().parents[1] / "pretrained"  # the models that come with the package
PRETRAINED_NAMES = ("dates", "eng-g2p", "fra-eng", "prose")
DEFAULT_MODELS = {TRANSLATOR: "fra-eng", LANGUAGE_MODEL: "prose"}  # where nothing is trained, by kind


def finished_bundles(runs: Path) -> list[Path]:
    """Returns the folders of finished models of this program under `runs`, the newest last."""
    finished = sorted(runs.glob(f"*/{CONFIG}"), key=lambda path: path.stat().st_mtime_ns)
    return [path.parent for path in finished if kind_in(path.parent)]


def newest_bundle(runs: Path, kind: str | None = None) -> Path:
    """Finds the model folder that was finished last, with models of one kind or of any.

    Raises:
        BundleError: there is no such model.

    """
    finished = [path for path in finished_bundles(runs) if kind in (None, kind_in(path))]
    if not finished:
        what = kind or "model"
        raise BundleError(f"no finished {what} under {runs}/; train one (`make train`), or give --model DIR")
    return finished[-1]


def pretrained_bundle(name: str) -> Path | None:
    """Returns the folder of a model that comes with the package; None where this copy of the package lacks it."""
    folder = PRETRAINED / name
    return folder if name in PRETRAINED_NAMES and kind_in(folder) else None


def named_bundle(name_or_path: str | Path) -> Path:
    """Finds the folder that a user names: a path, or the name of a model of the package; a path wins over a name.

    Raises:
        BundleError: it is no path, or the name of such a model that this copy of the package lacks.

    """
    if not isinstance(name_or_path, str | Path) or "\0" in str(name_or_path):
        raise BundleError(f"expected a model folder, got {name_or_path!r}; give its path, or the name of a model")
    path, name = Path(name_or_path), str(name_or_path)
    if path.exists() or name not in PRETRAINED_NAMES:
        return path
    folder = pretrained_bundle(name)
    if folder is None:
        raise BundleError(
            f"{name}: is a model of the package, which this copy of it lacks; make it in a clone of the repository: "
            f"make pretrained MODEL={name}, or give --model DIR"
        )
    return folder


def public_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the content of config.json for a model that others get: without places of this computer.

    What the options of the run were goes too: `train` then does not take the copy for its own run.
    """
    public = {key: value for key, value in record.items() if key != "signature"}
    public["data"] = {**record["data"], "data": Path(str(record["data"].get("data", ""))).name}
    if isinstance(record.get("trained_on"), dict):
        public["trained_on"] = {**record["trained_on"], "paths": {}}
    if "teacher" in record:
        public["teacher"] = Path(str(record["teacher"])).name
    return public

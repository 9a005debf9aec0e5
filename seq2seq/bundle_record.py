"""The files of a model folder and its `config.json`, read without the weights; and how folders are found."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.errors import BundleError
from seq2seq.files import PARTIAL, read_json
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
MODEL_FILES = (
    *(CONFIG, WEIGHTS, METRICS, HISTORY, CANARY, SOURCE_VOCABULARY, TARGET_VOCABULARY, EXCERPT, EDITS, DICTIONARY),
    LICENCE,
)
PRECISION, HALF = "weights", "float16"  # config.json's key and value where weights are stored as float16
MEMBER = re.compile(r"member-[1-9][0-9]*")  # the folder of an ensemble's member, a model folder inside the ensemble's


@dataclasses.dataclass(frozen=True)
class Lengths:
    """The longest lines of a translator's training data, in symbols."""

    source: int
    target: int


def read_record(path: Path) -> dict[str, Any]:
    """Reads config.json.

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
            else "nothing there"
        )
        raise BundleError(f"{path}: expected a model folder, got {found}")
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
    if record.get(PRECISION, HALF) != HALF:
        wrong.append(PRECISION)
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


def kind_in(folder: Path) -> str | None:
    """Returns the kind of model in a folder; None if there is none, or only another program's config.json."""
    try:
        record = read_json(folder / CONFIG)
    except BundleError:
        return None
    written_here = isinstance(record, dict) and {"format", "kind", "sha256"} <= set(record)
    return str(record["kind"]) if written_here and record["kind"] in (TRANSLATOR, LANGUAGE_MODEL) else None


RUNS = Path("runs")  # where `train` writes models, and where the other verbs find them
PRETRAINED = Path(__file__).resolve().parent / "pretrained"  # the models that come with the package
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
        BundleError: it is the name of such a model, and this copy of the package lacks it.

    """
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

"""A model folder in a few words: its kind, size, scores, data and licence, read without loading the model."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq.bundle.record import (
    CONFIG,
    LANGUAGE_MODEL,
    METRICS,
    PRETRAINED,
    PRETRAINED_NAMES,
    PULLED,
    finished_bundles,
    pretrained_bundle,
    read_record,
)
from seq2seq.config import TRANSDUCER
from seq2seq.errors import BundleError
from seq2seq.files.reading import read_json, sha256_of

SCORES = {  # of metrics.json, in the order in which they are shown, with the form of each
    "chrf": ("chrF", "{:.1f}"),
    "bleu": ("BLEU", "{:.1f}"),
    "exact_match": ("exact match", "{:.3f}"),
    "cer": ("CER", "{:.3f}"),
    "bits_per_character": ("bits per character", "{:.3f}"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary:
    """What a user wants to know of a model before using it."""

    name: str
    folder: str
    kind: str  # "translator", "transducer" or "language model"
    members: int  # 1: no ensemble
    size: int  # bytes of all its files
    scores: Mapping[str, float]  # of the test part; of a language model, of the validation part
    part: str  # which part
    data: str  # the name of the data that it was trained on; empty: unknown
    origin: str  # where the model came from
    licence: str  # of the data; empty: unknown

    def as_dict(self) -> dict[str, Any]:
        """Returns plain values for JSON."""
        return dataclasses.asdict(self)

    @property
    def scores_text(self) -> str:
        """The scores in one line; empty where there are none."""
        known = [(label, form, self.scores[name]) for name, (label, form) in SCORES.items() if name in self.scores]
        return ", ".join(f"{label} {form.format(value)}" for label, form, value in known)


def summarize(folder: Path) -> Summary:
    """Reads a model folder's records.

    Raises:
        BundleError: the folder is no finished model, or a record is damaged.

    """
    record = read_record(folder)
    part = "validation" if record["kind"] == LANGUAGE_MODEL else "test"
    metrics = read_json(folder / METRICS)
    found = metrics.get(part) if isinstance(metrics, dict) else None
    trained_on = record.get("trained_on")
    trained_on = trained_on if isinstance(trained_on, dict) else {}
    return Summary(
        name=folder.name,
        folder=str(folder),
        kind=kind_of(record),
        members=len(record.get("members", ())) or 1,
        size=sum((folder / name).stat().st_size for name in file_names(folder) if (folder / name).is_file()),
        scores={name: found[name] for name in SCORES if is_number(found.get(name))} if isinstance(found, dict) else {},
        part=part,
        data=str(trained_on.get("name") or ""),
        origin=origin_of(folder),
        licence=str(trained_on.get("licence") or ""),
    )


def kind_of(record: Mapping[str, Any]) -> str:
    """Returns the kind of model that a configuration describes, as users call it."""
    if record["kind"] == LANGUAGE_MODEL:
        return "language model"
    return "transducer" if record["model"].get("architecture") == TRANSDUCER else "translator"


def is_number(value: Any) -> bool:
    """Returns whether a JSON value is a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def file_names(folder: Path) -> list[str]:
    """Returns the names of all files of a model, those of an ensemble's members with `member-N/` in front.

    Raises:
        BundleError: the folder is no finished model.

    """
    record = read_record(folder)
    names = [CONFIG, *record["sha256"]]
    for member in record.get("members", ()):
        names += [f"{member}/{name}" for name in file_names(folder / member)]
    return list(dict.fromkeys(names))


def origin_of(folder: Path) -> str:
    """Returns where the model in a folder came from."""
    if folder.parent == PRETRAINED:
        return "comes with the package"
    if (folder / PULLED).is_file():
        pulled = read_json(folder / PULLED)
        # after a later training, the folder holds another model
        if isinstance(pulled, dict) and pulled.get("config") == sha256_of(folder / CONFIG):
            return f"pulled from {pulled.get('repository')} at {str(pulled.get('revision'))[:12]}"
    record = read_record(folder)
    if "adopted" in record:
        return "adopted"
    return "trained here" if "signature" in record or "members" in record else "copied"


def known_models(runs: Path) -> tuple[list[Summary], list[str]]:
    """Returns the models of the package and those under `runs`, by name, and a line for each that cannot be read."""
    bundled = [folder for name in PRETRAINED_NAMES if (folder := pretrained_bundle(name))]
    found: list[Summary] = []
    problems: list[str] = []
    for folder in [*bundled, *sorted(finished_bundles(runs))]:
        try:
            found.append(summarize(folder))
        except BundleError as error:
            problems.append(str(error))
    return found, problems

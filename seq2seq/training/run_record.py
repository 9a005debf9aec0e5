"""What a folder records of the run in it: written with its first checkpoint, compared with what is asked for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seq2seq.bundle import CONFIG, kind_in, read_record, read_section
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig, flag_of
from seq2seq.errors import BundleError
from seq2seq.fields import to_toml
from seq2seq.files import read_json, write_atomically, write_json
from seq2seq.training.checkpoints import CURRENT, Progress, current_checkpoint, load_progress, save_checkpoint
from seq2seq.training.run_folder import MARK, RESOLVED, RUN, SECTIONS, is_run, remove_model
from seq2seq.training.task import Prepared, Run, Start
from seq2seq.typed_json import damaged

FORMAT = MARK + "1"
ENDS = ("epochs", "max_steps", "max_minutes")  # options that may be raised when a run goes on
ANEW = "give another --model, or --overwrite to start anew"


class Recorded(NamedTuple):
    """What a folder says of a run; the options of runs of ours are resolved."""

    data: DataConfig
    model: ModelConfig
    train: TrainingConfig
    sha256: Mapping[str, str]

    def resolved(self, prepared: Prepared) -> "Recorded":
        """Fills in what the first version of the program left open."""
        model, train = prepared.resolved(self.model, self.train)
        return self._replace(model=model, train=train)


class Difference(NamedTuple):
    """An option in which two runs differ."""

    section: str
    key: str
    before: Any
    now: Any
    default: bool  # whether `now` is what the data makes of an option that was not given

    def __str__(self) -> str:
        now = f"the default ({self.now!r})" if self.default else repr(self.now)
        return f"{self.section}.{self.key} was {self.before!r}, now {now}"

    @property
    def raised(self) -> bool:
        """Whether it only lets the run last longer."""
        known = self.section == "train" and self.key in ENDS and None not in (self.before, self.now)
        return bool(known and self.now > self.before)


class Saver:
    """Writes a run's checkpoints; with the first of them the folder becomes this run's."""

    def __init__(self, run: Run, start: Start) -> None:
        """`run` is resolved; `start` tells what its folder holds."""
        self.run = run
        self.start = start
        self.claimed = False

    def save(self, progress: Progress, *, weights: Mapping[str, np.ndarray], state: Mapping[str, np.ndarray]) -> None:
        """Writes a checkpoint; see `save_checkpoint`."""
        save_checkpoint(self.run.folder, progress, weights=weights, state=state, claim=self.claim)
        if self.start.replaces:
            remove_model(self.run.folder)

    def claim(self) -> None:
        """Writes down what the run is; until now what the folder held before could go on."""
        if self.claimed:
            return
        if self.start.checkpoint is None:
            (self.run.folder / CURRENT).unlink(missing_ok=True)
        record = {"format": FORMAT, **self.run.settings, "sha256": self.run.dataset.sha256}
        write_json(self.run.folder / RUN, record)
        sections = {name: self.run.signature[name] for name in self.run.settings}
        write_atomically(self.run.folder / RESOLVED, to_toml(sections))
        self.claimed = True


def finished_as_asked(run: Run) -> bool:
    """Tells whether the folder holds this very run, finished, without a look at its data."""
    if kind_in(run.folder) is None:
        return False
    record = read_record(run.folder).get("signature")
    if not isinstance(record, dict) or record.get("sha256") != run.signature["sha256"]:
        return False
    kinds = (DataConfig, ModelConfig, TrainingConfig)
    defaults = {kind.section: kind().to_dict() for kind in kinds}
    sections = {name: record.get(name) for name in defaults}
    return all(
        isinstance(values, dict) and {**defaults[name], **values} == {**defaults[name], **run.signature[name]}
        for name, values in sections.items()
    )


def run_under_way(folder: Path) -> Recorded | None:
    """Reads which run a folder's checkpoints are of; None where it has none.

    Raises:
        BundleError: `run.json` is damaged, or of a newer format.

    """
    if not is_run(folder) or not (folder / CURRENT).exists():
        return None
    where = str(folder / RUN)
    record = read_json(folder / RUN)
    if record.get("format", FORMAT) != FORMAT:
        raise BundleError(
            f"{where}: has format {record['format']!r}, expected {FORMAT!r}; "
            "use the version of seq2seq that wrote it, or --overwrite to start anew"
        )
    for name in sorted(set(record) - {"format", *SECTIONS}):
        raise damaged(where, f"unknown key {name!r}")
    for name in SECTIONS:
        if name not in record:
            raise damaged(where, f"no {name!r}")
    return recorded(record, where=where)


def finished_run(folder: Path) -> Recorded | None:
    """Reads which run a folder's finished model came of; None for no model, and for one that was not trained here.

    Raises:
        BundleError: `config.json` is damaged, or of a newer format.

    """
    if kind_in(folder) is None:
        return None
    record, where = read_record(folder), str(folder / CONFIG)
    if "signature" not in record:
        return None
    signature, train = record["signature"], record.get("train")
    if not isinstance(signature, dict):
        raise damaged(where, f"signature is {signature!r}")
    if isinstance(train, dict):  # it also says what the machine added
        train = {name: value for name, value in train.items() if name not in ("gradients", "repeatable")}
    return recorded({**record, "train": train, "sha256": signature.get("sha256")}, where=where)


def recorded(record: Mapping[str, Any], *, where: str) -> Recorded:
    """Reads the sections of a run.

    Raises:
        BundleError: a section is missing, or a key or value in it is not one of ours.

    """
    sha256 = record["sha256"]
    if not isinstance(sha256, dict):
        raise damaged(where, f"sha256 is {sha256!r}")
    return Recorded(
        read_section(DataConfig, record["data"], where=where),
        read_section(ModelConfig, record["model"], where=where),
        read_section(TrainingConfig, record["train"], where=where),
        sha256,
    )


def differences(old: Recorded, run: Run) -> list[Difference]:
    """Lists in what a run differs from one that a folder records, both resolved."""
    found = []
    for name, before in (*((kind.section, kind.to_dict()) for kind in old[:3]), ("sha256", old.sha256)):
        now = run.settings.get(name, run.dataset.sha256)
        for key in sorted({*before, *now}):
            if key == "shards" and before.get(key) is None:  # a run of the first version that is not finished
                continue
            if before.get(key) != now.get(key):
                default = now.get(key) is not None and run.signature[name].get(key) is None
                found.append(Difference(name, key, before.get(key), now.get(key), default))
    return found


def start_of(run: Run, under_way: Recorded | None, finished: Recorded | None) -> Start | None:
    """Tells where a resolved run begins; None: it is finished already.

    Args:
        run: what is asked for.
        under_way: the run that the folder's checkpoints are of.
        finished: the run that its finished model came of, which may be the same before it was to last longer.

    Raises:
        BundleError: the folder holds another run, or one that cannot go on.

    """
    has_model = kind_in(run.folder) is not None
    if finished and not differences(finished, run):
        return None
    before = under_way or finished
    if before is None and has_model:
        raise BundleError(f"{run.folder}: holds a model that was not trained here; {ANEW}")
    if before is None:
        return Start()
    checkpoint = current_checkpoint(run.folder) if under_way else None
    found = differences(before, run)
    if found:
        check_longer(run, before, found, checkpoint)
    same = finished is not None and all(each.raised for each in differences(finished, run))
    return Start(checkpoint, before.train if found else None, replaces=has_model and not same)


def check_longer(run: Run, before: Recorded, found: Sequence[Difference], checkpoint: Path | None) -> None:
    """Refuses a run that does not only last longer than the one in its folder.

    Raises:
        BundleError: says what differs, or why the run cannot go on.

    """
    folder = run.folder
    progress = load_progress(checkpoint) if checkpoint else None
    done = progress.epoch if progress else before.train.epochs or 0
    first = found[0]
    if [each.key for each in found] == ["epochs"] and first.now < done:
        asked = f"the default ({first.now})" if first.default else f"--epochs {first.now}"
        raise BundleError(
            f"{folder}: has been trained for {done} epochs, and {asked} is fewer; give --epochs {done} or more, "
            "another --model, or --overwrite to start anew"
        )
    if not all(each.raised for each in found):
        raise BundleError(f"{folder}: holds another run: {'; '.join(map(str, found))}; {ANEW}")
    flags = " and ".join(flag_of(each.key) for each in found)
    if progress is None:
        raise BundleError(
            f"{folder}: cannot go on with more {flags}: it is finished and keeps no checkpoint, "
            f"since an earlier version wrote it or its checkpoint was removed; {ANEW}"
        )
    patience = before.train.patience
    if patience is not None and progress.epochs_without_better >= patience:
        raise BundleError(
            f"{folder}: was ended by --patience {patience} after epoch {progress.epoch}, and more {flags} would not "
            f"change that; {ANEW}"
        )

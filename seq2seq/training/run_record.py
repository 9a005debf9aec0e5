"""Compares the run that is asked for with the run that its folder records, and finds where training starts."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.bundle.record import CONFIG, kind_in, read_record
from seq2seq.config import ATTENTION, DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import BundleError
from seq2seq.fields import flag_of
from seq2seq.files.reading import read_json
from seq2seq.training.checkpoints import CURRENT, current_checkpoint, keep_last, load_progress
from seq2seq.training.run_folder import FORMAT, RUN, SECTIONS, is_run
from seq2seq.training.task import Prepared, Run, Start
from seq2seq.typed_json import damaged, read_section

ENDS = ("epochs", "max_steps", "max_minutes")  # options that may be raised when a run continues
FINISHED = "is already finished; more --epochs train it further, --overwrite starts from the beginning"
WAYS_OUT = "give another --model, or --overwrite to start from the beginning"


class Recorded(NamedTuple):
    """The run that a folder records, with resolved options."""

    data: DataConfig
    model: ModelConfig
    train: TrainingConfig
    sha256: Mapping[str, str]

    def resolved(self, prepared: Prepared) -> "Recorded":
        """Fills in the options that the first version of this program did not resolve."""
        model, train = prepared.resolved(self.model, self.train)
        return self._replace(model=model, train=train)


class Difference(NamedTuple):
    """An option with different values in two runs."""

    section: str
    key: str
    before: Any
    now: Any
    default: bool  # whether `now` is a default that depends on the data, since the option was not given

    def __str__(self) -> str:
        now = f"the default ({self.now!r})" if self.default else repr(self.now)
        return f"{self.section}.{self.key} was {self.before!r}, now {now}"

    @property
    def raised(self) -> bool:
        """Whether this difference only lets the run last longer."""
        known = self.section == "train" and self.key in ENDS and None not in (self.before, self.now)
        return bool(known and self.now > self.before)


def finished_as_asked(run: Run) -> bool:
    """Returns whether the folder holds this same run, finished; compares options and hashes, and reads no data."""
    if kind_in(run.folder) is None:
        return False
    return is_signature(run, read_record(run.folder).get("signature"))


def is_signature(run: Run, record: Any) -> bool:
    """Returns whether a record of options and hashes is this run's."""
    if not isinstance(record, dict) or record.get("sha256") != run.signature["sha256"]:
        return False
    kinds = (DataConfig, ModelConfig, TrainingConfig)
    defaults = {kind.section: kind().to_dict() for kind in kinds}
    sections = {name: record.get(name) for name in defaults}
    return all(
        isinstance(values, dict) and {**defaults[name], **values} == {**defaults[name], **run.signature[name]}
        for name, values in sections.items()
    )


def remove_left_checkpoints(run: Run) -> None:
    """Removes the checkpoints that a finished run needs no more, where it was killed before it did so itself."""
    if (run.folder / RUN).is_file() and is_signature(run, read_json(run.folder / RUN)):
        keep_last(run.folder)


def unfinished_run(folder: Path) -> Recorded | None:
    """Reads which run the checkpoints of a folder belong to; None if there is none to continue from.

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
            "use the version of seq2seq that wrote it, or --overwrite to start from the beginning"
        )
    for name in sorted(set(record) - {"format", *SECTIONS}):
        raise damaged(where, f"unknown key {name!r}")
    for name in SECTIONS:
        if name not in record:
            raise damaged(where, f"no {name!r}")
    return recorded(record, where=where)


def finished_run(folder: Path) -> Recorded | None:
    """Reads which run made the finished model of a folder; None if there is no model, or `train` did not make it.

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
    if isinstance(train, dict):  # `training_record` added what depends on the machine
        train = {name: value for name, value in train.items() if name not in ("gradients", "repeatable")}
    return recorded({**record, "train": train, "sha256": signature.get("sha256")}, where=where)


def recorded(record: Mapping[str, Any], *, where: str) -> Recorded:
    """Reads the sections of a run.

    Raises:
        BundleError: a section is missing, or has an unknown key or a wrong value.

    """
    sha256, train = record["sha256"], record["train"]
    if not isinstance(sha256, dict):
        raise damaged(where, f"sha256 is {sha256!r}")
    if isinstance(train, dict):
        train = {"average": 0.0, "hallucinate": 0, **train}  # a run from before these options has neither
    # before there was a transducer, all models had this architecture
    model = {"architecture": ATTENTION, **record["model"]} if isinstance(record["model"], dict) else record["model"]
    data = read_section(DataConfig, record["data"], where=where)
    return Recorded(
        dataclasses.replace(data, decompose=bool(data.decompose)),  # None: an earlier version, which could not
        read_section(ModelConfig, model, where=where),
        read_section(TrainingConfig, train, where=where),
        sha256,
    )


def differences(old: Recorded, run: Run) -> list[Difference]:
    """Returns the options and hashes in which a run differs from the recorded one; both are resolved."""
    found = []
    for name, before in (*((kind.section, kind.to_dict()) for kind in old[:3]), ("sha256", old.sha256)):
        now = run.settings.get(name, run.sha256)
        for key in sorted({*before, *now}):
            if key == "shards" and before.get(key) is None:  # an unfinished run of the first version
                continue
            if before.get(key) != now.get(key):
                default = now.get(key) is not None and run.signature[name].get(key) is None
                found.append(Difference(name, key, before.get(key), now.get(key), default))
    return found


def with_recorded_pairs(run: Run) -> Run:
    """Keeps the number of hallucinated pairs of the run in the folder, if none is given now."""
    if run.overwrite or run.train.hallucinate is not None or run.dataset.kind == "text":
        return run
    before = unfinished_run(run.folder) or finished_run(run.folder)
    if before is None:
        return run
    return dataclasses.replace(run, train=dataclasses.replace(run.train, hallucinate=before.train.hallucinate))


def continued(run: Run, before: Recorded, prepared: Prepared) -> Run:
    """Keeps what the defaults were when the run in the folder began, for options that are not given now.

    They depend on its time, which may be raised since, or on the version that began it.
    """
    model, train = run.model, run.train
    if model.architecture == "auto":
        model = dataclasses.replace(model, architecture=before.model.architecture)
    if model.hidden_size is None and before.model.hidden_size in default_sizes(model, before.train, prepared):
        model = dataclasses.replace(model, hidden_size=before.model.hidden_size)
    if train.average is None and before.train.average == 0.0:
        train = dataclasses.replace(train, average=0.0)
    return dataclasses.replace(run, model=model, train=train)


def default_sizes(model: ModelConfig, train: TrainingConfig, prepared: Prepared) -> list[int]:
    """Returns the hidden size that is usual for some data, and the one that is the default for the time of a run."""
    model = dataclasses.replace(model, hidden_size=None)
    unlimited = dataclasses.replace(train, max_minutes=None)
    return [prepared.resolved(model, each)[0].units for each in (unlimited, train)]


def start_of(run: Run, unfinished: Recorded | None, finished: Recorded | None) -> Start | None:
    """Returns where a resolved run starts; None: it is already finished.

    Args:
        run: the run that is asked for.
        unfinished: the run that the folder's checkpoints belong to.
        finished: the run that made the folder's model. It may be the same run, before it was asked to last longer.

    Raises:
        BundleError: the folder holds another run, or one that cannot continue.

    """
    has_model = kind_in(run.folder) is not None
    if finished and not differences(finished, run):
        return None
    before = unfinished or finished
    if before is None and has_model:
        raise BundleError(f"{run.folder}: holds a model that was not trained here; {WAYS_OUT}")
    if before is None:
        return Start()
    checkpoint = current_checkpoint(run.folder) if unfinished else None
    found = differences(before, run)
    if found:
        check_longer(run, before, found, checkpoint)
    same = finished is not None and all(each.raised for each in differences(finished, run))
    return Start(checkpoint, before.train if found else None, replaces=has_model and not same)


def check_longer(run: Run, before: Recorded, found: Sequence[Difference], checkpoint: Path | None) -> None:
    """Refuses a run unless all that differs from the one in its folder is that it lasts longer.

    Raises:
        BundleError: names what differs, or why the run cannot continue.

    """
    folder = run.folder
    progress = load_progress(checkpoint) if checkpoint else None
    done = progress.epoch if progress else before.train.epochs or 0
    first = found[0]
    if [each.key for each in found] == ["epochs"] and first.now < done:
        asked = f"the default ({first.now})" if first.default else f"--epochs {first.now}"
        raise BundleError(
            f"{folder}: has been trained for {done} epochs, and {asked} is fewer; give --epochs {done} or more, "
            "another --model, or --overwrite to start from the beginning"
        )
    if not all(each.raised for each in found):
        raise BundleError(f"{folder}: holds another run: {'; '.join(map(str, found))}; {WAYS_OUT}")
    flags = " and ".join(flag_of(each.key) for each in found)
    if progress is None:
        raise BundleError(
            f"{folder}: cannot continue with more {flags}: it is finished and keeps no checkpoint, "
            f"since an earlier version wrote it or its checkpoint was removed; {WAYS_OUT}"
        )
    patience = before.train.patience
    if patience is not None and progress.epochs_without_better >= patience:
        raise BundleError(
            f"{folder}: --patience {patience} ended this run after epoch {progress.epoch}, and more {flags} would not "
            f"change that; {WAYS_OUT}"
        )

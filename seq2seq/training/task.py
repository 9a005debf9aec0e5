"""The types that training works with: the run that is asked for, and a kind of model with its data."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import RUNS
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError
from seq2seq.fields import Config
from seq2seq.presets import with_defaults
from seq2seq.ray_cluster import RayCluster
from seq2seq.text.datasets import Dataset, resolve
from seq2seq.training.checkpoints import Progress
from seq2seq.training.workers import Workers

if TYPE_CHECKING:  # the first two import TensorFlow, which a finished run does not need; two import Run
    from seq2seq.models.step import Trainable
    from seq2seq.training.shared_step import Others
    from seq2seq.training.teacher import Teacher

Section = TypeVar("Section", bound=Config)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One training run: the data, the options, and the folder that receives the model.

    Args:
        folder: receives checkpoints, then the finished model.
        dataset: the data set that `data.data` names.
        data: how the data is read; an option that depends on the data may be None until it is resolved.
        model: sizes; an option that depends on the data may be None until it is resolved.
        train: how the model is trained; an option that depends on the data may be None until it is resolved.
        report: receives lines for the user.
        started: time.monotonic() at the start of the command; --max-minutes counts from there.
        overwrite: start from the beginning, whatever run of this program the folder holds.
        profile: first report how long each part of a step takes.
        teacher: a finished model that the run learns from too; None: it learns from its data alone.
        workers: of a training on several machines, and which of them this process is; None: it trains alone.
        others: the connections to the other workers, where this is the first of several.
        ray: the Ray cluster that trains the members of an ensemble side by side; None: this process, one by one.
        tensorboard: receives event files for TensorBoard; None: none are written.
        on_first_checkpoint: called once, when the first checkpoint that this process writes is whole.
        signature: the options as the user gave them, before any was resolved; recorded in the model folder.

    """

    folder: Path
    dataset: Dataset
    data: DataConfig
    model: ModelConfig
    train: TrainingConfig
    report: Callable[[str], None]
    started: float = dataclasses.field(default_factory=time.monotonic)
    overwrite: bool = False
    profile: bool = False
    teacher: "Teacher | None" = None
    workers: Workers | None = None
    others: "Others | None" = None
    ray: RayCluster | None = None
    tensorboard: Path | None = None
    on_first_checkpoint: Callable[[], None] = lambda: None
    signature: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.signature:
            object.__setattr__(self, "signature", {**self.settings, "sha256": self.sha256})

    @classmethod
    def of(cls, chosen: Mapping[str, Mapping[str, Any]], *, folder: Path | None, **others: Any) -> "Run":
        """Makes a run from the options that were given; the others have the defaults of the kind of data.

        Args:
            chosen: by section (data, model, train), names to values.
            folder: None: `runs/` and the data set's name.
            others: the other fields of a Run.

        Raises:
            DataError: the data is unknown or absent.
            OptionError: an option is unknown, out of range, or means nothing for this data or without teacher.

        """
        share = chosen[TrainingConfig.section].get("teacher_share")
        if share is not None:
            raise OptionError(f"--teacher-share {share}: needs a teacher; use `seq2seq distill --teacher DIR`")
        dataset = resolve(chosen["data"].get("data", DataConfig.data))

        def section(kind: type[Section]) -> Section:
            values = with_defaults(dataset.kind, kind, chosen[kind.section])
            return kind.from_dict(values, where="options")

        return cls(
            folder=folder or RUNS / dataset.name,
            dataset=dataset,
            data=section(DataConfig),
            model=section(ModelConfig),
            train=section(TrainingConfig),
            **others,
        )

    @property
    def sha256(self) -> dict[str, str]:
        """The sha256 of each file that the run learns from, by name: the parts of the data, and what teaches."""
        return {**self.dataset.sha256, **(self.teacher.sha256 if self.teacher else {})}

    @property
    def settings(self) -> dict[str, dict[str, Any]]:
        """The three sections of options, by name."""
        return {section.section: section.to_dict() for section in (self.data, self.model, self.train)}


class Start(NamedTuple):
    """Where a run starts."""

    checkpoint: Path | None = None  # None: from the beginning
    before: TrainingConfig | None = None  # the options so far, if the run is now trained for longer
    replaces: bool = False  # the folder holds another run's model, removed once the first checkpoint is whole


class Scores(NamedTuple):
    """The result of the validation after an epoch."""

    loss: float  # nats per symbol
    others: dict[str, float]  # other scores by name, such as chrf; higher is better
    examples: list[str]  # lines to print
    symptoms: Sequence[str] = ()  # signs of a fault, one line each, which begins with the doctor's code


class Outcome(NamedTuple):
    """The scores and golden outputs of a finished model."""

    metrics: dict[str, Any]  # by part of the data
    canary: list[dict[str, Any]]  # golden outputs, which `verify` repeats
    lines: list[str]  # to print


class Task(Protocol):
    """A model and its data, in the form that the training loop uses."""

    @property
    def model(self) -> "Trainable":
        """The model."""

    @property
    def bundle(self) -> Bundle:
        """What will be saved, without weights."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps in one pass over the training part."""

    def describe(self) -> Iterator[str]:
        """Yields lines on the sizes of the data and the model, and warnings about the data."""

    def epoch(self, generator: np.random.Generator) -> Iterator[list[np.ndarray]]:
        """Yields the arrays of each batch of one pass."""

    def check(self, arrays: list[np.ndarray]) -> None:
        """Raises DataError if the arrays of the first batch are not correctly shifted."""

    def initial_carry(self) -> list[np.ndarray]:
        """Returns the states that the first batch of an epoch starts with, float32 (B, H) each."""

    def validate(self) -> Scores:
        """Scores the model with its present weights."""

    def outcome(self, bundle: Bundle, progress: Progress) -> Outcome:
        """Scores the finished model, which has the weights of the best epoch."""


class Prepared(Protocol):
    """A data set that was read, split and encoded for one kind of model."""

    @property
    def data(self) -> DataConfig:
        """How the data was read, with the options that depend on it."""

    def sizes(self) -> dict[str, Any]:
        """Returns the sizes of its parts, for the model folder."""

    def resolved(self, model: ModelConfig, train: TrainingConfig) -> tuple[ModelConfig, TrainingConfig]:
        """Fills in the options that depend on the data, except `shards`."""

    def task(self, run: Run, record: Mapping[str, Any]) -> Task:
        """Builds the model of a resolved run; `record` is for its `config.json`."""

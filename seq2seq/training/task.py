"""What training needs to know: the run that is asked for, and a kind of model with its data."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

import numpy as np

from seq2seq.bundle import RUNS, Bundle
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.fields import Config
from seq2seq.presets import with_defaults
from seq2seq.text.datasets import Dataset, resolve
from seq2seq.training.checkpoints import Progress

if TYPE_CHECKING:  # it imports TensorFlow, which a run that is finished already does not need
    from seq2seq.models.step import Trainable

Section = TypeVar("Section", bound=Config)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """One training run: what is trained on what, where to, and who hears of it.

    Args:
        folder: receives checkpoints, then the finished model.
        dataset: what `data.data` resolves to.
        data: how the data is read.
        model: sizes; what depends on the data may be None until it is resolved.
        train: how it is trained; the same.
        report: receives lines for the user.
        started: time.monotonic() of the command's start; --max-minutes counts from there.
        overwrite: start anew, whatever run of ours the folder holds.
        profile: say first where a step's time goes.
        dry_run: say what the run would be like, and end.
        signature: what was asked for, before anything was resolved; recorded in the model folder.

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
    dry_run: bool = False
    signature: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.signature:
            object.__setattr__(self, "signature", {**self.settings, "sha256": self.dataset.sha256})

    @classmethod
    def of(cls, chosen: Mapping[str, Mapping[str, Any]], *, folder: Path | None, **others: Any) -> "Run":
        """Makes a run of what was chosen; what was not has the default of its kind of data.

        Args:
            chosen: by section (data, model, train), names to values.
            folder: None: `runs/` and the data set's name.
            others: the other fields.

        Raises:
            DataError: the data is unknown or absent.
            OptionError: an option is unknown, out of range, or means nothing for this kind of data.

        """
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
    def settings(self) -> dict[str, dict[str, Any]]:
        """The three sections of options, by name."""
        return {section.section: section.to_dict() for section in (self.data, self.model, self.train)}


class Start(NamedTuple):
    """Where a run begins."""

    checkpoint: Path | None = None  # None: from the beginning
    before: TrainingConfig | None = None  # how it was trained until now, where it is to be trained for longer
    replaces: bool = False  # another run's finished model is there, and goes when the first checkpoint is whole


class Scores(NamedTuple):
    """What validation says after an epoch."""

    loss: float  # nats per symbol
    others: dict[str, float]  # by name, such as chrf; higher is better
    examples: list[str]  # lines to print
    symptoms: Sequence[str] = ()  # what looks wrong, a line each that begins with a code


class Outcome(NamedTuple):
    """What is said of a model when its training is over."""

    metrics: dict[str, Any]  # by part of the data
    canary: list[dict[str, Any]]
    lines: list[str]  # to print


class Task(Protocol):
    """A model and its data, as training sees them."""

    @property
    def model(self) -> "Trainable":
        """The model."""

    @property
    def bundle(self) -> Bundle:
        """What will be saved, still without weights."""

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one pass over the training part."""

    def describe(self) -> Iterator[str]:
        """Says what is trained on what, and what is odd about it."""

    def epoch(self, generator: np.random.Generator) -> Iterator[list[np.ndarray]]:
        """Yields the arrays of each batch of one pass."""

    def check(self, arrays: list[np.ndarray]) -> None:
        """Raises DataError for a first batch that is not fit for teacher forcing."""

    def initial_carry(self) -> list[np.ndarray]:
        """Returns the states the first batch of an epoch starts from."""

    def validate(self) -> Scores:
        """Scores the model as it is."""

    def outcome(self, bundle: Bundle, progress: Progress) -> Outcome:
        """Scores the finished model, which has the weights of the best epoch."""


class Prepared(Protocol):
    """A data set that was read, split and encoded for one kind of model."""

    def sizes(self) -> dict[str, Any]:
        """Says how large its parts are, for the model folder."""

    def resolved(self, model: ModelConfig, train: TrainingConfig) -> tuple[ModelConfig, TrainingConfig]:
        """Fills in the options that depend on the data, `shards` excepted."""

    def task(self, run: Run, record: Mapping[str, Any]) -> Task:
        """Builds the model of a resolved run; `record` goes into its folder."""

"""The public Python: a model that is trained, used and scored by one object. `import seq2seq` hands these names out."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from seq2seq.bundle import LANGUAGE_MODEL, load_bundle
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError
from seq2seq.inference import language_model, translator
from seq2seq.scoring.evaluation import Evaluation, evaluate_model
from seq2seq.scoring.text_evaluation import TextScores, evaluate_text
from seq2seq.training.run import train_into
from seq2seq.training.task import Run

SECTIONS = (DataConfig, ModelConfig, TrainingConfig)
Report = Callable[[str], None]


class Translator(translator.Translator):
    """A translator: `train` makes one, `seq2seq.load` opens one."""

    @classmethod
    def train(
        cls,
        data: str | Path,
        *,
        model: str | Path | None = None,
        overwrite: bool = False,
        report: Report = lambda line: None,
        **options: Any,
    ) -> Self:
        """Trains a translator into a folder, or goes on with the same run there.

        Args:
            data: a file of pairs, a folder of train.tsv, dev.tsv and test.tsv, or a data set's name.
            model: the folder; None: `runs/` and the data set's name.
            overwrite: start anew, whatever run the folder holds.
            report: receives the lines that the command `train` prints.
            options: fields of DataConfig, ModelConfig and TrainingConfig, such as epochs=10 or hidden_size=512.

        Raises:
            BundleError: the folder holds another run, or something else.
            DataError: the data cannot be used.
            OptionError: an option is unknown or out of range, or the data is a text.

        """
        run = run_of("pairs", data, model, options, overwrite=overwrite, report=report)
        return cls(load_bundle(train_into(run)))

    def evaluate(self, data: str | Path | None = None, *, split: str | None = None, **options: Any) -> Evaluation:
        """Translates sentences and scores the outputs; see `scoring.evaluation.evaluate_model`.

        Args:
            data: a .tsv, all of whose rows are scored, a folder or a data set's name; None: the model's own data.
            split: "test" (default) or "validation", of the model's own data or of a set that has parts.
            options: fields of DecodingConfig, such as beam_size=5; also tokenize and n_bootstrap.

        Raises:
            DataError: the data cannot be used.
            OptionError: an option is unknown or out of range.

        """
        return evaluate_model(self, None if data is None else str(data), split, **options)


class LanguageModel(language_model.LanguageModel):
    """A language model: `train` makes one, `seq2seq.load` opens one."""

    @classmethod
    def train(
        cls,
        data: str | Path,
        *,
        model: str | Path | None = None,
        overwrite: bool = False,
        report: Report = lambda line: None,
        **options: Any,
    ) -> Self:
        """Trains a language model on a text; see `Translator.train`."""
        run = run_of("text", data, model, options, overwrite=overwrite, report=report)
        return cls(load_bundle(train_into(run)))

    def evaluate(self, data: str | Path | None = None) -> TextScores:
        """Scores the model on the held-out tenth of its own text, or on all of another text.

        Raises:
            DataError: the text cannot be used.

        """
        return evaluate_text(self, None if data is None else str(data))


def load(path: str | Path, *, runtime: str = "auto") -> Translator | LanguageModel:
    """Loads a finished model folder: a Translator or a LanguageModel.

    Args:
        path: the folder.
        runtime: "numpy" (needs no TensorFlow), "keras", or "auto", which is NumPy.

    Raises:
        BundleError: the folder is missing, unfinished or damaged.

    """
    bundle = load_bundle(path)
    return (LanguageModel if bundle.kind == LANGUAGE_MODEL else Translator)(bundle, runtime=runtime)


def run_of(
    kind: str,
    data: str | Path,
    model: str | Path | None,
    options: dict[str, Any],
    *,
    overwrite: bool,
    report: Report,
) -> Run:
    """Sorts options into their sections.

    Raises:
        OptionError: an option belongs to none, or the data is of the other kind.

    """
    chosen: dict[str, dict[str, Any]] = {section.section: {} for section in SECTIONS}
    homes = {
        field.name: section.section
        for section in SECTIONS
        for field in dataclasses.fields(section)
        if "internal" not in field.metadata
    }
    for name, value in options.items():
        if name not in homes:
            raise OptionError(f"train: unknown option {name!r}; the options are {', '.join(sorted(homes))}")
        chosen[homes[name]][name] = value
    chosen["data"]["data"] = str(data)
    run = Run.of(
        chosen,
        folder=None if model is None else Path(model),
        started=time.monotonic(),
        overwrite=overwrite,
        report=report,
    )
    if run.dataset.kind != kind:
        other = "LanguageModel" if kind == "pairs" else "Translator"
        raise OptionError(f"train: expected data of the kind {kind}, got {str(data)!r}, a {run.dataset.kind}; "
                          f"use seq2seq.{other}.train")  # fmt: skip
    return run

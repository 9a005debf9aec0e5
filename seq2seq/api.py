"""The public Python API: one class for each kind of model, which trains, runs and scores it.

Training and scoring are imported when they are used, so that `seq2seq.load` is fast.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import LANGUAGE_MODEL, named_bundle
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError
from seq2seq.inference import language_model, translator
from seq2seq.search_config import DecodingConfig

if TYPE_CHECKING:
    from seq2seq.inference.explanation import Explanation
    from seq2seq.scoring.evaluation import Evaluation
    from seq2seq.scoring.text_evaluation import TextScores

SECTIONS = (DataConfig, ModelConfig, TrainingConfig)


class Trained:
    """A kind of model that can be trained."""

    data_kind: ClassVar[str]  # "pairs" or "text"

    @classmethod
    def train(
        cls,
        data: str | Path,
        *,
        model: str | Path | None = None,
        overwrite: bool = False,
        report: Callable[[str], None] = lambda line: None,
        **options: Any,
    ) -> Self:
        """Trains a model in a folder, or continues the same run there.

        Args:
            data: a data set's name, or a path; pairs are in a file or in a folder of train.tsv, dev.tsv and test.tsv.
            model: the folder; None: `runs/` and the data set's name.
            overwrite: start from the beginning, and replace the run or model in the folder.
            report: receives the lines that the verb `train` prints.
            options: fields of DataConfig, ModelConfig and TrainingConfig, such as epochs=10 or hidden_size=512.

        Raises:
            BundleError: the folder contains another run, or other files.
            DataError: the data cannot be used.
            OptionError: an option is unknown or out of range, or the data is for the other kind of model.

        """
        from seq2seq.training.run import train_into
        from seq2seq.training.task import Run

        run = Run.of(
            by_section({**options, "data": str(data)}),
            folder=None if model is None else Path(model),
            started=time.monotonic(),
            overwrite=overwrite,
            report=report,
        )
        if run.dataset.kind != cls.data_kind:
            other = "LanguageModel" if cls.data_kind == "pairs" else "Translator"
            raise OptionError(
                f"train: expected data of the kind {cls.data_kind}, got {str(data)!r}, a {run.dataset.kind}; "
                f"use seq2seq.{other}.train"
            )
        return cls(load_bundle(train_into(run)))  # type: ignore[call-arg]  # the constructor is the other base's


class Translator(translator.Translator, Trained):
    """A translator: `train` makes one, `seq2seq.load` loads one."""

    data_kind = "pairs"

    @classmethod
    def distill(
        cls,
        teacher: str | Path,
        *,
        data: str | Path | None = None,
        unlabelled: str | Path | None = None,
        model: str | Path | None = None,
        overwrite: bool = False,
        report: Callable[[str], None] = lambda line: None,
        **options: Any,
    ) -> Self:
        """Trains one model that learns from another, or continues the same run; see `training.teacher.distil_run`.

        Args:
            teacher: the folder of a translator, usually of an ensemble.
            data: pairs to learn from; None: the teacher's own data.
            unlabelled: a file of more sources, one a line.
            model: the folder; None: `runs/` and the teacher's name with `-distilled`.
            overwrite: start from the beginning, and replace the run or model in the folder.
            report: receives the lines that the verb `distill` prints.
            options: fields of ModelConfig and TrainingConfig, such as epochs=10 or teacher_share=0.7.

        Raises:
            BundleError: the teacher is no translator, or the folder contains another run, or other files.
            DataError: the data or the file cannot be used.
            OptionError: an option is unknown or out of range, or contradicts the teacher.

        """
        from seq2seq.training.run import train_into
        from seq2seq.training.teacher import distil_run

        run = distil_run(
            by_section(options),
            teacher=Path(teacher),
            data=None if data is None else str(data),
            unlabelled=None if unlabelled is None else str(unlabelled),
            folder=None if model is None else Path(model),
            overwrite=overwrite,
            report=report,
        )
        return cls(load_bundle(train_into(run)))

    def evaluate(self, data: str | Path | None = None, *, split: str | None = None, **options: Any) -> "Evaluation":
        """Translates sentences and scores the outputs; see `scoring.evaluation.evaluate_model`.

        Args:
            data: a .tsv file (all its rows), a folder, or a data set's name; None: the model's own data.
            split: "test" (default) or "validation": a part of the model's own data, of a folder or of a data set.
            options: fields of DecodingConfig, such as beam_size=5; also by, ignore_case, tokenize and n_bootstrap.

        Raises:
            DataError: the data cannot be used.
            OptionError: an option is unknown or out of range.

        """
        from seq2seq.scoring.evaluation import evaluate_model

        return evaluate_model(self, None if data is None else str(data), split, **options)

    def explain(self, text: str, **options: Any) -> "Explanation":
        """Translates one line; says how probable each symbol was, what else was possible, and where the model looked.

        Args:
            text: a source line; `text<TAB>tags` for a model with features.
            options: fields of ExplanationConfig (alternatives=5, tree=False) and of DecodingConfig, such as beam_size=5
                or prefix="ab". Its text is what `translate([text])` gives with the same options.

        Raises:
            OptionError: an option is unknown or out of range, or a tree of samples is asked for.
            DataError: with oov="error", a character is unknown to the model.

        """
        from seq2seq.inference.explaining import explain_translation, separated

        wanted, others = separated(options)
        return explain_translation(self, text, DecodingConfig.from_dict(others, where="explain"), wanted)


class LanguageModel(language_model.LanguageModel, Trained):
    """A language model: `train` makes one, `seq2seq.load` loads one."""

    data_kind = "text"

    def evaluate(self, data: str | Path | None = None) -> "TextScores":
        """Scores the model on the last tenth of its own text, which was held out, or on all of another text.

        Raises:
            DataError: the text cannot be used.

        """
        from seq2seq.scoring.text_evaluation import evaluate_text

        return evaluate_text(self, None if data is None else str(data))

    def explain(self, prompt: str | None = None, *, stop: Sequence[str] = (), **options: Any) -> "Explanation":
        """Writes one text; says how probable each of its symbols was, and what else was possible.

        Args:
            prompt: the beginning of the text; None or empty: continues a random place of the validation text.
            stop: the text ends before the first of these strings.
            options: alternatives=5, and fields of GenerationConfig, such as length=40, temperature=0.7 or seed=1. Its
                text is what `generate(prompt)` gives with the same options.

        Raises:
            OptionError: an option is unknown or out of range.
            DataError: with oov="error", a character of the prompt is unknown to the model.

        """
        from seq2seq.inference.explaining import explain_text, separated

        wanted, others = separated(options)
        config = language_model.one_text(others, where="explain")
        stops = language_model.checked_stops(stop)
        return explain_text(self, self.open(prompt, config), config, wanted, stop=stops)


def load(path: str | Path, *, runtime: str = "auto") -> Translator | LanguageModel:
    """Loads a finished model folder: a Translator or a LanguageModel.

    Args:
        path: the folder, or the name of a model of the package, such as "fra-eng".
        runtime: "numpy" (needs no TensorFlow), "keras", "onnx", or "auto": NumPy, and onnxruntime for an export.

    Raises:
        BundleError: the folder is missing, unfinished or damaged.

    """
    bundle = load_bundle(named_bundle(path))
    return (LanguageModel if bundle.kind == LANGUAGE_MODEL else Translator)(bundle, runtime=runtime)


def by_section(options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Sorts options of training by their section.

    Raises:
        OptionError: an option belongs to no section.

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
    return chosen

"""Opens the models of an examination and runs the checks that need them. Imports Keras."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.diagnosis.behaviour import check_direction, check_learnt, check_running
from seq2seq.diagnosis.examination import Examination
from seq2seq.diagnosis.invariance import check_invariance
from seq2seq.diagnosis.losses import check_loss
from seq2seq.diagnosis.model_checks import BEYOND, check_classes, check_copying, check_embeddings, check_magnitudes
from seq2seq.diagnosis.report import BROKEN, Examined, NotExamined, Result, finding
from seq2seq.diagnosis.sample import Sample, spread
from seq2seq.diagnosis.weights import check_values, check_weights
from seq2seq.errors import DataError, OptionError
from seq2seq.foreign.inference_models import Stepper, make_stepper
from seq2seq.foreign.layout import Data
from seq2seq.foreign.models import DECODER, ENCODER, TRAIN, is_functional, load_model, quiet, shapes, sort_models
from seq2seq.foreign.parts import DECODER as DECODER_INPUT
from seq2seq.foreign.parts import ENCODER as ENCODER_INPUT
from seq2seq.foreign.teacher_forcing import Teacher, make_teacher, order_in_words

FORCED = "with the right symbols fed"  # how rows are examined by the training model


class Check(NamedTuple):
    """A check of models, with its name for a message if it fails."""

    what: str
    run: Callable[[Sample], Sequence[Result]]


# checks of the training model, in an order in which a check can correct an earlier one
MODEL_CHECKS = (
    Check("what the model reads (D01)", check_direction),
    Check("copying (D01)", check_copying),
    Check("the loss (D04, D09, D13)", check_loss),
    Check("dependence on batch and padding (D08)", check_invariance),
)
# checks of the inference models against the training model
STEPPER_CHECKS = (Check("the weights (D07)", check_weights),)
# checks of every model that can run free
RUNNING_CHECKS = (
    Check("running free (D05, D06, D14)", check_running),
    Check("what the model has learnt", check_learnt),
)


def open_models(
    found: Examination, given: Mapping[str, Any], others: Mapping[str, Any], *, allow_lambda: bool
) -> dict[str, Any]:
    """Loads models from paths and infers their parts.

    Args:
        found: receives the results.
        given: models, or their paths, by part.
        others: models, or their paths, by name.
        allow_lambda: whether files may hold Lambda layers.

    Returns:
        Models by part.

    """

    def opened(value: Any) -> Any:
        if not isinstance(value, (str, Path)):
            return value
        model, lost = load_model(Path(value), allow_lambda=allow_lambda)
        found.add(*([NotExamined(lost)] if lost else []))
        return model

    with quiet():
        named = {part: opened(value) for part, value in given.items() if value is not None}
        unnamed = {name: opened(value) for name, value in others.items()}
        parts = sort_models(unnamed, named)
        for name, model in unnamed.items():
            told = [part for part, chosen in parts.items() if chosen is model and part not in named]
            found.inferred += [f"{name} is the {part.replace('_', ' ')}" for part in told]
    return parts


def examine_models(
    found: Examination,
    models: Mapping[str, Any],
    data: Data | None,
    inputs: Sequence[str] | Mapping[str, str] | None,
) -> None:
    """Runs the checks of models.

    Args:
        found: receives the results.
        models: by part.
        data: the arrays.
        inputs: the user's order of the training model's inputs.

    """
    with quiet():
        check_models(found, models, data, order_of(inputs, models.get(TRAIN), data))


def order_of(inputs: Sequence[str] | Mapping[str, str] | None, model: Any, data: Data | None) -> Sequence[str] | None:
    """Converts the user's names of arrays to parts in the order of the model's inputs.

    Raises:
        OptionError: a name is not one of an array or an input.

    """
    if inputs is None or data is None or model is None:
        return None
    by_name = {
        side.name: part
        for part, side in ((ENCODER_INPUT, data.source), (DECODER_INPUT, data.inputs))
        if side is not None
    }
    if isinstance(inputs, Mapping):
        labels = [tensor.name for tensor in model.inputs] if is_functional(model) else []
        if set(labels) != set(inputs):
            raise OptionError(f"--inputs: expected the model's inputs {', '.join(labels)}, got {', '.join(inputs)}")
        names = [inputs[label] for label in labels]
    else:
        names = list(inputs)
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise OptionError(f"--inputs: expected arrays that a model reads ({', '.join(by_name)}), got {unknown[0]!r}")
    return [by_name[name] for name in names]


def check_models(found: Examination, models: Mapping[str, Any], data: Data | None, order: Sequence[str] | None) -> None:
    """Examines models on the arrays, or their weights alone if there are no arrays.

    Args:
        found: receives the results.
        models: by part.
        data: the arrays.
        order: parts in the order of the training model's inputs; None: the user did not name it.

    """
    train, *inference = (models.get(part) for part in (TRAIN, ENCODER, DECODER))
    some_inference = any(model is not None for model in inference)
    if data is None or (data.inputs is None and data.source is None):
        found.add(
            NotExamined(
                "the outputs of the models (D05, D06, D08, D09, D13, D14): no arrays; pass their training arrays"
            )
        )
        if train is not None and some_inference:
            found.attempt("the weights (D07)", lambda: check_values(train, inference))
        return
    sample = make_sample(found, train, inference, data, order)
    if sample is None:
        return
    checks: list[Check] = []
    if sample.teacher is not None:
        checks += MODEL_CHECKS
        if some_inference:
            checks += STEPPER_CHECKS
    for check in [*checks, *RUNNING_CHECKS]:
        found.attempt(check.what, functools.partial(check.run, sample))


def make_sample(
    found: Examination, train: Any, inference: Sequence[Any], data: Data, order: Sequence[str] | None
) -> Sample | None:
    """Infers how to call the models and samples rows; adds a note and returns None if it cannot."""
    if train is not None:
        found.add(*check_magnitudes(train, data))
    teacher = find_teacher(found, train, data, order)
    if beyond := check_embeddings(train, data, teacher) if train is not None else []:
        found.findings = [one for one in found.findings if one.title != BEYOND]  # an error names some id alone
        found.add(*beyond)
        return None  # such a model cannot be called
    stepper = find_stepper(found, inference, teacher, data)
    if data.targets is None:
        found.add(NotExamined("the outputs of the models (D05 to D09, D13, D14): no targets; pass decoder_target"))
        return None
    if teacher is None and stepper is None:
        return None
    if (data.inputs is not None and not data.inputs.ids.size) or not data.targets.ids.size:
        found.add(
            NotExamined(
                "the outputs of the models (D05 to D09, D13, D14): decoder arrays are neither ids nor one-hot; pass ids"
            )
        )
        return None
    sample = Sample(data, teacher, stepper, spread(data), (inference[0], inference[1]))
    found.add(Examined(FORCED, len(sample.rows)))
    try:
        wrong = check_classes(sample)
    except Exception as error:
        failed = f"the outputs of the models: calling them failed with {type(error).__name__}: {str(error)[:200]}"
        found.add(cause_of(error, failed))
        return None
    found.add(*wrong)
    return None if wrong else sample


def find_teacher(found: Examination, train: Any, data: Data, order: Sequence[str] | None) -> Teacher | None:
    """Wraps the training model; adds a note and returns None if it cannot."""
    if train is None:
        found.add(NotExamined("the training model (D07, D08, D09, D13): none was given; pass --train-model"))
        return None
    try:
        teacher = make_teacher(train, data, order)
    except DataError as error:
        found.add(cause_of(error, f"the outputs of the training model (D05 to D09, D13, D14): {error}"))
        return None
    if not order:
        found.inferred.append(order_in_words(teacher, data))
    return teacher


def cause_of(error: Exception, failed: str) -> Result:
    """Returns D11 if an embedding refused an id; for another error, the note that the check failed."""
    match = re.search(r"= (-?\d+) is not in \[0, (\d+)\)", str(error))
    if match is None:
        return NotExamined(failed)
    evidence = {"id": int(match[1]), "rows of the embedding": int(match[2])}
    return finding("D11", BROKEN, evidence, title=BEYOND)


def find_stepper(found: Examination, inference: Sequence[Any], teacher: Teacher | None, data: Data) -> Stepper | None:
    """Connects the inference models; adds a note and returns None if it cannot."""
    encoder, decoder = inference
    if encoder is None or decoder is None:
        if teacher is not None and data.source is not None and len(teacher.parts) > 1:
            found.add(
                NotExamined(
                    "the inference models (D07): none were given; pass --encoder and --decoder. The training model ran "
                    "free instead"
                )
            )
        return None
    if data.inputs is None or data.source is None:
        found.add(NotExamined("the inference models (D07): no decoder_input; pass it"))
        return None
    classes = data.targets.sequences.classes if data.targets is not None else 0
    if teacher is not None:
        classes = next((shape[-1] for shape in shapes(teacher.model, "outputs") if shape[-1]), classes)
    try:
        stepper = make_stepper(encoder, decoder, data.inputs, classes=classes, end=data.end)
    except DataError as error:
        found.add(NotExamined(f"the inference models step by step (D07): {error}"))
        return None
    found.inferred.append(stepper.wiring)
    return stepper

"""Opens the models of an examination and hands them to the checks; the first module that needs Keras."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.diagnosis.model_checks import Outcome, check_models
from seq2seq.errors import OptionError
from seq2seq.foreign.layout import DECODER, ENCODER, Data
from seq2seq.foreign.models import TRAIN, is_functional, load_model, quiet, sort_models


def examine_models(
    given: Mapping[str, Any],
    others: Mapping[str, Any],
    data: Data | None,
    inputs: Sequence[str] | Mapping[str, str] | None,
    *,
    allow_lambda: bool,
) -> Outcome:
    """Loads what is a path, concludes parts, and runs the checks."""
    notes: list[str] = []
    inferred: list[str] = []

    def opened(value: Any) -> Any:
        if not isinstance(value, (str, Path)):
            return value
        model, lost = load_model(Path(value), allow_lambda=allow_lambda)
        notes.extend([lost] if lost else [])
        return model

    with quiet():
        named = {part: opened(value) for part, value in given.items() if value is not None}
        parts = sort_models({name: opened(value) for name, value in others.items()}, named, inferred)
        order = order_of(inputs, parts.get(TRAIN), data)
        outcome = check_models(parts, data, order)
    outcome.notes[:0] = notes
    outcome.inferred[:0] = inferred
    return outcome


def order_of(inputs: Sequence[str] | Mapping[str, str] | None, model: Any, data: Data | None) -> Sequence[str] | None:
    """Turns the user's words about inputs into parts in the order of the model's inputs.

    Raises:
        OptionError: a name is neither an array's nor an input's.

    """
    if inputs is None or data is None or model is None:
        return None
    by_name = {side.name: part for part, side in ((ENCODER, data.source), (DECODER, data.inputs)) if side is not None}
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

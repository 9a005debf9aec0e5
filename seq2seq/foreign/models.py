"""Opens Keras models safely and infers which is the training model, the encoder and the decoder."""

import contextlib
import json
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seq2seq.errors import DataError
from seq2seq.foreign.compiling import compile_from
from seq2seq.foreign.keras2 import from_tf_keras, is_tf_keras, load_keras_2, read_saved
from seq2seq.models.backend import keras

WEIGHTS_ALONE = "expected a whole model, got weights alone; save it with model.save('model.keras')"
TRAIN, ENCODER, DECODER = "train_model", "encoder", "decoder"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silences the warnings of TensorFlow and Keras about models without a loss and about repeated tracing."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def load_model(path: Path, *, allow_lambda: bool = False) -> tuple[Any, str]:
    """Opens a model file.

    Returns:
        The model, and a note on the part that could not be restored (empty if all of it was).

    Raises:
        DataError: the file holds a Lambda layer that is not allowed, needs classes that are not available, or is not
            a model.

    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.name.endswith(".weights.h5"):
        raise DataError(f"{path}: {WEIGHTS_ALONE}")
    saved = read_saved(path)
    if saved is None:
        raise DataError(f"{path}: {WEIGHTS_ALONE}")
    if '"Lambda"' in json.dumps(saved.config) and not allow_lambda:
        raise DataError(
            f"{path}: holds a Lambda layer, whose code would run on loading; if you trust the file, allow it with "
            "--allow-lambda"
        )
    if saved.is_keras_2:
        model, compiled = load_keras_2(path, saved, allow_lambda=allow_lambda)
        return model, compiled.lost and f"{path.name}: {compiled.lost}"
    failed = ""
    try:
        model = keras.models.load_model(path, safe_mode=not allow_lambda)
    except Exception as first:  # Keras raises many kinds
        failed = whole_message(first)
        try:
            model = keras.models.load_model(path, compile=False, safe_mode=not allow_lambda)
        except Exception as error:
            raise DataError(
                f"{path}: Keras cannot load it ({whole_message(error)}); a model with classes of its own can be "
                "examined in Python: seq2seq.examine(train_model=model, arrays=...)"
            ) from error
    if model.compiled or not saved.settings:
        return model, ""
    compiled = compile_from(model, saved.settings)
    lost = compiled.lost or (failed and not compiled.loss and f"its compiled loss could not be restored ({failed})")
    return model, f"{path.name}: {lost}" if lost else ""


def open_model(value: Any, *, allow_lambda: bool = False) -> tuple[Any, str]:
    """Opens a model that is given as a path, or as an object of Keras 3 or of tf_keras.

    Returns:
        The model in Keras 3, and what could not be restored of it (empty: nothing).

    Raises:
        DataError: it cannot be opened, or rebuilt in Keras 3.

    """
    if isinstance(value, (str, Path)):
        return load_model(Path(value), allow_lambda=allow_lambda)
    if is_tf_keras(value):
        model, compiled = from_tf_keras(value, allow_lambda=allow_lambda)
        return model, compiled.lost
    return value, ""


def whole_message(error: Exception) -> str:
    """Returns the whole message of an error, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def sort_models(models: Mapping[str, Any], given: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Assigns each model its part: from its name where that is clear, else from its inputs and outputs.

    Args:
        models: models whose part is unknown, by name.
        given: models whose part the user named, by part.

    Returns:
        All models by part. A model that seems to have the part of a given one is left out.

    Raises:
        DataError: two models seem to have the same part.

    """
    parts = dict(given)
    for name, model in models.items():
        part = part_of(name, model, alone=len(models) + len(given) == 1)
        if part in given:
            continue
        if part in parts:
            raise DataError(
                f"two models seem to be the {part}; say which is which with --train-model, --encoder and --decoder"
            )
        parts[part] = model
    return parts


def part_of(name: str, model: Any, *, alone: bool) -> str:
    """Infers which part a model has."""
    stem = re.sub(r"encoder[-_ ]?decoder|enc[-_]?dec", "", Path(name).stem.lower())
    inputs, outputs = shapes(model, "inputs"), shapes(model, "outputs")
    if len(outputs) >= 2 and len(inputs) >= 2 and "train" not in stem:
        return DECODER
    if "train" in stem:
        return TRAIN
    if len(inputs) == 1 and not alone and ("enc" in stem or len(outputs) >= 2 or len(outputs[0]) == 2):
        return ENCODER
    if "dec" in stem and "enc" not in stem and not alone and len(inputs) > 1:
        return DECODER
    if len(inputs) == 2 and not alone and len(inputs[1]) == 2 and inputs[1][1] and len(inputs[0]) == 3:
        return DECODER  # a symbol and one state
    return TRAIN


def shapes(model: Any, which: str) -> list[tuple[int | None, ...]]:
    """Returns the shapes of a functional model's inputs or outputs; an empty list for a subclassed model."""
    try:
        return [tuple(tensor.shape) for tensor in getattr(model, which)]
    except (AttributeError, TypeError, ValueError):
        return []


def is_functional(model: Any) -> bool:
    """Returns whether the model has a graph of layers that can be inspected."""
    return bool(shapes(model, "inputs")) and bool(shapes(model, "outputs"))


def layers_of(model: Any) -> list[Any]:
    """Returns all layers, including those inside nested models and wrappers."""
    found = []
    for layer in getattr(model, "layers", []):
        found.append(layer)
        found += layers_of(layer)
        inner = getattr(layer, "layer", None)
        if inner is not None:
            found.append(inner)
    return found


def stateful_layers(model: Any) -> list[Any]:
    """Returns the layers that keep their states between batches."""
    return [layer for layer in layers_of(model) if getattr(layer, "stateful", False) and hasattr(layer, "reset_state")]


def reset_states(model: Any) -> None:
    """Resets the states that stateful layers keep between batches."""
    for layer in stateful_layers(model):
        layer.reset_state()

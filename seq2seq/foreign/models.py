"""Opens Keras models safely and concludes which one trains, which one encodes and which one decodes."""

import contextlib
import logging
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seq2seq.errors import DataError
from seq2seq.models.backend import keras

WEIGHTS_ALONE = "expected a whole model, got weights alone; save it with model.save('model.keras')"
TRAIN, ENCODER, DECODER = "train_model", "encoder", "decoder"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps TensorFlow and Keras from warning about inference models without a loss and the many shapes tried."""
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
        The model, and what could not be restored of it (empty: nothing).

    Raises:
        DataError: it holds a Lambda layer and that was not allowed, it needs classes that are not here, or it is no
            model.

    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.name.endswith(".weights.h5"):
        raise DataError(f"{path}: {WEIGHTS_ALONE}")
    config = config_of(path)
    if '"Lambda"' in config and not allow_lambda:
        raise DataError(
            f"{path}: holds a Lambda layer, whose code would run on loading; if you trust the file, allow it with "
            "--allow-lambda"
        )
    try:
        return keras.models.load_model(path, safe_mode=not allow_lambda), ""
    except Exception as first:  # Keras raises many kinds
        try:
            model = keras.models.load_model(path, compile=False, safe_mode=not allow_lambda)
        except Exception as error:
            raise DataError(
                f"{path}: Keras cannot load it ({shortened(error)}); a model with classes of its own can be examined "
                "in Python: seq2seq.examine(train_model=model, arrays=...)"
            ) from error
        return model, f"{path.name}: its compiled loss could not be restored ({shortened(first)})"


def shortened(error: Exception) -> str:
    """Gives an error's whole message, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def config_of(path: Path) -> str:
    """Reads a model file's description without running anything.

    Raises:
        DataError: it is not a model file.

    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return archive.read("config.json").decode("utf-8")
        import h5py

        with h5py.File(path, "r") as file:
            if "model_config" not in file.attrs:
                raise DataError(f"{path}: {WEIGHTS_ALONE}")
            config = file.attrs["model_config"]
            return config if isinstance(config, str) else bytes(config).decode("utf-8")
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a Keras model (.keras or .h5), got something else: {error}") from error


def sort_models(models: Mapping[str, Any], given: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """Gives each model its part, from names where they tell and from signatures elsewhere.

    Args:
        models: models whose part is unknown, by name.
        given: models by part.

    Returns:
        All models by part; one that seems to have the part of a given one is left out.

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
    """Concludes which part a model has."""
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
    """Shapes of a functional model's inputs or outputs; empty for a subclassed one."""
    try:
        return [tuple(tensor.shape) for tensor in getattr(model, which)]
    except (AttributeError, TypeError, ValueError):
        return []


def is_functional(model: Any) -> bool:
    """Says whether the model has a graph of layers that can be looked at."""
    return bool(shapes(model, "inputs")) and bool(shapes(model, "outputs"))


def layers_of(model: Any) -> list[Any]:
    """All layers, those inside nested models and wrappers too."""
    found = []
    for layer in getattr(model, "layers", []):
        found.append(layer)
        found += layers_of(layer)
        inner = getattr(layer, "layer", None)
        if inner is not None:
            found.append(inner)
    return found

"""Moves weights between Keras models and plain arrays under this package's own names, such as `decoder_0.kernel`."""

from collections.abc import Iterable, Mapping

import numpy as np

from seq2seq.errors import BundleError
from seq2seq.models.backend import keras


def named_variables(models: Iterable[keras.Model]) -> dict[str, keras.Variable]:
    """Names every weight by its layer and its role; state of random generators is not a weight."""
    named: dict[str, keras.Variable] = {}
    for model in models:
        for layer in model.layers:
            for variable in layer.weights:
                if "seed" not in variable.path.rsplit("/", 1)[-1]:
                    named[f"{layer.name}.{variable.path.rsplit('/', 1)[-1]}"] = variable
    return named


def export_weights(models: Iterable[keras.Model]) -> dict[str, np.ndarray]:
    """Copies all weights out of the models."""
    return {name: keras.ops.convert_to_numpy(variable) for name, variable in named_variables(models).items()}


def import_weights(models: Iterable[keras.Model], weights: Mapping[str, np.ndarray], *, where: str) -> None:
    """Copies weights into the models.

    Raises:
        BundleError: a name is missing or too many, or a shape differs; `where` is named.

    """
    named = named_variables(models)
    for name in sorted(set(named) ^ set(weights)):
        state = "is missing" if name in named else "belongs to no layer of this configuration"
        raise BundleError(f"{where}: weight {name!r} {state}; the folder mixes parts of different models")
    for name, variable in named.items():
        if tuple(variable.shape) != weights[name].shape:
            raise BundleError(
                f"{where}: weight {name!r} has shape {weights[name].shape}, expected {tuple(variable.shape)}; "
                "the folder mixes parts of different models"
            )
        variable.assign(weights[name])

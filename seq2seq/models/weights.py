"""Copies weights between Keras models and arrays with this package's names, such as `decoder_0.kernel`."""

from collections.abc import Iterable, Mapping

import numpy as np

from seq2seq.errors import BundleError
from seq2seq.models.backend import keras


def named_variables(models: Iterable[keras.Model]) -> dict[str, keras.Variable]:
    """Returns the weights, each named by its layer and role; the state of random generators is not a weight."""
    named: dict[str, keras.Variable] = {}
    for model in models:
        for layer in model.layers:
            for variable in layer.weights:
                role = variable.path.rsplit("/", 1)[-1]
                if "seed" not in role:
                    named[f"{layer.name}.{role}"] = variable
    return named


def export_weights(models: Iterable[keras.Model]) -> dict[str, np.ndarray]:
    """Returns copies of all weights."""
    return {name: keras.ops.convert_to_numpy(variable) for name, variable in named_variables(models).items()}


def import_weights(models: Iterable[keras.Model], weights: Mapping[str, np.ndarray], *, where: str) -> None:
    """Copies weights into the models.

    Raises:
        BundleError: a weight is missing, unknown or of another shape; the message begins with `where`.

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

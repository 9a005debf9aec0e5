"""Copies everything that the next training step depends on, except the weights, and restores it from a checkpoint.

With an average of the weights, the checkpoint's weights are the average, and the trained weights are part of the state.
"""

from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.errors import BundleError
from seq2seq.files.reading import read_arrays
from seq2seq.models.averaging import WeightAverage
from seq2seq.models.backend import keras
from seq2seq.models.weights import import_weights, named_variables
from seq2seq.training.checkpoints import STATE, WEIGHTS, Progress, load_progress

CARRY = "carry."  # a number follows: the name of a carried state in a checkpoint


def training_state(
    models: list[keras.Model], optimizer: keras.optimizers.Optimizer, average: WeightAverage | None
) -> dict[str, Any]:
    """Names the optimiser's slots, the state of every random generator (of dropout), and the weights if averaged."""
    state = {f"optimizer.{index}": variable for index, variable in enumerate(optimizer.variables)}
    for layer in (layer for model in models for layer in model.layers):
        for index, variable in enumerate(layer.non_trainable_variables):
            state[f"seed.{layer.name}.{index}"] = variable
    if average is not None:
        state |= {f"trained.{name}": variable for name, variable in named_variables(models).items()}
    return state


def export_state(
    models: list[keras.Model],
    optimizer: keras.optimizers.Optimizer,
    average: WeightAverage | None,
    carry: list[Any],
) -> dict[str, np.ndarray]:
    """Copies the training state, with the states that an unfinished epoch carries, as arrays by name."""
    state = training_state(models, optimizer, average) | {f"{CARRY}{index}": part for index, part in enumerate(carry)}
    return {name: keras.ops.convert_to_numpy(variable) for name, variable in state.items()}


def restore(
    checkpoint: Path,
    models: list[keras.Model],
    optimizer: keras.optimizers.Optimizer,
    average: WeightAverage | None,
) -> tuple[Progress, list[np.ndarray]]:
    """Restores weights, their average, optimiser and random states from a checkpoint.

    Returns:
        How far the run had come, and the states that were carried within an unfinished epoch.

    Raises:
        BundleError: the checkpoint is damaged, or another version wrote it.

    """
    import_weights(models, read_arrays(checkpoint / WEIGHTS), where=str(checkpoint))
    if average is not None:
        average.start()  # from the weights just read, which are the average; those that are trained follow
    state = read_arrays(checkpoint / STATE)
    carry = [state.pop(f"{CARRY}{index}") for index in range(sum(name.startswith(CARRY) for name in state))]
    named = training_state(models, optimizer, average)
    for name in sorted(set(named) | set(state)):
        expected, got = named.get(name), state.get(name)
        if expected is None or got is None or tuple(expected.shape) != got.shape:
            raise BundleError(
                f"{checkpoint / STATE}: {name!r} does not fit this version of Keras or of this package; "
                "continue with the version that wrote it, or give --overwrite to start from the beginning"
            )
    for name, variable in named.items():
        variable.assign(state[name])
    return load_progress(checkpoint), carry

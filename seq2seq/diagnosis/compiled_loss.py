"""The loss and metrics that a model was compiled with."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from seq2seq.diagnosis.sample import Sample
from seq2seq.foreign.models import reset_states
from seq2seq.models.backend import keras


def loss_function(model: Any) -> Any:
    """Returns the compiled loss as a function of targets and outputs; the first if there are several."""
    loss = model.loss
    if isinstance(loss, dict):
        loss = next(iter(loss.values()))
    if isinstance(loss, (list, tuple)):
        loss = loss[0]
    return keras.losses.get(loss) if isinstance(loss, str) else loss


def loss_name(model: Any) -> str:
    """Returns the name of the compiled loss."""
    loss = model.loss
    return str(loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", loss))


@contextlib.contextmanager
def uncompiled(model: Any) -> Iterator[None]:
    """Lets a model evaluate without a graph, which takes longer to make than a few batches to run."""
    kept = model.run_eagerly, model.test_function
    model.run_eagerly, model.test_function = True, None
    try:
        yield
    finally:
        model.run_eagerly, model.test_function = kept


def evaluated(sample: Sample, targets: np.ndarray, weights: np.ndarray | None = None) -> dict[str, float]:
    """Returns the figures of Keras's `evaluate` on the sample, each batch from initial states.

    Args:
        sample: the rows.
        targets: targets for them in the form of the data.
        weights: sample weights for them, or None.

    """
    assert sample.teacher is not None
    model = sample.teacher.model
    source, inputs, size = sample.source(), sample.inputs(), sample.teacher.fixed or len(targets)
    found: list[dict[str, float]] = []
    for begin in range(0, len(targets), size):
        part = np.resize(np.arange(begin, min(begin + size, len(targets))), size)
        reset_states(model)
        with uncompiled(model):
            figures = model.evaluate(
                sample.teacher.arrays(*(None if array is None else array[part] for array in (source, inputs))),
                targets[part],
                sample_weight=None if weights is None else weights[part],
                batch_size=size,
                verbose=0,
                return_dict=True,
            )
        found.append({name: float(value) for name, value in figures.items()})
    return {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}

"""D07: whether the inference models hold the training model's weights and compute the same step by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2seq.diagnosis.behaviour import CAUSAL
from seq2seq.diagnosis.report import BROKEN, HARMFUL, Finding, finding
from seq2seq.diagnosis.sample import Sample
from seq2seq.foreign.inference_models import Stepper
from seq2seq.models.backend import keras

ROWS = 8
SAME, CLOSE = 2e-3, 2e-2  # differences of probabilities: rounding, and small
SHOWN = 6


def foreign_weights(train: Any, inference: Sequence[Any]) -> list[str]:
    """Returns the names of inference weights that equal no weight of the training model."""
    trained = [keras.ops.convert_to_numpy(variable) for variable in train.weights]
    found = []
    named = [(f"{model.name}: {one.path}", one) for model in inference if model is not None for one in model.weights]
    for name, variable in named:
        value = keras.ops.convert_to_numpy(variable)
        if value.dtype.kind != "f" or not value.ndim:
            continue
        differs = (np.abs(value - other).max() > 1e-6 for other in trained if other.shape == value.shape)
        if all(differs):
            found.append(name)
    return found


def check_values(train: Any, inference: Sequence[Any]) -> list[Finding]:
    """D07 by the values of weights alone."""
    foreign = foreign_weights(train, inference)
    evidence = {"weights that the training model does not have": len(foreign), "such as": foreign[:SHOWN]}
    return (
        [finding("D07", BROKEN, evidence, title="the inference models hold other weights than the training model")]
        if foreign
        else []
    )


def check_weights(sample: Sample) -> list[Finding]:
    """D07: compares weights by value and outputs step by step."""
    assert sample.teacher is not None
    foreign = foreign_weights(sample.teacher.model, sample.inference)
    evidence: dict[str, Any] = {}
    if foreign:
        evidence["weights that the training model does not have"] = len(foreign)
        evidence["such as"] = foreign[:SHOWN]
    if sample.stepper is None:
        return [finding("D07", BROKEN, evidence)] if foreign else []
    if not foreign and sample.future_effect > CAUSAL:
        return []  # a model that reads later steps cannot run step by step: D06 reports it
    differences = by_step(sample, sample.stepper)
    largest = float(differences.max(initial=0.0))
    if largest <= SAME:
        return []
    evidence |= {
        "first differing step": int((differences > SAME).any(0).argmax()) + 1,
        "largest difference of a probability": largest,
        "rows": len(differences),
    }
    title, fix = "the inference models are connected differently from the training model", ""
    if foreign:
        title = "the inference models hold other weights than the training model"
    if not foreign:
        for what, stepper in sample.stepper.swapped().items():
            try:
                if by_step(sample, stepper).max(initial=0.0) <= SAME:
                    evidence["agrees when exchanged"] = what
                    title = "the inference models swap the states: " + what
                    fix = "decoder_rnn(x, initial_state=[state_h, state_c])  # h first, c second, in and out"
                    break
            except Exception:  # models that refuse an exchange were not built with it
                continue
        if not fix and without_padding(sample, sample.stepper):
            evidence["agrees"] = "where sources have no padding"
            title = "the inference models lose the mask: they read padding that the training model skips"
            fix = "give the decoder the mask as an input, or pass memory without padding: memory[:, :length]"
            return [finding("D07", HARMFUL, evidence, title=title, fix=fix)]
    severity = BROKEN if foreign or largest > CLOSE else HARMFUL
    return [finding("D07", severity, evidence, title=title, fix=fix)]


def without_padding(sample: Sample, stepper: Stepper) -> bool:
    """Returns whether the inference models equal the training model on sources without padding."""
    side = sample.data.source
    assert sample.teacher is not None
    if side is None or side.pad is None:
        return False
    source, inputs = sample.source(ROWS), sample.inputs(ROWS)
    real = side.real[sample.rows[:ROWS]]
    for row in range(min(4, len(source))):
        tight, fed = source[row : row + 1][:, real[row]], inputs[row : row + 1]
        try:
            change = np.abs(stepper.forced(tight, fed) - sample.teacher(tight, fed)).max(-1)
        except Exception:  # the models take only one width
            return False
        if (change * sample.real[row : row + 1]).max(initial=0.0) > SAME:
            return False
    return True


def by_step(sample: Sample, stepper: Stepper) -> np.ndarray:
    """Returns the largest difference of a probability between stepwise and whole rows, (B, T), 0 on padding."""
    count = min(ROWS, len(sample.rows))
    one = stepper.forced(sample.source(count), sample.inputs(count))
    return np.asarray(np.abs(one - sample.forced[:count]).max(-1) * sample.real[:count])

"""D13: whether the model's output, its softmax layers and the compiled loss fit together."""

from typing import Any

import numpy as np

from seq2seq.diagnosis.compiled_loss import evaluated, loss_function, loss_name
from seq2seq.diagnosis.report import BROKEN, Finding, finding
from seq2seq.diagnosis.sample import TINY, Sample
from seq2seq.foreign.graph import softmax_layers
from seq2seq.foreign.teacher_forcing import are_probabilities
from seq2seq.models.backend import keras

PROBABILITIES, LOGITS = "probabilities", "logits"


def expected_form(sample: Sample, model: Any) -> str | None:
    """Infers from values of the loss whether it takes probabilities or logits; None if neither."""
    function = loss_function(model)
    assert sample.data.targets is not None
    classes = sample.forced.shape[-1]
    true = np.asarray(sample.raw(sample.data.targets, 8))
    ids = sample.targets[:8]
    real = sample.real[:8]
    figures = []
    for confidence in (0.9, 0.5, 1.0 / classes):
        scores = np.full((*ids.shape, classes), (1 - confidence) / max(classes - 1, 1), np.float32)
        np.put_along_axis(scores, np.maximum(ids, 0)[..., None], confidence, -1)
        shaped = scores[:, 0] if sample.data.targets.sequences.single else scores
        try:
            value = float(np.mean(keras.ops.convert_to_numpy(function(true, shaped))))
        except Exception:  # a loss of another kind
            return None
        exponent = np.exp(scores)
        as_logits = np.take_along_axis(exponent / exponent.sum(-1, keepdims=True), np.maximum(ids, 0)[..., None], -1)
        figures.append((value, -np.log(confidence), float(-np.log(as_logits[..., 0][real]).mean())))
    measured, probable, logit = (np.array(column) for column in zip(*figures, strict=True))
    for form, wanted in ((PROBABILITIES, probable), (LOGITS, logit)):
        if measured[2] > 0 and np.allclose(measured / measured[2], wanted / wanted[2], rtol=0.05, atol=0.01):
            return form
    return None


def check_softmax(sample: Sample, model: Any) -> list[Finding]:
    """D13: compares the form of the model's output with the form that the loss takes."""
    twice = check_double_softmax(sample, model)
    if twice or sample.teacher is None:
        return twice
    count = min(32, len(sample.rows))
    raw = sample.teacher.raw(sample.source(count), sample.inputs(count))
    raw = raw[sample.real[:count]]
    gives = PROBABILITIES if are_probabilities(raw) else LOGITS
    takes = expected_form(sample, model)
    sums = raw.sum(-1)
    evidence = {
        "sums of output rows": [float(sums.min()), float(sums.max())],
        "smallest output": float(raw.min()),
        "largest output": float(raw.max()),
        "the compiled loss takes": takes or "unknown",
        "loss": loss_name(model),
    }
    if takes is None or takes == gives:
        return []
    if gives == PROBABILITIES:
        if loss_undoes_softmax(sample):
            return []
        title = "softmax is applied twice: by the model and by the loss"
        fix = "loss=keras.losses.SparseCategoricalCrossentropy()  # without from_logits=True"
    else:
        title = "the model puts out logits, the loss expects probabilities"
        fix = "loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
    return [finding("D13", BROKEN, evidence, title=title, fix=fix)]


def loss_undoes_softmax(sample: Sample) -> bool:
    """Returns whether the compiled loss of probabilities is their true cross-entropy, although it takes logits.

    Keras on TensorFlow finds the logits before a final softmax activation. So `evaluate` decides, with the likeliest
    and the least likely symbols as targets: the true losses differ by log(p / q), those after two softmax by p - q.
    """
    assert sample.data.targets is not None
    least, most = sample.forced.min(-1), sample.forced.max(-1)
    losses = []
    for ids in (sample.forced.argmin(-1), sample.forced.argmax(-1)):
        raw = sample.data.targets.sequences.with_ids(ids)
        try:
            losses.append(evaluated(sample, raw[:, 0] if sample.data.targets.sequences.single else raw)["loss"])
        except Exception:  # targets in a form that the loss does not take
            return False
    true, twice = float(np.log(most / np.maximum(least, TINY)).mean()), float((most - least).mean())
    return losses[0] - losses[1] > np.sqrt(true * twice)


def check_double_softmax(sample: Sample, model: Any) -> list[Finding]:
    """D13: two softmax layers in a row, found in the graph or in the probabilities.

    softmax(q) of probabilities q has log p - mean(log p) = q - 1/V, which is at least -1/V.
    """
    scores = sample.forced[sample.real]
    logs = np.log(np.maximum(scores, 1e-30))
    centred = logs - logs.mean(-1, keepdims=True)
    classes = scores.shape[-1]
    bound = np.e / (np.e + classes - 1)
    in_numbers = bool(
        len(scores)
        and (centred.min(-1) >= -1 / classes - 1e-3).all()
        and np.abs(centred.max() - centred.min()) <= 1.01
        and centred.max() - centred.min() > 0.4
        and classes > 2
    )
    layers = softmax_layers(model)
    if not in_numbers and len(layers) < 2:
        return []
    evidence: dict[str, Any] = {
        "largest probability": float(scores.max()) if len(scores) else 0.0,
        "largest that softmax of probabilities can give": float(bound),
    }
    if len(layers) > 1:
        evidence["layers"] = layers
    return [
        finding(
            "D13",
            BROKEN,
            evidence,
            title="softmax is applied twice in the model",
            effect="no probability can exceed the bound: the loss stays high and sampling is nearly uniform",
            fix="keras.layers.Dense(size, activation='softmax')  # and no softmax after it",
        )
    ]

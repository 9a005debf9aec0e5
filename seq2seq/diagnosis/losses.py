"""D04, D09 and D13: evaluates the compiled loss and metrics to find which positions they count."""

from typing import Any

import numpy as np

from seq2seq.diagnosis.report import BROKEN, HARMFUL, Finding, NotExamined, Result, Settled, finding
from seq2seq.diagnosis.sample import Sample
from seq2seq.foreign.arrays import NOTHING
from seq2seq.foreign.graph import softmax_layers
from seq2seq.foreign.teacher_forcing import are_probabilities
from seq2seq.models.backend import keras

CLOSE = 0.02  # relative difference of two losses that count as equal
CHANGED = 1e-6  # relative difference of a loss when a position that counts changes
PROBABILITIES, LOGITS = "probabilities", "logits"


def check_loss(sample: Sample) -> list[Result]:
    """Checks D04, D09 and D13 of a compiled model; D13 alone if it is not compiled."""
    assert sample.teacher is not None
    model = sample.teacher.model
    if not getattr(model, "compiled", False) or getattr(model, "loss", None) is None:
        missing = NotExamined(
            "the loss and the metrics (D04, D09, D13): the training model is not compiled; compile it, or save it "
            "after compile()"
        )
        return [missing, *check_double_softmax(sample, model)]
    return [*check_softmax(sample, model), *check_counting(sample, model)]


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


def loss_function(model: Any) -> Any:
    """Returns the compiled loss as a function of targets and outputs; the first if there are several."""
    loss = model.loss
    if isinstance(loss, dict):
        loss = next(iter(loss.values()))
    if isinstance(loss, (list, tuple)):
        loss = loss[0]
    return keras.losses.get(loss) if isinstance(loss, str) else loss


def loss_reads_padding(sample: Sample, model: Any) -> bool:
    """Returns whether the loss function depends on predictions for padding; True if it cannot be called."""
    function = loss_function(model)
    true = np.asarray(sample.raw(sample.data.targets))
    padding = after_end(sample)
    values = []
    for confidence in (0.05, 0.9):
        scores = np.full((*sample.targets.shape, sample.forced.shape[-1]), 0.1, np.float32)
        scores[..., 0][padding] = confidence
        try:
            values.append(float(np.sum(keras.ops.convert_to_numpy(function(true, scores)))))
        except Exception:  # a loss that needs more than targets and outputs
            return True
    return abs(values[0] - values[1]) > CHANGED * abs(values[0])


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
        title = "softmax is applied twice: by the model and by the loss"
        fix = "loss=keras.losses.SparseCategoricalCrossentropy()  # without from_logits=True"
    else:
        title = "the model puts out logits, the loss expects probabilities"
        fix = "loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
    return [finding("D13", BROKEN, evidence, title=title, fix=fix)]


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


def loss_name(model: Any) -> str:
    """Returns the name of the compiled loss."""
    loss = model.loss
    return str(loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", loss))


def check_counting(sample: Sample, model: Any) -> list[Result]:
    """D04 and D09: changes the targets on padding and compares the losses."""
    targets = sample.data.targets
    assert targets is not None
    if targets.sequences.single or sample.teacher is None or sample.real.all():
        return []
    weights = None if sample.data.weights is None else sample.data.weights[targets.sequences.rows[sample.rows]]
    arrays = sample.teacher.arrays(sample.source(), sample.inputs())
    given = sample.raw(targets)
    as_given = evaluated(model, arrays, given, weights, sample.teacher.fixed)
    changed = evaluated(model, arrays, altered(sample, after_end(sample)), weights, sample.teacher.fixed)
    share = float(sample.real.mean())
    by_hand = sample.nats(sample.forced)
    loss = as_given["loss"]
    settled = Settled("D04")  # the loss shows whether padding counts
    counts = abs(changed["loss"] - loss) > CHANGED * max(abs(loss), 1e-3) and loss_reads_padding(sample, model)
    padded = targets.pad == NOTHING
    accuracies = accuracy_metrics(as_given)
    evidence: dict[str, Any] = {
        "share of positions that are padding": 1 - share,
        "reported loss": loss,
        "loss without padding, nats per symbol": by_hand,
        **{f"reported {name}": value for name, value in accuracies.items()},
        "accuracy without padding": sample.accuracy,
        "rows": len(sample.rows),
    }
    if counts and not padded:
        on_padding = sample.right & ~sample.real & (sample.targets >= 0)
        evidence["accuracy on padding"] = float(on_padding.sum() / max((~sample.real).sum(), 1))
        text = bool(((targets.ids == targets.pad) & targets.real).any())
        title = "padding is a real character and is scored" if text else "padding is scored as a symbol of its own"
        return [settled, finding("D04", HARMFUL, evidence, title=title)]
    diluted = abs(loss - by_hand * share) <= CLOSE * max(loss, 1e-3) and share < 1 - CLOSE
    fair = (sample.accuracy, float(sample.right[sample.real | ~after_end(sample)].mean()))
    wrong = [name for name, value in accuracies.items() if min(abs(value - one) for one in fair) > CLOSE]
    if not diluted and not wrong:
        return [settled]
    if diluted:
        evidence["reported loss over the loss without padding"] = loss / max(by_hand, 1e-9)
    what = " and ".join([*(["loss"] if diluted else []), *(wrong[:1] and ["metrics"])])
    return [settled, finding("D09", HARMFUL, evidence, title=f"{what} averaged over padding")]


def accuracy_metrics(figures: dict[str, float]) -> dict[str, float]:
    """Returns the reported figures that are accuracies."""
    return {name: value for name, value in figures.items() if "acc" in name.lower()}


def evaluated(
    model: Any, arrays: Any, targets: np.ndarray, weights: np.ndarray | None, rows: int | None
) -> dict[str, float]:
    """Returns the figures of Keras's `evaluate` for one batch, or for batches of `rows` rows."""
    figures = model.evaluate(
        arrays, targets, sample_weight=weights, batch_size=rows or len(targets), verbose=0, return_dict=True
    )
    return {name: float(value) for name, value in figures.items()}


def after_end(sample: Sample) -> np.ndarray:
    """Returns padding without its first step, bool (B, T): masks of the decoder's input include that step."""
    padding = ~sample.real
    if not padding[:, -1].any():
        return padding  # the padding is in front
    before = np.concatenate([np.zeros((len(padding), 1), bool), padding[:, :-1]], 1)
    return np.asarray(padding & before) if (padding & before).any() else padding


def altered(sample: Sample, padding: np.ndarray) -> np.ndarray:
    """Returns targets with another symbol on the padding."""
    targets = sample.data.targets
    assert targets is not None
    ids = sample.targets.copy()
    classes = max(targets.sequences.classes, 2)
    ids[padding] = (ids[padding] + 1) % classes
    return np.asarray(targets.sequences.with_ids(ids))

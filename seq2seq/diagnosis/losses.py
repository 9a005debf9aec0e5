"""D04 and D09: evaluates the compiled loss and metrics to find which positions they count."""

from typing import Any

import numpy as np

from seq2seq.diagnosis.causes import BINARY
from seq2seq.diagnosis.compiled_loss import evaluated, loss_function
from seq2seq.diagnosis.report import HARMFUL, Finding, NotExamined, Result, Settled, finding
from seq2seq.diagnosis.sample import Sample
from seq2seq.diagnosis.softmax_checks import check_double_softmax, check_softmax, expected_form
from seq2seq.foreign.arrays import NOTHING, ONE_HOT
from seq2seq.models.backend import keras

CLOSE = 0.02  # relative difference of two losses that count as equal
CHANGED = 1e-6  # relative difference of a loss when a position that counts changes
UNTRAINED = 1.25  # how many times the loss on text the loss on padding is, at least, if padding was never scored
PART = 0.01  # share of a loss that is worth a finding


def check_loss(sample: Sample) -> list[Result]:
    """Checks D04, D09 and D13 of a compiled model; D13 alone if it is not compiled."""
    assert sample.teacher is not None
    model = sample.teacher.model
    if not getattr(model, "compiled", False) or getattr(model, "loss", None) is None:
        missing = NotExamined(
            "the loss and the metrics (D04, D09, D13): the training model is not compiled; compile it, or save it "
            "after compile()"
        )
        return [*([] if sample.loss_lost else [missing]), *check_double_softmax(sample, model)]
    return [*check_softmax(sample, model), *check_counting(sample)]


def check_counting(sample: Sample) -> list[Result]:
    """D04 and D09: changes the targets on padding and compares the losses."""
    targets = sample.data.targets
    assert targets is not None
    if targets.sequences.single or sample.teacher is None:
        return []
    other = check_binary(sample)
    if sample.real.all():
        return [*other]
    weights = None if sample.data.weights is None else sample.data.weights[targets.sequences.rows[sample.rows]]
    reported = evaluated(sample, sample.raw(targets), weights)
    changed = evaluated(sample, altered(sample, after_end(sample)), weights)["loss"]
    loss, by_hand = reported["loss"], sample.nats(sample.forced)
    counts = abs(changed - loss) > CHANGED * max(abs(loss), 1e-3) and loss_reads_padding(sample)
    accuracies = {name: value for name, value in reported.items() if "acc" in name.lower()}
    evidence: dict[str, Any] = {
        "share of positions that are padding": float((~sample.real).mean()),
        "reported loss": loss,
        "loss without padding, nats per symbol": by_hand,
        **{f"reported {name}": value for name, value in accuracies.items()},
        "accuracy without padding": sample.accuracy,
        "rows": len(sample.rows),
    }
    settled = Settled("D04")  # the loss shows whether padding counts
    if counts and targets.pad != NOTHING:
        return [settled, *other, scored_padding(sample, evidence, given=weights is not None)]
    other = other or (check_smoothing(sample, evidence) if counts else [])
    return [settled, *other, *check_dilution(sample, evidence, accuracies, examine_loss=not other)]


def scored_padding(sample: Sample, evidence: dict[str, Any], *, given: bool) -> Result:
    """D04; a note instead if the model was never trained on padding: the weights of its training are missing.

    Args:
        sample: the rows.
        evidence: what was measured.
        given: whether sample weights are among the arrays.

    """
    targets, padding = sample.data.targets, after_end(sample) & (sample.targets >= 0)
    assert targets is not None
    on_padding, on_text = sample.nats(sample.forced, padding), sample.nats(sample.forced)
    if not given and on_padding > max(UNTRAINED * on_text, -np.log(max(padding.mean(), 1e-9))):
        return NotExamined(
            f"the loss on padding (D04, D09): the model was not trained to predict padding ({on_padding:.3g} nats per "
            f"symbol there, {on_text:.3g} on text), so fit used sample_weight or a mask that is not in the arrays; "
            "add it as sample_weight"
        )
    evidence["accuracy on padding"] = float(sample.right[padding].mean())
    uses = {"START": sample.data.start, "END": sample.data.end}
    roles = [role for role, symbol in uses.items() if symbol == targets.pad]
    inside = bool(((targets.ids == targets.pad) & targets.real).any())
    evidence["padding is"] = " and ".join([f"id {targets.pad}", *roles])
    title = "padding is scored as a symbol of its own"
    if roles:
        title = f"padding is {' and '.join(roles)} and is scored"
    elif inside:
        title = "padding is a real character and is scored"
        evidence["padding is"] += ", which text contains too"
    return finding("D04", HARMFUL, evidence, title=title)


def check_binary(sample: Sample) -> list[Finding]:
    """D09: a loss that is binary cross-entropy, although the output is one distribution over all symbols."""
    targets = sample.data.targets
    assert targets is not None
    losses = losses_by_position(sample)
    if losses is None or targets.sequences.kind != ONE_HOT or sample.forced.shape[-1] < 3:
        return []
    true, scores = np.asarray(sample.raw(targets)), np.clip(sample.forced, 1e-7, 1 - 1e-7)
    binary = -(true * np.log(scores) + (1 - true) * np.log(1 - scores)).mean(-1)
    if not np.allclose(losses[sample.real], binary[sample.real], rtol=CLOSE, atol=1e-4):
        return []
    evidence = {
        BINARY: float(binary[sample.real].mean()),
        "their cross-entropy, nats per symbol": sample.nats(sample.forced),
        "symbols that it averages over": sample.forced.shape[-1],
        "rows": len(sample.rows),
    }
    return [
        finding(
            "D09",
            HARMFUL,
            evidence,
            title="the loss is binary cross-entropy, and the output is a softmax over all symbols",
            effect="the printed loss is an average over the vocabulary: it is near 0 before anything is learnt",
            fix="model.compile(..., loss='categorical_crossentropy')",
        )
    ]


def check_smoothing(sample: Sample, evidence: dict[str, Any]) -> list[Finding]:
    """D09: label smoothing turns rows of zeros, which padding is, into targets that count."""
    losses = losses_by_position(sample)
    smoothing = getattr(loss_function(sample.model), "label_smoothing", 0)
    if losses is None or not smoothing:
        return []
    total, padding = float(losses.sum()), float(losses[~sample.real].sum())
    if padding <= PART * total:
        return []
    text = sample.nats(sample.forced) * float(sample.real.sum())
    parts = {
        "cross-entropy of text": (1 - smoothing) * text / total,
        "label smoothing of text": 1 - padding / total - (1 - smoothing) * text / total,
        "label smoothing of padding": padding / total,
    }
    return [
        finding(
            "D09",
            HARMFUL,
            {"shares of the loss": parts, **evidence},
            title=f"label smoothing makes rows of zeros count: {padding / total:.0%} of the loss",
            fix="model.fit(x, y, sample_weight=real)  # real: 1 on text, 0 on padding; or no label_smoothing",
        )
    ]


def check_dilution(
    sample: Sample, evidence: dict[str, Any], accuracies: dict[str, float], *, examine_loss: bool
) -> list[Finding]:
    """D09: a loss that is 0 on padding, or metrics, divided by all positions."""
    share, loss, by_hand = float(sample.real.mean()), evidence["reported loss"], sample.nats(sample.forced)
    diluted = examine_loss and abs(loss - by_hand * share) <= CLOSE * max(loss, 1e-3) and share < 1 - CLOSE
    diluted = diluted and expected_form(sample, sample.model) is not None
    fair = (sample.accuracy, float(sample.right[sample.real | ~after_end(sample)].mean()))
    wrong = [name for name, value in accuracies.items() if min(abs(value - one) for one in fair) > CLOSE]
    what = " and ".join([*(["loss"] if diluted else []), *(wrong[:1] and ["metrics"])])
    if not what:
        return []
    if diluted:
        evidence["reported loss over the loss without padding"] = loss / max(by_hand, 1e-9)
    return [finding("D09", HARMFUL, evidence, title=f"{what} averaged over padding")]


def losses_by_position(sample: Sample) -> np.ndarray | None:
    """Returns the compiled loss at each position, float64 (B, T), without weights; None if it has no such form."""
    function = loss_function(sample.model)
    scores = np.log(np.maximum(sample.forced, 1e-30)) if getattr(function, "from_logits", False) else sample.forced
    try:
        call = getattr(function, "call", function)  # a class's, which is not averaged, or a function
        found = call(np.asarray(sample.raw(sample.data.targets)), scores.astype(np.float32))
        losses = keras.ops.convert_to_numpy(found).astype(np.float64)
    except Exception:  # a user's function, or targets in another form
        return None
    return losses if losses.shape == sample.targets.shape else None


def loss_reads_padding(sample: Sample) -> bool:
    """Returns whether the loss function depends on predictions for padding; True if it cannot be called."""
    function = loss_function(sample.model)
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

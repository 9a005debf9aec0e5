"""D08: whether a row's result depends on its padding or on the other rows of the batch."""

from collections.abc import Sequence

import numpy as np

from seq2seq.diagnosis.fixes import mask_fix
from seq2seq.diagnosis.report import BROKEN, HARMFUL, Finding, NotExamined, Result, finding
from seq2seq.diagnosis.sample import Sample
from seq2seq.foreign.arrays import ONE_HOT
from seq2seq.foreign.models import is_functional, shapes

ROWS, ALONE = 24, 5
ROUNDING = 1e-3
NOTABLE = 0.02
RUIN = 0.2


def check_invariance(sample: Sample) -> Sequence[Result]:
    """D08: the batch first, then padding, since the check of padding runs rows of one length in a batch."""
    return check_batch(sample) or check_tight(sample)


def check_batch(sample: Sample) -> list[Finding]:
    """Compares rows in a batch with the same rows alone."""
    assert sample.teacher is not None
    count = min(ALONE, len(sample.rows))
    source, inputs = sample.source(count), sample.inputs(count)
    alone = np.concatenate(
        [
            sample.teacher(None if source is None else source[i : i + 1], None if inputs is None else inputs[i : i + 1])
            for i in range(count)
        ]
    )
    together = sample.forced[:count]
    change = float(np.abs(alone - together)[sample.real[:count]].max(initial=0.0))
    if change <= ROUNDING:
        return []
    accuracies = accuracy(sample, alone), accuracy(sample, together)
    evidence = {
        "rows that are the same alone": same_rows(sample, alone, together),
        "largest change of a probability": change,
        "accuracy alone": accuracies[0],
        "accuracy in the batch": accuracies[1],
        "rows": count,
    }
    severity = BROKEN if accuracies[0] > accuracies[1] + RUIN else HARMFUL
    return [
        finding(
            "D08",
            severity,
            evidence,
            title="results depend on the other rows of the batch",
            effect="a sentence decodes differently alone and in a batch",
            fix="no statistics over the batch axis in inference: call layers with training=False, stateful=False",
        )
    ]


def check_tight(sample: Sample) -> list[Result]:
    """Compares results with the given padding of sources and without padding."""
    assert sample.teacher is not None
    side = sample.data.source
    if side is None or side.pad is None or not side.ids.size:
        return []
    lengths = side.lengths()[sample.rows]
    width = side.ids.shape[1]
    padded = np.flatnonzero((lengths < width) & (lengths > 0))[:ROWS]
    if not len(padded):
        return []
    place = sample.teacher.parts.index("encoder_input") if "encoder_input" in sample.teacher.parts else 0
    if is_functional(sample.teacher.model) and shapes(sample.teacher.model, "inputs")[place][1] not in (None,):
        return [
            NotExamined(
                f"whether results depend on padding (D08): the model takes only sources of {width} steps; build it "
                "with Input(shape=(None, ...))"
            )
        ]
    source, inputs = sample.source(), sample.inputs()
    real = side.real[sample.rows]
    tight = np.zeros((len(padded), *sample.forced.shape[1:]))
    for pattern in np.unique(real[padded], axis=0):  # rows of one length are one batch
        group = np.flatnonzero((real[padded] == pattern).all(1))
        rows = padded[group]
        tight[group] = sample.teacher(source[rows][:, pattern], None if inputs is None else inputs[rows])
    given = sample.forced[padded]
    change = float(np.abs(tight - given)[sample.real[padded]].max(initial=0.0))
    accuracies = accuracy(sample, tight, padded), accuracy(sample, given, padded)
    same = same_rows(sample, tight, given, padded)
    evidence = {
        "rows that are the same without padding": same,
        "largest change of a probability": change,
        "accuracy without padding": accuracies[0],
        "accuracy with it": accuracies[1],
        "mean padding, steps": float((width - lengths[padded]).mean()),
        "rows": len(padded),
    }
    if accuracies[0] > accuracies[1] + RUIN and accuracies[0] > sample.majority + RUIN:
        return [finding("D08", BROKEN, evidence, title="the given padding ruins the result")]
    # D04 reports padding that is a symbol of the text
    text = side.sequences.kind == ONE_HOT and side.pad >= 0
    if text or (change <= NOTABLE and same == 1.0) or change <= ROUNDING:
        return []
    title = "results depend on how far sources are padded"
    return [finding("D08", HARMFUL, evidence, title=title, fix=mask_fix(side))]


def accuracy(sample: Sample, scores: np.ndarray, rows: np.ndarray | None = None) -> float:
    """Returns the share of real targets that are right, for some rows of the sample (default: the first)."""
    rows = np.arange(len(scores)) if rows is None else rows
    right = scores.argmax(-1) == sample.targets[rows]
    return float(right[sample.real[rows]].mean())


def same_rows(sample: Sample, one: np.ndarray, other: np.ndarray, rows: np.ndarray | None = None) -> float:
    """Returns the share of rows whose predictions are all the same."""
    rows = np.arange(len(one)) if rows is None else rows
    differs = (one.argmax(-1) != other.argmax(-1)) & sample.real[rows]
    return float(1 - differs.any(1).mean())

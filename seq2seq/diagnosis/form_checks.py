"""D13 in the form of targets: whether the compiled loss can take them."""

from typing import Any

import numpy as np

from seq2seq.diagnosis.report import BROKEN, Finding, finding
from seq2seq.foreign.arrays import VECTORS
from seq2seq.foreign.forms import loss_form
from seq2seq.foreign.layout import Data


def check_distributions(data: Data, model: Any) -> list[Finding]:
    """D13: targets that are real vectors, where the loss is a cross-entropy of distributions."""
    targets = data.targets
    if targets is None or targets.sequences.kind != VECTORS or loss_form(model) is None:
        return []
    raw = targets.sequences.raw[targets.sequences.rows]
    sums = raw.sum(-1)
    wrong = (raw < 0).any(-1) | (np.abs(sums - 1) > 0.05)
    if wrong.mean() < 0.05:
        return []
    evidence = {
        "array": targets.name,
        "shape": list(targets.sequences.raw.shape),
        "smallest value": float(raw.min()),
        "sums of target vectors": [float(sums.min()), float(sums.max())],
        "share of vectors that are no distributions": float(wrong.mean()),
    }
    return [
        finding(
            "D13",
            BROKEN,
            evidence,
            title="the targets are no distributions, and the loss is a cross-entropy",
            effect="the loss can be negative, and its minimum is not the target: the model always predicts the same",
            fix="targets of ids, with an output of one score per symbol\n"
            "# or, for vectors: keras.layers.Dense(width) without softmax, and loss='mse' or 'cosine_similarity'",
        )
    ]

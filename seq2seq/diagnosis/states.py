"""D16: whether states that a model keeps between batches change its results."""

import numpy as np

from seq2seq.diagnosis.report import HARMFUL, Finding, finding
from seq2seq.diagnosis.sample import Sample
from seq2seq.foreign.layout import Data
from seq2seq.foreign.models import stateful_layers
from seq2seq.foreign.teacher_forcing import call, main_output, probabilities

ROUNDING = 1e-5  # largest change of a probability that rounding explains
CONTINUED = 0.8  # share of rows that continue the row one batch before, at least, if the data is made for states


def check_states(sample: Sample) -> list[Finding]:
    """D16: predicts the same rows twice, from initial states and then from the states that are left."""
    teacher, layers = sample.teacher, stateful_layers(sample.model)
    if teacher is None or not layers or rows_continue(sample.data, teacher.fixed):
        return []
    count = teacher.fixed or len(sample.rows)
    part = np.resize(np.arange(min(count, len(sample.rows))), count)
    source, inputs = sample.source(), sample.inputs()
    arrays = teacher.arrays(*(None if array is None else array[part] for array in (source, inputs)))
    first, again = (
        probabilities(main_output(call(teacher.model, arrays, keep_states=keep), teacher.classes))
        for keep in (False, True)
    )
    real = sample.real[part]
    change = float(np.abs(first - again)[real].max(initial=0.0))
    if change <= ROUNDING:
        return []
    evidence = {
        "layers that keep their states": [layer.name for layer in layers],
        "largest change of a probability when the same rows are predicted again": change,
        "predictions that changed": float((first.argmax(-1) != again.argmax(-1))[real].mean()),
        "rows": count,
    }
    return [finding("D16", HARMFUL, evidence)]


def rows_continue(data: Data, batch: int | None) -> bool:
    """Returns whether each row continues the row at the same place of the batch before, as stateful training needs."""
    inputs, targets = data.inputs, data.targets
    if data.source is not None or inputs is None or targets is None or not batch or len(inputs.ids) <= batch:
        return False
    return bool((targets.ids[:-batch, -1] == inputs.ids[batch:, 0]).mean() >= CONTINUED)

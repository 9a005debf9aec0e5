"""Runs a model free: greedy decoding with the inference models, or with the training model."""

from typing import Any, NamedTuple

import numpy as np

from seq2seq.decoding import Greedy, State, StepModel, decode
from seq2seq.foreign.free_running import GrowingRows, SlidingWindows
from seq2seq.foreign.ids import ForeignIds
from seq2seq.foreign.inference_models import Stepper
from seq2seq.foreign.layout import Data
from seq2seq.foreign.teacher_forcing import Teacher

Rows = list[list[int]]


class Run(NamedTuple):
    """Greedy outputs, in the model's ids."""

    written: Rows  # a language model continues after END
    outputs: Rows  # cut before END


def run_translator(
    teacher: Teacher | None, stepper: Stepper | None, data: Data, source: Any, starts: np.ndarray, steps: int
) -> Run:
    """Decodes greedily, with the inference models if there are any.

    Args:
        teacher: the training model.
        stepper: the inference models.
        data: holds the form of the decoder's input, and END.
        source: raw rows, (B, S...).
        starts: int (B,), the first id of each row.
        steps: most symbols of an output.

    """
    assert data.inputs is not None
    if stepper is not None:
        outputs = greedy(stepper, stepper.ids, stepper.start(source), stepper.ids.to_search(starts), steps)
    else:
        assert teacher is not None
        rows = GrowingRows(teacher.compiled(len(starts)), data.inputs, ForeignIds(data.end))
        outputs = greedy(rows, rows.ids, *rows.start(source, starts[:, None]), rows.room(1, steps))
    return Run(outputs, outputs)


def run_language_model(teacher: Teacher, data: Data, prompts: np.ndarray, steps: int) -> Run:
    """Continues prompts, int (B, P); decodes on after END until all rows have it."""
    assert data.inputs is not None
    rows = GrowingRows(teacher.compiled(len(prompts)), data.inputs, ForeignIds())
    written = greedy(rows, rows.ids, *rows.start(None, prompts), rows.room(prompts.shape[1], steps))
    longest = max(len(cut(row, data.end)) for row in written) + 1
    return Run([row[:longest] for row in written], [cut(row, data.end) for row in written])


def run_windows(teacher: Teacher, data: Data, windows: np.ndarray, steps: int) -> Run:
    """Continues windows, int (B, W)."""
    assert data.inputs is not None
    model = SlidingWindows(teacher.compiled(len(windows)), data.inputs.sequences, ForeignIds())
    written = greedy(model, model.ids, *model.start(windows), steps)
    return Run(written, written)


def greedy(model: StepModel, ids: ForeignIds, state: State, start_ids: np.ndarray, steps: int) -> Rows:
    """Decodes greedily; returns the model's ids before END, at most `steps` for each row."""
    found = decode(
        model,
        state,
        strategy=Greedy(),
        line_numbers=np.arange(len(start_ids)),
        max_length=steps,
        start_ids=start_ids,
        allow_end=ids.end is not None,
    )
    return [ids.to_model(np.array(hypothesis.token_ids, int)).tolist() for (hypothesis,) in found]


def cut(row: list[int], end: int | None) -> list[int]:
    """Cuts a row before END."""
    return row[: row.index(end)] if end in row else row

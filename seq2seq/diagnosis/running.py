"""Lets a model run free: greedy decoding with its inference models, or with the training model itself."""

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
    """What a model wrote by itself, in its own ids."""

    written: Rows  # a language model goes on after END
    outputs: Rows  # cut before END


def run_translator(
    teacher: Teacher | None, stepper: Stepper | None, data: Data, source: Any, starts: np.ndarray, steps: int
) -> Run:
    """Decodes greedily, with the inference models where there are any.

    Args:
        teacher: the training model.
        stepper: the inference models.
        data: gives the form of the decoder's input, and END.
        source: raw rows, (B, S...).
        starts: int (B,), the id that each row begins with.
        steps: symbols to write at most.

    """
    assert data.inputs is not None
    if stepper is not None:
        outputs = greedy(stepper, stepper.ids, stepper.start(source), stepper.ids.ours(starts), steps)
    else:
        assert teacher is not None
        rows = GrowingRows(teacher.compiled(len(starts)), data.inputs, ForeignIds(data.end))
        outputs = greedy(rows, rows.ids, *rows.start(source, starts[:, None]), rows.room(1, steps))
    return Run(outputs, outputs)


def run_language_model(teacher: Teacher, data: Data, prompts: np.ndarray, steps: int) -> Run:
    """Goes on from prompts, int (B, P); END is a symbol like others until all rows have come to it."""
    assert data.inputs is not None
    rows = GrowingRows(teacher.compiled(len(prompts)), data.inputs, ForeignIds())
    written = greedy(rows, rows.ids, *rows.start(None, prompts), rows.room(prompts.shape[1], steps))
    longest = max(len(cut(row, data.end)) for row in written) + 1
    return Run([row[:longest] for row in written], [cut(row, data.end) for row in written])


def run_windows(teacher: Teacher, data: Data, windows: np.ndarray, steps: int) -> Run:
    """Lets a model of windows, int (B, W), write."""
    assert data.inputs is not None
    model = SlidingWindows(teacher.compiled(len(windows)), data.inputs.sequences, ForeignIds())
    written = greedy(model, model.ids, *model.start(windows), steps)
    return Run(written, written)


def greedy(model: StepModel, ids: ForeignIds, state: State, start_ids: np.ndarray, steps: int) -> Rows:
    """Searches greedily; returns the model's own ids before END, at most `steps` of each row."""
    found = decode(
        model,
        state,
        strategy=Greedy(),
        line_numbers=np.arange(len(start_ids)),
        max_length=steps,
        start_ids=start_ids,
        allow_end=ids.end is not None,
    )
    return [ids.theirs(np.array(hypothesis.token_ids, int)).tolist() for (hypothesis,) in found]


def cut(row: list[int], end: int | None) -> list[int]:
    """Drops END and what follows."""
    return row[: row.index(end)] if end in row else row

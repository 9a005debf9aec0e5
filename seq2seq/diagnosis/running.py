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
CHUNK = 40  # symbols between two searches for a repetition


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


def run_windows_to_loops(
    teacher: Teacher, data: Data, windows: np.ndarray, *, most: int, enough: float
) -> tuple[Rows, list[int]]:
    """Continues windows until they repeat: a window that occurred before is followed by the same symbols for ever.

    Args:
        teacher: the training model.
        data: holds the form of the model's input.
        windows: int (B, W).
        most: most symbols of an output.
        enough: share of rows that end the run once they repeat, 0 to 1.

    Returns:
        The outputs, and the period of each in symbols; 0: it did not repeat.

    """
    assert data.inputs is not None
    model = SlidingWindows(teacher.compiled(len(windows)), data.inputs.sequences, ForeignIds())
    text, width, periods = windows, windows.shape[1], [0] * len(windows)
    while text.shape[1] - width < most and np.mean(np.array(periods) > 0) <= enough:
        written = greedy(model, model.ids, *model.start(text[:, -width:]), CHUNK)
        text = np.concatenate([text, np.array(written)], 1)
        periods = [window_period(row, width) for row in text]
    return text[:, width:].tolist(), periods


def window_period(row: np.ndarray, width: int) -> int:
    """Counts the symbols since the last window of a row, int (T,), occurred before; 0: it did not."""
    earlier = np.lib.stride_tricks.sliding_window_view(row, width)
    same = np.flatnonzero((earlier[:-1] == earlier[-1]).all(1))
    return int(len(earlier) - 1 - same[-1]) if len(same) else 0


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

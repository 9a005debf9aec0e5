"""Lets a model run free: greedy decoding with the training model itself or with its inference models."""

from typing import NamedTuple

import numpy as np

from seq2seq.foreign.feeding import Teacher, fill_id
from seq2seq.foreign.layout import Data
from seq2seq.foreign.padding import Side
from seq2seq.foreign.stepping import Stepper

MOST_STEPS = 48


class Run(NamedTuple):
    """What a model wrote by itself."""

    ids: np.ndarray  # int (B, T), END and what follows included
    outputs: list[list[int]]  # cut before END


def first_ids(side: Side, start: int | None, count: int) -> np.ndarray:
    """The id that each row begins with: START, or its own first one where there is no START."""
    return np.full(count, start) if start is not None else side.first()[:count]


def run_free(
    teacher: Teacher | None,
    stepper: Stepper | None,
    data: Data,
    source: np.ndarray | None,
    begins: np.ndarray,
    steps: int,
) -> Run:
    """Decodes greedily.

    Args:
        teacher: the training model, used when there is no stepper.
        stepper: the inference models.
        data: gives the form of the decoder's input.
        source: raw rows, (B, S...).
        begins: int (B, P), ids to begin with.
        steps: symbols to write.

    """
    assert data.inputs is not None
    sequences, end = data.inputs.sequences, data.end
    count, fed = begins.shape
    if stepper is not None and source is not None:
        carried = stepper.start(source)
        written = np.zeros((count, 0), int)
        token = begins[:, 0]
        for time in range(steps):
            scores, carried = stepper.step(sequences.with_ids(token[:, None]), carried)
            token = scores.argmax(-1)
            written = np.concatenate([written, token[:, None]], 1)
            if fed > time + 1:
                token = begins[:, time + 1]
            if over(written, end):
                break
        return Run(written, [cut(row, end) for row in written.tolist()])
    assert teacher is not None
    teacher = teacher.compiled()
    width = data.inputs.ids.shape[1]
    ids = np.full((count, width), fill_id(data.inputs))
    ids[:, :fed] = begins
    last = min(width, fed + steps)
    for time in range(fed - 1, last - 1):
        scores = teacher(source, sequences.with_ids(ids))
        ids[:, time + 1] = np.minimum(scores[:, time].argmax(-1), highest(data.inputs))
        if over(ids[:, fed : time + 2], end):
            last = time + 2
            break
    written = ids[:, fed:last]
    if last == width:
        written = np.concatenate([written, teacher(source, sequences.with_ids(ids))[:, -1].argmax(-1)[:, None]], 1)
    return Run(written, [cut(row, end) for row in written.tolist()])


def highest(side: Side) -> int:
    """The largest id that the decoder's input can hold."""
    return side.sequences.classes - 1 if side.sequences.kind != "ids" else int(np.iinfo(np.int32).max)


def over(written: np.ndarray, end: int | None) -> bool:
    """Says whether every row has come to END."""
    return end is not None and bool((written == end).any(1).all())


def cut(row: list[int], end: int | None) -> list[int]:
    """Drops END and what follows."""
    return row[: row.index(end)] if end in row else row


def run_windows(teacher: Teacher, data: Data, windows: np.ndarray, steps: int) -> Run:
    """Lets a model of windows write: each symbol is appended to the window, whose first one is dropped."""
    assert data.inputs is not None
    written = np.zeros((len(windows), 0), int)
    top = highest(data.inputs)
    teacher = teacher.compiled()
    for _ in range(steps):
        scores = teacher(None, data.inputs.sequences.with_ids(windows))
        symbol = np.minimum(scores[:, -1].argmax(-1), top)[:, None]
        written = np.concatenate([written, symbol], 1)
        windows = np.concatenate([windows[:, 1:], symbol], 1)
    return Run(written, written.tolist())

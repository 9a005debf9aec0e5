"""Cuts a text into parallel streams and windows for truncated backpropagation: ids in, teacher-forced arrays out."""

from collections.abc import Iterator

import numpy as np

from seq2seq.text.batches import TeacherForced, shift

WARM_UP = 256  # symbols before its own part that a validation stream reads first
FEWEST_PER_STREAM = 2048  # symbols of the validation part in a stream
MOST_STREAMS, VALIDATION_WINDOW = 32, 64  # together they bound the memory of the logits


def stream_count(symbols: int, batch_size: int, window: int) -> int:
    """Returns the number of streams for a text: `batch_size`, or fewer so that each is at least one window long."""
    return max(1, min(batch_size, (symbols - 1) // window))


def steps_per_pass(symbols: int, streams: int, window: int) -> int:
    """Counts the windows of one pass over a text; each is one training step."""
    return -(-((symbols - 1) // streams) // window)


def training_windows(ids: np.ndarray, streams: int, window: int, offset: int) -> Iterator[TeacherForced]:
    """Yields the windows of one pass; row b of each continues row b of the window before.

    Args:
        ids: int (N,), the training part.
        streams: B, consecutive stretches of the text that are read in parallel.
        window: T, symbols between two updates; the last window may be shorter.
        offset: where the first stream begins; after the end of the text a stream continues at its beginning.

    """
    length = (len(ids) - 1) // streams
    starts = offset + length * np.arange(streams)[:, None]
    for first in range(0, length, window):
        steps = np.arange(first, min(first + window, length) + 1)
        rows = ids[(starts + steps) % len(ids)].astype(np.int32)
        inputs, targets = shift(rows)
        yield TeacherForced(inputs, targets, np.ones(targets.shape, np.float32))


def validation_windows(
    ids: np.ndarray, split: int, *, window: int = VALIDATION_WINDOW, streams: int | None = None
) -> Iterator[TeacherForced]:
    """Yields windows in which every symbol from `split` on is a target that counts once.

    Parallel streams read the part. Each first reads the `WARM_UP` symbols before its own, which do not count, so that
    its state is close to that of one long pass.

    Args:
        ids: int (N,), the whole text.
        split: index of the first symbol of the validation part, at least 1.
        window: symbols of a window.
        streams: number of streams; None: chosen by the length of the part.

    """
    count = len(ids) - split
    streams = streams or min(MOST_STREAMS, max(1, count // FEWEST_PER_STREAM))
    length = -(-count // streams)
    warm_up = min(WARM_UP, split - 1)
    starts = split - 1 - warm_up + length * np.arange(streams)[:, None]
    for first in range(0, warm_up + length, window):
        steps = np.arange(first, min(first + window, warm_up + length) + 1)
        places = starts + steps
        inputs, targets = shift(ids[np.minimum(places, len(ids) - 1)].astype(np.int32))
        counts = (steps[1:] > warm_up) & (places[:, 1:] < len(ids))
        yield TeacherForced(inputs, targets, counts.astype(np.float32))

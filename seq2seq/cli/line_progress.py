"""Shows how far a verb has come that writes a line for each line of its input."""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Self

from seq2seq.terminal import LiveLine


class LineProgress:
    """Shows the lines so far, the lines a second, and the time left where the length of the input is known.

    Nothing is shown where the results themselves appear on the terminal.

    Args:
        file: the input; the length of a file is known, that of a pipe is not.
        to_stdout: the results go to standard output.
        live: shows the progress; None: on stderr.
        clock: reads seconds.

    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        to_stdout: bool,
        live: LiveLine | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.live = LiveLine() if live is None else live
        self.hidden = self.live.live and to_stdout and sys.stdout.isatty()
        self.clock, self.began = clock, clock()
        self.size = bytes_left(file)
        self.bytes = self.lines = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.live.clear()

    def counting(self, chunks: Iterable[list[str]]) -> Iterator[list[str]]:
        """Yields chunks of input lines, and counts their bytes."""
        for chunk in chunks:
            self.bytes += sum(len(line.encode()) + 1 for line in chunk)
            yield chunk

    def add(self, count: int) -> None:
        """Adds a number of lines whose results are written, all those of the chunks so far."""
        self.lines += count
        if self.hidden:
            return
        share = min(1.0, self.bytes / self.size) if self.size else None
        speed = self.lines / max(self.clock() - self.began, 1e-9)
        self.live.show(share, f"{self.lines} lines", f"{speed:.0f} lines/s")

    def around(self, notice: Callable[..., None]) -> Callable[..., None]:
        """Returns a function that removes the line before `notice` prints."""

        def clear_and_notice(*values: Any) -> None:
            self.live.clear()
            notice(*values)

        return clear_and_notice


def bytes_left(file: BinaryIO) -> int | None:
    """Returns how many bytes of a file are still to be read; None where they cannot be known, as for a pipe."""
    descriptor = file.fileno()
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return None
    return status.st_size - os.lseek(descriptor, 0, os.SEEK_CUR)

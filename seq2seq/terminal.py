"""The progress of something long in one line: redrawn in place on a terminal, printed now and then elsewhere."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

LIVE_SECONDS = 0.5  # between two drawings on a terminal
PLAIN_SECONDS = 60.0  # between two lines elsewhere, and before the first
BAR_CELLS, FEWEST_CELLS = 20, 5


class LiveLine:
    """Shows how far something long has come, and how much time is left at the speed so far.

    Leaving a `with` block of it removes the line, so that what is printed next stands on a line of its own.
    """

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Writes to `stream`, by default stderr; `clock` reads seconds."""
        self.stream = sys.stderr if stream is None else stream
        self.clock = clock
        self.live = self.stream.isatty()
        self.due = clock() + (0.0 if self.live else PLAIN_SECONDS)
        self.first: tuple[float, float] | None = None  # seconds and share, from which the speed is measured
        self.drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.clear()

    def show(self, share: float | None, *parts: str) -> None:
        """Replaces the line, at most twice a second; without a terminal prints one at most once a minute.

        Args:
            share: of the whole that is done, 0 to 1; None where the whole is unknown.
            parts: what else to say, the most important first.

        """
        now = self.clock()
        if self.first is None and share is not None:
            self.first = now, share
        if now < self.due:
            return
        self.due = now + (LIVE_SECONDS if self.live else PLAIN_SECONDS)
        shown = [*parts, *self._time_left(now, share)]
        if self.live:
            width = columns(self.stream) - 1
            self._redraw(fitted(share, shown, width), width)
        else:
            self.stream.write("  ".join([*percent(share), *shown]) + "\n")
            self.stream.flush()

    def clear(self) -> None:
        """Removes the line."""
        if self.drawn:
            self._redraw("", columns(self.stream) - 1)
            self.drawn = False

    def _redraw(self, text: str, width: int) -> None:
        self.stream.write(f"\r{text:<{width}}\r")
        self.stream.flush()
        self.drawn = True

    def _time_left(self, now: float, share: float | None) -> list[str]:
        if self.first is None or share is None or share <= self.first[1]:
            return []
        began, before = self.first
        return [time_left((now - began) * (1 - share) / (share - before))]


def columns(stream: TextIO) -> int:
    """Returns the width of the terminal behind a stream, in characters."""
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):  # no terminal, or closed
        found = 0
    return found or shutil.get_terminal_size().columns


def percent(share: float | None) -> list[str]:
    """Writes a share, rounded down: 100% is the end."""
    return [] if share is None else [f"{int(100 * share)}%"]


def fitted(share: float | None, parts: list[str], width: int) -> str:
    """Joins a bar, the share and the parts; shortens the bar, then leaves out parts before the last, to fit a width."""
    parts = list(parts)
    while len(text := "  ".join([*percent(share), *parts])) > width and len(parts) > 1:
        del parts[-2]
    cells = min(BAR_CELLS, width - len(text) - 3)
    if share is None or cells < FEWEST_CELLS:
        return text[: max(width, 0)]
    done = int(cells * share)
    return f"[{'#' * done}{'-' * (cells - done)}] {text}"


def time_left(seconds: float) -> str:
    """Says a time left in words: `40 s left`, `3 min left`, `2 h 5 min left`, `3 days left`."""
    if round(seconds) < 60:
        return f"{round(seconds)} s left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min left"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min left" if hours < 48 else f"{round(hours / 24)} days left"

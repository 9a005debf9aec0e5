"""Shows progress in one line: on a terminal it is drawn again in place, elsewhere a line is printed now and then.

On a terminal that can move its cursor, a few lines may stand above it, such as the curves of a run.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Self, TextIO

LIVE_SECONDS = 0.5  # from one drawing to the next, on a terminal
PLAIN_SECONDS = 60.0  # from one line to the next, and before the first, elsewhere
BAR_CELLS, FEWEST_CELLS = 20, 5
UP, TO_END = "\033[A", "\033[J"  # ANSI codes


class LiveLine:
    """Shows the progress of a long task, and the time left at the speed so far.

    At the end of a `with` block the line is removed, so that later output begins on an empty line.
    """

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Writes to `stream`, by default stderr; `clock` reads seconds."""
        self.stream = sys.stderr if stream is None else stream
        self.clock = clock
        self.live = self.stream.isatty()
        self.due = clock() + (0.0 if self.live else PLAIN_SECONDS)
        self.first: tuple[float, float] | None = None  # seconds and share at the first call, to measure the speed
        self.drawn = False
        self.above: Callable[[int], list[str]] = lambda width: []  # makes the lines above, for a width in columns
        self.drawn_above: list[str] = []  # what is on the screen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.clear()

    def show(self, share: float | None, *parts: str) -> None:
        """Replaces the line at most twice per second; without a terminal, prints a line at most once per minute.

        Args:
            share: the part of the task that is done, 0 to 1; None if the whole is unknown.
            parts: other texts to show, the most important first.

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
            if draws_blocks(self.stream):
                self._redraw_above(self.above(width))
            self._redraw(fitted(share, shown, width), width)
        else:
            self.stream.write("  ".join([*percent(share), *shown]) + "\n")
            self.stream.flush()

    def clear(self) -> None:
        """Removes the line, and those above."""
        if self.drawn:
            self._redraw("", columns(self.stream) - 1)
            self._redraw_above([])
            self.drawn = False

    def keep_above(self) -> None:
        """Prints the lines above once more, as a part of the output that stays."""
        if self.live and draws_blocks(self.stream):
            self.stream.write("".join(f"{line}\n" for line in self.above(columns(self.stream) - 1)))
            self.stream.flush()

    def _redraw_above(self, lines: list[str]) -> None:
        if lines != self.drawn_above:
            up = UP * len(self.drawn_above) + TO_END if self.drawn_above else ""
            self.stream.write(up + "".join(f"{line}\n" for line in lines))
            self.stream.flush()
            self.drawn_above = lines

    def _redraw(self, text: str, width: int) -> None:
        self.stream.write(f"\r{text:<{width}}\r")
        self.stream.flush()
        self.drawn = True

    def _time_left(self, now: float, share: float | None) -> list[str]:
        if self.first is None or share is None or share <= self.first[1]:
            return []
        began, before = self.first
        return [time_left((now - began) * (1 - share) / (share - before))]


def draws_blocks(stream: TextIO) -> bool:
    """Returns whether a terminal can show block characters and move its cursor."""
    try:
        "▁█".encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return os.environ.get("TERM", "dumb") != "dumb"


def shows_colours() -> bool:
    """Returns whether the user wants colours, see no-color.org."""
    return not os.environ.get("NO_COLOR")


def columns(stream: TextIO) -> int:
    """Returns the width of the terminal behind a stream, in characters."""
    try:
        found = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):  # no terminal, or closed
        found = 0
    return found or shutil.get_terminal_size().columns


def percent(share: float | None) -> list[str]:
    """Returns a share in percent, rounded down so that 100% means the end; nothing for None."""
    return [] if share is None else [f"{int(100 * share)}%"]


def fitted(share: float | None, parts: list[str], width: int) -> str:
    """Joins a bar, the share and the parts; to fit a width, shortens the bar, then omits parts before the last."""
    parts = list(parts)
    while len(text := "  ".join([*percent(share), *parts])) > width and len(parts) > 1:
        del parts[-2]
    cells = min(BAR_CELLS, width - len(text) - 3)
    if share is None or cells < FEWEST_CELLS:
        return text[: max(width, 0)]
    done = int(cells * share)
    return f"[{'#' * done}{'-' * (cells - done)}] {text}"


def time_left(seconds: float) -> str:
    """Returns a time left in words: `40 s left`, `3 min left`, `2 h 5 min left`, `3 days left`."""
    if round(seconds) < 60:
        return f"{round(seconds)} s left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min left"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min left" if hours < 48 else f"{round(hours / 24)} days left"

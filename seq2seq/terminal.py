"""A line on the terminal that the next one replaces; nothing where stderr is no terminal."""

import shutil
import sys
import time

EVERY_SECONDS = 0.5


class LiveLine:
    """Shows progress while something long runs."""

    def __init__(self) -> None:
        self.shown_at = 0.0
        self.active = sys.stderr.isatty()

    def show(self, text: str) -> None:
        """Replaces the line, at most twice a second."""
        now = time.monotonic()
        if self.active and now - self.shown_at >= EVERY_SECONDS:
            self.shown_at = now
            self.write(text)

    def clear(self) -> None:
        """Removes the line."""
        if self.active:
            self.write("")

    def write(self, text: str) -> None:
        """Writes over what the line holds."""
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r{text[:width]:<{width}}\r")
        sys.stderr.flush()

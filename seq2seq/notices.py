"""Says once for each unknown character what became of it."""

from seq2seq.cli import say
from seq2seq.vocabulary import Replacement


class Notices:
    """Says once for each character that the model does not know what became of it."""

    def __init__(self, most: int = 5) -> None:
        self.seen: set[str] = set()
        self.most = most

    def __call__(self, replacement: Replacement, line: int) -> None:
        """Notes one replaced character; line 0 is the prefix."""
        if replacement.character in self.seen:
            return
        self.seen.add(replacement.character)
        if len(self.seen) <= self.most:
            became = "UNK" if replacement.becomes is None else repr(replacement.becomes)
            where = f"line {line}" if line else "--prefix"
            say(
                f"{where}, column {replacement.column}: {replacement.character!r} ({replacement.code_point}) "
                f"is unknown to the model, read as {became}"
            )

    def summary(self) -> None:
        """Says how many kinds were not named."""
        if len(self.seen) > self.most:
            say(f"{len(self.seen) - self.most} more kinds of unknown characters were read as others")

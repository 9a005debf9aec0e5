"""Says what became of characters that a model does not know."""

from typing import TYPE_CHECKING

from seq2seq.cli.shell import say

if TYPE_CHECKING:
    from seq2seq.text.vocabulary import Replacement


class UnknownCharacters:
    """Collects the characters that a model does not know, and says what became of them.

    Args:
        named: so many kinds are said one by one, as they come; 0: all of them are said in one line at the end.

    """

    def __init__(self, *, named: int = 5) -> None:
        self.named = named
        self.first: dict[str, tuple[str, int]] = {}  # of each kind the code point and the line
        self.count = 0

    def __call__(self, replacement: "Replacement", line: int) -> None:
        """Notes one replaced character; line 0 is the prefix."""
        self.count += 1
        if replacement.character in self.first:
            return
        self.first[replacement.character] = replacement.code_point, line
        if len(self.first) <= self.named:
            became = "UNK" if replacement.becomes is None else repr(replacement.becomes)
            where = f"line {line}" if line else "--prefix"
            say(
                f"{where}, column {replacement.column}: {replacement.character!r} ({replacement.code_point}) "
                f"is unknown to the model, read as {became}"
            )

    def summary(self) -> None:
        """Says what was not said one by one."""
        if len(self.first) <= self.named:
            return
        if self.named:
            say(f"{len(self.first) - self.named} more kinds of unknown characters were read as others")
            return
        character, (code_point, line) = next(iter(self.first.items()))
        say(
            f"{self.count} symbols of {len(self.first)} kinds are unknown to the model and were read as others or as "
            f"UNK, such as {character!r} ({code_point}) of line {line}"
        )

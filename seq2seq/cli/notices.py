"""Reports the characters of the input that a model does not know."""

from typing import TYPE_CHECKING

from seq2seq.cli.shell import say

if TYPE_CHECKING:
    from seq2seq.text.readings import Replacement


class UnknownCharacters:
    """Collects the characters that a model does not know, and reports how it reads them.

    Args:
        named: reports this many different characters, each when it first occurs, and counts the others;
            0: reports all of them together in `summary`.

    """

    def __init__(self, *, named: int = 5) -> None:
        self.named = named
        self.first: dict[str, tuple[str, int]] = {}  # character to its code point and the line where it first occurs
        self.count = 0

    def __call__(self, replacement: "Replacement", line: int) -> None:
        """Records one replaced character; line 0 is the prefix."""
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
        """Reports the characters that were not reported one by one."""
        if len(self.first) <= self.named:
            return
        if self.named:
            others = len(self.first) - self.named
            say(f"{others} other characters are unknown to the model too, read as known ones or as UNK")
            return
        character, (code_point, line) = next(iter(self.first.items()))
        say(
            f"{self.count} symbols ({len(self.first)} different ones) are unknown to the model, read as known ones or "
            f"as UNK; the first is {character!r} ({code_point}) in line {line}"
        )

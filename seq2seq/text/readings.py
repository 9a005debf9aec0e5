"""What a vocabulary makes of a line: its ids and symbols, and the unknown ones among them."""

from collections.abc import Iterator
from typing import NamedTuple

from seq2seq.special import UNK


class Replacement(NamedTuple):
    """What `oov="map"` makes of one unknown symbol in a line."""

    column: int  # 1-based, in characters of the line
    character: str  # a character of the line, a separated symbol or a tag such as `<PST>`
    code_point: str  # such as "U+00E9"; for a longer symbol several with spaces between
    becomes: str | None  # None: UNK


class Reading(NamedTuple):
    """A line as a model reads it."""

    tags: list[int]  # ids
    ids: list[int]  # of the text, without END
    symbols: list[str]  # one for each id: what is written where a model copies it, also if the model never saw it

    @property
    def known_tags(self) -> list[int]:
        """The tags that the model knows; a transducer, which adds up the vectors of tags, leaves the others out."""
        return [tag for tag in self.tags if tag != UNK]


def located_parts(text: str, separator: str, first_column: int) -> Iterator[tuple[int, str]]:
    """Yields the parts of a text, and the column of each; `first_column` is that of the first character."""
    if not separator:
        yield from enumerate(text, start=first_column)
        return
    column = first_column
    for part in text.split(separator):
        if part:
            yield column, part
        column += len(part) + len(separator)

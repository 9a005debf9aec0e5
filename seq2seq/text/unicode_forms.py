"""Unicode forms: characters and their canonical parts, similar characters, and whether data is better in parts."""

import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

LARGEST_SHARE = 1 / 3  # of the alphabet is left, where decomposition is on by itself; Hangul leaves less than a tenth
FEWEST_SAVED = 100  # symbols of the alphabet; accented Latin letters are fewer


class Alphabets(NamedTuple):
    """How many different symbols some lines have, whole and in their canonical parts."""

    characters: int
    parts: int

    @property
    def much_smaller(self) -> bool:
        """Whether decomposition makes the alphabet so much smaller that it is on by itself."""
        saved = self.characters - self.parts
        return self.parts <= LARGEST_SHARE * self.characters and saved >= FEWEST_SAVED


def alphabets(lines: Iterable[str]) -> Alphabets:
    """Counts the different characters of lines, and the different parts after canonical decomposition."""
    characters: set[str] = set()
    characters.update(*lines)
    return Alphabets(len(characters), len(set(decomposed("".join(characters)))))


def decomposed(text: str) -> str:
    """Returns the canonical decomposition (NFD), in which a Hangul syllable is two or three jamo."""
    return text if text.isascii() else unicodedata.normalize("NFD", text)


def composed(text: str) -> str:
    """Returns the canonical composition (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def joins(text: str, symbol: str) -> bool:
    """Returns whether a symbol after a text, which is composed, belongs to the text's last character."""
    return bool(unicodedata.combining(symbol[0])) or not composed(text[-1:] + symbol).startswith(text[-1:])


def similar_forms(symbol: str) -> Iterator[str]:
    """Yields what may stand for an unknown symbol: its compatibility form and its base letter, each in both cases."""
    compatible = unicodedata.normalize("NFKC", symbol)
    base = "".join(c for c in unicodedata.normalize("NFKD", symbol) if unicodedata.category(c) != "Mn")
    for form in (compatible, base):
        yield form
        for cased in (form.lower(), form.upper()):
            yield unicodedata.normalize("NFC", cased)


def code_points(symbol: str) -> str:
    """Returns a symbol's code points, such as `U+00E9`, with spaces between them."""
    return " ".join(f"U+{ord(character):04X}" for character in symbol)

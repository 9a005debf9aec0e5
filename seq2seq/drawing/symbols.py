"""How symbols are shown: names for what has no glyph, and their width in a terminal."""

import unicodedata

NAMES = {None: "END", "<END>": "END", "": "∅", " ": "␣", "\n": "↵", "\t": "⇥"}
OTHER_SPACE = "⍽"
LEFT_TO_RIGHT = "\u200e"  # a mark of no width, which ends the effect of right-to-left letters
RIGHT_TO_LEFT = ("R", "AL", "AN")


def visible(symbol: str | None) -> str:
    """Returns a symbol so that it can be seen alone: None as END, a space as `␣`, an accent on a dotted circle."""
    if symbol in NAMES:
        return NAMES[symbol]
    assert symbol is not None
    if len(symbol) == 1 and unicodedata.category(symbol) in ("Cc", "Cf", "Zl", "Zp", "Cn", "Co", "Cs"):
        return f"U+{ord(symbol):04X}"
    shown = "".join(OTHER_SPACE if c.isspace() else c for c in symbol)
    return f"◌{shown}" if unicodedata.category(shown[0]).startswith("M") else shown


def width_of(text: str) -> int:
    """Counts the terminal cells of a text: two for a wide character, none for a combining mark."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def padded(text: str, width: int) -> str:
    """Returns a text with spaces up to a width in cells; right-to-left letters do not move what follows."""
    mark = LEFT_TO_RIGHT if any(unicodedata.bidirectional(c) in RIGHT_TO_LEFT for c in text) else ""
    return text + mark + " " * max(0, width - width_of(text))

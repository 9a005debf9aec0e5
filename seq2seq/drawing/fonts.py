"""Finds the fonts that matplotlib needs for a text, such as one in Hangul; matplotlib is an optional extra."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

OWN = "DejaVu Sans"  # comes with matplotlib
OTHER_STYLES = re.compile("Bold|Italic|Oblique|Light|Thin|Black|Medium|Heavy|Condensed|Emoji", re.IGNORECASE)
FIRST = ("SansCJK", "Nanum", "malgun", "Gothic", "Arial Unicode", "NotoSans", "Sans")  # in names of files of good fonts


@contextlib.contextmanager
def fonts_for(text: str) -> Iterator[Callable[[str], str]]:
    """Lets figures that are drawn in the `with` block use fonts with the characters of `text`, such as Hangul.

    Yields a function that makes a text drawable: it writes a character that no installed font has as its code point.
    """
    import matplotlib

    families, missing = families_for(text)
    with matplotlib.rc_context({"font.family": families, "axes.unicode_minus": False}):
        yield lambda shown: "".join(f"U+{ord(one):04X}" if one in missing else one for one in shown).replace("$", r"\$")


def families_for(text: str) -> tuple[list[str], set[str]]:
    """Returns the families of fonts that a text needs, matplotlib's own first, and the characters that none has.

    It looks into the fonts themselves, since matplotlib's list of them does not notice what was installed later.
    """
    from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, fontManager, get_font

    def lacking(path: str, characters: set[str]) -> set[str]:
        try:
            known = get_font(path).get_charmap()
        except (OSError, RuntimeError):  # not a font, whatever its name says, or one of colours, which is not drawn
            return characters
        return {one for one in characters if ord(one) not in known}

    families = [OWN]
    missing = lacking(findfont(FontProperties(family=OWN)), {one for one in text if one.isprintable()})
    for path in sorted(findSystemFonts(), key=preference) if missing else ():
        left = lacking(path, missing)
        if left < missing:
            fontManager.addfont(path)
            families.append(get_font(path).family_name)
            missing = left
        if not missing:
            break
    return families, missing


def preference(path: str) -> tuple[bool, int, str]:
    """Returns a key by which fonts are tried: upright ones of usual weight first, then those with many symbols."""
    name = Path(path).name
    place = next((number for number, part in enumerate(FIRST) if part in name), len(FIRST))
    return OTHER_STYLES.search(name) is not None, place, name

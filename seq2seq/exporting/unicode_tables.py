"""Tables of Unicode for programs without Python's `unicodedata`: composition, and what unknown characters become."""

import functools
import sys
import unicodedata

from seq2seq.text.vocabulary import Vocabulary

SURROGATES = range(0xD800, 0xE000)
# the jamo of which Hangul syllables are composed
SYLLABLES, LEADS, VOWELS, TAILS = 0xAC00, 0x1100, 0x1161, 0x11A7
VOWEL_COUNT, TAIL_COUNT, SYLLABLE_COUNT = 21, 28, 11172


@functools.cache
def varying_characters() -> tuple[str, ...]:
    """Returns the characters that have a case, a decomposition or a compatibility form, or are marks."""
    characters = (chr(code) for code in range(sys.maxunicode + 1) if code not in SURROGATES)
    return tuple(
        one
        for one in characters
        if unicodedata.normalize("NFKD", one) != one
        or one.lower() != one
        or one.upper() != one
        or unicodedata.category(one) == "Mn"
    )


@functools.cache
def compositions() -> dict[str, str]:
    """Returns for each pair of characters that canonical composition joins the character that it becomes."""
    found = {}
    for one in varying_characters():
        parts = unicodedata.decomposition(one)
        if parts and not parts.startswith("<") and unicodedata.normalize("NFC", one) == one:
            found["".join(chr(int(part, 16)) for part in parts.split())] = one
    for number in range(SYLLABLE_COUNT):
        before, tail = divmod(number, TAIL_COUNT)
        lead, vowel = divmod(before, VOWEL_COUNT)
        pair = (SYLLABLES + number - tail, TAILS + tail) if tail else (LEADS + lead, VOWELS + vowel)
        found[chr(pair[0]) + chr(pair[1])] = chr(SYLLABLES + number)
    return found


@functools.cache
def exchanged_characters() -> dict[str, str]:
    """Returns the characters that canonical composition never keeps, each with what it becomes."""
    normal = ((one, unicodedata.normalize("NFC", one)) for one in varying_characters())
    return {one: other for one, other in normal if one != other}


def readings_of(vocabulary: Vocabulary) -> tuple[dict[str, str], dict[str, str]]:
    """Returns what `oov="map"` makes of characters, where it is not the character itself.

    Args:
        vocabulary: without a separator.

    Returns:
        For each such character the symbols whose ids it is read as, and those that a copy of it writes, as many.

    """
    read, copied = {}, {}
    for one in varying_characters():
        found = vocabulary.read(one)
        known = vocabulary.symbols_of(found.ids)
        symbols = [
            same if id_ == 1 else symbol for id_, symbol, same in zip(found.ids, known, found.symbols, strict=True)
        ]
        if symbols != [one] or found.symbols != [one]:
            read[one], copied[one] = "".join(symbols), "".join(found.symbols)
    return read, copied

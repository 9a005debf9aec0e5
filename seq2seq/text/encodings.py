"""Describes encodings by their names, and guesses the encoding of bytes."""

import codecs
import re
import unicodedata

CANDIDATES = ("cp1252", "cp1250", "cp1251", "koi8_r", "shift_jis", "euc_kr", "gb18030")  # the first wins a tie
SAMPLE_BYTES = 1 << 16
LIKELY = 0.8  # least share of the non-ASCII characters that must look like text
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # first, since it begins with the mark of UTF-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_RUNS = re.compile(r"[^\W\d_]+|[^\x00-\x7f]")
_SIGNS = "°€£№"
_LATIN, _CYRILLIC = re.compile(r"[A-Za-zÀ-ſ]+"), re.compile(r"[Ѐ-ӿ]+")
# first bytes of common characters: punctuation, kana, Hangul, and the more frequent half of the ideographs
_COMMON = {
    "shift_jis": ("shift_jis", (range(0x81, 0x85), range(0x88, 0x98))),
    "euc_kr": ("euc_kr", (range(0xA1, 0xA4), range(0xB0, 0xC9))),
    "gb18030": ("gb2312", (range(0xA1, 0xA4), range(0xB0, 0xD8))),
}


def is_wide(encoding: str) -> bool:
    """Returns whether ASCII characters take several bytes, as in UTF-16; then bytes do not show where lines end."""
    return len("\n".encode(encoding)) > 1


def is_utf8(encoding: str) -> bool:
    """Returns whether this is a name of UTF-8."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def wide_encoding(sample: bytes) -> str | None:
    """Guesses whether the beginning of a file is UTF-16 or UTF-32; returns the encoding, or None for neither."""
    for mark, name in _MARKS.items():
        if sample.startswith(mark):
            return name
    # in UTF-16 one byte of each ASCII character is zero, always on the same side
    zeros = sample[0::2].count(0), sample[1::2].count(0)
    if max(zeros) < 8 or max(zeros) * 8 < len(sample) or min(zeros) * 8 > max(zeros):
        return None
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"


def likely_encoding(sample: bytes) -> str | None:
    """Guesses which of the CANDIDATES bytes are encoded in; None if none is likely.

    Args:
        sample: bytes that are not UTF-8, from the beginning of a line; the last character may be incomplete.

    """
    scores = {name: plausibility(sample[:SAMPLE_BYTES], name) for name in CANDIDATES}
    best = max(CANDIDATES, key=lambda name: scores[name])
    return best if scores[best] >= LIKELY else None


def way_out(sample: bytes) -> str:
    """Returns the advice for a file with these bytes, which are not UTF-8: which encoding to give."""
    name = likely_encoding(sample)
    if name is None:
        return "name its encoding, such as --encoding cp1252, or convert it to UTF-8"
    return f"it looks like {name}: read it with --encoding {name}, or convert it to UTF-8"


def plausibility(sample: bytes, encoding: str) -> float:
    """Returns the share of the non-ASCII characters that look like text; 0 if the bytes cannot be decoded."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return 0.0
    runs = [run for run in _RUNS.findall(text) if not run.isascii()]
    count = sum(_non_ascii(run) for run in runs)
    return sum(_natural(run, encoding) for run in runs) / count if count else 0.0


def _non_ascii(run: str) -> int:
    return sum(character > "\x7f" for character in run)


def _natural(run: str, encoding: str) -> int:
    """Counts the non-ASCII characters of a run of letters, or of one other character, that look like text."""
    if encoding in _COMMON:
        return sum(_is_common(character, *_COMMON[encoding]) for character in run if character > "\x7f")
    if not run.isalpha():
        return int(len(run) == 1 and (run in _SIGNS or unicodedata.category(run)[0] in "PZ"))
    # letters decoded with the wrong alphabet have capitals inside a word, or are mixed with ASCII in unusual shares
    if not run.islower() and not run.istitle():
        return 0
    count = _non_ascii(run)
    latin = _LATIN.fullmatch(run) and (len(run) == 1 or 3 * count <= 2 * len(run))
    return count if latin or _CYRILLIC.fullmatch(run) else 0


def _is_common(character: str, encoding: str, leads: tuple[range, ...]) -> bool:
    code = character.encode(encoding, "ignore")
    return len(code) == 2 and any(code[0] in lead for lead in leads)

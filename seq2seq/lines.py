"""Reads a text file as cleaned lines: UTF-8 bytes in, NFC with plain spaces and straight apostrophes out."""

import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

from seq2seq.errors import DataError

EXCERPT_CHARACTERS = 60
WHOLE_NUMBER_DIGITS = 18  # so that it fits into 64 bits
_PLAIN_SPACES = ("\u00a0", "\u2009", "\u202f")
_CURLY_APOSTROPHE = "\u2019"
_BYTE_ORDER_MARK = "\ufeff"
_LINE_END_RETURNS = re.compile(r"\r+(?=\n|\Z)")
_FOREIGN_FORMATS = {
    b"PK\x03\x04": "a zip archive (for a set of the Anki site: make data DATA=NAME FILE=path)",
    b"\x1f\x8b": "a gzip file (unpack it first)",
    b"\xff\xfe": "UTF-16 text (convert it: iconv -f UTF-16 -t UTF-8)",
    b"\xfe\xff": "UTF-16 text (convert it: iconv -f UTF-16 -t UTF-8)",
    b"\x89PNG": "an image",
    b"\x89HDF": "an HDF5 file",
    b"%PDF-": "a PDF",
}


class CleanedLines(NamedTuple):
    """The lines of a file without their ends, and what cleaning them changed."""

    lines: list[str]
    undecodable: dict[int, str]  # 0-based index of a line that is not UTF-8, to an excerpt of its bytes
    spaces_mapped: int
    apostrophes_mapped: int


def clean(text: str) -> str:
    """Brings text to NFC, plain spaces and straight apostrophes, and removes byte order marks."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text.replace(_BYTE_ORDER_MARK, "")).replace(_CURLY_APOSTROPHE, "'")
    for space in _PLAIN_SPACES:
        text = text.replace(space, " ")
    return text


def fold(text: str, lowercase: bool) -> str:
    """Strips the ends, and lower-cases where that is asked for."""
    return unicodedata.normalize("NFC", text.lower()).strip() if lowercase else text.strip()


def read_lines(path: str | Path, content: bytes | None = None) -> CleanedLines:
    """Reads cleaned lines, split on LF or CR LF alone; a line that is not UTF-8 is empty.

    Args:
        path: a UTF-8 file.
        content: what the file would hold, where there is none.

    Raises:
        DataError: the file is unreadable or binary.

    """
    data = read_bytes(path) if content is None else content
    check_text_format(data, path)
    undecodable: dict[int, str] = {}
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        rows = []
        for index, row in enumerate(data.split(b"\n")):
            try:
                rows.append(row.decode("utf-8"))
            except UnicodeDecodeError:
                undecodable[index] = excerpt(row)
                rows.append("")
        text = "\n".join(rows)
    spaces = sum(text.count(space) for space in _PLAIN_SPACES)
    apostrophes = text.count(_CURLY_APOSTROPHE)
    if "\r" in text:
        text = _LINE_END_RETURNS.sub("", text)
    lines = clean(text).split("\n")
    if not lines[-1] and len(lines) - 1 not in undecodable:
        lines.pop()
    return CleanedLines(lines, undecodable, spaces, apostrophes)


def read_bytes(path: str | Path) -> bytes:
    """Reads a whole file.

    Raises:
        DataError: there is no such file, it is a folder, or it cannot be read.

    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise DataError(f"expected a file, got {str(path)!r}, which does not exist; check the path") from None
    except IsADirectoryError:
        raise DataError(f"expected a file, got {str(path)!r}, which is a folder; name a file in it") from None
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}; check its permissions") from None


def check_text_format(data: bytes, path: str | Path) -> None:
    """Refuses the bytes of a file that cannot be UTF-8 text.

    Raises:
        DataError: an archive, UTF-16, or many NUL bytes.

    """
    for magic, what in _FOREIGN_FORMATS.items():
        if data.startswith(magic):
            raise DataError(f"expected UTF-8 text, got {str(path)!r}, which is {what}")
    head = data[:8192]
    zeros = head.count(0)
    if zeros >= 8 and zeros > len(head) // 100:
        raise DataError(
            f"expected UTF-8 text, got {str(path)!r}, which is binary or UTF-16 "
            f"({zeros} NUL bytes in the first {len(head)}); convert it to UTF-8"
        )


def whole_number(text: str) -> int | None:
    """Reads a whole number that a person wrote, such as "17" or "-1"; None for any other text."""
    digits = text.strip().removeprefix("-")
    # "²" is a digit and no decimal, and int() refuses thousands of digits
    return int(text) if digits.isdecimal() and len(digits) <= WHOLE_NUMBER_DIGITS else None


def excerpt(line: str | bytes) -> str:
    """Quotes a line for a message, cut where it is long."""
    return repr(line) if len(line) <= EXCERPT_CHARACTERS else repr(line[:EXCERPT_CHARACTERS]) + "..."

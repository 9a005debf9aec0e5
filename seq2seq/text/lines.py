"""Reads a text file as cleaned lines: bytes in, NFC with plain spaces and straight apostrophes out."""

import codecs
import contextlib
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from seq2seq.errors import DataError, excerpt
from seq2seq.files.reading import is_special
from seq2seq.memory import check_memory
from seq2seq.text.encodings import is_utf8, is_wide, way_out, wide_encoding

_PLAIN_SPACES = ("\u00a0", "\u2009", "\u202f")
_CURLY_APOSTROPHE = "\u2019"
_BYTE_ORDER_MARK = "\ufeff"
# what `clean` makes of single characters, for programs without it
REPLACED = {_BYTE_ORDER_MARK: "", _CURLY_APOSTROPHE: "'", **dict.fromkeys(_PLAIN_SPACES, " ")}
_LINE_END_RETURNS = re.compile(r"\r+(?=\n|\Z)")
_FOREIGN_FORMATS = {
    b"PK\x03\x04": "a zip archive (for a set of the Anki site: make data DATA=NAME FILE=path)",
    b"\x1f\x8b": "a gzip file (unpack it first)",
    b"\x89PNG": "an image",
    b"\x89HDF": "an HDF5 file",
    b"%PDF-": "a PDF",
}
_HEAD_BYTES = 8192
COPIES, LINE_BYTES = 4, 200  # memory that a file takes as rows: of its own size, and besides for each line


class CleanedLines(NamedTuple):
    """The lines of a file without line ends, and what cleaning them changed."""

    lines: list[str]
    undecodable: dict[int, bytes]  # 0-based index of each line that cannot be decoded, to its bytes
    spaces_mapped: int
    apostrophes_mapped: int


def clean(text: str) -> str:
    """Converts text to NFC with plain spaces and straight apostrophes, without byte order marks."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text.replace(_BYTE_ORDER_MARK, "")).replace(_CURLY_APOSTROPHE, "'")
    for space in _PLAIN_SPACES:
        text = text.replace(space, " ")
    return text


def fold(text: str, lowercase: bool) -> str:
    """Removes spaces at both ends, and lower-cases if `lowercase`."""
    return unicodedata.normalize("NFC", text.lower()).strip() if lowercase else text.strip()


def read_lines(path: str | Path, content: bytes | None = None, *, encoding: str = "utf-8") -> CleanedLines:
    """Reads cleaned lines, split on LF or CR LF alone; a line that cannot be decoded is empty.

    Args:
        path: a text file.
        content: the bytes to read instead of the file; the path then only appears in messages.
        encoding: of the file.

    Raises:
        DataError: the file is unreadable, binary, or mostly in another encoding.
        OptionError: its lines need more memory than is free.

    """
    data = read_bytes(path) if content is None else content
    check_text_format(data, path, encoding=encoding)
    count = data.count(b"\n")
    check_memory(COPIES * len(data) + LINE_BYTES * count, f"{path}, {count} lines", "give fewer lines")
    text, undecodable = _decoded(data, path, encoding)
    spaces = sum(text.count(space) for space in _PLAIN_SPACES)
    apostrophes = text.count(_CURLY_APOSTROPHE)
    text = clean(text)
    if "\r" in text:
        text = _LINE_END_RETURNS.sub("", text)
    lines = text.split("\n")
    if not lines[-1] and len(lines) - 1 not in undecodable:
        lines.pop()
    return CleanedLines(lines, undecodable, spaces, apostrophes)


def _decoded(data: bytes, path: str | Path, encoding: str) -> tuple[str, dict[int, bytes]]:
    """Decodes a file, line by line if it cannot be decoded at once; see CleanedLines.undecodable."""
    try:
        return data.decode(encoding), {}
    except UnicodeDecodeError as error:
        if is_wide(encoding):  # the bytes do not show where lines end
            raise DataError(
                f"expected {encoding} text, got {str(path)!r}, which cannot be decoded at byte {error.start} "
                f"({error.reason}); give another --encoding, or convert it to UTF-8"
            ) from None
    rows, undecodable = [], {}
    raw = data.split(b"\n")
    for index, row in enumerate(raw):
        try:
            rows.append(row.decode(encoding))
        except UnicodeDecodeError:
            undecodable[index] = row
            rows.append("")
    written = sum(1 for row in raw if row.strip())
    if 2 * len(undecodable) > written:
        index, row = next(iter(undecodable.items()))
        advice = way_out(b"\n".join(undecodable.values()))
        raise DataError(
            f"expected {encoding_name(encoding)} text, got {str(path)!r}, where {len(undecodable)} of {written} lines "
            f"are not, such as line {index + 1}: {excerpt(row)}; {advice}"
        )
    return "\n".join(rows), undecodable


def encoding_name(encoding: str) -> str:
    """Returns the name of an encoding as messages write it."""
    return "UTF-8" if is_utf8(encoding) else encoding


@contextlib.contextmanager
def readable(path: str | Path) -> Iterator[None]:
    """Turns an OSError while a file is read into a DataError that names the file."""
    try:
        yield
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}; check its permissions") from None


def check_ordinary(path: str | Path) -> None:
    """Raises DataError for a pipe or device, which has no end or can be read only once."""
    if is_special(Path(path)):
        raise DataError(
            f"expected a file, got {str(path)!r}, which is a pipe or a device; write its content into a file first"
        )


def read_bytes(path: str | Path) -> bytes:
    """Reads a whole file.

    Raises:
        DataError: there is no such file, it is a folder, or it cannot be read.
        OptionError: it is larger than the memory that is free.

    """
    check_ordinary(path)
    with readable(path):
        try:
            check_memory(Path(path).stat().st_size, str(path), "give a smaller file")
            return Path(path).read_bytes()
        except FileNotFoundError:
            raise DataError(f"expected a file, got {str(path)!r}, which does not exist; check the path") from None
        except IsADirectoryError:
            raise DataError(f"expected a file, got {str(path)!r}, which is a folder; name a file in it") from None


def check_text_format(data: bytes, path: str | Path, *, encoding: str = "utf-8") -> None:
    """Refuses a file that cannot be text in an encoding; `data` is its beginning or all of it.

    Raises:
        DataError: the bytes are an archive or image, or UTF-16, binary or UTF-8 where another encoding is expected.

    """
    expected, head = f"expected {encoding_name(encoding)} text, got {str(path)!r}, which", data[:_HEAD_BYTES]
    for magic, what in _FOREIGN_FORMATS.items():
        if data.startswith(magic):
            raise DataError(f"{expected} is {what}")
    if not is_utf8(encoding) and _reads_as_utf8(head, ascii_too=is_wide(encoding)):
        raise DataError(f"{expected} is UTF-8; give --encoding utf-8")
    if is_wide(encoding):
        return
    wide = wide_encoding(head)
    if wide:
        raise DataError(f"{expected} looks like {wide.upper()}; read it with --encoding {wide}, or convert it to UTF-8")
    zeros = head.count(0)
    if zeros >= 8 and zeros > len(head) // 100:
        raise DataError(
            f"{expected} is binary ({zeros} NUL bytes in the first {len(head)}); "
            "if it is text, name its encoding with --encoding, or convert it to UTF-8"
        )


def _reads_as_utf8(head: bytes, *, ascii_too: bool) -> bool:
    """Returns whether the beginning of a file is UTF-8; plain ASCII counts only if `ascii_too`."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be incomplete
    except UnicodeDecodeError:
        return False
    return bool(text) and "\0" not in text and (ascii_too or not text.isascii())

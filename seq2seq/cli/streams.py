"""Lines into commands: chunks of input that do not wait for a slow writer."""

import contextlib
import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from seq2seq.errors import DataError, OptionError

READ_BYTES = 1 << 16
PAUSE_SECONDS = 0.02


def decode_line(line: bytes, number: int, name: str) -> str:
    """Turns the bytes of a line into text without its end.

    Raises:
        DataError: it is not UTF-8.

    """
    try:
        return line.removesuffix(b"\r").decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        # without a byte order mark, which the decoder has taken away
        byte, before = error.object[error.start], error.object[: error.start].decode("utf-8")
        raise DataError(
            f"{name}:{number}: expected UTF-8 text, got byte 0x{byte:02x} at column {len(before) + 1}; "
            "convert the file: iconv -f latin1 -t utf-8"
        ) from None


def chunks(file: BinaryIO, size: int, *, name: str, first_line: int = 1) -> Iterator[list[str]]:
    """Yields the lines of a stream in lists of at most `size`; what has come is handed on when the stream pauses.

    Args:
        file: binary, split on LF alone.
        size: lines.
        name: of the stream, for messages.
        first_line: number of the first line, for messages.

    """
    descriptor = file.fileno()
    rest, lines, number, ended = b"", [], first_line, False
    while not ended:
        block = os.read(descriptor, READ_BYTES)
        ended = not block
        *whole, rest = (rest + block).split(b"\n")
        if ended and rest:
            whole.append(rest)
        for line in whole:
            lines.append(decode_line(line, number - first_line + 1, name))
            number += 1
            if len(lines) >= size:
                yield lines
                lines = []
        if lines and (ended or not waiting(descriptor)):
            yield lines
            lines = []


def waiting(descriptor: int) -> bool:
    """Tells whether more input comes within a moment; where that cannot be asked, that it does."""
    try:
        return bool(select.select([descriptor], [], [], PAUSE_SECONDS)[0])
    except (OSError, ValueError):
        return True


@contextlib.contextmanager
def open_input(path: str | None) -> Iterator[tuple[BinaryIO, str]]:
    """Opens the input, with its name: a file, which is closed in the end, or standard input for None or '-'.

    Raises:
        OptionError: the file cannot be read.

    """
    if path in (None, "-"):
        if sys.stdin is None:
            raise OptionError("expected lines on standard input, which is closed; give --input FILE")
        yield sys.stdin.buffer, "standard input"
        return
    assert path is not None
    try:
        file = Path(path).open("rb", buffering=0)  # noqa: SIM115 - closed below
    except OSError as error:
        raise OptionError(f"--input {path}: cannot be read: {error.strerror}") from error
    with file:
        yield file, path

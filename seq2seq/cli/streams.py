"""Reads the input of verbs: a stream in, chunks of lines out, without waiting for a writer that pauses."""

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
    """Decodes the bytes of one line; its line end is left out.

    Raises:
        DataError: it is not UTF-8.

    """
    try:
        return line.removesuffix(b"\r").decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        # error.object has no byte order mark: the decoder removed it
        byte, before = error.object[error.start], error.object[: error.start].decode("utf-8")
        raise DataError(
            f"{name}:{number}: expected UTF-8 text, got byte 0x{byte:02x} at column {len(before) + 1}; "
            "convert the file: iconv -f latin1 -t utf-8"
        ) from None


def chunks(file: BinaryIO, size: int, *, name: str) -> Iterator[list[str]]:
    """Yields the lines of a stream in lists of at most `size`; when the stream pauses, yields the lines read so far.

    Args:
        file: binary; only LF ends a line.
        size: lines.
        name: the stream's name, for messages.

    """
    descriptor = file.fileno()
    rest, lines, number, ended = b"", [], 0, False
    while not ended:
        block = os.read(descriptor, READ_BYTES)
        ended = not block
        *whole, rest = (rest + block).split(b"\n")
        if ended and rest:
            whole.append(rest)
        for line in whole:
            number += 1
            lines.append(decode_line(line, number, name))
            if len(lines) >= size:
                yield lines
                lines = []
        if lines and (ended or not waiting(descriptor)):
            yield lines
            lines = []


def waiting(descriptor: int) -> bool:
    """Returns whether more input comes within PAUSE_SECONDS; True where the system cannot tell."""
    try:
        return bool(select.select([descriptor], [], [], PAUSE_SECONDS)[0])
    except (OSError, ValueError):
        return True


@contextlib.contextmanager
def open_input(path: str | None) -> Iterator[tuple[BinaryIO, str]]:
    """Opens the input and yields it with its name: a file, which is closed at the end, or stdin for None or '-'.

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

"""Reads the input of verbs: a stream in, chunks of lines out, without waiting for a writer that pauses."""

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from seq2seq.errors import DataError, OptionError
from seq2seq.files.lines import decode_line, line_bytes

READ_BYTES = 1 << 16
PAUSE_SECONDS = 0.02


class ClosedOutput(io.RawIOBase):
    """Stands for a standard output that is closed: it takes nothing, and says so."""

    @property
    def buffer(self) -> "ClosedOutput":
        """The same: it takes no bytes either."""
        return self

    def write(self, _: Any) -> NoReturn:
        """Raises OSError, which names standard output."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard output")


def prepare_streams() -> None:
    """Lets standard output take all of UTF-8, whatever the locale is, and replaces streams that are closed.

    Otherwise the next file that is opened has the number of a closed stream, and what libraries print goes into it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if sys.stdout is None:
        sys.stdout = ClosedOutput()
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")  # names of files may be other bytes
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as the process runs


def chunks(file: BinaryIO, size: int, *, name: str, symbols: int) -> Iterator[list[str]]:
    """Yields the lines of a stream in lists of at most `size`; when the stream pauses, yields the lines read so far.

    Args:
        file: binary; only LF ends a line.
        size: lines.
        name: the stream's name, for messages.
        symbols: most symbols of a line; a line with far more bytes is refused before it is read to its end.

    Raises:
        DataError: a line is not UTF-8, or too long.

    """
    descriptor, most = file.fileno(), line_bytes(symbols)
    rest, lines, number, ended = bytearray(), [], 0, False
    while not ended:
        block = os.read(descriptor, READ_BYTES)
        ended = not block
        *whole, last = block.split(b"\n")
        if whole:
            whole[0] = bytes(rest) + whole[0]
            rest.clear()
        rest += last
        if ended and rest:
            whole.append(bytes(rest))
        for line in whole:
            number += 1
            lines.append(decode_line(line, number, name))
            if len(lines) >= size:
                yield lines
                lines = []
        if lines and (ended or not waiting(descriptor)):
            yield lines
            lines = []
        if len(rest) > most:
            raise DataError(
                f"{name}:{number + 1}: expected a line of at most {symbols} symbols, got more than {most} bytes; "
                "cut it into sentences, one a line"
            )


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

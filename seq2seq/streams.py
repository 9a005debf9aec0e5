"""Lines in and out of commands: chunks of input that do not wait for a slow writer, and resumable output files."""

import contextlib
import os
import select
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from seq2seq.errors import DataError, OptionError
from seq2seq.files import PARTIAL, read_json, write_json

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


class OutputFile:
    """Results on standard output, or in a file that gets its name when it is complete and can be resumed before.

    A name that is there already and is no ordinary file, such as a pipe, is written to as it is.

    Args:
        path: None or '-': standard output.
        resume: go on with what an interrupted run left.
        settings: what must agree between the two runs.

    Raises:
        OptionError: the earlier part was written with other settings.

    """

    def __init__(self, path: str | None, *, resume: bool, settings: Mapping[str, Any]) -> None:
        self.name = "standard output" if path in (None, "-") else f"--output {path}"
        self.path = None if path in (None, "-") else Path(os.path.realpath(str(path)))
        self.done = 0  # input lines whose results are written already
        if self.path is not None and self.path.exists() and not self.path.is_file():
            if resume:
                raise OptionError(f"--resume: needs an ordinary file, got --output {path}")
            self.file: BinaryIO = self.open(self.path, "wb")
            self.path = None
            return
        if self.path is None:
            if resume:
                raise OptionError("--resume: needs --output FILE; standard output cannot be resumed")
            self.file = sys.stdout.buffer
            return
        self.partial = self.path.with_name(self.path.name + PARTIAL)
        self.note = self.path.with_name(self.path.name + PARTIAL + ".json")
        if resume and self.note.is_file():
            self.resume(settings)
        self.file = self.open(self.partial, "ab" if self.done else "wb")
        self.keep_note(settings)

    @staticmethod
    def open(path: Path, mode: str) -> BinaryIO:
        """Opens a file; an OptionError says why that cannot be."""
        try:
            return cast(BinaryIO, path.open(mode))
        except OSError as error:
            raise OptionError(f"--output {path}: cannot be written: {error.strerror}") from error

    def resume(self, settings: Mapping[str, Any]) -> None:
        """Finds out how many input lines are done and cuts off what was written after them."""
        note = read_json(self.note)
        if note["settings"] != dict(settings):
            changed = [key for key in settings if note["settings"].get(key) != settings[key]]
            raise OptionError(
                f"--resume: {self.partial} was written with other settings ({', '.join(changed)}); "
                "give the same ones, or leave --resume out to start anew"
            )
        if not self.partial.is_file() or self.partial.stat().st_size < note["bytes"]:
            return
        os.truncate(self.partial, note["bytes"])
        self.done = int(note["lines"])

    def keep_note(self, settings: Mapping[str, Any]) -> None:
        """Writes down how far the file is complete."""
        self.file.flush()
        os.fsync(self.file.fileno())
        write_json(self.note, {"lines": self.done, "bytes": self.file.tell(), "settings": dict(settings)})

    def write(self, text: str, *, lines: int, settings: Mapping[str, Any]) -> None:
        """Writes the results of `lines` input lines and flushes.

        Raises:
            OptionError: they cannot be written, as on a full disk.

        """
        try:
            self.file.write(text.encode("utf-8"))
            self.file.flush()
            self.done += lines
            if self.path is not None:
                self.keep_note(settings)
        except BrokenPipeError:  # whoever read the results has gone, which is no error
            raise
        except OSError as error:
            raise OptionError(
                f"{self.name}: cannot be written: {error.strerror}; make room or write elsewhere"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.path is None:
            if self.file is not sys.stdout.buffer:  # a device
                self.file.close()
            return
        if kind is None:
            self.file.close()
            os.replace(self.partial, self.path)
            self.note.unlink(missing_ok=True)
            return
        with contextlib.suppress(OSError):  # what could not be written cannot be flushed now either
            self.file.close()
        print(f"{self.done} lines are in {self.partial}; --resume goes on there", file=sys.stderr)

"""Writes the results of verbs: to standard output, or to a file that an interrupted run can continue."""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from seq2seq.cli.shell import say
from seq2seq.errors import OptionError
from seq2seq.files.lock import exclusive_lock
from seq2seq.files.writing import PARTIAL, write_json


def descriptor_of(path: str) -> int | None:
    """Returns the file descriptor that a name stands for, such as 1 for /dev/stdout; None for other names."""
    folders = {os.path.realpath(name) for name in ("/dev/fd", "/proc/self/fd")}
    for _ in range(40):  # links
        folder, name = os.path.realpath(os.path.dirname(path)), os.path.basename(path)
        if folder in folders and name.isdecimal():
            return int(name)
        if not os.path.islink(path):
            break
        path = os.path.join(folder, os.readlink(path))
    return None


class OutputFile:
    """Writes results to standard output, or to a file that has the name NAME.partial until it is complete.

    Beside NAME.partial stands a note, NAME.partial.json: how many lines are complete, and a digest of their input. A
    later run with `resume` continues there. A pipe, a device or a name such as /dev/stdout is written to directly.

    Args:
        path: the file's name; None or '-': standard output.
        resume: continue the file that an interrupted run left; None: the verb cannot, so that nothing is left.
        settings: options that both runs must have in common.

    Raises:
        OptionError: the file cannot be written, another process is writing it, the unfinished file was not written
            by this program, or it was written with other settings.

    """

    def __init__(self, path: str | None, *, resume: bool | None, settings: Mapping[str, Any]) -> None:
        self.name = "standard output" if path in (None, "-") else f"--output {path}"
        self.settings = dict(settings)
        self.resumable = resume is not None
        self.done = 0  # input lines whose results are written
        self.digest = hashlib.sha256()  # of the input lines read so far
        self.expected: str | None = None  # digest of the first `done` lines, until the input is found to agree with it
        self.path: Path | None = None  # None: written to directly
        self.opened = contextlib.ExitStack()
        if path == "":
            raise OptionError("--output: expected a file name, got ''; leave it out for standard output")
        resume = bool(resume)
        with self.refusals():
            direct = self.open_directly(path, resume=resume)
        if direct is not None:
            self.file = direct
            return
        self.path = Path(os.path.realpath(str(path)))
        self.partial = self.path.with_name(self.path.name + PARTIAL)
        self.note = self.path.with_name(self.path.name + PARTIAL + ".json")
        with self.refusals(), contextlib.ExitStack() as stack:
            self.read_note(resume=resume)  # taking the lock makes NAME.partial: not beside a note of another program
            refusal = f"{self.name}: another process is writing this file; wait for it, or give another --output"
            stack.enter_context(exclusive_lock(self.partial, OptionError(refusal)))
            note = self.read_note(resume=resume)
            if note is None and self.partial.exists() and self.partial.stat().st_size:
                raise OptionError(
                    f"{self.name}: {self.partial} exists, but there is no {self.note.name} from an interrupted run "
                    "beside it; move it away, or give another --output"
                )
            if resume and note is not None:
                self.resume(note)
            self.file = stack.enter_context(self.partial.open("ab" if self.done else "wb"))
            if not self.done:  # otherwise the note is right, and the digest is still incomplete
                try:
                    self.write_note()
                except (OSError, KeyboardInterrupt):
                    self.partial.unlink()  # of no line, and without its note nobody could replace it
                    raise
            self.opened = stack.pop_all()

    @contextlib.contextmanager
    def refusals(self) -> Iterator[None]:
        """Turns an error of the system into an OptionError that gives the reason."""
        try:
            yield
        except BrokenPipeError:  # the reader of the results has gone: run_verb ends the process
            raise
        except OSError as error:
            raise OptionError(
                f"{self.name}: cannot be written: {error.strerror}; make room or write elsewhere"
            ) from error

    def open_directly(self, path: str | None, *, resume: bool) -> IO[bytes] | None:
        """Opens standard output, a pipe or a device; returns None for an ordinary file or a new name.

        Raises:
            OptionError: `resume`, which only an ordinary file allows.

        """
        if path is None or path == "-":
            if resume:
                raise OptionError("--resume: needs --output FILE; standard output cannot be resumed")
            return sys.stdout.buffer
        descriptor = descriptor_of(path)
        if descriptor is None and (os.path.isfile(path) or not os.path.exists(path)):
            return None
        if resume:
            raise OptionError(f"--resume: needs an ordinary file, got {self.name}")
        # opening /dev/stdout by its name would empty the file that it stands for
        return self.opened.enter_context(open(path if descriptor is None else os.dup(descriptor), "wb"))

    def read_note(self, *, resume: bool) -> dict[str, Any] | None:
        """Reads the note of an interrupted run; None if there is none.

        Raises:
            OptionError: it is damaged, or another program wrote it.

        """
        try:
            note = json.loads(self.note.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            note = None
        if isinstance(note, dict) and all(
            isinstance(note.get(key), kind) for key, kind in (("lines", int), ("bytes", int), ("settings", dict))
        ):
            return note
        raise OptionError(
            f"{'--resume' if resume else self.name}: {self.note} is damaged or not the note of an interrupted run, so "
            f"{self.partial.name} can neither be resumed nor replaced; move both away, or give another --output"
        )

    def resume(self, note: Mapping[str, Any]) -> None:
        """Takes over the number of complete lines, and cuts off the bytes written after them."""
        settings = note["settings"]
        changed = [key for key in {**self.settings, **settings} if settings.get(key) != self.settings.get(key)]
        if changed:
            raise OptionError(
                f"--resume: {self.partial} was written with other settings ({', '.join(changed)}); "
                "give the same ones, or leave --resume out to start from the beginning"
            )
        if not self.partial.is_file() or self.partial.stat().st_size < note["bytes"]:
            return
        if not isinstance(note.get("input"), str):
            raise OptionError(
                f"--resume: {self.note} is from an earlier version, which did not record the input; "
                "leave --resume out to start from the beginning"
            )
        os.truncate(self.partial, note["bytes"])
        self.done, self.expected = note["lines"], note["input"]

    def write_note(self) -> None:
        """Records how many lines and bytes are complete, and the digest of their input."""
        os.fsync(self.file.fileno())
        content = {"lines": self.done, "bytes": self.file.tell(), "input": self.digest.hexdigest()}
        write_json(self.note, {**content, "settings": self.settings})

    def unfinished(self, chunks: Iterable[list[str]], name: str) -> Iterator[tuple[int, list[str]]]:
        """Yields chunks of the input lines that have no results yet, each with the number of lines before it.

        Args:
            chunks: all lines of the input.
            name: the input's name, for messages.

        Raises:
            OptionError: the earlier results were made from other lines.

        """
        first, before = self.done, 0
        for chunk in chunks:
            old = chunk[: max(0, first - before)]
            self.add_to_digest(old)
            if len(old) < len(chunk):
                self.check_input(name)
                yield before + len(old), chunk[len(old) :]
            before += len(chunk)
        self.check_input(name)

    def add_to_digest(self, lines: Sequence[str]) -> None:
        """Adds input lines to the digest."""
        self.digest.update("".join(f"{line}\n" for line in lines).encode())

    def check_input(self, name: str) -> None:
        """Raises OptionError where an earlier run read other lines."""
        if self.expected not in (None, self.digest.hexdigest()):
            raise OptionError(
                f"--resume: {self.partial} holds the results of {self.done} lines, and {name} does not begin with "
                "these lines; give the same input, or leave --resume out to start from the beginning"
            )
        self.expected = None

    def write(self, results: str | bytes, lines: Sequence[str]) -> None:
        """Writes the results of input lines and flushes.

        Raises:
            OptionError: the system refuses, for example because the disk is full.

        """
        with self.refusals():
            self.file.write(results if isinstance(results, bytes) else results.encode("utf-8"))
            self.file.flush()
            self.done += len(lines)
            self.add_to_digest(lines)
            if self.path is not None:
                self.write_note()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.refusals(), self.opened:  # closing a device flushes once more
            if self.path is None:
                return
            if kind is None:
                self.file.close()
                os.replace(self.partial, self.path)
                self.note.unlink(missing_ok=True)
                return
            with contextlib.suppress(OSError):  # closing flushes, which fails again on a full disk
                self.file.close()
            if not self.resumable:
                self.partial.unlink(missing_ok=True)
                self.note.unlink(missing_ok=True)
                return
        if self.expected is None:  # otherwise this run wrote nothing
            say(f"{self.done} lines are in {self.partial}; --resume continues there")

"""Results out of commands: on standard output, or in a file that can be resumed while it is unfinished."""

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from seq2seq.errors import OptionError
from seq2seq.files import PARTIAL, exclusive_lock, write_json


def descriptor_of(path: str) -> int | None:
    """Returns the descriptor of this process that a name leads to, such as 1 for /dev/stdout; None for a file."""
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
    """Results on standard output, or in a file that gets its name when it is complete and can be resumed before.

    A name that is there already and is no ordinary file, such as a pipe or /dev/stdout, is written to as it is. An
    unfinished file NAME.partial has a note NAME.partial.json, which says how far it is complete and from which input.

    Args:
        path: None or '-': standard output.
        resume: go on with what an interrupted run left.
        settings: what must agree between the two runs.

    Raises:
        OptionError: it cannot be written, another process writes it, an unfinished file is not ours, or it was
            written with other settings.

    """

    def __init__(self, path: str | None, *, resume: bool, settings: Mapping[str, Any]) -> None:
        self.name = "standard output" if path in (None, "-") else f"--output {path}"
        self.settings = dict(settings)
        self.done = 0  # input lines whose results are written already
        self.digest = hashlib.sha256()  # of these lines
        self.expected: str | None = None  # the digest that they must come to, where an earlier run wrote them
        self.path: Path | None = None
        self.opened = contextlib.ExitStack()
        with self.refusals():
            direct = self.open_directly(path, resume=resume)
        if direct is not None:
            self.file = direct
            return
        self.path = Path(os.path.realpath(str(path)))
        self.partial = self.path.with_name(self.path.name + PARTIAL)
        self.note = self.path.with_name(self.path.name + PARTIAL + ".json")
        with self.refusals(), contextlib.ExitStack() as stack:
            self.read_note(resume=resume)  # before the lock makes a file beside a note that is not ours
            refusal = f"{self.name}: another process is writing this file; wait for it, or give another --output"
            stack.enter_context(exclusive_lock(self.partial, OptionError(refusal)))
            note = self.read_note(resume=resume)
            if note is None and self.partial.exists() and self.partial.stat().st_size:
                raise OptionError(
                    f"{self.name}: {self.partial} is there, and no {self.note.name} says that an interrupted run left "
                    "it; move it away, or give another --output"
                )
            if resume and note is not None:
                self.resume(note)
            self.file = cast(BinaryIO, stack.enter_context(self.partial.open("ab" if self.done else "wb")))
            if not self.done:  # otherwise the note is right, and the digest is not yet
                self.keep_note()
            self.opened = stack.pop_all()

    @contextlib.contextmanager
    def refusals(self, way_out: str = "") -> Iterator[None]:
        """Turns what the system refuses into an OptionError that says why."""
        try:
            yield
        except BrokenPipeError:  # whoever read the results has gone, which is no error
            raise
        except OSError as error:
            raise OptionError(f"{self.name}: cannot be written: {error.strerror}{way_out}") from error

    def open_directly(self, path: str | None, *, resume: bool) -> BinaryIO | None:
        """Opens what is written to as it is; None for an ordinary file, or one that is not there yet.

        Raises:
            OptionError: it is to be resumed.

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
        # opening the name of a descriptor would empty the file behind it
        return self.opened.enter_context(open(path if descriptor is None else os.dup(descriptor), "wb"))

    def read_note(self, *, resume: bool) -> dict[str, Any] | None:
        """Reads what an interrupted run noted; None if there is no note.

        Raises:
            OptionError: it is damaged, or another program's file.

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
        """Finds out how many input lines are done and cuts off what was written after them."""
        settings = note["settings"]
        changed = [key for key in {**self.settings, **settings} if settings.get(key) != self.settings.get(key)]
        if changed:
            raise OptionError(
                f"--resume: {self.partial} was written with other settings ({', '.join(changed)}); "
                "give the same ones, or leave --resume out to start anew"
            )
        if not self.partial.is_file() or self.partial.stat().st_size < note["bytes"]:
            return
        if not isinstance(note.get("input"), str):
            raise OptionError(
                f"--resume: {self.note} does not say from which input its lines came, since an earlier version wrote "
                "it; leave --resume out to start anew"
            )
        os.truncate(self.partial, note["bytes"])
        self.done, self.expected = note["lines"], note["input"]

    def keep_note(self) -> None:
        """Writes down how far the file is complete, and the digest of the input lines that it is made from."""
        os.fsync(self.file.fileno())
        content = {"lines": self.done, "bytes": self.file.tell(), "input": self.digest.hexdigest()}
        write_json(self.note, {**content, "settings": self.settings})

    def unfinished(self, chunks: Iterable[list[str]], name: str) -> Iterator[tuple[int, list[str]]]:
        """Yields the input lines that have no results yet in their chunks, each with the number of lines before it.

        Args:
            chunks: all lines of the input.
            name: of the input, for messages.

        Raises:
            OptionError: the lines before them are not those that the earlier results were made from.

        """
        first, before = self.done, 0
        for chunk in chunks:
            old = chunk[: max(0, first - before)]
            self.note_input(old)
            before += len(old)
            if len(old) < len(chunk):
                self.check_input(name)
                yield before, chunk[len(old) :]
                before += len(chunk) - len(old)
        self.check_input(name)

    def note_input(self, lines: Sequence[str]) -> None:
        """Adds input lines to the digest."""
        if lines and self.path is not None:
            self.digest.update("".join(f"{line}\n" for line in lines).encode())

    def check_input(self, name: str) -> None:
        """Raises OptionError unless the lines that were read are those that an earlier run read."""
        if self.expected not in (None, self.digest.hexdigest()):
            raise OptionError(
                f"--resume: {self.partial} holds the results of {self.done} lines that are not the first of {name}; "
                "give the same input, or leave --resume out to start anew"
            )
        self.expected = None

    def write(self, text: str, lines: Sequence[str]) -> None:
        """Writes the results of input lines and flushes.

        Raises:
            OptionError: they cannot be written, as on a full disk.

        """
        with self.refusals("; make room or write elsewhere"):
            self.file.write(text.encode("utf-8"))
            self.file.flush()
            self.done += len(lines)
            self.note_input(lines)
            if self.path is not None:
                self.keep_note()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.opened:
            if self.path is None:
                return
            if kind is None:
                self.file.close()
                os.replace(self.partial, self.path)
                self.note.unlink(missing_ok=True)
                return
            with contextlib.suppress(OSError):  # what could not be written cannot be flushed now either
                self.file.close()
        if self.expected is None:  # otherwise nothing was written, and the error says why
            print(f"{self.done} lines are in {self.partial}; --resume goes on there", file=sys.stderr)

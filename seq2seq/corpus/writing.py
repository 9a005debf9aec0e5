"""Writes the results of a part beside its output, chunk by chunk, and gives them their name when all are there."""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from seq2seq.corpus.chunks import Chunk, Decoded
from seq2seq.corpus.parts import Part
from seq2seq.corpus.record import Folder, Progress, Task
from seq2seq.corpus.rendering import SURROGATES, write_parquet
from seq2seq.errors import OptionError
from seq2seq.files.lock import exclusive_lock
from seq2seq.files.writing import PARTIAL, write_json


class PartWriter:
    """Writes one part; what a run before it left is continued. Use it in a `with` block.

    The rows are in NAME.partial until all are there. A chunk counts when the record says so, which is written after
    the rows are on the disk; what was written behind that is cut off. The record says that the part is complete before
    it gets its name.

    Args:
        folder: of the outputs.
        task: the part.

    Raises:
        OptionError: the system refuses to write, or another process writes this part.

    """

    def __init__(self, folder: Folder, task: Task) -> None:
        self.folder, self.task = folder, task
        self.output = folder.output(task.part)
        self.partial, self.rows = folder.partial(task.part), folder.rows(task.part)
        self.progress = folder.start(task)
        self.opened = contextlib.ExitStack()

    def __enter__(self) -> "PartWriter":
        """Opens the files, and cuts off what the record does not know."""
        if self.progress.complete:
            return self
        busy = f"--output {self.folder.path}: another process is writing {self.task.part.name}; wait for it to end"
        with refusals(self.folder, self.rows), contextlib.ExitStack() as stack:
            stack.enter_context(exclusive_lock(self.rows, OptionError(busy)))
            self.rows_file = stack.enter_context(self.rows.open("ab"))
            self.errors_file = stack.enter_context(self.folder.errors(self.task.part).open("ab"))
            for file, size in ((self.rows_file, self.progress.bytes), (self.errors_file, self.progress.error_bytes)):
                file.truncate(size)
                file.seek(size)  # otherwise it tells where the end was
            self.note(self.progress)
            self.opened = stack.pop_all()
        return self

    def write(self, chunk: Chunk, decoded: Decoded) -> None:
        """Writes the results of a chunk; when this returns, they are safe.

        Raises:
            OptionError: the system refuses, for example because the disk is full.

        """
        if self.progress.complete:
            return
        now = self.progress
        if chunk.before != now.lines:
            raise AssertionError(f"{self.task.part.name}: expected line {now.lines + 1}, got {chunk.before + 1}")
        errors = b"".join(error_row(self.task.part.name, line, reason) for line, reason in decoded.refused.items())
        with refusals(self.folder, self.rows):
            if chunk.lines or not now.bytes:  # an empty member of a packed file is needed only where there is no other
                self.rows_file.write(decoded.rows)
            self.errors_file.write(errors)
            for file in (self.rows_file, self.errors_file):
                file.flush()
                os.fsync(file.fileno())
            self.note(
                dataclasses.replace(
                    now,
                    lines=chunk.end,
                    bytes=self.rows_file.tell(),
                    error_bytes=self.errors_file.tell(),
                    refused=now.refused + len(decoded.refused),
                    cut_off=now.cut_off + decoded.cut_off,
                    looked_up=now.looked_up + decoded.looked_up,
                )
            )

    def note(self, progress: Progress) -> None:
        """Records how far the part has come."""
        write_json(self.folder.note(self.task.part), dataclasses.asdict(progress))
        self.progress = progress

    def finish(self) -> None:
        """Gives a complete part its name.

        Raises:
            OptionError: the system refuses.

        """
        with refusals(self.folder, self.partial):
            if not self.progress.complete:
                if self.rows != self.partial:
                    write_parquet(self.rows, self.partial)
                    with self.partial.open("rb") as file:
                        os.fsync(file.fileno())
                self.note(dataclasses.replace(self.progress, complete=True, bytes=self.partial.stat().st_size))
            os.replace(self.partial, self.output)
            errors = self.folder.errors(self.task.part)
            if errors.exists() and not errors.stat().st_size:
                errors.unlink()
            if self.rows != self.partial:
                self.rows.unlink(missing_ok=True)

    def __exit__(self, *exception: object) -> None:
        """Closes the files; the next run goes on with them."""
        with contextlib.suppress(OSError):  # of a full disk, which refused before; what counts is on the disk
            self.opened.close()


@contextlib.contextmanager
def refusals(folder: Folder, path: Path) -> Iterator[None]:
    """Turns an error of the system while a file is written into an OptionError that names it."""
    try:
        yield
    except OSError as error:
        name = os.fsdecode(error.filename) if error.filename else str(path)
        raise OptionError(
            f"--output {folder.path}: {name} cannot be written: {error.strerror or error}; make room, and give the "
            "same command again"
        ) from error


def error_row(name: str, line: int | None, reason: str) -> bytes:
    """Formats a refused line, or with line None a damaged part."""
    return (
        json.dumps({"part": name, "line": line, "error": reason}, ensure_ascii=False).encode(errors=SURROGATES) + b"\n"
    )


def write_errors(folder: Folder, parts: Sequence[Part], damages: Mapping[str, str]) -> None:
    """Writes all refused lines and damaged parts into one file, in the order of the input; none: no file."""
    whole = folder.all_errors
    temporary = folder.record / (whole.name + PARTIAL)
    with refusals(folder, temporary), temporary.open("wb") as target:
        for part in parts:
            if part.name in damages:
                target.write(error_row(part.name, None, damages[part.name]))
            elif folder.errors(part).exists():
                with folder.errors(part).open("rb") as source:
                    shutil.copyfileobj(source, target)
        size = target.tell()
    if size:
        temporary.replace(whole)
    else:
        temporary.unlink()
        whole.unlink(missing_ok=True)

"""The record of a run in its output folder: options, inputs, and how far each part has come."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from seq2seq.corpus.parts import ERRORS, PARQUET, RECORD, Part
from seq2seq.corpus.reading import count_lines
from seq2seq.corpus.rendering import SURROGATES
from seq2seq.corpus.unpacking import WAY_OUT, DamagedPartError
from seq2seq.errors import BundleError, OptionError
from seq2seq.files.lock import exclusive_lock
from seq2seq.files.reading import read_json, sha256_of
from seq2seq.files.writing import PARTIAL, write_json
from seq2seq.typed_json import from_json

Record = TypeVar("Record")


@dataclass(frozen=True)
class Survey:
    """What one pass over a part finds."""

    bytes: int
    mtime_ns: int
    sha256: str  # empty: it cannot be read at all
    lines: int  # of a damaged part, those before the damage
    damage: str | None = None


@dataclass(frozen=True)
class Task:
    """A part to decode."""

    part: Part
    sha256: str
    lines: int
    first: int  # number of its first line in the whole input
    bytes: int
    mtime_ns: int

    def has_changed(self) -> bool:
        """Returns whether the part is another file now than the one that was surveyed, as far as the system says."""
        try:
            status = self.part.path.stat()
        except OSError:
            return True
        return (status.st_size, status.st_mtime_ns) != (self.bytes, self.mtime_ns)


@dataclass(frozen=True)
class Progress:
    """How far a part has come; everything before this is safe on the disk."""

    sha256: str  # of the input
    first: int | None  # None: results do not depend on it
    lines: int = 0
    bytes: int = 0  # of the rows; of the output where it is complete
    error_bytes: int = 0
    refused: int = 0  # lines
    cut_off: int = 0
    looked_up: int = 0
    complete: bool = False


@dataclass(frozen=True)
class Folder:
    """An output folder.

    Args:
        path: of the folder.
        numbered: results depend on the numbers of lines.

    """

    path: Path
    numbered: bool = True

    @property
    def record(self) -> Path:
        """The folder of the record."""
        return self.path / RECORD

    @property
    def all_errors(self) -> Path:
        """The file of all refused lines and damaged parts."""
        return self.path / ERRORS

    def output(self, part: Part) -> Path:
        """Returns the file for a part's results."""
        return self.path / part.name

    def partial(self, part: Part) -> Path:
        """Returns the file for a part's results until they are complete."""
        return self.path / (part.name + PARTIAL)

    def rows(self, part: Part) -> Path:
        """Returns the file to which a part's results are added; Parquet is made from it in the end."""
        return self.record / "parts" / f"{part.name}.rows" if part.form == PARQUET else self.partial(part)

    def note(self, part: Part) -> Path:
        """Returns the file of a part's progress."""
        return self.record / "parts" / f"{part.name}.json"

    def errors(self, part: Part) -> Path:
        """Returns the file of a part's refused lines."""
        return self.record / "parts" / f"{part.name}.errors.jsonl"

    def progress(self, part: Part) -> Progress | None:
        """Reads how far a part has come; None: it was never begun."""
        return self.read(self.note(part), Progress)

    def read(self, path: Path, kind: type[Record]) -> Record | None:
        """Reads a file of the record; None if there is none.

        Raises:
            OptionError: it is damaged.

        """
        if not path.exists():
            return None
        try:
            return from_json(kind, read_json(path), where=str(path))
        except BundleError as error:
            reason = str(error).split("; ")[0]
            raise OptionError(f"{reason}; remove {self.path}, or give another --output folder") from None

    def start(self, task: Task) -> Progress:
        """Returns how far a part has come that has the task's input and numbers; the beginning where it has others."""
        fresh = Progress(task.sha256, task.first if self.numbered else None)
        found = self.progress(task.part)
        if found is None or (found.sha256, found.first) != (fresh.sha256, fresh.first):
            return fresh
        if found.complete:
            places = [self.partial(task.part), self.output(task.part)]
            there = found.bytes in [place.stat().st_size for place in places if place.is_file()]
        else:
            rows = self.rows(task.part)
            there = rows.is_file() and rows.stat().st_size >= found.bytes
        return found if there else fresh

    def finished(self, task: Task) -> bool:
        """Returns whether a part is complete and has its name."""
        return self.start(task).complete and not self.partial(task.part).exists()

    def check(self, part: Part, found: Survey) -> None:
        """Refuses a part whose output would replace what this run did not write.

        Raises:
            OptionError: there is an output without a record, or one of another input.

        """
        output, partial = self.output(part), self.partial(part)
        if output.exists() and output.samefile(part.path):
            raise OptionError(f"--output {self.path}: is the folder of {part.path} too; give another folder")
        progress = self.progress(part)
        for path, there in ((output, output.exists()), (partial, partial.exists() and partial.stat().st_size)):
            if progress is None and there:
                raise OptionError(foreign(self, path))
        whole = progress is not None and progress.complete and not partial.exists()
        if progress and whole and output.exists() and output.stat().st_size != progress.bytes:
            raise OptionError(
                f"--output {self.path}: {output} is not the file that was written there; move it away, and it is "
                "decoded anew"
            )
        if progress and found.damage is None and progress.sha256 != found.sha256:
            raise OptionError(
                f"--output {self.path}: has results of another {part.name}: {part.path} has changed since; give "
                f"another folder, or remove {self.note(part)} and {output if whole else partial} to decode it anew"
            )


def foreign(folder: Folder, path: Path) -> str:
    """Returns what is said where a file exists that only this program should have written."""
    return (
        f"--output {folder.path}: {path} exists, and no run of this program wrote it there; move it away, or give "
        "another folder"
    )


@contextlib.contextmanager
def opened(folder: Folder, settings: Mapping[str, Any], parts: Sequence[Part]) -> Iterator[None]:
    """Makes an output folder, or goes on with one, and keeps other runs out of it.

    Args:
        folder: of the outputs.
        settings: the options that results depend on.
        parts: of the input.

    Raises:
        OptionError: it cannot be written, another run writes it, or it has results of other options or inputs.

    """
    try:
        (folder.record / "parts").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"--output {folder.path}: cannot be written: {error.strerror}; give another folder"
        ) from error
    busy = f"--output {folder.path}: another process is writing there; wait for it, or give another folder"
    with exclusive_lock(folder.record, OptionError(busy)):
        path, notes = folder.record / "run.json", sorted((folder.record / "parts").glob("*.json"))
        known = recorded_settings(folder)
        if known is None and folder.all_errors.exists():
            raise OptionError(foreign(folder, folder.all_errors))
        if known is None or not (notes or folder.all_errors.exists()):  # a run that was refused left no results
            write_json(path, {"settings": settings})
        elif changed := [key for key in {**settings, **known} if known.get(key) != settings.get(key)]:
            raise OptionError(
                f"--output {folder.path}: has results of other options ({', '.join(changed)}); give the same ones, or "
                "another folder"
            )
        names = {part.name for part in parts}
        for note in notes:
            if note.stem not in names:
                raise OptionError(
                    f"--output {folder.path}: has results of {note.stem}, which is not among the inputs; give the same "
                    "inputs, or another folder"
                )
        yield


@dataclass(frozen=True)
class Run:
    """What `run.json` holds."""

    settings: dict[str, Any]


def recorded_settings(folder: Folder) -> dict[str, Any] | None:
    """Returns the options of the run that began in a folder; None: none did."""
    run = folder.read(folder.record / "run.json", Run)
    return None if run is None else run.settings


def survey(folder: Folder, parts: Iterable[Part], fields: Mapping[str, tuple[str, ...]]) -> Iterator[Survey]:
    """Reads each part once: whether it is whole, how many lines it has, and its hash; what was read before is kept.

    Raises:
        OptionError: a Parquet file has no such column.

    """
    for part in parts:
        path = folder.record / "parts" / f"{part.name}.input"
        status = part.path.stat()
        known = folder.read(path, Survey)
        if known is None or (known.bytes, known.mtime_ns) != (status.st_size, status.st_mtime_ns) or known.damage:
            known = surveyed(part, fields, status.st_size, status.st_mtime_ns)
            write_json(path, dataclasses.asdict(known))
        folder.check(part, known)
        yield known


def surveyed(part: Part, fields: Mapping[str, tuple[str, ...]], size: int, mtime_ns: int) -> Survey:
    """Reads a part once."""
    try:
        return Survey(size, mtime_ns, sha256_of(part.path), count_lines(part, fields))
    except DamagedPartError as error:
        return Survey(size, mtime_ns, "", error.lines, one_line(str(error)))
    except OSError as error:
        return Survey(size, mtime_ns, "", 0, one_line(f"{part.path}: cannot be read: {error.strerror}; {WAY_OUT}"))


def one_line(text: str) -> str:
    """Returns a text without what a file's name may have, but no line of UTF-8: line ends, and surrogates."""
    return " ".join(text.split()).encode(errors=SURROGATES).decode()

"""Decodes chunks of lines one after another, with this process or several, and parts chunk by chunk."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from seq2seq.bundle.exported import check_identity, identity
from seq2seq.bundle.folder import load_bundle
from seq2seq.cores import core_count
from seq2seq.corpus.ahead import in_order
from seq2seq.corpus.chunks import Chunk, Decoded, How, cut_chunks, decode
from seq2seq.corpus.reading import read_part
from seq2seq.corpus.record import Folder, Task
from seq2seq.corpus.rendering import form_of_rows
from seq2seq.corpus.writing import PartWriter
from seq2seq.errors import DataError
from seq2seq.inference.capacity import chunk_lines
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig
from seq2seq.text.readings import Replacement

if TYPE_CHECKING:
    from concurrent.futures import Future

FEW_LINES = 16_384  # which one process decodes before others have started
AHEAD = 2  # chunks for each process that are decoded or wait
TRIES = 100  # of a chunk whose process is ended: all that are under way begin again when one process is

Place = TypeVar("Place")  # where a chunk comes from
Decoder = Callable[[Iterable[tuple[Place, Chunk, How]]], Iterator[tuple[Place, Chunk, Decoded]]]


@dataclass(frozen=True)
class Step:
    """Some lines whose results are safe."""

    lines: int
    unknown: dict[str, tuple[Replacement, int]]  # see `Decoded`


@dataclass(frozen=True)
class Job:
    """How all parts of a corpus are decoded."""

    config: DecodingConfig  # with a seed
    fields: Mapping[str, tuple[str, ...]]
    form: str | None  # of the results; None: of each part
    keep_going: bool

    def how(self, task: Task) -> How:
        """Returns how a part is decoded."""
        form = form_of_rows(self.form or task.part.form)
        return How(self.config, task.part.name, form, task.part.packing, self.keep_going)


def alone(translator: Translator, chunks: Iterable[tuple[Place, Chunk, How]]) -> Iterator[tuple[Place, Chunk, Decoded]]:
    """Decodes chunks with this process."""
    for place, chunk, how in chunks:
        yield place, chunk, decode(translator, chunk, how)


def together(
    translator: Translator, chunks: Iterable[tuple[Place, Chunk, How]], *, jobs: int | None
) -> Iterator[tuple[Place, Chunk, Decoded]]:
    """Decodes chunks with several processes; the results are those of one.

    Args:
        translator: decodes the first lines, or all of them with one job.
        chunks: in the order of the results.
        jobs: processes; None: one for each core once there are more than FEW_LINES.

    """
    model = translator.bundle.path
    rest, lines, expected = iter(chunks), 0, identity(model)
    while jobs == 1 or (jobs is None and (lines < FEW_LINES or core_count() == 1)):
        found = next(rest, None)
        if found is None:
            return
        yield from alone(translator, [found])
        lines += len(found[1].lines)
    count = jobs or core_count()
    from seq2seq.inference.processes import ModelProcesses  # takes time that a single line should not wait for

    with ModelProcesses(functools.partial(load_model, model, expected), count, tries=TRIES) as processes:

        def submit(item: tuple[Place, Chunk, How]) -> "Future[Decoded]":
            _, chunk, how = item
            return processes.submit(decode, chunk, how)

        for (place, chunk, _), decoded in in_order(rest, submit, most=AHEAD * count):
            yield place, chunk, decoded


def load_model(folder: Path, expected: str) -> Translator:
    """Loads a model for a process of its own: NumPy's runtime, which needs no TensorFlow.

    Args:
        folder: the model's.
        expected: its `identity` when the run began.

    Raises:
        BundleError: it is gone, or another one is there now.

    """
    translator = Translator(load_bundle(folder), runtime="numpy")
    check_identity(folder, expected)
    return translator


def decode_tasks(folder: Folder, tasks: Iterable[Task], job: Job, decoder: Decoder[Task]) -> Iterator[Step]:
    """Decodes parts into a folder, and yields each step when its results are safe on the disk.

    Raises:
        DataError: a line cannot be decoded, and the job does not keep going; or an input has changed.
        OptionError: the system refuses to write.

    """
    writer: PartWriter | None = None
    try:
        for task, chunk, decoded in decoder(chunks_of(folder, tasks, job)):
            if writer is None:
                writer = PartWriter(folder, task)
                writer.__enter__()
            writer.write(chunk, decoded)
            if chunk.end == task.lines:
                writer.finish()
                writer.__exit__()
                writer = None
            yield Step(len(chunk.lines), decoded.unknown)
    finally:
        if writer is not None:
            writer.__exit__()


def chunks_of(folder: Folder, tasks: Iterable[Task], job: Job) -> Iterator[tuple[Task, Chunk, How]]:
    """Yields what is to be decoded of parts; of one that only lacks its name, an empty chunk.

    Raises:
        DataError: a part has changed since it was counted.

    """
    for task in tasks:
        how, done = job.how(task), folder.start(task).lines
        lines = read_part(task.part, job.fields, job.config.max_source_length)
        end = done
        for chunk in cut_chunks(lines, chunk_lines(job.config), skip=done, first=task.first):
            if chunk.end > task.lines or task.has_changed():  # asked after reading: what was read is as it was
                end = -1
                break
            end = chunk.end
            yield task, chunk, how
        if end != task.lines:
            raise DataError(
                f"{task.part.path}: has changed while it was read: had {task.lines} lines; give the same command again"
            )
        if end == done:
            yield task, Chunk([], done, task.first + done), how

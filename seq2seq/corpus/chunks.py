"""Chunks of lines, which any process with the model decodes alone: lines in, finished rows and refused lines out."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seq2seq.corpus.reading import Refused
from seq2seq.corpus.rendering import SURROGATES, render, render_refused
from seq2seq.corpus.unpacking import packed
from seq2seq.errors import DataError
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig
from seq2seq.text.readings import Replacement


@dataclass(frozen=True)
class How:
    """How the lines of one input are decoded."""

    config: DecodingConfig  # with a seed
    name: str  # of the input, for messages
    form: str  # of the rows: text, tsv or jsonl
    packing: str = ""
    keep_going: bool = False  # a line that cannot be decoded is recorded, and does not end the run


@dataclass(frozen=True)
class Chunk:
    """Some lines of an input, one after another."""

    lines: list[str]
    before: int  # lines of the input before them
    first: int  # the first one's number in the whole input, which sampling depends on

    @property
    def end(self) -> int:
        """How many lines of the input are before the next chunk."""
        return self.before + len(self.lines)


@dataclass(frozen=True)
class Decoded:
    """What a chunk became."""

    rows: bytes
    refused: dict[int, str]  # line of its input, from 1, to the reason
    cut_off: int  # outputs that were cut off
    looked_up: int  # lines that are in the dictionary
    unknown: dict[str, tuple[Replacement, int]]  # character to what it was read as, and the line; 0 is the prefix


def cut_chunks(lines: Iterable[str], size: int, *, skip: int, first: int) -> Iterator[Chunk]:
    """Cuts the lines of an input into chunks.

    Args:
        lines: of the input.
        size: most lines of a chunk.
        skip: lines at the beginning to leave out.
        first: number of the input's first line in the whole input.

    """
    rest, before = itertools.islice(lines, skip, None), skip
    while chunk := list(itertools.islice(rest, size)):
        yield Chunk(chunk, before, first + before)
        before += len(chunk)


def decode(translator: Translator, chunk: Chunk, how: How) -> Decoded:
    """Decodes a chunk; the result depends on nothing but the arguments.

    Raises:
        DataError: a line cannot be decoded, and `how` does not say to keep going.

    """
    refused = refusals(translator, chunk, how)
    unknown: dict[str, tuple[Replacement, int]] = {}

    def notice(replacement: Replacement, line: int) -> None:
        unknown.setdefault(replacement.character, (replacement, line))

    # an empty line takes the place of one that is refused: its output costs nothing
    lines = ["" if chunk.before + index in refused else line for index, line in enumerate(chunk.lines, 1)]
    found = translator.decode_chunk(lines, how.config, first_line=chunk.first, notice=notice)
    rows = []
    for index, outputs in enumerate(found, 1):
        reason = refused.get(chunk.before + index)
        if reason is None:
            rows += [render(output, how.form) for output in outputs]
        else:
            rows.append(render_refused(outputs[0].line, reason, how.form))
    return Decoded(
        packed("".join(rows).encode(errors=SURROGATES), how.packing, Path(how.name)),
        refused,
        sum(not output.finished for outputs in found for output in outputs),
        sum(output.looked_up for outputs in found for output in outputs),
        unknown,
    )


def refusals(translator: Translator, chunk: Chunk, how: How) -> dict[int, str]:
    """Finds the lines that cannot be decoded: their numbers in the input, from 1, with the reasons.

    Raises:
        DataError: there is one, and `how` does not say to keep going.

    """
    refused: dict[int, str] = {}
    for number, line in enumerate(chunk.lines, chunk.before + 1):
        try:
            check_line(translator, line, number, how)
        except DataError as error:
            if not how.keep_going:
                raise
            refused[number] = str(error)
    return refused


def check_line(translator: Translator, line: str, number: int, how: How) -> None:
    """Raises DataError for a line that cannot be decoded."""
    if isinstance(line, Refused):
        raise DataError(line)
    translator.check_lines([line], most=how.config.max_source_length, first_line=number, name=how.name)
    if how.config.oov == "error":
        translator.source_vocabulary.read(translator.normalised(line), oov="error", where=f"{how.name}:{number}")

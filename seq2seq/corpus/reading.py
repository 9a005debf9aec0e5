"""A part in, its lines out: each a text, or the reason why it is none."""

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from seq2seq.corpus.parts import JSONL, PARQUET, TSV, Part
from seq2seq.corpus.unpacking import WAY_OUT, DamagedPartError, unpacked
from seq2seq.errors import DataError, OptionError, excerpt
from seq2seq.extras import installing
from seq2seq.files.lines import decode_line, line_bytes

COUNT_BYTES = 1 << 20
RECORDS = 1024  # of a Parquet file that are read together
RECORD_SHARE = 16  # how many times longer than its source a record may be


class Refused(str):
    """Why a line cannot be decoded."""

    __slots__ = ()


def read_part(part: Part, fields: Mapping[str, tuple[str, ...]], symbols: int) -> Iterator[str]:
    """Yields the sources of a part, one a line; a `Refused` where a line is none.

    Args:
        part: what is read.
        fields: of each form, which fields of a record are the source; see `fields_of_parts`.
        symbols: most symbols of a source; a line with far more bytes is read, but never kept.

    Raises:
        DamagedPartError: the part cannot be read to its end.
        OptionError: a Parquet file has no such column.

    """
    if part.form == PARQUET:
        for number, values in enumerate(parquet_rows(part, fields[PARQUET]), 1):
            where = f"{part.name}:{number}"
            yield source_of(dict(zip(fields[PARQUET], values, strict=True)), fields[PARQUET], where)
        return
    most = line_bytes(symbols) * (RECORD_SHARE if part.form in (TSV, JSONL) else 1)
    find: Callable[[str, str], str] = {
        TSV: functools.partial(from_tsv, columns=fields[TSV]), JSONL: functools.partial(from_json, names=fields[JSONL])
    }.get(part.form, lambda line, where: line)  # fmt: skip
    with unpacked(part.path, part.packing) as stream:
        for number, line in enumerate(raw_lines(stream, most), 1):
            where = f"{part.name}:{number}"
            if line is None:
                yield Refused(
                    f"{where}: expected a line of at most {symbols} symbols, got more than {most} bytes; cut it into "
                    "sentences, one a line"
                )
                continue
            try:
                yield find(decode_line(line, number, part.name), where)
            except DataError as error:
                yield Refused(error)


def raw_lines(stream: IO[bytes], most: int) -> Iterator[bytes | None]:
    """Yields lines without their LF; None for one of more than `most` bytes, of which only the end is looked for."""
    while line := stream.readline(most + 1):
        if line.endswith(b"\n"):
            yield line[:-1]
        elif len(line) <= most:
            yield line
        else:
            while line and not line.endswith(b"\n"):
                line = stream.readline(most)
            yield None


def from_tsv(line: str, where: str, *, columns: tuple[str, ...]) -> str:
    """Returns the source of a row of tsv, with its tags; an empty row is an empty line."""
    values = line.split("\t")
    numbers = [int(column) for column in columns]
    if not line:
        return ""
    if max(numbers) > len(values):
        return Refused(
            f"{where}: expected {max(numbers)} tab-separated columns, got {len(values)}: {excerpt(line)}; --field "
            "names the column"
        )
    return "\t".join(values[number - 1] for number in numbers)


def from_json(line: str, where: str, *, names: tuple[str, ...]) -> str:
    """Returns the source of a line of jsonl, with its tags."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        return Refused(f"{where}: expected a JSON object, got {excerpt(line)}")
    return source_of(record, names, where)


def source_of(record: Mapping[str, Any], names: tuple[str, ...], where: str) -> str:
    """Returns the source of a record, with its tags; a Refused where a field is no text of one line."""
    values = [record.get(name) for name in names]
    for name, value in zip(names, values, strict=True):
        if not isinstance(value, str):
            got = f"the fields {', '.join(map(str, record))}" if name not in record else excerpt(repr(value))
            return Refused(f"{where}: expected text in the field {name!r}, got {got}; --field names the field")
        if "\n" in value or "\r" in value:
            return Refused(f"{where}: expected one line in the field {name!r}, got several; cut it into sentences")
    return "\t".join(map(str, values))


def count_lines(part: Part, fields: Mapping[str, tuple[str, ...]]) -> int:
    """Counts the lines of a part, as many as `read_part` yields; all that is decoded later is read once.

    Raises:
        DamagedPartError: it cannot be read to its end; its attribute `lines` is the number of lines before that.
        OptionError: a Parquet file has no such column.

    """
    found, last = 0, b"\n"
    try:
        if part.form == PARQUET:
            for batch in parquet_batches(part, fields[PARQUET]):
                found += batch.num_rows
            return found
        with unpacked(part.path, part.packing) as stream:
            while block := stream.read(COUNT_BYTES):
                found += block.count(b"\n")
                last = block[-1:]
    except DamagedPartError as error:
        error.lines = found
        raise
    return found + (last != b"\n")


def parquet_rows(part: Part, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Yields the values of some columns, row by row."""
    for batch in parquet_batches(part, columns):
        yield from zip(*(map(value_of, batch.column(column)) for column in columns), strict=True)


def value_of(scalar: Any) -> Any:
    """Returns a value of a Parquet file; an error in its place where it is text that is no UTF-8, for example."""
    try:
        return scalar.as_py()
    except (ValueError, OverflowError) as error:
        return error


def parquet_batches(part: Part, columns: tuple[str, ...]) -> Iterator[Any]:
    """Yields some columns, some rows at a time.

    Raises:
        DamagedPartError: it is no Parquet file, or damaged.
        OptionError: it has no such column or several, or pyarrow is not installed.

    """
    parquet = pyarrow_parquet(part.path)
    try:
        with parquet.ParquetFile(part.path) as file:
            known = file.schema_arrow.names
            for column in columns:
                if known.count(column) > 1:
                    raise OptionError(f"{part.path}: has several columns {column!r}; name another with --field")
                if column not in known:
                    raise OptionError(
                        f"{part.path}: has no column {column!r}; its columns are {', '.join(known)}; name one with "
                        "--field"
                    )
            yield from file.iter_batches(batch_size=RECORDS, columns=list(columns))
    except OptionError:  # a ValueError too, as are pyarrow's
        raise
    except (OSError, ValueError) as error:
        raise damaged_parquet(part, error) from error


def damaged_parquet(part: Part, error: Exception) -> DamagedPartError:
    """Returns the error for a Parquet file that cannot be read."""
    reason = " ".join(str(error).split())
    return DamagedPartError(f"{part.path}: is damaged: {reason}; {WAY_OUT}")


def pyarrow_parquet(path: object) -> Any:
    """Imports the library for Parquet.

    Raises:
        OptionError: it is not installed.

    """
    try:
        import pyarrow.parquet as library
    except ImportError:
        raise OptionError(f"{path}: needs pyarrow, which is not installed: {installing('parquet')}") from None
    return library

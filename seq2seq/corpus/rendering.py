"""The results of lines as text, tab-separated values, jsonl or Parquet."""

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seq2seq.corpus.parts import PARQUET, TEXT, TSV
from seq2seq.corpus.reading import pyarrow_parquet
from seq2seq.inference.results import Output, fields_of

ROWS = 1024  # of a group in a Parquet file
SURROGATES = "backslashreplace"  # of reasons and of names of files, which no UTF-8 has: in JSON they are escapes


def render(output: Output, form: str) -> str:
    """Formats one result: text; or line, score, rank_score and text, tab-separated; or JSON."""
    if form == TEXT:
        return output.text + "\n"
    if form == TSV:
        return f"{output.line}\t{output.score:.6f}\t{output.rank_score:.6f}\t{output.text}\n"
    return json.dumps(fields_of(output), ensure_ascii=False) + "\n"


def render_refused(line: int, reason: str, form: str) -> str:
    """Formats what stands in the place of a line that was refused: nothing, but in JSON the reason."""
    if form == TEXT:
        return "\n"
    if form == TSV:
        return f"{line}\t\t\t\n"
    return json.dumps({"line": line, "error": reason}, ensure_ascii=False) + "\n"


def write_parquet(rows: Path, path: Path) -> None:
    """Writes a Parquet file from a file of JSON rows, a group of rows at a time."""
    import pyarrow

    number, text = pyarrow.float64(), pyarrow.string()
    schema = pyarrow.schema(
        {
            "line": pyarrow.int64(), "source": text, "text": text, "symbols": pyarrow.list_(text),
            "log_probs": pyarrow.list_(number), "score": number, "rank_score": number, "finished": pyarrow.bool_(),
            "seed": pyarrow.uint64(), "looked_up": pyarrow.bool_(), "error": text,
        }
    )  # fmt: skip
    with rows.open("rb") as file, pyarrow_parquet(path).ParquetWriter(path, schema) as writer:
        for group in groups(file):
            writer.write_batch(pyarrow.RecordBatch.from_pylist([json.loads(row) for row in group], schema=schema))


def groups(rows: Any) -> Iterator[Sequence[bytes]]:
    """Yields rows in groups."""
    while group := list(itertools.islice(rows, ROWS)):
        yield group


def form_of_rows(form: str) -> str:
    """Returns the form in which rows are written until a part is complete: Parquet cannot be continued."""
    return "jsonl" if form == PARQUET else form

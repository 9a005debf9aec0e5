"""The parts of a corpus: patterns of file names in; files out, in order, each with its form and compression."""

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.errors import OptionError
from seq2seq.files.writing import PARTIAL

TEXT, TSV, JSONL, PARQUET = "text", "tsv", "jsonl", "parquet"
FORMS = {".tsv": TSV, ".jsonl": JSONL, ".ndjson": JSONL, ".parquet": PARQUET}  # by ending; any other is text
PACKINGS = {".gz": "gzip", ".zst": "zstd"}
USUAL_FIELD = "text"  # of jsonl and Parquet
# in the folder of the outputs; names that begin with an underscore are no data for Spark, Arrow and Ray
RECORD, ERRORS = "_seq2seq", "_errors.jsonl"


@dataclass(frozen=True)
class Part:
    """A file of the input, whose output has the same name."""

    path: Path
    form: str  # text, tsv, jsonl or parquet
    packing: str  # gzip, zstd, or "" for none

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name


def find_parts(patterns: Sequence[str]) -> list[Part]:
    """Finds the files that patterns name: patterns in the order given, the files of each sorted by their names.

    Raises:
        OptionError: a pattern matches no file, outputs would have the same name, or a form cannot be compressed.

    """
    paths = [path for pattern in patterns for path in matching(pattern)]
    named: dict[str, Path] = {}
    for path in paths:
        other = named.setdefault(path.name, path)
        if other is not path:
            raise OptionError(
                f"--input: two parts have the name {path.name}: {other} and {path}; outputs have the names of their "
                "inputs, so decode them into two folders"
            )
    for name, path in named.items():
        if name in (RECORD, ERRORS) or (name.endswith(PARTIAL) and name.removesuffix(PARTIAL) in named):
            raise OptionError(
                f"--input {path}: its output would have the name of a file that this program itself writes there; "
                "rename it, or leave it out"
            )
    return [part_of(path) for path in paths]


def matching(pattern: str) -> list[Path]:
    """Returns the files that a pattern names, sorted; a name that exists stands for itself.

    Raises:
        OptionError: there is none, or it is no ordinary file.

    """
    found = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern, recursive=True))
    paths = [Path(name) for name in found if found == [pattern] or not os.path.isdir(name)]
    if not paths:
        raise OptionError(f"--input {pattern}: no such file; give a name, or a pattern in quotes such as 'part-*.txt'")
    for path in paths:
        if not path.is_file():
            if path.is_dir():
                raise OptionError(f"--input {path}: expected a file, got a folder; give '{path}/*' for the files in it")
            raise OptionError(
                f"--input {path}: expected a file, got something else; write its content into a file first"
            )
    return paths


def part_of(path: Path) -> Part:
    """Reads form and compression off a file's name.

    Raises:
        OptionError: it is a compressed Parquet file, which is compressed inside already.

    """
    *_, inner, last = ["", "", *path.suffixes]
    packing = PACKINGS.get(last.lower(), "")
    form = FORMS.get((inner if packing else last).lower(), TEXT)
    if form == PARQUET and packing:
        raise OptionError(f"--input {path}: Parquet is compressed inside the file; decompress it: {packing} -d {path}")
    return Part(path, form, packing)


def check_rows(form: str | None, parts: Sequence[Part]) -> None:
    """Refuses a form of the results that the outputs of Parquet parts, which are Parquet, cannot have.

    Raises:
        OptionError: it does.

    """
    found = next((part for part in parts if part.form == PARQUET), None)
    if found and form not in (None, JSONL):
        raise OptionError(
            f"--format {form}: the output of {found.path} has its name, so it is Parquet; leave --format out"
        )


def fields_of_parts(field: str | None, parts: Sequence[Part], *, tagged: bool) -> dict[str, tuple[str, ...]]:
    """Returns for each form which fields of a record are the source, and behind it the tags.

    Args:
        field: what the user gave: names, or numbers of columns from 1, with commas between; None: the usual ones.
        parts: whose forms it is for.
        tagged: whether the model reads tags.

    Raises:
        OptionError: no part has fields, or the number of a column is none.

    """
    forms = {part.form for part in parts}
    if field is None:
        return {TSV: ("1", "2") if tagged else ("1",), JSONL: (USUAL_FIELD,), PARQUET: (USUAL_FIELD,)}
    if forms <= {TEXT}:
        raise OptionError("--field: is about parts of tsv, jsonl or Parquet, and all parts are text; leave it out")
    names = tuple(name.strip() for name in field.split(","))
    if not all(names) or re.search("[\ud800-\udfff]", field):  # which stand for bytes that are no UTF-8
        raise OptionError(f"--field: expected a name or the number of a column, got {field!r}")
    if TSV in forms and not all(re.fullmatch("[1-9][0-9]{0,5}", name) for name in names):
        tsv = next(part.name for part in parts if part.form == TSV)
        raise OptionError(
            f"--field {field}: {tsv} is tsv, whose columns have numbers; give a number such as 1, and decode parts of "
            "other forms in a run of their own"
        )
    return dict.fromkeys((TSV, JSONL, PARQUET), names)

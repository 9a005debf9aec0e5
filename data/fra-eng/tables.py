"""Reader of the table files beside this one.

In: the name of a table (fields separated by `` | ``, one row per line, ``-`` is empty, ``#`` opens a comment line).
Out: its rows, as lists or by key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent


def rows(name: str) -> Iterator[list[str]]:
    """Fields of each row."""
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield [field.strip().removeprefix("-") for field in line.split(" | ")]


def rows_by_key(name: str, width: int) -> dict[str, list[str]]:
    """Rows by their first field, filled with empty fields up to the width."""
    return {fields[0]: fields[1:] + [""] * (width - len(fields)) for fields in rows(name)}


def words(name: str) -> dict[str, dict[str, str]]:
    """Forms by table and word, for a file of ``table | word | form`` rows."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for table, word, form in rows(name):
        found[table][word] = form
    return found

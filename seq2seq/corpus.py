"""Reads a file of tab-separated pairs: bytes in, normalised pairs and a report of what was left out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from seq2seq.errors import DataError, OptionError
from seq2seq.lines import clean, excerpt, fold, read_lines

EXAMPLES_NAMED = 3
# Unicode category Cc without the tab (columns) and the line feed (lines).
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SOURCE_TITLE = re.compile("source|src|input|question|text|sentence|lemma|word|graphemes?")
_TARGET_TITLE = re.compile("target|tgt|trg|output|answer|translation|form|inflection|pronunciation|phonemes?")
_LANGUAGE_CODE = re.compile("eng?|fr[ae]?|deu?|ger|es|spa|ita?|pt|por|nld?|rus?|zho?|cmn|jpn?|kor?|ara?|pol?")
_LANGUAGE = re.compile(
    "english|french|german|spanish|italian|portuguese|dutch|russian|chinese|japanese|korean|arabic|polish|"
    "turkish|swedish|finnish|greek|hebrew|hindi|czech|hungarian"
)


class Pair(NamedTuple):
    """One row: the line that a model reads (`source<TAB>tags` with features) and the line it should write."""

    source: str
    target: str


class BadLine(NamedTuple):
    """One line that could not be used."""

    line: int  # 1-based
    kind: str
    excerpt: str


@dataclass(frozen=True)
class ReadingReport:
    """What became of the lines of one file; each number counts lines, the last two characters."""

    path: str
    lines: int
    pairs: int
    bad: dict[str, int] = field(default_factory=dict)
    examples: tuple[BadLine, ...] = ()
    header: str | None = None  # an excerpt of line 1, where it was a header
    source_too_long: int = 0
    target_too_long: int = 0
    spaces_mapped: int = 0
    apostrophes_mapped: int = 0

    def warning(self) -> str | None:
        """Says in one line which lines were skipped, or is None where there is nothing to warn of."""
        parts = []
        if self.header is not None:
            parts.append(f"took line 1 for a header and skipped it: {self.header}")
        if self.bad:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.bad.items())
            named = "; ".join(f"line {bad.line} ({bad.kind}): {bad.excerpt}" for bad in self.examples)
            parts.append(f"skipped {sum(self.bad.values())} of {self.lines} lines ({kinds}), such as {named}")
        return f"{self.path}: {'; '.join(parts)}" if parts else None

    def summary(self) -> str:
        """Says in one line what was read, what the length filters dropped, and what was mapped."""
        parts = [f"{self.pairs} pairs from {self.lines} lines"]
        if self.bad:
            parts.append(f"{sum(self.bad.values())} bad lines skipped")
        if self.source_too_long:
            parts.append(f"{self.source_too_long} dropped: source over the maximum length")
        if self.target_too_long:
            parts.append(f"{self.target_too_long} dropped: target over the maximum length")
        if self.spaces_mapped:
            parts.append(f"{self.spaces_mapped} special spaces made plain")
        if self.apostrophes_mapped:
            parts.append(f"{self.apostrophes_mapped} curly apostrophes made straight")
        return f"{self.path}: {', '.join(parts)}"


class PairFile(NamedTuple):
    """The usable pairs of a file, in its order, and the report on the others."""

    pairs: list[Pair]
    report: ReadingReport


def normalise(text: str, lowercase: bool = False) -> str:
    """Gives a line the form that training data has: NFC, plain spaces, straight apostrophes, stripped ends.

    Where the line is `source<TAB>tags`, each side is stripped and the tags keep their case.
    """
    source, _, tags = clean(text).partition("\t")
    source, tags = fold(source, lowercase), tags.strip()
    return f"{source}\t{tags}" if tags else source


def read_pairs(
    path: str | Path,
    *,
    content: bytes | None = None,
    source_col: int = 1,
    target_col: int = 2,
    features_col: int | None = None,
    features_sep: str = ";",
    reverse: bool = False,
    lowercase: bool = False,
    on_bad_line: str = "skip",
    max_source_length: int | None = None,
    max_target_length: int | None = None,
    source_sep: str = "",
    target_sep: str = "",
) -> PairFile:
    r"""Reads tab-separated pairs, split on LF or CR LF and on tab alone: quotes and "NA" are ordinary text.

    Args:
        path: a UTF-8 file, with or without a byte order mark.
        content: what the file would hold, where there is none; the path then only names it in messages.
        source_col: column of the source, counted from 1.
        target_col: column of the target, counted from 1.
        features_col: column of the tags; each source becomes `source<TAB>tags`.
        features_sep: what stands between two tags.
        reverse: swaps source and target; the tags go with the new source.
        lowercase: lower-cases source and target, not the tags.
        on_bad_line: "skip" counts a bad line and goes on, "error" stops at it.
        max_source_length: in symbols of the model's source, tags not counted; longer rows are dropped.
        max_target_length: in symbols of the model's target.
        source_sep: what separates the symbols of the model's source; empty: each character is one.
        target_sep: the same of the target.

    Raises:
        DataError: the file is unreadable or binary, holds no usable pair, or has a bad line under "error".
        OptionError: a column, length, separator or `on_bad_line` cannot be meant.

    """
    _check_options(source_col, target_col, features_col, features_sep, source_sep, target_sep, on_bad_line)
    check_length("--max-source-length", max_source_length)
    check_length("--max-target-length", max_target_length)
    lines, undecodable, *mapped = read_lines(path, content)
    columns = tuple(column - 1 for column in (source_col, target_col, features_col) if column is not None)
    pairs: list[Pair] = []
    bad: dict[str, int] = {}
    examples: list[BadLine] = []
    header = None
    source_too_long = target_too_long = 0
    for number, fields in _split_lines(lines, columns, undecodable):
        if isinstance(fields, BadLine):
            if on_bad_line == "error":
                raise DataError(
                    f"{path}, line {number}: expected {_expected(columns)}, "
                    f"got {fields.kind}: {fields.excerpt}; correct the line, or use --on-bad-line skip"
                )
            bad[fields.kind] = bad.get(fields.kind, 0) + 1
            if len(examples) < EXAMPLES_NAMED:
                examples.append(fields)
            continue
        if number == 1 and _looks_like_header(fields[0], fields[1]):
            header = excerpt(lines[0])
            continue
        source, target = fields[0], fields[1]
        if lowercase:
            source, target = fold(source, True), fold(target, True)
        if reverse:
            source, target = target, source
        if max_source_length is not None and _length(source, source_sep) > max_source_length:
            source_too_long += 1
            continue
        if max_target_length is not None and _length(target, target_sep) > max_target_length:
            target_too_long += 1
            continue
        if features_col is not None and fields[2]:
            source = f"{source}\t{fields[2]}"
        pairs.append(Pair(source, target))
    report = ReadingReport(
        str(path),
        len(lines),
        len(pairs),
        bad,
        tuple(examples),
        header,
        source_too_long,
        target_too_long,
        *mapped,
    )
    if not pairs:
        raise DataError(_nothing_usable(report, columns))
    return PairFile(pairs, report)


def check_length(option: str, value: int | None) -> None:
    """Refuses a maximum length below 1.

    Raises:
        OptionError: naming the option.

    """
    if value is not None and value < 1:
        raise OptionError(f"expected {option} to be at least 1, got {value!r}; leave it out for no limit")


def _split_lines(
    lines: list[str], columns: tuple[int, ...], undecodable: dict[int, str]
) -> Iterator[tuple[int, list[str] | BadLine]]:
    needed = max(columns) + 1
    for index, line in enumerate(lines):
        row = line.split("\t")
        number = index + 1
        if len(row) < needed:
            if index in undecodable:
                yield number, BadLine(number, "invalid UTF-8", undecodable[index])
            else:
                kind = "missing column" if len(row) > 1 else "no tab" if line.strip() else "blank line"
                yield number, BadLine(number, kind, excerpt(line))
            continue
        if any(_CONTROL.search(row[column]) for column in columns):
            yield number, BadLine(number, "control character", excerpt(line))
            continue
        fields = [row[column].strip() for column in columns]
        if not fields[0] or not fields[1]:
            yield number, BadLine(number, "empty side", excerpt(line))
            continue
        yield number, fields


def _looks_like_header(first: str, second: str) -> bool:
    kinds = (
        (_SOURCE_TITLE, _TARGET_TITLE),
        (_TARGET_TITLE, _SOURCE_TITLE),
        (_LANGUAGE, _LANGUAGE),
        (_LANGUAGE_CODE, _LANGUAGE_CODE),
    )
    titles = first.casefold(), second.casefold()
    return titles[0] != titles[1] and any(a.fullmatch(titles[0]) and b.fullmatch(titles[1]) for a, b in kinds)


def _length(text: str, separator: str) -> int:
    return sum(1 for symbol in text.split(separator) if symbol) if separator else len(text)


def _expected(columns: tuple[int, ...]) -> str:
    return f"text in the tab-separated columns {', '.join(str(column + 1) for column in columns)}"


def _nothing_usable(report: ReadingReport, columns: tuple[int, ...]) -> str:
    if not report.lines:
        return f"expected at least one pair, got {report.path!r}, which is empty; give source<TAB>target"
    dropped = report.source_too_long + report.target_too_long
    way_out = (
        "raise --max-source-length or --max-target-length"
        if dropped
        else "give UTF-8 lines of source<TAB>target, or name other columns with --source-col and --target-col"
    )
    details = report.warning() or report.summary()
    return f"expected {_expected(columns)} in at least one line, got no usable pair: {details}; {way_out}"


def _check_options(
    source_col: int,
    target_col: int,
    features_col: int | None,
    features_sep: str,
    source_sep: str,
    target_sep: str,
    on_bad_line: str,
) -> None:
    named = {"--source-col": source_col, "--target-col": target_col}
    if features_col is not None:
        named["--features-col"] = features_col
        if not features_sep:
            raise OptionError("expected --features-sep to be at least one character, got ''; such as ';'")
    for option, column in named.items():
        if column < 1:
            raise OptionError(f"expected {option} to be a column counted from 1, got {column!r}")
    if len(set(named.values())) < len(named):
        raise OptionError(f"expected different columns, got {named!r}; give each its own number")
    for option, separator in (
        ("--source-sep", source_sep),
        ("--target-sep", target_sep),
        ("--features-sep", features_sep),
    ):
        if "\t" in separator or "\n" in separator:
            raise OptionError(f"expected {option} without tab or line end, got {separator!r}; tab separates columns")
    if on_bad_line not in ("skip", "error"):
        raise OptionError(f"expected --on-bad-line skip or error, got {on_bad_line!r}")

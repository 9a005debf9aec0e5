"""Reads a file of tab-separated pairs: bytes in, normalised pairs and a report on the other lines."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from seq2seq.config import DataConfig, check_separator
from seq2seq.errors import DataError, excerpt
from seq2seq.text.encodings import way_out
from seq2seq.text.lines import clean, encoding_name, fold, read_lines

EXAMPLES_NAMED = 3
UNLIMITED: dict[str, Any] = {"max_source_length": None, "max_target_length": None}
EVERY_ROW = DataConfig(**UNLIMITED)
# Unicode category Cc without the tab, which separates columns, and the line feed
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SOURCE_TITLE = re.compile("source|src|input|question|text|sentence|lemma|word|graphemes?")
_TARGET_TITLE = re.compile("target|tgt|trg|output|answer|translation|form|inflection|pronunciation|phonemes?")
_LANGUAGE_CODE = re.compile("eng?|fr[ae]?|deu?|ger|es|spa|ita?|pt|por|nld?|rus?|zho?|cmn|jpn?|kor?|ara?|pol?")
_LANGUAGE = re.compile(
    "english|french|german|spanish|italian|portuguese|dutch|russian|chinese|japanese|korean|arabic|polish|"
    "turkish|swedish|finnish|greek|hebrew|hindi|czech|hungarian"
)


class Pair(NamedTuple):
    """One row: the line that a model reads (`source<TAB>tags` with features) and the line that it should write."""

    source: str
    target: str


class BadLine(NamedTuple):
    """One line that could not be used."""

    line: int  # 1-based
    kind: str
    excerpt: str


@dataclass(frozen=True)
class ReadingReport:
    """How the lines of one file were used; the numbers count lines, except for the mapped characters."""

    path: str
    lines: int
    pairs: int
    bad: dict[str, int] = field(default_factory=dict)
    examples: tuple[BadLine, ...] = ()
    header: str | None = None  # an excerpt of line 1, where it was a header
    source_too_long: int = 0
    target_too_long: int = 0
    spaces_mapped: int = 0  # characters
    apostrophes_mapped: int = 0  # characters
    advice: str | None = None  # which encoding may fit the lines that could not be decoded

    def warning(self) -> str | None:
        """Lists the skipped lines in one line; None if there are none."""
        parts = []
        if self.header is not None:
            parts.append(f"skipped line 1, which looks like a header: {self.header}")
        if self.bad:
            kinds = ", ".join(f"{count} {kind}" for kind, count in self.bad.items())
            named = "; ".join(f"line {bad.line} ({bad.kind}): {bad.excerpt}" for bad in self.examples)
            parts.append(f"skipped {sum(self.bad.values())} of {self.lines} lines ({kinds}), such as {named}")
        if self.advice:
            parts.append(f"for the lines that could not be decoded: {self.advice}")
        return f"{self.path}: {'; '.join(parts)}" if parts else None

    def summary(self) -> str:
        """Lists in one line the numbers of pairs, of dropped lines and of mapped characters."""
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
    """Normalises a line as training data: NFC, plain spaces, straight apostrophes, no spaces at the ends.

    Where the line is `source<TAB>tags`, each side is stripped and the tags keep their case.
    """
    source, _, tags = clean(text).partition("\t")
    source, tags = fold(source, lowercase), tags.strip()
    return f"{source}\t{tags}" if tags else source


def read_pairs(path: str | Path, config: DataConfig, *, content: bytes | None = None) -> PairFile:
    r"""Reads tab-separated pairs, split on LF or CR LF and on tab alone: quotes and "NA" are ordinary text.

    Args:
        path: a text file, with or without a byte order mark.
        config: encoding, columns, separators, direction and limits. With features, each source becomes
            `source<TAB>tags`. Tags keep their case, do not count in a length, and follow the new source if source and
            target are swapped.
        content: the bytes to read instead of the file; the path then only appears in messages.

    Raises:
        DataError: the file is unreadable or binary, has no usable pair, or has a bad line with --on-bad-line error.
        OptionError: the target's separator contains a tab or line end.

    """
    check_separator("--target-sep", config.target_sep)  # checked here: in a text it may be a line end
    lines, undecodable, spaces, apostrophes = read_lines(path, content, encoding=config.encoding)
    columns = tuple(
        column - 1 for column in (config.source_col, config.target_col, config.features_col) if column is not None
    )
    pairs: list[Pair] = []
    bad: dict[str, int] = {}
    examples: list[BadLine] = []
    header = None
    too_long: list[int] = []  # for each dropped row the side over its limit, 0 or 1
    for number, fields in _split_lines(lines, columns, undecodable, f"invalid {encoding_name(config.encoding)}"):
        if isinstance(fields, BadLine):
            if config.on_bad_line == "error":
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
        pair, tags = _oriented(fields, config), fields[2] if config.features_col is not None else ""
        longer = _longer_side(pair, config)
        if longer is not None:
            too_long.append(longer)
            continue
        pairs.append(Pair(f"{pair.source}\t{tags}", pair.target) if tags else pair)
    report = ReadingReport(
        str(path),
        len(lines),
        len(pairs),
        bad,
        tuple(examples),
        header,
        too_long.count(0),
        too_long.count(1),
        spaces,
        apostrophes,
        way_out(b"\n".join(undecodable.values())) if undecodable else None,
    )
    if not pairs:
        raise DataError(_nothing_usable(report, columns))
    return PairFile(pairs, report)


def _oriented(fields: list[str], config: DataConfig) -> Pair:
    """Applies --lowercase and --reverse to a row."""
    source, target = fields[0], fields[1]
    if config.lowercase:
        source, target = fold(source, True), fold(target, True)
    return Pair(target, source) if config.reverse else Pair(source, target)


def _longer_side(pair: Pair, config: DataConfig) -> int | None:
    """Returns which side is over its limit: 0 (source), 1 (target), or None."""
    if config.max_source_length is not None and symbol_count(pair.source, config.source_sep) > config.max_source_length:
        return 0
    if config.max_target_length is not None and symbol_count(pair.target, config.target_sep) > config.max_target_length:
        return 1
    return None


def _split_lines(
    lines: list[str], columns: tuple[int, ...], undecodable: dict[int, bytes], not_decoded: str
) -> Iterator[tuple[int, list[str] | BadLine]]:
    needed = max(columns) + 1
    for index, line in enumerate(lines):
        row = line.split("\t")
        number = index + 1
        if len(row) < needed:
            if index in undecodable:
                yield number, BadLine(number, not_decoded, excerpt(undecodable[index]))
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


def symbol_count(text: str, separator: str) -> int:
    """Counts the symbols of a text as it is written, whether or not a model decomposes them."""
    return sum(1 for symbol in text.split(separator) if symbol) if separator else len(text)


def _expected(columns: tuple[int, ...]) -> str:
    return f"text in the tab-separated columns {', '.join(str(column + 1) for column in columns)}"


def _nothing_usable(report: ReadingReport, columns: tuple[int, ...]) -> str:
    if not report.lines:
        return f"expected at least one pair, got {report.path!r}, which is empty; give source<TAB>target"
    dropped = report.source_too_long + report.target_too_long
    remedy = (
        "raise --max-source-length or --max-target-length"
        if dropped
        else "give lines of source<TAB>target, or name other columns with --source-col and --target-col"
    )
    details = report.warning() or report.summary()
    return f"expected {_expected(columns)} in at least one line, got no usable pair: {details}; {remedy}"

"""Refuses what a model cannot be given: what is no text, what is too long, and lines without the tags it reads."""

import re
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any

from seq2seq.errors import DataError, OptionError, excerpt
from seq2seq.search_config import LONGEST
from seq2seq.text.pairs import Pair, symbol_count
from seq2seq.text.vocabulary import Vocabulary

SURROGATE = re.compile("[\ud800-\udfff]")


def check_lines(
    lines: Iterable[Any], vocabulary: Vocabulary, most: int | None, *, first_line: int = 1, name: str = ""
) -> None:
    """Refuses lines that a translator cannot read.

    Args:
        lines: sources, with tags where the model reads tags.
        vocabulary: of the sources.
        most: symbols of a line; None: any number.
        first_line: number of the first line.
        name: of the input, for messages.

    Raises:
        DataError: a line is no text, has more symbols, or lacks tags.

    """
    tags = vocabulary.features_sep
    for number, line in enumerate(lines, first_line):
        where = f"{name}:{number}" if name else f"line {number}"
        check_text(line, where)
        text, tab, _ = line.partition("\t")
        if most is not None:
            check_symbols(text, vocabulary, most, where, "--max-source-length")
        if tags and not tab and line.strip():
            raise DataError(
                f"{where}: expected source<TAB>tags, got {excerpt(line)}; this model was trained with feature "
                f"tags, joined by {tags!r}; for a word without tags, end the line with a tab"
            )


def check_symbols(text: str, vocabulary: Vocabulary, most: int, where: str, option: str) -> None:
    """Refuses a text that is too long.

    Args:
        text: of a source or target, without tags.
        vocabulary: says what separates its symbols.
        most: symbols that are taken.
        where: names the text in the message.
        option: that sets the number.

    Raises:
        DataError: it has more symbols.

    """
    if len(text) > most and (length := symbol_count(text, vocabulary.separator)) > most:
        raise DataError(
            f"{where}: expected at most {most} symbols, got {length}; cut it into sentences, one a line, or allow more "
            f"with {option}"
        )


def check_text(value: Any, where: str) -> None:
    """Refuses what is no text, such as None or bytes.

    Raises:
        DataError: it is no `str`, or has surrogates, which no file can hold.

    """
    if not isinstance(value, str):
        remedy = 'decode bytes first: value.decode("utf-8")' if isinstance(value, bytes) else "give a str"
        raise DataError(f"{where}: expected text, got {reprlib.repr(value)}; {remedy}")
    found = None if value.isascii() else SURROGATE.search(value)
    if found:
        raise DataError(
            f"{where}: expected UTF-8 text, got the surrogate {found[0]!r} at column {found.start() + 1}; leave it out"
        )


def check_pair(pair: Any, where: str) -> None:
    """Refuses what is no source with its target.

    Raises:
        DataError: it is not two texts.

    """
    if isinstance(pair, str | bytes) or not isinstance(pair, Sequence) or len(pair) != len(("source", "target")):
        raise DataError(f"{where}: expected a pair of source and target, got {reprlib.repr(pair)}")
    for side, text in zip(("source", "target"), pair, strict=True):
        check_text(text, f"{where}, {side}")


def listed(values: Any, where: str, what: str = "lines") -> list[Any]:
    """Returns values as a list.

    Raises:
        OptionError: they are one text, or nothing that has items.

    """
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        one = f"the string {reprlib.repr(values)}" if isinstance(values, str) else reprlib.repr(values)
        raise OptionError(f"{where}: expected a list of {what}, got {one}; give [{what.removesuffix('s')}]")
    return list(values)


def check_longest(pairs: Iterable[Pair], separator: str, where: str) -> None:
    """Refuses pairs to translate with a source of more symbols than are taken without being asked for.

    Raises:
        DataError: there is such a pair.

    """
    longest = max(symbol_count(pair.source.partition("\t")[0], separator) for pair in pairs)
    if longest > LONGEST:
        raise DataError(
            f"{where}: expected sources of at most {LONGEST} symbols, got one of {longest}; leave longer ones out with "
            f"--max-source-length {LONGEST}, or take them with --max-source-length {longest}"
        )

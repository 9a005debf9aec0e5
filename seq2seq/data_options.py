"""Checks that the options of reading data agree, before any file is read."""

from typing import TYPE_CHECKING

from seq2seq.encodings import is_encoding
from seq2seq.errors import OptionError

if TYPE_CHECKING:
    from seq2seq.config import DataConfig


def check_data_options(config: "DataConfig") -> None:
    """Refuses columns, separators and encodings that cannot be meant.

    Raises:
        OptionError: naming the option.

    """
    named = {"--source-col": config.source_col, "--target-col": config.target_col}
    if config.features_col is not None:
        named["--features-col"] = config.features_col
        if not config.features_sep:
            raise OptionError("expected --features-sep to be at least one character, got ''; such as ';'")
    if len(set(named.values())) < len(named):
        columns = ", ".join(f"{option} {column}" for option, column in named.items())
        raise OptionError(f"expected different columns, got {columns}; give each its own number")
    check_separator("--source-sep", config.source_sep)
    check_separator("--features-sep", config.features_sep)
    if not is_encoding(config.encoding):
        raise OptionError(
            f"expected --encoding to be one that Python knows, got {config.encoding!r}; such as utf-8, utf-16 or cp1252"
        )


def check_separator(option: str, separator: str) -> None:
    """Refuses a separator that cannot stand inside a column.

    Raises:
        OptionError: naming the option.

    """
    if "\t" in separator or "\n" in separator:
        raise OptionError(f"expected {option} without tab or line end, got {separator!r}; tab separates columns")

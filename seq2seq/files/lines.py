"""One line of a file: how many bytes it may have, and its text."""

from seq2seq.errors import DataError

SYMBOL_BYTES, FEWEST_BYTES = 64, 1 << 20  # of a line: a symbol may be a word, and a short limit is told in symbols


def line_bytes(symbols: int) -> int:
    """Returns the most bytes that a line of so many symbols may reasonably have."""
    return max(FEWEST_BYTES, SYMBOL_BYTES * symbols)


def decode_line(line: bytes, number: int, name: str) -> str:
    """Decodes the bytes of one line; its line end is left out.

    Raises:
        DataError: it is not UTF-8.

    """
    try:
        return line.removesuffix(b"\r").decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        # error.object has no byte order mark: the decoder removed it
        byte, before = error.object[error.start], error.object[: error.start].decode("utf-8")
        raise DataError(
            f"{name}:{number}: expected UTF-8 text, got byte 0x{byte:02x} at column {len(before) + 1}; "
            "convert the file: iconv -f latin1 -t utf-8"
        ) from None

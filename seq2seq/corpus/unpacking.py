"""Compressed files: gzip or zstd in, their bytes out; one that ends early or is damaged is an error, never an end."""

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from seq2seq.errors import DataError, OptionError
from seq2seq.extras import installing

READ_BYTES = 1 << 17
# zstd makes up to 128 KiB of 4 bytes and knows no limit, so it gets few bytes at a time; gzip gets a limit instead
PACKED_BYTES = {"gzip": 1 << 17, "zstd": 1 << 10}
GZIP_BYTES = 1 << 20  # most that are unpacked at a time
GZIP_LEVEL, ZSTD_LEVEL = 6, 3
WAY_OUT = "restore the file, and give the same command again"


class DamagedPartError(DataError):
    """A part cannot be read to its end."""

    lines = 0  # that could be read, where that was counted


def zstandard(path: object) -> Any:
    """Imports the library for zstd.

    Raises:
        OptionError: it is not installed.

    """
    try:
        import zstandard as library
    except ImportError:
        raise OptionError(f"{path}: needs zstandard, which is not installed: {installing('zstd')}") from None
    return library


def decompressor(packing: str, path: Path) -> Any:
    """Makes an object that unpacks one gzip member or zstd frame."""
    return zstandard(path).ZstdDecompressor().decompressobj() if packing == "zstd" else zlib.decompressobj(wbits=31)


class Unpacked(io.RawIOBase):
    """The bytes of a compressed file, which may have several members or frames.

    Args:
        file: the compressed bytes.
        packing: gzip or zstd.
        path: of the file, for messages.

    """

    def __init__(self, file: BinaryIO, packing: str, path: Path) -> None:
        self.file, self.packing, self.path = file, packing, path
        self.member: Any = None  # that is being unpacked
        self.packed = b""
        self.padded = False  # what comes may be padding of zeros, which gzip allows behind a member
        self.ready = memoryview(b"")

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Unpacks into a buffer; 0 is the end.

        Raises:
            DamagedPartError: the file is damaged or ends inside a member.

        """
        while not self.ready:
            self.packed = self.packed or self.file.read(PACKED_BYTES[self.packing])
            if not self.packed:
                if self.member is not None:
                    raise EOFError("it ends early")
                return 0
            if self.padded:
                self.packed = self.packed.lstrip(b"\0")
                if not self.packed:
                    continue
            self.ready = memoryview(self.unpack())
        taken = min(len(buffer), len(self.ready))
        buffer[:taken] = self.ready[:taken]
        self.ready = self.ready[taken:]
        return taken

    def unpack(self) -> bytes:
        """Unpacks some of the packed bytes."""
        self.member = self.member or decompressor(self.packing, self.path)
        if self.packing == "zstd":
            ready, self.packed = self.member.decompress(self.packed), b""
        else:
            ready = self.member.decompress(self.packed, GZIP_BYTES)
            self.packed = self.member.unconsumed_tail
        self.padded = bool(self.member.eof) and self.packing == "gzip"
        if self.member.eof:
            self.packed, self.member = self.member.unused_data, None
        return bytes(ready)


@contextlib.contextmanager
def unpacked(path: Path, packing: str) -> Iterator[BinaryIO]:
    """Opens a file and yields its decompressed bytes.

    Raises:
        DamagedPartError: the compressed data ends early or is damaged, or the file cannot be read.

    """
    library = zstandard(path) if packing == "zstd" else None
    damages = (EOFError, zlib.error) if library is None else (EOFError, library.ZstdError)
    try:
        with path.open("rb") as file:
            yield file if not packing else io.BufferedReader(Unpacked(file, packing, path), READ_BYTES)
    except damages as error:
        raise DamagedPartError(f"{path}: is damaged: {error}; {WAY_OUT}") from error
    except OSError as error:
        raise DamagedPartError(f"{path}: cannot be read: {error.strerror or error}; {WAY_OUT}") from error


def packed(content: bytes, packing: str, path: Path) -> bytes:
    """Packs bytes as one member or frame; the same bytes give the same member, and members can be joined."""
    if packing == "gzip":
        return gzip.compress(content, GZIP_LEVEL, mtime=0)
    if packing == "zstd":
        return bytes(zstandard(path).ZstdCompressor(level=ZSTD_LEVEL).compress(content))
    return content

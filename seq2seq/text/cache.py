"""Keeps downloaded data sets in the user's cache folder: text files, each with a record of its origin."""

import json
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seq2seq.errors import DataError
from seq2seq.files.reading import sha256_of
from seq2seq.files.writing import write_atomically, write_json
from seq2seq.text.downloads import DownloadRecord, download, terminal_progress, unzip_text
from seq2seq.text.lines import check_text_format, read_bytes, readable
from seq2seq.text.pairs import EVERY_ROW, read_pairs

_SUFFIXES = {"pairs": ".tsv", "text": ".txt"}
# Project Gutenberg's own text around a work that is in the public domain
_GUTENBERG_START = re.compile(rb"^\*\*\* ?START OF TH[^\n]*\n", re.MULTILINE)
_GUTENBERG_END = re.compile(rb"^\*\*\* ?END OF TH", re.MULTILINE)


@dataclass(frozen=True)
class Remote:
    """A data set that can be downloaded."""

    name: str
    kind: str  # "pairs" or "text"
    url: str
    licence: str
    sha256: str | None = None  # of the download; None where the site may change it, or where it is not known


@dataclass(frozen=True)
class Installed:
    """The record beside a data set of the cache, `NAME.json`."""

    name: str
    origin: str  # the URL, or the user's file
    licence: str
    size: int  # bytes of the text
    sha256: str  # of the text
    origin_size: int  # bytes of the file that was downloaded or given, such as an archive
    origin_sha256: str


def cache_folder() -> Path:
    """Returns the cache folder: $SEQ2SEQ_CACHE, else seq2seq in $XDG_CACHE_HOME, else ~/.cache/seq2seq."""
    if os.environ.get("SEQ2SEQ_CACHE"):
        return Path(os.environ["SEQ2SEQ_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "seq2seq"


def cached_path(remote: Remote, folder: Path) -> Path:
    """Returns the path of a data set's text file in the cache."""
    return folder / f"{remote.name}{_SUFFIXES[remote.kind]}"


def find(remote: Remote, folder: Path) -> tuple[Path, str] | None:
    """Finds a data set in the cache: its path and SHA-256, or None where it is absent.

    Raises:
        DataError: the file is not the one that its record describes.

    """
    path = cached_path(remote, folder)
    if not path.is_file():
        return None
    record = _read_record(path.with_suffix(".json"))
    with readable(path):
        size, digest = path.stat().st_size, sha256_of(path)
    if record is not None and (size, digest) != record:
        raise DataError(
            f"expected {str(path)!r} as it was installed, {record[0]} bytes with sha256 {record[1]}, "
            f"got {size} bytes with sha256 {digest}; install it again: make data DATA={remote.name}"
        )
    return path, digest


def install(
    remote: Remote,
    folder: Path,
    *,
    file: str | Path | None = None,
    say: Callable[[str], None] | None = None,
    **options: Any,
) -> Installed:
    """Downloads a data set, or reads the user's file, checks that it can be used, and writes it to the cache.

    Args:
        remote: the data set.
        folder: the cache.
        file: a zip or text that the user has; without it the set is downloaded.
        say: receives a line for each failed attempt, and for a file whose checksum is wrong or unknown.
        options: other options of `download`.

    Raises:
        DataError: the download failed, the file is not such a data set, or the cache cannot be written.

    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if file is not None:
            installed = _install_file(remote, folder, Path(file), origin=str(file))
            if say and remote.sha256 not in (None, installed.origin_sha256):
                say(f"{file}: is not the file of {remote.url}, which has sha256 {remote.sha256}; taken as it is")
            return installed
        arrived = folder / f"{remote.name}.download"
        progress = terminal_progress(remote.name)
        record = download(remote.url, arrived, expected_sha256=remote.sha256, progress=progress, say=say, **options)
        try:
            if say and remote.sha256 is None:
                say(
                    f"{remote.url}: not checked, since no checksum is known for a file that its site may change; "
                    f"it has sha256 {record.sha256}"
                )
            return _install_file(remote, folder, arrived, origin=remote.url, arrived=record)
        finally:
            arrived.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"cannot write to the cache {str(folder)!r}: {error.strerror or error}; "
            "choose another folder with SEQ2SEQ_CACHE"
        ) from None


def _install_file(
    remote: Remote, folder: Path, file: Path, *, origin: str, arrived: DownloadRecord | None = None
) -> Installed:
    content = _usable_content(remote, file, origin)
    path = cached_path(remote, folder)
    write_atomically(path, content)
    installed = Installed(
        remote.name,
        origin,
        remote.licence,
        len(content),
        sha256_of(path),
        arrived.size if arrived else file.stat().st_size,
        arrived.sha256 if arrived else sha256_of(file),
    )
    write_json(path.with_suffix(".json"), asdict(installed))
    return installed


def _usable_content(remote: Remote, file: Path, origin: str) -> bytes:
    head = read_bytes(file)
    content = unzip_text(file) if head.startswith(b"PK") or zipfile.is_zipfile(file) else head
    if content.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        raise DataError(f"expected the data set {remote.name}, got a web page from {origin!r}; fetch the file itself")
    if remote.kind == "pairs":
        read_pairs(origin, EVERY_ROW, content=content)
        return content
    check_text_format(content, origin)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"expected UTF-8 text, got {content[error.start : error.start + 4]!r} at byte {error.start} "
            f"of {origin!r}; convert it to UTF-8"
        ) from None
    start, end = _GUTENBERG_START.search(content), _GUTENBERG_END.search(content)
    if start and end and start.end() < end.start():
        content = content[start.end() : end.start()].strip() + b"\n"
    if not content.strip():
        raise DataError(f"expected text, got {origin!r}, which is empty")
    return content


def _read_record(path: Path) -> tuple[int, str] | None:
    """Reads size and SHA-256 from a record; None where the user put the text into the cache without one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        return int(record["size"]), str(record["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"expected the record of a data set in {str(path)!r}, got something else; remove both"
        ) from None

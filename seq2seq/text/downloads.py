"""Downloads one file over HTTP: an interrupted download is resumed, the file is checked and then gets its name."""

import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from seq2seq.errors import DataError
from seq2seq.files.reading import sha256_of
from seq2seq.terminal import LiveLine
from seq2seq.version import __version__

CHUNK_BYTES = 1 << 16
FIRST_WAIT = 1.0  # seconds; doubled after each failed attempt
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_WORTH_RETRYING = frozenset({408, 416, 425, 429})

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known


class DownloadRecord(NamedTuple):
    """A finished download."""

    url: str
    size: int  # bytes
    sha256: str
    attempts: int
    resumed: bool


class _CutError(Exception):
    """An attempt failed, and another may succeed."""


class _Part:
    """The unfinished file, with the validator of the remote file's version that it belongs to."""

    def __init__(self, target: Path, url: str) -> None:
        self.path = target.with_name(target.name + ".part")
        self.url = url
        self._note = target.with_name(target.name + ".part.json")

    def validator(self) -> str | None:
        """Returns the ETag or date to resume with; None if the part cannot be resumed."""
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            return note["validator"] if note["url"] == self.url and self.size() else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def begin(self, validator: str | None) -> None:
        self.path.write_bytes(b"")
        self._note.write_text(json.dumps({"url": self.url, "validator": validator}), encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        os.replace(self.path, target)
        self._note.unlink(missing_ok=True)


def download(
    url: str,
    target: str | Path,
    *,
    timeout: float = 20.0,
    retries: int = 4,
    expected_sha256: str | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> DownloadRecord:
    """Downloads a URL to a file, which gets its name only when it is complete.

    Args:
        url: an http or https address.
        target: the file to write; its folder must exist.
        timeout: an attempt fails after so many seconds without data.
        retries: how many attempts may follow the first, after waits of 1, 2, 4, ... seconds.
        expected_sha256: a file with another checksum is refused; None: any is accepted.
        progress: called with the number of bytes so far and in total.
        say: receives a line for each failed attempt that another one follows.
        sleep: waits between attempts.

    Raises:
        DataError: the address is refused or missing, every attempt failed, the checksum is wrong, or the file cannot
            be written.

    """
    target = Path(target)
    if not url.startswith(("http://", "https://")):
        raise DataError(f"expected an http or https address, got {url!r}")
    part = _Part(target, url)
    resumed = False
    for attempt in range(1, retries + 2):
        try:
            resumed = _attempt(url, part, timeout, progress) or resumed
            break
        except _CutError as cut:
            if attempt > retries:
                raise DataError(
                    f"expected to download {url}, got {cut} (attempt {attempt} of {attempt}); try again, "
                    "which continues where this stopped, or fetch it in another way and give it with FILE=path"
                ) from None
            wait = FIRST_WAIT * 2 ** (attempt - 1)
            if say:
                say(f"{url}: {cut}; attempt {attempt + 1} of {retries + 1} in {wait:g} s")
            sleep(wait)
        except OSError as error:
            raise DataError(
                f"cannot write {str(part.path)!r}: {error.strerror or error}; make room, "
                "or choose another folder with SEQ2SEQ_CACHE"
            ) from None
    size, digest = part.size(), sha256_of(part.path)
    if expected_sha256 not in (None, digest):
        part.remove()
        raise DataError(
            f"expected sha256 {expected_sha256} for {url}, got {digest}; the file there has changed, or the download "
            "is incomplete: try again, or fetch it in another way and give it with FILE=path"
        )
    part.finish(target)
    return DownloadRecord(url, size, digest, attempt, resumed)


def terminal_progress(label: str) -> Progress:
    """Returns a function that shows the progress of a download: in a live line on a terminal, else once per minute."""
    line = LiveLine()

    def show(done: int, total: int | None) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        line.show(done / total if total else None, label, f"{done / 1e6:.1f}{of} MB")
        if done == total:
            line.clear()

    return show


def unzip_text(path: str | Path) -> bytes:
    """Reads the only text in an archive from the Anki site, besides `_about.txt`.

    Raises:
        DataError: the archive is truncated, damaged or unreadable, or does not hold exactly one text.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if _is_text(name)]
            if len(names) != 1:
                raise DataError(
                    f"expected one .txt beside _about.txt in {str(path)!r}, "
                    f"got {names or archive.namelist()!r}; unpack it and give the text itself"
                )
            return archive.read(names[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"expected a complete zip archive, got {str(path)!r}, "
            f"which is truncated, damaged or of another kind ({error}); download it again"
        ) from None
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}") from None


def _is_text(name: str) -> bool:
    file = name.rsplit("/", 1)[-1]
    return (
        file.endswith((".txt", ".tsv")) and file != "_about.txt" and not file.startswith(".") and "__MACOSX" not in name
    )


def _attempt(url: str, part: _Part, timeout: float, progress: Progress | None) -> bool:
    """Downloads the rest of a part; returns whether the server resumed it."""
    validator = part.validator()
    offset = part.size() if validator else 0
    headers = {"User-Agent": f"seq2seq/{__version__}"}
    if validator:
        headers |= {"Range": f"bytes={offset}-", "If-Range": validator}
    with _open(urllib.request.Request(url, headers=headers), timeout, part) as response:
        resumed = response.status == 206
        if resumed:
            span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
            if not span or int(span[1]) != offset:
                part.remove()
                raise _CutError(f"a wrong range ({response.headers.get('Content-Range')!r} for bytes {offset} on)")
            total: int | None = int(span[3])
        else:
            offset = 0
            length = response.headers.get("Content-Length")
            total = int(length) if length and length.isdigit() else None
            part.begin(_validator(response.headers))
        with part.path.open("ab") as file:
            for block in _blocks(response):
                file.write(block)
                offset += len(block)
                if progress:
                    progress(offset, total)
            file.flush()
            os.fsync(file.fileno())
    if total is not None and offset < total:
        raise _CutError(f"a connection cut after {offset} of {total} bytes")
    return resumed


def _open(request: urllib.request.Request, timeout: float, part: _Part) -> http.client.HTTPResponse:
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout)
        return response
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            part.remove()
        if error.code in _WORTH_RETRYING or error.code >= 500:
            raise _CutError(f"HTTP status {error.code}") from None
        raise DataError(
            f"expected a file at {request.full_url}, got HTTP status {error.code} ({error.reason}); "
            "check the name, or fetch it in another way and give it with FILE=path"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(_reason(error)) from None


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while True:
        try:
            block = response.read(CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _CutError(_reason(error)) from None
        if not block:
            return
        yield block


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    return f"{type(cause).__name__}: {cause}" if isinstance(cause, Exception) else str(cause)


def _validator(headers: http.client.HTTPMessage) -> str | None:
    # RFC 9110 (13.1.5) forbids a weak ETag here, since other bytes may have the same one
    etag = headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")

"""Downloads one file over HTTP: resumed where it was cut, checked, written beside its name and renamed."""

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
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from seq2seq.errors import DataError
from seq2seq.files import sha256_of
from seq2seq.terminal import LiveLine

CHUNK_BYTES = 1 << 16
FIRST_WAIT = 1.0  # seconds; doubled after each failed attempt
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_WORTH_RETRYING = frozenset({408, 416, 425, 429})

Progress = Callable[[int, int | None], None]  # bytes so far, bytes in all where known


class DownloadRecord(NamedTuple):
    """What arrived."""

    url: str
    size: int  # bytes
    sha256: str
    attempts: int
    resumed: bool


class _CutError(Exception):
    """An attempt failed in a way that another may not."""


class _Part:
    """The unfinished file, with the validator that says which version of the remote file it began."""

    def __init__(self, target: Path, url: str) -> None:
        self.path = target.with_name(target.name + ".part")
        self.url = url
        self._note = target.with_name(target.name + ".part.json")

    def validator(self) -> str | None:
        """Returns the ETag or date to resume with; None where the part is of no use."""
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
    expected_size: int | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> DownloadRecord:
    """Fetches a URL into a file, which appears under its name only when it is whole.

    Args:
        url: an http or https address.
        target: the file to write; its folder must exist.
        timeout: seconds without a byte after which an attempt has failed.
        retries: further attempts after the first, with waits of 1, 2, 4, ... seconds.
        expected_sha256: refuse anything else, where it is known.
        expected_size: the same in bytes.
        progress: called with the bytes so far and in all.
        say: told in a line of each failed attempt that another follows.
        sleep: waits between attempts.

    Raises:
        DataError: the address is refused or missing, every attempt failed, the size or checksum is wrong, or
            the file cannot be written.

    """
    target = Path(target)
    if not url.startswith(("http://", "https://")):
        raise DataError(f"expected an http or https address, got {url!r}")
    part = _Part(target, url)
    resumed = False
    for attempt in range(1, retries + 2):
        try:
            resumed = _attempt(url, part, timeout, expected_size, progress) or resumed
            break
        except _CutError as cut:
            if attempt > retries:
                raise DataError(
                    f"expected to download {url}, got {cut} (attempt {attempt} of {attempt}); try again, "
                    "which goes on where this stopped, or fetch it in another way and give it with FILE=path"
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
    for what, expected, got in (("size", expected_size, size), ("sha256", expected_sha256, digest)):
        if expected is not None and expected != got:
            part.remove()
            raise DataError(
                f"expected {what} {expected} of {url}, got {got}; the file there has changed, or did not arrive whole: "
                "try again, or fetch it in another way and give it with FILE=path"
            )
    part.finish(target)
    return DownloadRecord(url, size, digest, attempt, resumed)


def terminal_progress(label: str) -> Progress:
    """Shows how far a download has come: in a live line on a terminal, elsewhere in a line a minute."""
    line = LiveLine()

    def show(done: int, total: int | None) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        line.show(done / total if total else None, label, f"{done / 1e6:.1f}{of} MB")
        if done == total:
            line.clear()

    return show


def unzip_text(path: str | Path) -> bytes:
    """Reads the one text of an archive in the Anki site's form, `_about.txt` left aside.

    Raises:
        DataError: the archive is truncated or damaged, or does not hold exactly one text.

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
            f"expected a whole zip archive, got {str(path)!r}, "
            f"which is truncated, damaged or of another kind ({error}); download it again"
        ) from None
    except OSError as error:
        raise DataError(f"cannot read {str(path)!r}: {error.strerror or error}") from None


def _is_text(name: str) -> bool:
    file = name.rsplit("/", 1)[-1]
    return (
        file.endswith((".txt", ".tsv")) and file != "_about.txt" and not file.startswith(".") and "__MACOSX" not in name
    )


def _attempt(url: str, part: _Part, timeout: float, expected_size: int | None, progress: Progress | None) -> bool:
    """Fetches the rest of a part; returns whether it was resumed."""
    validator = part.validator()
    offset = part.size() if validator else 0
    headers = {"User-Agent": f"seq2seq/{_version()}"}
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
        if expected_size is not None and total is not None and total != expected_size:
            part.remove()
            raise DataError(f"expected {expected_size} bytes of {url}, got {total}; the file there has changed")
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
    # A weak ETag may stand for other bytes, so RFC 9110 (13.1.5) forbids it here.
    etag = headers.get("ETag")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")


def _version() -> str:
    try:
        return version("seq2seq")
    except PackageNotFoundError:
        return "unknown"

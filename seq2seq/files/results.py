"""The file that a verb writes its result to at the end: refused at the start where it cannot be written."""

import os
import tempfile
from pathlib import Path

from seq2seq.errors import OptionError
from seq2seq.files.folders import fresh_name
from seq2seq.files.reading import is_special


def check_result_file(path: Path, option: str) -> None:
    """Refuses a file that a verb could not write at its end; `option` is what names it.

    Raises:
        OptionError: it is a folder, its folder does not exist, or nothing may be written there.

    """
    where = f"{option} {path}"
    if not path.name or path.is_dir():
        raise OptionError(f"{where}: expected the name of a file, got {'a folder' if path.name else repr(str(path))}")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise OptionError(f"{where}: expected a file in a folder that exists; make the folder first")
    try:
        if is_special(path):
            with path.open("ab"):
                pass
        else:
            with tempfile.TemporaryFile(dir=folder):
                pass
    except OSError as error:
        raise OptionError(
            f"{where}: cannot be written: {error.strerror}; change the permissions, or give another {option}"
        ) from error


def write_result(path: Path, content: bytes | str, option: str) -> None:
    """Writes a file that the user named, complete or not at all; a pipe or a device is written to directly.

    Raises:
        OptionError: the system refuses, for example because the disk is full.

    """
    data = content.encode() if isinstance(content, str) else content
    try:
        if is_special(path):
            path.write_bytes(data)
            return
        path = path.resolve()  # a link stays a link
        temporary = fresh_name(path)
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OptionError(
            f"{option} {path}: cannot be written: {error.strerror}; make room or write elsewhere"
        ) from error

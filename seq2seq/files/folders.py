"""Folders that are complete under some name at every moment: made beside their place, then renamed."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path

from seq2seq.files.writing import PARTIAL


def fresh_name(path: Path) -> Path:
    """Returns a name that is free beside a file or folder: NAME.partial, or NAME.2.partial and so on."""
    numbers = itertools.chain([""], (f".{number}" for number in itertools.count(2)))
    names = (path.with_name(f"{path.name}{number}{PARTIAL}") for number in numbers)
    return next(name for name in names if not os.path.lexists(name))


def fresh_folder(path: Path) -> Path:
    """Creates an empty folder under a free name beside `path`; `replace_folder` renames it later."""
    temporary = fresh_name(path)
    temporary.mkdir(parents=True)
    return temporary


def replace_folder(temporary: Path, path: Path, *, remove: Callable[[Path], None]) -> None:
    """Renames a folder to `path`; a folder that has this name is renamed first.

    At every moment until the new folder has the name, both folders are complete under some name.

    Args:
        temporary: the new folder, written beside `path`.
        path: the final name.
        remove: removes this program's files from the old folder; other files move to the new folder.

    """
    if not path.exists():
        os.replace(temporary, path)
        return
    old = fresh_name(path)
    os.replace(path, old)
    try:
        os.replace(temporary, path)
    except OSError:
        os.replace(old, path)
        raise
    remove(old)
    for left in old.iterdir():
        if not os.path.lexists(path / left.name):
            os.replace(left, path / left.name)
    if not any(old.iterdir()):
        old.rmdir()

"""Folders that are complete under some name at every moment: made beside their place, then renamed."""

import contextlib
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from seq2seq.errors import BundleError
from seq2seq.files.writing import PARTIAL, written


def fresh_name(path: Path) -> Path:
    """Returns a name that is free beside a file or folder: NAME.partial, or NAME.2.partial and so on."""
    numbers = itertools.chain([""], (f".{number}" for number in itertools.count(2)))
    names = (path.with_name(f"{path.name}{number}{PARTIAL}") for number in numbers)
    return next(name for name in names if not os.path.lexists(name))


def fresh_folder(path: Path) -> Path:
    """Creates an empty folder under a free name beside `path`; whoever fills it renames it later."""
    while True:
        temporary = fresh_name(path)
        with contextlib.suppress(FileExistsError):  # another process took the name between the two
            temporary.mkdir(parents=True)
            return temporary


@contextlib.contextmanager
def complete_folder(path: Path, rename: Callable[[Path, Path], None] = os.replace) -> Iterator[Path]:
    """Yields an empty folder beside `path` that gets this name at the end of the block, or is removed after an error.

    Args:
        path: the final name; a link to a folder stays a link.
        rename: gives the new folder, its first argument, the final name.

    """
    home = path.resolve()
    beside = fresh_folder(home)
    try:
        yield beside
        rename(beside, home)
    finally:
        if beside.exists():  # holds only what the block wrote
            shutil.rmtree(beside)


@contextlib.contextmanager
def new_folder(path: Path, what: str, way_out: str) -> Iterator[Path]:
    """Yields an empty folder as `complete_folder` does, for a place where nothing is yet.

    Args:
        path: does not exist, or is an empty folder.
        what: is written there, in words.
        way_out: what to do where the place cannot be used, such as "give another name".

    Raises:
        BundleError: the place holds something, at the end too, or the system refuses to write.

    """
    taken = BundleError(f"{path}: expected a new folder for {what}, got one that exists; {way_out}")

    def rename(beside: Path, home: Path) -> None:
        try:
            os.replace(beside, home)
        except OSError as error:
            if os.path.lexists(home) and (not home.is_dir() or any(home.iterdir())):
                raise taken from error  # another process was faster
            raise

    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise taken
    room = f"make room, change the permissions, or {way_out}"
    with written(path.resolve(), room), complete_folder(path, rename) as beside:
        yield beside


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

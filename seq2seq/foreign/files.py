"""Finds and reads the files on the command line: arrays, models, vocabularies, pairs, and folders of these."""

import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.errors import DataError
from seq2seq.text.lines import check_ordinary

MODELS = (".keras", ".h5", ".hdf5")
VOCABULARY_BYTES = 64 << 20  # of a file of symbols, at most
SAVED_MODEL = (
    "is a TensorFlow SavedModel, which holds the model's program, not its layers; where tf_keras is installed (pip "
    "install tf_keras), load it and save it as a file: tf_keras.models.load_model({name!r}).save('model.h5')"
)


@dataclass
class Found:
    """The files that were found, by kind."""

    arrays: list[Path] = field(default_factory=list)
    validation: list[Path] = field(default_factory=list)
    models: list[Path] = field(default_factory=list)
    vocabularies: list[Path] = field(default_factory=list)
    bundles: list[Path] = field(default_factory=list)


def collect(paths: Sequence[Path]) -> Found:
    """Sorts paths by kind.

    Raises:
        DataError: a path does not exist or is of no known kind, or a folder is a SavedModel or holds nothing to
            examine.

    """
    found = Found()
    for path in paths:
        if path.is_dir():
            add_folder(path, found)
        elif not path.is_file():
            raise DataError(f"{path}: no such file or folder")
        elif not add_file(path, found):
            raise DataError(
                f"{path}: expected arrays (.npz), a Keras model (.keras, .h5), a vocabulary (.json), a model folder, "
                "or a folder of these"
            )
    if len(found.arrays) > 1:
        names = ", ".join(map(str, found.arrays))
        raise DataError(f"expected one file of training arrays, got {names}; name the other with --validation")
    return found


def add_file(path: Path, found: Found) -> bool:
    """Adds a file; returns whether its kind is known."""
    suffix = path.suffix.lower()
    if suffix == ".npz":
        validates = re.search(r"(^|[-_.])(val|valid|validation|dev)([-_.]|$)", path.name.lower())
        (found.validation if validates else found.arrays).append(path)
    elif suffix in MODELS:
        found.models.append(path)
    elif suffix == ".json":
        found.vocabularies.append(path)
    else:
        return False
    return True


def add_folder(folder: Path, found: Found) -> None:
    """Adds the files of a folder."""
    is_model = (folder / "weights.safetensors").is_file() or (folder / "member-1").is_dir()
    if (folder / "config.json").is_file() and is_model:
        found.bundles.append(folder)
        return
    if (folder / "saved_model.pb").is_file():
        raise DataError(f"{folder}: {SAVED_MODEL.format(name=folder.name)}")
    files = sorted(path for path in folder.iterdir() if path.is_file())
    known = [path for path in files if path.suffix.lower() != ".json" and add_file(path, found)]
    tables = [path for path in files if path.suffix.lower() == ".json" and is_vocabulary(path)]
    # the vocabulary of the source comes first
    found.vocabularies += sorted(tables, key=lambda path: not re.search(r"sou?rc|src|enc|inp", path.name.lower()))
    if not known and not tables:
        raise DataError(f"{folder}: holds nothing to examine; expected .npz, .keras, .h5 or vocabulary .json files")


def is_vocabulary(path: Path) -> bool:
    """Returns whether a JSON file holds a list of symbols or a mapping from symbols to ids."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValueError):
        return False
    if isinstance(value, dict) and "symbols" in value:
        return True
    if isinstance(value, dict):
        return len(value) > 2 and all(isinstance(number, int) for number in value.values())
    return isinstance(value, list) and len(value) > 2 and all(isinstance(symbol, str) for symbol in value)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Reads arrays.

    Raises:
        DataError: the file is not an .npz, or it holds Python objects.

    """
    if path.is_file() and not zipfile.is_zipfile(path):
        raise DataError(f"{path}: expected arrays of numbers written by np.savez, got a file that is no .npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except Exception as error:
        raise DataError(
            f"{path}: expected arrays of numbers written by np.savez, got something else ({error}); ragged lists must "
            "be padded first"
        ) from error


def read_vocabulary_file(path: Path) -> Any:
    """Reads a JSON vocabulary.

    Raises:
        DataError: the file is not JSON, or has more than VOCABULARY_BYTES.

    """
    try:
        with path.open("rb") as file:
            content = file.read(VOCABULARY_BYTES + 1)
        if len(content) > VOCABULARY_BYTES:
            raise DataError(f"{path}: expected at most {VOCABULARY_BYTES} bytes, got more; give another file")
        return json.loads(content.decode())
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (ValueError, RecursionError) as error:  # bytes that are not UTF-8 are a ValueError
        raise DataError(f"{path}: expected JSON, a list of symbols or a mapping from symbol to id: {error}") from error


def read_text(path: Path) -> str:
    """Reads a UTF-8 text without its byte order mark.

    Raises:
        DataError: the file does not exist, is a pipe or device, or is not UTF-8.

    """
    check_ordinary(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8 text: {error}") from error


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Reads source and target of each line; further columns are ignored.

    Raises:
        DataError: the file cannot be read, or no line holds a tab.

    """
    rows = [line.rstrip("\r").split("\t") for line in read_text(path).split("\n") if "\t" in line]
    if not rows:
        raise DataError(f"{path}: expected lines of source<TAB>target, found no tab")
    return [(row[0], row[1]) for row in rows]

"""Reads the parts of a model folder beside its weights, whose hashes are checked already."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.bundle.record import CONFIG, EDITS, LONGEST_LINE
from seq2seq.bundle.weights import read_tensors
from seq2seq.files.reading import read_json
from seq2seq.special import PAD
from seq2seq.text.edit_distance import LEAST_LOG_PROB, EditDistance
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Vocabulary
from seq2seq.typed_json import damaged


def read_text(path: Path, record: Mapping[str, Any], name: str) -> str:
    """Reads a text that a model may have; empty where the folder's record does not list it.

    Raises:
        BundleError: it is not UTF-8.

    """
    if name not in record["sha256"]:
        return ""
    try:
        return (path / name).read_bytes().decode()
    except UnicodeDecodeError as error:
        raise damaged(str(path / name), f"not UTF-8 at byte {error.start}") from error


def read_vocabulary(path: Path) -> Vocabulary:
    """Reads one vocabulary; raises BundleError where the file is damaged, or has no symbol."""
    vocabulary = Vocabulary.from_json(read_json(path), where=str(path))
    if not vocabulary.symbols:
        raise damaged(str(path), "expected at least one symbol")
    return vocabulary


def check_source_form(record: Mapping[str, Any], size: int, *, where: str) -> None:
    """Raises BundleError where the form of an encoder's rows has an id that is none of the `size` source ids."""
    form = SourceForm.from_record(record)
    ids = [*form.before, *form.after, form.fill]
    wrong = [number for number in ids if not PAD < number < size]
    if wrong or len(ids) > LONGEST_LINE:
        got = f"{len(ids)} ids" if not wrong else repr(wrong[0])
        raise damaged(where, f"source_form: expected at most {LONGEST_LINE} ids from 1 to {size - 1}, got {got}")


def read_edits(path: Path, record: Mapping[str, Any], source_size: int, target_size: int) -> EditDistance:
    """Reads what a transducer aligns with.

    Raises:
        BundleError: the folder's record does not list it, or it holds other numbers than log-probabilities.

    """
    if EDITS not in record["sha256"]:
        raise damaged(str(path / CONFIG), f"no sha256 of {EDITS}")
    shapes = EditDistance.shapes(source_size, target_size)
    tensors = read_tensors(path / EDITS, shapes, np.dtype(np.float32))
    for name, array in tensors.items():
        wrong = array[(array > 0) | (array < LEAST_LOG_PROB)]
        if wrong.size:
            expected = f"expected log-probabilities from {LEAST_LOG_PROB:g} to 0"
            raise damaged(str(path / EDITS), f"{name}: {expected}, got {wrong[0]}")
    return EditDistance.from_tensors(tensors)

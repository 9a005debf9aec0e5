"""Makes a copy of a finished model with float16 weights, half as large, to be given to others."""

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.bundle.folder import Bundle, check_weights, ensemble_of, load_bundle, save_bundle
from seq2seq.bundle.record import CANARY, HALF, HISTORY, LANGUAGE_MODEL, METRICS, PRECISION, public_record
from seq2seq.errors import BundleError, DataError
from seq2seq.files.folders import new_folder
from seq2seq.files.reading import read_json
from seq2seq.inference.canary import choose_canary, choose_text_canary, read_canary
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator
from seq2seq.inference.verification import verify_bundle
from seq2seq.scoring.evaluation import metrics_of
from seq2seq.scoring.text_evaluation import evaluate_text
from seq2seq.scoring.training_data import training_data
from seq2seq.text.datasets import load_pairs

LARGEST_HALF = float(np.finfo(np.float16).max)  # 65504


def shrink(folder: Path, out: Path, *, licence: str = "", report: Callable[[str], None] = lambda line: None) -> None:
    """Writes a model into a new folder with its weights as float16, complete or not at all.

    Scores and canary are those of the rounded weights. Without the data that the model was trained on, its own scores
    are copied, which is reported and recorded. Places of this computer are left out.

    Args:
        folder: of a finished model of any kind; of an ensemble each member is written.
        out: receives the copy; it does not exist, or is an empty folder.
        licence: text that goes with the model, whose first line names its licence; empty: the model's own.
        report: receives lines for the user.

    Raises:
        BundleError: the model cannot be loaded, is stored as float16 already, or `out` holds something.

    """
    bundle = load_bundle(folder)
    check_weights(bundle)
    for each in bundle.members or (bundle,):
        if each.record.get(PRECISION) == HALF:
            raise BundleError(f"{each.path}: its weights are {HALF} already; there is nothing to make smaller")
    bundle = dataclasses.replace(bundle, licence=licence or bundle.licence)
    with new_folder(out, "the smaller model", "give another name") as beside:
        write_half(bundle, beside, report)
        verify_bundle(beside)


def write_half(bundle: Bundle, path: Path, report: Callable[[str], None]) -> Bundle:
    """Writes a model into the empty folder `path` with float16 weights, and returns it with the rounded weights."""
    history: list[dict[str, Any]] = []
    if bundle.members:
        for member in bundle.members:
            (path / member.path.name).mkdir()
        members = tuple(write_half(member, path / member.path.name, report) for member in bundle.members)
        small = dataclasses.replace(ensemble_of(path, members), licence=bundle.licence)
        record = dict(bundle.record)
    else:
        weights = {name: rounded(array) for name, array in bundle.weights.items()}
        small = dataclasses.replace(bundle, path=path, weights=weights)
        record = {**bundle.record, PRECISION: HALF}
        with (bundle.path / HISTORY).open(encoding="utf-8", newline="") as file:
            history = list(csv.DictReader(file))
    metrics = scores(bundle, small)
    if metrics is None:
        report(f"{bundle.path}: the data it was trained on is not here, so the scores are those of its float32 weights")
        metrics, record["scored"] = read_json(bundle.path / METRICS), "float32"
    if licence_line(bundle.licence) and isinstance(record.get("trained_on"), dict):
        record["trained_on"] = {**record["trained_on"], "licence": licence_line(bundle.licence)}
    small = dataclasses.replace(small, record=public_record(record))
    save_bundle(small, metrics=metrics, history=history, canary=canary_of(small, read_canary(bundle.path / CANARY)))
    return small


def rounded(array: np.ndarray) -> np.ndarray:
    """Rounds weights to float16; numbers beyond its range, which only mask a symbol, become the largest in it.

    Args:
        array: float32 (...), weights.

    Returns:
        float32 (...), the nearest float16 numbers.

    """
    return np.clip(array, -LARGEST_HALF, LARGEST_HALF).astype(np.float16).astype(np.float32)


def licence_line(licence: str) -> str:
    """Returns the first line of a licence's text, which names it."""
    return licence.strip().split("\n")[0].strip()


def scores(bundle: Bundle, small: Bundle) -> dict[str, Any] | None:
    """Scores a model on its own held-out data.

    Args:
        bundle: the model as it was trained, which knows its data.
        small: the same with rounded weights.

    Returns:
        Scores by part; None where the data is absent or has changed, and for an adopted translator, whose parts are
        not known.

    """
    if "rows" in bundle.record.get("adopted", {}):
        return None
    try:
        dataset = training_data(bundle)
    except (BundleError, DataError):
        return None
    small = dataclasses.replace(small, record=bundle.record, path=bundle.path)
    if bundle.kind == LANGUAGE_MODEL:
        return {"validation": evaluate_text(LanguageModel(small))._asdict()}
    before, splits = read_json(bundle.path / METRICS), load_pairs(dataset, bundle.data)
    return {
        part: metrics_of(Translator(small), getattr(splits, part), by=before.get(part, {}).get("by", "auto"))
        for part in ("validation", "test")
    }


def canary_of(small: Bundle, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Chooses golden outputs of a model: for a translator among the inputs of its canary before the rounding."""
    if small.kind == LANGUAGE_MODEL:
        return choose_text_canary(LanguageModel(small))
    return choose_canary(Translator(small), [entry["source"] for entry in before])

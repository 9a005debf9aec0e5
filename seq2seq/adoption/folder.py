"""Writes an adopted model's folder, checks it against the original, and only then gives it its name."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq import __version__
from seq2seq.backend import keras, tf
from seq2seq.bundle import Bundle, kind_in, load_bundle, save_bundle
from seq2seq.canary import choose_canary, choose_text_canary
from seq2seq.errors import AdoptionError, BundleError
from seq2seq.files import fresh_folder, replace_folder
from seq2seq.generation import LanguageModel
from seq2seq.inference import Translator
from seq2seq.run_folder import remove_ours

TOLERANCE = 1e-4  # nats
RUNTIMES = ("numpy", "keras")


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder that must not be replaced.

    Raises:
        BundleError: it exists, and is no model folder or is not to be overwritten.

    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir() or kind_in(folder) is None:
        raise BundleError(
            f"{folder}: expected a new folder or a model folder, got something else; give another --model"
        )
    if not overwrite:
        raise BundleError(f"{folder}: holds a model already; give another --model, or --overwrite to replace it")


def write(
    folder: Path, parts: Bundle, *, metrics: dict[str, Any], lines: list[str], check: Callable[[Path], list[float]]
) -> list[float]:
    """Writes a whole folder beside its name, checks it, and renames it.

    Args:
        folder: where it goes.
        parts: all but the path.
        metrics: for metrics.json.
        lines: of a translator, sources for its canary.
        check: by how much (nats) a folder's log-probabilities differ from the original's at most, for each of RUNTIMES.

    Returns:
        The largest difference for each runtime.

    Raises:
        AdoptionError: the folder does not say what the original says.

    """
    home = folder.resolve()  # a link to a folder stays one
    beside = fresh_folder(home)
    try:
        bundle = replace(parts, path=beside, record={**parts.record, "versions": versions()})
        if bundle.source_vocabulary is None:
            canary = choose_text_canary(LanguageModel(bundle))
        else:
            canary = choose_canary(Translator(bundle), lines)
        save_bundle(bundle, metrics=metrics, history=[], canary=canary)
        load_bundle(beside)
        differences = check(beside)
        for runtime, difference in zip(RUNTIMES, differences, strict=True):
            if not difference <= TOLERANCE:
                raise AdoptionError(
                    f"the {runtime} runtime: expected the original's log-probabilities, got ones that differ by up to "
                    f"{difference:.2g} nats, more than {TOLERANCE:.0e}; something in the model was not understood, and "
                    "nothing was written"
                )
        replace_folder(beside, home, remove=remove_ours)
    finally:
        if beside.exists():  # nothing but what was written above
            shutil.rmtree(beside)
    return differences


def versions() -> dict[str, str]:
    """Names the versions that adopted a model."""
    return {
        "seq2seq": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }

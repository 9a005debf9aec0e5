"""Writes an adopted model's folder under another name, compares it with the original, and renames it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.api import load
from seq2seq.bundle.folder import Bundle, load_bundle, save_bundle
from seq2seq.bundle.record import describe_left, kind_in, left_beside
from seq2seq.errors import AdoptionError, BundleError
from seq2seq.files.folders import complete_folder, replace_folder
from seq2seq.inference.canary import choose_canary, choose_text_canary
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator
from seq2seq.models.backend import keras, tf
from seq2seq.training.run_folder import remove_model_and_run
from seq2seq.version import __version__

TOLERANCE = 1e-4  # nats
ROUNDED = 1e-30  # a softmax in float32 rounds probabilities below this
RUNTIMES = ("numpy", "keras")
Comparison = Callable[[Sequence[Any]], tuple[np.ndarray, list[np.ndarray]]]


def check_free(folder: Path, *, overwrite: bool) -> None:
    """Refuses a folder that must not be replaced.

    Raises:
        BundleError: it exists, and is no model folder, or `overwrite` is False.

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
    folder: Path,
    parts: Bundle,
    *,
    metrics: dict[str, Any],
    lines: list[str],
    compare: Comparison,
    compared: str,
    report: Callable[[str], None],
) -> None:
    """Writes a whole folder beside its final place, compares it with the original, and renames it.

    Args:
        folder: the final place.
        parts: all of the model folder but its path.
        metrics: for metrics.json.
        lines: sources for the canary of a translator.
        compare: computes the original's log-probabilities (nats) of some symbols, and those of each given model.
        compared: what is compared, in words.
        report: called with a line on the differences.

    Raises:
        AdoptionError: the folder's log-probabilities are not the original's.

    """
    home = folder.resolve()  # a link to a folder stays a link
    with complete_folder(home, partial(replace_folder, remove=remove_model_and_run)) as beside:
        bundle = replace(parts, path=beside, record={**parts.record, "versions": versions()})
        if bundle.source_vocabulary is None:
            canary = choose_text_canary(LanguageModel(bundle))
        else:
            canary = choose_canary(Translator(bundle), lines)
        save_bundle(bundle, metrics=metrics, history=[], canary=canary)
        load_bundle(beside)
        original, adopted = compare([load(beside, runtime=runtime) for runtime in RUNTIMES])
        differences = {name: difference(original, values) for name, values in zip(RUNTIMES, adopted, strict=True)}
        for runtime, largest in differences.items():
            if not largest <= TOLERANCE:
                raise AdoptionError(
                    f"the {runtime} runtime: expected the original's log-probabilities, got ones that differ by up to "
                    f"{largest:.2g} nats, more than {TOLERANCE:.0e}; adopt does not know a part of the model, and "
                    "nothing was written"
                )
    left = left_beside(home)
    if left:
        report(f"{folder}: {describe_left(left)}")
    report(
        f"log-probabilities {compared} differ from the original's by at most "
        f"{' and '.join(f'{largest:.1e} ({runtime})' for runtime, largest in differences.items())} nats"
    )


def difference(original: np.ndarray, adopted: np.ndarray) -> float:
    """Returns the largest difference (nats) of two float64 (N,) arrays where the original's softmax did not round."""
    return float(np.abs(adopted - original)[original > np.log(ROUNDED)].max(initial=0.0))


def versions() -> dict[str, str]:
    """Returns the versions of the packages that adopt a model."""
    return {
        "seq2seq": __version__,
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
    }

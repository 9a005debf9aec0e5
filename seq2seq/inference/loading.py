"""Loads a finished model folder of either kind."""

from pathlib import Path

from seq2seq.bundle import LANGUAGE_MODEL, load_bundle
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator


def load(path: str | Path, *, runtime: str = "auto") -> Translator | LanguageModel:
    """Loads a finished model folder: a Translator or a LanguageModel.

    Args:
        path: the folder.
        runtime: "numpy" (needs no TensorFlow), "keras", or "auto", which is NumPy.

    Raises:
        BundleError: the folder is missing, unfinished or damaged.

    """
    bundle = load_bundle(path)
    kind = LanguageModel if bundle.kind == LANGUAGE_MODEL else Translator
    return kind(bundle, runtime=runtime)

"""Chooses the runtime that a loaded model of either kind runs on."""

from typing import Protocol

import numpy as np

from seq2seq.bundle import Bundle
from seq2seq.decoding import State
from seq2seq.errors import OptionError
from seq2seq.inference.window_model import RestartingLanguageModel, TextRuntime

RUNTIMES = ("auto", "numpy", "keras")


class Runtime(Protocol):
    """A translator's step function with its beginning."""

    def start(self, source_ids: np.ndarray) -> State:
        """Reads sources int32 (B, S)."""

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol to each hypothesis; returns logits (N, V) and the next state."""


def check_runtime(runtime: str) -> None:
    """Raises OptionError for an unknown name."""
    if runtime not in RUNTIMES:
        raise OptionError(f"--runtime: expected one of {', '.join(RUNTIMES)}, got {runtime!r}")


def make_runtime(bundle: Bundle, runtime: str) -> Runtime:
    """Builds the runtime of a translator's bundle.

    Raises:
        OptionError: an unknown name.

    """
    check_runtime(runtime)
    if runtime == "keras":
        from seq2seq.inference.keras_runtime import KerasTranslator

        assert bundle.source_vocabulary is not None
        return KerasTranslator.from_weights(
            bundle.model,
            bundle.weights,
            source_size=len(bundle.source_vocabulary),
            target_size=len(bundle.target_vocabulary),
            where=str(bundle.path),
        )
    from seq2seq.inference.numpy_runtime import NumpyTranslator

    return NumpyTranslator(bundle.model, bundle.weights)


def make_text_runtime(bundle: Bundle, runtime: str) -> TextRuntime:
    """Builds the runtime of a language model's bundle; one that restarts reads its last symbols anew at each step.

    Raises:
        OptionError: an unknown name.

    """
    model = make_carrying_runtime(bundle, runtime)
    restarts = int(bundle.record.get("restarts", 0))
    return RestartingLanguageModel(model, restarts) if restarts else model


def make_carrying_runtime(bundle: Bundle, runtime: str) -> TextRuntime:
    """Builds the runtime that carries its state from symbol to symbol."""
    check_runtime(runtime)
    if runtime == "keras":
        from seq2seq.inference.keras_language import KerasLanguageModel

        size = len(bundle.target_vocabulary)
        return KerasLanguageModel.from_weights(
            bundle.model, bundle.weights, vocabulary_size=size, where=str(bundle.path)
        )
    from seq2seq.inference.numpy_language import NumpyLanguageModel

    return NumpyLanguageModel(bundle.model, bundle.weights)

"""Builds the runtime of a loaded model of either kind."""

from typing import Protocol

import numpy as np

from seq2seq.bundle import Bundle
from seq2seq.decoding import State
from seq2seq.errors import OptionError
from seq2seq.inference.ensemble import EnsembleLanguageModel, EnsembleTranslator
from seq2seq.inference.window_model import RestartingLanguageModel, TextRuntime

RUNTIMES = ("auto", "numpy", "keras")


class Runtime(Protocol):
    """A translator's step function, and the function that returns its first state."""

    def start(self, source_ids: np.ndarray) -> State:
        """Encodes sources int32 (B, S)."""

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol to each hypothesis; returns logits (N, V) and the next state."""


def check_runtime(runtime: str) -> None:
    """Raises OptionError for an unknown runtime."""
    if runtime not in RUNTIMES:
        raise OptionError(f"--runtime: expected one of {', '.join(RUNTIMES)}, got {runtime!r}")


def make_runtime(bundle: Bundle, runtime: str) -> Runtime:
    """Builds the runtime of a translator; raises OptionError for an unknown runtime."""
    check_runtime(runtime)
    if bundle.members:
        return EnsembleTranslator([make_runtime(member, runtime) for member in bundle.members])
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
    """Builds the runtime of a language model; raises OptionError for an unknown runtime."""
    check_runtime(runtime)
    if bundle.members:
        return EnsembleLanguageModel([make_text_runtime(member, runtime) for member in bundle.members])
    model: TextRuntime
    if runtime == "keras":
        from seq2seq.inference.keras_runtime import KerasLanguageModel

        size = len(bundle.target_vocabulary)
        model = KerasLanguageModel.from_weights(
            bundle.model, bundle.weights, vocabulary_size=size, where=str(bundle.path)
        )
    else:
        from seq2seq.inference.numpy_language import NumpyLanguageModel

        model = NumpyLanguageModel(bundle.model, bundle.weights)
    window = int(bundle.record.get("restarts", 0))
    return RestartingLanguageModel(model, window) if window else model

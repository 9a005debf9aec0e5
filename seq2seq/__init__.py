"""Character-level sequence-to-sequence models: train, decode, score, diagnose. This import loads no TensorFlow."""

import importlib
from typing import TYPE_CHECKING, Any

from seq2seq.version import __version__

if TYPE_CHECKING:
    from seq2seq.api import LanguageModel, Translator, load
    from seq2seq.diagnosis import examine
    from seq2seq.errors import Seq2SeqError

__all__ = ["LanguageModel", "Seq2SeqError", "Translator", "__version__", "examine", "load"]

_HOMES = {
    "LanguageModel": "api",
    "Seq2SeqError": "errors",
    "Translator": "api",
    "examine": "diagnosis",
    "load": "api",
}
_SUBMODULES = ("adoption", "diagnosis")  # imported when they are first used


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return importlib.import_module(f"seq2seq.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'seq2seq' has no attribute {name!r}")
    return getattr(importlib.import_module(f"seq2seq.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBMODULES])

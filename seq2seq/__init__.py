"""Character-level sequence-to-sequence models: train, decode, score, diagnose. This import loads no TensorFlow."""

# of the interpreter itself: importing `signal` takes long enough to be interrupted
import _signal  # type: ignore[import-not-found]
import sys


def _is_command() -> bool:
    """Returns whether this process was started as `seq2seq`, `python -m seq2seq` or `python -m seq2seq.VERB`."""
    if sys.argv[:1] != ["-m"]:  # as it is while the packages around the module are imported
        return bool(sys.argv) and sys.argv[0].replace("\\", "/").rpartition("/")[2] in ("seq2seq", "seq2seq.exe")
    words = sys.orig_argv
    place = next((index for index, word in enumerate(words) if index and word.startswith("-m")), 0)
    module = words[place][2:] or "".join(words[place + 1 : place + 2])
    return module.partition(".")[0] == "seq2seq"


# until a verb runs, Ctrl-C ends a command at once, without a traceback from somewhere in an import
if _is_command() and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import importlib  # noqa: E402 - after the lines above
from typing import TYPE_CHECKING, Any  # noqa: E402

from seq2seq.version import __version__  # noqa: E402

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

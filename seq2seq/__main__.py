"""`seq2seq VERB ...` and `python -m seq2seq VERB ...`: runs the verb's module."""

import importlib
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from seq2seq.version import __version__

VERBS = {
    "train": "train a model on a data set or a file of pairs",
    "distill": "train one model that learns from an ensemble or another model",
    "decode": "translate lines",
    "generate": "write text with a language model",
    "explain": "show how probable each output symbol was, and where the model looked",
    "evaluate": "score a model's translations against references",
    "score": "print the log-probability of given targets",
    "sweep": "compare a model's outputs at several temperatures",
    "verify": "check that a model folder is undamaged and still gives the recorded outputs",
    "doctor": "find out why a Keras model trains well but decodes badly",
    "adopt": "turn a trained Keras tutorial model into a model folder",
    "export": "write a model in a form that programs without this package run",
    "serve": "answer HTTP requests with one or more models",
    "data": "download or install a data set",
    "models": "list models, make one smaller, send one to a hub or fetch one",
}
OTHER_FILES = {"models": "models_verb"}  # the name `models` is that of a room


def usage() -> str:
    """Returns the text of `seq2seq --help`."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {text}" for verb, text in VERBS.items())
    return (
        f"usage: seq2seq VERB [options]\n\nCharacter-level sequence-to-sequence models.\n\nverbs:\n{verbs}\n\n"
        "`seq2seq VERB --help` lists a verb's options and gives an example.\n"
    )


def verb_module(verb: str) -> ModuleType:
    """Imports the file of a verb."""
    return importlib.import_module(f"seq2seq.{OTHER_FILES.get(verb, verb)}")


def show(text: str) -> int:
    """Prints a text; returns 0, or 2 where standard output does not take it."""
    try:
        print(text, end="", flush=True)
    except OSError as error:
        print(f"seq2seq: error: standard output: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # keep the interpreter's last flush from failing
        return 2
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the verb named by the first argument."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in (["--version"], ["-V"]):
        return show(f"seq2seq {__version__}\n")
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        return show(usage()) if arguments else show(usage()) or 2
    if arguments[0] not in VERBS:
        print(f"seq2seq: error: unknown verb {arguments[0]!r}; the verbs are {', '.join(VERBS)}", file=sys.stderr)
        return 2
    return int(verb_module(arguments[0]).main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main())

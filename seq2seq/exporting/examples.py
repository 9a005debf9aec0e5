"""The example that the README of an exported model shows: a line, or the beginning of a text, that the model knows."""

import json

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import CANARY
from seq2seq.text.vocabulary import Vocabulary


def example_line(bundle: Bundle) -> str:
    """Returns the source of a golden output, or a short prompt; of the vocabulary's symbols where there is none."""
    return next(iter(example_lines(bundle)), spelled(bundle.target_vocabulary))


def example_lines(bundle: Bundle) -> list[str]:
    """Returns the sources of golden outputs, which are far from a tie; none for a language model."""
    path = bundle.path / CANARY
    golden = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [str(one["source"]) for one in golden if "source" in one]


def spelled(vocabulary: Vocabulary) -> str:
    """Returns a text of the first symbols of a vocabulary."""
    return vocabulary.join([symbol for symbol in vocabulary.symbols if symbol.strip()][:5])

"""Looks lines up in a model's dictionary: the sources of its training part, each with its most frequent target."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import DICTIONARY
from seq2seq.errors import BundleError
from seq2seq.inference.rescoring import rescored
from seq2seq.inference.results import Output
from seq2seq.search_config import DecodingConfig
from seq2seq.text.dictionary import LARGEST_BYTES, read_dictionary

if TYPE_CHECKING:  # it imports this module
    from seq2seq.inference.translator import Translator


def dictionary_in(bundle: Bundle) -> Mapping[str, str]:
    """Reads the dictionary of a model; its sources are normalised.

    Raises:
        BundleError: the model has none.

    """
    if not bundle.dictionary:
        raise BundleError(
            f"{bundle.path}: --dictionary: the model has no {DICTIONARY}: it was trained with --no-dictionary, on more "
            f"than {LARGEST_BYTES >> 20} MiB of pairs, or by an earlier version; train again, or leave --dictionary out"
        )
    return read_dictionary(bundle.dictionary)


def looked_up(
    translator: "Translator", lines: Sequence[str], numbers: Sequence[int], config: DecodingConfig
) -> dict[int, Output]:
    """Finds lines in the dictionary; returns the outputs of those whose target has an allowed length, by index.

    Their log-probabilities are the model's for the target, as `Translator.score` gives them.
    """
    places, outputs = [], []
    for place, line in enumerate(lines):
        text = translator.dictionary.get(translator.normalised(line))
        if text is None:
            continue
        length = len(translator.target_vocabulary.segment(text))
        if config.min_length <= length <= (config.max_length or length):
            places.append(place)
            outputs.append(Output(numbers[place], line, text, [], [], 0.0, 0.0, True, None, [], looked_up=True))
    return dict(zip(places, rescored(translator, outputs, config), strict=True))

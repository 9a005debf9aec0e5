"""Builds the texts of a language model symbol by symbol: what may be shown already, and where a stop string ends it."""

from collections.abc import Sequence
from typing import NamedTuple

from seq2seq.decoding import StepEvent
from seq2seq.inference.results import Generated
from seq2seq.text.prose import TextForm
from seq2seq.text.vocabulary import Vocabulary


class Opening(NamedTuple):
    """The text that the model continues."""

    text: str
    ids: list[int]
    given: bool  # False: a random place of the validation text, which the output does not begin with


class Writer:
    """Builds one text symbol by symbol, and holds back characters that may be the beginning of a stop string.

    Args:
        form: how symbols are joined into text.
        before: the last symbol of the prompt; empty: there is none.
        stop: strings that end the text.

    """

    def __init__(self, form: TextForm, before: str, stop: Sequence[str]) -> None:
        self.form = form
        self.before = before
        self.stop = stop
        self.held = ""
        self.stopped = False

    def add(self, symbol: str) -> str:
        """Adds the next symbol; returns the text that no stop string can remove any more."""
        self.held += self.form.piece(symbol, self.before)
        self.before = symbol
        found = [place for place in (self.held.find(stop) for stop in self.stop) if place >= 0]
        if found:
            self.stopped = True
            certain, self.held = self.held[: min(found)], ""
            return certain
        kept = max((overlap(self.held, stop) for stop in self.stop), default=0)
        certain, self.held = self.held[: len(self.held) - kept], self.held[len(self.held) - kept :]
        return certain


def overlap(text: str, stop: str) -> int:
    """Returns how many characters at the end of `text` are a beginning of `stop`."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-size:])), 0)


class Draft:
    """One sample while it is written.

    Args:
        opening: what it continues.
        writer: builds its text.

    """

    def __init__(self, opening: Opening, writer: Writer) -> None:
        self.opening, self.writer = opening, writer
        self.pieces = [opening.text] if opening.given else []
        self.token_ids: list[int] = []
        self.log_probs: list[float] = []

    def add(self, event: StepEvent, row: int, vocabulary: Vocabulary) -> None:
        """Adds the symbol of a row of an event, unless a stop string has ended the text."""
        if not self.writer.stopped:
            self.token_ids.append(int(event.tokens[row, 0]))
            self.log_probs.append(float(event.log_probs[row, 0]))
            self.pieces.append(self.writer.add(vocabulary.symbol(self.token_ids[-1])))

    def finished(self, sample: int, seed: int, vocabulary: Vocabulary) -> Generated:
        """Returns the text; the sample is counted from 1."""
        return Generated(
            sample,
            self.opening.text,
            "".join(self.pieces) + self.writer.held,
            vocabulary.symbols_of(self.token_ids),
            self.log_probs,
            self.writer.stopped,
            seed,
            self.token_ids,
        )

"""Compares an adopted language model with its original, and its numbering with the arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.adoption.agreement import NEAR_TIE
from seq2seq.adoption.id_mapping import map_target
from seq2seq.adoption.known_vocabulary import LATER
from seq2seq.adoption.numbering_rules import Numbering
from seq2seq.adoption.source_model import OriginalModel
from seq2seq.decoding import log_softmax
from seq2seq.errors import AdoptionError
from seq2seq.foreign.arrays import IDS, ONE_HOT
from seq2seq.foreign.layout import Data
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.window_model import RestartingLanguageModel, TextRuntime
from seq2seq.special import SPECIAL_COUNT

COMPARED = 100  # places of the text
CONTEXT = 40  # symbols that a model without a window reads at each place
WRITTEN, ROWS = 8, 50  # symbols of a greedy output; rows of the arrays that are looked up in the text
FOUND = 0.5  # share of these rows that must be in the text


@dataclass(frozen=True)
class LanguageComparison:
    """Compares language models with the original at some places of the text.

    Args:
        original: the original model.
        numbering: the original's ids.
        symbols: the text.
        window: symbols that the model reads before each prediction; 0: all.

    """

    original: OriginalModel
    numbering: Numbering
    symbols: Sequence[str]
    window: int

    def __call__(self, models: Sequence[LanguageModel]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Computes log-probabilities (nats) of the symbols at the places: the original's, and each model's.

        Raises:
            AdoptionError: a greedy output is not the original's.

        """
        rows = windows(self.symbols, self.numbering, self.window or CONTEXT, COMPARED)
        names = {number: symbol for symbol, number in self.numbering.ids.items()}
        first = models[0]
        ids = np.array([[first.vocabulary.encode(names[number])[0] for number in row] for row in rows], np.int32)
        adopted = [log_probs_of(read(model.runtime, ids[:, :-1]), ids[:, -1]) for model in models]
        self.check_outputs(first.runtime, ids[:, :-1], rows[:, :-1])
        return self.last_log_probs(rows[:, :-1])[np.arange(len(rows)), rows[:, -1]], adopted

    def last_log_probs(self, rows: np.ndarray) -> np.ndarray:
        """Returns the original's log-probabilities (nats) float64 (N, V) after its ids, int (N, T)."""
        return self.original.log_probs(None, rows[:, -self.window :] if self.window else rows)[:, -1]

    def check_outputs(self, runtime: TextRuntime, ids: np.ndarray, rows: np.ndarray) -> None:
        """Checks that each symbol of the greedy outputs is the likeliest one of the original.

        Args:
            runtime: the adopted model.
            ids: int (N, T), the folder's ids of the prompts.
            rows: int (N, T), the original's ids of the same prompts.

        Raises:
            AdoptionError: an output differs.

        """
        classes = map_target(self.numbering, self.original.parts.classes)[2]
        allowed = np.array([-1 if number is None else number for number in classes[SPECIAL_COUNT:]])
        known = np.flatnonzero(allowed >= 0)
        for _ in range(WRITTEN):
            logits = read(runtime, ids[:, -self.window :] if self.window else ids)[:, SPECIAL_COUNT:]
            chosen = known[logits[:, known].argmax(1)]
            nats = self.last_log_probs(rows)
            best = nats[:, allowed[known]].max(1)
            if (best - nats[np.arange(len(rows)), allowed[chosen]] > NEAR_TIE).any():
                raise AdoptionError(
                    "the greedy output: expected the original's, got other symbols; adopt does not know a part of the "
                    "model, and nothing was written"
                )
            ids = np.concatenate([ids, (chosen + SPECIAL_COUNT)[:, None].astype(ids.dtype)], 1)
            rows = np.concatenate([rows, allowed[chosen][:, None]], 1)


def check_arrays(data: Data, numbering: Numbering, texts: Sequence[Sequence[str]]) -> None:
    """Checks that the arrays, read with the ids that were found, are parts of the text.

    Raises:
        AdoptionError: most of their rows are not.

    """
    side = data.inputs
    if side is None or side.sequences.kind not in (IDS, ONE_HOT) or not side.ids.size:
        return
    names = {number: symbol for symbol, number in numbering.ids.items()}
    joined = ["\0".join(["", *symbols, ""]) for symbols in texts]
    places = np.unique(np.linspace(0, len(side.ids) - 1, ROWS).astype(int))
    found = 0
    for place in places:
        row = [names.get(number, "\0\0") for number in side.ids[place][side.real[place]].tolist()]
        found += any("\0".join(["", *row, ""]) in text for text in joined)
    if found < FOUND * len(places):
        raise AdoptionError(
            f"the arrays: contradict the text and the numbering ({numbering.how}): read with it, {found} of "
            f"{len(places)} rows are in the text; {LATER}"
        )


def windows(symbols: Sequence[str], numbering: Numbering, length: int, count: int) -> np.ndarray:
    """Draws windows of a text: ids (at most `count`, length + 1), of which the last is to be predicted.

    Raises:
        AdoptionError: the text is not longer than a window.

    """
    ids = np.array([numbering.ids.get(symbol, -1 if numbering.unk is None else numbering.unk) for symbol in symbols])
    if len(ids) <= length:
        raise AdoptionError(
            f"the data: expected a text longer than the model's window of {length} symbols, got {len(ids)}"
        )
    starts = np.random.default_rng(0).integers(0, len(ids) - length, 4 * count)
    rows = ids[starts[:, None] + np.arange(length + 1)]
    return rows[(rows >= 0).all(1)][:count]


def read(model: TextRuntime, ids: np.ndarray) -> np.ndarray:
    """Feeds ids (B, T) to a model; returns the logits (B, V) of the symbol after them."""
    state = model.start(len(ids))
    if isinstance(model, RestartingLanguageModel):
        # what stands before the window must make no difference
        _, state = model.step(ids[:, -1], state)
        return model.read(ids, state)[0]
    for column in ids.T:
        logits, state = model.step(column, state)
    return logits


def log_probs_of(logits: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Returns log-probabilities (nats) float64 (B,) of one id for each row of logits (B, V)."""
    return log_softmax(logits)[np.arange(len(ids)), ids]

"""The original model as a function: rows of its own ids in, log-probabilities out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2seq.adoption.parts import EMBEDDING, NUMBER, ONE_HOT, Table, Traced
from seq2seq.backend import keras
from seq2seq.errors import AdoptionError
from seq2seq.foreign.arrays import NOTHING
from seq2seq.foreign.teacher_forcing import call, main_output

BATCH = 128
SAME = 1e-5
Rows = Sequence[Sequence[int]]


class Original:
    """A model with what was traced of it.

    Args:
        model: the Keras model.
        traced: its parts.
        scale: of a model that reads magnitudes, what an id is divided by.

    """

    def __init__(self, model: Any, traced: Traced, *, scale: float = 1.0) -> None:
        self.model = model
        self.traced = traced
        self.scale = scale

    def log_probs(self, sources: np.ndarray | None, targets: np.ndarray) -> np.ndarray:
        """Computes natural-log probabilities of every symbol after each step.

        Args:
            sources: ids (B, S), filled as the encoder reads them; None: a language model.
            targets: ids (B, T) that the decoder reads, START first; NOTHING is a row of zeros.

        Returns:
            float64 (B, T, V), of a model that predicts one symbol for a window (B, 1, V).

        """
        steps = targets.shape[1]
        width = self.traced.target.width
        if width is not None and steps < width and not self.traced.single:
            targets = np.pad(targets, [(0, 0), (0, width - steps)], constant_values=self.nothing(self.traced.target))
        found = []
        for begin in range(0, len(targets), BATCH):
            part = slice(begin, begin + BATCH)
            inputs: list[Any] = [None] * len(self.model.inputs)
            inputs[self.traced.target.input] = self.encoded(targets[part], self.traced.target)
            if sources is not None and self.traced.source is not None:
                inputs[self.traced.source.input] = self.encoded(sources[part], self.traced.source)
            alone = isinstance(self.model, keras.Sequential)
            packed = inputs[0] if alone else keras.tree.pack_sequence_as(self.model.input, inputs)
            scores = main_output(call(self.model, packed), self.traced.classes)[:, :steps].astype(np.float64)
            if self.traced.logits:
                scores -= scores.max(-1, keepdims=True)
                found.append(scores - np.log(np.exp(scores).sum(-1, keepdims=True)))
            else:
                found.append(np.log(np.maximum(scores, 1e-300)))
        return np.concatenate(found)

    def nothing(self, table: Table) -> int:
        """What fills rows where it makes no difference."""
        return NOTHING if table.kind == ONE_HOT else 0

    def encoded(self, ids: np.ndarray, table: Table) -> np.ndarray:
        """Writes ids as an input takes them."""
        if table.kind == EMBEDDING:
            return np.maximum(ids, 0).astype(np.int32)
        if table.kind == NUMBER:
            values = (np.maximum(ids, 0) / self.scale).astype(np.float32)
            return values[..., None] if len(self.model.inputs[table.input].shape) == 3 else values
        hot = np.zeros((*ids.shape, table.size), np.float32)
        np.put_along_axis(hot, np.maximum(ids, 0)[..., None], (ids != NOTHING)[..., None], -1)
        return hot

    def ignores_padding(self) -> bool:
        """Says whether the encoder skips its padding: id 0, or rows of zeros.

        Raises:
            AdoptionError: part of the model skips it and part reads it.

        """
        source = self.traced.source
        assert source is not None
        width = source.width or 9
        random = np.random.default_rng(0)
        if width < 3 or source.size < 3:
            return False
        real = max(width // 2, 1)
        rows = random.integers(1, source.size, (4, real))
        steps = min(4, self.traced.target.width or 4)
        targets = random.integers(0, min(self.traced.target.size, self.traced.classes), (4, steps))
        filling = np.full((4, width - real), self.nothing(source))
        right = self.log_probs(np.concatenate([rows, filling], 1), targets)
        left = self.log_probs(np.concatenate([filling, rows], 1), targets)
        # only where padding is skipped does its side make no difference
        ignored = bool(np.abs(right - left).max() < SAME)
        if source.masked and not ignored:
            raise AdoptionError(
                "the encoder's layers skip the padding (mask_zero or Masking) and attention or another part reads it: "
                "a bundle does one or the other; pass the mask on to attention, or train without it"
            )
        return ignored


def filled(rows: Rows, width: int, fill: int) -> np.ndarray:
    """Puts rows into an array, right-padded."""
    found = np.full((len(rows), width), fill, np.int64)
    for number, row in enumerate(rows):
        found[number, : len(row)] = row
    return found

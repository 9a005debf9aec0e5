"""The original model as a function from rows of its own ids to log-probabilities."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seq2seq.adoption.model_parts import EMBEDDING, NUMBER, ONE_HOT, ModelParts, SymbolInput
from seq2seq.decoding import log_softmax
from seq2seq.errors import AdoptionError
from seq2seq.foreign.arrays import NOTHING
from seq2seq.foreign.teacher_forcing import call, main_output
from seq2seq.models.backend import keras

BATCH = 128
SAME = 1e-5  # difference of log-probabilities (nats) that rounding may make
TINY = 1e-300
MOST_ELEMENTS = 20_000_000  # of log-probabilities that are computed together
Rows = Sequence[Sequence[int]]


class Forced(NamedTuple):
    """Teacher-forced predictions of N symbols, row after row, in nats."""

    log_probs: np.ndarray  # float64 (N,), of the given symbols
    best: np.ndarray  # float64 (N,), of the likeliest symbols


@dataclass(frozen=True)
class OriginalModel:
    """A Keras model and its parts.

    Args:
        model: the Keras model.
        parts: what it consists of.
        scale: what an id is divided by, in a model that reads ids as magnitudes.

    """

    model: Any
    parts: ModelParts
    scale: float = 1.0

    def log_probs(self, sources: np.ndarray | None, targets: np.ndarray) -> np.ndarray:
        """Computes natural-log probabilities of every symbol after each step.

        Args:
            sources: int64 ids (B, S), padded as the encoder reads them; None: a language model.
            targets: int64 ids (B, T) that the decoder reads, START first; NOTHING is a row of zeros.

        Returns:
            float64 (B, N, V), where N is T, or 1 in a model that predicts one symbol for a window.

        """
        steps = targets.shape[1]
        width = self.parts.target.width
        if width is not None and steps < width and not self.parts.single:
            targets = np.pad(targets, [(0, 0), (0, width - steps)], constant_values=self.padding_id(self.parts.target))
        found = []
        for begin in range(0, len(targets), BATCH):
            part = slice(begin, begin + BATCH)
            inputs: list[Any] = [None] * len(self.model.inputs)
            inputs[self.parts.target.input] = self.encoded(targets[part], self.parts.target)
            if sources is not None and self.parts.source is not None:
                inputs[self.parts.source.input] = self.encoded(sources[part], self.parts.source)
            alone = isinstance(self.model, keras.Sequential)
            packed = inputs[0] if alone else keras.tree.pack_sequence_as(self.model.input, inputs)
            scores = main_output(call(self.model, packed), self.parts.classes)[:, :steps].astype(np.float64)
            found.append(log_softmax(scores) if self.parts.logits else np.log(np.maximum(scores, TINY)))
        return np.concatenate(found)

    def teacher_forced(
        self, rows: Sequence[tuple[Sequence[int], Sequence[int]]], *, masked: bool, allowed: Sequence[int] | None = None
    ) -> Forced:
        """Computes the log-probabilities of all rows' targets, and of the likeliest symbols there.

        Args:
            rows: ids that the encoder reads, and START ... END.
            masked: whether the encoder masks its padding; else only rows of equal length are computed together.
            allowed: classes among which the likeliest symbol is chosen; None: all.

        """
        source, target = self.parts.source, self.parts.target
        assert source is not None
        found: list[np.ndarray] = [np.zeros((0, 2))] * len(rows)
        groups: dict[int, list[int]] = {}
        for number, (ids, _) in enumerate(rows):
            groups.setdefault(0 if masked else len(ids), []).append(number)
        steps = max(len(ids) for _, ids in rows)
        size = max(1, MOST_ELEMENTS // (steps * self.parts.classes))
        for group in groups.values():
            for members in (group[begin : begin + size] for begin in range(0, len(group), size)):
                sources, targets = ([rows[number][side] for number in members] for side in (0, 1))
                log_probs = self.log_probs(
                    padded(sources, source.width or max(map(len, sources)), self.padding_id(source)),
                    padded([ids[:-1] for ids in targets], max(map(len, targets)) - 1, self.padding_id(target)),
                )
                best = (log_probs if allowed is None else log_probs[..., list(allowed)]).max(-1)
                for place, (number, ids) in enumerate(zip(members, targets, strict=True)):
                    times = np.arange(len(ids) - 1)
                    found[number] = np.stack([log_probs[place, times, ids[1:]], best[place, times]], -1)
        return Forced(*np.concatenate(found).T)

    def padding_id(self, table: SymbolInput) -> int:
        """Returns the id to pad with where the model masks padding, or no prediction depends on it."""
        return NOTHING if table.kind == ONE_HOT else 0

    def encoded(self, ids: np.ndarray, table: SymbolInput) -> np.ndarray:
        """Turns ids (B, T) into the form of an input: ids, magnitudes or one-hot vectors."""
        if table.kind == EMBEDDING:
            return np.maximum(ids, 0).astype(np.int32)
        if table.kind == NUMBER:
            values = (np.maximum(ids, 0) / self.scale).astype(np.float32)
            return values[..., None] if len(self.model.inputs[table.input].shape) == 3 else values
        hot = np.zeros((*ids.shape, table.size), np.float32)
        np.put_along_axis(hot, np.maximum(ids, 0)[..., None], (ids != NOTHING)[..., None], -1)
        return hot

    def ignores_padding(self) -> bool:
        """Returns whether the encoder masks its padding: id 0, or rows of zeros.

        Raises:
            AdoptionError: part of the model masks it and part reads it.

        """
        source = self.parts.source
        assert source is not None
        width = source.width or 9
        random = np.random.default_rng(0)
        if width < 3 or source.size < 3:
            return False
        real = max(width // 2, 1)
        rows = random.integers(1, source.size, (4, real))
        steps = min(4, self.parts.target.width or 4)
        targets = random.integers(0, min(self.parts.target.size, self.parts.classes), (4, steps))
        filling = np.full((4, width - real), self.padding_id(source))
        right = self.log_probs(np.concatenate([rows, filling], 1), targets)
        left = self.log_probs(np.concatenate([filling, rows], 1), targets)
        # left and right padding give the same only if they are masked
        ignored = bool(np.abs(right - left).max() < SAME)
        if source.masked and not ignored:
            raise AdoptionError(
                "the encoder's layers mask the padding (mask_zero or Masking), and attention or another part reads it; "
                "a model folder does one or the other: pass the mask on to attention, or train without it"
            )
        return ignored


def padded(rows: Rows, width: int, fill: int) -> np.ndarray:
    """Puts rows into an array int64 (N, width), right-padded."""
    found = np.full((len(rows), width), fill, np.int64)
    for number, row in enumerate(rows):
        found[number, : len(row)] = row
    return found

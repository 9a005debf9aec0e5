"""The data of the training rows: the same batches of ids for every side."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from seq2seq.config import DataConfig
from seq2seq.text.batches import EncodedPairs, encode_pairs, plan_epoch
from seq2seq.text.datasets import load_pairs, resolve
from seq2seq.text.vocabulary import Vocabulary

VALIDATION_PAIRS = 512


class Material(NamedTuple):
    """What every side of a training row is given."""

    train: EncodedPairs
    validation: EncodedPairs
    source_size: int
    target_size: int
    slices: list[list[np.ndarray]]  # rows of each batch of each repetition


def material(data: str, *, shortest: int | None, repeats: int, batches: int, batch_size: int) -> Material:
    """Encodes a data set and plans the batches.

    `shortest` keeps only so many pairs, those with the shortest sources, as the tutorial does of a file in that order.
    """
    splits = load_pairs(resolve(data), DataConfig(data=data))
    train, validation = splits.train, splits.validation
    if shortest is not None:
        train = sorted(train, key=lambda pair: len(pair.source))[:shortest]
        longest = [max(map(len, side)) for side in zip(*train, strict=True)]
        validation = [pair for pair in validation if all(len(a) <= b for a, b in zip(pair, longest, strict=True))]
    source = Vocabulary.build(pair.source for pair in train)
    target = Vocabulary.build(pair.target for pair in train)

    def encoded(pairs):
        return encode_pairs(
            [source.encode(pair.source) for pair in pairs], [target.encode(pair.target, oov="unk") for pair in pairs]
        )

    generator = np.random.default_rng(1)
    packed = encoded(train)
    plan: list[np.ndarray] = []
    while len(plan) < repeats * batches:
        plan += plan_epoch(packed, batch_size, generator)
    return Material(
        packed,
        encoded(validation[:VALIDATION_PAIRS]),
        len(source),
        len(target),
        [plan[start * batches : (start + 1) * batches] for start in range(repeats)],
    )


def real_symbols(pairs: EncodedPairs, slice_: list[np.ndarray]) -> int:
    """Counts target symbols, END included, padding and START not."""
    return sum(int(pairs.targets.lengths[rows].sum()) - len(rows) for rows in slice_)


class TrainingSide:
    """What the sides of a training row have in common."""

    def __init__(self, *, attention: bool, dropout: float, batch_size: int, **data: Any) -> None:
        self.material = material(batch_size=batch_size, **data)
        self.attention, self.dropout, self.batch_size = attention, dropout, batch_size
        self.slices: Iterator[list[np.ndarray]] = iter(self.material.slices)
        began = time.perf_counter()
        self.build()
        self.warm_up()
        self.warm_seconds = time.perf_counter() - began

    def build(self) -> None:
        raise NotImplementedError

    def warm_up(self) -> None:
        """Compiles what must be compiled, and leaves the weights as they were."""
        raise NotImplementedError

    def train(self, slice_: list[np.ndarray]) -> None:
        raise NotImplementedError

    def validation_loss(self) -> float:
        """Nats per real target symbol of the held-out pairs."""
        raise NotImplementedError

    def ready(self) -> dict[str, float]:
        return {"warm_seconds": self.warm_seconds}

    def go(self) -> dict[str, float]:
        slice_ = next(self.slices)
        began = time.perf_counter()
        self.train(slice_)
        return {"speed": real_symbols(self.material.train, slice_) / (time.perf_counter() - began)}

    def end(self) -> dict[str, float]:
        return {"loss": self.validation_loss()}

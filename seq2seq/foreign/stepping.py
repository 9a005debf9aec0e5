"""Drives a pair of inference models, encoder and decoder, one symbol at a time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seq2seq.backend import keras
from seq2seq.errors import DataError
from seq2seq.foreign.arrays import ONE_HOT
from seq2seq.foreign.feeding import call, probabilities
from seq2seq.foreign.graph import consumers
from seq2seq.foreign.models import is_functional, shapes
from seq2seq.foreign.padding import Side

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Stepper:
    """Encoder and decoder with the wiring between them."""

    encoder: Any
    decoder: Any
    token: int  # which of the decoder's inputs takes the symbol
    carried: tuple[tuple[int, int, int | None], ...]  # decoder input, encoder output, decoder output that replaces it
    scores: int  # which of the decoder's outputs is scored symbols

    def start(self, source: np.ndarray) -> list[np.ndarray]:
        """Encodes sources; returns what the decoder's carried inputs begin with."""
        outputs = flat(call(self.encoder, source))
        return [outputs[place] for _, place, _ in self.carried]

    def step(self, token: np.ndarray, carried: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Feeds one symbol, raw (B, 1[, V]); returns probabilities (B, V) and the carried inputs of the next step."""
        rank = len(shapes(self.decoder, "inputs")[self.token])
        arrays: dict[int, np.ndarray] = {self.token: token[:, 0] if rank == token.ndim - 1 else token}
        arrays.update({place: array for (place, _, _), array in zip(self.carried, carried, strict=True)})
        ordered = [arrays[place] for place in range(len(arrays))]
        packed = keras.tree.pack_sequence_as(self.decoder.input, ordered)
        outputs = flat(call(self.decoder, packed))
        scores = outputs[self.scores]
        scores = scores[:, -1] if scores.ndim == 3 else scores
        after = [
            array if replaced is None else outputs[replaced]
            for (_, _, replaced), array in zip(self.carried, carried, strict=True)
        ]
        return probabilities(scores), after

    def forced(self, source: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Returns probabilities, (B, T, V), when the given symbols are fed one by one."""
        carried = self.start(source)
        found = []
        for time in range(inputs.shape[1]):
            scores, carried = self.step(inputs[:, time : time + 1], carried)
            found.append(scores)
        return np.stack(found, 1)

    def swapped(self) -> "dict[str, Stepper]":
        """The same models with states wired in other ways, by what is different."""
        states = [entry for entry in self.carried if entry[2] is not None]
        if len(states) < 2 or len(states) % 2:
            return {}
        others = {}
        for what, place in (("the encoder hands over", 1), ("the decoder returns", 2)):
            moved = list(self.carried)
            for one, other in zip(states[::2], states[1::2], strict=True):
                exchanged = list(one), list(other)
                exchanged[0][place], exchanged[1][place] = other[place], one[place]
                for before, after in zip((one, other), exchanged, strict=True):
                    place_in, origin, replaced = after
                    assert place_in is not None and origin is not None
                    moved[self.carried.index(before)] = (place_in, origin, replaced)
            others[f"{what} h and c in the wrong order"] = replace(self, carried=tuple(moved))
        both = others["the encoder hands over h and c in the wrong order"]
        wired = tuple((one[0], one[1], other[2]) for one, other in zip(
            both.carried, others["the decoder returns h and c in the wrong order"].carried, strict=True
        ))  # fmt: skip
        others["the decoder takes h and c in the wrong order"] = replace(self, carried=wired)
        return others


def flat(outputs: Any) -> list[np.ndarray]:
    """All arrays that a model put out."""
    return [keras.ops.convert_to_numpy(tensor) for tensor in keras.tree.flatten(outputs)]


def make_stepper(encoder: Any, decoder: Any, inputs: Side, classes: int, inferred: list[str]) -> Stepper:
    """Concludes from shapes how encoder and decoder are wired.

    Args:
        encoder: source in; states, and memory for attention, out.
        decoder: a symbol and what is carried in; scored symbols and what is carried next out.
        inputs: the decoder's inputs as they were trained on.
        classes: symbols that are scored, V.
        inferred: what is concluded is added here.

    Raises:
        DataError: the wiring cannot be found.

    """
    if not is_functional(encoder) or not is_functional(decoder):
        raise DataError("the inference models are subclassed: how they are wired cannot be seen; pass functional ones")
    takes, gives, returns = shapes(decoder, "inputs"), shapes(encoder, "outputs"), shapes(decoder, "outputs")
    token = token_place(decoder, takes, inputs)
    scores = next((place for place, shape in enumerate(returns) if shape[-1] == classes), None)
    if scores is None:
        scores = next((place for place, shape in enumerate(returns) if len(shape) == 3), 0)
    free_outputs = [place for place in range(len(returns)) if place != scores]
    named = isinstance(decoder.input, dict)
    carried: list[tuple[int, int, int | None]] = []
    used: set[int] = set()
    for place, shape in enumerate(takes):
        if place == token:
            continue
        fits = [other for other, given in enumerate(gives) if other not in used and compatible(shape, given)]
        if not fits:
            raise DataError(
                f"the decoder's input {decoder.inputs[place].name!r} {shape} has no counterpart among the encoder's "
                f"outputs {gives}; pass the encoder that belongs to it"
            )
        chosen = fits[0]
        if named:
            chosen = next((f for f in fits if same_ending(decoder.inputs[place].name, encoder.outputs[f].name)), chosen)
        used.add(chosen)
        after = next((other for other in free_outputs if len(shape) == 2 and compatible(shape, returns[other])), None)
        if after is not None:
            free_outputs.remove(after)
        carried.append((place, chosen, after))
    wiring = ", ".join(f"{decoder.inputs[place].name} from output {origin + 1}" for place, origin, _ in carried)
    inferred.append(f"the decoder is fed {wiring or 'nothing'} of the encoder")
    return Stepper(encoder, decoder, token, tuple(carried), scores)


def token_place(decoder: Any, takes: Sequence[Shape], inputs: Side) -> int:
    """Finds the decoder's input that takes a symbol."""
    one_hot = inputs.sequences.kind == ONE_HOT
    for place, shape in enumerate(takes):
        if one_hot and len(shape) == 3 and shape[1] in (1, None) and shape[2] == inputs.sequences.classes:
            return place
        if not one_hot and any(type(layer).__name__ == "Embedding" for layer in consumers(decoder, place)):
            return place
    for place, shape in enumerate(takes):
        if (len(shape) <= 2 and shape[-1] in (1, None)) or (len(shape) == 3 and shape[2] == 1):
            return place
    for place, tensor in enumerate(decoder.inputs):
        if re.search(r"token|symbol|char|word|dec.*in|ids", tensor.name):
            return place
    return 0


def compatible(wanted: Shape, given: Shape) -> bool:
    """Says whether a tensor of one shape can stand for another."""
    return len(wanted) == len(given) and all(
        one == other or None in (one, other) for one, other in zip(wanted[1:], given[1:], strict=True)
    )


def same_ending(one: str, other: str) -> bool:
    """Says whether two names end with the same letter after an underscore, such as state_h and encoder_h."""
    return one.rsplit("_", 1)[-1] == other.rsplit("_", 1)[-1]

"""Makes a pair of inference models, encoder and decoder, a step function."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from seq2seq.decoding import State
from seq2seq.errors import DataError
from seq2seq.foreign.arrays import ONE_HOT, Sequences
from seq2seq.foreign.graph import consumers
from seq2seq.foreign.ids import ForeignIds, feedable
from seq2seq.foreign.models import is_functional, shapes
from seq2seq.foreign.padding import Side
from seq2seq.foreign.teacher_forcing import Compiled, probabilities
from seq2seq.models.backend import keras

Shape = tuple[int | None, ...]


class Carried(NamedTuple):
    """Indices of one tensor that the decoder takes at each step, such as a state."""

    taken: int  # the decoder's input
    begins: int  # the encoder's output that is its first value
    returned: int | None  # the decoder's output that is its next value; None: it is constant, as memory is


@dataclass(frozen=True)
class Stepper:
    """Encoder and decoder with the connections between them: a step function for the search."""

    encoder: Any
    decoder: Any
    sequences: Sequences  # the form of the decoder's input
    ids: ForeignIds
    token: int  # which of the decoder's inputs takes the symbol
    carried: tuple[Carried, ...]
    scores: int  # which of the decoder's outputs holds the scores of symbols
    encode: Compiled  # the two models
    decode: Compiled

    @property
    def wiring(self) -> str:
        """Describes how the two models are connected."""
        pairs = [f"{self.decoder.inputs[one.taken].name} from output {one.begins + 1}" for one in self.carried]
        return f"the decoder is fed {', '.join(pairs) or 'nothing'} of the encoder"

    def start(self, source: np.ndarray) -> State:
        """Encodes raw sources (B, S...); returns the state before the first symbol."""
        outputs = flat(self.encode(source))
        return State(tuple(outputs[one.begins] for one in self.carried), ())

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds search ids, int (N,); returns log-probabilities (nats) of the next, float64 (N, V), and the state."""
        token = feedable(self.ids.to_model(token_ids), self.sequences)
        scores, state = self.feed(self.sequences.with_ids(token[:, None]), state)
        return self.ids.log_probs(scores), state

    def feed(self, token: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol, raw (B, 1[, V]); returns probabilities (B, V) and the state."""
        rank = len(shapes(self.decoder, "inputs")[self.token])
        arrays = {self.token: token[:, 0] if rank == token.ndim - 1 else token}
        arrays |= {one.taken: array for one, array in zip(self.carried, state.rows, strict=True)}
        packed = keras.tree.pack_sequence_as(self.decoder.input, [arrays[place] for place in range(len(arrays))])
        outputs = flat(self.decode(packed))
        scores = outputs[self.scores]
        rows = tuple(
            array if one.returned is None else outputs[one.returned]
            for one, array in zip(self.carried, state.rows, strict=True)
        )
        return probabilities(scores[:, -1] if scores.ndim == 3 else scores), State(rows, ())

    def forced(self, source: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Feeds the given symbols one by one; returns probabilities (B, T, V)."""
        state = self.start(source)
        found = []
        for time in range(inputs.shape[1]):
            scores, state = self.feed(inputs[:, time : time + 1], state)
            found.append(scores)
        return np.stack(found, 1)

    def swapped(self) -> "dict[str, Stepper]":
        """Returns the same models with h and c exchanged in each possible place, by what is exchanged."""
        states = [one for one in self.carried if one.returned is not None]
        if len(states) < 2 or len(states) % 2:
            return {}
        partners: dict[Carried, Carried] = {}
        for one, other in zip(states[::2], states[1::2], strict=True):
            partners |= {one: other, other: one}

        def exchanged(*places: str) -> Stepper:
            moved = [
                one._replace(**{place: getattr(partners.get(one, one), place) for place in places})
                for one in self.carried
            ]
            return replace(self, carried=tuple(moved))

        return {
            "the encoder returns h and c in the wrong order": exchanged("begins"),
            "the decoder returns h and c in the wrong order": exchanged("returned"),
            "the decoder takes h and c in the wrong order": exchanged("begins", "returned"),
        }


def flat(outputs: Any) -> list[np.ndarray]:
    """Returns all arrays of a model's output."""
    return [keras.ops.convert_to_numpy(tensor) for tensor in keras.tree.flatten(outputs)]


def make_stepper(encoder: Any, decoder: Any, inputs: Side, *, classes: int, end: int | None) -> Stepper:
    """Infers from shapes how encoder and decoder are connected.

    Args:
        encoder: takes the source; returns states, and memory for attention.
        decoder: takes a symbol and states; returns scores of symbols and the next states.
        inputs: the decoder's training inputs.
        classes: number of symbols that are scored, V.
        end: the models' id of END; None: outputs have no END.

    Raises:
        DataError: the connections cannot be inferred.

    """
    if not is_functional(encoder) or not is_functional(decoder):
        raise DataError(
            "the inference models are subclassed: their connections cannot be inspected; pass functional models"
        )
    takes, gives, returns = shapes(decoder, "inputs"), shapes(encoder, "outputs"), shapes(decoder, "outputs")
    token = token_place(decoder, takes, inputs)
    scores = next((place for place, shape in enumerate(returns) if shape[-1] == classes), None)
    if scores is None:
        scores = next((place for place, shape in enumerate(returns) if len(shape) == 3), 0)
    free_outputs = [place for place in range(len(returns)) if place != scores]
    named = isinstance(decoder.input, dict)
    carried: list[Carried] = []
    used: set[int] = set()
    for place, shape in enumerate(takes):
        if place == token:
            continue
        fits = [other for other, given in enumerate(gives) if other not in used and compatible(shape, given)]
        if not fits:
            raise DataError(
                f"the decoder's input {decoder.inputs[place].name!r} {shape} fits none of the encoder's "
                f"outputs {gives}; pass the encoder that belongs to this decoder"
            )
        chosen = fits[0]
        if named:
            chosen = next((f for f in fits if same_ending(decoder.inputs[place].name, encoder.outputs[f].name)), chosen)
        used.add(chosen)
        after = next((other for other in free_outputs if len(shape) == 2 and compatible(shape, returns[other])), None)
        if after is not None:
            free_outputs.remove(after)
        carried.append(Carried(place, chosen, after))
    compiled = Compiled(encoder), Compiled(decoder)
    return Stepper(encoder, decoder, inputs.sequences, ForeignIds(end), token, tuple(carried), scores, *compiled)


def token_place(decoder: Any, takes: Sequence[Shape], inputs: Side) -> int:
    """Finds which of the decoder's inputs takes a symbol."""
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
    """Returns whether a tensor of one shape can be given where another is expected."""
    return len(wanted) == len(given) and all(
        one == other or None in (one, other) for one, other in zip(wanted[1:], given[1:], strict=True)
    )


def same_ending(one: str, other: str) -> bool:
    """Returns whether two names have the same part after the last underscore, such as state_h and encoder_h."""
    return one.rsplit("_", 1)[-1] == other.rsplit("_", 1)[-1]

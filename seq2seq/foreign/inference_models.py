"""A pair of inference models, encoder and decoder, as a step function."""

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
from seq2seq.foreign.teacher_forcing import call, probabilities
from seq2seq.models.backend import keras

Shape = tuple[int | None, ...]


class Carried(NamedTuple):
    """Where a tensor that the decoder carries from step to step comes from, by place."""

    taken: int  # the decoder's input
    begins: int  # the encoder's output that it begins with
    returned: int | None  # the decoder's output that replaces it; None: it stays, as the memory of attention does


@dataclass(frozen=True)
class Stepper:
    """Encoder and decoder with the wiring between them: a step function for the search."""

    encoder: Any
    decoder: Any
    sequences: Sequences  # the form of the decoder's input
    ids: ForeignIds
    token: int  # which of the decoder's inputs takes the symbol
    carried: tuple[Carried, ...]
    scores: int  # which of the decoder's outputs is scored symbols

    @property
    def wiring(self) -> str:
        """How the two are wired, in words."""
        pairs = [f"{self.decoder.inputs[one.taken].name} from output {one.begins + 1}" for one in self.carried]
        return f"the decoder is fed {', '.join(pairs) or 'nothing'} of the encoder"

    def start(self, source: np.ndarray) -> State:
        """Encodes sources, raw (B, S...); returns the state before the first symbol is fed."""
        outputs = flat(call(self.encoder, source))
        return State(tuple(outputs[one.begins] for one in self.carried), ())

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Reads int (N,) ids of ours; returns the nats of the next, float64 (N, V), and the state."""
        token = feedable(self.ids.theirs(token_ids), self.sequences)
        scores, state = self.feed(self.sequences.with_ids(token[:, None]), state)
        return self.ids.log_probs(scores), state

    def feed(self, token: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol, raw (B, 1[, V]); returns probabilities (B, V) and the state."""
        rank = len(shapes(self.decoder, "inputs")[self.token])
        arrays = {self.token: token[:, 0] if rank == token.ndim - 1 else token}
        arrays |= {one.taken: array for one, array in zip(self.carried, state.rows, strict=True)}
        packed = keras.tree.pack_sequence_as(self.decoder.input, [arrays[place] for place in range(len(arrays))])
        outputs = flat(call(self.decoder, packed))
        scores = outputs[self.scores]
        rows = tuple(
            array if one.returned is None else outputs[one.returned]
            for one, array in zip(self.carried, state.rows, strict=True)
        )
        return probabilities(scores[:, -1] if scores.ndim == 3 else scores), State(rows, ())

    def forced(self, source: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        """Returns probabilities, (B, T, V), when the given symbols are fed one by one."""
        state = self.start(source)
        found = []
        for time in range(inputs.shape[1]):
            scores, state = self.feed(inputs[:, time : time + 1], state)
            found.append(scores)
        return np.stack(found, 1)

    def swapped(self) -> "dict[str, Stepper]":
        """The same models with states wired in other ways, by what is different."""
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
            "the encoder hands over h and c in the wrong order": exchanged("begins"),
            "the decoder returns h and c in the wrong order": exchanged("returned"),
            "the decoder takes h and c in the wrong order": exchanged("begins", "returned"),
        }


def flat(outputs: Any) -> list[np.ndarray]:
    """All arrays that a model put out."""
    return [keras.ops.convert_to_numpy(tensor) for tensor in keras.tree.flatten(outputs)]


def make_stepper(encoder: Any, decoder: Any, inputs: Side, *, classes: int, end: int | None) -> Stepper:
    """Concludes from shapes how encoder and decoder are wired.

    Args:
        encoder: source in; states, and memory for attention, out.
        decoder: a symbol and what is carried in; scored symbols and what is carried next out.
        inputs: the decoder's inputs as they were trained on.
        classes: symbols that are scored, V.
        end: the models' own id of END; None: outputs do not end.

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
    carried: list[Carried] = []
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
        carried.append(Carried(place, chosen, after))
    return Stepper(encoder, decoder, inputs.sequences, ForeignIds(end), token, tuple(carried), scores)


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

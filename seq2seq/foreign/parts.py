"""Infers which array is which part of training data: by the model's inputs, by the arrays' content, then by names."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from seq2seq.errors import DataError
from seq2seq.foreign.arrays import read

ENCODER, DECODER, TARGET, WEIGHT = "encoder_input", "decoder_input", "decoder_target", "sample_weight"
ROWS = 500  # rows that are compared
ALIGNED = 0.4  # agreement above chance, from 0 to 1, of two arrays that are shifted copies
SHIFTS = (1, 0, -1, 2, -2)
CLEAR = 2  # score of a name that leaves no doubt

# words of names in English, German, French, Spanish, Italian, Portuguese and Chinese
WEIGHTS = "weight weights mask masks gewicht gewichte poids peso pesos"
HELD_OUT = "val valid validation dev test"
SOURCES = """enc encoder source sources src sour question questions ques query encodeur codificador kodierer quelle
    quell quelltext fuente origen pregunta fonte sorgente yuan yuanwen wenti xe"""
TARGETS = """dec decoder target targets tgt trg targ teacher answer answers ans reply response translation summary
    decodeur decodificador dekodierer ziel cible reponse destino objetivo respuesta alvo mubiao yiwen daan d xd"""
INPUTS = "in inp input inputs x prev previous data eingabe entree entrada ingresso shuru xe xd"
OUTPUTS = (
    "out outp output outputs y label labels next expected gold ausgabe sortie salida saida uscita shuchu biaoqian yd"
)


@dataclass(frozen=True)
class ModelInputs:
    """What is known of the inputs of the model before the arrays are sorted."""

    names: Sequence[str] = ()  # of its inputs, or the names of arrays that the user listed for them
    count: int | None = None  # how many inputs it has; None: unknown


UNKNOWN = ModelInputs()


@dataclass(frozen=True)
class Name:
    """The roles that the words of an array's name suggest."""

    source: bool
    target: bool
    input: bool
    output: bool
    number: str

    def score(self, part: str) -> int:
        """How well the name suits a part; below 0: it contradicts the part."""
        decodes = self.target or self.output
        if part == ENCODER:
            return 2 * self.source - 2 * decodes + (self.input and self.number == "1")
        if part == DECODER:
            fed = 2 if decodes and self.input else int(self.target) + (self.input and self.number == "2")
            return fed - 2 * self.source - 2 * (self.output and not self.input)
        predicted = 2 * (self.output or (self.target and not self.input)) + (self.output and self.target)
        return predicted - 2 * self.source - 2 * (self.input and not (self.output and self.target))


def words(name: str) -> list[str]:
    """Splits a name into lower-case words: at signs, digits and capitals."""
    return re.findall(r"[^\W\d_]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())


def described(name: str) -> Name:
    """Reads the words of a name."""
    found = words(name)
    source, target, fed, output = (
        not set(found).isdisjoint(group.split()) for group in (SOURCES, TARGETS, INPUTS, OUTPUTS)
    )
    return Name(source, target, fed, output, next((word for word in found if word.isdigit()), ""))


def named_part(name: str) -> str | None:
    """The part of a model's input that its name suggests; Keras numbers unnamed inputs, so numbers do not count."""
    encoder, decoder = (replace(described(name), number="").score(part) for part in (ENCODER, DECODER))
    if encoder == decoder:
        return None
    return ENCODER if encoder > decoder else DECODER


def parts_of(named: Mapping[str, Any], model: ModelInputs) -> dict[str, str]:
    """Infers the part of each array.

    The evidence, strongest first: the names of the model's inputs, names that all leave no doubt, which two arrays are
    shifted copies, other names, which of two arrays is one step ahead, the order of the arrays.

    Returns:
        Names of arrays by part.

    """
    left = list(named)
    weight = next((name for name in left if has_word(name, WEIGHTS) and name not in model.names), None)
    if weight is not None:
        left.remove(weight)
    training = [name for name in left if not has_word(name, HELD_OUT)]
    left = training if len(training) > 1 else left
    candidates = {name: beginning(named[name]) for name in left}
    best = max(assignments(left, model), key=lambda parts: evidence(parts, candidates, model), default={})
    return {**best, **({WEIGHT: weight} if weight is not None else {})}


def has_word(name: str, group: str) -> bool:
    """Returns whether a word of a name is in a group of words."""
    return not set(words(name)).isdisjoint(group.split())


def beginning(array: Any) -> np.ndarray | None:
    """Reads the first rows of an array as ids, int32 (N, T); None if they are no sequences of ids."""
    try:
        ids = read("", np.asarray(array)[:ROWS]).ids
    except (DataError, IndexError, ValueError):
        return None
    return ids if ids.shape[1] > 1 else None


def assignments(names: Sequence[str], model: ModelInputs) -> Iterator[dict[str, str]]:
    """Yields the possible assignments; the first one is preferred where the evidence is equal."""
    if len(names) == 1:
        part = named_part(names[0])
        if part is not None or names[0] in model.names:
            yield {part or DECODER: names[0]}
    if len(names) == 2 or (len(names) > 2 and model.count == 1):
        for one, other in permutations(names, 2):
            yield {ENCODER if described(one).source else DECODER: one, TARGET: other}
        for one, other in permutations(names, 2):
            if named_part(one) == ENCODER and described(other).score(DECODER) > 1:
                yield {ENCODER: one, DECODER: other}
    elif len(names) > 2:
        for one, other, last in permutations(names, 3):
            yield {ENCODER: one, DECODER: other, TARGET: last}


def evidence(
    parts: Mapping[str, str], arrays: Mapping[str, np.ndarray | None], model: ModelInputs
) -> tuple[float, ...]:
    """The evidence for an assignment, strongest first."""
    fed = [parts[part] for part in (ENCODER, DECODER) if part in parts]
    listed = sum(name in model.names for name in fed) - (parts.get(TARGET) in model.names)
    shift, share = alignment(*(arrays.get(parts.get(part, "")) for part in (DECODER, TARGET)))
    scores = [described(name).score(part) for part, name in parts.items()]
    return listed, min(scores) >= CLEAR, round(share, 1), sum(scores), shift == 1, shift != -1


def alignment(inputs: np.ndarray | None, targets: np.ndarray | None) -> tuple[int | None, float]:
    """Finds the shift at which two arrays agree best, and the agreement above chance; (None, 0) if they do not."""
    if inputs is None or targets is None or len(inputs) != len(targets):
        return None, 0.0
    width = min(inputs.shape[1], targets.shape[1])
    shares: dict[int, float] = {}
    for shift in (shift for shift in SHIFTS if abs(shift) < width):
        one = inputs[:, max(shift, 0) : width + min(shift, 0)]
        other = targets[:, max(-shift, 0) : width + min(-shift, 0)]
        share = float((one == other).mean())
        chance = float((one == np.roll(other, len(other) // 2, 0)).mean())
        shares[shift] = (share - chance) / (1 - chance) if chance < 1 else 0.0
    best = max(shares, key=lambda shift: round(shares[shift], 3))
    return (best, shares[best]) if shares[best] >= ALIGNED else (None, 0.0)

"""Makes a model of any style a function from source and decoder input to probabilities."""

import copy
from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from seq2seq.errors import DataError
from seq2seq.foreign.arrays import NOTHING, ONE_HOT
from seq2seq.foreign.graph import consumers
from seq2seq.foreign.layout import Data
from seq2seq.foreign.models import is_functional, reset_states, shapes
from seq2seq.foreign.padding import Side
from seq2seq.foreign.parts import DECODER, ENCODER, named_part
from seq2seq.models.backend import keras, tf

BATCH = 96  # rows; the loss is evaluated on batches of the same size, since some models depend on the batch
Feed = Callable[[Any], Any]


class Teacher:
    """A training model as a function: (sources, decoder inputs), as raw arrays, to probabilities."""

    def __init__(self, model: Any, parts: Sequence[str], pack: Feed, classes: int) -> None:
        self.model = model
        self.parts = parts  # the part that feeds each input, in the order of the model's inputs
        self.pack = pack
        self.classes = classes
        self.logits = False  # whether the last call returned logits
        # the batch size that the model demands, if any
        self.fixed = next((shape[0] for shape in shapes(model, "inputs") if shape[0]), None)
        compiled = is_functional(model)
        self.run: Feed = Compiled(model, self.fixed) if compiled else lambda arrays: call(model, arrays)

    def arrays(self, source: np.ndarray | None, inputs: np.ndarray | None) -> Any:
        """Arranges raw arrays as the model takes them."""
        chosen = {ENCODER: source, DECODER: inputs}
        return self.pack([array for part in self.parts if (array := chosen[part]) is not None])

    def raw(self, source: np.ndarray | None, inputs: np.ndarray | None) -> np.ndarray:
        """Returns the model's output: float32 (B, T, V), or (B, 1, V) if it predicts one symbol."""
        count = len(source if source is not None else inputs)  # type: ignore[arg-type]
        found = []
        size = self.fixed or BATCH
        for begin in range(0, count, size):
            part = np.arange(begin, min(begin + size, count))
            if self.fixed:
                part = np.resize(part, size)  # repeats rows, to complete the batch
            arrays = self.arrays(None if source is None else source[part], None if inputs is None else inputs[part])
            found.append(main_output(self.run(arrays), self.classes))
        return np.concatenate(found)[:count]

    def compiled(self, rows: int) -> "Teacher":
        """Returns a compiled form for many calls of at most `rows` rows: the first call is slow, others are fast."""
        if is_functional(self.model):
            return self
        other = copy.copy(self)  # a model whose code may read the number of rows: smaller batches are completed
        other.fixed = self.fixed or rows
        other.run = Compiled(self.model, other.fixed)
        return other

    def __call__(self, source: np.ndarray | None, inputs: np.ndarray | None) -> np.ndarray:
        """Returns probabilities, float64 (B, T, V)."""
        raw = self.raw(source, inputs)
        self.logits = not are_probabilities(raw)
        return probabilities(raw)


def call(model: Any, arrays: Any, *, keep_states: bool = False) -> Any:
    """Calls a model in inference mode; a stateful one from its initial states, unless it shall keep its states."""
    if not keep_states:
        reset_states(model)
    return model(keras.tree.map_structure(tf.convert_to_tensor, arrays), training=False)


class Compiled:
    """`call`, compiled for arrays of the width that the first ones have, as Keras's `predict` compiles it.

    Arrays of another width are passed to the model itself, and so are all if it cannot be compiled.
    """

    def __init__(self, model: Any, rows: int | None = None) -> None:
        self.model = model
        self.rows = rows  # of each call; None: any number
        self.form: Any = None  # of the first arrays
        self.function: Any = None  # None: not compiled yet, or it cannot be

    def __call__(self, arrays: Any) -> Any:
        """Returns what the model returns."""
        tensors = keras.tree.map_structure(tf.convert_to_tensor, arrays)
        form = keras.tree.map_structure(lambda one: tf.TensorSpec((self.rows, *one.shape[1:]), one.dtype), tensors)
        if self.form is None:
            self.form = form
            self.function = tf.function(lambda given: self.model(given, training=False), input_signature=[form])
        if self.function is not None and form == self.form:
            reset_states(self.model)
            try:
                return self.function(tensors)
            except Exception:  # a user's model can raise any error
                self.function = None
        return call(self.model, tensors)


def main_output(outputs: Any, classes: int) -> np.ndarray:
    """Returns the scores of symbols, (B, T, V), among a model's outputs."""
    flat = [keras.ops.convert_to_numpy(tensor) for tensor in keras.tree.flatten(outputs)]
    wide = [array for array in flat if array.ndim in (2, 3) and array.shape[-1] >= max(classes, 2)] or flat
    chosen = next((array for array in wide if array.ndim == 3), wide[0]).astype(np.float32)
    return chosen[:, None] if chosen.ndim == 2 else chosen


def are_probabilities(raw: np.ndarray) -> bool:
    """Returns whether all vectors are distributions."""
    return bool((raw >= 0).all() and (np.abs(raw.sum(-1) - 1) < 1e-2).all())


def probabilities(raw: np.ndarray) -> np.ndarray:
    """Converts logits to probabilities; probabilities stay as they are."""
    raw = raw.astype(np.float64)
    if are_probabilities(raw):
        return raw
    raw = np.exp(raw - raw.max(-1, keepdims=True))
    return raw / raw.sum(-1, keepdims=True)


def make_teacher(model: Any, data: Data, order: Sequence[str] | None = None) -> Teacher:
    """Infers which array feeds which input.

    Args:
        model: the training model.
        data: the arrays.
        order: parts in the order of the model's inputs; None: the user did not name it.

    Raises:
        DataError: no order fits.

    """
    sides = {part: side for part, side in ((ENCODER, data.source), (DECODER, data.inputs)) if side is not None}
    classes = data.targets.sequences.classes if data.targets is not None else 2
    count = len(shapes(model, "inputs")) or len(sides)
    if order is None and count > len(sides):
        raise DataError(
            f"the model has {count} inputs and only {', '.join(side.name for side in sides.values()) or 'no array'} "
            "to feed them; add the missing array"
        )
    orders = [tuple(order)] if order else list(permutations(sides, count))
    rows = slice(0, 4)
    working: list[Teacher] = []
    problems: list[str] = []
    for parts in orders:
        reason = misfit(model, parts, sides) if is_functional(model) else ""
        if reason and not order:
            problems.append(reason)
            continue
        for pack in packings(model, parts):
            teacher = Teacher(model, parts, pack, classes)
            try:
                output = teacher.raw(*(raw_rows(sides.get(part), rows) for part in (ENCODER, DECODER)))
            except Exception as error:  # a user's model can raise any error
                problems.append(f"{type(error).__name__}: {relevant_line(error)[:200]}")
                continue
            width = data.targets.ids.shape[1] if data.targets is not None else output.shape[1]
            if output.shape[1] not in (width, 1):
                problems.append(f"its output has {output.shape[1]} steps, the targets {width}")
                continue
            working.append(teacher)
            break
    if not working:
        raise DataError(
            f"no way to feed the training model was found ({problems[0] if problems else 'no arrays'}); say which "
            "array feeds which input with inputs= (--inputs)"
        )
    return working[0] if len(working) == 1 else choose_order(working, sides)


def order_in_words(teacher: Teacher, data: Data) -> str:
    """Describes which array feeds which of the model's inputs."""
    sides = {ENCODER: data.source, DECODER: data.inputs}
    names = [side.name for part in teacher.parts if (side := sides[part]) is not None]
    labels = (
        [tensor.name for tensor in teacher.model.inputs] if is_functional(teacher.model) else range(1, len(names) + 1)
    )
    pairs = zip(labels, names, strict=False)
    return "the model's inputs are " + ", ".join(f"{label} = {name!r}" for label, name in pairs)


def relevant_line(error: Exception) -> str:
    """Returns the most useful line of an error: the one on an id outside an embedding, else the first."""
    lines = str(error).strip().splitlines() or [""]
    return next((line for line in lines if " is not in [0, " in line), lines[0])


def raw_rows(side: Side | None, rows: Any) -> np.ndarray | None:
    """Returns some rows of an array in their given form."""
    return None if side is None else side.sequences.raw[side.sequences.rows[rows]]


def packings(model: Any, parts: Sequence[str]) -> list[Feed]:
    """Returns the ways to pass several arrays to a model."""
    if len(parts) == 1:
        return [lambda arrays: arrays[0]]
    if is_functional(model):
        structure = model.input
        return [lambda arrays: keras.tree.pack_sequence_as(structure, list(arrays))]
    keys = [{ENCODER: f"encoder_{word}", DECODER: f"decoder_{word}"} for word in ("input", "inputs", "input_data")] + [
        {ENCODER: "source", DECODER: "target"}
    ]

    def as_mapping(names: dict[str, str]) -> Feed:
        return lambda arrays: {names[part]: array for part, array in zip(parts, arrays, strict=True)}

    return [lambda arrays: list(arrays), lambda arrays: tuple(arrays), *map(as_mapping, keys)]


def misfit(model: Any, parts: Sequence[str], sides: dict[str, Side]) -> str:
    """Returns why arrays in this order cannot feed a functional model's inputs; empty if they can."""
    for index, (part, shape) in enumerate(zip(parts, shapes(model, "inputs"), strict=True)):
        raw = sides[part].sequences.raw
        if len(shape) != raw.ndim and {len(shape), raw.ndim} != {2, 3}:
            return f"input {index + 1} takes {shape}, {sides[part].name!r} is {raw.shape}"
        if len(shape) == raw.ndim and any(
            wanted not in (None, got) for wanted, got in zip(shape[1:], raw.shape[1:], strict=True)
        ):
            return f"input {index + 1} takes {shape}, {sides[part].name!r} is {raw.shape}"
        one_hot = sides[part].sequences.kind == ONE_HOT
        if one_hot and any(type(layer).__name__ == "Embedding" for layer in consumers(model, index)):
            return f"input {index + 1} is embedded and takes ids, {sides[part].name!r} is one-hot"
    return ""


def choose_order(teachers: Sequence[Teacher], sides: dict[str, Side]) -> Teacher:
    """Chooses the order that names suggest, else the one where the decoder's input affects only later steps."""
    model = teachers[0].model
    labels = [tensor.name for tensor in model.inputs] if is_functional(model) else []
    arrays = {side.name: part for part, side in sides.items()}
    for teacher in teachers:
        told = [arrays.get(label) or named_part(label) for label in labels]
        if any(told) and all(part in (None, teacher.parts[i]) for i, part in enumerate(told)):
            return teacher
    return min(teachers, key=lambda teacher: looks_ahead(teacher, sides))


def looks_ahead(teacher: Teacher, sides: dict[str, Side]) -> float:
    """Returns how much the first output depends on later steps of the decoder's input."""
    if set(teacher.parts) != {ENCODER, DECODER}:
        return 0.0
    rows = slice(0, 8)
    source, inputs = (raw_rows(sides[part], rows) for part in (ENCODER, DECODER))
    assert inputs is not None
    try:
        one, other = teacher(source, inputs), teacher(source, scrambled(inputs, 1))
    except Exception:  # in this order, ids are outside the embeddings
        return float("inf")
    return float(np.abs(one - other)[:, 0].max())


def scrambled(inputs: np.ndarray, since: int) -> np.ndarray:
    """Replaces the steps from `since` with those of other rows."""
    other = inputs.copy()
    other[:, since:] = np.roll(inputs, 1, 0)[:, since:]
    return other


def fill_id(side: Side) -> int:
    """Returns the id to pad a prefix with."""
    if side.pad is not None:
        return side.pad
    return NOTHING if side.sequences.kind == ONE_HOT else 0

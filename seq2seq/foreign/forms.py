"""Converts arrays to the form that a model takes: ids to one-hot vectors, or one-hot vectors to ids."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np

from seq2seq.foreign.arrays import IDS, NOTHING, ONE_HOT, VECTORS
from seq2seq.foreign.layout import Data
from seq2seq.foreign.models import shapes
from seq2seq.foreign.padding import Side
from seq2seq.foreign.parts import DECODER, ENCODER, named_part

MOST_ELEMENTS = 25_000_000  # of the arrays that are converted to one-hot; of larger ones a sample of rows
ONE_HOT_LOSSES = ("categorical_crossentropy", "binary_crossentropy", "kl_divergence", "categorical_focal_crossentropy")
Shape = tuple[int | None, ...]


def converted(data: Data, model: Any) -> Data:
    """Converts inputs and targets to the form that a training model and its compiled loss take.

    Args:
        data: the arrays.
        model: the training model.

    Returns:
        The arrays, with a note in `inferred` if any was converted. Arrays whose form the model does not decide stay.

    """
    widths = {part: width for part, side, shape in fed(data, model) if (width := new_width(side, shape)) is not None}
    outputs = shapes(model, "outputs")
    takes, targets = loss_form(model), data.targets
    if targets is not None and takes is not None and targets.sequences.kind in (IDS, ONE_HOT) and len(outputs) == 1:
        size = outputs[0][-1] or 0
        if takes == IDS and targets.sequences.kind == ONE_HOT:
            widths["targets"] = 0
        elif takes == ONE_HOT and targets.sequences.kind == IDS and 2 < size >= targets.sequences.classes:
            widths["targets"] = size
    if not widths:
        return data
    most = min(
        (MOST_ELEMENTS // max(getattr(data, part).ids.shape[1] * width, 1) for part, width in widths.items() if width),
        default=data.rows,
    )
    keep = np.unique(np.linspace(0, data.rows - 1, max(1, min(most, data.rows))).astype(int))
    sides: dict[str, Any] = {
        part: with_form(side.taken(keep), widths[part]) if part in widths else side.taken(keep)
        for part in ("source", "inputs", "targets")
        if (side := getattr(data, part)) is not None
    }
    weights = data.weights
    if weights is not None and weights.ndim and data.targets is not None:
        weights = weights[data.targets.sequences.rows[keep]]
    to_ids = [sides[part].name for part, width in widths.items() if not width]
    to_vectors = [sides[part].name for part, width in widths.items() if width]
    what = [f"{', '.join(map(repr, to_ids))} to ids"] if to_ids else []
    what += [f"{', '.join(map(repr, to_vectors))} to one-hot vectors"] if to_vectors else []
    note = f"the form of arrays differs from the model's; for the model they were converted: {'; '.join(what)}"
    return replace(data, **sides, weights=weights, inferred=[*data.inferred, note])


def fed(data: Data, model: Any) -> list[tuple[str, Side, Shape]]:
    """Pairs inputs with the shapes of the model's inputs: by names, else in the first order that fits."""
    sides = [(part, side) for part in ("source", "inputs") if (side := getattr(data, part)) is not None]
    inputs = shapes(model, "inputs")
    if len(inputs) != len(sides) or any(side.sequences.kind == VECTORS for _, side in sides):
        return []
    names = [tensor.name for tensor in model.inputs]
    parts = {ENCODER: "source", DECODER: "inputs"}

    def agrees(order: Sequence[tuple[str, Side]]) -> bool:
        return all(
            name == side.name or parts.get(named_part(name) or "") == part
            for name, (part, side) in zip(names, order, strict=True)
        )

    orders = [order for order in permutations(sides) if all(map(fits, [side for _, side in order], inputs))]
    chosen = max(orders, key=agrees, default=())
    return [(part, side, shape) for (part, side), shape in zip(chosen, inputs, strict=False)]


def fits(side: Side, shape: Shape) -> bool:
    """Returns whether an input of a shape can hold an array, converted if need be."""
    if len(shape) == 2:
        return True
    size = shape[-1] if len(shape) == 3 else 0
    if side.sequences.kind == ONE_HOT:
        return size in (None, side.sequences.raw.shape[-1])
    return size is None or size == 1 or size >= side.sequences.classes


def new_width(side: Side, shape: Shape) -> int | None:
    """The width of one-hot vectors to convert an input to, 0 for ids; None if its form is right."""
    kind = side.sequences.kind
    if len(shape) == 2 and kind == ONE_HOT and side.sequences.raw.ndim == 3:
        return 0
    if len(shape) == 3 and (shape[-1] or 0) > 1 and kind == IDS:
        return shape[-1]
    return None


def with_form(side: Side, width: int) -> Side:
    """Converts an array to one-hot vectors of a width, or to ids if it is 0."""
    sequences = side.sequences
    if width:
        raw = np.zeros((*sequences.ids.shape, width), np.float32)
        np.put_along_axis(raw, np.maximum(sequences.ids, 0)[..., None], (sequences.ids >= 0)[..., None], -1)
        raw = raw[:, 0] if sequences.single else raw
        return replace(side, sequences=replace(sequences, raw=raw, kind=ONE_HOT))
    ids = np.maximum(sequences.ids, 0)
    raw = ids[:, 0] if sequences.single else ids
    pad = 0 if side.pad == NOTHING else side.pad
    return Side(replace(sequences, raw=raw, ids=ids, kind=IDS), pad, side.real)


def loss_form(model: Any) -> str | None:
    """The form of targets that the compiled loss takes; None if it is not a known cross-entropy."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        loss = next(iter(loss.values()), None)
    if isinstance(loss, (list, tuple)):
        loss = loss[0] if loss else None
    name = loss if isinstance(loss, str) else getattr(loss, "name", None) or getattr(loss, "__name__", "")
    name = re.sub(r"([a-z])([A-Z])", r"\1_\2", str(name)).lower()
    if name.startswith("sparse_categorical"):
        return IDS
    return ONE_HOT if name in ONE_HOT_LOSSES else None

"""Infers which array is which part: encoder input, decoder input, targets, weights; and their padding."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seq2seq.errors import DataError
from seq2seq.foreign.arrays import IDS, NOTHING, read
from seq2seq.foreign.padding import Side, infer_end, infer_pad, infer_start, with_padding
from seq2seq.foreign.parts import DECODER, ENCODER, TARGET, UNKNOWN, WEIGHT, ModelInputs, parts_of

MOST_STREAMED = 4096  # rows read from a data set that yields batches


@dataclass(frozen=True)
class Data:
    """The arrays by part, and what was inferred about them."""

    source: Side | None  # the encoder's input; None for a language model
    inputs: Side | None  # the decoder's input, or a language model's only input
    targets: Side | None
    weights: np.ndarray | None = None  # as given
    start: int | None = None
    end: int | None = None
    inferred: Sequence[str] = ()

    @property
    def rows(self) -> int:
        """The number of rows that were read."""
        sides = [side for side in (self.inputs, self.source, self.targets) if side is not None]
        return len(sides[0].sequences.rows) if sides else 0


def sort_out(
    arrays: Any,
    *,
    pads: Mapping[str, int | None],
    start: int | None,
    end: int | None,
    model: ModelInputs = UNKNOWN,
) -> Data:
    """Infers the part of each array, padding, START and END.

    Args:
        arrays: a mapping of names, the arguments of Keras's `fit` ((inputs, targets[, weights])), or batches of these.
        pads: the user's ids of padding, by part; the padding of other parts is inferred.
        start: the user's START, or None.
        end: the user's END, or None.
        model: what is known of the model's inputs.

    Raises:
        DataError: an array cannot be read, or the parts have different numbers of rows.

    """
    named = as_mapping(arrays)
    parts = parts_of(named, model)
    if not set(parts) - {WEIGHT}:
        raise DataError(
            f"expected arrays encoder_input, decoder_input and decoder_target (or x and y), got "
            f"{', '.join(named) or 'none'}"
        )
    inferred = [f"{part} is {name!r}" for part, name in parts.items() if name != part]
    inferred += [f"array {name!r} is not used" for name in named if name not in parts.values()]
    read_parts = {
        part: read(name, named[name], target=part == TARGET) for part, name in parts.items() if part != WEIGHT
    }
    weights = np.asarray(named[parts[WEIGHT]]) if WEIGHT in parts else None
    counts = {sequences.name: len(sequences.raw) for sequences in read_parts.values()}
    if weights is not None and weights.ndim:
        counts[parts[WEIGHT]] = len(weights)
    if len(set(counts.values())) > 1:
        raise DataError(f"expected as many rows in each array, got {counts}; they must come from the same pairs")
    sides: dict[str, Side] = {}
    for part, sequences in read_parts.items():
        pad = pads[part] if part in pads else infer_pad(sequences.ids)
        sides[part] = with_padding(sequences, pad)
        if part == TARGET and sequences.kind == IDS:
            sides[part] = replace(sides[part], real=sides[part].real & (sequences.ids >= 0))  # negative: not scored
        if pad is not None and part not in pads:
            what = "rows of zeros" if pad == NOTHING and sequences.kind != IDS else f"id {pad}"
            inferred.append(f"the padding of {sequences.name!r} is {what}")
    return with_ends(Data(sides.get(ENCODER), sides.get(DECODER), sides.get(TARGET), weights, start, end, inferred))


def as_mapping(arrays: Any) -> dict[str, Any]:
    """Returns the arrays by name."""
    if isinstance(arrays, Mapping):
        return {str(name): array for name, array in arrays.items()}
    if isinstance(arrays, (tuple, list)):
        return from_fit(arrays)
    if isinstance(arrays, Iterable):
        return stacked(arrays)
    raise DataError(
        f"arrays: expected a mapping of names, (inputs, targets) as for fit, or a data set, got {type(arrays).__name__}"
    )


def from_fit(arrays: Sequence[Any]) -> dict[str, Any]:
    """Returns the arrays of (inputs, targets[, weights]) by name."""
    if len(arrays) not in (2, 3):
        raise DataError(f"arrays: expected (inputs, targets) or (inputs, targets, weights), got {len(arrays)} parts")
    inputs, targets = arrays[0], arrays[1]
    if isinstance(targets, Mapping) and len(targets) == 1:
        targets = next(iter(targets.values()))
    if isinstance(targets, (tuple, list)) and len(targets) == 1:
        targets = targets[0]
    if isinstance(inputs, Mapping):
        named = {str(name): array for name, array in inputs.items()}
    elif isinstance(inputs, (tuple, list)):
        named = dict(zip((ENCODER, DECODER) if len(inputs) == 2 else ("x",), inputs, strict=False))
    else:
        named = {"x": inputs}
    named[TARGET] = targets
    if len(arrays) == 3 and arrays[2] is not None:
        named[WEIGHT] = arrays[2]
    return named


def stacked(batches: Iterable[Any]) -> dict[str, Any]:
    """Joins the first batches of a data set; narrower ones are padded with zeros."""
    found: dict[str, list[np.ndarray]] = {}
    count = 0
    for batch in batches:
        named = as_mapping(batch if isinstance(batch, (Mapping, tuple, list)) else (batch,))
        for name, array in named.items():
            found.setdefault(name, []).append(np.asarray(array))
        count += len(next(iter(found.values()))[-1])
        if count >= MOST_STREAMED:
            break
    if not found:
        raise DataError("arrays: the data set yielded no batch")
    return {name: widened(several) for name, several in found.items()}


def widened(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Joins batches of different widths, padded with zeros."""
    width = max(array.shape[1] for array in arrays) if arrays[0].ndim > 1 else 0
    if not width or arrays[0].ndim < 2:
        return np.concatenate(arrays)
    fill = [(0, 0)] * arrays[0].ndim
    return np.concatenate(
        [np.pad(array, [fill[0], (0, width - array.shape[1]), *fill[2:]]) if array.shape[1] < width else array
         for array in arrays]
    )  # fmt: skip


def with_ends(data: Data) -> Data:
    """Infers START from the decoder's inputs and END from the targets, unless the user named them."""
    inputs, targets, inferred = data.inputs, data.targets, list(data.inferred)
    if data.source is None or inputs is None or targets is None or targets.sequences.single:
        return data
    if not inputs.ids.size or not targets.ids.size:
        return data
    start, end = data.start, data.end
    if start is None and (start := infer_start(inputs)) is not None:
        what = "a row of zeros" if start == NOTHING else f"id {start}"
        inferred.append(f"START is {what}: {inputs.name!r} begins with it")
    if end is None and (end := infer_end(targets, start)) is not None:
        inferred.append(f"END is id {end}: rows of {targets.name!r} end with it")
    return replace(data, start=start, end=end, inferred=inferred)

"""The weights that a configuration needs, by name and shape, and reading them from a file that may hold anything."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from seq2seq.config import TRANSDUCER, ModelConfig, decoder_starts
from seq2seq.errors import BundleError
from seq2seq.text.edits import action_count
from seq2seq.typed_json import damaged

Shapes = dict[str, tuple[int, ...]]
GATES = {"lstm": 4, "gru": 3}
STATES = {"lstm": "hc", "gru": "h"}
STORED = {"F32": "float32", "F16": "float16"}  # what safetensors calls them
LARGEST_HEADER = 1 << 20  # bytes of the list of names, shapes and places in a file of weights
LARGEST_WEIGHT = 1e12  # of either sign; sums of products of such numbers are finite in float32
LARGEST_TABLE = 1 << 29  # numbers (2 GiB) of the table of every symbol's gates that a decoder or encoder computes


def weight_shapes(model: ModelConfig, *, source_size: int, target_size: int, has_tags: bool = False) -> Shapes:
    """Returns the shape of each weight of a model.

    The Keras models that `seq2seq.models` builds have the same; a test compares them.

    Args:
        model: the sizes.
        source_size: number of source ids, special ids included; 0: a language model.
        target_size: number of target ids, special ids included.
        has_tags: whether a transducer reads tags beside the source.

    """
    hidden, width = model.units, model.embedding_size
    if not source_size:
        return dict(decoder_weights(model, target_size, beside=0))
    found: Shapes = {"source_embedding.embeddings": (source_size, width), **dict(encoder_weights(model))}
    if model.architecture == TRANSDUCER:  # it reads the memory at its position, and the tags, beside the action
        if has_tags:
            found["tag_embedding.embeddings"] = (source_size, width)
        beside = hidden + has_tags * width
        found |= decoder_weights(model, action_count(target_size), beside=beside, embedding="action_embedding")
        return found | dense("combine", hidden + beside, hidden)
    found |= decoder_weights(model, target_size, beside=0)
    if model.attention == "none":
        return found
    if model.attention == "luong":
        found["attention.kernel"] = (hidden, hidden)
    else:
        found |= {"attention.query_kernel": (hidden, hidden), "attention.memory_kernel": (hidden, hidden)}
        found |= {"attention.bias": (hidden,), "attention.vector": (hidden, 1)}
    if model.combine == "tanh":
        return found | dense("combine", 2 * hidden, hidden)
    return found | dense("logits", 2 * hidden, target_size)


def encoder_weights(model: ModelConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yields name and shape of each weight of the encoder's layers."""
    hidden, starts = model.units, decoder_starts(model)
    for index in range(model.encoder_layers or model.layers):
        inputs = hidden if index else model.embedding_size
        if not model.bidirectional:
            yield from cell(model, f"encoder_{index}", inputs, hidden)
            continue
        for way in ("forward", "backward"):
            yield from cell(model, f"encoder_{index}_{way}", inputs, hidden // 2)
        for state in STATES[model.rnn] if model.bridge == "dense" and index in starts else "":
            yield from dense(f"bridge_{index}_{state}", hidden, hidden).items()


def decoder_weights(
    model: ModelConfig, size: int, *, beside: int, embedding: str = "target_embedding"
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yields name and shape of each weight of a decoder without attention.

    Args:
        model: the sizes.
        size: number of ids that it reads and predicts.
        beside: numbers that its first layer reads beside the embedding.
        embedding: the name of the layer of embeddings.

    """
    yield f"{embedding}.embeddings", (size, model.embedding_size)
    for index in range(model.layers):
        yield from cell(model, f"decoder_{index}", model.units if index else model.embedding_size + beside, model.units)
    yield from dense("logits", model.units, size).items()


def cell(model: ModelConfig, name: str, inputs: int, units: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yields name and shape of each weight of a recurrent layer."""
    gates = GATES[model.rnn] * units
    yield f"{name}.kernel", (inputs, gates)
    yield f"{name}.recurrent_kernel", (units, gates)
    yield f"{name}.bias", (gates,) if model.rnn == "lstm" else (2, gates)


def dense(name: str, inputs: int, units: int) -> Shapes:
    """Returns the shapes of a dense layer's weights by name."""
    return {f"{name}.kernel": (inputs, units), f"{name}.bias": (units,)}


def check_tables(model: ModelConfig, shapes: Shapes, *, where: str) -> None:
    """Refuses sizes whose tables would fill the memory, though their weights need little.

    Raises:
        BundleError: a table of gates for every symbol would have more than LARGEST_TABLE numbers.

    """
    rows = max(shape[0] for name, shape in shapes.items() if name.endswith(".embeddings"))
    numbers = rows * GATES[model.rnn] * model.units
    if numbers > LARGEST_TABLE:
        raise BundleError(
            f"{where}: {rows} symbols with hidden_size {model.units} need a table of {numbers} numbers, expected at "
            f"most {LARGEST_TABLE}; train with a smaller vocabulary"
        )


def read_tensors(path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: np.dtype) -> dict[str, np.ndarray]:
    """Reads the arrays of a safetensors file after a look at its list of names, shapes and dtypes.

    Args:
        path: the file.
        shapes: the shape of each array that it must have; it may have no other.
        dtype: of all of them, float16 or float32.

    Returns:
        float32 arrays by name, all of them finite numbers.

    Raises:
        BundleError: the file is damaged, or an array is missing, unknown, too large, or of another shape or dtype.

    """
    where, numbers = str(path), sum(math.prod(shape) for shape in shapes.values())
    if path.stat().st_size > numbers * dtype.itemsize + LARGEST_HEADER:
        raise damaged(where, f"expected {numbers} numbers of type {dtype}, got {path.stat().st_size} bytes")
    try:
        with safe_open(path, "numpy") as file:
            names = set(file.keys())
            for name in sorted(names ^ set(shapes)):
                state = "is missing" if name in shapes else "belongs to no layer of this configuration"
                raise mixed(where, name, state)
            for name, shape in shapes.items():
                found = file.get_slice(name)
                if tuple(found.get_shape()) != shape:
                    raise mixed(where, name, f"has shape {tuple(found.get_shape())}, expected {shape}")
                stored = STORED.get(found.get_dtype(), found.get_dtype())
                if stored != dtype.name:
                    raise damaged(where, f"weight {name!r} is {stored}, expected {dtype}")
            return {name: checked(file.get_tensor(name), name, where) for name in shapes}
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path}: cannot be read: {error}; train again, or restore the file") from error


def checked(array: np.ndarray, name: str, where: str) -> np.ndarray:
    """Returns a weight as float32 (...); array: float (...). BundleError: a number is not finite, or is too large."""
    array = array.astype(np.float32, copy=False)
    if array.size and not (array.max() <= LARGEST_WEIGHT and array.min() >= -LARGEST_WEIGHT):  # NaN too
        raise damaged(where, f"weight {name!r} has a number that is not finite, or beyond {LARGEST_WEIGHT:.0e}")
    return array


def mixed(where: str, name: str, problem: str) -> BundleError:
    """Returns the error for a weight that does not fit the configuration or the vocabularies."""
    return BundleError(f"{where}: weight {name!r:.120} {problem}; the folder mixes parts of different models")

"""The parts of a model as plain arrays, and functions that read single layers."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seq2seq.errors import AdoptionError
from seq2seq.foreign.graph import activation_of, describe
from seq2seq.models.backend import keras
from seq2seq.models.recurrent import hard_sigmoid_of_keras_2

ONE_HOT, EMBEDDING, NUMBER = "one-hot", "embedding", "number"
FORWARD, BACKWARD = "forward", "backward"


class SymbolInput(NamedTuple):
    """How symbols enter a model."""

    kind: str  # ONE_HOT, EMBEDDING or NUMBER (an id as a magnitude)
    vectors: np.ndarray  # float32 (ids, E); (1, 1) for NUMBER
    masked: bool  # whether the graph masks id 0, or rows of zeros
    input: int  # which of the model's inputs
    width: int | None  # steps that the input must have

    @property
    def size(self) -> int:
        """Returns how many ids there are."""
        return len(self.vectors)


class Cell(NamedTuple):
    """The weights of one recurrent layer in one direction."""

    kind: str  # "lstm" or "gru"
    kernel: np.ndarray  # (inputs, gates * units)
    recurrent: np.ndarray  # (units, gates * units)
    bias: np.ndarray  # (gates * units,), or (2, gates * units) in a GRU
    gates: str = "sigmoid"  # the function of the gates; "hard_sigmoid": that of Keras 2

    @property
    def units(self) -> int:
        """Returns how many units it has."""
        return len(self.recurrent)


class EncoderLayer(NamedTuple):
    """One layer of the encoder; `backward` None: it reads in one direction."""

    forward: Cell
    backward: Cell | None

    @property
    def directions(self) -> dict[str, Cell]:
        """Returns the cells by direction."""
        return {FORWARD: self.forward} | ({BACKWARD: self.backward} if self.backward else {})


class InitialState(NamedTuple):
    """The initial state of a decoder layer: the states of an encoder layer, of these directions in this order."""

    layer: int
    directions: tuple[str, ...]


class DecoderLayer(NamedTuple):
    """One layer of the decoder; `start` None: its initial state is zeros."""

    cell: Cell
    start: InitialState | None


@dataclass(frozen=True)
class AttentionParts:
    """Attention after the decoder, in the original's own widths."""

    kind: str  # "luong" or "bahdanau"
    kernel: np.ndarray  # luong: (decoder units, memory width); bahdanau: (width,), the vector
    scale: float  # bahdanau: the factor of query and key
    context: np.ndarray  # (memory width, N): the kernel of the layer that follows, its rows for the context
    outputs: np.ndarray  # (decoder units, N): its rows for the decoder's outputs
    bias: np.ndarray  # (N,)
    combined: bool  # whether that layer is a tanh layer before the logits; else it gives the logits


@dataclass(frozen=True)
class ModelParts:
    """The parts of a model."""

    source: SymbolInput | None  # None: a language model
    target: SymbolInput
    encoder: list[EncoderLayer]
    decoder: list[DecoderLayer]
    attention: AttentionParts | None
    kernel: np.ndarray  # (units, classes)
    bias: np.ndarray  # (classes,)
    logits: bool  # whether the model puts out logits instead of probabilities
    backwards: bool = False  # whether the encoder reads its row from the end
    single: bool = False  # whether a language model predicts one symbol for a window

    @property
    def classes(self) -> int:
        """Returns how many symbols are predicted."""
        return len(self.bias)


def read_cell(layer: Any) -> Cell:
    """Reads a recurrent layer.

    Raises:
        AdoptionError: a model folder has no such layer.

    """
    kinds = {keras.layers.LSTM: "lstm", keras.layers.GRU: "gru"}
    if type(layer) not in kinds:
        raise AdoptionError(
            f"{describe(layer)}: expected keras.layers.LSTM or GRU, got another kind of recurrent layer"
        )
    kind = kinds[type(layer)]
    gates = "sigmoid"
    for name, wanted in (("activation", "tanh"), ("recurrent_activation", "sigmoid")):
        got = activation_of(layer, name)
        if kind == "lstm" and getattr(layer, name) is hard_sigmoid_of_keras_2:
            gates = "hard_sigmoid"
        elif got != wanted:
            raise AdoptionError(
                f"{describe(layer)}: expected {name} {wanted!r}, the only one that a model folder can hold, got "
                f"{got!r}; train with Keras's default activations to adopt the model"
            )
    if kind == "gru" and not layer.reset_after:
        raise AdoptionError(
            f"{describe(layer)}: expected a GRU with reset_after=True, Keras's default, got reset_after=False; the "
            "two forms compute different functions, so that the weights cannot be converted: train with "
            "reset_after=True"
        )
    if layer.stateful:
        raise AdoptionError(
            f"{describe(layer)}: expected stateful=False, got a layer that carries its state from batch to batch; "
            "build the model again without stateful=True and copy the weights with set_weights(get_weights())"
        )
    cell = layer.cell
    kernel, recurrent = array(cell.kernel), array(cell.recurrent_kernel)
    shape = (2, kernel.shape[1]) if kind == "gru" else (kernel.shape[1],)
    bias = array(cell.bias) if layer.use_bias else np.zeros(shape, np.float32)
    return Cell(kind, kernel, recurrent, bias, gates)


def read_dense(layer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Reads a Dense layer's kernel and bias, zeros if it has none."""
    kernel = array(layer.kernel)
    return kernel, array(layer.bias) if layer.use_bias else np.zeros(kernel.shape[1], np.float32)


def array(variable: Any) -> np.ndarray:
    """Copies a weight as float32."""
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float32)

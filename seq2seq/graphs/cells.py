"""Recurrent layers as graphs: the encoder's over time, with ONNX's own operators, and one step of the decoder's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.bundle.weights import STATES
from seq2seq.config import ModelConfig
from seq2seq.graphs.builder import Builder

HARD = 0.2, 0.5  # slope and offset of a gate that is clip(0.2 x + 0.5, 0, 1)
GATE_ORDER = {"lstm": (0, 3, 1, 2), "gru": (0, 1, 2)}  # ONNX's order, i o f c or z r h, in Keras's, i f c o or z r h


@dataclass(frozen=True)
class Part:
    """One model inside a graph: its sizes and weights, and what stands before the names of its values."""

    config: ModelConfig
    weights: Mapping[str, np.ndarray]
    prefix: str = ""

    @property
    def states(self) -> list[str]:
        """The names of the states of all decoder layers, in order, such as `hidden_0` and `cell_0`."""
        kinds = ("hidden", "cell")[: len(STATES[self.config.rnn])]
        return [f"{self.prefix}{kind}_{layer}" for layer in range(self.config.layers) for kind in kinds]

    def weight(self, builder: Builder, name: str) -> str:
        """Adds a weight to a graph; returns its name there."""
        return builder.constant(self.weights[name], self.prefix + name)


def run_layer(builder: Builder, part: Part, layers: Sequence[str], inputs: str, lengths: str) -> tuple[str, list[str]]:
    """Runs a layer of the encoder over time, from zero states.

    Args:
        builder: receives the nodes.
        part: the model.
        layers: the names of the layer's directions: one, or forward and backward.
        inputs: float32 (S, B, M).
        lengths: int32 (B,), the symbols of each row; the states do not change after them.

    Returns:
        The outputs, float32 (B, S, W x H), and the last states, float32 (B, W x H) each.

    """
    rnn, units = part.config.rnn, part.weights[f"{layers[0]}.recurrent_kernel"].shape[0]
    kernels, recurrent, biases = zip(*(onnx_weights(part, name) for name in layers), strict=True)
    attributes: dict[str, object] = {"hidden_size": units}
    if len(layers) == 2:
        attributes["direction"] = "bidirectional"
    if rnn == "gru":
        attributes["linear_before_reset"] = 1
    elif part.config.gates == "hard_sigmoid":
        attributes |= {"activations": ["HardSigmoid", "Tanh", "Tanh"] * len(layers)}
        attributes |= {"activation_alpha": [HARD[0]] * len(layers), "activation_beta": [HARD[1]] * len(layers)}
    outputs, *states = builder.add_many(
        rnn.upper(),
        inputs,
        builder.constant(np.stack(kernels), f"{part.prefix}{layers[0]}.onnx_kernel"),
        builder.constant(np.stack(recurrent), f"{part.prefix}{layers[0]}.onnx_recurrent_kernel"),
        builder.constant(np.stack(biases), f"{part.prefix}{layers[0]}.onnx_bias"),
        lengths,
        results=1 + len(STATES[rnn]),
        **attributes,
    )
    by_row = builder.reshape(builder.add("Transpose", outputs, perm=(2, 0, 1, 3)), (0, 0, -1))  # from (S, W, B, H)
    last = [builder.reshape(builder.add("Transpose", state, perm=(1, 0, 2)), (0, -1)) for state in states]
    return by_row, last


def onnx_weights(part: Part, name: str) -> list[np.ndarray]:
    """Returns the weights of a layer as ONNX orders them: float32 (G x H, M), (G x H, H) and (2 x G x H,)."""
    order = GATE_ORDER[part.config.rnn]

    def ordered(values: np.ndarray) -> np.ndarray:
        gates = np.split(values, len(order), axis=-1)
        return np.concatenate([gates[gate] for gate in order], axis=-1)

    kernel, recurrent = (ordered(part.weights[f"{name}.{which}"]).T for which in ("kernel", "recurrent_kernel"))
    bias = ordered(part.weights[f"{name}.bias"])
    both = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])  # ONNX has one for each product
    return [kernel, recurrent, both.ravel()]


def step_cell(builder: Builder, part: Part, layer: str, inputs: str, states: Sequence[str]) -> list[str]:
    """Computes one step of a decoder layer.

    Args:
        builder: receives the nodes.
        part: the model.
        layer: its name.
        inputs: float32 (N, M).
        states: float32 (N, H) each.

    Returns:
        The next states, float32 (N, H) each.

    """
    kernel, recurrent = (part.weight(builder, f"{layer}.{which}") for which in ("kernel", "recurrent_kernel"))
    if part.config.rnn == "gru":
        return step_gru(builder, part, layer, builder.dense(inputs, kernel), states[0])
    hidden, cell = states
    gates = builder.add("Add", builder.dense(inputs, kernel), builder.dense(hidden, recurrent))
    gates = builder.add("Add", gates, part.weight(builder, f"{layer}.bias"))
    enter, forget, candidate, leave = builder.add_many("Split", gates, results=4, axis=-1)
    if part.config.gates == "hard_sigmoid":
        slope = {"alpha": HARD[0], "beta": HARD[1]}
        enter, forget, leave = (builder.add("HardSigmoid", gate, **slope) for gate in (enter, forget, leave))
    else:
        enter, forget, leave = (builder.add("Sigmoid", gate) for gate in (enter, forget, leave))
    kept, entering = builder.add("Mul", forget, cell), builder.add("Mul", enter, builder.add("Tanh", candidate))
    cell = builder.add("Add", kept, entering)
    return [builder.add("Mul", leave, builder.add("Tanh", cell)), cell]


def step_gru(builder: Builder, part: Part, layer: str, projected: str, hidden: str) -> list[str]:
    """Computes one step of a GRU from projected inputs, float32 (N, 3 x H), without biases; returns the next state."""
    biases = part.weights[f"{layer}.bias"]
    inner, outer = (builder.constant(bias, f"{part.prefix}{layer}.bias_{row}") for row, bias in enumerate(biases))
    recurrent = builder.dense(hidden, part.weight(builder, f"{layer}.recurrent_kernel"), outer)
    projected = builder.add("Add", projected, inner)
    pairs = zip(
        builder.add_many("Split", projected, results=3, axis=-1),
        builder.add_many("Split", recurrent, results=3, axis=-1),
        strict=True,
    )
    (update_in, update_by), (reset_in, reset_by), (new_in, new_by) = pairs
    update = builder.add("Sigmoid", builder.add("Add", update_in, update_by))
    reset = builder.add("Sigmoid", builder.add("Add", reset_in, reset_by))
    candidate = builder.add("Tanh", builder.add("Add", new_in, builder.add("Mul", reset, new_by)))
    difference = builder.add("Mul", update, builder.add("Sub", hidden, candidate))  # z h + (1 - z) c = c + z (h - c)
    return [builder.add("Add", candidate, difference)]

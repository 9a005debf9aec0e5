"""Single steps of recurrent layers in NumPy: projected inputs and states in, the next states out."""

from collections.abc import Mapping, Sequence

import numpy as np

from seq2seq.config import ModelConfig

Weights = Mapping[str, np.ndarray]


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Computes the logistic function without overflow: values float (...); returns float (...)."""
    return 0.5 * (np.tanh(0.5 * values) + 1)


def layer_weight(weights: Weights, layers: str | Sequence[str], part: str) -> np.ndarray:
    """Returns a weight of one layer, float (...), or of several layers, stacked along a first axis."""
    if isinstance(layers, str):
        return weights[f"{layers}.{part}"]
    return np.stack([weights[f"{name}.{part}"] for name in layers])


class LSTMCell:
    """One step of an LSTM layer whose input is already projected, or of W layers at once.

    Gates have their own axis, G = 4, in the order i, f, o, g: products stay small, and each gate is one array.
    With W layers every array has W as its first axis.
    Source: as in seq2seq.models.recurrent.
    """

    state_count = 2
    gates = 4
    slope = 0.5  # of a gate's logits: sigmoid(x) = (tanh(x / 2) + 1) / 2, so one call of tanh computes all four gates

    def __init__(self, weights: Weights, layers: str | Sequence[str]) -> None:
        parts = (layer_weight(weights, layers, part) for part in ("kernel", "recurrent_kernel", "bias"))
        kernel, recurrent_kernel, bias = parts
        self.input_kernel, self.kernel = self._by_gate(kernel), self._by_gate(recurrent_kernel)
        self.bias = self._by_gate(bias[..., None, :])
        self.units = self.kernel.shape[-1]

    def _by_gate(self, values: np.ndarray) -> np.ndarray:
        """Turns (M, 4H) in the order i, f, g, o into (4, M, H), and multiplies all gates except g by the slope."""
        enter, forget, candidate, leave = np.split(values, 4, axis=-1)
        return np.stack([*(self.slope * gate for gate in (enter, forget, leave)), candidate], -3, dtype=np.float32)

    def project(self, inputs: np.ndarray) -> np.ndarray:
        """Returns float32 (..., G, N, H): the gates' share of inputs float32 (N, M); with W layers `...` is W."""
        projected = inputs @ self.input_kernel
        projected += self.bias
        return projected

    def __call__(self, projected: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        """Takes projected inputs float32 (..., G, N, H), states h and c, each (..., N, H); returns the next two."""
        hidden, cell = states
        gates = hidden[..., None, :, :] @ self.kernel
        gates += projected
        np.tanh(gates, out=gates)
        doubled = gates[..., :3, :, :]
        doubled += 1
        entering, kept, leaving = (doubled[..., gate, :, :] for gate in range(3))
        entering *= gates[..., 3, :, :]
        cell = kept * cell
        cell += entering
        cell *= 0.5
        hidden = np.tanh(cell)
        hidden *= leaving
        hidden *= 0.5
        return [hidden, cell]


class HardLSTMCell(LSTMCell):
    """One step of an LSTM whose gates are clip(0.2 x + 0.5, 0, 1), the default of Keras before 2.3."""

    slope = 0.2

    def __call__(self, projected: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        """Takes projected inputs float32 (..., G, N, H), states h and c, each (..., N, H); returns the next two."""
        hidden, cell = states
        gates = hidden[..., None, :, :] @ self.kernel + projected
        entering, kept, leaving = np.moveaxis(np.clip(gates[..., :3, :, :] + np.float32(0.5), 0, 1), -3, 0)
        cell = kept * cell + entering * np.tanh(gates[..., 3, :, :])
        return [leaving * np.tanh(cell), cell]


class GRUCell:
    """One step of a GRU layer whose input is already projected, or of several layers, as in LSTMCell; G = 3.

    The order of the gates is Keras's: z, r, h. The reset gate is applied after the product.
    Source: Cho et al. 2014, arXiv:1406.1078, in the form of cuDNN.
    """

    state_count = 1
    gates = 3

    def __init__(self, weights: Weights, layers: str | Sequence[str]) -> None:
        parts = (layer_weight(weights, layers, part) for part in ("kernel", "recurrent_kernel", "bias"))
        self.input_kernel, self.kernel, biases = (np.stack(np.split(part, 3, axis=-1), -3) for part in parts)
        self.bias, self.recurrent_bias = biases[..., :1, :], biases[..., 1:, :]
        self.units = self.kernel.shape[-1]

    def project(self, inputs: np.ndarray) -> np.ndarray:
        """Returns float32 (..., G, N, H): the gates' share of inputs float32 (N, M); with W layers `...` is W."""
        return inputs @ self.input_kernel + self.bias

    def __call__(self, projected: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        """Takes projected inputs, float32 (..., G, N, H), and the state h, (..., N, H); returns the next h."""
        (hidden,) = states
        recurrent = hidden[..., None, :, :] @ self.kernel + self.recurrent_bias
        gates = sigmoid(projected[..., :2, :, :] + recurrent[..., :2, :, :])
        update, reset = gates[..., 0, :, :], gates[..., 1, :, :]
        candidate = np.tanh(projected[..., 2, :, :] + reset * recurrent[..., 2, :, :])
        return [update * hidden + (1 - update) * candidate]


Cell = LSTMCell | GRUCell


def cell_of(config: ModelConfig, weights: Weights, layers: str | Sequence[str]) -> Cell:
    """Makes the cell of one layer, or of several layers at once."""
    if config.rnn == "gru":
        return GRUCell(weights, layers)
    return (HardLSTMCell if config.gates == "hard_sigmoid" else LSTMCell)(weights, layers)

"""Single steps of recurrent layers in NumPy: projected inputs and states in, the next states out."""

from collections.abc import Mapping, Sequence

import numpy as np

from seq2seq.config import ModelConfig

Weights = Mapping[str, np.ndarray]

HALF = np.array(0.5, np.float32)  # an array, since a number takes NumPy twice as long


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Computes the logistic function without overflow: values float (...); returns float (...)."""
    return 0.5 * (np.tanh(0.5 * values) + 1)


def layer_weight(weights: Weights, layers: str | Sequence[str], part: str) -> np.ndarray:
    """Returns a weight of one layer, float (...), or of several layers, stacked along a first axis."""
    if isinstance(layers, str):
        return weights[f"{layers}.{part}"]
    return np.stack([weights[f"{name}.{part}"] for name in layers])


class Cell:
    """One step of a recurrent layer whose input is already projected, or of W layers at once.

    Gates have the first axis, G: products stay small, and each gate is one array. With W layers every array has the
    axis W, the second one where gates are the first one.
    """

    state_count: int
    gates: int

    def __init__(self, input_kernel: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> None:
        """Takes float32 (G, ..., M, H), float32 (G, ..., H, H) and float32 (G, ..., 1, H); with W layers `...` is W."""
        self.input_kernel, self.kernel, self.bias = input_kernel, kernel, bias
        self.units = kernel.shape[-1]
        # one row takes one product for all gates
        self.row_kernel = np.concatenate(list(kernel), -1)  # (..., H, G * H)
        self.row_shape = (*kernel.shape[1:-2], self.gates, 1, self.units)

    def project(self, inputs: np.ndarray) -> np.ndarray:
        """Returns float32 (G, ..., N, H): the gates' share of inputs float32 (N, M); with W layers `...` is W."""
        projected = inputs @ self.input_kernel
        projected += self.bias
        return projected

    def recur(self, hidden: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Adds the gates' share of the state to another share.

        Args:
            hidden: float32 (..., N, H), the state h.
            other: float32 (G, ..., R, H), where R is N, or 1 for all rows.

        Returns:
            float32 (G, ..., N, H).

        """
        if hidden.shape[-2] == 1:
            # of one layer by `dot`, which takes NumPy less time to begin with than `@`
            shares = hidden.dot(self.row_kernel) if hidden.ndim == len("NH") else hidden @ self.row_kernel
            gates = np.ascontiguousarray(shares.reshape(self.row_shape).swapaxes(0, -3))  # each gate in one piece
        else:
            gates = hidden @ self.kernel
        gates += other
        return gates

    def __call__(
        self, projected: np.ndarray, states: list[np.ndarray], out: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """Computes one step.

        Args:
            projected: float32 (G, ..., N, H), projected inputs.
            states: float32 (..., N, H) each, h first.
            out: float32 (..., N, H), receives the next h, or None.

        Returns:
            The next states.

        """
        raise NotImplementedError


class LSTMCell(Cell):
    """One step of an LSTM layer, or of several; the order of the gates is i, f, o, g.

    Source: as in seq2seq.models.recurrent.
    """

    state_count = 2
    gates = 4
    slope = 0.5  # of a gate's logits: sigmoid(x) = tanh(x / 2) / 2 + 1 / 2, so one call of tanh computes all four gates

    def __init__(self, weights: Weights, layers: str | Sequence[str]) -> None:
        parts = (layer_weight(weights, layers, part) for part in ("kernel", "recurrent_kernel", "bias"))
        kernel, recurrent_kernel, bias = parts
        super().__init__(*map(self._by_gate, (kernel, recurrent_kernel, bias[..., None, :])))

    def _by_gate(self, values: np.ndarray) -> np.ndarray:
        """Turns (..., M, 4H) in the order i, f, g, o into (4, ..., M, H), all but g multiplied by the slope."""
        enter, forget, candidate, leave = np.split(values, 4, axis=-1)
        return np.stack([*(self.slope * gate for gate in (enter, forget, leave)), candidate], dtype=np.float32)

    def __call__(
        self, projected: np.ndarray, states: list[np.ndarray], out: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """Computes one step of h and c; projected: float32 (G, ..., N, H), out: float32 (..., N, H), as for `Cell`."""
        hidden, cell = states
        gates = self.recur(hidden, projected)
        np.tanh(gates, out=gates)
        opened = gates[:3]
        opened *= HALF
        opened += HALF
        entering = opened[0]
        entering *= gates[3]
        cell = opened[1] * cell
        cell += entering
        hidden = np.tanh(cell, out=out)
        hidden *= opened[2]
        return [hidden, cell]


class HardLSTMCell(LSTMCell):
    """One step of an LSTM whose gates are clip(0.2 x + 0.5, 0, 1), the default of Keras before 2.3."""

    slope = 0.2

    def __call__(
        self, projected: np.ndarray, states: list[np.ndarray], out: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """Computes one step of h and c; projected: float32 (G, ..., N, H), out: float32 (..., N, H), as for `Cell`."""
        hidden, cell = states
        gates = self.recur(hidden, projected)
        entering, kept, leaving = np.clip(gates[:3] + HALF, 0, 1)
        cell = kept * cell + entering * np.tanh(gates[3])
        return [np.multiply(leaving, np.tanh(cell), out=out), cell]


class GRUCell(Cell):
    """One step of a GRU layer, or of several; the order of the gates is Keras's: z, r, h.

    The reset gate is applied after the product.
    Source: Cho et al. 2014, arXiv:1406.1078, in the form of cuDNN.
    """

    state_count = 1
    gates = 3

    def __init__(self, weights: Weights, layers: str | Sequence[str]) -> None:
        parts = (layer_weight(weights, layers, part) for part in ("kernel", "recurrent_kernel", "bias"))
        kernel, recurrent_kernel, biases = (np.stack(np.split(part, 3, axis=-1)) for part in parts)
        super().__init__(kernel, recurrent_kernel, biases[..., :1, :])
        self.recurrent_bias = biases[..., 1:, :]

    def __call__(
        self, projected: np.ndarray, states: list[np.ndarray], out: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """Computes one step of h; projected: float32 (G, ..., N, H), out: float32 (..., N, H), as for `Cell`."""
        (hidden,) = states
        recurrent = self.recur(hidden, self.recurrent_bias)
        update, reset = sigmoid(projected[:2] + recurrent[:2])
        candidate = np.tanh(projected[2] + reset * recurrent[2])
        return [np.add(update * hidden, (1 - update) * candidate, out=out)]


def cell_of(config: ModelConfig, weights: Weights, layers: str | Sequence[str]) -> Cell:
    """Makes the cell of one layer, or of several layers at once."""
    if config.rnn == "gru":
        return GRUCell(weights, layers)
    return (HardLSTMCell if config.gates == "hard_sigmoid" else LSTMCell)(weights, layers)

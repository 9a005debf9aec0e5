"""Runs a model's weights with NumPy alone: starts at once, and is an independent check of the Keras runtime."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq.config import ModelConfig, decoder_starts
from seq2seq.decoding import State, select_sources
from seq2seq.special import PAD

Weights = Mapping[str, np.ndarray]


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Logistic function without overflow."""
    return 0.5 * (np.tanh(0.5 * values) + 1)


def product(rows: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Multiplies (..., M) by (M, N) in one product; NumPy itself makes a small one for each leading index."""
    return (rows.reshape(-1, rows.shape[-1]) @ kernel).reshape(*rows.shape[:-1], kernel.shape[1])


class LSTMCell:
    """One step of an LSTM layer whose input is already projected.

    Source: as seq2seq.models.recurrent; gates in the order i, f, g, o.
    """

    state_count = 2

    def __init__(self, weights: Weights, name: str) -> None:
        self.input_kernel = weights[f"{name}.kernel"]
        self.bias = weights[f"{name}.bias"]
        self.kernel = weights[f"{name}.recurrent_kernel"]
        self.units = self.kernel.shape[0]
        # sigmoid(x) = (tanh(x / 2) + 1) / 2: with i, f and o halved beforehand one tanh serves all four gates
        halves = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), self.units)
        self.input_kernel, self.bias, self.kernel = (
            self.input_kernel * halves,
            self.bias * halves,
            self.kernel * halves,
        )

    def project(self, inputs: np.ndarray) -> np.ndarray:
        """Returns the input's share of the gates, (..., 4H)."""
        return product(inputs, self.input_kernel) + self.bias

    def __call__(self, projected: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        """Args: projected (N, 4H); states h and c, each (N, H). Returns the next h and c."""
        hidden, cell = states
        size = self.units
        gates = hidden @ self.kernel
        gates += projected
        np.tanh(gates, out=gates)
        gates[:, : 2 * size] += 1
        gates[:, 3 * size :] += 1
        cell = 0.5 * (gates[:, size : 2 * size] * cell + gates[:, :size] * gates[:, 2 * size : 3 * size])
        hidden = np.tanh(cell)
        hidden *= gates[:, 3 * size :]
        hidden *= 0.5
        return [hidden, cell]


class GRUCell:
    """One step of a GRU layer whose input is already projected; Keras's order z, r, h, reset after the product.

    Source: Cho et al. 2014, arXiv:1406.1078, in the form of cuDNN.
    """

    state_count = 1

    def __init__(self, weights: Weights, name: str) -> None:
        self.input_kernel = weights[f"{name}.kernel"]
        self.bias, self.recurrent_bias = weights[f"{name}.bias"]
        self.kernel = weights[f"{name}.recurrent_kernel"]
        self.units = self.kernel.shape[0]

    def project(self, inputs: np.ndarray) -> np.ndarray:
        """Returns the input's share of the gates, (..., 3H)."""
        return product(inputs, self.input_kernel) + self.bias

    def __call__(self, projected: np.ndarray, states: list[np.ndarray]) -> list[np.ndarray]:
        """Args: projected (N, 3H); states h (N, H). Returns the next h."""
        (hidden,) = states
        size = self.units
        recurrent = hidden @ self.kernel + self.recurrent_bias
        gates = sigmoid(projected[:, : 2 * size] + recurrent[:, : 2 * size])
        update, reset = gates[:, :size], gates[:, size:]
        candidate = np.tanh(projected[:, 2 * size :] + reset * recurrent[:, 2 * size :])
        return [update * hidden + (1 - update) * candidate]


CELLS: dict[str, type[LSTMCell] | type[GRUCell]] = {"lstm": LSTMCell, "gru": GRUCell}


def run_layer(
    cell: LSTMCell | GRUCell,
    inputs: Callable[[np.ndarray, np.ndarray], np.ndarray],
    places: np.ndarray,
    live_counts: Sequence[int],
    outputs: np.ndarray,
) -> list[np.ndarray]:
    """Runs a layer over time from zero states, the rows in order of length, longest first.

    Args:
        cell: the layer.
        inputs: of int (N,) rows and (N,) places, gives the projected inputs there, float32 (N, gates).
        places: int (T, B), which symbol each row reads at each time.
        live_counts: how many rows have a symbol at each time; the others' states stay as they are.
        outputs: float32 (B, T, H), receives the outputs at those places; what is there on padding stays.

    Returns:
        The states after the symbol that each row reads last, (B, H) each.

    """
    rows = np.arange(len(outputs))
    states = [np.zeros((len(rows), cell.units), np.float32) for _ in range(cell.state_count)]
    for place, live in zip(places, live_counts, strict=True):
        here = rows[:live], place[:live]
        if live == len(rows):
            states = cell(inputs(*here), states)
        else:
            after = cell(inputs(*here), [state[:live] for state in states])
            for state, new in zip(states, after, strict=True):
                state[:live] = new
        outputs[here] = states[0][:live]
    return states


class NumpyDecoder:
    """The decoder: a language model by itself, half of a translator with a memory."""

    def __init__(self, config: ModelConfig, weights: Weights, *, attends: bool) -> None:
        self.cells = [CELLS[config.rnn](weights, f"decoder_{index}") for index in range(config.layers)]
        # the first layer's input depends on the symbol alone: embed and project every symbol once
        self.projected_table = self.cells[0].project(weights["target_embedding.embeddings"])
        self.output_kernel, self.output_bias = weights["logits.kernel"], weights["logits.bias"]
        self.score: Callable[..., np.ndarray] | None = None
        if attends:
            self.weights = weights
            name = "combine" if config.combine == "tanh" else "logits"
            memory_size = weights[f"{name}.kernel"].shape[0] - config.hidden_size
            additive = "attention.memory_kernel" in weights
            key_kernel = weights["attention.memory_kernel"] if additive else weights["attention.kernel"].T
            self.key_size = key_kernel.shape[1]
            # keys, and values: the memory times the context's half of what follows
            self.memory_kernel = np.concatenate([key_kernel, weights[f"{name}.kernel"][:memory_size]], -1)
            self.query_kernel = weights[f"{name}.kernel"][memory_size:]
            self.combine_bias = weights[f"{name}.bias"]
            self.squashes = config.combine == "tanh"
            self.score = {"luong": self._general, "bahdanau": self._additive}[config.attention]

    def remember(self, memory: np.ndarray) -> list[np.ndarray]:
        """Projects the memory (B, S, M) once for all steps: keys (B, S, H), and values as wide as what they add to."""
        return np.split(product(memory, self.memory_kernel), [self.key_size], axis=-1)

    def _general(self, query: np.ndarray, keys: np.ndarray) -> np.ndarray:
        return query @ keys.transpose(0, 2, 1)

    def _additive(self, query: np.ndarray, keys: np.ndarray) -> np.ndarray:
        projected = query @ self.weights["attention.query_kernel"] + self.weights["attention.bias"]
        return (np.tanh(projected[:, :, None] + keys[:, None]) @ self.weights["attention.vector"])[..., 0]

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol to each hypothesis.

        Args:
            token_ids: int32 (N,), N = B x K.
            state: rows (N, H) each; shared: () or keys (B, S, H), values (B, S, H) and bias (B, 1, S).

        Returns:
            logits float32 (N, V) and the next state.

        """
        projected = self.projected_table.take(token_ids, axis=0)
        after: list[np.ndarray] = []
        for index, cell in enumerate(self.cells):
            if index:
                projected = cell.project(after[-cell.state_count])
            mine = state.rows[index * cell.state_count : (index + 1) * cell.state_count]
            after.extend(cell(projected, mine))
        outputs = after[-self.cells[-1].state_count]
        if self.score is not None:
            outputs = self._attend(outputs, state.shared)
            if not self.squashes:
                return outputs, State(after, state.shared)
        return outputs @ self.output_kernel + self.output_bias, State(after, state.shared)

    def _attend(self, outputs: np.ndarray, shared: Any) -> np.ndarray:
        keys, values, bias = shared
        assert self.score is not None
        query = outputs.reshape(len(keys), -1, outputs.shape[-1])  # (B, K, H)
        scores = self.score(query, keys)
        scores += bias
        scores -= scores.max(-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(-1, keepdims=True)
        context = (scores @ values).reshape(len(outputs), -1)
        context += outputs @ self.query_kernel
        context += self.combine_bias
        return np.tanh(context, out=context) if self.squashes else context


class NumpyTranslator:
    """The step function of a translator, from its weights alone."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.config = config
        self.attends = config.attention != "none"
        self.decoder = NumpyDecoder(config, weights, attends=self.attends)
        # of keys and values, which a step reads for each symbol of a source
        self.symbol_bytes = self.decoder.memory_kernel[0].nbytes if self.attends else 0
        self.bridges = weights
        self.embeddings = weights["source_embedding.embeddings"]
        names = ("_forward", "_backward") if config.bidirectional else ("",)
        self.layers = [
            [CELLS[config.rnn](weights, f"encoder_{index}{name}") for name in names]
            for index in range(config.encoder_layers or config.layers)
        ]
        self.first_tables = [cell.project(self.embeddings) for cell in self.layers[0]]

    def start(self, source_ids: np.ndarray) -> State:
        """Reads sources: int32 (B, S), each row's symbols and END, right-padded."""
        lengths = (source_ids != PAD).sum(1)
        source_ids = source_ids[:, : lengths.max()]
        if (lengths[1:] > lengths[:-1]).any():
            order = np.argsort(-lengths, kind="stable")
            return select_sources(self.start(source_ids[order]), np.argsort(order), 1)
        real = source_ids != PAD
        live_counts = [count for count in real.sum(0).tolist() if count]
        times = np.arange(len(live_counts))[:, None]
        forward = np.broadcast_to(times, source_ids.T.shape)
        backward = np.maximum(lengths - 1 - times, 0)
        memory, by_layer = np.empty(0, np.float32), []
        for index, cells in enumerate(self.layers):
            below = memory
            memory = np.zeros((*source_ids.shape, sum(cell.units for cell in cells)), np.float32)
            after = [
                run_layer(cell, self._inputs(index, way, source_ids, below), places, live_counts, part)
                for way, (cell, places, part) in enumerate(
                    zip(cells, (forward, backward), np.split(memory, len(cells), axis=-1), strict=False)
                )
            ]
            if self.config.bidirectional:
                after = [[self._bridge(index, *pair) for pair in enumerate(zip(*after, strict=True))]]
            by_layer.append(after[0])
        zeros = [np.zeros_like(state) for state in by_layer[0]]
        chosen = [zeros if start is None else by_layer[start] for start in decoder_starts(self.config)]
        states = [state for several in chosen for state in several]
        if not self.attends:
            return State(states, ())
        bias = np.where(real, np.float32(0), np.float32(-1e9))[:, None]
        return State(states, (*self.decoder.remember(memory), bias))

    def _inputs(
        self, layer: int, way: int, source_ids: np.ndarray, below: np.ndarray
    ) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Returns the projected inputs of a layer: of the first one looked up, of others computed at once."""
        if layer:
            projected = self.layers[layer][way].project(below)
            return lambda rows, places: projected[rows, places]
        table = self.first_tables[way]
        return lambda rows, places: table.take(source_ids[rows, places], axis=0)

    def _bridge(self, layer: int, position: int, pair: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        if self.config.bridge == "none":
            return np.concatenate(pair, -1)
        name = f"bridge_{layer}_{'hc'[position]}"
        state = np.concatenate(pair, -1) @ self.bridges[f"{name}.kernel"] + self.bridges[f"{name}.bias"]
        return np.tanh(state) if position == 0 else state

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol to each hypothesis; see NumpyDecoder.step."""
        return self.decoder.step(token_ids, state)

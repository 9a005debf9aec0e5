"""Runs a model with NumPy only: it starts at once, and is an independent check of the Keras runtime."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2seq.config import ModelConfig, decoder_starts
from seq2seq.decoding import State
from seq2seq.inference.numpy_cells import Cell, Weights, cell_of
from seq2seq.special import PAD

STRETCH_BYTES = 1 << 18  # of projected inputs that are looked up together: with few rows those of all times


def product(rows: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Multiplies float (..., M) by float (M, N) in one product; returns float (..., N).

    `rows @ kernel` would compute a small product for each leading index.
    """
    return (rows.reshape(-1, rows.shape[-1]) @ kernel).reshape(*rows.shape[:-1], kernel.shape[1])


def run_layer(
    cell: Cell,
    table: np.ndarray,
    lookups: np.ndarray,
    live_counts: Sequence[int],
    places: np.ndarray,
    outputs: np.ndarray,
) -> list[np.ndarray]:
    """Runs a layer's W directions together over time, from zero states; the longest rows come first.

    Args:
        cell: the layer.
        table: float32 (R, H), projected inputs.
        lookups: int (T, G, W, B), the rows of the table to read at each time.
        live_counts: the number of rows that have a symbol at each time; the states of the others do not change.
        places: int (T, W, B), the rows of `outputs` that receive the output of each time.
        outputs: float32 (places, H), receives the outputs; rows of padding do not change.

    Returns:
        The states after the last symbol of each row, (W, B, H) each.

    """
    rows = [np.zeros((*places.shape[1:], cell.units), np.float32) for _ in range(cell.state_count)]
    ended: list[list[np.ndarray]] = []
    for times, live in stretches(live_counts, table.itemsize * math.prod(lookups.shape[1:]) * cell.units):
        if live < rows[0].shape[1]:
            ended.append([state[:, live:] for state in rows])
            rows = [state[:, :live] for state in rows]
        projected = table.take(lookups[times, ..., :live], axis=0)
        hidden = np.empty((len(projected), *rows[0].shape), np.float32)
        for inputs, out in zip(projected, hidden, strict=True):
            rows = cell(inputs, rows, out)
        outputs[places[times, :, :live]] = hidden
    return [np.concatenate(parts[::-1], axis=1) for parts in zip(*ended, rows, strict=True)]


def stretches(live_counts: Sequence[int], step_bytes: int) -> Iterator[tuple[slice, int]]:
    """Divides time into stretches whose inputs are looked up together.

    Args:
        live_counts: the number of rows at each time, in descending order.
        step_bytes: of the inputs of all rows at one time.

    Yields:
        The times of a stretch, and the number of rows at each of them.

    """
    most = max(1, STRETCH_BYTES // step_bytes)
    start = 0
    for live, group in itertools.groupby(live_counts):
        stop = start + len(list(group))
        yield from ((slice(first, min(first + most, stop)), live) for first in range(start, stop, most))
        start = stop


class NumpyDecoder:
    """The decoder of a translator, or a language model."""

    def __init__(self, config: ModelConfig, weights: Weights, *, attends: bool) -> None:
        self.cells = [cell_of(config, weights, f"decoder_{index}") for index in range(config.layers)]
        # the first layer's input depends only on the symbol: embed and project every symbol once
        self.projected_table = self.cells[0].project(weights["target_embedding.embeddings"])
        self.output_kernel, self.output_bias = weights["logits.kernel"], weights["logits.bias"]
        self.score: Callable[..., np.ndarray] | None = None
        if attends:
            self.weights = weights
            name = "combine" if config.combine == "tanh" else "logits"
            memory_size = weights[f"{name}.kernel"].shape[0] - config.units
            additive = "attention.memory_kernel" in weights
            key_kernel = weights["attention.memory_kernel"] if additive else weights["attention.kernel"].T
            self.key_size = key_kernel.shape[1]
            # keys, and values: the memory already multiplied by the context's part of the next kernel
            self.memory_kernel = np.concatenate([key_kernel, weights[f"{name}.kernel"][:memory_size]], -1)
            self.query_kernel = weights[f"{name}.kernel"][memory_size:]
            self.combine_bias = weights[f"{name}.bias"]
            self.squashes = config.combine == "tanh"
            self.score = {"luong": self._general, "bahdanau": self._additive}[config.attention]

    def remember(self, memory: np.ndarray) -> list[np.ndarray]:
        """Projects a memory float (B, S, M) once for all steps, into keys and values."""
        return np.split(product(memory, self.memory_kernel), [self.key_size], axis=-1)

    def _general(self, query: np.ndarray, keys: np.ndarray) -> np.ndarray:
        return query @ keys.transpose(0, 2, 1)

    def _additive(self, query: np.ndarray, keys: np.ndarray) -> np.ndarray:
        projected = query @ self.weights["attention.query_kernel"] + self.weights["attention.bias"]
        return (np.tanh(projected[:, :, None] + keys[:, None]) @ self.weights["attention.vector"])[..., 0]

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol, int32 (N,), to each hypothesis; returns logits float32 (N, V) and the next state."""
        logits, after, _ = self.attend(token_ids, state)
        return logits, after

    def attend(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State, np.ndarray | None]:
        """Feeds one symbol to each hypothesis.

        Args:
            token_ids: int32 (N,), N = B x K.
            state: rows (N, H) each; shared: () or keys (B, S, H), values (B, S, H) and bias (B, 1, S).

        Returns:
            Logits float32 (N, V), the next state, and the attention weights float32 (N, S) or None.

        """
        weights = None
        projected = self.projected_table.take(token_ids, axis=1)
        after: list[np.ndarray] = []
        for index, cell in enumerate(self.cells):
            if index:
                projected = cell.project(after[-cell.state_count])
            mine = state.rows[index * cell.state_count : (index + 1) * cell.state_count]
            after.extend(cell(projected, mine))
        outputs = after[-self.cells[-1].state_count]
        if self.score is not None:
            outputs, weights = self._context(outputs, state.shared)
            if not self.squashes:
                return outputs, State(after, state.shared), weights
        logits = outputs.dot(self.output_kernel)  # takes less time to begin with than `@`
        logits += self.output_bias
        return logits, State(after, state.shared), weights

    def _context(self, outputs: np.ndarray, shared: Any) -> tuple[np.ndarray, np.ndarray]:
        keys, values, bias = shared
        assert self.score is not None
        query = outputs.reshape(len(keys), -1, outputs.shape[-1])  # (B, K, H)
        scores = self.score(query, keys)
        scores += bias
        scores -= np.maximum.reduce(scores, axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= np.add.reduce(scores, axis=-1, keepdims=True)
        context = (scores @ values).reshape(len(outputs), -1)
        context += outputs.dot(self.query_kernel)
        context += self.combine_bias
        weights = scores.reshape(len(outputs), -1)
        return np.tanh(context, out=context) if self.squashes else context, weights


class Encoded(NamedTuple):
    """Sources as the encoder returns them; S is the length of the longest row."""

    memory: np.ndarray  # float32 (B, S, M)
    states: list[np.ndarray]  # float32 (B, H) each, the states that the decoder starts with
    real: np.ndarray  # bool (B, S), False on padding


class NumpyEncoder:
    """The encoder of a translator or transducer."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.config = config
        self.starts, self.bridges = decoder_starts(config), weights
        ways = ("_forward", "_backward") if config.bidirectional else ("",)
        self.ways = len(ways)  # W, directions that run together
        self.layers = [
            cell_of(config, weights, [f"encoder_{index}{way}" for way in ways])
            for index in range(config.encoder_layers or config.layers)
        ]
        # the first layer's input depends only on the symbol
        self.first_table = self.layers[0].project(weights["source_embedding.embeddings"])

    def __call__(self, source_ids: np.ndarray) -> Encoded:
        """Encodes sources: int32 (B, S), the symbols of each source and END, right-padded."""
        real = source_ids != PAD
        lengths = real.sum(1)
        source_ids, real = source_ids[:, : lengths.max()], real[:, : lengths.max()]
        if len(lengths) > 1 and (lengths[1:] > lengths[:-1]).any():
            order = np.argsort(-lengths, kind="stable")
            memory, states, real = self(source_ids[order])
            back = np.argsort(order)
            return Encoded(memory[back], [state[back] for state in states], real[back])
        count, steps = source_ids.shape
        live_counts = real.sum(0).tolist()
        ways, times, rows = np.arange(self.ways)[:, None], np.arange(steps)[:, None, None], np.arange(count)
        # int (T, W, B): the index, among all B * S symbols, that each direction reads at each time
        symbols = rows * steps + np.where(ways == 0, times, np.maximum(lengths - 1 - times, 0))
        memory, by_layer = np.empty(0, np.float32), []
        for index, cell in enumerate(self.layers):
            # projected inputs (G, W, inputs, H): one for each source id, or one for each symbol of the layer below
            table = cell.project(memory) if index else self.first_table
            inputs = symbols if index else source_ids.ravel()[symbols]
            first = np.arange(cell.gates * self.ways).reshape(cell.gates, self.ways, 1) * table.shape[2]
            lookups = inputs[:, None] + first
            table = table.reshape(-1, cell.units)
            memory = np.zeros((count * steps, self.ways * cell.units), np.float32)
            places = symbols * self.ways + ways
            after = run_layer(cell, table, lookups, live_counts, places, memory.reshape(-1, cell.units))
            by_layer.append([self._bridge(index, *pair) for pair in enumerate(after)])
        states = [
            np.zeros_like(state) if start is None else state for start in self.starts for state in by_layer[start or 0]
        ]
        return Encoded(memory.reshape(count, steps, -1), states, real)

    def _bridge(self, layer: int, position: int, states: np.ndarray) -> np.ndarray:
        """Turns the last states of all directions, (W, B, H / W), into a state of the decoder, (B, H)."""
        both = states.transpose(1, 0, 2).reshape(states.shape[1], -1)
        if self.config.bridge == "none" or not self.config.bidirectional or layer not in self.starts:
            return both
        name = f"bridge_{layer}_{'hc'[position]}"
        state = both @ self.bridges[f"{name}.kernel"] + self.bridges[f"{name}.bias"]
        return np.tanh(state) if position == 0 else state


class NumpyTranslator:
    """A translator's step function, built from its weights."""

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.attends = config.attention != "none"
        self.encoder = NumpyEncoder(config, weights)
        self.decoder = NumpyDecoder(config, weights, attends=self.attends)
        # memory that a step reads for each symbol of a source: keys and values
        self.symbol_bytes = self.decoder.memory_kernel[0].nbytes if self.attends else 0

    def start(self, source_ids: np.ndarray) -> State:
        """Encodes sources: int32 (B, S), the symbols of each source and END, right-padded."""
        memory, states, real = self.encoder(source_ids)
        if not self.attends:
            return State(states, ())
        bias = np.where(real, np.float32(0), np.float32(-1e9))[:, None]
        return State(states, (*self.decoder.remember(memory), bias))

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Feeds one symbol, int32 (N,), to each hypothesis; returns logits float32 (N, V), as NumpyDecoder.step."""
        return self.decoder.step(token_ids, state)

    def attend(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State, np.ndarray | None]:
        """Feeds one symbol, int32 (N,); returns logits float32 (N, V), the state and weights float32 (N, S) or None."""
        return self.decoder.attend(token_ids, state)

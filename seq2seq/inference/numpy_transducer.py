"""Runs a transducer with NumPy only."""

from typing import NamedTuple

import numpy as np

from seq2seq.config import ModelConfig
from seq2seq.decoding import State
from seq2seq.inference.numpy_cells import Weights, cell_of
from seq2seq.inference.numpy_runtime import NumpyEncoder, product
from seq2seq.special import PAD
from seq2seq.text.edits import advances, impossible


class _Source(NamedTuple):
    """What the steps read of B sources."""

    last: np.ndarray  # int (B,): the position of END
    beside: np.ndarray  # float32 (B, S, G + 1, H): the share of the memory and the tags in the gates and in `combine`


class NumpyTransducer:
    """A transducer's step function, built from its weights."""

    symbol_bytes = 0  # a step reads one symbol of each source

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        self.encoder = NumpyEncoder(config, weights)
        self.cells = [cell_of(config, weights, f"decoder_{index}") for index in range(config.layers)]
        table, size = weights["action_embedding.embeddings"], config.units
        self.tag_table = weights.get("tag_embedding.embeddings")
        # the first layer reads the action, the memory and the tags; the output layer its outputs, the memory, the tags
        kernel = self.cells[0].input_kernel
        zeros = np.zeros((len(table), kernel.shape[-2] - table.shape[1]), np.float32)
        projected = self.cells[0].project(np.concatenate([table, zeros], 1))
        self.projected_table = np.ascontiguousarray(projected.transpose(1, 0, 2))  # (A, G, H)
        self.combine, beside_combine = np.split(weights["combine.kernel"], [size])
        self.combine_bias = weights["combine.bias"]
        self.beside_kernel = np.concatenate([*kernel[:, table.shape[1] :], beside_combine], -1)
        self.output_kernel = weights["logits.kernel"]
        self.moves = advances(len(table)).astype(np.int64)
        self.output_biases = np.where(impossible(len(table)), -np.inf, weights["logits.bias"]).astype(np.float32)

    def start(self, source_ids: np.ndarray, tag_ids: np.ndarray) -> State:
        """Encodes sources.

        Args:
            source_ids: int32 (B, S), the symbols of each source and END, right-padded.
            tag_ids: int32 (B, F), the tags of each source, right-padded; for a model with tags.

        """
        beside, states, real = self.encoder(source_ids)
        count, steps = real.shape
        if self.tag_table is not None:
            vectors = (self.tag_table[tag_ids] * (tag_ids != PAD)[..., None]).sum(1)
            beside = np.concatenate([beside, np.broadcast_to(vectors[:, None], (count, steps, vectors.shape[1]))], -1)
        shares = product(beside, self.beside_kernel).reshape(count, steps, -1, len(self.combine_bias))
        shares[:, :, -1] += self.combine_bias
        return State([np.zeros(count, np.int64), *states], _Source(real.sum(1) - 1, shares))

    def step(self, token_ids: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Takes one action for each hypothesis.

        Args:
            token_ids: int32 (N,), N = B x K.
            state: rows: the position, int (N,), and states (N, H) each; shared: what `start` read of the sources.

        Returns:
            logits float32 (N, A), minus infinity for impossible actions, and the next state.

        """
        source: _Source = state.shared
        position, *states = state.rows
        count = len(source.last)
        each = np.arange(count).repeat(len(token_ids) // max(count, 1))
        last = source.last.take(each)
        position = np.minimum(position + self.moves.take(token_ids), last)
        beside = source.beside[each, position]
        inputs = self.projected_table.take(token_ids, axis=0)
        inputs += beside[:, :-1]
        projected = inputs.transpose(1, 0, 2)
        after: list[np.ndarray] = []
        for index, cell in enumerate(self.cells):
            if index:
                projected = cell.project(after[-cell.state_count])
            after.extend(cell(projected, states[index * cell.state_count : (index + 1) * cell.state_count]))
        hidden = after[-self.cells[-1].state_count].dot(self.combine)
        hidden += beside[:, -1]
        logits = np.tanh(hidden, out=hidden).dot(self.output_kernel)
        logits += self.output_biases.take((position == last).view(np.int8), axis=0)
        return logits, State([position, *after], source)

"""Recurrent layers: Keras's LSTM with a faster loop on CPUs, and the reversal for a bidirectional encoder.

The forward loop is one fused operation, which also returns the gates. The backward pass computes the gradient of both
kernels in one large product after the loop, not in a small one at each step. It uses bfloat16 if the CPU has
instructions for it. Outputs and loss are always float32.
"""

import os
from pathlib import Path
from typing import Any

from seq2seq.config import ModelConfig
from seq2seq.models.backend import keras, tf


def gradient_type() -> tf.DType:
    """Returns the dtype of the products in an LSTM's backward pass: bfloat16 if that is faster, else float32."""
    try:
        features = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        features = ""
    native = any(f" {feature}" in features for feature in ("avx512_bf16", "amx_bf16"))
    slow = os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" or tf.config.list_physical_devices("GPU")
    return tf.bfloat16 if native and not slow else tf.float32


@tf.custom_gradient
def lstm_over_time(
    sequences: tf.Tensor,
    kernel: tf.Tensor,
    recurrent_kernel: tf.Tensor,
    bias: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
) -> Any:
    """Runs an LSTM over a batch of sequences.

    Args:
        sequences: float32 (T, B, M), the inputs.
        kernel, recurrent_kernel, bias: float32 (M, 4H), (H, 4H) and (4H,); gates in the order i, f, g, o.
        hidden, cell: float32 (B, H), the initial states.

    Returns:
        hiddens and cells, float32 (T, B, H) each.

    Source: Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735, with Gers's forget gate.

    """
    steps, size = tf.shape(sequences)[0], recurrent_kernel.shape[0]
    unused = tf.zeros(size)
    after = tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.cast(steps, tf.int64),
        x=sequences,
        cs_prev=cell,
        h_prev=hidden,
        w=tf.concat([kernel, recurrent_kernel], 0),
        wci=unused,
        wcf=unused,
        wco=unused,
        b=bias,
        cell_clip=0.0,
        use_peephole=False,
    )
    # each (T, B, H): gates after their nonlinearity, tanh of the cells, cells and hidden states
    enter, forget, candidate, leave = after.i, after.f, after.ci, after.o
    squashed, cells, hiddens = after.co, after.cs, after.h

    def gradient(d_hiddens: tf.Tensor, d_cells: tf.Tensor) -> tuple[tf.Tensor, ...]:
        low = gradient_type()
        transposed = tf.cast(tf.transpose(recurrent_kernel), low)
        before = tf.concat([cell[None], cells[:-1]], 0)
        # gradients of the gates' inputs per gradient of the cell (i, f, g) and of the hidden state (o), without a loop
        slopes = tf.concat(
            [
                candidate * enter * (1 - enter),
                before * forget * (1 - forget),
                enter * (1 - candidate * candidate),
                squashed * leave * (1 - leave),
            ],
            -1,
        )
        into_cell = leave * (1 - squashed * squashed)

        def body(time: tf.Tensor, d_hidden: tf.Tensor, d_cell: tf.Tensor, written: tf.TensorArray) -> Any:
            end = time + 1

            def now(values: tf.Tensor) -> tf.Tensor:  # one operation, without a copy
                return tf.strided_slice(values, time, end, shrink_axis_mask=1)

            d_hidden = d_hidden + now(d_hiddens)
            d_cell = d_cell + d_hidden * now(into_cell) + now(d_cells)
            d_logits = tf.cast(tf.concat([d_cell, d_cell, d_cell, d_hidden], -1) * now(slopes), low)
            return (
                time - 1,
                tf.cast(tf.matmul(d_logits, transposed), tf.float32),
                d_cell * now(forget),
                written.write(time[0], d_logits),
            )

        written = tf.TensorArray(low, steps, element_shape=(None, 4 * size))
        start = (steps[None] - 1, tf.zeros_like(hidden), tf.zeros_like(cell), written)
        _, d_hidden, d_cell, written = tf.while_loop(lambda time, *_: time[0] >= 0, body, start)
        d_logits = tf.reshape(written.stack(), (-1, 4 * size))
        width = kernel.shape[0]
        entering = tf.concat([sequences, tf.concat([hidden[None], hiddens[:-1]], 0)], -1)
        entering = tf.cast(tf.reshape(entering, (-1, width + size)), low)
        d_kernels = tf.cast(tf.matmul(entering, d_logits, transpose_a=True), tf.float32)
        d_sequences = tf.cast(tf.matmul(d_logits, tf.cast(tf.transpose(kernel), low)), tf.float32)
        return (
            tf.reshape(d_sequences, tf.shape(sequences)),
            d_kernels[:width],
            d_kernels[width:],
            tf.reduce_sum(tf.cast(d_logits, tf.float32), 0),
            d_hidden,
            d_cell,
        )

    return (hiddens, cells), gradient


@keras.saving.register_keras_serializable("seq2seq")
class LSTM(keras.layers.LSTM):
    """keras.layers.LSTM that trains three to four times faster on a CPU; on a GPU it runs Keras's own, with cuDNN.

    Padding must be on the right. The mask selects the state after each row's last symbol; outputs on padding are not
    defined. Nothing uses them, since attention and the loss have their own masks.
    """

    def compute_mask(self, sequences: Any, mask: Any) -> None:
        """Returns no mask for the outputs, since masks are explicit inputs in this package."""

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Returns the last output (B, H), all outputs (B, T, H) and the last states."""
        if tf.config.list_physical_devices("GPU"):
            return super().inner_loop(sequences, initial_state, mask, training=training)
        weights = (self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        hiddens, cells = lstm_over_time(
            tf.transpose(sequences, (1, 0, 2)), *map(tf.convert_to_tensor, weights), *initial_state
        )
        if mask is None:
            hidden, cell = hiddens[-1], cells[-1]
        else:
            last = tf.stack([tf.maximum(lengths_of(mask) - 1, 0), tf.range(tf.shape(sequences)[0])], 1)
            hidden, cell = tf.gather_nd(hiddens, last), tf.gather_nd(cells, last)
        return hidden, tf.transpose(hiddens, (1, 0, 2)), [hidden, cell]


@keras.saving.register_keras_serializable("seq2seq")
class GRU(keras.layers.GRU):
    """keras.layers.GRU without the implicit mask of its outputs."""

    def compute_mask(self, sequences: Any, mask: Any) -> None:
        """Returns no mask for the outputs, since masks are explicit inputs in this package."""


@keras.saving.register_keras_serializable("seq2seq")
def hard_sigmoid_of_keras_2(x: Any) -> Any:
    """Computes clip(0.2 x + 0.5, 0, 1) of float (...); the hard_sigmoid of Keras 3 is clip(x / 6 + 0.5, 0, 1)."""
    return tf.clip_by_value(0.2 * x + 0.5, 0.0, 1.0)


@keras.saving.register_keras_serializable("seq2seq")
class HardLSTM(keras.layers.LSTM):
    """An LSTM whose gates are Keras 2's hard sigmoid, for adopted models; without the hidden mask on its outputs."""

    def __init__(self, units: int, **settings: Any) -> None:
        super().__init__(units, **{**settings, "recurrent_activation": hard_sigmoid_of_keras_2})

    def compute_mask(self, sequences: Any, mask: Any) -> None:
        """Returns no mask for the outputs, since masks are explicit inputs in this package."""


def lengths_of(mask: tf.Tensor) -> tf.Tensor:
    """Counts the symbols in each row of a right-padded mask (B, T); returns int32 (B,)."""
    return tf.reduce_sum(tf.cast(mask, tf.int32), 1)


@keras.saving.register_keras_serializable("seq2seq")
class ReverseSequence(keras.layers.Layer):
    """Reverses the symbols in each row of (B, T, H); padding stays on the right."""

    def call(self, sequences: Any, real: Any) -> Any:
        """Reverses sequences (B, T, H); real: bool (B, T), True on symbols, right-padded."""
        return tf.reverse_sequence(sequences, lengths_of(real), seq_axis=1, batch_axis=0)

    def compute_output_shape(self, sequences_shape: Any, real_shape: Any = None) -> Any:
        """Returns the same shape."""
        return sequences_shape


def recurrent_layer(config: ModelConfig, units: int, *, name: str) -> keras.layers.Layer:
    """Returns a layer from (B, T, M) to its outputs (B, T, H) and its last states."""
    layer = {"lstm": HardLSTM if config.gates == "hard_sigmoid" else LSTM, "gru": GRU}[config.rnn]
    return layer(units, return_sequences=True, return_state=True, name=name)

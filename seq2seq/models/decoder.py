"""The decoder: the whole language model or, with the encoder's memory as input, half of a translator."""

from typing import Any

from seq2seq.config import ModelConfig
from seq2seq.models.attention import Attention
from seq2seq.models.backend import keras, ops
from seq2seq.models.recurrent import recurrent_layer

# standard deviation of initial embeddings; with Keras's 0.03 the state hides the inputs for hundreds of steps
LANGUAGE_DEVIATION, PAIRS_DEVIATION = 1.0, 0.3


def embedding(size: int, width: int, *, deviation: float, name: str) -> keras.layers.Embedding:
    """Returns a layer from ids below `size` to vectors of length `width`, at first from N(0, deviation^2)."""
    initializer = keras.initializers.RandomNormal(0.0, deviation)
    return keras.layers.Embedding(size, width, embeddings_initializer=initializer, name=name)


def state_count(config: ModelConfig) -> int:
    """Counts a decoder's state arrays, (B, H) each: h and c of each LSTM layer, h of each GRU layer."""
    return config.layers * (2 if config.rnn == "lstm" else 1)


def build_decoder(config: ModelConfig, target_size: int, *, memory_size: int | None = None) -> keras.Model:
    """Builds the decoder.

    Args:
        config: sizes; `attention` is used only with a memory.
        target_size: V, special ids included.
        memory_size: M, the size of the encoder's outputs; None: no memory.

    Returns:
        A model from [token_ids int32 (B, T), states (B, H) each, and with attention: memory (B, S, M),
        memory_mask bool (B, S)] to [logits float32 (B, T, V), states (B, H) each]. With attention the layer
        `attention` has the weights (B, T, S) as its second output.

    """
    hidden = config.units
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    states = [keras.Input((hidden,), name=f"state_{index}") for index in range(state_count(config))]
    memory_inputs: list[Any] = []
    deviation = LANGUAGE_DEVIATION if memory_size is None else PAIRS_DEVIATION
    outputs = embedding(target_size, config.embedding_size, deviation=deviation, name="target_embedding")(token_ids)
    per_layer = state_count(config) // config.layers
    last_states: list[Any] = []
    for index in range(config.layers):
        outputs = keras.layers.Dropout(config.dropout or 0.0, name=f"decoder_{index}_dropout")(outputs)
        layer = recurrent_layer(config, hidden, name=f"decoder_{index}")
        outputs, *after = layer(outputs, initial_state=states[index * per_layer : (index + 1) * per_layer])
        last_states.extend(after)
    if memory_size is not None and config.attention != "none":
        memory = keras.Input((None, memory_size), name="memory")
        memory_mask = keras.Input((None,), dtype="bool", name="memory_mask")
        memory_inputs = [memory, memory_mask]
        context, _ = Attention(config.attention, name="attention")(outputs, memory, memory_mask)
        outputs = ops.concatenate([context, outputs], axis=-1)
        if config.combine == "tanh":
            outputs = keras.layers.Dense(hidden, activation="tanh", name="combine")(outputs)
    outputs = keras.layers.Dropout(config.dropout or 0.0, name="output_dropout")(outputs)
    logits = keras.layers.Dense(target_size, dtype="float32", name="logits")(outputs)
    return keras.Model([token_ids, *states, *memory_inputs], [logits, *last_states], name="decoder")

"""Builds a model from Keras's own layers and operations alone, so that Keras loads it without this package.

The weights are those of the model folder; where a layer of this package has no equal in Keras, they are converted.
"""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.config import TRANSDUCER, ModelConfig, decoder_starts
from seq2seq.models.backend import keras, ops
from seq2seq.models.decoder import state_count
from seq2seq.models.weights import import_weights
from seq2seq.special import PAD
from seq2seq.text.edits import COPY, SUB_UNKNOWN, action_count, first_insertion, impossible

# clip(0.2 x + 0.5, 0, 1), the gates of early Keras, is today's hard_sigmoid of 1.2 x, which is clip(x / 6 + 0.5, 0, 1)
HARD_SCALE = 1.2
IMPOSSIBLE = "impossible_actions"


class PlainModels(NamedTuple):
    """The models of one model folder; a language model has no encoder."""

    encoder: keras.Model | None  # source_ids (B, S) -> [memory (B, S, H), states (B, H) each]
    decoder: keras.Model  # as the models of `seq2seq.models`, with the same inputs and outputs
    attends: bool  # whether memory and memory_mask are inputs of the decoder


def plain_models(bundle: Bundle, *, source_steps: int | None = None, steps: int | None = None) -> PlainModels:
    """Builds encoder and decoder with the weights of one model, which is no ensemble.

    Args:
        bundle: the model.
        source_steps: symbols of each source, for an encoder without a loop over time; None: any number.
        steps: symbols that the decoder is fed at once, for a decoder without a loop over time; None: any number.

    """
    config, target_size = bundle.model, len(bundle.target_vocabulary)
    encoder, attends = None, False
    if bundle.source_vocabulary is None:
        decoder = symbol_decoder(config, target_size, attends=False, steps=steps)
    else:
        encoder = plain_encoder(config, len(bundle.source_vocabulary), steps=source_steps)
        attends = config.architecture == TRANSDUCER or config.attention != "none"
        if config.architecture == TRANSDUCER:
            tags = len(bundle.source_vocabulary) if bundle.source_vocabulary.features_sep else 0
            decoder = action_decoder(config, action_count(target_size), tags, steps=steps)
        else:
            decoder = symbol_decoder(config, target_size, attends=attends, steps=steps)
    models = [decoder] if encoder is None else [encoder, decoder]
    import_weights(models, dict(plain_weights(bundle)), where=str(bundle.path))
    return PlainModels(encoder, decoder, attends)


def plain_weights(bundle: Bundle) -> Iterator[tuple[str, np.ndarray]]:
    """Yields name and value, float32 (...), of each weight as Keras's own layers have it."""
    renamed = {
        "attention.query_kernel": "attention_query.kernel",
        "attention.bias": "attention_query.bias",
        "attention.memory_kernel": "attention_memory.kernel",
        "attention.vector": "attention_vector.kernel",
    }
    hard = bundle.model.rnn == "lstm" and bundle.model.gates == "hard_sigmoid"
    cells = {name.rpartition(".")[0] for name in bundle.weights if name.endswith(".recurrent_kernel")}
    for name, values in bundle.weights.items():
        if hard and name.rpartition(".")[0] in cells:
            enter, forget, candidate, leave = np.split(values, 4, -1)
            gates = [HARD_SCALE * gate for gate in (enter, forget)], candidate, HARD_SCALE * leave
            values = np.concatenate([*gates[0], *gates[1:]], -1)
        if name == "tag_embedding.embeddings":  # padding then adds nothing
            values = np.where(np.arange(len(values))[:, None] == PAD, np.float32(0), values)
        yield renamed.get(name, name), values
    if bundle.model.architecture == TRANSDUCER and bundle.source_vocabulary is not None:
        table = impossible(action_count(len(bundle.target_vocabulary)))
        yield f"{IMPOSSIBLE}.embeddings", np.where(table, -np.inf, 0).astype(np.float32)


def recurrent(config: ModelConfig, units: int, name: str, *, unroll: bool, backwards: bool = False) -> Any:
    """Returns a layer from (B, T, M) to its outputs (B, T, H) and its last states."""
    settings: dict[str, Any] = {"return_sequences": True, "return_state": True, "name": name, "use_cudnn": False}
    if config.rnn == "lstm":
        settings["recurrent_activation"] = config.gates
    layer = keras.layers.LSTM if config.rnn == "lstm" else keras.layers.GRU
    return layer(units, go_backwards=backwards, unroll=unroll, **settings)


def plain_encoder(config: ModelConfig, source_size: int, *, steps: int | None) -> keras.Model:
    """Builds the encoder, with the inputs and outputs of `seq2seq.models.translator.build_encoder`."""
    source_ids = keras.Input((steps,), dtype="int32", name="source_ids")
    real = ops.not_equal(source_ids, PAD)
    memory = keras.layers.Embedding(source_size, config.embedding_size, name="source_embedding")(source_ids)
    starts, unroll = decoder_starts(config), steps is not None
    states: list[list[Any]] = []
    for index in range(config.encoder_layers or config.layers):
        name = f"encoder_{index}"
        if not config.bidirectional:
            memory, *after = recurrent(config, config.units, name, unroll=unroll)(memory, mask=real)
            states.append(after)
            continue
        half = config.units // 2
        read, *ahead = recurrent(config, half, f"{name}_forward", unroll=unroll)(memory, mask=real)
        # padding comes first, where it does not change the zeros that the layer starts with
        backward = recurrent(config, half, f"{name}_backward", unroll=unroll, backwards=True)
        read_back, *behind = backward(memory, mask=real)
        memory = ops.concatenate([read, ops.flip(read_back, axis=1)], axis=-1)
        both = [ops.concatenate(pair, axis=-1) for pair in zip(ahead, behind, strict=True)]
        if config.bridge == "dense" and index in starts:
            names = [f"bridge_{index}_{state}" for state in "hc"[: len(both)]]
            both = [
                keras.layers.Dense(config.units, activation="tanh" if state.endswith("h") else None, name=state)(value)
                for state, value in zip(names, both, strict=True)
            ]
        states.append(both)
    zeros = [ops.zeros_like(state) for state in states[0]]
    chosen = [zeros if start is None else states[start] for start in starts]
    return keras.Model(source_ids, [memory, *itertools.chain.from_iterable(chosen)], name="encoder")


def run_layers(config: ModelConfig, outputs: Any, states: list[Any], *, unroll: bool) -> tuple[Any, list[Any]]:
    """Runs the decoder's recurrent layers on (B, T, M); returns the last outputs (B, T, H) and all last states."""
    per_layer, last_states = state_count(config) // config.layers, []
    for index in range(config.layers):
        layer = recurrent(config, config.units, f"decoder_{index}", unroll=unroll)
        outputs, *after = layer(outputs, initial_state=states[index * per_layer : (index + 1) * per_layer])
        last_states.extend(after)
    return outputs, last_states


def state_inputs(config: ModelConfig) -> list[Any]:
    """Returns the inputs of the decoder's states, (B, H) each."""
    return [keras.Input((config.units,), name=f"state_{index}") for index in range(state_count(config))]


def symbol_decoder(config: ModelConfig, target_size: int, *, attends: bool, steps: int | None) -> keras.Model:
    """Builds the decoder, with the inputs and outputs of `seq2seq.models.decoder.build_decoder`."""
    token_ids = keras.Input((steps,), dtype="int32", name="token_ids")
    states, memory_inputs = state_inputs(config), []
    outputs = keras.layers.Embedding(target_size, config.embedding_size, name="target_embedding")(token_ids)
    outputs, last_states = run_layers(config, outputs, states, unroll=steps is not None)
    if attends:
        memory = keras.Input((None, config.units), name="memory")
        memory_mask = keras.Input((None,), dtype="bool", name="memory_mask")
        memory_inputs = [memory, memory_mask]
        scores = attention_scores(config, outputs, memory)
        weights = ops.softmax(ops.where(ops.expand_dims(memory_mask, 1), scores, -1e9), axis=-1)
        outputs = ops.concatenate([ops.matmul(weights, memory), outputs], axis=-1)
        if config.combine == "tanh":
            outputs = keras.layers.Dense(config.units, activation="tanh", name="combine")(outputs)
    logits = keras.layers.Dense(target_size, name="logits")(outputs)
    return keras.Model([token_ids, *states, *memory_inputs], [logits, *last_states], name="decoder")


def attention_scores(config: ModelConfig, query: Any, memory: Any) -> Any:
    """Returns the scores (B, T, S) of queries (B, T, H) and memory (B, S, H), as `seq2seq.models.attention`."""
    if config.attention == "luong":
        projected = keras.layers.Dense(config.units, use_bias=False, name="attention")(query)
        return ops.matmul(projected, ops.transpose(memory, (0, 2, 1)))
    from_query = keras.layers.Dense(config.units, name="attention_query")(query)
    from_memory = keras.layers.Dense(config.units, use_bias=False, name="attention_memory")(memory)
    joined = ops.tanh(ops.add(ops.expand_dims(from_query, 2), ops.expand_dims(from_memory, 1)))
    return ops.squeeze(keras.layers.Dense(1, use_bias=False, name="attention_vector")(joined), -1)


def action_decoder(config: ModelConfig, actions: int, tags: int, *, steps: int | None) -> keras.Model:
    """Builds the decoder, with the inputs and outputs of `seq2seq.models.transducer.build_action_decoder`."""
    width = config.embedding_size
    action_ids = keras.Input((steps,), dtype="int32", name="token_ids")
    position = keras.Input((), dtype="int32", name="position")
    states = state_inputs(config)
    memory = keras.Input((None, config.units), name="memory")
    memory_mask = keras.Input((None,), dtype="bool", name="memory_mask")
    tag_inputs = [keras.Input((None,), dtype="int32", name="tag_ids")] if tags else []
    last = ops.expand_dims(ops.sum(ops.cast(memory_mask, "int32"), axis=1) - 1, 1)
    moves = ops.logical_or(
        ops.logical_and(ops.greater_equal(action_ids, COPY), ops.less(action_ids, first_insertion(actions))),
        ops.equal(action_ids, SUB_UNKNOWN),
    )
    walked = ops.expand_dims(position, 1) + ops.cumsum(ops.cast(moves, "int32"), axis=1)
    positions = ops.minimum(walked, last)
    context = ops.take_along_axis(memory, ops.expand_dims(positions, 2), axis=1)
    previous = keras.layers.Embedding(actions, width, name="action_embedding")(action_ids)
    beside = [context]
    if tags:
        vectors = keras.layers.Embedding(tags, width, name="tag_embedding")(tag_inputs[0])
        beside.append(ops.zeros_like(previous) + ops.sum(vectors, axis=1, keepdims=True))
    outputs = ops.concatenate([previous, *beside], axis=-1)
    outputs, last_states = run_layers(config, outputs, states, unroll=steps is not None)
    combine = keras.layers.Dense(config.units, activation="tanh", name="combine")
    outputs = combine(ops.concatenate([outputs, *beside], axis=-1))
    logits = keras.layers.Dense(actions, name="logits")(outputs)
    at_end = 1 - ops.minimum(last - positions, 1)  # numbers: LiteRT cannot look up a converted truth value
    logits = logits + keras.layers.Embedding(2, actions, name=IMPOSSIBLE)(at_end)
    inputs = [action_ids, position, *states, memory, memory_mask, *tag_inputs]
    return keras.Model(inputs, [logits, positions[:, -1], *last_states], name="decoder")

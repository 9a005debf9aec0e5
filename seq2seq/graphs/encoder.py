"""The encoder as a graph: source ids in, what each step of the decoder reads out, and the states it starts with."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from onnx import TensorProto

from seq2seq.bundle.weights import STATES
from seq2seq.config import TRANSDUCER, decoder_starts
from seq2seq.graphs import names
from seq2seq.graphs.builder import BOOL, FLOAT, INT, Builder, Port
from seq2seq.graphs.cells import Part, run_layer
from seq2seq.special import PAD

SOURCE_IDS = Port(names.SOURCE_IDS, INT, ("B", "S"), "the ids of each source's row, right-padded with PAD (0)")
SOURCE_MASK = Port(names.SOURCE_MASK, BOOL, ("B", "S"), "true where source_ids has an id, false where it has padding")
TAG_IDS = Port(names.TAG_IDS, INT, ("B", "F"), "the ids of each source's tags, right-padded with PAD (0), at least one")


def encoder_graph(parts: Sequence[Part]) -> Builder:
    """Builds the encoder of a translator, or of all members of an ensemble."""
    builder = Builder(names.ENCODER)
    ids, mask = builder.input(SOURCE_IDS), builder.input(SOURCE_MASK)
    for part in parts:
        encode(builder, part, ids, mask)
    if parts[0].config.architecture == TRANSDUCER:
        zeros = builder.add("Sub", builder.length(ids, 0), builder.length(ids, 0))
        positions = builder.add("Expand", zeros, builder.length(ids, 0))
        builder.output(positions, positions_port("B", names.POSITIONS, "0: nothing of the source has been read"))
    return builder


def positions_port(rows: str, name: str, meaning: str) -> Port:
    """Returns the port of positions."""
    return Port(name, INT, (rows,), f"index of the source symbol that the next action is about; {meaning}")


def state_port(part: Part, state: str, rows: str, name: str, meaning: str) -> Port:
    """Returns the port of one state."""
    return Port(name, FLOAT, (rows, part.config.units), f"{state.removeprefix(part.prefix)} of the decoder, {meaning}")


def encode(builder: Builder, part: Part, ids: str, mask: str) -> None:
    """Adds one encoder, and gives out what the steps read of it."""
    config = part.config
    # int32, as ONNX's recurrent operators ask for
    counted = builder.add("Cast", mask, to=TensorProto.INT32)
    lengths = builder.add("ReduceSum", counted, builder.ints(1), keepdims=0)
    ways = ("_forward", "_backward") if config.bidirectional else ("",)
    memory = builder.add("Gather", part.weight(builder, "source_embedding.embeddings"), ids)
    by_layer = []
    for layer in range(config.encoder_layers or config.layers):
        layers = [f"encoder_{layer}{way}" for way in ways]
        by_time = builder.add("Transpose", memory, perm=(1, 0, 2))
        memory, states = run_layer(builder, part, layers, by_time, lengths)
        kinds = zip(STATES[config.rnn], states, strict=True)
        by_layer.append([bridge(builder, part, layer, kind, state) for kind, state in kinds])
    zeros = [builder.add("Mul", state, builder.number(0)) for state in by_layer[0]]
    chosen = [zeros if start is None else by_layer[start] for start in decoder_starts(config)]
    starts = zip(part.states, (state for several in chosen for state in several), strict=True)
    for name, state in starts:
        builder.output(state, state_port(part, name, "B", name, "before the first step"))
    if config.architecture == TRANSDUCER:
        give_memory(builder, part, memory)
    elif config.attention != "none":
        give_attention(builder, part, memory)


def bridge(builder: Builder, part: Part, layer: int, kind: str, state: str) -> str:
    """Turns the last state of both directions, float32 (B, H), into a state of the decoder, float32 (B, H)."""
    config = part.config
    if config.bridge == "none" or not config.bidirectional or layer not in decoder_starts(config):
        return state
    kernel, bias = (part.weight(builder, f"bridge_{layer}_{kind}.{which}") for which in ("kernel", "bias"))
    dense = builder.dense(state, kernel, bias)
    return builder.add("Tanh", dense) if kind == "h" else dense


class AttentionKernels(NamedTuple):
    """What the attention multiplies with.

    The layer after it reads the context and the decoder's output side by side; the context's part of that layer's
    kernel makes values of the memory, once for all steps.
    """

    keys: np.ndarray  # float32 (H, H), of the memory
    values: np.ndarray  # float32 (H, O), of the memory
    query: np.ndarray  # float32 (H, O), of the decoder's output
    layer: str  # the name of the layer after the attention


def attention_kernels(part: Part) -> AttentionKernels:
    """Returns the kernels of a model's attention."""
    name = "combine" if part.config.combine == "tanh" else "logits"
    kernel = part.weights[f"{name}.kernel"]
    values, query = np.split(kernel, [len(kernel) - part.config.units])
    additive = part.config.attention == "bahdanau"
    keys = part.weights["attention.memory_kernel"] if additive else part.weights["attention.kernel"].T
    return AttentionKernels(keys, values, query, name)


def attention_ports(part: Part) -> list[Port]:
    """Returns the ports of keys and values."""
    keys, values, *_ = attention_kernels(part)
    what = "of each source symbol, which the attention"
    return [
        Port(f"{part.prefix}keys", FLOAT, ("B", "S", keys.shape[1]), f"the key {what} compares with"),
        Port(f"{part.prefix}values", FLOAT, ("B", "S", values.shape[1]), f"the value {what} averages"),
    ]


def give_attention(builder: Builder, part: Part, memory: str) -> None:
    """Gives out keys and values."""
    keys, values, *_ = attention_kernels(part)
    for port, kernel in zip(attention_ports(part), (keys, values), strict=True):
        builder.output(builder.dense(memory, builder.constant(kernel, f"{port.name}_kernel")), port)


def memory_port(part: Part) -> Port:
    """Returns the port of a transducer's memory."""
    width = part.config.units + part.config.embedding_size * has_tags(part)
    meaning = "the vector of each source symbol" + ", with that of the tags after it" * has_tags(part)
    return Port(f"{part.prefix}memory", FLOAT, ("B", "S", width), meaning)


def has_tags(part: Part) -> bool:
    """Returns whether a transducer reads tags."""
    return "tag_embedding.embeddings" in part.weights


def give_memory(builder: Builder, part: Part, memory: str) -> None:
    """Gives out the memory of a transducer, with the sum of the tags' vectors beside each symbol's."""
    if has_tags(part):
        tags = builder.input(TAG_IDS)
        vectors = builder.add("Gather", part.weight(builder, "tag_embedding.embeddings"), tags)
        known = builder.add("Not", builder.add("Equal", tags, builder.ints(PAD)))
        weights = builder.add("Unsqueeze", builder.add("Cast", known, to=TensorProto.FLOAT), builder.ints(2))
        total = builder.add("ReduceSum", builder.add("Mul", vectors, weights), builder.ints(1), keepdims=1)
        ones = builder.add("Slice", memory, builder.ints(0), builder.ints(1), builder.ints(2))  # (B, S, 1)
        beside = builder.add("Add", builder.add("Mul", ones, builder.number(0)), total)  # (B, S, E)
        memory = builder.add("Concat", memory, beside, axis=2)
    builder.output(memory, memory_port(part))

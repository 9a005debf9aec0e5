"""A decoder's step as a graph: an id and states in, logits and the next states out, for each of N hypotheses."""

from collections.abc import Sequence

import numpy as np
from onnx import TensorProto

from seq2seq.config import TRANSDUCER
from seq2seq.graphs import names
from seq2seq.graphs.builder import FLOAT, INT, Builder, Port
from seq2seq.graphs.cells import Part, step_cell
from seq2seq.graphs.encoder import (
    SOURCE_MASK,
    attention_kernels,
    attention_ports,
    memory_port,
    positions_port,
    state_port,
)
from seq2seq.text.edits import advances, impossible

TOKEN_IDS = Port(
    names.TOKEN_IDS,
    INT,
    ("N",),
    "the id that each hypothesis took last, START (2) first; N is B times K, and row b * K + k is hypothesis k of "
    "source b",
)
TEXT_IDS = Port(names.TOKEN_IDS, INT, ("N",), "the id of the next symbol of each text")
ATTENTION = Port(
    names.ATTENTION, FLOAT, ("N", "S"), "the attention weights: how much of each source symbol this step read"
)
FAR = -1e9  # added to the attention's score of padding
LEAST = -1e30  # a finite number below every log-probability


def step_graph(parts: Sequence[Part], *, reads_source: bool) -> Builder:
    """Builds the step of a model, or of all members of an ensemble: then logits are logs of their mean probabilities.

    Args:
        parts: the members.
        reads_source: False: a language model.

    """
    builder = Builder(names.STEP)
    tokens = builder.input(TOKEN_IDS if reads_source else TEXT_IDS)
    transduces = reads_source and parts[0].config.architecture == TRANSDUCER
    found, weights = [], []
    position = Position(builder, parts[0], tokens) if transduces else None
    for part in parts:
        if position:
            found.append(transducer_step(builder, part, tokens, position))
            continue
        hidden = decoder_layers(builder, part, embedded(builder, part, tokens))
        attends = reads_source and part.config.attention != "none"
        if attends:
            hidden, attention = attend(builder, part, hidden)
            weights.append(attention)
        found.append(hidden if attends and part.config.combine == "none" else logits_of(builder, part, hidden))
    logits = found[0] if len(found) == 1 else mean_log_probs(builder, found)
    meaning = "of every id that may come next"
    if len(parts) > 1:
        meaning = f"log of the mean of the members' probabilities, {meaning}"
    builder.output(logits, Port(names.LOGITS, FLOAT, ("N", size_of(parts[0])), meaning))
    if weights:
        mean = weights[0] if len(weights) == 1 else builder.add("Mean", *weights)
        builder.output(mean, ATTENTION)
    if position:
        builder.output(position.next, positions_port("N", names.NEXT + names.POSITIONS, "feed it as `positions` next"))
    return builder


def size_of(part: Part) -> int:
    """Returns the number of ids that a model chooses from."""
    return len(part.weights["logits.bias"])


def embedded(builder: Builder, part: Part, tokens: str, layer: str = "target_embedding") -> str:
    """Returns the vectors of ids, float32 (N, E)."""
    return builder.add("Gather", part.weight(builder, f"{layer}.embeddings"), tokens)


def logits_of(builder: Builder, part: Part, hidden: str) -> str:
    """Returns the logits of the last layer, float32 (N, V)."""
    return builder.dense(hidden, part.weight(builder, "logits.kernel"), part.weight(builder, "logits.bias"))


def decoder_layers(builder: Builder, part: Part, inputs: str) -> str:
    """Runs the decoder's layers, and gives out their next states; returns the last layer's output, float32 (N, H)."""
    count = len(part.states) // part.config.layers
    for layer in range(part.config.layers):
        own = part.states[layer * count : (layer + 1) * count]
        states = [builder.input(state_port(part, name, "N", name, "before this step")) for name in own]
        after = step_cell(builder, part, f"decoder_{layer}", inputs, states)
        for name, state in zip(own, after, strict=True):
            meaning = f"after this step: feed it as `{name}` next"
            builder.output(state, state_port(part, name, "N", names.NEXT + name, meaning))
        inputs = after[0]
    return inputs


def attend(builder: Builder, part: Part, hidden: str) -> tuple[str, str]:
    """Adds what the attention reads to the decoder's outputs.

    Args:
        builder: receives the nodes.
        part: the model.
        hidden: float32 (N, H).

    Returns:
        float32 (N, H), or logits (N, V) where the model has no layer between; and the weights, float32 (N, S).

    """
    keys, values = (builder.input(port) for port in attention_ports(part))
    mask = builder.add("Unsqueeze", builder.input(SOURCE_MASK), builder.ints(1))
    bias = builder.add("Where", mask, builder.number(0), builder.number(FAR))  # (B, 1, S)
    units = part.config.units
    by_source = builder.add("Concat", builder.length(keys, 0), builder.ints(-1, units), axis=0)
    query = builder.add("Reshape", hidden, by_source)  # (B, K, H)
    scores = builder.add("Add", scores_of(builder, part, query, keys), bias)
    weights = builder.add("Softmax", scores, axis=-1)  # (B, K, S)
    kernels = attention_kernels(part)
    context = builder.add("MatMul", weights, values)
    context = builder.reshape(context, (-1, kernels.query.shape[1]))
    own = builder.constant(kernels.query, f"{part.prefix}{kernels.layer}.query_kernel")
    combined = builder.add("Add", context, builder.dense(hidden, own, part.weight(builder, f"{kernels.layer}.bias")))
    rows = builder.add("Concat", builder.ints(-1), builder.length(keys, 1), axis=0)
    flat = builder.add("Reshape", weights, rows)
    return (builder.add("Tanh", combined) if part.config.combine == "tanh" else combined), flat


def scores_of(builder: Builder, part: Part, query: str, keys: str) -> str:
    """Compares queries, float32 (B, K, H), with keys, float32 (B, S, H); returns float32 (B, K, S)."""
    if part.config.attention == "luong":
        return builder.add("MatMul", query, builder.add("Transpose", keys, perm=(0, 2, 1)))
    kernel, bias, vector = (part.weight(builder, f"attention.{name}") for name in ("query_kernel", "bias", "vector"))
    apart = builder.add("Unsqueeze", builder.dense(query, kernel, bias), builder.ints(2))  # (B, K, 1, H)
    mixed = builder.add("Tanh", builder.add("Add", apart, builder.add("Unsqueeze", keys, builder.ints(1))))
    return builder.add("Squeeze", builder.add("MatMul", mixed, vector), builder.ints(3))


class Position:
    """Where each hypothesis of a transducer is after the action that it took last; the same for all members.

    Args:
        builder: receives the nodes.
        part: a member.
        tokens: int64 (N,), the actions.

    """

    def __init__(self, builder: Builder, part: Part, tokens: str) -> None:
        mask = builder.input(SOURCE_MASK)
        before = builder.input(positions_port("N", names.POSITIONS, "before the action in `token_ids`"))
        lengths = builder.add("ReduceSum", builder.add("Cast", mask, to=TensorProto.INT64), builder.ints(1), keepdims=0)
        rows, sources = builder.add("Size", tokens), builder.add("Size", lengths)
        each = builder.add("Range", builder.whole(0), rows, builder.whole(1))
        self.source = builder.add("Div", each, builder.add("Div", rows, sources))  # int (N,)
        last = builder.add("Sub", builder.add("Gather", lengths, self.source), builder.whole(1))
        moves = builder.constant(advances(size_of(part)).astype(np.int64), "advances")
        moved = builder.add("Gather", moves, tokens)
        self.next = builder.add("Min", builder.add("Add", before, moved), last)
        table = builder.constant(np.where(impossible(size_of(part)), -np.inf, 0).astype(np.float32), "impossible")
        at_end = builder.add("Cast", builder.add("Equal", self.next, last), to=TensorProto.INT64)
        self.impossible = builder.add("Gather", table, at_end)  # (N, A)


def transducer_step(builder: Builder, part: Part, tokens: str, position: Position) -> str:
    """Takes one action; returns logits, float32 (N, A), minus infinity for impossible actions."""
    memory = builder.input(memory_port(part))
    flat = builder.reshape(memory, (-1, memory_port(part).shape[-1]))  # type: ignore[arg-type]
    first = builder.add("Mul", position.source, builder.length(memory, 1))
    beside = builder.add("Gather", flat, builder.add("Add", first, position.next))
    inputs = builder.add("Concat", embedded(builder, part, tokens, "action_embedding"), beside, axis=1)
    hidden = builder.add("Concat", decoder_layers(builder, part, inputs), beside, axis=1)
    kernel, bias = (part.weight(builder, f"combine.{which}") for which in ("kernel", "bias"))
    logits = logits_of(builder, part, builder.add("Tanh", builder.dense(hidden, kernel, bias)))
    return builder.add("Add", logits, position.impossible)


def mean_log_probs(builder: Builder, logits: Sequence[str]) -> str:
    """Computes the log of the mean of several models' probabilities; an id impossible for all stays so."""
    log_probs = [builder.add("LogSoftmax", each, axis=-1) for each in logits]
    largest = builder.add("Max", *log_probs, builder.number(LEAST))
    scaled = [builder.add("Exp", builder.add("Sub", each, largest)) for each in log_probs]
    return builder.add("Add", builder.add("Log", builder.add("Mean", *scaled)), largest)

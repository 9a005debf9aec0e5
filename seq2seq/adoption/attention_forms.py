"""Recognises the usual forms of attention from the decoder's outputs to the encoder's."""

from typing import Any, NamedTuple

import numpy as np

from seq2seq.adoption.model_parts import AttentionParts, array, read_dense
from seq2seq.errors import AdoptionError
from seq2seq.foreign.graph import Call, Place, activation_of, call_of, describe, peeled, plain

FORMS = (
    "adopt knows keras.layers.Attention and AdditiveAttention, and Dot, softmax, Dot, between the decoder's outputs "
    "and the encoder's, followed by Concatenate"
)


class Attention(NamedTuple):
    """Attention, and the encoder call whose outputs it attends to."""

    attend: AttentionParts
    memory: Call


class Scored(NamedTuple):
    """What attention's weights are computed from, without the layers that follow."""

    kind: str
    query: Place
    memory: Place
    kernel: np.ndarray
    scale: float


def read_attention(call: Call, kernel: np.ndarray, bias: np.ndarray) -> tuple[Attention | None, Call | None]:
    """Reads the layers between the decoder's top layer and the logits.

    Args:
        call: the call that the logits' Dense layer reads.
        kernel, bias: those of the logits.

    Returns:
        The attention and the call of the decoder's top layer; None and None where there is none.

    Raises:
        AdoptionError: there is another kind of attention, or another layer.

    """
    combined = type(plain(call)).__name__ == "Dense"
    if combined:
        below, _ = peeled(call.inputs[0])
        dense = plain(call)
        if below.kind != "Concatenate" or activation_of(dense) != "tanh":
            raise AdoptionError(
                f"{describe(dense)}: expected the scores right after LSTM or GRU layers, got a layer with activation "
                f"{activation_of(dense)!r} between; a model folder can hold one only after attention (Concatenate), "
                "with tanh"
            )
        kernel, bias = read_dense(dense)
        call = below
    if call.kind != "Concatenate":
        return None, None
    parts: dict[str, np.ndarray] = {}
    scored, top, row = None, None, 0
    for place in call.inputs:
        part, _ = peeled(place)
        width = place.tensor.shape[-1]
        rows = kernel[row : row + width]
        row += width
        if hasattr(part.layer, "return_sequences") and "outputs" not in parts:
            top, parts["outputs"] = part, rows
        elif "context" not in parts:
            scored, parts["context"] = read_context(part), rows
        else:
            raise AdoptionError(
                f"{describe(call.layer)}: expected attention's context and the decoder's outputs, got more"
            )
    if scored is None or top is None or len(call.inputs) != 2:
        raise AdoptionError(f"{describe(call.layer)}: expected attention's context and the decoder's outputs; {FORMS}")
    query, from_query = projected(scored.query)
    memory, from_memory = projected(scored.memory)
    if query.layer is not top.layer or query.output != 0:
        raise AdoptionError(
            f"attention: expected the decoder's outputs as queries, got {describe(query.layer)}; {FORMS}"
        )
    if not hasattr(memory.layer, "return_sequences") or memory.output != 0 or not memory.layer.return_sequences:
        raise AdoptionError(
            f"attention: expected the encoder's outputs as memory, got {describe(memory.layer)}; {FORMS}"
        )
    weights = scored.kernel
    if scored.kind == "luong":
        weights = from_query @ weights @ from_memory.T
    elif not (is_identity(from_query) and is_identity(from_memory)):
        raise AdoptionError(f"attention: expected no Dense before additive attention, got one; {FORMS}")
    attend = AttentionParts(scored.kind, weights, scored.scale, parts["context"], parts["outputs"], bias, combined)
    return Attention(attend, memory), top


def read_context(call: Call) -> Scored:
    """Reads the context, a weighted mean of the memory, and how its weights are computed."""
    layer = call.layer
    if call.kind in ("Attention", "AdditiveAttention"):
        query, value = call.inputs[:2]
        if len(call.inputs) > 2 and call_of(call.inputs[2])[:2] != call_of(value)[:2]:
            raise AdoptionError(f"{describe(layer)}: expected the keys to be the values, got others")
        width = query.tensor.shape[-1]
        scale = np.atleast_1d(array(layer.scale)) if layer.scale is not None else np.ones(1, np.float32)
        if call.kind == "AdditiveAttention":
            return Scored("bahdanau", query, value, np.broadcast_to(scale, width).copy(), 1.0)
        if layer.score_mode == "concat":
            vector = np.full(width, float(array(layer.concat_score_weight)), np.float32)
            return Scored("bahdanau", query, value, vector, float(scale[0]))
        return Scored("luong", query, value, np.eye(width, dtype=np.float32) * scale[0], 1.0)
    if call.kind == "Dot":
        for weights, value in (call.inputs, call.inputs[::-1]):
            softmax, _ = peeled(weights)
            if softmax.kind == "Softmax" or (
                softmax.kind == "Activation" and activation_of(softmax.layer) == "softmax"
            ):
                return read_dots(call, softmax, value, value is call.inputs[1])
    raise AdoptionError(f"{describe(layer)}: expected attention or nothing before the scores; {FORMS}")


def read_dots(context: Call, softmax: Call, value: Place, value_last: bool) -> Scored:
    """Reads Dot(softmax(Dot(query, memory)), memory)."""
    scores, _ = peeled(softmax.inputs[0])
    axes = [pair(call.layer.axes) for call in (scores, context) if call.kind == "Dot"]
    # (B, T, S): the decoder's outputs stand first, and both sides are summed over their features
    if len(axes) != 2 or axes[0] != [2, 2] or axes[1] != [2, 1] or not value_last:
        raise AdoptionError(
            f"{describe(context.layer)}: expected Dot(axes=[2, 1])([softmax(Dot(axes=[2, 2])([decoder, encoder])), "
            f"encoder]), got {describe(scores.layer)} below it and axes {axes}; {FORMS}"
        )
    query, memory = scores.inputs
    if projected(memory)[0].layer is not peeled(value)[0].layer:
        raise AdoptionError(f"{describe(context.layer)}: expected the same encoder outputs in both Dot layers")
    width = query.tensor.shape[-1]
    return Scored("luong", query, memory, np.eye(width, dtype=np.float32), 1.0)


def pair(axes: Any) -> list[int]:
    """Returns the axes of a Dot of three-dimensional tensors as two numbers from 0."""
    both = [axes, axes] if isinstance(axes, int) else list(axes)
    return [axis % 3 for axis in both]


def projected(place: Place) -> tuple[Call, np.ndarray]:
    """Returns the call below a Dense without activation and bias, and its kernel; without a Dense, the identity."""
    call, _ = peeled(place)
    layer = plain(call)
    if type(layer).__name__ != "Dense":
        return call, np.eye(place.tensor.shape[-1], dtype=np.float32)
    kernel, bias = read_dense(layer)
    if activation_of(layer) != "linear" or bias.any():
        raise AdoptionError(f"{describe(layer)}: expected use_bias=False and no activation before attention; {FORMS}")
    below, _ = peeled(call.inputs[0])
    return below, kernel


def is_identity(matrix: np.ndarray) -> bool:
    """Returns whether a projection changes nothing."""
    return matrix.shape[0] == matrix.shape[1] and bool((matrix == np.eye(len(matrix))).all())

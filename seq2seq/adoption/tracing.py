"""Reads the parts of a Keras model from its graph of layers, as plain arrays."""

from typing import Any

import numpy as np

from seq2seq.adoption.attention_forms import read_attention
from seq2seq.adoption.model_parts import (
    BACKWARD,
    EMBEDDING,
    FORWARD,
    NUMBER,
    ONE_HOT,
    DecoderLayer,
    EncoderLayer,
    InitialState,
    ModelParts,
    SymbolInput,
    array,
    read_cell,
    read_dense,
)
from seq2seq.errors import AdoptionError
from seq2seq.foreign.graph import Call, Place, activation_of, call_of, describe, peeled, plain, read_output
from seq2seq.models.backend import keras

RECURRENT = ("LSTM", "GRU", "SimpleRNN", "RNN", "ConvLSTM1D", "Bidirectional")


def trace(model: Any, name: str) -> ModelParts:
    """Reads the parts of a model.

    Args:
        model: a functional or sequential Keras model, of one input (a language model) or of two (source and target).
        name: its name in messages.

    Raises:
        AdoptionError: a model folder cannot hold a part of it; the message names the part.

    """
    if isinstance(model, keras.Sequential) and not model.built:
        raise AdoptionError(f"{name}: expected a trained model, got a Sequential one that was never called")
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise AdoptionError(
            f"{name}: expected a functional or Sequential model, whose layers can be followed, got a subclassed one "
            f"({type(model).__name__}); build the same layers with keras.Model(inputs, outputs) and copy the weights"
        )
    if len(model.inputs) > 2:
        raise AdoptionError(
            f"{name}: expected the model that was fitted, with the inputs source and target (or one, of a text), got "
            f"{len(model.inputs)} inputs: {', '.join(tensor.name for tensor in model.inputs)}; an inference decoder "
            "is only half of the model"
        )
    outputs = [Place(tensor) for tensor in model.outputs if tensor is not None]
    if len(outputs) > 1 and len(model.inputs) == 1:
        outputs = [place for place in outputs if call_of(place).kind not in RECURRENT] or outputs
    if call_of(outputs[0]).kind in RECURRENT:
        raise AdoptionError(
            f"{name}: expected a model that predicts symbols, got one that returns "
            f"{describe(call_of(outputs[0]).layer)}; give the model that was fitted, not the inference encoder"
        )
    return trace_output(model, outputs[0])


def trace_output(model: Any, place: Place) -> ModelParts:
    """Follows the scores of symbols back to the inputs."""
    call, softmax = read_output(place)
    dense = plain(call)
    if type(dense).__name__ != "Dense":
        raise AdoptionError(f"expected Dense scores of the symbols at the output, got {describe(dense)} there")
    activation = activation_of(dense)
    if activation not in ("softmax", "linear"):
        raise AdoptionError(
            f"{describe(dense)}: expected a softmax over the symbols, got activation {activation!r}; "
            "decoding needs probabilities that sum to 1"
        )
    if len(softmax) > 1:
        raise AdoptionError(f"{describe(dense)}: a softmax is applied twice; remove one and train again")
    kernel, bias = read_dense(dense)
    below, _ = peeled(call.inputs[0])
    attention, top = read_attention(below, kernel, bias)
    top = top or below
    decoder, target_place = decoder_stack(top)
    target = read_symbol_input(model, target_place)
    starts = [start for _, start in decoder]
    reading = [place for several in starts if several for place in several if place is not None]
    memory = attention.memory if attention else None
    if not reading and memory is None:
        if len(model.inputs) == 2:
            raise AdoptionError(
                f"{describe(top.layer)}: expected a decoder that starts from the encoder's states, got one that starts "
                "from zeros: it cannot know the source; give initial_state=... and train again"
            )
        layers = [DecoderLayer(read_cell(layer), None) for layer, _ in decoder]
        single = not top.layer.return_sequences
        return ModelParts(None, target, [], layers, None, kernel, bias, not softmax, single=single)
    if not top.layer.return_sequences:
        raise AdoptionError(
            f"{describe(top.layer)}: expected a decoder with return_sequences=True, got one output per row"
        )
    chain = encoder_chain(reading, memory)
    source = read_symbol_input(model, chain[0].inputs[0])
    if source.input == target.input:
        raise AdoptionError("expected two inputs, source and target, got one that both encoder and decoder read")
    if memory is not None and memory.layer is not chain[-1].layer:
        raise AdoptionError(f"{describe(memory.layer)}: expected attention to the encoder's last layer, got another")
    encoder = [encoder_layer(call, number, len(chain), memory is not None) for number, call in enumerate(chain)]
    layers = [DecoderLayer(read_cell(layer), start_of(several, chain, layer)) for layer, several in decoder]
    attend = attention.attend if attention else None
    backwards = chain[0].kind != "Bidirectional" and bool(getattr(chain[0].layer, "go_backwards", False))
    return ModelParts(source, target, encoder, layers, attend, kernel, bias, not softmax, backwards=backwards)


def decoder_stack(call: Call) -> tuple[list[tuple[Any, list[Place | None] | None]], Place]:
    """Follows the decoder to its input; returns its layers with their initial states, lowest first, and the input."""
    layers: list[tuple[Any, list[Place | None] | None]] = []
    while True:
        layer = call.layer
        if call.kind == "Bidirectional":
            raise AdoptionError(
                f"{describe(layer)}: the decoder reads its input in both directions, and so the symbols that it "
                "is to predict; such a model cannot generate: train it without Bidirectional there"
            )
        if call.kind not in RECURRENT:
            raise AdoptionError(
                f"expected LSTM or GRU layers between the symbols and their scores, got {describe(layer)}; a model "
                "folder cannot hold it: train without it to adopt the model"
            )
        read_cell(layer)
        if layer.go_backwards:
            raise AdoptionError(f"{describe(layer)}: expected a decoder that reads forwards, got go_backwards=True")
        if call.output != 0:
            raise AdoptionError(f"{describe(layer)}: expected its outputs to be scored, got one of its last states")
        if layers and not layer.return_sequences:
            raise AdoptionError(
                f"{describe(layer)}: expected return_sequences=True below another layer, got one output"
            )
        layers.insert(0, (layer, call.states))
        below, _ = peeled(call.inputs[0])
        if below.kind in ("Embedding", "InputLayer"):
            return layers, call.inputs[0]
        if below.kind == "RepeatVector":
            raise AdoptionError(
                f"{describe(below.layer)}: the decoder reads the encoder's state at each step, not the symbols before; "
                "a model folder's decoder reads the symbol that it wrote last: train with teacher forcing to adopt it"
            )
        call = below


def read_symbol_input(model: Any, place: Place) -> SymbolInput:
    """Reads how symbols enter: by an Embedding of ids, as one-hot vectors or as magnitudes."""
    call, masked = peeled(place)
    vectors = None
    if call.kind == "Embedding":
        vectors = array(call.layer.embeddings)
        masked |= bool(call.layer.mask_zero)
        call, also = peeled(call.inputs[0])
        masked |= also
    if call.kind != "InputLayer":
        raise AdoptionError(
            f"expected symbols to enter by an Embedding or one-hot, got {describe(call.layer)} after the input; a "
            "model folder cannot hold it: train without it to adopt the model"
        )
    tensor = call.place.tensor
    number = next((i for i, given in enumerate(model.inputs) if given is tensor), None)
    if number is None:
        raise AdoptionError(f"{describe(call.layer)}: is not among the model's inputs")
    width = tensor.shape[1] if len(tensor.shape) > 1 else None
    if vectors is not None:
        return SymbolInput(EMBEDDING, vectors, masked, number, width)
    size = tensor.shape[-1] if len(tensor.shape) == 3 else 1
    if size is None:
        raise AdoptionError(
            f"input {tensor.name!r}: expected a known last axis, the number of symbols, got {tensor.shape}"
        )
    return SymbolInput(NUMBER if size == 1 else ONE_HOT, np.eye(size, dtype=np.float32), masked, number, width)


def encoder_chain(states: list[Place], memory: Call | None) -> list[Call]:
    """Returns the calls of the encoder's layers, first the one that reads the symbols."""
    calls = [memory] if memory is not None else []
    for place in states:
        calls += [call for call, _, _ in state_parts(place)]
    chains = []
    for call in calls:
        chain = [call]
        while (below := peeled(chain[0].inputs[0])[0]).kind in RECURRENT:
            if below.output != 0:
                raise AdoptionError(f"{describe(chain[0].layer)}: reads the states of {describe(below.layer)}")
            chain.insert(0, below)
        chains.append(chain)
    longest = max(chains, key=len)
    for chain in chains:
        for call, other in zip(chain, longest, strict=False):
            if call.layer is not other.layer:
                raise AdoptionError(
                    f"expected one encoder, got two: {describe(call.layer)} and {describe(other.layer)} both read the "
                    "source and pass their states on; use keras.layers.Bidirectional for two directions"
                )
    for call in longest:
        if call.states and any(state is not None for state in call.states):
            raise AdoptionError(
                f"{describe(call.layer)}: expected an encoder whose initial state is zeros, got initial_state"
            )
    return longest


def state_parts(place: Place) -> list[tuple[Call, str, int]]:
    """Lists the encoder states in a state, each as its call, its direction, and 0 for h or 1 for c."""
    call, _ = peeled(place)
    layer = call.layer
    if call.kind == "Concatenate":
        return [part for each in call.inputs for part in state_parts(each)]
    if call.kind == "Bidirectional":
        count = 2 if type(layer.forward_layer).__name__ == "LSTM" else 1
        if call.output == 0 and not layer.return_sequences and layer.merge_mode == "concat":
            return [(call, FORWARD, 0), (call, BACKWARD, 0)]
        if call.output > 0:
            number = call.output - 1
            return [(call, FORWARD if number < count else BACKWARD, number % count)]
    elif call.kind in RECURRENT and (call.output > 0 or not layer.return_sequences):
        return [(call, FORWARD, max(call.output - 1, 0))]
    raise AdoptionError(
        f"expected a decoder that starts from the encoder's states, got one that starts from {describe(layer)}; a "
        "model folder passes states on unchanged, those of two directions concatenated"
    )


def start_of(states: list[Place | None] | None, chain: list[Call], layer: Any) -> InitialState | None:
    """Reads the initial state of a decoder layer."""
    if not states or all(state is None for state in states):
        return None
    found = []
    for number, place in enumerate(states):
        if place is None:
            raise AdoptionError(f"{describe(layer)}: expected all states or none in initial_state, got some")
        parts = state_parts(place)
        if any(which != number for _, _, which in parts):
            raise AdoptionError(
                f"{describe(layer)}: expected initial_state=[h, c] of the encoder, got them in another order or one of "
                "them twice; a model folder passes h on as h and c as c"
            )
        found.append([(call.layer, direction) for call, direction, _ in parts])
    if any(parts != found[0] for parts in found) or len({id(source) for source, _ in found[0]}) > 1:
        raise AdoptionError(f"{describe(layer)}: expected h and c of one encoder layer, got a mixture of layers")
    number = next(i for i, call in enumerate(chain) if call.layer is found[0][0][0])
    return InitialState(number, tuple(direction for _, direction in found[0]))


def encoder_layer(call: Call, number: int, count: int, attended: bool) -> EncoderLayer:
    """Reads one layer of the encoder."""
    layer = call.layer
    if call.kind != "Bidirectional":
        if layer.go_backwards and (number or count > 1):
            raise AdoptionError(
                f"{describe(layer)}: expected go_backwards=False in an encoder of several layers, got True"
            )
        return EncoderLayer(read_cell(layer), None)
    if layer.merge_mode != "concat" and (number + 1 < count or attended):
        raise AdoptionError(
            f"{describe(layer)}: expected merge_mode 'concat', got {layer.merge_mode!r}; a model folder "
            "concatenates the two directions"
        )
    if layer.forward_layer.go_backwards:
        raise AdoptionError(f"{describe(layer)}: expected a forward layer that reads forwards, got go_backwards=True")
    return EncoderLayer(read_cell(layer.forward_layer), read_cell(layer.backward_layer))

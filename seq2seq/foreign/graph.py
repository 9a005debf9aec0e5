"""Follows the graph of a model and of nested models: which call computed a tensor, which layers read an input."""

import contextlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from seq2seq.errors import DataError
from seq2seq.foreign.models import is_functional
from seq2seq.models.backend import keras

# layers that change no values in inference, or that only mask
TRANSPARENT = (
    *("Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout"),
    *("Masking", "Identity", "ActivityRegularization", "Cast"),
)
# layers that return the values of their input in another form
RESHAPING = ("Masking", "Reshape", "Cast", "NotEqual", "ExpandDims", "Squeeze")


class Place(NamedTuple):
    """A tensor, with the outer tensors that feed the inputs of its nested model."""

    tensor: Any
    within: Mapping[int, "Place"] = {}


class Call(NamedTuple):
    """The call that computed a tensor."""

    layer: Any  # a layer or an operation of keras.ops
    output: int  # which of its outputs the tensor is
    inputs: list[Place]
    states: list[Place | None] | None  # the initial states of a recurrent layer
    place: Place

    @property
    def kind(self) -> str:
        """Returns the name of the layer's class."""
        return type(self.layer).__name__


class Output(NamedTuple):
    """The layers at the end of a graph that scores symbols."""

    scores: Call  # computes the scores, before the layers that only apply softmax
    softmax: list[Any]  # the layers that apply softmax, in order


def call_of(place: Place) -> Call:
    """Finds the call that computed a tensor, inside nested models too.

    Raises:
        DataError: a subclassed model computed it, or a model that is called with more tensors than it has inputs.

    """
    while True:
        if id(place.tensor) in place.within:
            place = place.within[id(place.tensor)]
            continue
        layer, node_index, index = place.tensor._keras_history
        node = layer._inbound_nodes[node_index]
        if not isinstance(layer, keras.Model):
            break
        if not getattr(layer, "inputs", None):
            raise DataError(
                f"{describe(layer)}: is a subclassed model inside, whose layers cannot be followed; build it with "
                "the functional API"
            )
        given = given_to(node)
        if len(given) != len(layer.inputs):
            raise DataError(
                f"{describe(layer)}: is called with {len(given)} tensors and has {len(layer.inputs)} inputs, so it "
                "is unknown which tensor feeds which input; call it with one tensor for each input"
            )
        within = {id(inner): Place(outer, place.within) for inner, outer in zip(layer.inputs, given, strict=True)}
        place = Place(layer.outputs[index], within)
    arguments, keywords = node.arguments.args, dict(node.arguments.kwargs)
    keywords.pop("mask", None)
    states = keywords.pop("initial_state", arguments[1] if hasattr(layer, "return_state") and arguments[1:] else None)
    if states is not None:
        states = states if isinstance(states, (list, tuple)) else [states]
        states = [None if state is None else Place(state, place.within) for state in states]
    first = arguments[0] if arguments else next(iter(keywords.values()), None)
    inputs = [Place(tensor, place.within) for tensor in tensors(first)]
    if not hasattr(layer, "return_state"):
        inputs += [Place(tensor, place.within) for tensor in tensors(arguments[1:])]
    return Call(layer, index, inputs, states, place)


def given_to(node: Any) -> list[Any]:
    """Returns the tensors that a nested model was called with, in the order of its inputs."""
    return tensors(node.arguments.args) or tensors(node.arguments.kwargs)


def tensors(tree: Any) -> list[Any]:
    """Returns the symbolic tensors of nested arguments in order."""
    return [leaf for leaf in keras.tree.flatten(tree) if isinstance(leaf, keras.KerasTensor)]


def peeled(place: Place) -> tuple[Call, bool]:
    """Finds the call before layers that change no values; also returns whether one of these masks."""
    masks = False
    while True:
        call = call_of(place)
        layer = call.layer
        if call.kind == "TimeDistributed" and type(layer.layer).__name__ in TRANSPARENT:
            layer = layer.layer
        name = type(layer).__name__
        if name not in TRANSPARENT and not (name == "Activation" and activation_of(layer) == "linear"):
            return call, masks
        masks |= name == "Masking"
        place = call.inputs[0]


def read_output(place: Place) -> Output:
    """Finds the layers at a model's output: the one that computes scores, and each one that applies softmax.

    Raises:
        DataError: the output is computed inside a subclassed model.

    """
    call, _ = peeled(place)
    softmax: list[Any] = []
    scores = None
    while True:
        layer = plain(call)
        applied = getattr(getattr(layer, "activation", None), "__name__", "") == "softmax"
        alone = type(layer).__name__ == "Softmax" or (applied and type(layer).__name__ == "Activation")
        if scores is None and not alone:
            scores = call
        if alone or applied:
            softmax.insert(0, call.layer)
        if not (alone or applied or call.kind == "Reshape"):
            break
        call, _ = peeled(call.inputs[0])
    assert scores is not None
    return Output(scores, softmax)


def softmax_layers(model: Any) -> list[str]:
    """Names the layers that apply softmax at a model's output; the longest list if it has several outputs."""
    if not is_functional(model):
        return []
    found: list[list[str]] = [[]]
    for tensor in model.outputs:
        with contextlib.suppress(DataError):
            found.append([layer.name for layer in read_output(Place(tensor)).softmax])
    return max(found, key=len)


def consumers(model: Any, index: int) -> list[Any]:
    """Returns the layers that read an input, through layers that only reshape, mask or cast it."""
    return read_by(model, {id(model.inputs[index])})[0] if is_functional(model) else []


def read_by(model: Any, wanted: set[int]) -> tuple[list[Any], set[int]]:
    """Finds the layers that read some tensors of a graph, and the `id()` of each tensor with the same values."""
    wanted, found = set(wanted), []
    for operation in getattr(model, "operations", model.layers):
        for node in getattr(operation, "_inbound_nodes", []):
            if not any(id(tensor) in wanted for tensor in node.input_tensors):
                continue
            given = given_to(node) if isinstance(operation, keras.Model) and is_functional(operation) else []
            if given and len(given) == len(operation.inputs):
                pairs = zip(operation.inputs, given, strict=True)
                inside, same = read_by(operation, {id(inner) for inner, outer in pairs if id(outer) in wanted})
                found += [layer for layer in inside if layer not in found]
                returned = zip(operation.outputs, node.output_tensors, strict=False)
                wanted |= {id(outer) for inner, outer in returned if id(inner) in same}
            elif type(operation).__name__ in RESHAPING:
                wanted |= {id(tensor) for tensor in node.output_tensors}
            elif type(operation).__name__ != "InputLayer" and operation not in found:
                found.append(operation)
    return found, wanted


def plain(call: Call) -> Any:
    """Returns the layer of a call, without a TimeDistributed around it."""
    return call.layer.layer if call.kind == "TimeDistributed" else call.layer


def activation_of(layer: Any, name: str = "activation") -> str:
    """Returns the name of a layer's activation; for a user's function, 'custom' and its name."""
    function = getattr(layer, name)
    name_of = str(getattr(function, "__name__", function))
    return name_of if getattr(keras.activations, name_of, None) is function else f"custom {name_of}"


def describe(layer: Any) -> str:
    """Returns a layer's name and class for a message."""
    return f"layer {layer.name!r} ({type(layer).__name__})"

"""Walks a functional model from its outputs to its inputs, by the calls that made each tensor, nested ones too."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from seq2seq.backend import keras
from seq2seq.errors import DataError

# layers that change nothing when a model is used, or that only mask
TRANSPARENT = (
    *("Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout"),
    *("Masking", "Identity", "ActivityRegularization", "Cast"),
)


class Place(NamedTuple):
    """A tensor, with what the inputs of the nested model that it lies in were given."""

    tensor: Any
    within: Mapping[int, "Place"] = {}


class Call(NamedTuple):
    """What made a tensor."""

    layer: Any  # a layer or an operation of keras.ops
    output: int  # which of its outputs the tensor is
    inputs: list[Place]
    states: list[Place | None] | None  # of a recurrent layer: what it was told to start from
    place: Place

    @property
    def kind(self) -> str:
        """The class's name."""
        return type(self.layer).__name__


def call_of(place: Place) -> Call:
    """Finds the call that made a tensor, looking into nested models."""
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
        given = tensors(node.arguments.args) or tensors(node.arguments.kwargs)
        within = {
            id(inner): Place(outer, place.within) for inner, outer in zip(layer.inputs, given, strict=True)
        }  # a nested model's inputs come in the order of its tree
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


def tensors(tree: Any) -> list[Any]:
    """Lists the symbolic tensors of nested arguments in order."""
    return [leaf for leaf in keras.tree.flatten(tree) if isinstance(leaf, keras.KerasTensor)]


def peeled(place: Place) -> tuple[Call, bool]:
    """Finds the call behind layers that change nothing; says whether one of them masks."""
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


def plain(call: Call) -> Any:
    """The layer of a call, out of a TimeDistributed around it."""
    return call.layer.layer if call.kind == "TimeDistributed" else call.layer


def activation_of(layer: Any, name: str = "activation") -> str:
    """Names a layer's activation; one that is not Keras's own by its function's name."""
    function = getattr(layer, name)
    name_of = str(getattr(function, "__name__", function))
    return name_of if getattr(keras.activations, name_of, None) is function else f"custom {name_of}"


def describe(layer: Any) -> str:
    """Names a layer with its class."""
    return f"layer {layer.name!r} ({type(layer).__name__})"

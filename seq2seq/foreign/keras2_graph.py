"""Rebuilds the graph of a model saved by Keras 2 from its configuration, layer by layer, in Keras 3."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from seq2seq.errors import DataError
from seq2seq.foreign.keras2_layers import Origin, Saved, check_size, dtype_of, first_line, make_layer, safe_name
from seq2seq.models.backend import keras

CONSTANT = "_CONSTANT_VALUE"
DEEPEST = 20  # models inside models
MOST_CALLS = 10_000


class NotYetError(Exception):
    """A tensor that a later call makes."""


def make_model(saved: Saved, origin: Origin, depth: int = 0) -> Any:
    """Makes a model, without its weights.

    Args:
        saved: its class and configuration.
        origin: the file; its `order` receives the layers of each model in their saved order.
        depth: in how many models it lies.

    Raises:
        DataError: it is not built of layers that can be rebuilt.

    """
    config = saved["config"]
    if depth > DEEPEST:
        raise DataError(f"{origin.name}: expected at most {DEEPEST} models inside each other, got more")
    if saved.get("class_name") == "Sequential":
        layers = config if isinstance(config, list) else config["layers"]
        return make_sequential(saved, layers, origin, depth)
    if not isinstance(config, Mapping) or not {"layers", "input_layers", "output_layers"} <= set(config):
        raise DataError(
            f"{origin.name}: expected a functional or Sequential model, got the class {saved.get('class_name')!r}, "
            f"written by {origin.keras}: its configuration does not hold the code of such a class; build the same "
            "layers with keras.Model(inputs, outputs), copy the weights and save it as .keras"
        )
    return Graph(config, origin, depth).model()


def make_part(saved: Saved, origin: Origin, depth: int) -> Any:
    """Makes a layer with what it wraps, or a model inside a model."""
    config = saved["config"]
    if saved["class_name"] == "Sequential" or "output_layers" in config:
        return make_model(saved, origin, depth + 1)
    if depth > DEEPEST:
        raise DataError(f"{origin.name}: expected at most {DEEPEST} layers inside each other, got more")
    parts: dict[str, Any] = {
        setting: make_part(config[setting], origin, depth + 1)
        for setting in ("layer", "backward_layer", "cell")
        if isinstance(config.get(setting), Mapping)
    }
    if "cells" in config:
        parts["cells"] = [make_part(cell, origin, depth + 1) for cell in config["cells"]]
    return make_layer({**saved, "config": {**config, **parts}}, origin)


def input_tensor(settings: Saved, shape: Any, name: str | None) -> Any:
    """Makes an input."""
    return keras.Input(batch_shape=tuple(shape), dtype=dtype_of(settings.get("dtype")), name=name)


def make_sequential(saved: Saved, layers: list[Saved], origin: Origin, depth: int) -> Any:
    """Makes a Sequential model."""
    config = saved["config"] if isinstance(saved["config"], Mapping) else {}
    first = layers[0]["config"] if layers else {}
    shape = first.get("batch_input_shape", first.get("batch_shape")) if isinstance(first, Mapping) else None
    for source in (config, saved.get("build_config") or {}):
        shape = shape or source.get("build_input_shape") or source.get("input_shape")
    own = []
    model = keras.Sequential(name=safe_name(config["name"]) if "name" in config else None)
    tensors: Any = None
    for layer in layers:
        if layer["class_name"] == "InputLayer":
            continue
        made = make_part(layer, origin, depth)
        if tensors is None:
            shape = shape or getattr(made, "input_shape", None)
            if shape is None:
                raise DataError(
                    f"{origin.name}: expected the shape of the input in a Sequential model written by {origin.keras}, "
                    "got none; call the model on data once, then save it"
                )
            tensors = input_tensor(first, shape, None)
            model.add(tensors)
        check_size(layer, tensors, origin)
        call_safely(functools.partial(model.add, made), layer, origin)
        tensors = model.outputs
        own.append((layer["class_name"], made))
    origin.order[id(model)] = own
    return model


def call_safely(call: Callable[[], Any], saved: Saved, origin: Origin) -> Any:
    """Runs a call; another error than this package's becomes one that names the layer."""
    try:
        return call()
    except (DataError, NotYetError):
        raise
    except Exception as error:  # Keras raises many kinds
        raise origin.refusal(saved, f"calling it in Keras 3 failed ({first_line(error)})") from error


class Graph:
    """A functional model while it is built."""

    def __init__(self, config: Saved, origin: Origin, depth: int) -> None:
        self.config, self.origin, self.depth = config, origin, depth
        self.saved = {layer_name(layer): layer for layer in config["layers"]}
        self.layers: dict[str, Any] = {}
        self.made: dict[str, list[list[Any]]] = {}  # by layer: the tensors of each call
        self.offsets: dict[str, int] = {}  # a model inside counts its calls from 1

    def model(self) -> Any:
        """Builds the model."""
        calls = self.make_layers()
        if len(calls) > MOST_CALLS:
            raise DataError(f"{self.origin.name}: expected at most {MOST_CALLS} calls of layers, got {len(calls)}")
        while calls:
            waiting = [call for call in calls if not self.called(*call)]
            if len(waiting) == len(calls):
                saved = self.saved[waiting[0][0]]
                raise self.origin.refusal(saved, "it reads a tensor that no layer makes")
            calls = waiting
        inputs, outputs = (unwrapped(self.resolved(self.config[f"{end}_layers"])) for end in ("input", "output"))
        name = self.config.get("name")
        model = keras.Model(inputs, outputs, name=safe_name(name) if name else None)
        self.origin.order[id(model)] = [(self.saved[name]["class_name"], layer) for name, layer in self.layers.items()]
        return model

    def make_layers(self) -> list[tuple[str, Any, int]]:
        """Makes inputs and layers; returns the calls: layer, what it reads, and how many of its calls come before."""
        referred = set(references([saved.get("inbound_nodes", []) for saved in self.saved.values()], self.saved))
        referred |= set(references(self.config["output_layers"], self.saved))
        calls = []
        for name, saved in self.saved.items():
            if saved["class_name"] == "InputLayer":
                settings = saved["config"]
                shape = settings.get("batch_input_shape", settings.get("batch_shape"))
                self.made[name] = [[input_tensor(settings, shape, safe_name(name))]]
                continue
            self.layers[name] = make_part(saved, self.origin, self.depth)
            self.made[name] = []
            inside = id(self.layers[name]) in self.origin.order
            self.offsets[name] = int(inside and (name, 0) not in referred)
            calls += [(name, node, number) for number, node in enumerate(saved["inbound_nodes"])]
        return calls

    def called(self, name: str, node: Any, number: int) -> bool:
        """Calls a layer if all that it reads is there; returns whether it is."""
        if len(self.made[name]) != number:
            return False
        try:
            first, keywords = self.resolved(node), self.resolved(keywords_of(node, self.saved))
        except NotYetError:
            return False
        saved, layer = self.saved[name], self.layers[name]
        check_size(saved, first, self.origin)
        outputs = call_safely(
            lambda: call_layer(layer, saved, unwrapped(first), keywords, self.origin), saved, self.origin
        )
        self.made[name].append(keras.tree.flatten(outputs))
        return True

    def resolved(self, tree: Any) -> Any:
        """Replaces references to tensors by the tensors, in nested lists and dictionaries.

        Raises:
            NotYetError: one was not made yet.

        """
        if is_reference(tree, self.saved):
            name, call, index = tree[:3]
            if name == CONSTANT:
                return keras.ops.convert_to_tensor(np.asarray(index, np.float32))
            call -= self.offsets.get(name, 0)
            if not 0 <= call < len(self.made[name]) or index >= len(self.made[name][call]):
                raise NotYetError
            return self.made[name][call][index]
        if isinstance(tree, Mapping):
            return {key: self.resolved(value) for key, value in tree.items()}
        if isinstance(tree, list):
            return [self.resolved(value) for value in tree]
        return tree


def layer_name(saved: Saved) -> str:
    """Names a saved layer as others refer to it."""
    return str(saved.get("name") or saved["config"]["name"])


def is_reference(tree: Any, names: Mapping[str, Any]) -> bool:
    """Returns whether a value is [layer, call, output] or [layer, call, output, keywords]."""
    if not isinstance(tree, list) or len(tree) not in (3, 4) or not isinstance(tree[0], str):
        return False
    return tree[0] == CONSTANT or (tree[0] in names and isinstance(tree[1], int) and isinstance(tree[2], int))


def references(tree: Any, names: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Lists the layers and calls that nested values refer to."""
    if is_reference(tree, names):
        return [(tree[0], tree[1]), *references(tree[3:], names)]
    if isinstance(tree, Mapping):
        tree = list(tree.values())
    return [found for value in tree for found in references(value, names)] if isinstance(tree, list) else []


def keywords_of(node: Any, names: Mapping[str, Any]) -> Any:
    """Finds the keywords that a call was given: they stand beside each tensor that it reads."""
    if is_reference(node, names):
        return (node[3] if len(node) == 4 else None) or {}
    values = list(node.values()) if isinstance(node, Mapping) else node
    return next(
        (found for value in values if isinstance(value, (list, Mapping)) and (found := keywords_of(value, names))), {}
    )


def unwrapped(tensors: Any) -> Any:
    """Returns a single tensor out of its list."""
    return tensors[0] if isinstance(tensors, list) and len(tensors) == 1 else tensors


def call_layer(layer: Any, saved: Saved, first: Any, keywords: Mapping[str, Any], origin: Origin) -> Any:
    """Calls a layer: Keras 2 lists initial states behind the sequence, Keras 3 takes them by keyword."""
    given = {name: value for name, value in keywords.items() if value is not None}
    recurrent = isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional))
    if recurrent and given.pop("constants", None):
        raise origin.refusal(saved, "Keras 3 has no constants of recurrent layers; train again without them")
    if recurrent and isinstance(first, list):
        first, *states = first
        given["initial_state"] = states
        # Keras 3 passes no mask on by itself to a layer that is given states
        given.setdefault("mask", getattr(first, "_keras_mask", None))
    if saved["config"].get("causal"):
        given["use_causal_mask"] = True
    return layer(first, **given)

"""Puts weights that Keras 2 saved into a rebuilt model, in their saved order or by the paths of the .keras format."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq.errors import DataError
from seq2seq.foreign.keras2_layers import Origin, safe_name
from seq2seq.models.backend import keras

GATES = {"LSTM": 4, "LSTMCell": 4, "GRU": 3, "GRUCell": 3}
MOST_NUMBERS = 2**31


class Store:
    """The arrays of an HDF5 file by path; arrays are read when they are asked for, after their shapes."""

    def __init__(self, file: Any, name: str) -> None:
        self.file, self.name = file, name
        self.datasets: dict[str, Any] = {}
        self.groups: set[str] = set()
        file.visititems(self._add)
        self.numbers = sum(dataset.size for dataset in self.datasets.values())
        if self.numbers > MOST_NUMBERS:
            raise DataError(f"{name}: expected at most {MOST_NUMBERS} numbers, got {self.numbers}")

    def _add(self, path: str, value: Any) -> None:
        path = path.replace("\\", "/")  # written on Windows
        if not hasattr(value, "shape"):
            self.groups.add(path)
            return
        self.groups.update(path.rsplit("/", count)[0] for count in range(1, path.count("/") + 1))
        if not value.external and not value.is_virtual:  # what lies in other files is not read
            self.datasets[path] = value

    def by_layer(self) -> dict[str, list[Any]]:
        """Lists the arrays of each layer as the .h5 format does."""
        root = self.file.get("model_weights", self.file)
        found = {}
        for layer in names_in(root, "layer_names"):
            paths = [f"{root[layer].name}/{name}".strip("/") for name in names_in(root[layer], "weight_names")]
            missing = [path for path in paths if path not in self.datasets]
            if missing:
                raise DataError(f"{self.name}: expected the weights {missing[0]!r} in the file, found none")
            found[safe_name(layer)] = [self.datasets[path] for path in paths]
        return found

    def children(self, path: str) -> list[str]:
        """Names the groups right below a path."""
        below = {group[len(path) :].split("/")[0] for group in self.groups if group.startswith(path)}
        return sorted(below - {""})

    def below(self, path: str) -> list[Any]:
        """Lists the arrays below a path, in the order of their numbers."""
        return [self.datasets[name] for name in sorted(self.datasets, key=natural) if name.startswith(path)]


def natural(text: str) -> list[Any]:
    """Makes a key that sorts numbers by their value."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"(\d+)", text)]


def names_in(group: Any, attribute: str) -> list[str]:
    """Reads names from an attribute, which is cut into numbered ones where it is long."""
    keys = [attribute] if attribute in group.attrs else []
    if not keys:
        keys = list(itertools.takewhile(lambda key: key in group.attrs, (f"{attribute}{n}" for n in itertools.count())))
    found = [name for key in keys for name in group.attrs[key]]
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in found]


def fill_by_layer(model: Any, given: Mapping[str, Sequence[Any]], origin: Origin) -> None:
    """Sets the weights of a model whose layers each list theirs.

    Args:
        model: the rebuilt model.
        given: by layer, arrays or HDF5 datasets: those that are trained first.
        origin: the file.

    Raises:
        DataError: a layer's weights are not those that its settings ask for.

    """
    for _, layer in origin.order[id(model)]:
        arrays = list(given.get(layer.name, ()))
        trained, fixed = in_saved_order(layer, origin)
        wanted = trained + fixed
        if len(arrays) != len(wanted):
            raise unlike(layer, origin, f"{len(wanted)} arrays of weights", f"{len(arrays)}")
        by_variable = dict(zip(map(id, wanted), arrays, strict=True))
        for leaf in leaves(layer, origin):
            assign(leaf, [by_variable[id(variable)] for variable in leaf.weights], origin)


def in_saved_order(layer: Any, origin: Origin) -> tuple[list[Any], list[Any]]:
    """Lists a layer's variables as Keras 2 does: those that are trained, and those that are not."""
    parts = inside(layer, origin)
    if parts:
        pairs = [in_saved_order(part, origin) for part in parts]
        trained, fixed = (list(itertools.chain.from_iterable(column)) for column in zip(*pairs, strict=True))
    else:
        trained = [variable for variable in layer.weights if variable.trainable and layer.trainable]
        fixed = [variable for variable in layer.weights if not (variable.trainable and layer.trainable)]
    return (trained, fixed) if layer.trainable else ([], trained + fixed)


def inside(layer: Any, origin: Origin) -> list[Any]:
    """Lists the layers inside a model or a wrapper, in the order in which they were saved."""
    if id(layer) in origin.order:
        return [part for _, part in origin.order[id(layer)]]
    if isinstance(layer, keras.layers.Bidirectional):
        return [layer.forward_layer, layer.backward_layer]
    return [layer.layer] if isinstance(layer, keras.layers.Wrapper) else []


def leaves(layer: Any, origin: Origin) -> Iterator[Any]:
    """Yields the layers that hold weights of their own."""
    parts = inside(layer, origin)
    if not parts:
        yield layer
    for part in parts:
        yield from leaves(part, origin)


def fill_by_path(layer: Any, store: Store, path: str, origin: Origin) -> None:
    """Sets the weights of a model, or a layer inside it, from the paths of the .keras format.

    Args:
        layer: the model or layer.
        store: the file's arrays.
        path: where its arrays lie, empty or ending with a slash.
        origin: the file.

    Raises:
        DataError: a layer's weights are not those that its settings ask for.

    """
    if id(layer) in origin.order:
        folders = (f"{path}{name}" for name in ("layers", "_layer_checkpoint_dependencies"))
        folder = next((folder for folder in folders if folder in store.groups), f"{path}layers")
        fill_numbered(origin.order[id(layer)], store, folder, origin)
    elif isinstance(getattr(layer, "cell", None), keras.layers.StackedRNNCells):
        cells = [(type(cell).__name__, cell) for cell in layer.cell.cells]
        fill_numbered(cells, store, f"{path}cell/cells", origin)
    elif isinstance(layer, keras.layers.Bidirectional):
        for direction in ("forward_layer", "backward_layer"):
            fill_by_path(getattr(layer, direction), store, f"{path}{direction}/", origin)
    elif isinstance(layer, keras.layers.Wrapper):
        fill_by_path(layer.layer, store, f"{path}layer/", origin)
    elif isinstance(layer, keras.layers.MultiHeadAttention):
        parts = [f"{path}_{part}_dense/" for part in ("query", "key", "value", "output")]
        assign(layer, [array for part in parts for array in store.below(part)], origin)
    else:
        assign(layer, store.below(path), origin)


def fill_numbered(layers: Sequence[tuple[str, Any]], store: Store, folder: str, origin: Origin) -> None:
    """Sets the weights of layers whose groups are named by their saved class and numbered; numbers may have gaps."""
    names = store.children(f"{folder}/")
    kinds: dict[str, list[Any]] = {}
    for kind, layer in layers:
        kinds.setdefault(snake_case("Functional" if kind == "Model" else kind), []).append(layer)
    for kind, parts in kinds.items():
        own = sorted((name for name in names if re.fullmatch(rf"{kind}(_\d+)?", name)), key=natural)
        for part, name in itertools.zip_longest(parts, own[: len(parts)], fillvalue=kind):
            fill_by_path(part, store, f"{folder}/{name}/", origin)


def snake_case(name: str) -> str:
    """Turns a class's name into that of its group, as Keras does."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def assign(layer: Any, arrays: Sequence[Any], origin: Origin) -> None:
    """Sets the weights of one layer, out of the layout of CuDNN's layers where they are in it."""
    if len(arrays) != len(layer.weights):
        raise unlike(layer, origin, f"{len(layer.weights)} arrays of weights", f"{len(arrays)}")
    gates = GATES.get(type(layer).__name__, 0)
    fused = bool(gates) and len(arrays) == 3 and tuple(arrays[2].shape) == (2 * gates * arrays[1].shape[0],)
    for place, (variable, array) in enumerate(zip(layer.weights, arrays, strict=True)):
        shape = tuple(array.shape)
        if shape != tuple(variable.shape) and not (fused and place == 2):
            raise unlike(layer, origin, f"weights of shape {tuple(variable.shape)}", f"{shape}")
    values = [np.asarray(array[()], np.float32) for array in arrays]
    if fused:
        values = from_cudnn(values, gates)
    for variable, value in zip(layer.weights, values, strict=True):
        variable.assign(value)


def from_cudnn(weights: Sequence[np.ndarray], gates: int) -> list[np.ndarray]:
    """Turns the weights of CuDNNLSTM or CuDNNGRU into those of LSTM, or of GRU with `reset_after`.

    Args:
        weights: float32 arrays kernel (I, G * U), recurrent kernel (U, G * U) and bias (2 * G * U,), of G gates. Each
            gate's kernel holds its transpose row after row.
        gates: G.

    """
    kernel, recurrent, bias = weights
    turned = [part.T.reshape(part.shape, order="F") for part in np.split(kernel, gates, 1)]
    both = bias.reshape(2, -1)
    return [
        np.concatenate(turned, 1),
        np.concatenate([part.T for part in np.split(recurrent, gates, 1)], 1),
        both.sum(0) if gates == GATES["LSTM"] else both,
    ]


def unlike(layer: Any, origin: Origin, expected: str, got: str) -> DataError:
    """Makes the error of a layer whose weights do not fit its settings."""
    return DataError(
        f"{origin.name}: layer {layer.name!r} ({type(layer).__name__}), written by {origin.keras}: "
        f"expected {expected}, got {got}; the file's weights do not belong to its configuration"
    )

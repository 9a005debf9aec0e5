"""Turns a model's parts into the sizes and weights of a model folder.

A folder has one hidden size. Narrower layers are padded with units whose weights are zero: such a unit stays at zero
and changes no other.
"""

from collections.abc import Sequence

import numpy as np

from seq2seq.adoption.model_parts import BACKWARD, AttentionParts, Cell, EncoderLayer, ModelParts, SymbolInput
from seq2seq.config import ModelConfig
from seq2seq.errors import AdoptionError

NEVER = -1e9  # the score of a symbol that the model does not have
GATES = {"lstm": 4, "gru": 3}
Ids = Sequence[int | None]  # the original's id for each id of the folder's vocabulary; None: it has none

Weights = dict[str, np.ndarray]


def sizes_of(parts: ModelParts) -> ModelConfig:
    """Chooses the smallest sizes that hold the model.

    Raises:
        AdoptionError: LSTM and GRU layers are mixed, or a decoder layer and its initial state differ in width.

    """
    cells = [layer.cell for layer in parts.decoder]
    cells += [cell for layer in parts.encoder for cell in layer.directions.values()]
    kinds = sorted({cell.kind for cell in cells})
    if len(kinds) > 1:
        raise AdoptionError("expected LSTM layers or GRU layers, got both; a model folder has layers of one kind")
    gates = sorted({cell.gates for cell in cells})
    if len(gates) > 1:
        raise AdoptionError("expected LSTM layers with gates of one kind, got sigmoid and the hard_sigmoid of Keras 2")
    bidirectional = any(layer.backward for layer in parts.encoder)
    hidden = max(2, *(layer.cell.units for layer in parts.decoder))
    for layer in parts.encoder:
        widest = max(cell.units for cell in layer.directions.values())
        hidden = max(hidden, 2 * widest if bidirectional else widest)
    if parts.attention is not None and parts.attention.combined:
        hidden = max(hidden, len(parts.attention.bias))
    hidden += hidden % 2 if bidirectional else 0
    own = [layer.start.layer if layer.start else None for layer in parts.decoder]
    plain = not parts.encoder or own == list(range(len(own)))
    tables = [table for table in (parts.source, parts.target) if table is not None]
    return ModelConfig(
        hidden_size=hidden,
        embedding_size=max(table.vectors.shape[1] for table in tables),
        layers=len(parts.decoder),
        rnn=kinds[0],
        gates=gates[0],
        bidirectional=bidirectional,
        attention=parts.attention.kind if parts.attention else "none",
        dropout=0.0,
        bridge="none" if bidirectional else "dense",
        combine="none" if parts.attention and not parts.attention.combined else "tanh",
        encoder_layers=len(parts.encoder) if len(parts.encoder) not in (0, len(parts.decoder)) else None,
        wiring="" if plain else ",".join("-" if number is None else str(number) for number in own),
    )


def weights_of(parts: ModelParts, config: ModelConfig, source_ids: Ids, target_ids: Ids, classes: Ids) -> Weights:
    """Copies the weights into arrays with the folder's names and sizes.

    Args:
        parts: the model.
        config: the result of `sizes_of`.
        source_ids: the original's id for each source id of the folder; empty for a language model.
        target_ids: the original's id that the decoder reads for each target id of the folder.
        classes: the original's class for each target id of the folder.

    """
    hidden, half = config.units, config.units // 2
    weights: Weights = {"target_embedding.embeddings": embedded(parts.target, target_ids, config)}
    below = np.arange(parts.target.vectors.shape[1])
    for index, layer in enumerate(parts.decoder):
        units = np.arange(layer.cell.units)
        if layer.start is not None:
            units = state_units(parts.encoder[layer.start.layer], layer.start.directions, half)
        if len(units) != layer.cell.units:
            raise AdoptionError(
                f"decoder layer {index + 1}: expected {layer.cell.units} units in the state it starts from, "
                f"got {len(units)}"
            )
        inputs = hidden if index else config.embedding_size
        add_cell(weights, f"decoder_{index}", layer.cell, below, units, inputs, hidden)
        below = units
    top = below
    memory = add_encoder(weights, parts, config)
    if parts.source is not None:
        weights["source_embedding.embeddings"] = embedded(parts.source, source_ids, config)
    kernel, bias = parts.kernel, parts.bias
    rows, width = top, hidden
    if parts.attention is not None:
        attend = parts.attention
        add_scores(weights, attend, top, memory, hidden)
        rows, width = np.concatenate([memory, hidden + top]), 2 * hidden
        if attend.combined:
            places = np.arange(len(attend.bias))
            both = np.concatenate([attend.context, attend.outputs])
            weights["combine.kernel"] = placed(both, rows, places, (2 * hidden, hidden))
            weights["combine.bias"] = placed(attend.bias[None], np.arange(1), places, (1, hidden))[0]
            rows, width = places, hidden
        else:
            kernel = np.concatenate([attend.context, attend.outputs])
    known = np.array([number is not None for number in classes])
    chosen = np.array([number or 0 for number in classes])
    weights["logits.kernel"] = placed(kernel[:, chosen] * known, rows, np.arange(len(classes)), (width, len(classes)))
    weights["logits.bias"] = np.where(known, bias[chosen], NEVER).astype(np.float32)
    return weights


def add_encoder(weights: Weights, parts: ModelParts, config: ModelConfig) -> np.ndarray:
    """Adds the encoder's layers; returns the places of the last layer's outputs in the folder's."""
    if parts.source is None:
        return np.arange(0)
    hidden, half = config.units, config.units // 2
    below, inputs = np.arange(parts.source.vectors.shape[1]), config.embedding_size
    for index, layer in enumerate(parts.encoder):
        name = f"encoder_{index}"
        if not config.bidirectional:
            add_cell(weights, name, layer.forward, below, np.arange(layer.forward.units), inputs, hidden)
        else:
            add_cell(weights, f"{name}_forward", layer.forward, below, np.arange(layer.forward.units), inputs, half)
            back = layer.backward or empty_like(layer.forward)
            add_cell(weights, f"{name}_backward", back, below, np.arange(back.units), inputs, half)
        below, inputs = state_units(layer, tuple(layer.directions), half), hidden
    return below


def state_units(layer: EncoderLayer, directions: Sequence[str], half: int) -> np.ndarray:
    """Returns the places of some directions' units in the folder's encoder states and outputs."""
    return np.concatenate(
        [np.arange(layer.directions[direction].units) + half * (direction == BACKWARD) for direction in directions]
    )


def add_cell(
    weights: Weights, name: str, cell: Cell, below: np.ndarray, units: np.ndarray, inputs: int, size: int
) -> None:
    """Adds a recurrent layer with inputs at `below` of `inputs` places and units at `units` of `size`."""
    gates = GATES[cell.kind]
    columns = np.concatenate([gate * size + units for gate in range(gates)])
    weights[f"{name}.kernel"] = placed(cell.kernel, below, columns, (inputs, gates * size))
    weights[f"{name}.recurrent_kernel"] = placed(cell.recurrent, units, columns, (size, gates * size))
    bias = np.atleast_2d(cell.bias)
    wide = placed(bias, np.arange(len(bias)), columns, (len(bias), gates * size))
    weights[f"{name}.bias"] = wide if cell.bias.ndim == 2 else wide[0]


def add_scores(weights: Weights, attend: AttentionParts, top: np.ndarray, memory: np.ndarray, hidden: int) -> None:
    """Adds the weights of attention's scores."""
    if attend.kind == "luong":
        weights["attention.kernel"] = placed(attend.kernel, top, memory, (hidden, hidden))
        return
    places = np.arange(len(attend.kernel))
    same = np.eye(len(places), dtype=np.float32) * np.float32(attend.scale)
    weights["attention.query_kernel"] = placed(same, top, places, (hidden, hidden))
    weights["attention.memory_kernel"] = placed(same, memory, places, (hidden, hidden))
    weights["attention.bias"] = np.zeros(hidden, np.float32)
    weights["attention.vector"] = placed(attend.kernel[:, None], places, np.arange(1), (hidden, 1))


def embedded(table: SymbolInput, ids: Ids, config: ModelConfig) -> np.ndarray:
    """Puts embeddings in the order of the folder's ids; an id that the original lacks gets a row of zeros."""
    rows = np.zeros((len(ids), config.embedding_size), np.float32)
    for row, original in enumerate(ids):
        if original is not None and original < table.size:
            rows[row, : table.vectors.shape[1]] = table.vectors[original]
    return rows


def placed(values: np.ndarray, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Puts a matrix into rows and columns of a larger one of zeros."""
    found = np.zeros(shape, np.float32)
    found[np.ix_(rows, columns)] = values
    return found


def empty_like(cell: Cell) -> Cell:
    """Returns a layer of one unit that always outputs zero, for a direction that the original does not have."""
    gates = GATES[cell.kind]
    bias = np.zeros((2, gates) if cell.kind == "gru" else gates, np.float32)
    return Cell(cell.kind, np.zeros((len(cell.kernel), gates), np.float32), np.zeros((1, gates), np.float32), bias)

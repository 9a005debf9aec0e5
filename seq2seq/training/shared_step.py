"""One training step on several workers: each computes its shards of the batch, and the first makes the update.

The first worker sends weights, random states and the batch, so the others keep nothing from step to step. It sums the
gradients in the order of the shards, whoever computed them: the weights are bit for bit those of one process.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq.config import TrainingConfig
from seq2seq.errors import WorkerError
from seq2seq.files.writing import arrays_bytes
from seq2seq.models.backend import keras, tf
from seq2seq.models.recurrent import gradient_type
from seq2seq.models.step import (
    Shard,
    StepResult,
    Trainable,
    make_shards,
    make_update,
    seed_states,
    trained_variables,
)
from seq2seq.training.task import Run
from seq2seq.training.wire import Kind, Wire
from seq2seq.training.workers import Workers

WEIGHTS, SEEDS, ARRAYS, CARRY = "weights", "seeds", "arrays", "carry"  # what a step sends


@dataclasses.dataclass(frozen=True)
class Others:
    """The other workers, as the first one sees them."""

    workers: Workers
    wires: Mapping[int, Wire]

    def start(self, run: Run) -> None:
        """Sends the resolved options, and waits until all others have built the model.

        Raises:
            WorkerError: one has ended, or computes in another way.

        """
        for wire in self.wires.values():
            wire.send(Kind.START, run.settings)
        here = computing()
        for wire in self.wires.values():
            _, there = wire.receive(Kind.READY)
            if there != here:
                raise WorkerError(
                    f"{wire.name}: computes with {described(there)}, the first worker with {described(here)}; install "
                    "the same versions, and set TF_ENABLE_ONEDNN_OPTS=0 on all workers where their processors differ"
                )
        shards = run.train.shards
        run.report(
            f"{len(self.workers)} workers compute {shards} shards of each batch; one process makes the same model with "
            f"--shards {shards}"
        )

    def end(self, line: str) -> None:
        """Tells all others that the training is finished."""
        for wire in self.wires.values():
            with contextlib.suppress(WorkerError):  # the model is whole, whatever has become of a worker since
                wire.send(Kind.END, line)

    def make_step(
        self, model: Trainable, optimizer: keras.optimizers.Optimizer, config: TrainingConfig
    ) -> Callable[..., StepResult]:
        """Returns a step as `make_train_step` does, whose shards all workers compute."""
        shards = config.shards or 1
        weights, seeds = trained_variables(model), seed_states(model)
        own = self.workers.shards(shards)
        compute = make_shards(model, config, shards=shards, own=own)
        update = make_update(model, optimizer, config)

        def step(arrays: list[Any], carry: list[Any], learning_rate: np.float32) -> StepResult:
            message = packed({WEIGHTS: weights, SEEDS: seeds, ARRAYS: arrays, CARRY: carry})
            for wire in self.wires.values():
                wire.send(Kind.STEP, message)
            parts = dict(zip(own, compute(arrays, carry), strict=True))
            for index, wire in self.wires.items():
                _, found = wire.receive(Kind.SHARDS)
                parts |= read_shards(found, weights, carry, self.workers.shards(shards, index), wire)
            count = tf.reduce_sum(arrays[-1])
            return update([parts[shard] for shard in range(shards)], count, tf.constant(learning_rate))

        return step


def serve_shards(wire: Wire, workers: Workers, model: Trainable, config: TrainingConfig) -> str:
    """Computes this worker's shards of each batch that the first worker sends; returns the line that it ends with."""
    weights, seeds = trained_variables(model), seed_states(model)
    shards = config.shards or 1
    own = workers.shards(shards)
    compute = make_shards(model, config, shards=shards, own=own)
    wire.send(Kind.READY, computing())
    while True:
        kind, found = wire.receive(Kind.STEP, Kind.END)
        if kind == Kind.END:
            return str(found)
        for name, variables in ((WEIGHTS, weights), (SEEDS, seeds)):
            values = group(found, name)
            if shapes(values) != shapes(variables):
                raise wire.unexpected(f"{name} of another model")
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
        parts = compute(*([tf.constant(array) for array in group(found, name)] for name in (ARRAYS, CARRY)))
        wire.send(
            Kind.SHARDS,
            packed(
                {
                    f"{shard}.{field}": part if isinstance(part, list) else [part]
                    for shard, result in zip(own, parts, strict=True)
                    for field, part in result._asdict().items()
                }
            ),
        )


def computing() -> dict[str, str]:
    """Returns what must be the same on all workers, so that a run does not depend on who computes a shard."""
    return {"tensorflow": tf.__version__, "keras": keras.__version__, "gradients": gradient_type().name}


def described(versions: Any) -> str:
    """Writes what `computing` returns into a message."""
    return ", ".join(f"{name} {value}" for name, value in versions.items()) if isinstance(versions, dict) else "?"


def packed(groups: Mapping[str, Sequence[Any]]) -> bytes:
    """Packs arrays, tensors or variables for a message: `name.0`, `name.1` and so on in each group."""
    return arrays_bytes(
        {
            f"{name}.{index}": keras.ops.convert_to_numpy(value)
            for name, values in groups.items()
            for index, value in enumerate(values)
        }
    )


def group(arrays: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    """Returns the arrays of one group of a message, in their order."""
    count = sum(key.rpartition(".")[0] == name for key in arrays)
    return [arrays[f"{name}.{index}"] for index in range(count)]


def shapes(values: Iterable[Any]) -> list[tuple[int, ...]]:
    """Returns the shapes of arrays or variables."""
    return [tuple(value.shape) for value in values]


def read_shards(
    arrays: Mapping[str, np.ndarray], weights: Sequence[Any], carry: Sequence[Any], shards: Iterable[int], wire: Wire
) -> dict[int, Shard]:
    """Reads the shards that a worker computed.

    Args:
        arrays: its message.
        weights: the trained weights, whose shapes their gradients have.
        carry: the carried states of the batch.
        shards: those that are this worker's.
        wire: the worker.

    Raises:
        WorkerError: the message has other arrays.

    """
    found = {}
    for shard in shards:
        nats, gradients, after = (group(arrays, f"{shard}.{field}") for field in Shard._fields)
        if len(nats) != 1 or len(after) != len(carry) or shapes(gradients) != shapes(weights):
            raise wire.unexpected(f"other arrays than those of shard {shard}")
        found[shard] = Shard(*tf.nest.map_structure(tf.constant, (nats[0], gradients, after)))
    return found

"""One training step: forward pass, loss, gradients in parallel shards of the batch, and the update."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from seq2seq.config import TrainingConfig
from seq2seq.cores import core_count
from seq2seq.models.backend import keras, tf
from seq2seq.models.recurrent import gradient_type

STATE_PENALTY = 1e-3  # nats for a carried state whose mean square is 1


class Taught(NamedTuple):
    """A teacher's distributions for one batch, of which the K most probable ids are kept."""

    ids: Any  # int32 (B, T, K)
    probs: Any  # float32 (B, T, K), which sum to 1
    share: float  # of the loss


class Forward(NamedTuple):
    """A model's outputs for one batch."""

    logits: Any  # float32 (B, T, V)
    targets: Any  # int32 (B, T)
    weights: Any  # float32 (B, T)
    carry: list[Any]  # (B, H) each: states for the next batch; empty for a translator
    taught: Taught | None = None  # where a teacher gives probabilities


class Trainable(Protocol):
    """The interface between a training step and a model."""

    @property
    def models(self) -> list[keras.Model]:
        """The models whose weights are trained."""

    @property
    def signature(self) -> list[tf.TensorSpec]:
        """Shape and dtype of each array in a batch; the first axis is the rows."""

    @property
    def carry_signature(self) -> list[tf.TensorSpec]:
        """Shape and dtype of each carried state."""

    def forward(self, arrays: Sequence[Any], carry: Sequence[Any], *, training: bool) -> Forward:
        """Runs the model on a batch."""


class StepResult(NamedTuple):
    """Sums over one batch."""

    nats: Any  # float32 (): weighted nats of the targets, without label smoothing or a teacher
    count: Any  # float32 (): sum of weights
    carry: list[Any]


class Shard(NamedTuple):
    """What one shard of a batch gives."""

    nats: Any  # float32 (): weighted nats of its targets
    gradients: list[Any]  # float32, of the batch's loss: this shard's share, for each weight
    carry: list[Any]  # (b, H) each: the states of its rows for the next batch


class Validated(NamedTuple):
    """Sums over one batch of the validation part."""

    nats: Any  # float32 ()
    count: Any  # float32 (): sum of weights
    right: Any  # float32 (): sum of weights of the targets that are most probable
    before: Any  # float32 (): sum of weights of the targets before the row's first mistake
    carry: list[Any]


def shard_count(batch_size: int) -> int:
    """Returns the number of shards for a batch: one per core, each with 8 rows or more; one on a GPU.

    Two halves on one thread each take four fifths of the time of one batch on two threads, since the products of a
    recurrent step are too small to divide.
    """
    if tf.config.list_physical_devices("GPU"):
        return 1
    return max(1, min(core_count(), batch_size // 8))


def split_rows(arrays: Sequence[Any], carry: Sequence[Any], shards: int) -> list[tuple[list[Any], list[Any]]]:
    """Splits the rows of a batch, and of its carried states, into shards."""
    rows = tf.shape(arrays[-1])[0]
    bounds = [rows * shard // shards for shard in range(shards + 1)]
    return [
        ([array[low:high] for array in arrays], [state[low:high] for state in carry])
        for low, high in itertools.pairwise(bounds)
    ]


def share_cores(shards: int) -> None:
    """Sets the threads so that each shard has its own core; has no effect after TensorFlow has started."""
    try:
        tf.config.threading.set_inter_op_parallelism_threads(max(shards, 2))
        tf.config.threading.set_intra_op_parallelism_threads(max(1, core_count() // shards))
    except RuntimeError:
        return


def use_gpu(place: int) -> None:
    """Leaves this process one of several GPUs: several workers of a machine have one each, by their place there."""
    gpus = tf.config.list_physical_devices("GPU")
    if len(gpus) > 1:
        tf.config.set_visible_devices(gpus[place % len(gpus)], "GPU")


def training_record(config: TrainingConfig) -> dict[str, Any]:
    """Returns the record of training for the model folder: the options, and what else changes the weights."""
    return {**config.to_dict(), "gradients": gradient_type().name, "repeatable": config.max_minutes is None}


def symbol_nats(logits: Any, targets: Any) -> Any:
    """Returns -log p(target) in nats, float32 (B, T), from logits (B, T, V) and int32 targets (B, T)."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, tf.cast(logits, tf.float32))


def smoothed_nats(nats: Any, logits: Any, label_smoothing: float) -> Any:
    """Mixes the nats of the target, from `symbol_nats`, with the mean nats of all possible symbols.

    Source: Szegedy et al. 2016, arXiv:1512.00567, section 7.
    """
    if not label_smoothing:
        return nats
    log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    possible = tf.math.is_finite(log_probs)  # an action of a transducer may be impossible
    count = tf.reduce_sum(tf.cast(possible, tf.float32), -1)
    mean = -tf.reduce_sum(tf.where(possible, log_probs, 0.0), -1) / count
    return (1 - label_smoothing) * nats + label_smoothing * mean


def taught_nats(logits: Any, taught: Taught) -> Any:
    """Returns the cross-entropy to the teacher's distributions in nats, float32 (B, T), from logits (B, T, V)."""
    log_probs = tf.gather(tf.nn.log_softmax(tf.cast(logits, tf.float32)), taught.ids, batch_dims=2)
    # what is impossible has probability 0 and log-probability minus infinity, whose product is no number
    return -tf.reduce_sum(taught.probs * tf.where(taught.probs > 0, log_probs, 0.0), -1)


def objective(result: Forward, nats: Any, config: TrainingConfig) -> Any:
    """Returns what training lowers, float32 (B, T): `nats`, those of the targets, smoothed and mixed with a teacher's.

    Source: Hinton et al. 2015, arXiv:1503.02531, section 2, at a temperature of 1.
    """
    smoothed = smoothed_nats(nats, result.logits, config.label_smoothing)
    if result.taught is None:
        return smoothed
    return (1 - result.taught.share) * smoothed + result.taught.share * taught_nats(result.logits, result.taught)


def state_penalty(carry: Sequence[Any]) -> Any:
    """Returns a small loss that grows with the carried states, float32 (); 0 if there are none.

    Without it a cell may grow a little in each window, and so without limit over a whole text.
    Source: Merity et al. 2017, arXiv:1708.01009, section 3 (activation regularisation), here of states.
    """
    return STATE_PENALTY * tf.add_n([tf.reduce_mean(tf.square(state)) for state in carry]) if carry else 0.0


def make_optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    """Returns the optimiser; its learning rate is set before each step."""
    kinds: dict[str, Callable[..., keras.optimizers.Optimizer]] = {
        "adam": keras.optimizers.Adam,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": keras.optimizers.SGD,
    }
    return kinds[config.optimizer](learning_rate=config.learning_rate or 0.0)


def seed_states(model: Trainable) -> list[keras.Variable]:
    """Returns the state of each generator of dropout, int64 (2,): a seed, and how many shards have drawn from it.

    Recurrent layers have generators too, which draw nothing.
    """
    dropouts = [layer for part in model.models for layer in part.layers if isinstance(layer, keras.layers.Dropout)]
    return [variable for layer in dropouts for variable in layer.non_trainable_variables]


def trained_variables(model: Trainable) -> list[keras.Variable]:
    """Returns the weights that are trained."""
    return [variable for part in model.models for variable in part.trainable_variables]


def make_shards(
    model: Trainable, config: TrainingConfig, *, shards: int, own: Iterable[int]
) -> Callable[..., list[Shard]]:
    """Compiles a function: (arrays, carry) of a whole batch -> what each of `own` of its shards gives.

    The random numbers of a shard are the same whether the shards before it are computed here or not.
    """
    variables, seeds, own = trained_variables(model), seed_states(model), frozenset(own)

    def compute(arrays: Sequence[Any], carry: Sequence[Any], total: Any) -> Shard:
        with tf.GradientTape() as tape:
            result = model.forward(arrays, carry, training=True)
            nats = symbol_nats(result.logits, result.targets)
            lowered = tf.reduce_sum(objective(result, nats, config) * result.weights)
            loss = lowered / total + state_penalty(result.carry) / shards
        values = tape.gradient(loss, [variable.value for variable in variables])
        gradients = [tf.convert_to_tensor(value) for value in values]
        return Shard(tf.reduce_sum(nats * result.weights), gradients, result.carry)

    def skip() -> None:
        for seed in seeds:  # a forward pass draws once from each
            seed.assign_add([0, 1])

    @tf.function(input_signature=[model.signature, model.carry_signature])
    def shards_of(arrays: list[Any], carry: list[Any]) -> list[Shard]:
        total = tf.maximum(tf.reduce_sum(arrays[-1]), 1)
        found = []
        for index, part in enumerate(split_rows(arrays, carry, shards)):
            if index in own:
                found.append(compute(*part, total))
            else:
                skip()
        return found

    return shards_of


def make_update(
    model: Trainable, optimizer: keras.optimizers.Optimizer, config: TrainingConfig
) -> Callable[..., StepResult]:
    """Compiles a function: (all shards of a batch in their order, the batch's count, learning_rate) -> StepResult.

    It sums the gradients in the order of the shards, and updates the weights. It is compiled apart from the shards,
    since TensorFlow would change the order of sums that it sees together with what is summed.
    """
    variables = trained_variables(model)
    optimizer.build(variables)

    @tf.function
    def update(parts: list[Shard], count: Any, learning_rate: Any) -> StepResult:
        summed = [tf.add_n(list(shares)) for shares in zip(*(part.gradients for part in parts), strict=True)]
        if config.clip_norm is not None:
            summed, _ = tf.clip_by_global_norm(summed, config.clip_norm)
        optimizer.learning_rate.assign(learning_rate)
        optimizer.apply(summed, variables)
        carried = [tf.concat(list(states), 0) for states in zip(*(part.carry for part in parts), strict=True)]
        return StepResult(tf.add_n([part.nats for part in parts]), count, carried)

    return update


def make_train_step(
    model: Trainable, optimizer: keras.optimizers.Optimizer, config: TrainingConfig, *, shards: int
) -> Callable[..., StepResult]:
    """Returns a step: (arrays, carry, learning_rate) -> StepResult, for batches of any length and row count.

    The loss is the sum of weighted nats divided by the sum of weights of the whole batch, for any number of shards.
    """
    shards_of = make_shards(model, config, shards=shards, own=range(shards))
    update = make_update(model, optimizer, config)

    def step(arrays: list[Any], carry: list[Any], learning_rate: np.float32) -> StepResult:
        return update(shards_of(arrays, carry), tf.reduce_sum(arrays[-1]), tf.constant(learning_rate))

    return step


def make_validation_step(model: Trainable) -> Callable[..., Validated]:
    """Compiles a step without training: (arrays, carry) -> Validated."""

    @tf.function(input_signature=[model.signature, model.carry_signature])
    def step(arrays: list[Any], carry: list[Any]) -> Validated:
        result = model.forward(arrays, carry, training=False)
        nats = tf.reduce_sum(symbol_nats(result.logits, result.targets) * result.weights)
        right = tf.cast(tf.argmax(result.logits, -1, tf.int32) == result.targets, tf.float32)
        return Validated(
            nats,
            tf.reduce_sum(result.weights),
            tf.reduce_sum(right * result.weights),
            tf.reduce_sum(tf.math.cumprod(right, axis=1) * result.weights),
            result.carry,
        )

    return step

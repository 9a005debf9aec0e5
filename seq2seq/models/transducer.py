"""The transducer: a translator's encoder, and a decoder that holds a position in the source and writes edit actions."""

from typing import Any, NamedTuple

from seq2seq.config import ModelConfig
from seq2seq.models.backend import keras, ops, tf
from seq2seq.models.decoder import PAIRS_DEVIATION, embedding, state_count
from seq2seq.models.recurrent import recurrent_layer
from seq2seq.models.translator import build_encoder
from seq2seq.special import END, PAD
from seq2seq.text.edits import action_count, advances


class TransducerModels(NamedTuple):
    """The two models that inference and training use."""

    encoder: keras.Model  # source_ids (B, S) -> [memory (B, S, M), states (B, H) each]
    decoder: keras.Model  # see build_action_decoder
    has_tags: bool


@keras.saving.register_keras_serializable("seq2seq")
class Position(keras.layers.Layer):
    """Follows the position in the source, and reads the memory there.

    Source: Aharoni and Goldberg 2017, arXiv:1611.01487, section 3.
    """

    def __init__(self, actions: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.actions = actions

    def call(self, action_ids: Any, position: Any, memory: Any, memory_mask: Any) -> tuple[Any, Any, Any]:
        """Takes each action at its position.

        Args:
            action_ids: int32 (B, T).
            position: int32 (B,), before the first of them.
            memory: float32 (B, S, M).
            memory_mask: bool (B, S), False on padding; the last symbol of each row is END.

        Returns:
            The memory after each action (B, T, M), whether only END and insertions may follow, bool (B, T), and the
            position after the last action, int32 (B,).

        """
        last = tf.reduce_sum(tf.cast(memory_mask, tf.int32), 1) - 1
        moves = tf.gather(tf.constant(advances(self.actions), tf.int32), action_ids)
        positions = tf.minimum(position[:, None] + tf.cumsum(moves, 1), last[:, None])
        return tf.gather(memory, positions, batch_dims=1), positions == last[:, None], positions[:, -1]

    def compute_output_spec(self, action_ids: Any, position: Any, memory: Any, memory_mask: Any) -> Any:
        """Returns shapes and dtypes of the three outputs."""
        return (
            keras.KerasTensor((*action_ids.shape, memory.shape[-1]), "float32"),
            keras.KerasTensor(action_ids.shape, "bool"),
            keras.KerasTensor(position.shape, "int32"),
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, for Keras."""
        return {**super().get_config(), "actions": self.actions}


@keras.saving.register_keras_serializable("seq2seq")
class PossibleActions(keras.layers.Layer):
    """Gives impossible actions the logit minus infinity: END before the end of the source; COPY and the like at it."""

    def call(self, logits: Any, at_end: Any) -> Any:
        """Masks logits float32 (B, T, A); at_end: bool (B, T)."""
        moves, ids = tf.constant(advances(logits.shape[-1])), tf.range(logits.shape[-1])
        impossible = (ids == PAD) | tf.where(at_end[..., None], moves, ids == END)
        return tf.where(impossible, -float("inf"), logits)

    def compute_output_shape(self, logits_shape: Any, at_end_shape: Any = None) -> Any:
        """Returns the shape of the logits."""
        return logits_shape


@keras.saving.register_keras_serializable("seq2seq")
class TagSum(keras.layers.Layer):
    """Adds up the vectors of a row's tags, and repeats the sum at each step."""

    def __init__(self, size: int, width: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.size, self.width = size, width

    def build(self, tag_ids_shape: Any, action_ids_shape: Any = None) -> None:
        """Creates a vector for each id."""
        start = keras.initializers.RandomNormal(0.0, PAIRS_DEVIATION)
        self.embeddings = self.add_weight(shape=(self.size, self.width), initializer=start, name="embeddings")
        self.built = True

    def call(self, tag_ids: Any, action_ids: Any) -> Any:
        """Returns float32 (B, T, E) for tag ids int32 (B, F), PAD where a row has fewer, and action ids (B, T)."""
        real = tf.cast(tag_ids != PAD, tf.float32)[..., None]
        total = tf.reduce_sum(tf.gather(tf.convert_to_tensor(self.embeddings), tag_ids) * real, 1)
        return tf.repeat(total[:, None], tf.shape(action_ids)[1], axis=1)

    def compute_output_shape(self, tag_ids_shape: Any, action_ids_shape: Any) -> Any:
        """Returns (B, T, E)."""
        return (*action_ids_shape, self.width)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments, for Keras."""
        return {**super().get_config(), "size": self.size, "width": self.width}


def build_transducer(config: ModelConfig, *, source_size: int, target_size: int, has_tags: bool) -> TransducerModels:
    """Builds encoder and decoder; the sizes include the special ids. The ids of tags are those of the source."""
    encoder = build_encoder(config, source_size)
    decoder = build_action_decoder(config, action_count(target_size), source_size if has_tags else 0)
    return TransducerModels(encoder, decoder, has_tags)


def build_action_decoder(config: ModelConfig, actions: int, tags: int) -> keras.Model:
    """Builds the decoder.

    Args:
        config: sizes.
        actions: A, the number of action ids.
        tags: the number of ids that tags are among; 0: no tags.

    Returns:
        A model from [action_ids int32 (B, T), position int32 (B,), states (B, H) each, memory (B, S, M),
        memory_mask bool (B, S), and with tags tag_ids int32 (B, F)] to [logits float32 (B, T, A), position, states].

    """
    hidden, width, rate = config.units, config.embedding_size, config.dropout or 0.0
    action_ids = keras.Input((None,), dtype="int32", name="token_ids")
    position = keras.Input((), dtype="int32", name="position")
    states = [keras.Input((hidden,), name=f"state_{index}") for index in range(state_count(config))]
    memory = keras.Input((None, hidden), name="memory")
    memory_mask = keras.Input((None,), dtype="bool", name="memory_mask")
    tag_inputs = [keras.Input((None,), dtype="int32", name="tag_ids")] if tags else []
    context, at_end, after_position = Position(actions, name="position_in_source")(
        action_ids, position, keras.layers.Dropout(rate, name="memory_dropout")(memory), memory_mask
    )
    previous = embedding(actions, width, deviation=PAIRS_DEVIATION, name="action_embedding")(action_ids)
    previous = keras.layers.Dropout(rate, name="decoder_0_dropout")(previous)
    beside = [context]
    if tags:
        beside.append(TagSum(tags, width, name="tag_embedding")(tag_inputs[0], action_ids))
    outputs = ops.concatenate([previous, *beside], axis=-1)
    per_layer = state_count(config) // config.layers
    last_states: list[Any] = []
    for index in range(config.layers):
        if index:
            outputs = keras.layers.Dropout(rate, name=f"decoder_{index}_dropout")(outputs)
        layer = recurrent_layer(config, hidden, name=f"decoder_{index}")
        outputs, *after = layer(outputs, initial_state=states[index * per_layer : (index + 1) * per_layer])
        last_states.extend(after)
    outputs = keras.layers.Dense(hidden, activation="tanh", name="combine")(
        ops.concatenate([outputs, *beside], axis=-1)
    )
    outputs = keras.layers.Dropout(rate, name="output_dropout")(outputs)
    logits = keras.layers.Dense(actions, dtype="float32", name="logits")(outputs)
    logits = PossibleActions(name="possible_actions")(logits, at_end)
    inputs = [action_ids, position, *states, memory, memory_mask, *tag_inputs]
    return keras.Model(inputs, [logits, after_position, *last_states], name="decoder")


def training_transducer(models: TransducerModels) -> keras.Model:
    """Joins encoder and decoder: [source_ids (B, S), action_ids (B, T), tag_ids (B, F)] -> logits (B, T, A)."""
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    action_ids = keras.Input((None,), dtype="int32", name="token_ids")
    tag_inputs = [keras.Input((None,), dtype="int32", name="tag_ids")] if models.has_tags else []
    memory, *states = models.encoder(source_ids)
    position = ops.zeros_like(source_ids[:, 0])
    inputs = [action_ids, position, *states, memory, ops.not_equal(source_ids, PAD), *tag_inputs]
    logits, *_ = models.decoder(inputs)
    return keras.Model([source_ids, action_ids, *tag_inputs], logits, name="transducer")

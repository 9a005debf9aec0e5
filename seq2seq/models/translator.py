"""The translator: an encoder and a decoder, and a training model that applies these two objects in turn."""

import itertools
from typing import Any, NamedTuple

from seq2seq.config import ModelConfig, decoder_starts
from seq2seq.models.backend import keras, ops
from seq2seq.models.decoder import PAIRS_DEVIATION, build_decoder, embedding
from seq2seq.models.recurrent import ReverseSequence, recurrent_layer
from seq2seq.special import PAD


class TranslatorModels(NamedTuple):
    """The two models that inference and training use."""

    encoder: keras.Model  # source_ids (B, S) -> [memory (B, S, M), states (B, H) each]
    decoder: keras.Model  # see build_decoder
    attends: bool  # whether memory and memory_mask are inputs of the decoder


def build_encoder(config: ModelConfig, source_size: int) -> keras.Model:
    """Builds the encoder.

    Args:
        config: sizes; a bidirectional encoder has hidden_size / 2 units in each direction.
        source_size: number of source ids, special ids included.

    Returns:
        A model from source_ids int32 (B, S), right-padded, to [memory float32 (B, S, H), states (B, H) each]. The
        states are those after each row's last symbol; padding does not change them.

    """
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    real = ops.not_equal(source_ids, PAD)
    memory = embedding(source_size, config.embedding_size, deviation=PAIRS_DEVIATION, name="source_embedding")(
        source_ids
    )
    memory = keras.layers.Dropout(config.dropout or 0.0, name="encoder_0_dropout")(memory)
    starts = decoder_starts(config)
    states: list[list[Any]] = []
    for index in range(config.encoder_layers or config.layers):
        if index:
            memory = keras.layers.Dropout(config.dropout or 0.0, name=f"encoder_{index}_dropout")(memory)
        if not config.bidirectional:
            layer = recurrent_layer(config, config.units, name=f"encoder_{index}")
            memory, *after = layer(memory, mask=real)
            states.append(after)
            continue
        half = config.units // 2
        forward = recurrent_layer(config, half, name=f"encoder_{index}_forward")
        backward = recurrent_layer(config, half, name=f"encoder_{index}_backward")
        read, *ahead = forward(memory, mask=real)
        reversed_memory = ReverseSequence(name=f"encoder_{index}_reverse")(memory, real)
        read_back, *behind = backward(reversed_memory, mask=real)
        memory = ops.concatenate([read, ReverseSequence(name=f"encoder_{index}_restore")(read_back, real)], axis=-1)
        states.append([])
        for position, (one, other) in enumerate(zip(ahead, behind, strict=True)):
            both = ops.concatenate([one, other], axis=-1)
            if config.bridge == "none" or index not in starts:
                states[-1].append(both)
                continue
            # a hidden state is between -1 and 1, a cell has no bounds
            bridge = keras.layers.Dense(
                config.units,
                activation="tanh" if position == 0 else None,
                name=f"bridge_{index}_{'hc'[position]}",
            )
            states[-1].append(bridge(both))
    zeros = [ops.zeros_like(state) for state in states[0]]
    chosen = [zeros if start is None else states[start] for start in starts]
    return keras.Model(source_ids, [memory, *itertools.chain.from_iterable(chosen)], name="encoder")


def build_translator(config: ModelConfig, *, source_size: int, target_size: int) -> TranslatorModels:
    """Builds encoder and decoder; the sizes include the special ids."""
    encoder = build_encoder(config, source_size)
    decoder = build_decoder(config, target_size, memory_size=config.units)
    return TranslatorModels(encoder, decoder, config.attention != "none")


def decoder_inputs(models: TranslatorModels, token_ids: Any, encoded: Any, memory_mask: Any) -> list[Any]:
    """Returns the decoder's inputs; `encoded` has the encoder's outputs [memory, states...]."""
    memory, *states = encoded
    return [token_ids, *states, *([memory, memory_mask] if models.attends else [])]


def training_model(models: TranslatorModels) -> keras.Model:
    """Joins encoder and decoder: [source_ids (B, S), token_ids (B, T)] -> logits float32 (B, T, V).

    Training changes the weights of the same encoder and decoder objects that inference calls.
    """
    source_ids = keras.Input((None,), dtype="int32", name="source_ids")
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    encoded = models.encoder(source_ids)
    logits, *_ = models.decoder(decoder_inputs(models, token_ids, encoded, ops.not_equal(source_ids, PAD)))
    return keras.Model([source_ids, token_ids], logits, name="translator")


def attending_decoder(models: TranslatorModels) -> keras.Model:
    """Returns the decoder; where it attends, with the attention weights (B, T, S) as its last output."""
    if not models.attends:
        return models.decoder
    weights = models.decoder.get_layer("attention").output[1]
    return keras.Model(models.decoder.inputs, [*models.decoder.outputs, weights], name="attending_decoder")

"""The step function of a model of any kind on tensors, with a state of named tensors, for a graph that others run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from seq2seq.bundle.folder import Bundle
from seq2seq.config import TRANSDUCER
from seq2seq.exporting.plain_models import plain_models
from seq2seq.models.backend import keras, tf
from seq2seq.special import PAD

Tensors = dict[str, Any]
SHARED = ("memory", "memory_mask", "tag_ids")  # what all hypotheses of a source have in common


class GraphModel(Protocol):
    """The interface between a graph and a model."""

    @property
    def variables(self) -> list[Any]:
        """The weights."""

    def start(self, source_ids: Any, tag_ids: Any) -> Tensors:
        """Encodes sources int32 (B, S), right-padded, with tags int32 (B, F); returns the state before the first id."""

    def empty(self, rows: Any) -> Tensors:
        """Returns the state of a number of empty texts, for a language model."""

    def step(self, token_ids: Any, state: Tensors) -> tuple[Any, Tensors]:
        """Feeds one id, int32 (B,), to each row; returns logits float32 (B, V), and what of the state has changed."""


@dataclass(frozen=True)
class SingleModel:
    """One model."""

    encoder: keras.Model | None
    decoder: keras.Model

    @classmethod
    def of(cls, bundle: Bundle) -> "SingleModel":
        """Builds the model of a bundle without members."""
        models = plain_models(bundle, steps=1)
        return cls(models.encoder, models.decoder)

    @property
    def variables(self) -> list[Any]:
        """The weights."""
        models = [self.decoder] if self.encoder is None else [self.encoder, self.decoder]
        return [variable.value for model in models for variable in model.variables]

    @property
    def inputs(self) -> list[str]:
        """The names of the decoder's inputs after the ids."""
        return [tensor.name for tensor in self.decoder.inputs[1:]]

    def start(self, source_ids: Any, tag_ids: Any) -> Tensors:
        """Encodes sources int32 (B, S), right-padded, with tags int32 (B, F); returns the state before the first id."""
        assert self.encoder is not None
        memory, *states = self.encoder(source_ids, training=False)
        found = {"memory": memory, "memory_mask": source_ids != PAD, "tag_ids": tag_ids}
        found["position"] = tf.zeros([tf.shape(source_ids)[0]], tf.int32)
        found |= {f"state_{index}": state for index, state in enumerate(states)}
        return {name: found[name] for name in self.inputs}

    def empty(self, rows: Any) -> Tensors:
        """Returns the state of a number of empty texts, for a language model."""
        return {tensor.name: tf.zeros([rows, tensor.shape[-1]]) for tensor in self.decoder.inputs[1:]}

    def step(self, token_ids: Any, state: Tensors) -> tuple[Any, Tensors]:
        """Feeds one id, int32 (B,), to each row; returns logits float32 (B, V), and what of the state has changed."""
        logits, *after = self.decoder([token_ids[:, None], *(state[name] for name in self.inputs)], training=False)
        changed = [name for name in self.inputs if name not in SHARED]
        return logits[:, 0], dict(zip(changed, after, strict=True))


@dataclass(frozen=True)
class JoinedModels:
    """An ensemble: the mean of its members' probabilities. A name of the state begins with its member's."""

    members: tuple[SingleModel, ...]

    @property
    def variables(self) -> list[Any]:
        """The weights."""
        return [variable for member in self.members for variable in member.variables]

    def start(self, source_ids: Any, tag_ids: Any) -> Tensors:
        """Encodes sources int32 (B, S), right-padded, with tags int32 (B, F); returns the state before the first id."""
        return self._named([member.start(source_ids, tag_ids) for member in self.members])

    def empty(self, rows: Any) -> Tensors:
        """Returns the state of a number of empty texts, for a language model."""
        return self._named([member.empty(rows) for member in self.members])

    def step(self, token_ids: Any, state: Tensors) -> tuple[Any, Tensors]:
        """Feeds one id, int32 (B,), to each row; returns log-probabilities float32 (B, V), and the changed state."""
        found = [
            member.step(token_ids, {name: state[f"member_{number}_{name}"] for name in member.inputs})
            for number, member in enumerate(self.members, 1)
        ]
        log_probs = tf.stack([tf.nn.log_softmax(tf.cast(logits, tf.float64)) for logits, _ in found])
        mean = tf.reduce_logsumexp(log_probs, 0) - tf.math.log(tf.cast(len(found), tf.float64))
        return tf.cast(mean, tf.float32), self._named([after for _, after in found])

    @staticmethod
    def _named(states: list[Tensors]) -> Tensors:
        return {
            f"member_{number}_{name}": tensor
            for number, state in enumerate(states, 1)
            for name, tensor in state.items()
        }


def graph_model(bundle: Bundle) -> GraphModel:
    """Builds the step function of a bundle."""
    if bundle.members:
        return JoinedModels(tuple(SingleModel.of(member) for member in bundle.members))
    return SingleModel.of(bundle)


def is_shared(name: str) -> bool:
    """Returns whether a tensor of a state is the same for all hypotheses of a source."""
    return name.endswith(SHARED)


def split_state(state: Mapping[str, Any]) -> tuple[Tensors, Tensors]:
    """Returns the tensors of each hypothesis, and those of a source."""
    rows = {name: tensor for name, tensor in state.items() if not is_shared(name)}
    return rows, {name: tensor for name, tensor in state.items() if name not in rows}


def transduces(bundle: Bundle) -> bool:
    """Returns whether a bundle is a transducer."""
    return bundle.source_vocabulary is not None and bundle.model.architecture == TRANSDUCER

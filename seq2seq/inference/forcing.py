"""Computes the log-probability of each symbol of given targets, with a step function and teacher forcing."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2seq.decoding import State, StepModel, log_softmax
from seq2seq.inference.protocols import Runtime
from seq2seq.inference.threads import single_threaded_products
from seq2seq.inference.window_model import TextRuntime
from seq2seq.special import PAD


def forced_log_probs(runtime: Runtime, source_ids: np.ndarray, target_ids: np.ndarray) -> np.ndarray:
    """Feeds given targets to a translator; returns log-probabilities, float64 (B, T), in nats, 0 on padding.

    Args:
        runtime: the model.
        source_ids: int32 (B, S), in the form that the model reads, right-padded.
        target_ids: int32 (B, T + 1), START ... END, right-padded.

    """
    return fed_log_probs(runtime, runtime.start(source_ids), target_ids)


@single_threaded_products()
def fed_log_probs(model: StepModel, state: State, target_ids: np.ndarray) -> np.ndarray:
    """Feeds given ids to a model; returns log-probabilities, float64 (B, T), in nats, 0 on padding.

    Args:
        model: the step function.
        state: before the first symbol, of B rows.
        target_ids: int32 (B, T + 1), START first, right-padded.

    """
    found = np.zeros((len(target_ids), target_ids.shape[1] - 1))
    for time in range(target_ids.shape[1] - 1):
        logits, state = model.step(target_ids[:, time], state)
        targets = target_ids[:, time + 1]
        real = targets != PAD
        found[real, time] = log_softmax(np.asarray(logits)[real])[np.arange(real.sum()), targets[real]]
    return found


@single_threaded_products()
def fed_best(model: StepModel, state: State, target_ids: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Feeds given ids to a model, and keeps the most probable next ids of each step.

    Args:
        model: the step function.
        state: before the first symbol, of B rows.
        target_ids: int32 (B, T + 1), START first, right-padded.
        most: the number of ids to keep, K, at most V.

    Returns:
        Ids int32 (B, T, K), the most probable first, and their probabilities float32 (B, T, K), scaled to a sum of 1;
        both are 0 on padding.

    """
    shape = (len(target_ids), target_ids.shape[1] - 1, most)
    ids, probs = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    for time in range(shape[1]):
        logits, state = model.step(target_ids[:, time], state)
        real = target_ids[:, time + 1] != PAD
        log_probs = log_softmax(np.asarray(logits)[real])
        best = np.argsort(-log_probs, axis=-1, kind="stable")[:, :most]
        kept = np.exp(np.take_along_axis(log_probs, best, -1))
        ids[real, time], probs[real, time] = best, kept / kept.sum(-1, keepdims=True)
    return ids, probs


class Followed(NamedTuple):
    """What a model computed while it was fed one path of T ids after the first."""

    log_probs: np.ndarray  # float64 (T, V): nats, of every id at each step
    attention: np.ndarray | None  # float32 (T, S); None: the model has no attention


AttendingStep = Callable[[np.ndarray, State], tuple[Any, State, Any]]  # see Runtime.attend


def without_attention(model: StepModel) -> AttendingStep:
    """Returns the step of a model that has no attention weights."""
    return lambda token_ids, state: (*model.step(token_ids, state), None)


@single_threaded_products()
def followed(attend: AttendingStep, state: State, path: Sequence[int]) -> Followed:
    """Feeds the ids of one path, and keeps the whole distribution and the attention weights of each step.

    Args:
        attend: the step function.
        state: before the first id, of one row.
        path: the first id, which the model only reads, and T more.

    """
    log_probs, weights = [], []
    for token in path[:-1]:
        logits, state, attention = attend(np.array([token], np.int32), state)
        log_probs.append(log_softmax(np.asarray(logits)[0]))
        weights.append(attention)
    attends = bool(weights) and weights[0] is not None
    return Followed(np.array(log_probs), np.concatenate(weights) if attends else None)


@single_threaded_products()
def text_log_probs(
    runtime: TextRuntime, inputs: np.ndarray, targets: np.ndarray, state: State
) -> tuple[np.ndarray, State]:
    """Feeds given texts to a language model.

    Args:
        runtime: the model.
        inputs: int32 (B, T), the symbols to feed.
        targets: int32 (B, T), one symbol ahead of `inputs`.
        state: the state before the first symbol.

    Returns:
        Log-probabilities of the targets, float64 (B, T), in nats, and the state after the last symbol.

    """
    rows = np.arange(len(inputs))
    found = np.zeros(inputs.shape)
    for time in range(inputs.shape[1]):
        logits, state = runtime.step(inputs[:, time], state)
        found[:, time] = log_softmax(np.asarray(logits))[rows, targets[:, time]]
    return found, state

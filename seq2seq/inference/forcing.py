"""Computes the log-probability of each symbol of given targets, with a step function and teacher forcing."""

import numpy as np

from seq2seq.decoding import State, log_softmax
from seq2seq.inference.runtimes import Runtime
from seq2seq.inference.threads import single_threaded_products
from seq2seq.inference.window_model import TextRuntime
from seq2seq.special import PAD


@single_threaded_products()
def forced_log_probs(runtime: Runtime, source_ids: np.ndarray, target_ids: np.ndarray) -> np.ndarray:
    """Feeds given targets to a translator; returns log-probabilities, float64 (B, T), in nats, 0 on padding.

    Args:
        runtime: the model.
        source_ids: int32 (B, S), in the form that the model reads, right-padded.
        target_ids: int32 (B, T + 1), START ... END, right-padded.

    """
    state = runtime.start(source_ids)
    rows = np.arange(len(target_ids))
    found = np.zeros((len(target_ids), target_ids.shape[1] - 1))
    for time in range(target_ids.shape[1] - 1):
        logits, state = runtime.step(target_ids[:, time], state)
        targets = target_ids[:, time + 1]
        found[:, time] = np.where(targets != PAD, log_softmax(np.asarray(logits))[rows, targets], 0.0)
    return found


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

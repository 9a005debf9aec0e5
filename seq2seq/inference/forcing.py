"""Computes the log-probability of each symbol of given targets, with a step function and teacher forcing."""

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

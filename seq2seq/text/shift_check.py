"""Compares decoder inputs with decoder targets to find the shift between them."""

import numpy as np

from seq2seq.errors import DataError
from seq2seq.special import END, PAD, START

SHIFTS = (-3, -2, -1, 0, 1, 2, 3)


def agreement(inputs: np.ndarray, targets: np.ndarray, shift: int, *, pad: int = PAD) -> float:
    """Returns the share of real positions where targets[t] == inputs[t + shift].

    Args:
        inputs, targets: integer ids (B, T).
        shift: 1 is correct teacher forcing; 0 is the copy bug.
        pad: id of padding, which does not count.

    """
    length = min(inputs.shape[1], targets.shape[1]) - abs(shift)
    if length <= 0:
        return 0.0
    ahead = inputs[:, max(shift, 0) :][:, :length]
    aligned = targets[:, max(-shift, 0) :][:, :length]
    real = (aligned != pad) & (ahead != pad)
    return float((ahead == aligned)[real].mean()) if real.any() else 0.0


def check_shift(inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, *, delimited: bool = True) -> None:
    """Refuses decoder arrays that teach a model to copy its input, or not to start or stop.

    Args:
        inputs, targets: integer ids (B, T) as in this package: START, END and PAD have their usual ids.
        weights: float32 (B, T), the weight of each target.
        delimited: whether rows are START ... END; False for windows of a text, which have neither.

    Raises:
        DataError: names the bug, the evidence and the fix.

    """
    shares = {shift: agreement(inputs, targets, shift) for shift in SHIFTS}
    best = max(shares, key=lambda shift: (shares[shift], -abs(shift - 1)))
    evidence = ", ".join(f"{shift:+d}: {share:.0%}" for shift, share in shares.items())
    if best == 0 and shares[0] > shares[1]:
        raise DataError(
            f"the copy bug (D01): {shares[0]:.0%} of the targets equal the decoder's input at the same step, so the "
            "model would learn to copy; loss would fall and decoding would be random. Feed target[:, :-1] and take "
            "the loss on target[:, 1:]"
        )
    if best != 1 and shares[best] > shares[1]:
        raise DataError(
            f"wrong shift (D02): targets line up with the inputs at shift {best:+d} instead of +1 ({evidence}). "
            "Feed target[:, :-1] and take the loss on target[:, 1:]"
        )
    if not delimited:
        return
    if not (inputs[:, 0] == START).all():
        row = int(np.flatnonzero(inputs[:, 0] != START)[0])
        raise DataError(
            f"START is missing (D03): the decoder's input of row {row} begins with id {int(inputs[row, 0])}, "
            f"expected START ({START}); decoding begins with START and would begin with an id that the model never saw"
        )
    ends = (targets == END).sum(1)
    if not (ends == 1).all():
        row = int(np.flatnonzero(ends != 1)[0])
        raise DataError(
            f"END is missing (D03): row {row} of the targets has END {int(ends[row])} times, expected once, last; "
            "without it decoding never stops"
        )
    padding = targets == PAD
    if (weights[padding] != 0).any():
        row = int(np.flatnonzero(((weights != 0) & padding).any(1))[0])
        raise DataError(f"padding counts (D04): row {row} has weight above 0 on padding; give padding the weight 0")
    if (weights[~padding] == 0).all():
        raise DataError("no target counts: all weights are 0; give real targets the weight 1")

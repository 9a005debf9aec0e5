"""Fixes that depend on the arrays: how rows are padded and which id is padding."""

from seq2seq.foreign.arrays import ONE_HOT
from seq2seq.foreign.padding import Side

PAD_AFTER = "rows = keras.utils.pad_sequences(rows, maxlen=width, padding='post', truncating='post')  # then slice"


def mask_fix(side: Side) -> str:
    """How to keep an encoder from reading the padding of an array."""
    if side.sequences.kind == ONE_HOT:
        return "keras.layers.Masking()  # before the encoder; the padding must be vectors of zeros"
    if ((side.ids == side.pad) & side.real).any():
        return f"number the symbols from 1 and pad with 0: id {side.pad} is padding and a symbol of the text, too"
    if side.pad == 0:
        return "keras.layers.Embedding(size, width, mask_zero=True)"
    return f"encoder_rnn(embedded, mask=keras.ops.not_equal(ids, {side.pad}))  # the padding is id {side.pad}, not 0"


def pads_in_front(side: Side) -> bool:
    """Returns whether rows are padded in front."""
    return bool((~side.real[:, 0]).sum() > (~side.real[:, -1]).sum())


def shift_fix(inputs: Side, targets: Side) -> str:
    """How to make decoder inputs and targets from the same rows, as these arrays are padded."""
    if pads_in_front(inputs) or pads_in_front(targets):
        return PAD_AFTER
    return "decoder_target = target_ids[:, 1:]  # not np.roll, which wraps START around"

"""D12, and D11 in validation data: leaking sources, the tail of a sorted file, unseen symbols."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.diagnosis.report import HARMFUL, Finding, NotExamined, Result, finding
from seq2seq.foreign.arrays import NOTHING
from seq2seq.foreign.layout import Data
from seq2seq.foreign.padding import Side

LEAK = 0.01  # share of validation sources seen in training above which it is reported
APART = 0.5  # overlap of length histograms below which the two parts differ
ROWS_NEEDED = 20


class Parts(NamedTuple):
    """The sources of the two parts of a split, hashable, and their lengths in symbols."""

    train: Sequence[object]
    validation: Sequence[object]
    train_lengths: np.ndarray
    validation_lengths: np.ndarray
    origin: str


def check_validation(
    data: Data | None, texts: Sequence[tuple[str, str]] | None, validating: Data | None, share: float | None
) -> list[Result]:
    """D12 and unseen symbols, from whatever describes the split."""
    side = None if data is None else data.source or data.inputs
    if validating is not None and data is not None:
        other = validating.source or validating.inputs
        found = check_unseen(data, validating)
        if side is not None and other is not None and side.ids.size and other.ids.size:
            found += check_split(split_of_files(side, other))
        return [*found]
    if share is None:
        return [NotExamined("the split (D12): pass --validation-split or --validation as it was in training")]
    if texts is not None:
        rows = len(side.sequences.raw) if side is not None else len(texts)  # training takes the first ones of a file
        return [*check_split(split_of_pairs(texts[:rows], share))]
    if side is not None and side.ids.size:
        return [*check_split(split_of_arrays(side, share))]
    return [NotExamined("the split (D12): no arrays and no pairs; pass one of them")]


def check_split(parts: Parts) -> list[Finding]:
    """D12: leaking sources and parts of different lengths."""
    if min(len(parts.train), len(parts.validation)) < 1:
        return []
    seen = set(parts.train)
    leaked = sum(source in seen for source in parts.validation)
    share = leaked / len(parts.validation)
    overlap, means = length_overlap(parts.train_lengths, parts.validation_lengths)
    evidence = {
        "validation sources that are in training too": leaked,
        "of": len(parts.validation),
        "share": share,
        "mean length in training": means[0],
        "mean length in validation": means[1],
        "overlap of the lengths": overlap,
        "judged by": parts.origin,
    }
    sorted_tail = overlap < APART and min(len(parts.train), len(parts.validation)) >= ROWS_NEEDED
    if share >= LEAK and leaked > 1 and sorted_tail:
        title = "the split leaks sources, and validation has other lengths than training"
    elif share >= LEAK and leaked > 1:
        title = "the split leaks sources"
    elif sorted_tail:
        title = "validation is the tail of a file that is sorted by length"
    else:
        return []
    return [finding("D12", HARMFUL, evidence, title=title)]


def length_overlap(train: np.ndarray, validation: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Returns the overlap of two length histograms, 0 to 1, and the mean lengths."""
    top = int(max(train.max(), validation.max())) + 1
    one = np.bincount(train, minlength=top) / len(train)
    other = np.bincount(validation, minlength=top) / len(validation)
    return float(np.minimum(one, other).sum()), (float(train.mean()), float(validation.mean()))


def split_of_arrays(side: Side, share: float) -> Parts:
    """Splits rows as Keras's `validation_split` does: the last share of them is validation data."""
    rows, total = side.sequences.rows, len(side.sequences.raw)
    validates = rows >= int(total * (1 - share))
    keys, lengths = keys_of(side), side.lengths()
    return Parts(
        [keys[i] for i in np.flatnonzero(~validates)],
        [keys[i] for i in np.flatnonzero(validates)],
        lengths[~validates],
        lengths[validates],
        f"rows of {side.name!r}",
    )


def split_of_files(train: Side, validation: Side) -> Parts:
    """The parts of a split that is given as two sets of arrays."""
    return Parts(keys_of(train), keys_of(validation), train.lengths(), validation.lengths(), f"rows of {train.name!r}")


def split_of_pairs(pairs: Sequence[tuple[str, str]], share: float) -> Parts:
    """Splits a file of pairs by rows."""
    sources = [" ".join(source.casefold().split()) for source, _ in pairs]
    lengths = np.array([len(source) for source, _ in pairs])
    cut = int(len(pairs) * (1 - share))
    return Parts(sources[:cut], sources[cut:], lengths[:cut], lengths[cut:], f"{len(pairs)} pairs")


def keys_of(side: Side) -> list[bytes]:
    """Makes rows hashable; padding does not count."""
    return [ids[real].tobytes() for ids, real in zip(side.ids, side.real, strict=True)]


def check_unseen(train: Data, validation: Data) -> list[Finding]:
    """D11: symbols that occur in validation alone."""
    found = []
    for name in ("source", "inputs", "targets"):
        one, other = getattr(train, name), getattr(validation, name)
        if one is None or other is None or not one.ids.size or not other.ids.size:
            continue
        seen = set(np.unique(one.ids).tolist())
        new = [symbol for symbol in np.unique(other.ids).tolist() if symbol not in seen and symbol != NOTHING]
        if new:
            evidence = {"array": other.name, "ids seen in validation alone": new[:20], "count": len(new)}
            found.append(
                finding(
                    "D11",
                    HARMFUL,
                    evidence,
                    title="validation data hold symbols that training data do not",
                    effect="the model learnt nothing about them: their weights keep their initial values",
                    fix="shuffle before the split, or map rare symbols to UNK",
                )
            )
    return found

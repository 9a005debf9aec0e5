"""Checks that need arrays alone: D03, D04, D10, D11 (negative ids), D15, and uninformative sources (D05)."""

from collections.abc import Callable, Iterable

import numpy as np

from seq2seq.diagnosis.association import check_association
from seq2seq.diagnosis.fixes import PAD_AFTER, pads_in_front, shift_fix
from seq2seq.diagnosis.report import BROKEN, HARMFUL, NOTE, Finding, Result, finding
from seq2seq.diagnosis.shifts import check_shifts
from seq2seq.foreign.arrays import IDS, MAGNITUDES, NOTHING, ONE_HOT, Sequences
from seq2seq.foreign.layout import Data
from seq2seq.foreign.padding import Side, commonest

ROWS_SHOWN = 8
ID_BYTES = 4
FEW = 0.002  # share of rows below which a missing symbol is not reported


def check_start(data: Data) -> list[Finding]:
    """D03: checks that each row of the decoder's inputs begins with START, and that the targets do not hold it."""
    inputs, targets = data.inputs, data.targets
    if data.source is None or inputs is None or not inputs.ids.size or inputs.sequences.kind == MAGNITUDES:
        return []
    if targets is not None and targets.sequences.single:
        return []
    first = inputs.first()
    if data.start is None:
        symbol, share = commonest(first)
        evidence: dict[str, object] = {
            "rows that begin with the same symbol": share,
            "its id": symbol,
            "different first symbols": len(np.unique(first)),
            "rows": len(first),
        }
        title = "START is missing: decoder inputs begin with text"
        effect = "decoding has no symbol to begin with: training never saw the first symbol that it is given"
        return [finding("D03", BROKEN, evidence, title=title, effect=effect)]
    without = np.flatnonzero((inputs.ids[:, 0] != data.start) & (first != data.start))
    found = []
    if len(without) > FEW * len(first):
        everywhere = len(without) == len(first)
        evidence = {
            "rows without START": len(without),
            "of": len(first),
            "such as rows": rows_of(inputs, without),
            "START": data.start,
        }
        where = "everywhere" if everywhere else "on some rows"
        cut = pads_in_front(inputs) or bool(inputs.pad is not None and inputs.real[without].all())
        found.append(
            finding(
                "D03",
                BROKEN if everywhere else HARMFUL,
                evidence,
                title=f"START is missing {where}",
                fix=PAD_AFTER if cut else "",  # pad_sequences cuts the beginning of long rows
            )
        )
    if targets is not None and targets.ids.size and data.start not in (data.end, targets.pad, NOTHING):
        among = np.flatnonzero(((targets.ids == data.start) & targets.real).any(1))
        if len(among) > FEW * len(targets.ids) and (targets.ids == data.start).sum() < 3 * len(targets.ids):
            evidence = {
                "rows with START in the targets": len(among),
                "of": len(targets.ids),
                "such as rows": rows_of(targets, among),
                "START": data.start,
            }
            found.append(
                finding(
                    "D03",
                    HARMFUL,
                    evidence,
                    title="START is among the targets",
                    effect="the model learns to emit START, and decoding writes it as text",
                    fix=shift_fix(inputs, targets),
                )
            )
    return found


def check_end(data: Data) -> list[Finding]:
    """D03: checks that each row of the targets ends with END."""
    targets = data.targets
    if data.source is None or data.inputs is None or targets is None:
        return []
    if not targets.ids.size or targets.sequences.single:
        return []
    filled = targets.real.any(1)
    lasts, lengths = targets.last(), targets.lengths()
    count = int(filled.sum())
    share = commonest(lasts[filled])[1] if count else 0.0
    if data.end is None:
        same = len(np.unique(lengths[filled])) <= 1
        evidence = {
            "rows that end with the same symbol": share,
            "different last symbols": len(np.unique(lasts[filled])),
            "rows": count,
            "lengths": [int(lengths.min()), int(lengths.max())],
        }
        if same:
            return [finding("D03", NOTE, evidence, title="there is no END; all targets have one length",
                            effect="decoding must stop after that number of symbols")]  # fmt: skip
        return [finding("D03", BROKEN, evidence, title="END is missing everywhere",
                        effect="the model never learns to stop: outputs continue to the length limit")]  # fmt: skip
    if data.end == targets.pad:
        ended = np.ones(len(lasts), bool)
    else:
        ended = (targets.ids == data.end).any(1) if data.end != data.start else lasts == data.end
    without = np.flatnonzero(filled & ~ended)
    if len(without) <= FEW * count:
        return []
    full = int((lengths[without] == targets.ids.shape[1]).sum())
    evidence = {
        "rows without END": len(without),
        "of": count,
        "of these cut off at the full width": full,
        "such as rows": rows_of(targets, without),
        "END": data.end,
    }
    everywhere = len(without) == count
    title = "END is missing everywhere" if everywhere else "END is missing on some rows"
    if full == len(without) and not everywhere:
        title = "END is cut off on some rows"
    return [
        finding(
            "D03",
            BROKEN if everywhere else HARMFUL,
            evidence,
            title=title,
            effect="on such rows the model learns not to stop",
            fix=PAD_AFTER if pads_in_front(targets) else "row = row[: width - 1] + [END]  # or drop longer rows",
        )
    ]


def check_padding(data: Data) -> list[Finding]:
    """D04, as far as arrays show it: one-hot padding that is a symbol, without weights."""
    targets = data.targets
    if targets is None or targets.pad in (None, NOTHING) or data.weights is not None:
        return []
    if targets.sequences.kind != ONE_HOT:
        return []
    padding = ~targets.real
    inside = int(((targets.ids == targets.pad) & targets.real).sum())
    evidence = {
        "share of scored positions that are padding": float(padding.mean()),
        "padding": f"id {targets.pad}",
        "the same id inside the text": inside,
        "rows": len(targets.ids),
    }
    return [finding("D04", HARMFUL, evidence, title="padding is a real character and is scored")]


def check_sources(data: Data) -> list[Finding]:
    """D05, as far as arrays show it: sources that are all equal, or that belong to other targets."""
    source = data.source
    if source is None or len(source.sequences.rows) < 8 or not source.ids.size:
        return []
    distinct = len(np.unique(source.ids, axis=0))
    if distinct > 1:
        return check_association(source, data.targets) if data.targets is not None else []
    if data.targets is not None and len(np.unique(data.targets.ids, axis=0)) == 1:
        return []
    evidence = {"distinct sources": distinct, "rows": len(source.ids)}
    title = "all sources are the same: the model can learn nothing from them"
    fix = "print(len(np.unique(encoder_input, axis=0)))  # find the loop that should fill it"
    return [finding("D05", BROKEN, evidence, title=title, fix=fix)]


def check_form(sequences: Sequences) -> list[Finding]:
    """D10: ids that were scaled to magnitudes."""
    if sequences.kind == MAGNITUDES:
        levels = sequences.levels()
        steps = np.diff(levels)
        evidence = {
            "array": sequences.name,
            "smallest": float(levels[0]),
            "largest": float(levels[-1]),
            "distinct values": len(levels),
            "smallest step": float(steps.min()),
        }
        if levels[0] >= 0 and np.allclose(levels / steps.min(), np.round(levels / steps.min()), atol=0.05):
            evidence["looks like ids divided by"] = round(1 / float(steps.min()))
        return [finding("D10", HARMFUL, evidence)]
    return []


def check_negative(side: Side, *, target: bool) -> list[Finding]:
    """D11: negative ids, unless they mark positions that do not count.

    A loss can ignore one negative id of the targets (`ignore_class=-1`), and Masking one number of the inputs.
    """
    sequences = side.sequences
    negative = np.unique(sequences.ids[sequences.ids < 0]) if sequences.kind == IDS else np.zeros(0, int)
    dtype = sequences.raw.dtype
    narrow = dtype.kind == "i" and dtype.itemsize < 4
    wrapped = narrow and bool(len(negative)) and (len(negative) > 1 or negative[0] == np.iinfo(dtype).min)
    masked = side.pad in negative and (dtype.kind == "f" or sequences.raw.ndim == 3)
    if not len(negative) or (len(negative) == 1 and not wrapped and (target or masked)):
        return []
    evidence = {
        "array": side.name,
        "negative ids": int((sequences.ids < 0).sum()),
        "smallest": int(negative[0]),
        "dtype": str(dtype),
    }
    if wrapped:
        title = f"ids are out of range: {dtype} is too narrow, and larger ids became negative"
        return [finding("D11", BROKEN, evidence, title=title, fix="ids = np.array(rows, dtype='int32')")]
    fix = "print(np.unique(ids[ids < 0]))  # find the code that writes them; pad with id 0"
    return [finding("D11", BROKEN, evidence, title="ids are out of range: some are negative", fix=fix)]


def check_forms(data: Data) -> list[Finding]:
    """D10 and D11 of each array."""
    sides = [side for side in (data.source, data.inputs, data.targets) if side is not None]
    found = [one for side in sides for one in check_form(side.sequences)]
    return found + [one for side in sides for one in check_negative(side, target=side is data.targets)]


def check_memory(data: Data) -> list[Finding]:
    """D15: compares the bytes of one-hot arrays with those of ids."""
    sides = [side for side in (data.source, data.inputs, data.targets) if side is not None]
    hot = [side for side in sides if side.sequences.kind == ONE_HOT and not side.sequences.single]
    if not hot:
        return []
    taken = sum(side.sequences.raw.nbytes for side in hot)
    needed = sum(side.sequences.raw.size // side.sequences.raw.shape[-1] * ID_BYTES for side in hot)
    if taken < 2 * needed:
        return []
    evidence = {
        "bytes": taken,
        "bytes as int32 ids": needed,
        "factor": taken / needed,
        "arrays": [side.name for side in hot],
    }
    return [finding("D15", NOTE, evidence)]


def rows_of(side: Side, positions: np.ndarray) -> list[int]:
    """The first few row numbers, in the user's array."""
    return [int(row) for row in side.sequences.rows[positions[:ROWS_SHOWN]]]


# all checks that need arrays alone
ARRAY_CHECKS: tuple[Callable[[Data], Iterable[Result]], ...] = (
    check_shifts,
    check_start,
    check_end,
    check_padding,
    check_sources,
    check_forms,
    check_memory,
)

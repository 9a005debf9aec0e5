"""D01, D02 and the numbering part of D11: finds the shift at which decoder inputs and targets agree."""

import numpy as np

from seq2seq.diagnosis.report import BROKEN, NotExamined, Result, finding
from seq2seq.foreign.arrays import VECTORS
from seq2seq.foreign.layout import Data
from seq2seq.foreign.padding import Side
from seq2seq.text.shift_check import SHIFTS

ENOUGH = 0.15  # share of the positions that a shift must compare
FARTHEST = 12  # steps, the largest shift between inputs and targets that is compared
DISTINCTIVE = 8  # symbols that two windows share by chance only rarely
BASE = np.uint64(1_000_003)  # of the hash
MOST_SYMBOLS = 5_000_000  # of the windows whose overlap is examined
CLEAR = 0.5  # an aligned shift covers at least this share of the distance from chance to 1
MARGIN = 0.05  # least difference between the best shift and shift 1


def check_shifts(data: Data) -> list[Result]:
    """D01 and D02: compares decoder inputs and targets at all shifts."""
    inputs, targets = data.inputs, data.targets
    if inputs is None or targets is None:
        return []
    if VECTORS in (inputs.sequences.kind, targets.sequences.kind):
        return [
            NotExamined(
                "the shift between decoder inputs and targets (D01, D02): one of the arrays is neither ids nor "
                "one-hot; pass ids"
            )
        ]
    if targets.sequences.single:
        return check_windows(inputs, targets)
    if data.source is None and not is_aligned_text(inputs, targets):
        return [
            NotExamined(
                f"the shift between {inputs.name!r} and {targets.name!r} (D01, D02): they line up at no shift, so the "
                "targets are not the inputs' next symbols; for an encoder-decoder pass decoder_input as well"
            )
        ]
    shares = {shift: agreement(inputs, targets, shift) for shift in wide(inputs, targets)}
    chance = {shift: agreement(inputs, targets, shift, others=True) for shift in shares}
    clear = {
        shift: share for shift, share in shares.items() if share >= chance[shift] + CLEAR * (1 - chance[shift]) - 1e-9
    }
    evidence = {
        "share equal at shift": {f"{shift:+d}": shares[shift] for shift in SHIFTS if shift in shares},
        "chance": max(chance.values(), default=0.0),
        "rows": len(inputs.ids),
    }
    if data.source is None and same_rows(inputs, targets) and not looks_like_text(inputs):
        return [
            NotExamined(
                f"the shift (D01): {targets.name!r} equals {inputs.name!r}, which is right for an autoencoder and the "
                "copy bug for a language model; pass the model"
            )
        ]
    best = max(shares, key=lambda shift: (round(shares[shift], 3), -abs(shift - 1)))
    if best != 1 and best in clear and shares[best] > shares.get(1, 0.0) + MARGIN:
        if best == 0:
            return [finding("D01", BROKEN, {"share equal": shares[0], "they line up at": "shift 0", **evidence})]
        title = f"the targets line up with the decoder's inputs at shift {best:+d} instead of +1"
        return [finding("D02", BROKEN, {"they line up at": f"shift {best:+d}", **evidence}, title=title)]
    if 1 in clear or shares.get(1, 0.0) >= 0.6:
        return []
    return check_numbering(data, inputs, targets, shares)


def check_numbering(data: Data, inputs: Side, targets: Side, shares: dict[int, float]) -> list[Result]:
    """D11: searches for two numberings of the same symbols: one-to-one at a shift, but not equal."""
    fits = {shift: one_to_one(inputs, targets, shift) for shift in wide(inputs, targets)}
    best = max(fits, key=lambda shift: (round(fits[shift][0], 2), -abs(shift - 1)))
    purity, examples = fits[best]
    if purity >= 0.95 and len(examples) >= 3:
        evidence = {
            "share explained by a renumbering": purity,
            "at shift": f"{best:+d}",
            "share equal as they are": shares.get(best, 0.0),
            "input id becomes target id": {str(one): other for one, other in list(examples.items())[:8]},
        }
        numbered = "decoder inputs and targets number the same symbols differently"
        if best == 0 and data.source is None:
            return [
                NotExamined(
                    f"the shift (D01): {targets.name!r} is {inputs.name!r} renumbered, which is right for a model that "
                    "labels or recodes its input and the copy bug for a language model"
                )
            ]
        if best == 1:
            return [finding("D11", BROKEN, evidence, title=numbered)]
        code, what = ("D01", "the copy bug") if best == 0 else ("D02", f"a shift of {best:+d}")
        return [
            finding(code, BROKEN, evidence, title=f"{what}, hidden behind two numberings of the same symbols"),
            finding("D11", BROKEN, evidence, title=numbered),
        ]
    if data.source is None:
        return []
    shown = ", ".join(f"{shift:+d}: {share:.0%}" for shift, share in shares.items() if shift in SHIFTS)
    return [
        NotExamined(
            f"the shift between {inputs.name!r} and {targets.name!r} (D01, D02): they line up nowhere ({shown}); are "
            "they of the same pairs, and is the first the decoder's input? If not, pass inputs= (--inputs)"
        )
    ]


def wide(inputs: Side, targets: Side) -> list[int]:
    """The shifts that are compared."""
    most = min(FARTHEST, min(inputs.ids.shape[1], targets.ids.shape[1]) - 1)
    counts = {shift: len(pairs_at(inputs, targets, shift)[0]) for shift in range(-most, most + 1)}
    # large shifts compare only the few longest rows, where agreement by chance is high
    return [shift for shift, count in counts.items() if shift in (0, 1) or count >= ENOUGH * counts[0]]


def pairs_at(inputs: Side, targets: Side, shift: int, *, others: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Returns the real ids input[t + shift] and target[t] of all rows, or of inputs and other rows' targets."""
    length = min(inputs.ids.shape[1], targets.ids.shape[1]) - abs(shift)
    ahead, aligned = slice(max(shift, 0), max(shift, 0) + length), slice(max(-shift, 0), max(-shift, 0) + length)
    ids, real = targets.ids[:, aligned], targets.real[:, aligned]
    if others:
        ids, real = np.roll(ids, len(ids) // 2, 0), np.roll(real, len(ids) // 2, 0)
    both = inputs.real[:, ahead] & real
    return inputs.ids[:, ahead][both], ids[both]


def agreement(inputs: Side, targets: Side, shift: int, *, others: bool = False) -> float:
    """Returns the share of real positions where targets[t] == inputs[t + shift]."""
    one, other = pairs_at(inputs, targets, shift, others=others)
    return float((one == other).mean()) if len(one) else 0.0


def one_to_one(inputs: Side, targets: Side, shift: int) -> tuple[float, dict[int, int]]:
    """Returns the share of positions that the best renumbering explains, and the renumbering."""
    one, other = pairs_at(inputs, targets, shift)
    if not len(one):
        return 0.0, {}
    ones, first = np.unique(one, return_inverse=True)
    others, second = np.unique(other, return_inverse=True)
    table = np.zeros((len(ones), len(others)), np.int64)
    np.add.at(table, (first, second), 1)
    renumbering: dict[int, int] = {}
    explained = 0
    for row in np.argsort(-table.max(1)):
        column = int(table[row].argmax())
        if int(others[column]) not in renumbering.values():
            renumbering[int(ones[row])] = int(others[column])
            explained += int(table[row, column])
    return explained / len(one), dict(sorted(renumbering.items()))


def same_rows(inputs: Side, targets: Side) -> bool:
    """Returns whether two arrays hold the same ids."""
    return inputs.ids.shape == targets.ids.shape and bool((inputs.ids == targets.ids).mean() > 0.99)


def is_aligned_text(inputs: Side, targets: Side) -> bool:
    """Returns whether the targets of a model with one input equal that input, shifted or renumbered."""
    if inputs.ids.shape[1] != targets.ids.shape[1]:
        return False
    return any(
        agreement(inputs, targets, shift) > 0.9 or one_to_one(inputs, targets, shift)[0] > 0.95
        for shift in wide(inputs, targets)
    )


def looks_like_text(inputs: Side) -> bool:
    """Returns whether rows are windows of a running text: they overlap, or have no padding."""
    return inputs.pad is None and (successors(inputs.ids[:2000]) is not None or len(np.unique(inputs.ids[:, -1])) > 1)


def successors(ids: np.ndarray) -> tuple[int, np.ndarray] | None:
    """Finds by how many symbols windows, int (N, T), follow one another; None if they do not overlap.

    Returns:
        The stride, and int (N,) rows: each window's successor, -1 where there is none. The order of the windows does
        not matter.

    """
    width = ids.shape[1]
    prefixes = np.zeros((width + 1, len(ids)), np.uint64)  # hashes of the first symbols
    powers = BASE ** np.arange(width + 1, dtype=np.uint64)
    for time in range(width):
        prefixes[time + 1] = prefixes[time] * BASE + (ids[:, time] + 2).astype(np.uint64)
    for step in range(1, width - 1):
        rest = prefixes[width] - prefixes[step] * powers[width - step]
        begins = prefixes[width - step]
        if not np.isin(rest, begins).mean() > 0.5:
            continue
        if width - step < DISTINCTIVE and step > 1:
            elsewhere = prefixes[width - 1] - prefixes[step - 1] * powers[width - step]
            if np.isin(elsewhere, begins).mean() > 0.3:
                continue  # so few symbols agree by chance
        places = {row.tobytes(): place for place, row in enumerate(np.ascontiguousarray(ids[:, :-step]))}
        return step, np.array([places.get(row.tobytes(), -1) for row in np.ascontiguousarray(ids[:, step:])])
    return None


def check_windows(inputs: Side, targets: Side) -> list[Result]:
    """D01 and D02 of windows that each predict one symbol."""
    width = inputs.ids.shape[1]
    most = max(1, MOST_SYMBOLS // width)
    ids, following = inputs.ids[:most], targets.ids[:most, 0]
    back = {shift: float((ids[:, width + shift - 1] == following).mean()) for shift in (0, -1, -2) if width + shift > 0}
    counts = np.unique(following, return_counts=True)[1] / len(following)
    chance = float((counts**2).sum())
    ahead: dict[int, float] = {}
    found = successors(ids)
    if found is not None:
        step, rows = found
        for shift in range(1, 4):
            # the symbol at `shift` is in the window that follows after `hops` steps
            later = np.arange(len(ids))
            hops = -(-shift // step)
            for _ in range(hops):
                later = np.where(later >= 0, rows[later], -1)
            there = later >= 0
            if there.any():
                place = width - hops * step + shift - 1
                ahead[shift] = float((ids[later[there], place] == following[there]).mean())
    shares = {**back, **ahead}
    best = max(shares, key=lambda shift: (round(shares[shift], 3), -abs(shift - 1)))
    evidence = {"share equal at shift": {f"{shift:+d}": shares[shift] for shift in sorted(shares)}, "chance": chance}
    if best == 1 or shares[best] < chance + 0.8 * (1 - chance) or shares[best] <= shares.get(1, 0.0) + MARGIN:
        if ahead:
            return []
        return [
            NotExamined(
                f"whether {targets.name!r} is the symbol after the window (D02): the windows of {inputs.name!r} do not "
                "overlap; pass more of them"
            )
        ]
    code = "D01" if best == 0 else "D02"
    title = "the target is the last symbol of the window itself" if best == 0 else (
        f"the target is the symbol at {best:+d} from the window's last instead of +1"
    )  # fmt: skip
    fix = "x.append(text[i : i + length]); y.append(text[i + length])"
    return [finding(code, BROKEN, evidence, title=title, fix=fix)]

"""Symptoms of a model that trains well and decodes badly, from ids alone: sources, outputs, accuracies."""

from collections.abc import Sequence

import numpy as np

LOOP_SHARE = 0.5  # share of an output that must be covered by its repeated tail
LOOPS = 0.3  # share of outputs that run in circles
LONGEST_PERIOD = 8  # symbols
REPEATS = 3  # times a period must occur in a row
GAP = 0.5  # between accuracy when fed and when free
LEARNT = 0.6  # accuracy when fed below which nothing is concluded
FEW_ROWS = 8


def loop_period(ids: Sequence[int]) -> int:
    """Returns the period of an output whose tail repeats itself; 0 if it does not.

    The tail must be REPEATS periods long and cover LOOP_SHARE of the output.
    """
    length = len(ids)
    for period in range(1, min(LONGEST_PERIOD, length // REPEATS) + 1):
        repeated = period
        while repeated < length and ids[length - 1 - repeated] == ids[length - 1 - repeated + period]:
            repeated += 1
        if repeated >= max(REPEATS * period, LOOP_SHARE * length, 4):
            return period
    return 0


def loop_share(outputs: Sequence[Sequence[int]]) -> float:
    """Returns the share of outputs that run in circles."""
    return float(np.mean([loop_period(output) > 0 for output in outputs])) if outputs else 0.0


def distinct_share(outputs: Sequence[Sequence[int]], sources: Sequence[Sequence[int]]) -> float:
    """Returns distinct outputs over distinct sources."""
    return len({tuple(output) for output in outputs}) / max(len({tuple(source) for source in sources}), 1)


def positional_accuracy(outputs: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> float:
    """Returns the share of target symbols that the output has at the same place."""
    right = sum(
        sum(one == other for one, other in zip(output, target, strict=False))
        for output, target in zip(outputs, targets, strict=True)
    )
    return right / max(sum(len(target) for target in targets), 1)


def symptoms(
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    outputs: Sequence[Sequence[int]],
    forced_accuracy: float,
) -> list[str]:
    """Says in one line each what looks wrong with greedy outputs; an empty list if nothing does.

    Args:
        sources: token ids, without padding.
        targets: the references' ids, without START and END.
        outputs: ids of the greedy outputs, without START and END.
        forced_accuracy: share of target symbols predicted when the right ones are fed, 0 to 1.

    """
    if len(sources) < FEW_ROWS or forced_accuracy < LEARNT:
        return []
    found = []
    share = distinct_share(outputs, sources)
    expected = distinct_share(targets, sources)
    if share < 0.2 * expected:
        found.append(
            f"D05: the source seems to be ignored: {len({tuple(o) for o in outputs})} distinct outputs for "
            f"{len({tuple(s) for s in sources})} distinct sources"
        )
    free = positional_accuracy(outputs, targets)
    if forced_accuracy - free > GAP:
        found.append(
            f"D06: {forced_accuracy:.0%} of symbols are right when the right ones are fed, {free:.0%} when it runs free"
        )
    loops, natural = loop_share(outputs), loop_share(targets)
    if loops > natural + LOOPS:
        found.append(f"D14: {loops:.0%} of the outputs run in circles ({natural:.0%} of the targets)")
    return found

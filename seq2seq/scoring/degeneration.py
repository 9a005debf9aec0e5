"""Finds symptoms of a model that trains well but decodes badly, from its outputs and accuracies."""

from collections.abc import Hashable, Sequence

import numpy as np

LOOP_SHARE = 0.5  # share of an output that its repeated tail must cover
LOOPS = 0.3  # share of repeating outputs, above that of the references, that is a symptom
LONGEST_PERIOD = 8  # symbols
REPEATS = 3  # how often a period must occur in a row
LEARNT = 0.6  # least teacher-forced accuracy for D06 and D14
LEARNT_A_LITTLE = 0.3  # least teacher-forced accuracy for D05
FEW_DISTINCT = 0.2  # distinct outputs over distinct references, below which D05 is reported
ABOVE_CHANCE = 0.1  # how far the accuracy before the first mistake must be above chance for D06
FEW_ROWS = 8  # fewest rows for any symptom

Symbols = Sequence[Hashable]


def loop_period(ids: Symbols, longest: int = LONGEST_PERIOD) -> int:
    """Returns the period (symbols, at most `longest`) with which the end of an output repeats; 0 if it does not.

    The repeated tail must be REPEATS periods long and cover LOOP_SHARE of the output.
    """
    length = len(ids)
    for period in range(1, min(longest, length // REPEATS) + 1):
        repeated = period
        while repeated < length and ids[length - 1 - repeated] == ids[length - 1 - repeated + period]:
            repeated += 1
        if repeated >= max(REPEATS * period, LOOP_SHARE * length, 4):
            return period
    return 0


def loop_share(outputs: Sequence[Symbols], longest: int = LONGEST_PERIOD) -> float:
    """Returns the share of outputs whose end repeats with a period of at most `longest` symbols."""
    return float(np.mean([loop_period(output, longest) > 0 for output in outputs])) if outputs else 0.0


def distinct_share(outputs: Sequence[Symbols], sources: Sequence[Symbols]) -> float:
    """Returns the number of distinct outputs divided by that of distinct sources."""
    return len({tuple(output) for output in outputs}) / max(len({tuple(source) for source in sources}), 1)


def positional_accuracy(outputs: Sequence[Symbols], targets: Sequence[Symbols]) -> float:
    """Returns the share of target symbols that the output has at the same position."""
    right = sum(
        sum(one == other for one, other in zip(output, target, strict=False))
        for output, target in zip(outputs, targets, strict=True)
    )
    return right / max(sum(len(target) for target in targets), 1)


def best_accuracy(outputs: Sequence[Symbols], references: Sequence[Sequence[Symbols]]) -> float:
    """Returns the positional accuracy, with the nearest reference for each output."""
    nearest = [
        max(several, key=lambda reference: positional_accuracy([output], [reference]))
        for output, several in zip(outputs, references, strict=True)
    ]
    return positional_accuracy(outputs, nearest)


def symptoms(
    sources: Sequence[Symbols],
    references: Sequence[Sequence[Symbols]],
    outputs: Sequence[Symbols],
    *,
    forced_accuracy: float,
    before_mistake: float,
) -> list[str]:
    """Returns the symptoms of greedy outputs, one line each.

    Until its first mistake, a correct decoder gives the same output free-running as teacher-forced. So its
    free-running accuracy should be at least about the share of symbols before the first teacher-forced mistake.

    Args:
        sources: symbols of each source, without padding.
        references: symbols of each source's references, without START and END.
        outputs: symbols of the greedy outputs, without START and END.
        forced_accuracy: share of target symbols that the teacher-forced decoder predicts, 0 to 1.
        before_mistake: share of target symbols before the first teacher-forced mistake of their row, 0 to 1.

    """
    if len(sources) < FEW_ROWS or forced_accuracy < LEARNT_A_LITTLE:
        return []
    found = []
    distinct = len({tuple(output) for output in outputs})
    if distinct_share(outputs, sources) < FEW_DISTINCT * distinct_share(
        [several[0] for several in references], sources
    ):
        found.append(
            f"D05: the source seems to be ignored: {distinct} distinct outputs for "
            f"{len({tuple(source) for source in sources})} distinct sources"
        )
    if forced_accuracy < LEARNT:
        return found
    free = best_accuracy(outputs, references)
    chance = best_accuracy(outputs, [*references[1:], references[0]])
    if free < 0.5 * before_mistake and before_mistake > chance + ABOVE_CHANCE:
        found.append(
            f"D06: {forced_accuracy:.0%} of symbols are right when teacher-forced ({before_mistake:.0%} before the "
            f"first mistake), but {free:.0%} when free-running"
        )
    loops, natural = loop_share(outputs), loop_share([several[0] for several in references])
    if loops > natural + LOOPS:
        found.append(f"D14: {loops:.0%} of the outputs end in a repetition ({natural:.0%} of the references)")
    return found

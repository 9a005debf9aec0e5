"""Symptoms of a model that trains well and decodes badly: sources, outputs and accuracies in, lines out."""

from collections.abc import Hashable, Sequence

import numpy as np

LOOP_SHARE = 0.5  # share of an output that must be covered by its repeated tail
LOOPS = 0.3  # share of outputs that run in circles
LONGEST_PERIOD = 8  # symbols
REPEATS = 3  # times a period must occur in a row
LEARNT = 0.6  # accuracy when fed below which nothing is concluded from what it does when free
LEARNT_A_LITTLE = 0.3  # accuracy when fed below which nothing is concluded
FEW_DISTINCT = 0.2  # distinct outputs over distinct references
ABOVE_CHANCE = 0.1
FEW_ROWS = 8

Symbols = Sequence[Hashable]


def loop_period(ids: Symbols, longest: int = LONGEST_PERIOD) -> int:
    """Returns the period of an output whose tail repeats itself, at most `longest`; 0 if it does not.

    The tail must be REPEATS periods long and cover LOOP_SHARE of the output.
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
    """Returns the share of outputs that run in circles with a period of at most `longest` symbols."""
    return float(np.mean([loop_period(output, longest) > 0 for output in outputs])) if outputs else 0.0


def distinct_share(outputs: Sequence[Symbols], sources: Sequence[Symbols]) -> float:
    """Returns distinct outputs over distinct sources."""
    return len({tuple(output) for output in outputs}) / max(len({tuple(source) for source in sources}), 1)


def positional_accuracy(outputs: Sequence[Symbols], targets: Sequence[Symbols]) -> float:
    """Returns the share of target symbols that the output has at the same place."""
    right = sum(
        sum(one == other for one, other in zip(output, target, strict=False))
        for output, target in zip(outputs, targets, strict=True)
    )
    return right / max(sum(len(target) for target in targets), 1)


def best_accuracy(outputs: Sequence[Symbols], references: Sequence[Sequence[Symbols]]) -> float:
    """Returns the positional accuracy, each output against the reference that it is nearest to."""
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
    """Says in one line each what looks wrong with greedy outputs; an empty list if nothing does.

    A decoder that looks back only says the same when it runs free as when it is fed, until its first mistake. So what
    it gets right before that when fed is about the least that it gets right when free.

    Args:
        sources: symbols of each, without padding.
        references: symbols of the right outputs of each, without START and END.
        outputs: symbols of the greedy outputs, without START and END.
        forced_accuracy: share of target symbols predicted when the right ones are fed, 0 to 1.
        before_mistake: share of target symbols before the row's first mistake when the right ones are fed, 0 to 1.

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
            f"D06: {forced_accuracy:.0%} of symbols are right when the right ones are fed, {before_mistake:.0%} before "
            f"the first mistake, and {free:.0%} when it runs free"
        )
    loops, natural = loop_share(outputs), loop_share([several[0] for several in references])
    if loops > natural + LOOPS:
        found.append(f"D14: {loops:.0%} of the outputs run in circles ({natural:.0%} of the targets)")
    return found

"""Scores outputs by row, and turns the results of `tables.py` into markdown tables: one of sets, one of averages."""

import statistics
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.benchmarks.published import ELSEWHERE, MEASURES, SETS, Figure

Row = tuple[str, str]  # source and target, as a file has them


def exact(rows: Sequence[Row], outputs: Sequence[str], measure: str) -> float:
    """Returns the share of rows whose output equals the target, in per cent: 100 - WER.

    A source that occurs twice counts twice. `measure` is a key of MEASURES. "published" counts what is left
    of a normalisation set as Bollmann 2019 prepares it: lower case, no row with a side of punctuation alone.
    """
    pairs = [
        (unicodedata.normalize("NFC", target), unicodedata.normalize("NFC", output))
        for (source, target), output in zip(rows, outputs, strict=True)
        if measure != "published" or not (is_punctuation(source) or is_punctuation(target))
    ]
    if measure != "exact":
        pairs = [(target.lower(), output.lower()) for target, output in pairs]
    return 100 * statistics.fmean(target == output for target, output in pairs)


def is_punctuation(text: str) -> bool:
    return all(unicodedata.category(character).startswith("P") for character in text)


def figures(results: Iterable[Mapping[str, Any]], measure: str) -> tuple[list[float], list[float]]:
    """Collects a measure of all seeds of a set: of each single model, and of each ensemble."""
    results = list(results)
    single = [scores[measure] for result in results for scores in result["single"]]
    return single, [result["ensemble"][measure] for result in results if result["ensemble"]]


def spread(values: Sequence[float]) -> str:
    """The mean, and the smallest and largest of several values."""
    if not values:
        return ""
    mean = f"{statistics.fmean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.1f} to {max(values):.1f})"


def set_rows(name: str, results: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The lines of the table for one set, one for each of its measures."""
    described = SETS[name]
    minutes = [result["minutes"] for result in results if result["minutes"] is not None]
    lines = []
    for measure in described.measures:
        last = measure == described.measures[-1]
        single, ensembles = figures(results, measure)
        lines.append(
            [
                f"{name}, {MEASURES[measure]}" if MEASURES[measure] else name,
                str(results[0]["train_pairs"]),
                spread(single),
                spread(ensembles),
                str(described.one or "") if last else "",
                str(described.best or "") if last else "",
                mean(minutes) if last else "",
            ]
        )
    return lines


def average_rows(by_set: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[list[str]]:
    """The lines of the averages: for each task the means over the sets that were scored, ours and the published."""
    lines = []
    for task in dict.fromkeys(described.task for described in SETS.values()):
        names = [name for name in by_set if SETS[name].task == task]
        if not names:
            continue
        ours = [figures(by_set[name], SETS[name].measures[-1]) for name in names]
        theirs = [[getattr(SETS[name], which) for name in names] for which in ("one", "best")]
        lines.append(
            [
                task,
                str(len(names)),
                mean([statistics.fmean(single) for single, _ in ours]),
                mean([statistics.fmean(several) if several else None for _, several in ours]),
                *(mean([figure.value if isinstance(figure, Figure) else None for figure in side]) for side in theirs),
            ]
        )
    return lines


def mean(values: Sequence[float | None]) -> str:
    """The mean of values, empty if one is missing: a mean over other sets cannot be compared."""
    known = [value for value in values if value is not None]
    return f"{statistics.fmean(known):.1f}" if known and len(known) == len(values) else ""


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in markdown, its columns padded to equal width."""
    cells = [list(head), *map(list, lines)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    shown = [
        "| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    return "\n".join([shown[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *shown[1:]])


def report(by_set: Mapping[str, Sequence[Mapping[str, Any]]], *, part: str, members: int) -> str:
    """Both tables, with a line that says what the figures are, and published figures of more languages."""
    what = f"Exact match of the {part} part in per cent (100 - WER), by row; mean of the single models (least to most)."
    ours = ["one model", f"{members} members"]
    published = ["published, one model", "published, best"]
    sets = [line for name, results in by_set.items() for line in set_rows(name, results)]
    averages = average_rows(by_set)
    tables = [
        (["set", "train pairs", *ours, *published, "minutes, all models"], sets),
        (["mean over sets", "sets", *ours, *published], averages),
    ]
    if members == 1:  # no ensemble, no column
        tables = [(without(head, 3), [without(line, 3) for line in lines]) for head, lines in tables]
    elsewhere = [f"Published, {task}, {ELSEWHERE[task]}." for task, *_ in averages if task in ELSEWHERE]
    return "\n\n".join([what, *(markdown(head, lines) for head, lines in tables), "\n".join(elsewhere)]).rstrip()


def without(line: Sequence[str], column: int) -> list[str]:
    return [cell for index, cell in enumerate(line) if index != column]

"""Counts which symbols outputs have in place of others: outputs and references in, the most frequent confusions out."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from seq2seq.scoring.edit_rate import aligned, nearest_reference, segmented

TITLES = {
    "substitution": "substitutions: reference -> output, and how many of the reference's symbols",
    "deletion": "deletions: in the reference alone",
    "insertion": "insertions: in the output alone",
}
MOST = 50  # confusions of each kind
SHOWN = 10  # of them in the table


@dataclass(frozen=True)
class Confusion:
    """A kind of edit between references and outputs, and how often it occurs."""

    kind: str  # "substitution", "deletion" or "insertion"
    reference: str  # the reference's symbol; empty for an insertion
    output: str  # the output's symbol; empty for a deletion
    count: int
    of: int | None  # how often the reference's symbol occurs in all references; None for an insertion
    example: dict[str, str]  # source, output and reference of one of the outputs


class Confusions(NamedTuple):
    """All edits between outputs and their nearest references."""

    wrong: int  # number of outputs that equal no reference
    edits: int
    most_frequent: list[Confusion]  # at most MOST of each kind

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, for JSON."""
        return {**self._asdict(), "most_frequent": [asdict(confusion) for confusion in self.most_frequent]}


def find_confusions(
    outputs: Sequence[str],
    references: Sequence[Sequence[str]],
    sources: Sequence[str],
    *,
    separator: str = "",
    ignore_case: bool = False,
) -> Confusions:
    """Aligns each output with its nearest reference, with the fewest edits, and counts the edits.

    Args:
        outputs: one for each sentence.
        references: at least one for each sentence.
        sources: one for each sentence, for the examples.
        separator: between two symbols of outputs and references; empty: each character is a symbol.
        ignore_case: compare lower-cased texts.

    """

    def symbols(text: str) -> tuple[str, ...]:
        return tuple(segmented(text.lower() if ignore_case else text, separator))

    # rows repeat in token lists: each distinct item is aligned once
    items = Counter(zip(outputs, map(tuple, references), sources, strict=True))
    occurrences: Counter[str] = Counter()
    edits: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], tuple[int, dict[str, str]]] = {}
    wrong = 0
    for (output, several, source), times in items.items():
        written, read = symbols(output), [symbols(reference) for reference in several]
        distance, nearest = nearest_reference(written, read)
        for symbol in nearest:
            occurrences[symbol] += times
        if not distance:
            continue
        wrong += times
        example = {"source": source, "output": output, "reference": several[read.index(tuple(nearest))]}
        for expected, got in aligned(nearest, written):
            if expected == got:
                continue
            edit = expected or "", got or ""
            edits[edit] += times
            # an example with few other edits shows this one best
            if edit not in examples or distance < examples[edit][0]:
                examples[edit] = distance, example
    found: dict[str, list[Confusion]] = {kind: [] for kind in TITLES}
    for (expected, got), count in sorted(edits.items(), key=lambda edit: (-edit[1], edit[0])):
        kind = "substitution" if expected and got else "deletion" if expected else "insertion"
        of = occurrences[expected] if expected else None
        if len(found[kind]) < MOST:
            found[kind].append(Confusion(kind, expected, got, count, of, examples[expected, got][1]))
    return Confusions(wrong, sum(edits.values()), [confusion for kind in found.values() for confusion in kind])


def visible(symbol: str) -> str:
    """Makes a symbol visible: spaces as ␣, a combining mark on a dotted circle."""
    shown = symbol.replace(" ", "␣")
    return f"◌{shown}" if shown and unicodedata.combining(shown[0]) else shown


def width(text: str) -> int:
    """Returns the columns that a text takes in a terminal."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    none = sum(unicodedata.category(character) in ("Mn", "Me", "Cf") for character in text)
    return len(text) + wide - none


def padded(cells: Iterable[str], widths: Sequence[int]) -> str:
    """Joins cells, each filled up to its width."""
    return "  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(cells, widths, strict=True)).rstrip()


def confusion_table(confusions: Confusions) -> list[str]:
    """Formats the most frequent confusions of each kind as lines."""
    lines = [f"{confusions.wrong} wrong outputs, {confusions.edits} edits to the nearest reference"]
    for kind, title in TITLES.items():
        chosen = [confusion for confusion in confusions.most_frequent if confusion.kind == kind][:SHOWN]
        if not chosen:
            continue
        digits = len(str(chosen[0].count))  # the most frequent one comes first
        rows = [
            (
                " -> ".join(visible(symbol) for symbol in (one.reference, one.output) if symbol),
                f"{one.count:>{digits}}" + ("" if one.of is None else f" of {one.of}"),
                shown_example(one.example),
            )
            for one in chosen
        ]
        widths = [max(width(row[place]) for row in rows) for place in range(2)]
        lines += ["", title, *(f"  {padded(row, [*widths, 0])}" for row in rows)]
    return lines


def shown_example(example: Mapping[str, str]) -> str:
    """Formats an example: the source, the output, and what the reference is."""
    source = example["source"].replace("\t", " ")
    return f"{source}  ->  {example['output'] or '(nothing)'}  (reference {example['reference']})"

"""D11 with vocabularies: their order, their range, and whether they fit the arrays and the pairs."""

from collections.abc import Sequence

import numpy as np

from seq2seq.diagnosis.report import BROKEN, HARMFUL, Finding, NotExamined, Result, finding
from seq2seq.foreign.arrays import MAGNITUDES
from seq2seq.foreign.layout import Data
from seq2seq.foreign.padding import Side
from seq2seq.foreign.vocabularies import Table

SHOWN = 8
OTHER = 0.1  # share of a side's characters that another side's vocabulary lacks


def check_vocabularies(
    tables: Sequence[Table], data: Data | None, texts: Sequence[tuple[str, str]] | None
) -> list[Result]:
    """D11: compares vocabularies with each other, with arrays and with pairs."""
    if not tables:
        return []
    found: list[Result] = [*check_order(tables)]
    parts = assigned(tables, data, texts)
    for part in ("source", "inputs", "targets"):
        side, table = getattr(data, part, None), parts[part != "source"]
        if side is None or table is None:
            continue
        found += check_range(table, side)
        if texts is not None:
            found += check_pairs(table, side, [pair[part != "source"] for pair in texts])
    if texts is not None:
        for number, (table, what) in enumerate(zip(parts, ("sources", "targets"), strict=True)):
            found += check_known(table, [pair[number] for pair in texts], what) if table is not None else []
    lacking = [name for name, table in zip(("source", "target"), parts, strict=True) if table is None]
    if lacking:
        found.append(
            NotExamined(f"the {lacking[0]} vocabulary (D11): {tables[0].name} fits the other side alone; pass both")
        )
    if texts is None and data is not None:
        found.append(
            NotExamined(
                "whether the arrays were made with this vocabulary (D11): ids alone do not show another order, such as "
                "that of a set in another session; pass the texts (--pairs), and save the vocabulary with the model"
            )
        )
    return found


def assigned(
    tables: Sequence[Table], data: Data | None, texts: Sequence[tuple[str, str]] | None
) -> tuple[Table | None, Table | None]:
    """Finds the vocabularies of source and target: those that fit, else in the order given.

    Returns:
        Both; None for a side that has another vocabulary, which was not given.

    """
    one, other = tables[0], tables[-1]

    def belongs(table: Table, *, target: bool) -> bool:
        return not has_another(table, data, texts, target=target)

    if len(tables) > 1:
        as_given = belongs(one, target=False) and belongs(other, target=True)
        turned = belongs(other, target=False) and belongs(one, target=True)
        return (other, one) if turned and not as_given else (one, other)
    source, target = belongs(one, target=False), belongs(one, target=True)
    return one if source or not target else None, one if target or not source else None


def has_another(table: Table, data: Data | None, texts: Sequence[tuple[str, str]] | None, *, target: bool) -> bool:
    """Returns whether a side seems to have another vocabulary than this one.

    A few ids far beyond the vocabulary are an error; ids that continue its numbers are another vocabulary.
    """
    if texts is not None and is_characters(table):
        characters = {character for pair in texts for character in pair[target]}
        if len(characters - table.ids.keys()) > OTHER * len(characters):
            return True
    for part in ("inputs", "targets") if target else ("source",):
        side = getattr(data, part, None)
        if side is None or not side.ids.size or side.sequences.kind == MAGNITUDES:
            continue
        above = beyond(table, side)
        if above.size and above.min() - max(table.ids.values()) <= max(len(table.ids) // 2, 1):
            return True
        if texts is not None and check_pairs(table, side, [pair[target] for pair in texts]):
            return True
    return False


def beyond(table: Table, side: Side) -> np.ndarray:
    """The ids of an array above the vocabulary's largest, int32 (N,); padding does not count."""
    return side.ids[(side.ids > max(table.ids.values())) & (side.ids != side.pad)]


def is_characters(table: Table) -> bool:
    """Returns whether the symbols of a vocabulary are characters; how texts are split into words is unknown."""
    return not any(len(symbol) > 1 and not symbol.startswith("<") for symbol in table.ids)


def check_order(tables: Sequence[Table]) -> list[Finding]:
    """D11: two vocabularies of the same symbols in different orders, or two symbols with one id."""
    found = []
    for table in tables:
        twice = len(table.ids) - len(set(table.ids.values()))
        if twice:
            evidence = {"vocabulary": table.name, "symbols": len(table.ids), "ids": len(set(table.ids.values()))}
            found.append(finding("D11", BROKEN, evidence, title="two symbols of a vocabulary share one id"))
    if len(tables) < 2:
        return found
    one, other = tables[0], tables[1]
    shared = set(one.ids) & set(other.ids)
    if len(shared) < 3 or len(shared) < 0.9 * max(len(one.ids), len(other.ids)):
        return found
    moved = sorted(symbol for symbol in shared if one.ids[symbol] != other.ids[symbol])
    if moved:
        evidence = {
            "symbols in both": len(shared),
            "symbols with different ids": len(moved),
            "such as": {symbol: f"{one.ids[symbol]} and {other.ids[symbol]}" for symbol in moved[:SHOWN]},
            "vocabularies": [one.name, other.name],
        }
        title = "the two vocabularies hold the same symbols in different orders"
        found.append(finding("D11", BROKEN, evidence, title=title))
    return found


def check_range(table: Table, side: Side) -> list[Finding]:
    """D11: ids beyond a vocabulary's largest."""
    if not side.ids.size or side.sequences.kind == MAGNITUDES:
        return []
    largest, above = max(table.ids.values()), beyond(table, side)
    if not above.size:
        return []
    top = int(above.max())
    evidence = {
        "array": side.name,
        "largest id": top,
        "vocabulary": table.name,
        "its largest id": largest,
        "positions": len(above),
    }
    if top == largest + 1 == len(table.ids):
        title = "ids are out of the vocabulary's range by one: they are numbered from 1, the vocabulary from 0"
        fix = "index = {symbol: i for i, symbol in enumerate(symbols, 1)}  # as Keras's Tokenizer; 0 is padding"
        return [finding("D11", BROKEN, evidence, title=title, fix=fix)]
    return [finding("D11", BROKEN, evidence, title="ids are out of the vocabulary's range")]


def range_fix(largest: int, size: int) -> str:
    """The fix for ids beyond an embedding or an output of `size` symbols."""
    if largest == size:
        return "size = len(word_index) + 1  # Keras's Tokenizer numbers from 1; 0 is padding"
    return f"keras.layers.Embedding({largest + 1}, width)  # one more than the largest id; or map rare ids to UNK"


def check_pairs(table: Table, side: Side, texts: Sequence[str]) -> list[Finding]:
    """D11: checks that the vocabulary decodes the rows to the texts of the pairs."""
    if not side.ids.size or len(texts) != len(side.sequences.raw):
        return []
    symbols = {number: symbol for symbol, number in table.ids.items()}
    if not is_characters(table):
        return []
    wrong = looked = 0
    for row in range(0, len(side.ids), max(1, len(side.ids) // 500)):
        text = texts[int(side.sequences.rows[row])]
        got = "".join(symbols.get(number, "\N{REPLACEMENT CHARACTER}") for number in side.ids[row][side.real[row]])
        looked += 1
        wrong += text.strip() not in got and got.strip() not in text
    if wrong <= 0.5 * looked:
        return []
    evidence = {"rows that do not decode to their text": wrong, "of": looked, "array": side.name, "as": table.name}
    return [finding("D11", BROKEN, evidence, title="the vocabulary does not decode the array to the pairs' texts")]


def check_known(table: Table, texts: Sequence[str], what: str) -> list[Finding]:
    """D11: finds characters of the texts that a vocabulary of characters lacks."""
    if not is_characters(table):
        return []
    unknown: dict[str, int] = {}
    for text in texts:
        for character in set(text) - table.ids.keys():
            unknown[character] = unknown.get(character, 0) + 1
    if not unknown:
        return []
    evidence = {
        "characters without an id": [f"U+{ord(character):04X} {character!r}" for character in list(unknown)[:SHOWN]],
        "count": len(unknown),
        "lines": max(unknown.values()),
        "vocabulary": table.name,
    }
    return [finding("D11", HARMFUL, evidence, title=f"{what} hold characters that the vocabulary does not hold")]

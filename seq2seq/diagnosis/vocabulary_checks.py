"""D11 with vocabularies: their order, their range, and whether they fit the arrays and the pairs."""

from collections.abc import Sequence

from seq2seq.diagnosis.report import BROKEN, HARMFUL, Finding, finding
from seq2seq.foreign.arrays import MAGNITUDES
from seq2seq.foreign.layout import Data
from seq2seq.foreign.padding import Side
from seq2seq.foreign.vocabularies import Table

SHOWN = 8


def check_vocabularies(
    tables: Sequence[Table], data: Data | None, texts: Sequence[tuple[str, str]] | None
) -> list[Finding]:
    """D11: compares vocabularies with each other, with arrays and with pairs."""
    if not tables:
        return []
    found = check_order(tables)
    for part, table in {"source": tables[0], "inputs": tables[-1], "targets": tables[-1]}.items():
        side = getattr(data, part, None)
        if side is None:
            continue
        found += check_range(table, side)
        if texts is not None:
            found += check_pairs(table, side, [pair[part != "source"] for pair in texts])
    if texts is not None:
        found += check_known(tables[0], [source for source, _ in texts], "sources")
        found += check_known(tables[-1], [target for _, target in texts], "targets")
    return found


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
    """D11: ids of an array that the vocabulary does not have."""
    if not side.ids.size or side.sequences.kind == MAGNITUDES:
        return []
    largest, top = max(table.ids.values()), int(side.ids.max())
    if top <= largest:
        return []
    beyond = side.ids > largest
    if side.pad is not None and side.pad > largest:
        beyond &= side.ids != side.pad
    if not beyond.any():
        return []
    evidence = {
        "array": side.name,
        "largest id": top,
        "vocabulary": table.name,
        "its largest id": largest,
        "positions": int(beyond.sum()),
    }
    return [finding("D11", BROKEN, evidence, title="ids are out of the vocabulary's range")]


def check_pairs(table: Table, side: Side, texts: Sequence[str]) -> list[Finding]:
    """D11: checks that the vocabulary decodes the rows to the texts of the pairs."""
    if not side.ids.size or len(texts) != len(side.sequences.raw):
        return []
    symbols = {number: symbol for symbol, number in table.ids.items()}
    if any(len(symbol) > 1 and not symbol.startswith("<") for symbol in table.ids):
        return []  # words: how the lines were split is unknown
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
    if any(len(symbol) > 1 and not symbol.startswith("<") for symbol in table.ids):
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

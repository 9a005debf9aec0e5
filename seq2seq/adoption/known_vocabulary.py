"""Reads ids from vocabulary files."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from seq2seq.adoption.candidates import UserHints, VocabularyPair
from seq2seq.adoption.form_search import SearchResult
from seq2seq.adoption.numbering_rules import END, NAMES, PAD, START, UNK, Numbering, distinct_counts, id_of
from seq2seq.adoption.vocabulary_search import VocabularySearch
from seq2seq.errors import AdoptionError
from seq2seq.fields import whole_number
from seq2seq.foreign.vocabularies import Table

LATER = "a numbering from a bare set() differs between runs: give the vocabulary that was saved with the model"
FEWEST_ROWS = 8  # first rows of the data that a vocabulary must be able to encode


def from_table(table: Table, hints: UserHints, *, delimited: bool = True) -> Numbering:
    """Sorts a vocabulary's entries into symbols and START, END (if `delimited`), PAD and UNK.

    Raises:
        AdoptionError: a hint is neither a symbol of the vocabulary nor an id.

    """
    special = special_ids(table, hints, delimited=delimited)
    reserved = set(special.values())
    if hints.pad is not None and len(hints.pad) == 1 and whole_number(hints.pad) is None:
        reserved -= {special[PAD]}  # then a real character, such as a space, pads
    ids = {symbol: number for symbol, number in table.ids.items() if number not in reserved}
    return Numbering(ids, f"as in {table.name}", *(special.get(name) for name in (PAD, UNK, START, END)))


def special_ids(table: Table, hints: UserHints, *, delimited: bool) -> dict[str, int]:
    """Finds the special ids of a vocabulary: those that the user gave, and entries with a usual name."""
    given = {START: hints.start, END: hints.end, PAD: hints.pad, UNK: None}
    special: dict[str, int] = {}
    for name, hint in given.items():
        if name in (START, END) and not delimited:
            continue
        if hint is not None:
            number = id_of(hint, table.ids)
            if number is None:
                raise AdoptionError(f"--{name}: expected a symbol of {table.name} or an id, got {hint!r}")
            special[name] = number
            continue
        # a bare word may be a word of the language; a name in brackets or a control character is not
        named = sorted(NAMES[name] & set(table.ids), key=lambda symbol: (symbol.isalpha(), symbol))
        if named:
            special[name] = table.ids[named[0]]
    if PAD not in special and 0 not in table.ids.values():
        special[PAD] = 0
    return special


def numberings(tables: Sequence[Table], hints: UserHints) -> tuple[Numbering, Numbering]:
    """Reads the vocabularies of source and target."""
    # START and END are the target's; the source has them only if its vocabulary does
    start, end = (hint if hint is not None and hint in tables[0].ids else None for hint in (hints.start, hints.end))
    return from_table(tables[0], replace(hints, start=start, end=end)), from_table(tables[-1], hints)


def from_tables(search: VocabularySearch, tables: Sequence[Table]) -> SearchResult:
    """Takes the ids of both sides from vocabularies, and searches for the form of source rows.

    Raises:
        AdoptionError: START or END is not among them, or the first rows of the data cannot be encoded with them.

    """
    texts, hints = search.texts, search.hints
    source, target = numberings(tables, hints)
    for name, number in ((START, target.start), (END, target.end)):
        if number is None:
            raise AdoptionError(
                f"{tables[-1].name}: expected the {name.upper()} symbol in the target's vocabulary, got none with "
                f"a usual name; name it with --{name} (a symbol or its id)"
            )
    results = []
    for segmentations in texts.segmentations(hints):
        sources, targets = (texts.cut(side, segmentations[side]) for side in (0, 1))
        known = [
            source.encode(one) is not None and target.encode(other) is not None
            for one, other in zip(sources, targets, strict=True)
        ]
        high = hints.rows or [*known, False].index(False)
        if high >= min(len(known), FEWEST_ROWS):
            low = hints.rows or rows_with_all_symbols(sources[:high])
            results.append(search.with_form(VocabularyPair(source, target, segmentations, low, high)))
    if not results:
        raise AdoptionError(
            f"{tables[0].name}: expected a vocabulary of the data's symbols, got one in which the first rows cannot be "
            "written; give the vocabularies of source and target in this order, and --source-sep and --target-sep "
            "for words"
        )
    best = min(results, key=lambda result: result.cross_entropy)
    return search.check_learnt(search.with_length(best), " and ".join(dict.fromkeys(table.name for table in tables)))


def rows_with_all_symbols(rows: Sequence[Sequence[str]]) -> int:
    """Returns how many first rows hold every symbol of all rows."""
    counts = distinct_counts(rows)
    return int(np.searchsorted(counts, counts[-1])) + 1

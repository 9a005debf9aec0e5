"""Reads ids from vocabulary files, or from arrays and the texts that they were made from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seq2seq.adoption.candidates import Segmentations, UserHints, VocabularyPair
from seq2seq.adoption.likelihood import Candidate
from seq2seq.adoption.numbering_rules import END, NAMES, PAD, START, UNK, Numbering, distinct_counts, id_of, shown
from seq2seq.adoption.vocabulary_search import SearchResult, VocabularySearch
from seq2seq.errors import AdoptionError
from seq2seq.fields import whole_number
from seq2seq.foreign.arrays import NOTHING
from seq2seq.foreign.layout import Data
from seq2seq.foreign.padding import Side
from seq2seq.foreign.vocabularies import Table
from seq2seq.text.source_layout import SourceForm

AGREE = 0.995  # share of positions where an array and its text must agree
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


def from_tables(search: VocabularySearch, tables: Sequence[Table]) -> SearchResult:
    """Takes the ids of both sides from vocabularies, and searches for the form of source rows.

    Raises:
        AdoptionError: START or END is not among them, or the first rows of the data cannot be encoded with them.

    """
    hints, texts = search.hints, search.texts
    # START and END are the target's; the source has them only if its vocabulary does
    start, end = (hint if hint is not None and hint in tables[0].ids else None for hint in (hints.start, hints.end))
    source = from_table(tables[0], replace(hints, start=start, end=end))
    target = from_table(tables[-1], hints)
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
    return search.check_learnt(best, " and ".join(dict.fromkeys(table.name for table in tables)))


def rows_with_all_symbols(rows: Sequence[Sequence[str]]) -> int:
    """Returns how many first rows hold every symbol of all rows."""
    counts = distinct_counts(rows)
    return int(np.searchsorted(counts, counts[-1])) + 1


def from_arrays(search: VocabularySearch, data: Data) -> SearchResult | None:
    """Reads the id of each symbol from the arrays; None if their rows are not the data's first rows.

    Raises:
        AdoptionError: the arrays have no START or END.

    """
    if data.source is None or data.targets is None or data.inputs is None or not data.source.ids.size:
        return None
    if len(data.source.sequences.raw) > len(search.texts.pairs):
        return None
    for segmentations in search.texts.segmentations(search.hints):
        source = aligned(data.source, search.texts.cut(0, segmentations[0]), ((0, 0), (0, 1), (1, 0), (1, 1)))
        target = aligned(data.targets, search.texts.cut(1, segmentations[1]), ((0, 1), (0, 0)))
        if source is not None and target is not None:
            return from_alignments(search, data, segmentations, source, target)
    return None


@dataclass(frozen=True)
class Alignment:
    """What the comparison of an array with its texts shows."""

    ids: dict[str, int]
    before: tuple[int, ...]
    after: tuple[int, ...]
    reversed: bool


def from_alignments(
    search: VocabularySearch, data: Data, segmentations: Segmentations, source: Alignment, target: Alignment
) -> SearchResult:
    """Combines the alignments of both sides."""
    assert data.source is not None and data.targets is not None
    if data.start is None or data.end is None:
        name = START if data.start is None else END
        raise AdoptionError(f"the arrays: expected rows with {name.upper()}, got none; pass --vocabulary and --{name}")
    pad, real = data.source.pad, data.source.real
    form = SourceForm(
        before=source.before,
        after=source.after,
        length=0 if search.masked else data.source.ids.shape[1],
        fill=NOTHING if pad is None else pad,
        left=bool(real[:, -1].mean() > real[:, 0].mean()),
        reversed=source.reversed,
    )
    how = "as in the arrays"
    ids = {symbol: number for symbol, number in target.ids.items() if number not in (data.end, data.start)}
    target_pad = data.targets.pad if data.targets.pad not in {*ids.values(), NOTHING} else None
    candidate = Candidate(
        Numbering(source.ids, how, pad if pad not in source.ids.values() else None),
        Numbering(ids, how, target_pad, None, data.start, data.end),
        form,
    )
    rows = len(data.source.sequences.raw)
    sides = (search.texts.cut(side, segmentations[side])[: min(rows, 64)] for side in (0, 1))
    sample = list(zip(*sides, strict=True))
    notes = (
        f"numbering: read from the {rows} rows of the arrays and the data's first rows",
        f"START is {shown(data.start)}, END {shown(data.end)}, padding of sources {shown(pad)}",
    )
    nats = search.likelihood.cross_entropy(candidate, sample)
    return SearchResult(candidate, segmentations, rows, nats, notes)


def aligned(side: Side, rows: Sequence[Sequence[str]], around: Sequence[tuple[int, int]]) -> Alignment | None:
    """Reads the id of each symbol from an array whose rows are those of the text.

    Args:
        side: the array.
        rows: the text's symbols, row by row.
        around: how many ids may stand before and after those of a row's symbols.

    Returns:
        None if the array and the text do not agree.

    """
    pairs = [
        (side.ids[place][side.real[place]].tolist(), rows[int(number)])
        for place, number in enumerate(side.sequences.rows)
    ]
    for backwards in (False, True):
        for first, last in around:
            fitting = [(ids, row) for ids, row in pairs if len(ids) - first - last == len(row)]
            if len(fitting) < 0.9 * len(pairs):
                continue
            step = -1 if backwards else 1
            found = agreed_ids([(ids[first : len(ids) - last][::step], row) for ids, row in fitting])
            if found is not None:
                whole = fitting[0][0]
                return Alignment(found, tuple(whole[:first]), tuple(whole[len(whole) - last :]), backwards)
    return None


def agreed_ids(pairs: Sequence[tuple[list[int], Sequence[str]]]) -> dict[str, int] | None:
    """Finds the most frequent id of each symbol; None if ids differ too often, or two symbols have one id."""
    votes: dict[str, Counter[int]] = {}
    for ids, row in pairs:
        for symbol, number in zip(row, ids, strict=True):
            votes.setdefault(symbol, Counter())[number] += 1
    winners = {symbol: counts.most_common(1)[0] for symbol, counts in votes.items()}
    found = {symbol: number for symbol, (number, _) in winners.items()}
    total = sum(counts.total() for counts in votes.values())
    agreeing = sum(count for _, count in winners.values())
    unique = len(set(found.values())) == len(found)
    return found if unique and total and agreeing >= AGREE * total else None

"""Reads evidence from the arrays: the ids of symbols, the form of source rows, and which rows are which pairs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from seq2seq.adoption.candidates import Segmentations
from seq2seq.adoption.form_search import ArrayForm, SearchResult
from seq2seq.adoption.known_vocabulary import LATER, numberings
from seq2seq.adoption.likelihood import Candidate, Row
from seq2seq.adoption.numbering_rules import END, START, Numbering, id_of, shown
from seq2seq.adoption.vocabulary_search import VocabularySearch, no_end
from seq2seq.errors import AdoptionError, OptionError
from seq2seq.foreign.arrays import NOTHING
from seq2seq.foreign.layout import Data
from seq2seq.foreign.padding import Side
from seq2seq.foreign.vocabularies import Table
from seq2seq.text.source_layout import SourceForm

AGREE = 0.995  # share of positions where an array and its text must agree
FOUND = 0.5  # share of the arrays' rows that must be pairs of the data


@dataclass(frozen=True)
class Alignment:
    """What the comparison of an array with its texts shows."""

    ids: dict[str, int]
    before: tuple[int, ...]
    after: tuple[int, ...]
    reversed: bool


@dataclass(frozen=True)
class Aligned:
    """Arrays whose rows are the first rows of the data."""

    segmentations: Segmentations
    source: Alignment
    target: Alignment


def form_in(data: Data, source_length: int | None) -> ArrayForm | None:
    """Reads the form of source rows from the arrays; None if they have no sources.

    Raises:
        OptionError: the user's source length contradicts it.

    """
    if data.source is None or not data.source.ids.size:
        return None
    pad, real, length = data.source.pad, data.source.real, data.source.ids.shape[1]
    if source_length is not None and not 0 <= length - source_length <= 2:  # START and END may be added to it
        raise OptionError(
            f"--source-length {source_length}: contradicts the arrays, whose sources have {length} symbols"
        )
    return ArrayForm(length, pad, left=bool(real[:, -1].mean() > real[:, 0].mean()))


def align(search: VocabularySearch, data: Data) -> Aligned | None:
    """Compares the arrays with the first rows of the data; None if they do not agree."""
    if data.source is None or data.targets is None or data.inputs is None or not data.source.ids.size:
        return None
    if len(data.source.sequences.raw) > len(search.texts.pairs):
        return None
    for segmentations in search.texts.segmentations(search.hints):
        source = aligned(data.source, search.texts.cut(0, segmentations[0]), ((0, 0), (0, 1), (1, 0), (1, 1)))
        target = aligned(data.targets, search.texts.cut(1, segmentations[1]), ((0, 1), (0, 0)))
        if source is not None and target is not None:
            return Aligned(segmentations, source, target)
    return None


def from_alignments(search: VocabularySearch, data: Data, found: Aligned, tables: Sequence[Table]) -> SearchResult:
    """Combines what the arrays of both sides show with the vocabularies, if there are any.

    Raises:
        AdoptionError: vocabularies or options contradict the arrays, or no row has START or END.

    """
    assert data.source is not None and data.targets is not None and search.shown is not None
    source, target = known_numberings(search, data, found, tables)
    form = SourceForm(
        before=found.source.before,
        after=found.source.after,
        length=0 if search.masked else search.shown.length,
        fill=search.padding_ids(source)[0],
        left=search.shown.left,
        reversed=found.source.reversed,
    )
    candidate = Candidate(source, target, form)
    rows = len(data.source.sequences.raw)
    nats = search.likelihood.cross_entropy(candidate, search.texts.sample(found.segmentations, min(rows, 64), 64))
    notes = (
        f"numbering: {source.how}, and the data's first {rows} rows",
        f"START is {shown(target.start)}, END {shown(target.end)}, padding of sources {shown(form.fill)}",
        f"nats per target symbol: {nats:.3f}",
    )
    return SearchResult(candidate, found.segmentations, rows, nats, notes)


def known_numberings(
    search: VocabularySearch, data: Data, found: Aligned, tables: Sequence[Table]
) -> tuple[Numbering, Numbering]:
    """Numbers both sides by the arrays, and by the vocabularies where there are any."""
    assert data.source is not None and data.targets is not None
    how = "as in the arrays"
    if tables:
        source, target = numberings(tables, search.hints)
        for table, side in ((tables[0], found.source), (tables[-1], found.target)):
            check_agreement(table, side)
        how = f"as in the arrays and in {' and '.join(dict.fromkeys(table.name for table in tables))}"
    else:
        pads = [side.pad for side in (data.source, data.targets)]
        source = Numbering(found.source.ids, how, pads[0] if pads[0] not in found.source.ids.values() else None)
        ids = {symbol: number for symbol, number in found.target.ids.items() if number not in (data.end, data.start)}
        target = Numbering(ids, how, pads[1] if pads[1] not in {*ids.values(), NOTHING} else None)
    ends = {}
    for name, hint, seen in ((START, search.hints.start, data.start), (END, search.hints.end, data.end)):
        known = getattr(target, name) if tables else None
        if hint is not None and not tables and (known := id_of(hint, found.target.ids)) is None:
            raise AdoptionError(f"--{name}: expected a symbol of the data or an id, got {hint!r}")
        if hint is not None and seen not in (None, known):
            raise AdoptionError(f"--{name} {hint}: is {shown(known)}, and the arrays have {shown(seen)} there")
        ends[name] = known if seen is None else seen
    if ends[END] is None:
        lengths = data.targets.lengths()
        raise AdoptionError(no_end(int(lengths.min()), int(lengths.max())))
    if ends[START] is None:
        raise AdoptionError("the arrays: expected rows with START, got none; pass --vocabulary and --start")
    return replace(source, how=how), replace(target, how=how, start=ends[START], end=ends[END])


def check_agreement(table: Table, side: Alignment) -> None:
    """Refuses a vocabulary whose ids are not those of the arrays.

    Raises:
        AdoptionError: a symbol has another id.

    """
    for symbol, number in side.ids.items():
        if symbol in table.ids and table.ids[symbol] != number:
            raise AdoptionError(
                f"{table.name}: contradicts the arrays: {symbol!r} has id {table.ids[symbol]} in the vocabulary and id "
                f"{number} in the arrays; {LATER}"
            )


def rows_of_arrays(search: VocabularySearch, data: Data, result: SearchResult) -> dict[int, Row]:
    """Reads the arrays' rows back as text with the ids that were found.

    Returns:
        The row of the arrays for each row of the data that is among them, as far as it was read.

    Raises:
        AdoptionError: most rows of the arrays are not in the data when they are read so.

    """
    if data.source is None or data.targets is None or not data.source.ids.size or not data.targets.ids.size:
        return {}
    candidate, texts = result.candidate, search.texts
    pairs = zip(*(texts.cut(side, result.segmentations[side]) for side in (0, 1)), strict=True)
    numbers: dict[tuple[tuple[str, ...], ...], int] = {}
    for number, (source, target) in enumerate(pairs):
        numbers.setdefault((tuple(source), tuple(target)), number)
    form, found, matched = candidate.form, {}, 0
    sides = [{number: symbol for symbol, number in one.ids.items()} for one in (candidate.source, candidate.target)]
    for place in range(len(data.source.ids)):
        ids = [side.ids[place][side.real[place]].tolist() for side in (data.source, data.targets)]
        symbols = [text_of(ids[0], sides[0], form.before, form.after), text_of(ids[1], sides[1], (), ends(candidate))]
        if None in symbols:
            continue
        source, target = symbols[0] or (), symbols[1] or ()
        row = numbers.get((source[::-1] if form.reversed else source, target))
        encoded = candidate.encode((list(source), list(target)))
        if row is not None and encoded is not None:
            matched += 1
            found[row] = (tuple(data.source.ids[place].tolist()), encoded[1])
    rows = len(data.source.ids)
    if matched < FOUND * rows:
        raise AdoptionError(
            f"the arrays: contradict the data and {candidate.target.how!r}: read with these ids, {matched} of {rows} "
            f"rows are pairs of the data; {LATER}"
        )
    return found


def ends(candidate: Candidate) -> tuple[int, ...]:
    """Returns the ids that end a target row."""
    return () if candidate.target.end is None else (candidate.target.end,)


def text_of(
    ids: Sequence[int], symbols: dict[int, str], before: Sequence[int], after: Sequence[int]
) -> tuple[str, ...] | None:
    """Turns a row's ids into symbols, without those before and after the text; None if one is no symbol."""
    row = list(ids)
    if before and row[: len(before)] == list(before):
        row = row[len(before) :]
    if after and row[-len(after) :] == list(after):
        row = row[: -len(after)]
    found = [symbols.get(number) for number in row]
    return None if None in found else tuple(found)  # type: ignore[arg-type]


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

"""Makes the folder's vocabularies, and finds the original's id for each of their ids."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from seq2seq.adoption.conversion import Ids
from seq2seq.adoption.likelihood import Candidate
from seq2seq.adoption.numbering_rules import Numbering
from seq2seq.foreign.arrays import NOTHING
from seq2seq.special import END, PAD, SPECIAL_COUNT, START, UNK
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Vocabulary

PADDING = "<padding>"  # a symbol for the padding where the original has UNK, START and END


class IdMapping(NamedTuple):
    """A translator's vocabularies, with the original's id for each of their ids."""

    source: Vocabulary
    target: Vocabulary
    source_ids: Ids
    target_ids: Ids  # that the decoder reads
    classes: Ids  # that it predicts
    form: SourceForm  # in the folder's ids


def map_ids(
    candidate: Candidate, separators: tuple[str, str], classes: int, *, clean: bool, backwards: bool
) -> IdMapping:
    """Maps both sides.

    Args:
        candidate: in the original's ids.
        separators: of source and target symbols.
        classes: how many symbols the original predicts.
        clean: whether special spaces and apostrophes become plain ones.
        backwards: whether the original's encoder reads rows from the end. The folder's encoder reads from the
            beginning: its rows are reversed instead.

    """
    symbols, source_ids, form = map_source(candidate.source, candidate.form, clean=clean)
    if backwards:
        before, after = form.after[::-1], form.before[::-1]
        form = replace(form, before=before, after=after, left=not form.left, reversed=not form.reversed)
    target, target_ids, columns = map_target(candidate.target, classes)
    return IdMapping(
        Vocabulary(symbols, separators[0]), Vocabulary(target, separators[1]), source_ids, target_ids, columns, form
    )


def ordered(ids: Mapping[str, int]) -> list[str]:
    """Sorts symbols by the original's ids."""
    return sorted(ids, key=lambda symbol: ids[symbol])


def map_source(numbering: Numbering, form: SourceForm, *, clean: bool) -> tuple[list[str], Ids, SourceForm]:
    """Lists a source's symbols, and the original's id for each of the folder's; padding gets a free id."""
    symbols = ordered(numbering.ids)
    ids: list[int | None] = [numbering.ids[symbol] for symbol in symbols]
    folder_ids: dict[int, int] = {numbering.ids[symbol]: SPECIAL_COUNT + place for place, symbol in enumerate(symbols)}
    special: dict[int, int | None] = dict.fromkeys(range(SPECIAL_COUNT))
    for place, number in ((UNK, numbering.unk), (START, numbering.start), (END, numbering.end)):
        if number is not None and number not in folder_ids and number != NOTHING:
            folder_ids[number] = place
            special[place] = number
    if form.fill not in folder_ids:
        # in a one-hot model an unknown character is a row of zeros, as the padding is
        padding = None if form.fill == NOTHING else form.fill
        free = next((place for place in (UNK, START, END) if special[place] is None), SPECIAL_COUNT + len(symbols))
        folder_ids[form.fill] = free
        if free < SPECIAL_COUNT:
            special[free] = padding
        else:
            symbols.append(PADDING)
            ids.append(padding)
    before, after = (tuple(folder_ids[number] for number in numbers) for numbers in (form.before, form.after))
    mapped = replace(form, before=before, after=after, fill=folder_ids[form.fill], clean=clean)
    return symbols, [*special.values(), *ids], mapped


def map_target(numbering: Numbering, classes: int) -> tuple[list[str], Ids, Ids]:
    """Lists a target's symbols, and the original's id and class for each of the folder's ids; every class has an id."""
    ids = {symbol: number for symbol, number in numbering.ids.items() if number != numbering.end}
    taken = set(ids.values())
    read: dict[int, int | None] = {PAD: None, UNK: numbering.unk, START: numbering.start, END: numbering.end}
    if read[START] == NOTHING:
        read[START] = None
    scored: dict[int, int | None] = dict.fromkeys(range(SPECIAL_COUNT))
    for place, number in ((END, numbering.end), (START, numbering.start), (UNK, numbering.unk), (PAD, numbering.pad)):
        if number is not None and number != NOTHING and number not in taken:
            scored[place] = number
            taken.add(number)
    others = {f"<{number}>": number for number in range(classes) if number not in taken}
    ids = others | ids
    symbols = ordered(ids)
    columns = [*scored.values(), *(ids[symbol] for symbol in symbols)]
    return (
        symbols,
        [*(read[place] for place in range(SPECIAL_COUNT)), *(ids[symbol] for symbol in symbols)],
        [number if number is not None and number < classes else None for number in columns],
    )

"""Gives the original's symbols our ids: vocabularies, and for each id of ours the original's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from seq2seq.adoption.conversion import Ids
from seq2seq.adoption.judging import Guess
from seq2seq.adoption.numbering import Numbering
from seq2seq.foreign.arrays import NOTHING
from seq2seq.source_form import SourceForm
from seq2seq.special import END, PAD, SPECIAL_COUNT, START, UNK
from seq2seq.vocabulary import Vocabulary


class Named(NamedTuple):
    """A translator's vocabularies, with the original's ids by ours."""

    source: Vocabulary
    target: Vocabulary
    source_ids: Ids
    target_ids: Ids  # that the decoder reads
    classes: Ids  # that it scores
    form: SourceForm


def name_all(guess: Guess, separators: tuple[str, str], classes: int, *, tidy: bool, backwards: bool) -> Named:
    """Writes what was concluded in ids of ours.

    Args:
        guess: in the original's ids.
        separators: of source and target symbols.
        classes: how many symbols the original predicts.
        tidy: whether special spaces and apostrophes were made plain.
        backwards: whether the encoder reads its rows from the end; ours reads turned rows from the beginning.

    """
    symbols, source_ids, form = name_source(guess.source, guess.form, tidy=tidy)
    if backwards:
        turned = form.after[::-1], form.before[::-1]
        form = replace(form, before=turned[0], after=turned[1], left=not form.left, reversed=not form.reversed)
    target, target_ids, columns = name_target(guess.target, classes)
    return Named(
        Vocabulary(symbols, separators[0]), Vocabulary(target, separators[1]), source_ids, target_ids, columns, form
    )


def ordered(ids: Mapping[str, int]) -> list[str]:
    """Sorts symbols by the original's ids."""
    return sorted(ids, key=lambda symbol: ids[symbol])


def name_source(numbering: Numbering, form: SourceForm, *, tidy: bool) -> tuple[list[str], Ids, SourceForm]:
    """Names a source's ids; what fills rows gets an id that nothing else needs."""
    symbols = ordered(numbering.ids)
    ours: dict[int, int] = {numbering.ids[symbol]: SPECIAL_COUNT + place for place, symbol in enumerate(symbols)}
    special: dict[int, int | None] = dict.fromkeys(range(SPECIAL_COUNT))
    for place, theirs in ((UNK, numbering.unk), (START, numbering.start), (END, numbering.end)):
        if theirs is not None and theirs not in ours and theirs != NOTHING:
            ours[theirs] = place
            special[place] = theirs
    if form.fill not in ours:
        # an unknown character of a one-hot model is a row of zeros, as its padding is
        free = next(place for place in (UNK, START, END) if special[place] is None)
        ours[form.fill] = free
        special[free] = None if form.fill == NOTHING else form.fill
    named = SourceForm(
        before=tuple(ours[number] for number in form.before),
        after=tuple(ours[number] for number in form.after),
        length=form.length,
        fill=ours[form.fill],
        left=form.left,
        reversed=form.reversed,
        clean=tidy,
    )
    return symbols, [*special.values(), *(numbering.ids[symbol] for symbol in symbols)], named


def name_target(numbering: Numbering, classes: int) -> tuple[list[str], Ids, Ids]:
    """Names a target's ids; every class of the original gets one, so that all probabilities sum to 1."""
    ids = {symbol: number for symbol, number in numbering.ids.items() if number != numbering.end}
    taken = set(ids.values())
    read: dict[int, int | None] = {PAD: None, UNK: numbering.unk, START: numbering.start, END: numbering.end}
    if read[START] == NOTHING:
        read[START] = None
    scored: dict[int, int | None] = dict.fromkeys(range(SPECIAL_COUNT))
    for place, theirs in ((END, numbering.end), (START, numbering.start), (UNK, numbering.unk), (PAD, numbering.pad)):
        if theirs is not None and theirs != NOTHING and theirs not in taken:
            scored[place] = theirs
            taken.add(theirs)
    others = {f"<{number}>": number for number in range(classes) if number not in taken}
    ids |= {symbol: number for symbol, number in others.items() if symbol not in ids}
    symbols = ordered(ids)
    columns = [*scored.values(), *(ids[symbol] for symbol in symbols)]
    return (
        symbols,
        [*(read[place] for place in range(SPECIAL_COUNT)), *(ids[symbol] for symbol in symbols)],
        [number if number is not None and number < classes else None for number in columns],
    )

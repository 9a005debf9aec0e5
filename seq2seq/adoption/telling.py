"""Numberings that need no guess: from vocabulary files, and from the arrays beside the texts they were made of."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from seq2seq.adoption.choosing import Chosen, check_learnt, fill
from seq2seq.adoption.judging import Guess, Judge
from seq2seq.adoption.material import Texts, Told
from seq2seq.adoption.numbering import END, NAMES, PAD, START, UNK, Numbering, Reading, shown
from seq2seq.errors import AdoptionError
from seq2seq.foreign.arrays import NOTHING
from seq2seq.foreign.layout import Data
from seq2seq.foreign.padding import Side
from seq2seq.foreign.vocabularies import Table
from seq2seq.source_form import SourceForm

AGREE = 0.995  # share of positions at which an array and its text must agree


def from_table(table: Table, told: Told, *, delimited: bool = True) -> Numbering:
    """Reads a vocabulary: which of its entries are symbols, and which are START, END (if `delimited`), PAD and UNK."""
    special: dict[str, int] = {}
    for name, given in ((START, told.start), (END, told.end), (PAD, told.pad), (UNK, None)):
        if name in (START, END) and not delimited:
            continue
        if given is not None:
            number = table.ids.get(given, int(given) if given.isdigit() else None)
            if number is None:
                raise AdoptionError(f"--{name}: expected a symbol of {table.name} or an id, got {given!r}")
            special[name] = number
            continue
        # a bare word may be a word of the language; a name in brackets or a control character is none
        found = sorted(NAMES[name] & set(table.ids), key=lambda symbol: (symbol.isalpha(), symbol))
        if found:
            special[name] = table.ids[found[0]]
    if PAD not in special and 0 not in table.ids.values():
        special[PAD] = 0
    kept = {PAD, START, END} & set(special)
    reserved = {special[name] for name in kept | ({UNK} & set(special))}
    if told.pad is not None and len(told.pad) == 1 and not told.pad.isdigit():
        reserved -= {special[PAD]}  # a real character that fills rows
    ids = {symbol: number for symbol, number in table.ids.items() if number not in reserved}
    return Numbering(
        ids, f"as in {table.name}", special.get(PAD), special.get(UNK), special.get(START), special.get(END)
    )


def by_tables(judge: Judge, texts: Texts, told: Told, tables: Sequence[Table], masked: bool) -> Chosen:
    """Numbers both sides as the vocabularies say.

    Raises:
        AdoptionError: START or END is not among them, or no row of the data can be written with them.

    """
    # what begins and ends rows is told of the target
    named = {name: value for name in (START, END) if (value := getattr(told, name)) in tables[0].ids}
    source = from_table(tables[0], replace(told, start=named.get(START), end=named.get(END)))
    target = from_table(tables[-1], told)
    for name, number in ((START, target.start), (END, target.end)):
        if number is None:
            raise AdoptionError(
                f"{tables[-1].name}: expected the {name.upper()} symbol in the target's vocabulary, got none with "
                f"a usual name; say which it is with --{name} (a symbol or its id)"
            )
    best: Chosen | None = None
    for readings in texts.readings(told):
        known = [
            source.row(one) is not None and target.row(other) is not None
            for one, other in zip(texts.cut(0, readings[0]), texts.cut(1, readings[1]), strict=True)
        ]
        high = told.rows or (known.index(False) if not all(known) else len(known))
        if high < min(len(known), 8):
            continue
        span = told.rows or covered(texts, source, readings, high), high
        found = fill(judge, texts, told, readings, (source, target), span, masked)
        if best is None or found.nats < best.nats:
            best = found
    if best is None:
        raise AdoptionError(
            f"{tables[0].name}: expected a vocabulary of the data's symbols, got one in which the first rows cannot be "
            "written; give the vocabularies of source and target in this order, and --source-sep and --target-sep "
            "for words"
        )
    check_learnt(texts, best, " and ".join(dict.fromkeys(table.name for table in tables)))
    return best


def covered(texts: Texts, source: Numbering, readings: tuple[Reading, Reading], high: int) -> int:
    """How many first rows it takes to see every symbol of the source's vocabulary that any row has."""
    seen: set[str] = set()
    last = 1
    for number, row in enumerate(texts.cut(0, readings[0])[:high], 1):
        if not seen >= set(row):
            seen.update(row)
            last = number
    return last if seen >= set(source.ids) else min(high, max(last, 1))


def by_arrays(judge: Judge, texts: Texts, told: Told, data: Data, masked: bool) -> Chosen | None:
    """Reads the symbol of each id off the texts; None where the arrays' rows are not the data's first ones.

    Raises:
        AdoptionError: the arrays do not show START or END.

    """
    if data.source is None or data.targets is None or data.inputs is None or not data.source.ids.size:
        return None
    if len(data.source.sequences.raw) > len(texts.pairs):
        return None
    for readings in texts.readings(told):
        one = aligned(data.source, texts.cut(0, readings[0]), (((), ()), ((), (1,)), ((1,), ()), ((1,), (1,))))
        other = aligned(data.targets, texts.cut(1, readings[1]), (((), (1,)), ((), ())))
        if one is None or other is None:
            continue
        if data.start is None or data.end is None:
            name = START if data.start is None else END
            raise AdoptionError(
                f"the arrays: expected rows with {name.upper()}, got none; pass --vocabulary and --{name}"
            )
        source, before, after, reverse = one
        target, _, _, _ = other
        target = {symbol: number for symbol, number in target.items() if number not in (data.end, data.start)}
        left = bool(data.source.real[:, -1].mean() > data.source.real[:, 0].mean())
        form = SourceForm(
            before=before,
            after=after,
            length=0 if masked else data.source.ids.shape[1],
            fill=NOTHING if data.source.pad is None else data.source.pad,
            left=left,
            reversed=reverse,
        )
        taken = set(source.values())
        how = "as in the arrays"
        guess = Guess(
            Numbering(source, how, data.source.pad if data.source.pad not in taken else None),
            Numbering(
                target,
                how,
                data.targets.pad if data.targets.pad not in {*target.values(), NOTHING} else None,
                None,
                data.start,
                data.end,
            ),
            form,
        )
        rows = len(data.source.sequences.raw)
        sample = [
            (texts.cut(0, readings[0])[number], texts.cut(1, readings[1])[number]) for number in range(min(rows, 64))
        ]
        notes = [
            f"numbering: read off the {rows} rows of the arrays and the data's first rows",
            f"START is {shown(data.start)}, END {shown(data.end)}, padding of sources {shown(data.source.pad)}",
        ]
        return Chosen(guess, readings, rows, judge.nats(guess, sample), notes)
    return None


def aligned(
    side: Side, rows: Sequence[list[str]], around: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]
) -> tuple[dict[str, int], tuple[int, ...], tuple[int, ...], bool] | None:
    """Reads the id of each symbol off an array whose rows are those of the text.

    Args:
        side: the array.
        rows: the text's symbols, row by row.
        around: how many ids may stand before and after a row's own.

    Returns:
        Ids by symbol, the ids before and after, and whether rows are reversed; None where array and text do not agree.

    """
    numbers = [int(number) for number in side.sequences.rows]
    pairs = [(side.ids[i][side.real[i]].tolist(), rows[number]) for i, number in enumerate(numbers)]
    for reverse in (False, True):
        for before, after in around:
            first, last = len(before), len(after)
            fitting = [(ids, row) for ids, row in pairs if len(ids) - first - last == len(row)]
            if len(fitting) < 0.9 * len(pairs):
                continue
            votes: dict[str, Counter[int]] = {}
            for ids, row in fitting:
                own = ids[first : len(ids) - last]
                for symbol, number in zip(row, own[::-1] if reverse else own, strict=True):
                    votes.setdefault(symbol, Counter())[number] += 1
            total = sum(sum(counts.values()) for counts in votes.values())
            agreed = {symbol: counts.most_common(1)[0] for symbol, counts in votes.items()}
            ids_by_symbol = {symbol: number for symbol, (number, _) in agreed.items()}
            if (
                len(set(ids_by_symbol.values())) == len(ids_by_symbol)
                and total
                and (sum(count for _, count in agreed.values()) >= AGREE * total)
            ):
                whole = fitting[0][0]
                return ids_by_symbol, tuple(whole[:first]), tuple(whole[len(whole) - last :]), reverse
    return None

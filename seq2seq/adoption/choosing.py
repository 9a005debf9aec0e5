"""Finds how a translator numbered and filled its data, from the texts alone: rules that fit, judged by the model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from seq2seq.adoption.judging import Guess, Judge, Symbols, unigram
from seq2seq.adoption.material import Option, Texts, Told, options
from seq2seq.adoption.numbering import Numbering, Reading, roundest, source_schemes, target_schemes
from seq2seq.adoption.parts import ONE_HOT
from seq2seq.corpus import Pair
from seq2seq.errors import AdoptionError
from seq2seq.foreign.arrays import NOTHING
from seq2seq.source_form import SourceForm

FEW, MANY = 32, 200  # rows that guesses are judged by: at first, in the end
KEPT = 6  # target numberings that are tried with all sources
MOST_LENGTHS = 24
PLAINLY = (False, False)  # filled at the end, read forwards
BETTER, FAR_BETTER = 0.99, 0.95  # of the nats of a likelier rule or way of filling, below which another is believed
LEARNT = 0.9  # of the nats of one who knows only how frequent symbols are
WAY_OUT = (
    "pass the vocabularies with --vocabulary FILE.json (source, then target), or the arrays it was trained on (.npz)"
)


class Chosen(NamedTuple):
    """What was found."""

    guess: Guess
    readings: tuple[Reading, Reading]
    rows: int  # of the data that the model was probably trained on
    nats: float
    notes: list[str]


def choose(judge: Judge, pairs: Sequence[Pair], told: Told, masked: bool) -> Chosen:
    """Finds the numbering of both sides and how sources were filled.

    Raises:
        AdoptionError: no rule fits the model's sizes, or none makes its predictions likely.

    """
    texts = Texts(pairs)
    traced = judge.traced
    assert traced.source is not None
    sizes = {traced.classes, traced.target.size}
    targets = options(texts, told, 1, sizes, list(target_schemes(told.separators[1], told.start, told.end)))
    sources = options(texts, told, 0, {traced.source.size}, list(source_schemes(told.separators[0])))
    ranked: list[tuple[float, int, Option, list[Option]]] = []
    seen: set[Any] = set()
    for target in targets:
        partners = [source for source in sources if source.readings == target.readings and meet(source, target)]
        if target.scheme.shared:
            partners = [target] if traced.source.size in sizes else []
        partners = [source for source in partners if fresh(texts, seen, source, target)]
        if not partners:
            continue
        partners.sort(key=lambda option: option.scheme.order != target.scheme.order)
        least = min(judged(judge, texts, told, source, target, masked, PLAINLY) for source in partners[:2])
        ranked.append((least, len(ranked), target, partners))
    if not ranked:
        raise AdoptionError(no_rule(texts, told, judge, bool(targets), bool(sources)))
    best = best_of(judge, texts, told, ranked, masked, PLAINLY)
    direction = best.guess.form.left, best.guess.form.reversed
    if direction != PLAINLY:  # then sources were judged by the wrong end
        other = best_of(judge, texts, told, ranked, masked, direction)
        best = other if other.nats < best.nats else best
    check_learnt(texts, best, f"the best of {len(ranked)} rules")
    return best


def likeliest(entries: Sequence[Any]) -> list[Any]:
    """Keeps some of (nats, preference, ...): what is as good as the best by preference, then others by nats."""
    least = min(entry[0] for entry in entries)
    near = sorted((entry for entry in entries if BETTER * entry[0] <= least), key=lambda entry: entry[1])
    others = sorted((entry for entry in entries if BETTER * entry[0] > least), key=lambda entry: entry[:2])
    return [*near, *others][:KEPT]


def best_of(
    judge: Judge, texts: Texts, told: Told, ranked: Sequence[Any], masked: bool, direction: tuple[bool, bool]
) -> Chosen:
    """Tries the likeliest targets with all their sources, and the likeliest of these with every filling."""
    tried: list[tuple[float, int, Option, Option]] = []
    for _, _, target, partners in likeliest(ranked):
        for source in partners:
            got = judged(judge, texts, told, source, target, masked, direction)
            tried.append((got, len(tried), source, target))
    finals = [arranged(judge, texts, told, source, target, masked) for _, _, source, target in likeliest(tried)]
    chosen: Chosen = likeliest([(found.nats, number, found) for number, found in enumerate(finals)])[0][2]
    return chosen


def check_learnt(texts: Texts, chosen: Chosen, what: str) -> None:
    """Refuses a numbering under which the model knows no more than how frequent symbols are.

    Raises:
        AdoptionError: it is not the one the model was trained with, or the model has learnt nothing.

    """
    known = unigram(sample_of(texts, chosen.readings, chosen.rows, MANY))
    if not chosen.nats < LEARNT * known:
        raise AdoptionError(
            "the data: expected a numbering under which the model's predictions are likely, got "
            f"{chosen.nats:.2f} nats a symbol with {what} (knowing only how frequent symbols are: {known:.2f}); "
            f"{WAY_OUT}"
        )
    chosen.notes.append(
        f"nats of a target symbol: {chosen.nats:.3f} (knowing only how frequent symbols are: {known:.2f})"
    )


def fresh(texts: Texts, seen: set[Any], source: Option, target: Option) -> bool:
    """Says whether two rules number otherwise than all before, and notes them; names of START and END do not count."""
    rows = roundest(max(source.low, target.low), min(source.high, target.high))
    key = tuple(
        (frozenset(side.ids.items()), side.start, side.end, side.pad, side.unk)
        for side in texts.numbered(source, target, rows)
    )
    new = key not in seen
    seen.add(key)
    return new


def meet(one: Option, other: Option) -> bool:
    """Says whether two sides can come from the same first rows."""
    return max(one.low, other.low) <= min(one.high, other.high)


def judged(
    judge: Judge,
    texts: Texts,
    told: Told,
    source: Option,
    target: Option,
    masked: bool,
    direction: tuple[bool, bool],
) -> float:
    """Judges two rules with the likeliest filling; `direction` is whether it comes first and lines are reversed."""
    low, high = max(source.low, target.low), min(source.high, target.high)
    rows = roundest(low, high)
    one, other = texts.numbered(source, target, rows)
    sample = sample_of(texts, target.readings, low, FEW)
    length = length_of(texts, target.readings, told, judge, rows)
    found = []
    for form in forms(judge, told, one, masked, length):
        if (form.left, form.reversed) == direction:
            found.append(judge.nats(Guess(one, other, form), sample))
    return min(found)


def arranged(judge: Judge, texts: Texts, told: Told, source: Option, target: Option, masked: bool) -> Chosen:
    """Finds the filling that goes with two rules."""
    low, high = max(source.low, target.low), min(source.high, target.high)
    one, other = texts.numbered(source, target, roundest(low, high))
    return fill(judge, texts, told, target.readings, (one, other), (low, high), masked)


def fill(
    judge: Judge,
    texts: Texts,
    told: Told,
    readings: tuple[Reading, Reading],
    numberings: tuple[Numbering, Numbering],
    span: tuple[int, int],
    masked: bool,
) -> Chosen:
    """Finds how sources were filled: the side, the symbol, the length, and the direction of reading.

    Args:
        judge: the model.
        texts: the data.
        told: what the user said.
        readings: how lines are cut.
        numberings: of source and target.
        span: the least and the most first rows that the model may have been trained on.
        masked: whether the encoder skips its padding.

    """
    low, high = span
    rows = roundest(low, high)
    one, other = numberings
    sample = sample_of(texts, readings, low, MANY)
    length = length_of(texts, readings, told, judge, rows)
    found: dict[Any, tuple[float, SourceForm]] = {}
    plain = forms(judge, told, one, masked, length)
    if told.pad is None and judge.goes_on_with(Guess(one, other, plain[0]), sample[:FEW], " "):
        # whoever fills targets with spaces fills sources so too
        spaces = [form for form in plain if form.fill == one.ids.get(" ")]
        plain = spaces or plain
    for candidate in plain:
        way = candidate.before, candidate.after, candidate.left, candidate.reversed
        got = judge.nats(Guess(one, other, candidate), sample)
        if way not in found or got < found[way][0]:
            found[way] = got, candidate
    best, form = next(iter(found.values()))
    for got, candidate in found.values():
        if got < FAR_BETTER * best:
            best, form = got, candidate
    notes = [
        f"source: {one.how}",
        f"target: {other.how}",
        f"rows: the first {rows} of {len(texts.pairs)}" + ("" if told.rows else " (another number: --rows N)"),
    ]
    assert judge.traced.source is not None
    if not masked and told.length is None and judge.traced.source.width is None:
        for candidate in other_lengths(texts, readings, form, low, high):
            if (got := judge.nats(Guess(one, other, candidate), sample)) < BETTER * best:
                best, form = got, candidate
        notes.append(f"sources are filled up to {form.length} symbols (another number: --source-length N)")
    return Chosen(Guess(one, other, form), readings, rows, best, notes)


def other_lengths(
    texts: Texts, readings: tuple[Reading, Reading], form: SourceForm, low: int, high: int
) -> list[SourceForm]:
    """Lists forms of other lengths: those of the longest source of some number of first rows."""
    wraps = len(form.before) + len(form.after)
    longest = np.maximum.accumulate([len(row) for row in texts.cut(0, readings[0])[:high]])
    lengths = sorted({int(value) + wraps for value in longest[low - 1 :]} - {form.length})
    step = max(1, -(-len(lengths) // MOST_LENGTHS))
    return [replace(form, length=length) for length in lengths[::step]]


def forms(judge: Judge, told: Told, source: Numbering, masked: bool, length: int) -> list[SourceForm]:
    """Lists the ways in which rows of a source may have been filled, the likeliest first."""
    around: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((), ())]
    if source.end is not None:
        around.append(((), (source.end,)))
        if source.start is not None:
            around.append(((source.start,), (source.end,)))
    if masked:
        return [SourceForm(before=before, after=after, fill=NOTHING) for before, after in around]
    table = judge.traced.source
    assert table is not None
    fills = []
    if told.pad is not None:
        fills = [source.ids.get(told.pad, int(told.pad) if told.pad.isdigit() else None)]
    if not fills or fills[0] is None:
        fills = [source.pad, *([source.ids[" "]] if " " in source.ids else [])]
        fills += [NOTHING] if table.kind == ONE_HOT else [0]
    found = []
    for reverse in (False, True):
        for left in (False, True):
            for fill in dict.fromkeys(fill for fill in fills if fill is not None):
                for before, after in around:
                    found.append(
                        SourceForm(
                            before=before,
                            after=after,
                            length=max(length, length + len(before) + len(after)) if table.width is None else length,
                            fill=fill,
                            left=left,
                            reversed=reverse,
                        )
                    )
    return found


def length_of(texts: Texts, readings: tuple[Reading, Reading], told: Told, judge: Judge, rows: int) -> int:
    """The length that sources were filled up to: as told, the input's own, or that of the longest of the first rows."""
    assert judge.traced.source is not None
    if told.length is not None:
        return told.length
    if judge.traced.source.width is not None:
        return judge.traced.source.width
    return max(map(len, texts.cut(0, readings[0])[:rows]))


def sample_of(texts: Texts, readings: tuple[Reading, Reading], rows: int, count: int) -> list[Symbols]:
    """Draws some of the first rows, the same ones each time."""
    chosen = np.random.default_rng(0).permutation(rows)[:count]
    sides = [texts.cut(side, readings[side]) for side in (0, 1)]
    return [(sides[0][number], sides[1][number]) for number in chosen]


def no_rule(texts: Texts, told: Told, judge: Judge, target_fits: bool, source_fits: bool) -> str:
    """Says why no rule was left to be judged."""
    traced = judge.traced
    assert traced.source is not None
    counts = []
    for side in (0, 1):
        reading = Reading(told.separators[side], told.lowercase)
        counts.append(len(set().union(*texts.cut(side, reading))))
    which = "source and target" if target_fits == source_fits else "source" if target_fits else "target"
    return (
        f"the data: expected {traced.source.size} source and {traced.classes} target symbols, as the model has, "
        "from some "
        f"number of first rows, got {counts[0]} and {counts[1]} from all {len(texts.pairs)}; no rule that people "
        "number by "
        f"fits the {which}; give the file it was trained on (--source-sep and --target-sep for words, --lowercase, "
        f"--reverse, --start and --end), or {WAY_OUT}"
    )

"""Finds out how a translator's source rows were padded and delimited.

The form with the lowest cross-entropy of the model wins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, TypeVar

import numpy as np

from seq2seq.adoption.candidates import Segmentations, Texts, UserHints, VocabularyPair
from seq2seq.adoption.likelihood import Candidate, Likelihood, Symbols
from seq2seq.adoption.model_parts import ONE_HOT
from seq2seq.adoption.numbering_rules import Numbering, id_of, shown
from seq2seq.errors import AdoptionError
from seq2seq.foreign.arrays import NOTHING
from seq2seq.text.source_layout import SourceForm

FEW, MANY = 20, 200  # rows of the first and of the final estimate
KEPT = 6  # candidates that are kept for the next, more expensive estimate
MOST_LENGTHS = 24
ROUND_LENGTHS = (10, 15, 16, 20, 25, 30, 32, 40, 50, 60, 64)  # that people pad to
BETTER, FAR_BETTER = 0.99, 0.95  # of the usual candidate's cross-entropy: a less usual one must be below
T = TypeVar("T")
Progress = Callable[..., None]  # takes the share that is done, and what is being done


@dataclass(frozen=True)
class ArrayForm:
    """The form of source rows that the arrays show."""

    length: int
    fill: int | None  # None: no row has padding
    left: bool


@dataclass(frozen=True)
class SearchResult:
    """The reading of the data that was found."""

    candidate: Candidate
    segmentations: Segmentations
    rows: int  # first rows of the data that the model was probably trained on
    cross_entropy: float  # nats per target symbol
    notes: tuple[str, ...] = ()
    pair: VocabularyPair | None = None  # what the search found, None where no search was needed


def likeliest(candidates: Sequence[T], cross_entropies: Sequence[float]) -> list[T]:
    """Keeps at most KEPT: first those nearly as good as the best, in their order, then the others, best first."""
    least = min(cross_entropies)
    near = [BETTER * value <= least for value in cross_entropies]
    order = sorted(range(len(candidates)), key=lambda place: (not near[place], near[place] or cross_entropies[place]))
    return [candidates[place] for place in order[:KEPT]]


class FormSearch:
    """Searches for the form of source rows under which the model predicts the data best.

    Args:
        likelihood: computes the cross-entropy of a candidate.
        texts: the data.
        hints: what the user states.
        masked: whether the encoder masks its padding.
        shown: the form of source rows, if the user gave arrays.

    """

    def __init__(
        self,
        likelihood: Likelihood,
        texts: Texts,
        hints: UserHints,
        *,
        masked: bool,
        shown: ArrayForm | None,
        progress: Progress,
    ) -> None:
        assert likelihood.parts.source is not None
        self.likelihood = likelihood
        self.texts = texts
        self.hints = hints
        self.masked = masked
        self.shown = shown
        self.progress = progress
        self.usual = (shown is not None and shown.left, False)  # `left` and `reversed` of the usual form
        self.source = likelihood.parts.source
        self.target_sizes = {likelihood.parts.classes, likelihood.parts.target.size}

    def estimate(self, pair: VocabularyPair, direction: tuple[bool, bool]) -> float:
        """Estimates a pair's cross-entropy on FEW rows; `direction` gives the form's `left` and `reversed`."""
        sample = self.texts.short_sample(pair.segmentations, pair.low, FEW)
        return min(
            self.cross_entropy(pair, form, sample)
            for form in self.forms(pair)
            if (form.left, form.reversed) == direction
        )

    def with_form(self, pair: VocabularyPair) -> SearchResult:
        """Finds the best form of source rows for given ids."""
        sample = self.texts.sample(pair.segmentations, pair.low, MANY)
        nats, form = self.best_form(pair, sample)
        notes = (
            f"source: {pair.source.how}",
            f"target: {pair.target.how}",
            f"rows: the first {pair.rows} of {len(self.texts.pairs)}"
            + ("" if self.hints.rows else " (another number: --rows N)"),
        )
        candidate = Candidate(pair.source, pair.target, form)
        return SearchResult(candidate, pair.segmentations, pair.rows, nats, notes, pair)

    def with_length(self, result: SearchResult) -> SearchResult:
        """Finds the length that sources were padded to, where nothing shows it: usually that of the longest source.

        Raises:
            AdoptionError: another length is better, but several lengths are equally good.

        """
        pair, form, nats = result.pair, result.candidate.form, result.cross_entropy
        if pair is None or self.masked or self.hints.source_length or self.shown or self.source.width:
            return result
        few = self.texts.short_sample(pair.segmentations, pair.low, FEW)
        sample = self.texts.sample(pair.segmentations, pair.low, MANY)
        forms = self.other_lengths(pair, form)
        scored = {form.length: nats}
        for number, other in enumerate(likeliest(forms, [self.cross_entropy(pair, each, few) for each in forms])):
            self.progress(number / KEPT, f"length of the sources: {other.length}")
            scored[other.length] = self.cross_entropy(pair, other, sample)
        usual = {length for length in self.longest_sources(pair, form) if length in scored}
        best = min(usual, key=lambda length: (scored[length] >= BETTER * nats, scored[length]))
        best = best if scored[best] < BETTER * nats else form.length
        least = min(scored, key=lambda length: scored[length])
        if scored[least] < BETTER * scored[best]:
            rivals = [length for length in scored if BETTER * scored[length] < scored[least] and length != least]
            if rivals:
                raise AdoptionError(
                    f"the length that sources were padded to cannot be told: {least} and {rivals[0]} symbols are "
                    "equally likely; pass --source-length N, or the arrays (.npz)"
                )
            best = least
        nats, form = scored[best], replace(form, length=best)
        note = f"sources are padded to {form.length} symbols (another number: --source-length N)"
        candidate = result.candidate._replace(form=form)
        return replace(result, candidate=candidate, cross_entropy=nats, notes=(*result.notes, note))

    def best_form(self, pair: VocabularyPair, sample: Sequence[Symbols]) -> tuple[float, SourceForm]:
        """Finds the first form that no other is far better than, each with its best padding symbol."""
        scored: dict[Any, tuple[float, SourceForm]] = {}
        for form in self.likely_forms(pair, sample):
            key = form.before, form.after, form.left, form.reversed
            nats = self.cross_entropy(pair, form, sample)
            if key not in scored or nats < scored[key][0]:
                scored[key] = nats, form
        best, *others = scored.values()
        for other in others:
            if other[0] < FAR_BETTER * best[0]:
                best = other
        return best

    def likely_forms(self, pair: VocabularyPair, sample: Sequence[Symbols]) -> list[SourceForm]:
        """Lists the forms to try; if targets were padded with spaces, sources were too."""
        forms = self.forms(pair)
        first = Candidate(pair.source, pair.target, forms[0])
        if self.hints.pad is None and self.likelihood.is_padded_with(first, sample[:FEW], " "):
            return [form for form in forms if form.fill == pair.source.ids.get(" ")] or forms
        return forms

    def forms(self, pair: VocabularyPair) -> list[SourceForm]:
        """Lists the possible forms of source rows, the usual ones first."""
        source = pair.source
        around: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((), ())]
        if source.end is not None:
            around.append(((), (source.end,)))
            if source.start is not None:
                around.append(((source.start,), (source.end,)))
        if self.masked:
            return [SourceForm(before=before, after=after, fill=NOTHING) for before, after in around]
        length, fixed = self.length(pair), bool(self.source.width or self.shown)
        sides = (False, True) if self.shown is None else (self.shown.left,)
        found = []
        for backwards, left, fill, ends in product((False, True), sides, self.padding_ids(source), around):
            full = length if fixed else length + len(ends[0]) + len(ends[1])
            form = SourceForm(before=ends[0], after=ends[1], length=full, fill=fill, left=left, reversed=backwards)
            found.append(form)
        return found

    def padding_ids(self, source: Numbering) -> list[int]:
        """Lists the ids that may pad source rows."""
        seen = self.shown.fill if self.shown else None
        if (hint := self.hints.pad) is not None:
            given = id_of(hint, source.ids)
            given = source.pad if given is None else given
            if given is not None and seen not in (None, given):
                raise AdoptionError(f"--pad {hint}: is {shown(given)}, and the arrays' sources end with {shown(seen)}")
            return [] if given is None else [given]
        if seen is not None:
            return [seen]
        likely = [source.pad, source.ids.get(" "), NOTHING if self.source.kind == ONE_HOT else 0]
        return list(dict.fromkeys(number for number in likely if number is not None))

    def length(self, pair: VocabularyPair) -> int:
        """Returns the length that sources were padded to: the user's, the input's, or that of the longest source."""
        given = self.source.width or (self.shown.length if self.shown else self.hints.source_length)
        return given or max(map(len, self.texts.cut(0, pair.segmentations[0])[: pair.rows]))

    def other_lengths(self, pair: VocabularyPair, form: SourceForm) -> list[SourceForm]:
        """Lists forms of other lengths: those of the longest source of other first rows, of the targets, round ones."""
        lengths = self.longest_sources(pair, form)
        step = max(1, -(-len(lengths) // MOST_LENGTHS))
        target = max(map(len, self.texts.cut(1, pair.segmentations[1])[: pair.rows]))
        others = {*lengths[::step], target, target + 1, target + 2, *ROUND_LENGTHS} - {form.length}
        return [replace(form, length=length) for length in sorted(others) if length >= min(lengths)]

    def longest_sources(self, pair: VocabularyPair, form: SourceForm) -> list[int]:
        """Lists the lengths of the longest source in all possible numbers of first rows."""
        added = len(form.before) + len(form.after)
        longest = np.maximum.accumulate([len(row) for row in self.texts.cut(0, pair.segmentations[0])[: pair.high]])
        return sorted({int(value) + added for value in longest[pair.low - 1 :]})

    def cross_entropy(self, pair: VocabularyPair, form: SourceForm, sample: Sequence[Symbols]) -> float:
        """Returns the model's nats per target symbol."""
        return self.likelihood.cross_entropy(Candidate(pair.source, pair.target, form), sample)

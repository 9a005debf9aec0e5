"""Finds out from the texts how a translator's symbols were numbered and its sources padded.

Each rule that fits the model's sizes is a candidate; the one with the lowest cross-entropy wins.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, product
from operator import itemgetter
from typing import Any, TypeVar

import numpy as np

from seq2seq.adoption.candidates import FittingRule, Segmentations, Texts, UserHints, VocabularyPair
from seq2seq.adoption.likelihood import Candidate, Likelihood, Symbols, unigram_baseline
from seq2seq.adoption.model_parts import ONE_HOT
from seq2seq.adoption.numbering_rules import Numbering, Segmentation, id_of, source_rules, target_rules
from seq2seq.errors import AdoptionError
from seq2seq.foreign.arrays import NOTHING
from seq2seq.text.source_layout import SourceForm

FEW, MANY = 32, 200  # rows of the first and of the final estimate
KEPT = 6  # candidates that are kept for the next, more expensive estimate
MOST_LENGTHS = 24
PADDED_AT_END = (False, False)  # `left` and `reversed` of the usual form
BETTER, FAR_BETTER = 0.99, 0.95  # of the usual candidate's cross-entropy: a less usual one must be below
LEARNT = 0.9  # share of the unigram baseline: a trained model must be below
WAY_OUT = (
    "pass the vocabularies with --vocabulary FILE.json (source, then target), or the arrays it was trained on (.npz)"
)
T = TypeVar("T")


@dataclass(frozen=True)
class SearchResult:
    """The reading of the data that was found."""

    candidate: Candidate
    segmentations: Segmentations
    rows: int  # first rows of the data that the model was probably trained on
    cross_entropy: float  # nats per target symbol
    notes: tuple[str, ...] = ()


def likeliest(candidates: Sequence[T], cross_entropies: Sequence[float]) -> list[T]:
    """Keeps at most KEPT: first those nearly as good as the best, in their order, then the others, best first."""
    least = min(cross_entropies)
    near = [BETTER * value <= least for value in cross_entropies]
    order = sorted(range(len(candidates)), key=lambda place: (not near[place], near[place] or cross_entropies[place]))
    return [candidates[place] for place in order[:KEPT]]


class VocabularySearch:
    """Searches for the ids of both sides and the form of source rows under which the model predicts the data best.

    Args:
        likelihood: computes the cross-entropy of a candidate.
        texts: the data.
        hints: what the user states.
        masked: whether the encoder masks its padding.

    """

    def __init__(self, likelihood: Likelihood, texts: Texts, hints: UserHints, *, masked: bool) -> None:
        assert likelihood.parts.source is not None
        self.likelihood = likelihood
        self.texts = texts
        self.hints = hints
        self.masked = masked
        self.source = likelihood.parts.source
        self.target_sizes = {likelihood.parts.classes, likelihood.parts.target.size}

    def run(self) -> SearchResult:
        """Finds the best candidate.

        Raises:
            AdoptionError: no rule fits the model's sizes, or the model predicts the data badly with each.

        """
        groups = self.pair_groups()
        kept = likeliest(groups, [min(self.estimate(pair, PADDED_AT_END) for pair in group[:2]) for group in groups])
        best = self.best_of(kept, PADDED_AT_END)
        form = best.candidate.form
        if (form.left, form.reversed) != PADDED_AT_END:  # then the first estimates read sources in the wrong direction
            other = self.best_of(kept, (form.left, form.reversed))
            best = other if other.cross_entropy < best.cross_entropy else best
        return self.check_learnt(best, f"the best of {len(groups)} rules")

    def pair_groups(self) -> list[list[VocabularyPair]]:
        """Numbers both sides by all rules that fit; returns a group for each target rule, equal ids only once.

        Raises:
            AdoptionError: no rule fits.

        """
        hints, texts = self.hints, self.texts
        rules = list(target_rules(hints.separators[1], hints.start, hints.end))
        targets = texts.fitting(rules, 1, sizes=self.target_sizes, hints=hints)
        rules = list(source_rules(hints.separators[0]))
        sources = texts.fitting(rules, 0, sizes={self.source.size}, hints=hints)
        seen = set()
        groups = []
        for target in targets:
            found: list[tuple[bool, VocabularyPair]] = []
            for source in self.partners(target, sources):
                pair = texts.numbered(source, target)
                key = pair.source.key, pair.target.key
                if key not in seen:
                    seen.add(key)
                    found.append((source.rule.order != target.rule.order, pair))
            if found:
                groups.append([pair for _, pair in sorted(found, key=itemgetter(0))])
        if not groups:
            raise AdoptionError(self.no_rule_fits(bool(targets), bool(sources)))
        return groups

    def partners(self, target: FittingRule, sources: Sequence[FittingRule]) -> list[FittingRule]:
        """Lists the source rules that fit the same first rows as a target rule."""
        if target.rule.shared:
            return [target] if self.source.size in self.target_sizes else []
        return [
            source
            for source in sources
            if source.segmentations == target.segmentations
            and max(source.low, target.low) <= min(source.high, target.high)
        ]

    def estimate(self, pair: VocabularyPair, direction: tuple[bool, bool]) -> float:
        """Estimates a pair's cross-entropy on FEW rows; `direction` gives the form's `left` and `reversed`."""
        sample = self.texts.sample(pair.segmentations, pair.low, FEW)
        return min(
            self.cross_entropy(pair, form, sample)
            for form in self.forms(pair)
            if (form.left, form.reversed) == direction
        )

    def best_of(self, groups: Sequence[Sequence[VocabularyPair]], direction: tuple[bool, bool]) -> SearchResult:
        """Estimates all pairs of some groups, and finds the form of the likeliest ones."""
        pairs = list(chain.from_iterable(groups))
        kept = likeliest(pairs, [self.estimate(pair, direction) for pair in pairs])
        results = [self.with_form(pair) for pair in kept]
        return likeliest(results, [result.cross_entropy for result in results])[0]

    def with_form(self, pair: VocabularyPair) -> SearchResult:
        """Finds the best form of source rows for given ids."""
        sample = self.texts.sample(pair.segmentations, pair.low, MANY)
        nats, form = self.best_form(pair, sample)
        notes = [
            f"source: {pair.source.how}",
            f"target: {pair.target.how}",
            f"rows: the first {pair.rows} of {len(self.texts.pairs)}"
            + ("" if self.hints.rows else " (another number: --rows N)"),
        ]
        if not self.masked and self.hints.source_length is None and self.source.width is None:
            for other in self.other_lengths(pair, form):
                if (got := self.cross_entropy(pair, other, sample)) < BETTER * nats:
                    nats, form = got, other
            notes.append(f"sources are padded to {form.length} symbols (another number: --source-length N)")
        candidate = Candidate(pair.source, pair.target, form)
        return SearchResult(candidate, pair.segmentations, pair.rows, nats, tuple(notes))

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
        length, fixed = self.length(pair), self.source.width is not None
        found = []
        for backwards, left, fill, ends in product((False, True), (False, True), self.padding_ids(source), around):
            full = length if fixed else length + len(ends[0]) + len(ends[1])
            form = SourceForm(before=ends[0], after=ends[1], length=full, fill=fill, left=left, reversed=backwards)
            found.append(form)
        return found

    def padding_ids(self, source: Numbering) -> list[int]:
        """Lists the ids that may pad source rows."""
        given = None if self.hints.pad is None else id_of(self.hints.pad, source.ids)
        if given is not None:
            return [given]
        likely = [source.pad, source.ids.get(" "), NOTHING if self.source.kind == ONE_HOT else 0]
        return list(dict.fromkeys(number for number in likely if number is not None))

    def length(self, pair: VocabularyPair) -> int:
        """Returns the length that sources were padded to: the user's, the input's, or that of the longest source."""
        given = self.hints.source_length or self.source.width
        return given or max(map(len, self.texts.cut(0, pair.segmentations[0])[: pair.rows]))

    def other_lengths(self, pair: VocabularyPair, form: SourceForm) -> list[SourceForm]:
        """Lists forms of other lengths: those of the longest source in other numbers of first rows."""
        added = len(form.before) + len(form.after)
        longest = np.maximum.accumulate([len(row) for row in self.texts.cut(0, pair.segmentations[0])[: pair.high]])
        lengths = sorted({int(value) + added for value in longest[pair.low - 1 :]} - {form.length})
        step = max(1, -(-len(lengths) // MOST_LENGTHS))
        return [replace(form, length=length) for length in lengths[::step]]

    def cross_entropy(self, pair: VocabularyPair, form: SourceForm, sample: Sequence[Symbols]) -> float:
        """Returns the model's nats per target symbol."""
        return self.likelihood.cross_entropy(Candidate(pair.source, pair.target, form), sample)

    def check_learnt(self, result: SearchResult, what: str) -> SearchResult:
        """Adds a note on the cross-entropy.

        Raises:
            AdoptionError: it is hardly below the unigram baseline: the ids are wrong, or the model has learnt nothing.

        """
        sample = self.texts.sample(result.segmentations, result.rows, MANY)
        baseline = unigram_baseline(symbol for _, target in sample for symbol in [*target, None])  # None: END
        if not result.cross_entropy < LEARNT * baseline:
            raise AdoptionError(
                "the data: expected a numbering under which the model's predictions are likely, got "
                f"{result.cross_entropy:.2f} nats per symbol with {what} (unigram baseline: {baseline:.2f}); {WAY_OUT}"
            )
        note = f"nats per target symbol: {result.cross_entropy:.3f} (unigram baseline: {baseline:.2f})"
        return replace(result, notes=(*result.notes, note))

    def no_rule_fits(self, target_fits: bool, source_fits: bool) -> str:
        """Returns the message for data that fits no rule."""
        counts = [
            len(set().union(*self.texts.cut(side, Segmentation(self.hints.separators[side], self.hints.lowercase))))
            for side in (0, 1)
        ]
        which = "source and target" if target_fits == source_fits else "source" if target_fits else "target"
        return (
            f"the data: expected {self.source.size} source and {self.likelihood.parts.classes} target symbols, as the "
            f"model has, from some number of first rows, got {counts[0]} and {counts[1]} from all "
            f"{len(self.texts.pairs)}; no usual numbering fits the {which}; give the file it was trained "
            "on (--source-sep and --target-sep for words, --lowercase, --reverse, --start and --end), "
            f"or {WAY_OUT}"
        )

"""Finds out from the texts how a translator's symbols were numbered and its sources padded.

Each rule that fits the model's sizes is a candidate; the one with the lowest cross-entropy wins.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from operator import itemgetter

import numpy as np

from seq2seq.adoption.candidates import FittingRule, VocabularyPair
from seq2seq.adoption.form_search import KEPT, MANY, FormSearch, SearchResult, likeliest
from seq2seq.adoption.likelihood import unigram_baseline, unlikely
from seq2seq.adoption.numbering_rules import Segmentation, source_rules, target_rules
from seq2seq.errors import AdoptionError
from seq2seq.fields import whole_number

LEARNT = 0.9  # share of the unigram baseline: a trained model must be below
WAY_OUT = (
    "pass the vocabularies with --vocabulary FILE.json (source, then target), or the arrays it was trained on (.npz)"
)


def no_end(shortest: int, longest: int) -> str:
    """Returns the message for a model whose target rows have no END."""
    lengths = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
    return (
        f"no row has an END; outputs have {lengths} symbols: --max-length {longest} of decode would cut them there, "
        "but a model folder needs an END symbol: name it with --end if there is one, or train with one"
    )


class VocabularySearch(FormSearch):
    """Searches for the ids of both sides and the form of source rows under which the model predicts the data best."""

    def run(self) -> SearchResult:
        """Finds the best candidate.

        Raises:
            AdoptionError: no rule fits the model's sizes, or the model predicts the data badly with each.

        """
        self.check_pad()
        groups = self.pair_groups()
        estimates = []
        for number, group in enumerate(groups):
            self.progress(number / len(groups), f"numbering {number + 1} of {len(groups)}")
            estimates.append(min(self.estimate(pair, self.usual) for pair in group[:2]))
        kept = likeliest(groups, estimates)
        best = self.best_of(kept, self.usual)
        form = best.candidate.form
        if (form.left, form.reversed) != self.usual:  # then the first estimates read sources in the wrong direction
            other = self.best_of(kept, (form.left, form.reversed))
            best = other if other.cross_entropy < best.cross_entropy else best
        return self.check_learnt(self.with_length(best), f"the best of {len(groups)} rules")

    def check_pad(self) -> None:
        """Refuses a padding symbol that no source has.

        Raises:
            AdoptionError: --pad is neither a symbol nor an id.

        """
        pad = self.hints.pad
        if pad is None or whole_number(pad) is not None:
            return
        cuts = (self.texts.cut(0, each[0]) for each in self.texts.segmentations(self.hints))
        if not any(pad in row for rows in cuts for row in rows):
            raise AdoptionError(f"--pad: expected a symbol of the sources or an id, got {pad!r}")

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
                if key not in seen and (self.masked or self.padding_ids(pair.source)):
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

    def best_of(self, groups: Sequence[Sequence[VocabularyPair]], direction: tuple[bool, bool]) -> SearchResult:
        """Estimates all pairs of some groups, and finds the form of the likeliest ones."""
        sources = [self.estimate(pair, direction) for pair in groups[0]]
        likely = {pair.source.key for pair in likeliest(groups[0], sources)}
        others = [[pair for pair in group if pair.source.key in likely] or group for group in groups[1:]]
        pairs = [*groups[0], *chain.from_iterable(others)]
        estimates = []
        for number, pair in enumerate(pairs):
            self.progress(number / len(pairs), f"pair of numberings {number + 1} of {len(pairs)}")
            estimates.append(self.estimate(pair, direction))
        results = []
        for number, pair in enumerate(likeliest(pairs, estimates)):
            self.progress(number / KEPT, f"form of the sources, numbering {number + 1} of {KEPT}")
            results.append(self.with_form(pair))
        return likeliest(results, [result.cross_entropy for result in results])[0]

    def check_learnt(self, result: SearchResult, what: str) -> SearchResult:
        """Adds a note on the cross-entropy.

        Raises:
            AdoptionError: it is hardly below the unigram baseline: the ids are wrong, or the model has learnt nothing.

        """
        sample = self.texts.sample(result.segmentations, result.rows, MANY)
        baseline = unigram_baseline(symbol for _, target in sample for symbol in [*target, None])  # None: END
        lengths = [len(target) for _, target in sample]
        width = self.likelihood.parts.target.width
        if result.cross_entropy == np.inf and width is not None and min(lengths) >= width:
            raise AdoptionError(no_end(min(lengths), max(lengths)))
        if not result.cross_entropy < LEARNT * baseline:
            entropy, classes = self.likelihood.entropy(result.candidate, sample), self.likelihood.parts.classes
            raise AdoptionError(unlikely(result.cross_entropy, what, baseline, entropy, classes, way_out=WAY_OUT))
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

"""Compares an adopted translator with its original: log-probabilities of given targets, and greedy outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from seq2seq.adoption.conversion import Ids
from seq2seq.adoption.form_search import SearchResult
from seq2seq.adoption.likelihood import Row, fits
from seq2seq.adoption.source_model import OriginalModel
from seq2seq.adoption.vocabulary_search import VocabularySearch
from seq2seq.errors import AdoptionError
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig
from seq2seq.special import END
from seq2seq.text.pairs import Pair

COMPARED = 100  # rows
NEAR_TIE = 2e-4  # nats between two symbols, below which rounding may choose either


@dataclass(frozen=True)
class TranslatorComparison:
    """Compares translators with the original on rows that were not used to choose the numbering, as far as there are.

    Args:
        original: the original model.
        search: the data, and whether the encoder masks its padding.
        result: the reading of the data that was found.
        classes: the original's class for each target id of the folder.
        longest: symbols of the longest target.
        array_rows: rows of the data as the arrays hold them, by their number; empty: the reading makes them.

    """

    original: OriginalModel
    search: VocabularySearch
    result: SearchResult
    classes: Ids
    longest: int
    array_rows: Mapping[int, Row]

    def __call__(self, translators: Sequence[Translator]) -> tuple[np.ndarray, list[np.ndarray]]:
        """Computes teacher-forced log-probabilities (nats) of targets: the original's, and each translator's.

        Raises:
            AdoptionError: no row fits the model, or a greedy output is not the original's.

        """
        first = translators[0]
        pairs, rows = self.rows(first)
        adopted = [np.concatenate([one.log_probs for one in each.score(pairs)]) for each in translators]
        self.check_outputs(first, [pair.source for pair in pairs], [source for source, _ in rows])
        return self.original.teacher_forced(rows, masked=self.search.masked).log_probs, adopted

    def rows(self, translator: Translator) -> tuple[list[Pair], list[Row]]:
        """Chooses rows: the texts that the translator reads, and the original's ids of them."""
        texts, cut = self.search.texts, self.result.segmentations
        separator = translator.target_vocabulary.separator
        pairs, rows = [], []
        for number in texts.held_back(self.result.rows):
            pair = texts.pairs[number]
            source, target = cut[0](translator.normalised(pair.source)), cut[1](pair.target)
            row = self.result.candidate.encode((source, target))
            if self.array_rows and source == cut[0](pair.source):
                row = self.array_rows.get(number)
            elif self.array_rows:
                row = None  # the translator reads another text than the arrays hold
            if source and row is not None and fits(self.original.parts, row):
                pairs.append(Pair(pair.source, separator.join(target)))
                rows.append(row)
            if len(rows) == COMPARED:
                break
        if not rows:
            raise AdoptionError("the data: expected rows that fit the model's inputs, got none to compare it on")
        return pairs, rows

    def check_outputs(self, translator: Translator, sources: Sequence[str], ids: Sequence[tuple[int, ...]]) -> None:
        """Checks that each symbol of the greedy outputs is the likeliest one of the original.

        That holds at every step if and only if the original's greedy output is the same.

        Raises:
            AdoptionError: an output differs.

        """
        start, end = self.result.candidate.target.start, self.result.candidate.target.end
        assert start is not None and end is not None
        width = self.original.parts.target.width
        limit = max(1, min(self.longest, self.longest if width is None else width - 1))
        outputs = [several[0] for several in translator.outputs(sources, DecodingConfig(max_length=limit))]
        rows: list[Row] = []
        for source, output in zip(ids, outputs, strict=True):
            written = tuple(number for token in output.token_ids if (number := self.classes[token]) is not None)
            rows.append((source, (start, *written, *([end] if output.finished else []))))
        allowed = [number for number in self.classes[END:] if number is not None]  # a folder emits no PAD, UNK or START
        forced = self.original.teacher_forced(rows, masked=self.search.masked, allowed=allowed)
        lengths = np.cumsum([len(row[1]) - 1 for row in rows])
        wrong = np.flatnonzero(forced.best - forced.log_probs > NEAR_TIE)
        if len(wrong):
            output = outputs[int(np.searchsorted(lengths, wrong[0], "right"))]
            raise AdoptionError(
                f"the greedy output for {output.source!r}: expected the original's, got {output.text!r}, which the "
                "original would not write; adopt does not know a part of the model or of its data, and nothing was "
                "written"
            )

"""Turns a trained language model and its text into a model folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from seq2seq.adoption.candidates import Adoption, UserHints
from seq2seq.adoption.conversion import sizes_of, weights_of
from seq2seq.adoption.folder import write
from seq2seq.adoption.id_mapping import map_target
from seq2seq.adoption.known_vocabulary import LATER, from_table
from seq2seq.adoption.language_agreement import (
    COMPARED,
    CONTEXT,
    LanguageComparison,
    check_arrays,
    log_probs_of,
    read,
    windows,
)
from seq2seq.adoption.likelihood import FLOOR, mean_entropy, unigram_baseline, unlikely
from seq2seq.adoption.model_parts import NUMBER, ModelParts
from seq2seq.adoption.numbering_rules import (
    HEADS,
    ORDERS,
    PAD,
    UNK,
    Numbering,
    NumberingRule,
    Segmentation,
    count_symbols,
)
from seq2seq.adoption.vocabulary_search import LEARNT
from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import LANGUAGE_MODEL
from seq2seq.errors import AdoptionError
from seq2seq.foreign.files import read_text
from seq2seq.foreign.layout import Data
from seq2seq.foreign.vocabularies import Table
from seq2seq.inference.numpy_language import NumpyLanguageModel
from seq2seq.special import SPECIAL_COUNT
from seq2seq.text.prose import EXCERPT_CHARACTERS, TRAIN_SHARE, TextForm
from seq2seq.text.vocabulary import Vocabulary

PLACES = 200  # of the text, to score candidates at
WAY_OUT = "pass its numbering with --vocabulary FILE.json (a list of symbols, or symbol to id)"


@dataclass(frozen=True)
class CutText:
    """A normalised text and its symbols."""

    form: TextForm
    text: str
    symbols: list[str]


@dataclass(frozen=True)
class TextResult:
    """The reading of the text that was found."""

    text: CutText
    numbering: Numbering
    scale: float  # the divisor of ids that enter as magnitudes
    cross_entropy: float  # nats per symbol
    baseline: float  # nats per symbol, of the unigram baseline


def adopt_language_model(adoption: Adoption) -> None:
    """Writes the folder.

    Raises:
        AdoptionError: something does not fit.
        DataError: the text cannot be read.

    """
    parts, report, path = adoption.original.parts, adoption.report, adoption.data
    window = window_of(parts, adoption.hints.window, adoption.arrays)
    search = TextSearch(parts, read_text(path), adoption.hints, adoption.tables, window)
    if adoption.arrays is not None and adoption.tables:
        numbering = from_table(adoption.tables[-1], adoption.hints, delimited=False)
        check_arrays(adoption.arrays, numbering, [text.symbols for text in search.texts])
    result = search.run()
    report(f"symbols: {result.numbering.how}")
    if parts.target.kind == NUMBER:
        report(f"an id is divided by {result.scale:g}")
    stateless = f"stateless: reads the last {window} symbols again at each step"
    report(stateless if window else "stateful: keeps its state from symbol to symbol")
    report(f"nats per symbol: {result.cross_entropy:.3f} (unigram baseline: {result.baseline:.2f})")
    if adoption.arrays is not None:
        check_arrays(adoption.arrays, result.numbering, [result.text.symbols])
    original = replace(adoption.original, scale=result.scale)
    write(
        adoption.folder,
        bundle_of(adoption, result, window),
        metrics={"adoption": {"nats_per_symbol": round(result.cross_entropy, 6)}},
        lines=[],
        compare=LanguageComparison(original, result.numbering, result.text.symbols, window),
        compared=f"at {COMPARED} places",
        report=adoption.report,
    )


def bundle_of(adoption: Adoption, result: TextResult, window: int) -> Bundle:
    """Builds the contents of the folder."""
    parts = with_scale(adoption.original.parts, result.scale)
    symbols, target_ids, classes = map_target(result.numbering, parts.classes)
    sizes, path, text, form = sizes_of(parts), adoption.data, result.text.text, result.text.form
    return Bundle(
        path=adoption.folder,
        kind=LANGUAGE_MODEL,
        data=replace(adoption.config, data=str(path), lowercase=form.lowercase),
        model=sizes,
        source_vocabulary=None,
        target_vocabulary=Vocabulary(symbols, form.joint),
        weights=weights_of(parts, sizes, [], target_ids, classes),
        record={
            "restarts": window,
            "trained_on": {
                **adoption.origin,
                "characters": {"train": len(text), "validation": 0},
            },
            "adopted": {**adoption.record, "notes": [result.numbering.how]},
        },
        excerpt=text[int(TRAIN_SHARE * len(text)) :][:EXCERPT_CHARACTERS],
    )


def window_of(parts: ModelParts, window: int | None, arrays: Data | None) -> int:
    """Returns how many symbols the model reads before each prediction; 0: all.

    Raises:
        AdoptionError: the model predicts one symbol for a window of unknown length.

    """
    own = parts.target.width
    if own is not None and window not in (None, own):
        raise AdoptionError(f"--window {window}: expected {own}, the length of the model's input, or nothing")
    shown = arrays.inputs.ids.shape[1] if arrays is not None and arrays.inputs is not None else 0
    length = own or window or shown
    if not length and parts.single:
        raise AdoptionError(
            "the model predicts one symbol for a window: expected the number of symbols in a window, which its input "
            "does not show; give --window N, or the arrays (.npz)"
        )
    return length


def with_scale(parts: ModelParts, scale: float) -> ModelParts:
    """Adds the magnitude of each id, where ids enter as magnitudes."""
    if parts.target.kind != NUMBER:
        return parts
    vectors = (np.arange(parts.classes) / scale).astype(np.float32)[:, None]
    return replace(parts, target=parts.target._replace(vectors=vectors))


class TextSearch:
    """Searches for the ids of a text's symbols under which the model predicts the text best.

    Args:
        parts: the model.
        text: the text that it was trained on.
        hints: what the user states.
        tables: the vocabulary, if the user gave one.
        window: symbols that the model reads before each prediction; 0: all.

    """

    def __init__(self, parts: ModelParts, text: str, hints: UserHints, tables: Sequence[Table], window: int) -> None:
        self.parts = parts
        self.hints = hints
        self.tables = tables
        self.context = window or CONTEXT
        magnitudes = parts.target.kind == NUMBER
        self.sizes = {parts.classes} if magnitudes else {parts.classes, parts.target.size}
        self.scales = (parts.classes, parts.classes - 1, 1.0) if magnitudes else (1.0,)
        self.models = {scale: numpy_model(with_scale(parts, scale)) for scale in self.scales}
        self._known: dict[tuple[float, bytes], float] = {}
        lowered = (True,) if hints.lowercase else (False, True) if text.lower() != text else (False,)
        forms = [TextForm("char", hints.separators[1], lowercase) for lowercase in lowered]
        normal = [form.normalise(text) for form in forms]
        self.texts = [CutText(form, text, form.tokens(text)) for form, text in zip(forms, normal, strict=True)]

    def run(self) -> TextResult:
        """Finds the candidate with the lowest cross-entropy.

        Raises:
            AdoptionError: no rule fits the model's size, or the model predicts the text badly with each.

        """
        tried = product(self.candidates(), self.scales)
        found = [(self.cross_entropy(*candidate, scale), *candidate, scale) for candidate, scale in tried]
        if not found:
            counts = sorted({len(set(text.symbols)) for text in self.texts})
            raise AdoptionError(
                f"the data: expected a text of {self.parts.classes} different symbols, as the model has (with PAD and "
                f"UNK), got {' or '.join(map(str, counts))}; give the text it was trained on (--target-sep for "
                f"words), or {WAY_OUT}"
            )
        nats, text, numbering, scale = min(found, key=lambda entry: entry[0])
        baseline = unigram_baseline(text.symbols)
        if not nats < LEARNT * baseline:
            which, way_out = ("the best one", WAY_OUT) if not self.tables else (self.tables[-1].name, LATER)
            rows = windows(text.symbols, numbering, self.context, PLACES)
            fits = len(rows) > 0 and rows.max() < min(self.sizes)
            entropy = mean_entropy(read(self.models[scale], rows[:, :-1] + SPECIAL_COUNT)) if fits else 0.0
            raise AdoptionError(unlikely(nats, which, baseline, entropy, self.parts.classes, way_out=way_out))
        return TextResult(text, numbering, float(scale), nats, baseline)

    def candidates(self) -> Iterator[tuple[CutText, Numbering]]:
        """Yields the user's vocabulary, or ids by all rules that fit the model's size, the usual rules first."""
        for text in self.texts:
            if self.tables:
                yield text, from_table(self.tables[-1], self.hints, delimited=False)
                continue
            counts = count_symbols([text.symbols])
            count = len(counts.counts)
            heads = [head for head in HEADS if set(head) <= {PAD, UNK} and count + len(head) in self.sizes]
            for order, head in product(ORDERS, heads):
                yield text, NumberingRule(order, head).number(counts, Segmentation("", text.form.lowercase))

    def cross_entropy(self, text: CutText, numbering: Numbering, scale: float) -> float:
        """Returns the mean nats of the symbols after some windows; infinity if the ids cannot encode the text."""
        rows = windows(text.symbols, numbering, self.context, PLACES)
        if len(rows) < PLACES // 2 or rows.max() >= min(self.sizes):
            return np.inf
        key = scale, rows.tobytes()
        if key not in self._known:
            ids = rows + SPECIAL_COUNT
            values = log_probs_of(read(self.models[scale], ids[:, :-1]), ids[:, -1])
            self._known[key] = float(-np.maximum(values, FLOOR).mean())
        return self._known[key]


def numpy_model(parts: ModelParts) -> NumpyLanguageModel:
    """Builds the NumPy runtime of a model; id i of the original becomes id i + SPECIAL_COUNT."""
    sizes = sizes_of(parts)
    ids = [*[None] * SPECIAL_COUNT, *range(parts.classes)]
    return NumpyLanguageModel(sizes, weights_of(parts, sizes, [], ids, ids))

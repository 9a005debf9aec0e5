"""Turns a trained encoder-decoder and its pairs into a model folder."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.adoption.candidates import Adoption, Texts
from seq2seq.adoption.conversion import sizes_of, weights_of
from seq2seq.adoption.folder import write
from seq2seq.adoption.id_mapping import map_ids
from seq2seq.adoption.known_vocabulary import from_arrays, from_tables
from seq2seq.adoption.likelihood import Likelihood, fits
from seq2seq.adoption.model_parts import NUMBER
from seq2seq.adoption.vocabulary_search import SearchResult, VocabularySearch
from seq2seq.bundle import TRANSLATOR, Bundle
from seq2seq.config import DataConfig
from seq2seq.errors import AdoptionError, DataError, OptionError
from seq2seq.foreign.files import read_text
from seq2seq.inference.translator import Translator
from seq2seq.text.pairs import Pair

COMPARED = 100  # rows
CANARY_LINES = 50


def adopt_translator(adoption: Adoption) -> None:
    """Writes the folder.

    Raises:
        AdoptionError: something does not fit.
        DataError: the data holds no pairs.
        OptionError: the data has fewer rows than --rows.

    """
    parts, hints = adoption.original.parts, adoption.hints
    assert parts.source is not None
    pairs = read_rows(adoption.data, adoption.config)
    if hints.rows is not None and hints.rows > len(pairs):
        raise OptionError(f"--rows: expected at most the {len(pairs)} rows of {adoption.data}, got {hints.rows}")
    if NUMBER in (parts.source.kind, parts.target.kind):
        raise AdoptionError(
            "expected symbols to enter an encoder-decoder one-hot or by an Embedding, got ids as magnitudes (an input "
            "with a last axis of 1), by which symbol 5 is larger than symbol 4; train with an Embedding layer"
        )
    masked = adoption.original.ignores_padding()
    search = VocabularySearch(Likelihood(parts), Texts(pairs), hints, masked=masked)
    result = find_vocabularies(adoption, search)
    for line in (*result.notes, describe(result, masked)):
        adoption.report(line)
    target = result.segmentations[1]
    mapping = map_ids(result.candidate, hints.separators, parts.classes, clean=target.clean, backwards=parts.backwards)
    sizes = sizes_of(parts)
    longest = (max(map(len, search.texts.cut(side, result.segmentations[side])[: result.rows])) for side in (0, 1))
    bundle = Bundle(
        path=adoption.folder,
        kind=TRANSLATOR,
        data=replace(adoption.config, lowercase=target.lowercase, max_source_length=None, max_target_length=None),
        model=sizes,
        source_vocabulary=mapping.source,
        target_vocabulary=mapping.target,
        weights=weights_of(parts, sizes, mapping.source_ids, mapping.target_ids, mapping.classes),
        record={
            "lengths": dict(zip(("source", "target"), longest, strict=True)),
            "source_form": mapping.form.to_dict(),
            "adopted": {**adoption.record, "rows": result.rows, "notes": list(result.notes)},
        },
    )
    lines = [pair.source for pair in pairs[: result.rows]]
    write(
        adoption.folder,
        bundle,
        metrics={"adoption": {"nats_per_symbol": round(result.cross_entropy, 6), "rows": result.rows}},
        lines=lines[:: max(1, len(lines) // CANARY_LINES)],
        compare=lambda translators: log_probs(adoption, result, pairs, translators, masked=masked),
        compared=f"of up to {COMPARED} rows",
        report=adoption.report,
    )


def find_vocabularies(adoption: Adoption, search: VocabularySearch) -> SearchResult:
    """Takes the ids from vocabularies or arrays if there are any, and searches for them otherwise."""
    if adoption.tables:
        return from_tables(search, adoption.tables)
    if adoption.arrays is not None:
        if (result := from_arrays(search, adoption.arrays)) is not None:
            return result
        adoption.report("the arrays' rows are not the data's first rows: numberings are tried instead")
    return search.run()


def describe(result: SearchResult, masked: bool) -> str:
    """Returns the form of source rows in words."""
    form, what = result.candidate.form, []
    if form.reversed:
        what.append("backwards")
    if form.before or form.after:
        what.append("between START and END" if form.before else "with END")
    if masked:
        what.append("and masks the padding")
    elif form.length:
        names = {number: repr(symbol) for symbol, number in result.candidate.source.ids.items()}
        with_what = "rows of zeros" if form.fill < 0 else names.get(form.fill, f"id {form.fill}")
        what.append(f"padded to {form.length} symbols with {with_what}{' in front' if form.left else ''}")
    return f"the encoder reads a line {', '.join(what) if what else 'as it is'}"


def log_probs(
    adoption: Adoption, result: SearchResult, pairs: Sequence[Pair], translators: Sequence[Any], *, masked: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Computes teacher-forced log-probabilities (nats) of some rows' targets: the original's, and each translator's."""
    first: Translator = translators[0]
    rows, compared = [], []
    for number in np.random.default_rng(1).permutation(result.rows):
        pair = pairs[number]
        source = result.segmentations[0](first.normalised(pair.source))
        target = result.segmentations[1](pair.target)
        row = result.candidate.encode((source, target))
        if source and row is not None and fits(adoption.original.parts, row):
            rows.append(row)
            compared.append(Pair(pair.source, first.target_vocabulary.separator.join(target)))
        if len(rows) == COMPARED:
            break
    if not rows:
        raise AdoptionError("the data: expected rows that fit the model's inputs, got none to compare it on")
    adopted = [
        np.concatenate([scored.log_probs for scored in translator.score(compared)]) for translator in translators
    ]
    return adoption.original.target_log_probs(rows, masked=masked), adopted


def read_rows(path: Path, config: DataConfig) -> list[Pair]:
    """Reads pairs without changing a character; rows without both columns are left out.

    Raises:
        DataError: it is not UTF-8, or holds no such row.

    """
    columns = config.source_col - 1, config.target_col - 1
    rows = [line.split("\t") for line in read_text(path).split("\n")]
    pairs = [Pair(row[columns[0]], row[columns[1]]) for row in rows if len(row) > max(columns)]
    pairs = [Pair(*pair[::-1]) if config.reverse else pair for pair in pairs if pair.source and pair.target]
    if not pairs:
        raise DataError(
            f"{path}: expected the pairs that the encoder-decoder was trained on, source<TAB>target, got no line with "
            f"text in the columns {config.source_col} and {config.target_col}"
        )
    return pairs

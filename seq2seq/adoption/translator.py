"""Turns a trained encoder-decoder and its pairs into a model folder."""

from dataclasses import replace
from pathlib import Path

from seq2seq.adoption.agreement import COMPARED, TranslatorComparison
from seq2seq.adoption.array_evidence import align, form_in, from_alignments, rows_of_arrays
from seq2seq.adoption.candidates import Adoption, Texts
from seq2seq.adoption.conversion import sizes_of, weights_of
from seq2seq.adoption.folder import write
from seq2seq.adoption.form_search import SearchResult
from seq2seq.adoption.id_mapping import map_ids
from seq2seq.adoption.known_vocabulary import from_tables
from seq2seq.adoption.likelihood import Likelihood
from seq2seq.adoption.model_parts import NUMBER
from seq2seq.adoption.vocabulary_search import VocabularySearch
from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import TRANSLATOR, Lengths
from seq2seq.config import DataConfig
from seq2seq.errors import AdoptionError, DataError, OptionError
from seq2seq.foreign.files import read_text
from seq2seq.text.pairs import Pair

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
    arrays = adoption.arrays
    shown = None if arrays is None else form_in(arrays, hints.source_length)
    search = VocabularySearch(
        Likelihood(parts), Texts(pairs), hints, masked=masked, shown=shown, progress=adoption.progress
    )
    result = find_vocabularies(adoption, search)
    array_rows = {} if arrays is None else rows_of_arrays(search, arrays, result)
    for line in (*result.notes, describe(result, masked)):
        adoption.report(line)
    target = result.segmentations[1]
    mapping = map_ids(result.candidate, hints.separators, parts.classes, clean=target.clean, backwards=parts.backwards)
    sizes = sizes_of(parts)
    longest = [max(map(len, search.texts.cut(side, result.segmentations[side])[: result.rows])) for side in (0, 1)]
    bundle = Bundle(
        path=adoption.folder,
        kind=TRANSLATOR,
        data=replace(
            adoption.config,
            data=str(adoption.data),
            lowercase=target.lowercase,
            max_source_length=None,
            max_target_length=None,
        ),
        model=sizes,
        source_vocabulary=mapping.source,
        target_vocabulary=mapping.target,
        weights=weights_of(parts, sizes, mapping.source_ids, mapping.target_ids, mapping.classes),
        record={
            "lengths": Lengths.of(*longest),
            "source_form": mapping.form.to_dict(),
            "trained_on": adoption.origin,
            "adopted": {**adoption.record, "rows": result.rows, "notes": list(result.notes)},
        },
    )
    lines = [pair.source for pair in pairs[: result.rows]]
    write(
        adoption.folder,
        bundle,
        metrics={"adoption": {"nats_per_symbol": round(result.cross_entropy, 6), "rows": result.rows}},
        lines=lines[:: max(1, len(lines) // CANARY_LINES)],
        compare=TranslatorComparison(adoption.original, search, result, mapping.classes, longest[1], array_rows),
        compared=f"of up to {COMPARED} rows",
        report=adoption.report,
    )


def find_vocabularies(adoption: Adoption, search: VocabularySearch) -> SearchResult:
    """Takes the ids from arrays and vocabularies if there are any, and searches for them otherwise."""
    arrays, tables = adoption.arrays, adoption.tables
    if arrays is not None:
        if (found := align(search, arrays)) is not None:
            return from_alignments(search, arrays, found, tables)
        adoption.report("the arrays' rows are not the data's first rows: they show the form of rows alone")
    return from_tables(search, tables) if tables else search.run()


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

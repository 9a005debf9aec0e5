"""Adopts an encoder-decoder: the model, its pairs and what is told of them in, a translator's folder out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.adoption.choosing import Chosen, choose
from seq2seq.adoption.conversion import sizes_of, weights_of
from seq2seq.adoption.folder import RUNTIMES, write
from seq2seq.adoption.judging import Judge, encoded, fits, forced
from seq2seq.adoption.material import Texts, Told
from seq2seq.adoption.naming import name_all
from seq2seq.adoption.original import Original
from seq2seq.adoption.parts import NUMBER
from seq2seq.adoption.telling import by_arrays, by_tables
from seq2seq.bundle import TRANSLATOR, Bundle
from seq2seq.config import DataConfig
from seq2seq.corpus import Pair
from seq2seq.diagnosis.layout import Data
from seq2seq.diagnosis.vocabularies import Table
from seq2seq.errors import AdoptionError
from seq2seq.inference import load

CHECKED = 100  # rows that are compared with the original
CANARY_LINES = 50
DISTURBED = 1e-30  # probabilities below this are rounded by the original's own softmax


def adopt_translator(
    original: Original,
    folder: Path,
    pairs: Sequence[Pair],
    told: Told,
    *,
    config: DataConfig,
    data: Data | None,
    tables: Sequence[Table],
    record: dict[str, Any],
    report: Callable[[str], None],
) -> None:
    """Writes the folder.

    Args:
        original: the model.
        folder: receives the bundle.
        pairs: the data, as it is in the file.
        told: what the user said.
        config: how the data is read, for the bundle.
        data: the arrays it was trained on.
        tables: vocabularies of source and target.
        record: where the model came from, for config.json.
        report: receives lines for the user.

    Raises:
        AdoptionError: something does not fit.

    """
    traced = original.traced
    assert traced.source is not None
    if NUMBER in (traced.source.kind, traced.target.kind):
        raise AdoptionError(
            "expected symbols to enter an encoder-decoder one-hot or by an Embedding, got ids as magnitudes (an input "
            "with a last axis of 1), which say that symbol 5 is more than symbol 4; train with an Embedding layer"
        )
    masked, judge = original.ignores_padding(), Judge(traced)
    sizes = sizes_of(traced)
    texts = Texts(pairs)
    chosen: Chosen | None = None
    if tables:
        chosen = by_tables(judge, texts, told, tables, masked)
    elif data is not None:
        chosen = by_arrays(judge, texts, told, data, masked)
        if chosen is None:
            report("the arrays' rows are not the data's first rows: numberings are tried instead")
    if chosen is None:
        chosen = choose(judge, pairs, told, masked)
    for note in chosen.notes:
        report(note)
    report(describe(chosen, masked))
    reading = chosen.readings[1]
    named = name_all(chosen.guess, told.separators, traced.classes, tidy=reading.tidy, backwards=traced.backwards)
    sides = [texts.cut(side, chosen.readings[side])[: chosen.rows] for side in (0, 1)]
    bundle = Bundle(
        path=folder,
        kind=TRANSLATOR,
        data=replace(config, lowercase=reading.lower, max_source_length=None, max_target_length=None),
        model=sizes,
        source_vocabulary=named.source,
        target_vocabulary=named.target,
        weights=weights_of(traced, sizes, named.source_ids, named.target_ids, named.classes),
        record={
            "lengths": {name: max(map(len, rows)) for name, rows in zip(("source", "target"), sides, strict=True)},
            "source_form": named.form.to_dict(),
            "adopted": {**record, "rows": chosen.rows, "notes": chosen.notes},
        },
    )
    lines = [pair.source for pair in pairs[: chosen.rows]]
    step = max(1, len(lines) // CANARY_LINES)
    sample = [pairs[number] for number in np.random.default_rng(1).permutation(chosen.rows)]
    differences = write(
        folder,
        bundle,
        metrics={"adoption": {"nats_per_symbol": round(chosen.nats, 6), "rows": chosen.rows}},
        lines=lines[::step],
        check=lambda path: differences_of(original, chosen, path, sample, masked),
    )
    report(
        f"log-probabilities of up to {CHECKED} rows differ from the original's by at most {differences[0]:.1e} (numpy) "
        f"and {differences[1]:.1e} (keras) nats"
    )


def describe(chosen: Chosen, masked: bool) -> str:
    """Says how the encoder reads a line."""
    form, what = chosen.guess.form, []
    if form.reversed:
        what.append("backwards")
    if form.before or form.after:
        what.append("between START and END" if form.before else "with END")
    if masked:
        what.append("its padding skipped")
    elif form.length:
        names = {number: repr(symbol) for symbol, number in chosen.guess.source.ids.items()}
        with_what = "rows of zeros" if form.fill < 0 else names.get(form.fill, f"id {form.fill}")
        what.append(f"filled up to {form.length} symbols with {with_what}{' in front' if form.left else ''}")
    return f"the encoder reads a line {', '.join(what) if what else 'as it is'}"


def differences_of(original: Original, chosen: Chosen, path: Path, sample: Sequence[Pair], masked: bool) -> list[float]:
    """Compares a folder's teacher-forced log-probabilities with the original's, symbol by symbol, in each runtime."""
    translators = [load(path, runtime=runtime) for runtime in RUNTIMES]
    rows, taken = [], []
    for pair in sample:
        source = chosen.readings[0](translators[0].normalised(pair.source))
        target = chosen.readings[1](pair.target)
        row = encoded(chosen.guess, (source, target))
        if source and row is not None and fits(original.traced, row):
            rows.append(row)
            taken.append(Pair(pair.source, translators[0].target_vocabulary.separator.join(target)))
        if len(rows) == CHECKED:
            break
    if not rows:
        raise AdoptionError("the data: expected rows that the model has room for, got none to compare it with")
    theirs = np.concatenate(forced(original, rows, masked))
    sure = theirs > np.log(DISTURBED)
    ours = [np.concatenate([one.log_probs for one in translator.score(taken)]) for translator in translators]
    return [float(np.abs(values - theirs)[sure].max(initial=0.0)) for values in ours]

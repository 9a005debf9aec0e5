"""Adopts a language model of the tutorials: the model and its text in, a folder that restarts at each window out."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seq2seq.adoption.choosing import LEARNT
from seq2seq.adoption.conversion import sizes_of, weights_of
from seq2seq.adoption.folder import RUNTIMES, write
from seq2seq.adoption.material import Told
from seq2seq.adoption.naming import name_target
from seq2seq.adoption.numbering import HEADS, ORDERS, PAD, UNK, Numbering, Reading, Scheme
from seq2seq.adoption.original import Original
from seq2seq.adoption.parts import NUMBER, Traced
from seq2seq.adoption.telling import from_table
from seq2seq.bundle import LANGUAGE_MODEL, Bundle
from seq2seq.config import DataConfig
from seq2seq.errors import AdoptionError, DataError
from seq2seq.foreign.layout import Data
from seq2seq.foreign.vocabularies import Table
from seq2seq.generation import LanguageModel
from seq2seq.loading import load
from seq2seq.runtimes.numpy_language import NumpyLanguageModel
from seq2seq.runtimes.restarting import RestartingLanguageModel
from seq2seq.special import SPECIAL_COUNT
from seq2seq.texts import EXCERPT_CHARACTERS, TRAIN_SHARE, TextForm
from seq2seq.vocabulary import Vocabulary

PLACES, CHECKED = 200, 100  # of the text that guesses are judged by, and that are compared with the original
CONTEXT = 40  # symbols that a model without a window reads there
WAY_OUT = "pass its numbering with --vocabulary FILE.json (a list of symbols, or symbol to id)"


class Found(NamedTuple):
    """How a text was numbered."""

    numbering: Numbering
    form: TextForm
    scale: float
    nats: float


def adopt_language_model(
    original: Original,
    folder: Path,
    path: Path,
    told: Told,
    *,
    window: int | None,
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
        path: the text.
        told: what the user said.
        window: symbols that it reads before each prediction.
        config: how the text is read, for the bundle.
        data: the arrays it was trained on, which show the window.
        tables: the vocabulary, if it is known.
        record: where the model came from.
        report: receives lines for the user.

    Raises:
        AdoptionError: something does not fit.
        DataError: the text cannot be read.

    """
    traced = original.traced
    length = window_of(traced, window, data)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8 text: {error}") from error
    found = find(traced, text, told, tables, length)
    original.scale = found.scale
    numbered = with_scale(traced, found.scale)
    symbols, target_ids, classes = name_target(found.numbering, traced.classes)
    sizes = sizes_of(numbered)
    report(f"symbols: {found.numbering.how}")
    if traced.target.kind == NUMBER:
        report(f"an id is divided by {found.scale:g}")
    report(
        f"it reads the last {length} symbols, from zeros" if length else "its state is carried on from symbol to symbol"
    )
    report(f"nats of a symbol: {found.nats:.3f} (knowing only how frequent symbols are: {unigram(found, text):.2f})")
    normal = found.form.normalise(text)
    bundle = Bundle(
        path=folder,
        kind=LANGUAGE_MODEL,
        data=replace(config, data=str(path), lowercase=found.form.lowercase),
        model=sizes,
        source_vocabulary=None,
        target_vocabulary=Vocabulary(symbols, found.form.joint),
        weights=weights_of(numbered, sizes, [], target_ids, classes),
        record={
            "restarts": length,
            "trained_on": {
                "name": path.stem,
                "origin": "path",
                "paths": {"all": str(path.absolute())},
                "sha256": {"all": record["data"]["sha256"]},
                "licence": None,
                "characters": {"train": len(normal), "validation": 0},
            },
            "adopted": {**record, "notes": [found.numbering.how]},
        },
        excerpt=normal[int(TRAIN_SHARE * len(normal)) :][:EXCERPT_CHARACTERS],
    )
    differences = write(
        folder,
        bundle,
        metrics={"adoption": {"nats_per_symbol": round(found.nats, 6)}},
        lines=[],
        check=lambda place: [difference(original, found, text, length, load(place, runtime=name)) for name in RUNTIMES],
    )
    report(
        f"log-probabilities at {CHECKED} places differ from the original's by at most {differences[0]:.1e} (numpy) and "
        f"{differences[1]:.1e} (keras) nats"
    )


def window_of(traced: Traced, window: int | None, data: Data | None) -> int:
    """Concludes how many symbols the model reads before each prediction; 0: all.

    Raises:
        AdoptionError: the model predicts one symbol for a window, and nothing says how long that is.

    """
    own = traced.target.width
    if own is not None and window not in (None, own):
        raise AdoptionError(f"--window {window}: expected {own}, the length of the model's input, or nothing")
    shown = data.inputs.ids.shape[1] if data is not None and data.inputs is not None else 0
    length = own or window or shown
    if not length and traced.single:
        raise AdoptionError(
            "the model predicts one symbol for a window of any length: expected to know how many symbols it was "
            "trained "
            "to read; give --window N, or the arrays (.npz)"
        )
    return length


def with_scale(traced: Traced, scale: float) -> Traced:
    """Gives each id the magnitude that it enters with, where ids enter as magnitudes."""
    if traced.target.kind != NUMBER:
        return traced
    vectors = (np.arange(traced.classes) / scale).astype(np.float32)[:, None]
    return replace(traced, target=traced.target._replace(vectors=vectors))


def find(traced: Traced, text: str, told: Told, tables: Sequence[Table], length: int) -> Found:
    """Finds the numbering under which the model's predictions are likely.

    Raises:
        AdoptionError: there is none.

    """
    best: Found | None = None
    sizes = {traced.classes} if traced.target.kind == NUMBER else {traced.classes, traced.target.size}
    counts: list[int] = []
    for numbering, form in numberings(text, told, tables, sizes, counts):
        tokens = form.tokens(form.normalise(text))
        for scale in (traced.classes, traced.classes - 1, 1.0) if traced.target.kind == NUMBER else (1.0,):
            got = nats(with_scale(traced, scale), numbering, tokens, length)
            if best is None or got < best.nats:
                best = Found(numbering, form, float(scale), got)
    if best is None:
        raise AdoptionError(
            f"the data: expected a text of {traced.classes} different symbols, as the model has (with PAD and UNK), "
            "got "
            f"{' or '.join(map(str, sorted(set(counts))))}; give the text it was trained on (--target-sep for "
            "words), or "
            f"{WAY_OUT}"
        )
    known = unigram(best, text)
    if not best.nats < LEARNT * known:
        raise AdoptionError(
            f"the data: expected a numbering under which the model's predictions are likely, got {best.nats:.2f} "
            "nats a "
            f"symbol with the best one (knowing only how frequent symbols are: {known:.2f}); {WAY_OUT}"
        )
    return best


def numberings(
    text: str, told: Told, tables: Sequence[Table], sizes: set[int], counts: list[int]
) -> Iterator[tuple[Numbering, TextForm]]:
    """Yields numberings that fit the model's size, the likeliest first; the text's own sizes go to `counts`."""
    for lower in (True,) if told.lowercase else (False, True) if text.lower() != text else (False,):
        form = TextForm("char", told.separators[1], lower)
        tokens = form.tokens(form.normalise(text))
        if tables:
            yield from_table(tables[-1], told, delimited=False), form
            continue
        counts.append(len(set(tokens)))
        for order in ORDERS:
            for head in HEADS:
                if set(head) <= {PAD, UNK} and counts[-1] + len(head) in sizes:
                    yield Scheme(order, head).number([tokens], Reading("", lower)), form


def places(tokens: Sequence[str], numbering: Numbering, length: int, count: int) -> np.ndarray:
    """Draws places of a text: ids (count, length + 1), the last one what is to be predicted."""
    ids = np.array([numbering.ids.get(token, -1 if numbering.unk is None else numbering.unk) for token in tokens])
    if len(ids) <= length:
        raise AdoptionError(
            f"the data: expected a text longer than the model's window of {length} symbols, got {len(ids)}"
        )
    starts = np.random.default_rng(0).integers(0, len(ids) - length, 4 * count)
    rows = ids[starts[:, None] + np.arange(length + 1)]
    return rows[(rows >= 0).all(1)][:count]


def nats(traced: Traced, numbering: Numbering, tokens: Sequence[str], length: int) -> float:
    """Mean nats of the symbol after some windows; infinite where the numbering cannot write the text."""
    rows = places(tokens, numbering, length or CONTEXT, PLACES)
    if len(rows) < PLACES // 2 or rows.max() >= traced.classes or rows.max() >= traced.target.size:
        return np.inf
    config = sizes_of(traced)
    blank: list[int | None] = [None] * SPECIAL_COUNT
    ids = [*blank, *range(traced.classes)]
    runtime = NumpyLanguageModel(config, weights_of(traced, config, [], ids, ids))
    state = runtime.start(len(rows))
    for column in rows[:, :-1].T + SPECIAL_COUNT:
        logits, state = runtime.step(column, state)
    found = log_softmax(logits)[np.arange(len(rows)), rows[:, -1] + SPECIAL_COUNT]
    return float(-np.maximum(found, -30.0).mean())


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Natural-log probabilities, float64, of logits (N, V)."""
    wide = np.asarray(logits, np.float64)
    wide = wide - wide.max(-1, keepdims=True)
    return wide - np.log(np.exp(wide).sum(-1, keepdims=True))


def unigram(found: Found, text: str) -> float:
    """Nats of a symbol for one who knows nothing but how frequent each is."""
    counts = np.array(list(Counter(found.form.tokens(found.form.normalise(text))).values()))
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def difference(original: Original, found: Found, text: str, length: int, model: Any) -> float:
    """Compares what a folder says at some places with what the original says there."""
    assert isinstance(model, LanguageModel)
    tokens = found.form.tokens(found.form.normalise(text))
    rows = places(tokens, found.numbering, length or CONTEXT, CHECKED)
    names = {number: symbol for symbol, number in found.numbering.ids.items()}
    ids = np.array([[model.vocabulary.encode(names[number])[0] for number in row] for row in rows], np.int32)
    state = model.runtime.start(len(ids))
    if isinstance(model.runtime, RestartingLanguageModel):
        # what stands before the window must make no difference
        _, state = model.runtime.step(ids[:, -1], state)
        logits, _ = model.runtime.read(ids[:, :-1], state)
    else:
        for column in ids[:, :-1].T:
            logits, state = model.runtime.step(column, state)
    ours = log_softmax(logits)[np.arange(len(ids)), ids[:, -1]]
    theirs = original.log_probs(None, rows[:, :-1])[np.arange(len(rows)), -1, rows[:, -1]]
    return float(np.abs(ours - theirs).max())

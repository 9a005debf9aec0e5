"""Examines a model folder of this package: is it whole, does it say what it said, how does it decode given pairs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seq2seq.bundle import CANARY
from seq2seq.canary import replay_canary
from seq2seq.config import DecodingConfig
from seq2seq.corpus import Pair, read_pairs
from seq2seq.diagnosis.report import BROKEN, HARMFUL, Finding, Report, finding
from seq2seq.errors import BundleError
from seq2seq.evaluation import reading_options
from seq2seq.files import read_json
from seq2seq.inference import Translator
from seq2seq.loading import load
from seq2seq.symptoms import distinct_share, loop_share, positional_accuracy

MOST_PAIRS = 500
IGNORED, CIRCLES, GAP, FED = 0.2, 0.3, 0.5, 0.6  # limits of the symptoms, shares of 1


def examine_bundle(folder: str | Path, *, pairs: str | Path | None = None) -> Report:
    """Loads the folder, replays its canary, and decodes pairs if they are given.

    Training and inference of such a folder share their weights and masks by construction, so what can be wrong is
    the folder itself (D07) and how well it was trained (D05, D06, D14).

    Raises:
        BundleError: the folder cannot be loaded; the message says why.
        DataError: the pairs cannot be read.

    """
    folder = Path(folder)
    model = load(folder)
    findings: list[Finding] = []
    try:
        replay_canary(model, read_json(folder / CANARY))
    except BundleError as error:
        findings.append(finding("D07", BROKEN, {"canary": str(error)}))
    if not isinstance(model, Translator):
        return Report(
            findings=findings, not_examined=["decoding of pairs (D05, D06, D14): the folder holds a language model"]
        )
    if pairs is None:
        return Report(findings=findings, not_examined=["decoding of pairs (D05, D06, D14): pass --pairs FILE.tsv"])
    rows = read_pairs(pairs, **reading_options(model.bundle.data)).pairs[:MOST_PAIRS]
    return Report(findings=[*findings, *behaviour(model, rows)], examined={"pairs": len(rows)})


def behaviour(translator: Translator, pairs: Sequence[Pair]) -> list[Finding]:
    """Looks for an ignored source, a gap between fed and free accuracy, and loops."""
    vocabulary = translator.target_vocabulary
    sources = [translator.source_vocabulary.encode(pair.source) for pair in pairs]
    targets = [vocabulary.encode(pair.target) for pair in pairs]
    texts = [found[0].text for found in translator.outputs([pair.source for pair in pairs], DecodingConfig())]
    outputs = [vocabulary.encode(text) for text in texts]
    # a symbol with more than half of the probability is the one that would be chosen
    log_probs = np.concatenate([np.array(values) for values in translator.score(pairs)])
    fed = float((log_probs > np.log(0.5)).mean())
    free = positional_accuracy(outputs, targets)
    distinct, expected = distinct_share(outputs, sources), distinct_share(targets, sources)
    loops, natural = loop_share(outputs), loop_share(targets)
    found = []
    if distinct < IGNORED * expected:
        severity = BROKEN if len({tuple(output) for output in outputs}) == 1 and len(pairs) > 1 else HARMFUL
        found.append(finding("D05", severity, {"distinct outputs": distinct, "distinct targets": expected}))
    if fed > FED and fed - free > GAP:
        found.append(finding("D06", HARMFUL, {"accuracy when fed, at least": fed, "accuracy when free": free}))
    if loops > natural + CIRCLES:
        found.append(finding("D14", HARMFUL, {"outputs that run in circles": loops, "targets that do": natural}))
    return found

"""Tests whether the scores of two systems differ by more than chance."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from sacrebleu.metrics.base import Metric

from seq2seq.errors import OptionError
from seq2seq.scoring.metrics import bootstrapped, check_nesting, comparable, make_metrics, with_second_names

TRIALS = {"bs": 1000, "ar": 10_000}  # number of trials of the paired bootstrap and of approximate randomisation
_AR_SEED = 12345  # the same as sacrebleu's
# most lines of all trials together: sacrebleu needs 72 bytes per line for a bootstrap, and 16 for a randomisation
_LINES = {"bs": 10_000_000, "ar": 20_000_000}


class Comparison(NamedTuple):
    """The result of a paired test of two sets of outputs for the same sources."""

    test: str  # "bs" or "ar"
    p_values: dict[str, float]  # for each of NAMES; 1 where the two scores are equal
    signatures: dict[str, str]


def compare(
    outputs: Sequence[str],
    others: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    test: str = "bs",
    separator: str = "",
    by: str = "source",
    ignore_case: bool = False,
    tokenize: str | None = None,
) -> Comparison:
    """Tests whether the scores of two sets of outputs differ by more than chance.

    Args:
        outputs: one for each sentence.
        others: the second system's outputs for the same sentences.
        references: at least one for each sentence.
        test: "bs", paired bootstrap, or "ar", approximate randomisation.
        separator: as in `score_all`.
        by: as in `score_all`.
        ignore_case: as in `score_all`.
        tokenize: as in `score_all`.

    Raises:
        DataError: there is nothing to score, or the numbers of outputs and references differ.
        OptionError: the test or the tokenisation is unknown.

    Source: Koehn 2004, aclanthology.org/W04-3250; Riezler and Maxwell 2005, aclanthology.org/W05-0908.

    """
    if test not in TRIALS:
        raise OptionError(f"--significance: expected one of {', '.join(TRIALS)}, got {test!r}")
    check_nesting(outputs, references, others, third="outputs of the second system")
    metrics = make_metrics(by_symbol=bool(separator), tokenize=tokenize, by=by, ignore_case=ignore_case)
    texts, streams = comparable(outputs, references, separator)
    other_texts, _ = comparable(others, references, separator)
    trials = min(TRIALS[test], max(100, _LINES[test] // len(outputs)))
    if test == "ar":
        signatures, p_values = randomised([texts, other_texts], streams, metrics, trials)
        return Comparison(test, with_second_names(p_values), with_second_names(signatures))
    signatures, table = bootstrapped([texts, other_texts], streams, metrics, trials)
    # sacrebleu reports equal systems as significantly different, because no trial exceeds a difference of 0
    p_values = {name: 1.0 if one.score == other.score else float(other.p_value) for name, (one, other) in table.items()}
    return Comparison(test, with_second_names(p_values), with_second_names(signatures))


def randomised(
    systems: Sequence[Sequence[str]],
    streams: Sequence[Sequence[str | None]],
    metrics: Mapping[str, Metric],
    trials: int,
) -> tuple[dict[str, str], dict[str, float]]:
    """Runs the trials of sacrebleu's approximate randomisation; returns signatures and p-values.

    Unlike sacrebleu, this counts trials that equal the real difference. If three sentences differ, all in favour of
    one system, sacrebleu's p is 0.0001, and this one is 0.25.
    """
    swapped = np.random.default_rng(_AR_SEED).integers(2, size=(trials, len(systems[0])), dtype=bool)
    signatures, p_values = {}, {}
    for name, metric in metrics.items():
        one, other = (np.array(metric._extract_corpus_statistics(system, streams)) for system in systems)
        totals = np.stack([one.sum(0), other.sum(0)])  # (2, statistics)
        moved = (swapped @ (one - other))[:, None] * [[-1], [1]]  # (trials, 2, statistics)
        scores = [[metric._compute_score_from_stats(row).score for row in pair] for pair in [totals, *(totals + moved)]]
        differences = np.abs(np.diff(scores, axis=1)[:, 0])
        # the first is the real difference; the margin keeps differences equal that differ only by rounding
        p_values[name] = float(np.mean(differences >= differences[0] - 1e-9))
        signature = metric.get_signature()
        signature.update("seed", _AR_SEED)
        signature.update("ar", trials)
        signatures[name] = str(signature)
    return signatures, p_values

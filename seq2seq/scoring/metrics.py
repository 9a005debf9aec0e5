"""Scores outputs against references: texts in, scores with signatures and intervals out.

Texts of delimited symbols (phonemes, words) are scored by symbol: the CER is then the symbol error rate.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric
from sacrebleu.significance import PairedTest

from seq2seq.errors import DataError, OptionError
from seq2seq.scoring.edit_rate import EditRate, ExactMatch

TRIALS = {"bs": 1000, "ar": 10_000}  # of a paired bootstrap, of an approximate randomisation
TOKENIZERS = ("13a", "intl", "char", "zh", "none")  # of BLEU; those of sacrebleu that need no further package
_AR_SEED = 12345  # sacrebleu's
# lines in all trials together, which bound the memory: sacrebleu holds 72 bytes a line of a bootstrap, 16 of the other
_LINES = {"bs": 10_000_000, "ar": 20_000_000}


class Confidence(NamedTuple):
    """A 95 % interval as sacrebleu states it: the mean of the resamples, and half the distance of its ends."""

    mean: float
    plus_minus: float


class Scores(NamedTuple):
    """Scores of one set of outputs."""

    chrf: float  # 0 to 100
    bleu: float  # 0 to 100
    exact_match: float  # share of outputs equal to any reference
    cer: float  # edits a reference symbol, against the nearest reference; above 1 where outputs are far too long
    n: int  # outputs
    distinct: float  # share of distinct outputs
    copied: float  # share of outputs equal to their source
    signatures: dict[str, str]  # of chrf, bleu, exact_match and cer
    confidence: dict[str, Confidence]  # of the same; empty where nothing was resampled

    def to_dict(self) -> dict[str, Any]:
        """Returns names to plain values, ready for JSON."""
        values = self._asdict()
        confidence = {name: interval._asdict() for name, interval in self.confidence.items()}
        del values["confidence"]
        return {**values, "confidence": confidence} if confidence else values


class Comparison(NamedTuple):
    """What a paired test says about two sets of outputs for the same sources."""

    test: str  # "bs" or "ar"
    p_values: dict[str, float]  # of chrf, bleu, exact_match and cer; 1 where the two scores are equal
    signatures: dict[str, str]


def transpose_references(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """Turns references by sentence into sacrebleu's form: streams, each with one reference or None a sentence."""
    most = max((len(several) for several in references), default=0)
    return [[several[place] if place < len(several) else None for several in references] for place in range(most)]


def exact_match(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Share of outputs that equal one of their references."""
    hits = sum(output in several for output, several in zip(outputs, references, strict=True))
    return hits / max(len(outputs), 1)


def chrf(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Corpus chrF, 0 to 100.

    Source: Popovic 2015, doi:10.18653/v1/W15-3049, as sacrebleu computes it.
    """
    return float(CHRF().corpus_score(list(outputs), transpose_references(references)).score)


def make_metrics(*, by_symbol: bool, tokenize: str | None) -> dict[str, Metric]:
    """Makes the four metrics by the names of the scores; `tokenize` None: symbols as they are, else 13a."""
    if tokenize is not None and tokenize not in TOKENIZERS:
        raise OptionError(f"--tokenize: expected one of {', '.join(TOKENIZERS)}, got {tokenize!r}")
    return {
        "chrf": CHRF(),
        # force: no warning about spaces before full stops, which are what the user's data has
        "bleu": BLEU(tokenize=tokenize or ("none" if by_symbol else "13a"), force=True),
        "exact_match": ExactMatch("exact_match", by_symbol=by_symbol, details={"match": "any"}),
        "cer": EditRate("cer", by_symbol=by_symbol, details={"reference": "nearest", "average": "micro"}),
    }


def score_all(
    outputs: Sequence[str],
    references: Sequence[Sequence[str]],
    sources: Sequence[str],
    *,
    separator: str = "",
    tokenize: str | None = None,
    n_bootstrap: int = 0,
) -> Scores:
    """Computes all scores of a set of outputs.

    Args:
        outputs: one a sentence.
        references: of each sentence, at least one.
        sources: one a sentence; `text<TAB>tags` with features.
        separator: what stands between two symbols of outputs and references; empty: each character is one.
        tokenize: BLEU's, one of TOKENIZERS; None: "none" for delimited symbols, else "13a".
        n_bootstrap: resamples for the intervals, fewer for very long corpora (the signatures say how many);
            0: no intervals. sacrebleu's seed, SACREBLEU_SEED.

    Raises:
        DataError: nothing to score, different numbers of outputs, references and sources, or wrong nesting.
        OptionError: an unknown tokenisation.

    """
    check_nesting(outputs, references, sources)
    metrics = make_metrics(by_symbol=bool(separator), tokenize=tokenize)
    texts, streams = comparable(outputs, references, separator)
    signatures, confidence = {}, {}
    if n_bootstrap:
        trials = min(n_bootstrap, max(100, _LINES["bs"] // len(outputs)))
        found, table = bootstrapped([texts], streams, metrics, trials)
        values = {name: results[0].score for name, results in table.items()}
        signatures = found
        confidence = {name: Confidence(float(results[0].mean), float(results[0].ci)) for name, results in table.items()}
    else:
        values = {name: metric.corpus_score(texts, streams).score for name, metric in metrics.items()}
        signatures = {name: str(metric.get_signature()) for name, metric in metrics.items()}
    copies = sum(output == source.partition("\t")[0] for output, source in zip(outputs, sources, strict=True))
    return Scores(
        **{name: float(value) for name, value in values.items()},
        n=len(outputs),
        distinct=len(set(outputs)) / len(outputs),
        copied=copies / len(outputs),
        signatures=signatures,
        confidence=confidence,
    )


def compare(
    outputs: Sequence[str],
    others: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    test: str = "bs",
    separator: str = "",
    tokenize: str | None = None,
) -> Comparison:
    """Tests whether the scores of two sets of outputs differ by more than chance.

    Args:
        outputs: one a sentence.
        others: the second system's, of the same sentences.
        references: of each sentence, at least one.
        test: "bs", paired bootstrap, or "ar", approximate randomisation.
        separator: as for `score_all`.
        tokenize: as for `score_all`.

    Raises:
        DataError: nothing to score, or different numbers of outputs and references.
        OptionError: an unknown test or tokenisation.

    Source: Koehn 2004, aclanthology.org/W04-3250; Riezler and Maxwell 2005, aclanthology.org/W05-0908.

    """
    if test not in TRIALS:
        raise OptionError(f"--significance: expected one of {', '.join(TRIALS)}, got {test!r}")
    check_nesting(outputs, references, others, third="outputs of the second system")
    metrics = make_metrics(by_symbol=bool(separator), tokenize=tokenize)
    texts, streams = comparable(outputs, references, separator)
    other_texts, _ = comparable(others, references, separator)
    trials = min(TRIALS[test], max(100, _LINES[test] // len(outputs)))
    if test == "ar":
        signatures, p_values = randomised([texts, other_texts], streams, metrics, trials)
        return Comparison(test, p_values, signatures)
    signatures, table = bootstrapped([texts, other_texts], streams, metrics, trials)
    # sacrebleu takes equal systems for significantly different: no trial exceeds a difference of 0
    p_values = {name: 1.0 if one.score == other.score else float(other.p_value) for name, (one, other) in table.items()}
    return Comparison(test, p_values, signatures)


def bootstrapped(
    systems: Sequence[Sequence[str]],
    streams: Sequence[Sequence[str | None]],
    metrics: Mapping[str, Metric],
    trials: int,
) -> tuple[dict[str, str], dict[str, list[Any]]]:
    """Runs sacrebleu's paired bootstrap: signatures, and sacrebleu's results of each system, by metric."""
    named = [(str(number), list(system)) for number, system in enumerate(systems, 1)]
    signatures, table = PairedTest(named, metrics, streams, test_type="bs", n_samples=trials)()
    del table["System"]
    # it names the metrics anew (chrF2), in the order in which it got them
    return (
        {name: str(signature) for name, signature in zip(metrics, signatures.values(), strict=True)},
        dict(zip(metrics, table.values(), strict=True)),
    )


def randomised(
    systems: Sequence[Sequence[str]],
    streams: Sequence[Sequence[str | None]],
    metrics: Mapping[str, Metric],
    trials: int,
) -> tuple[dict[str, str], dict[str, float]]:
    """Runs sacrebleu's approximate randomisation, the very same trials, and returns signatures and p-values.

    Trials that equal the difference count here. sacrebleu leaves them out, so that three sentences that differ, all
    in favour of one system, give it a p of 0.0001 instead of 0.25.
    """
    swapped = np.random.default_rng(_AR_SEED).integers(2, size=(trials, len(systems[0])), dtype=bool)
    signatures, p_values = {}, {}
    for name, metric in metrics.items():
        one, other = (np.array(metric._extract_corpus_statistics(system, streams)) for system in systems)
        totals = np.stack([one.sum(0), other.sum(0)])  # (2, statistics)
        moved = (swapped @ (one - other))[:, None] * [[-1], [1]]  # (trials, 2, statistics)
        scores = [[metric._compute_score_from_stats(row).score for row in pair] for pair in [totals, *(totals + moved)]]
        differences = np.abs(np.diff(scores, axis=1)[:, 0])
        # rounding must not tell equal differences apart; the first is the real one
        p_values[name] = float(np.mean(differences >= differences[0] - 1e-9))
        signature = metric.get_signature()
        signature.update("seed", _AR_SEED)
        signature.update("ar", trials)
        signatures[name] = str(signature)
    return signatures, p_values


def comparable(
    outputs: Sequence[str], references: Sequence[Sequence[str]], separator: str
) -> tuple[list[str], list[list[str | None]]]:
    """Returns outputs, and references as streams, in which delimited symbols stand between single spaces."""

    def spaced(text: str) -> str:
        symbols = text.split(separator) if separator else [text]
        return " ".join(symbol.replace(" ", "␣") for symbol in symbols if symbol) if separator else text

    return [spaced(output) for output in outputs], transpose_references(
        [[spaced(reference) for reference in several] for several in references]
    )


def check_nesting(
    outputs: Sequence[str], references: Sequence[Sequence[str]], others: Sequence[str], *, third: str = "sources"
) -> None:
    """Raises DataError unless there is one list of references for each output, with one reference or more."""
    if not outputs:
        raise DataError("expected at least one output to score, got none")
    for what, several in (("lists of references", references), (third, others)):
        if len(several) != len(outputs):
            raise DataError(
                f"expected {len(outputs)} {what}, one for each output, got {len(several)}"
                + ("; give references by sentence: [[first sentence's...], ...]" if several is references else "")
            )
    for number, several in enumerate(references, 1):
        if isinstance(several, str) or not several:
            raise DataError(
                f"sentence {number}: expected a list of one or more references, got {several!r}; "
                "give references by sentence: [[first sentence's...], ...]"
            )

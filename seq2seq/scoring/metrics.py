"""Scores outputs against references, with signatures and intervals.

Texts of delimited symbols (phonemes, words) are scored by symbol: their CER is the symbol error rate. Two scores have a
second name, which pronunciation and inflection tasks use: WER is the share of outputs with any error (not the edits per
word of speech recognition), and PER is the CER.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.base import Metric
from sacrebleu.significance import PairedTest

from seq2seq.errors import DataError, OptionError
from seq2seq.scoring.confidence import Confidence, check_resamples
from seq2seq.scoring.edit_rate import EditRate, ExactMatch, segmented

TOKENIZERS = ("13a", "intl", "char", "zh", "none")  # BLEU's; those of sacrebleu that need no further package
NAMES = ("chrf", "bleu", "exact_match", "wer", "cer", "per")
SAME_TEST = {"wer": "exact_match", "per": "cer"}  # a score, and the one with its signature, p-value and interval
_LINES = 10_000_000  # most lines of all resamples together: sacrebleu needs 72 bytes per line

Value = TypeVar("Value")


class Scores(NamedTuple):
    """Scores of one set of outputs."""

    chrf: float  # 0 to 100
    bleu: float  # 0 to 100
    exact_match: float  # share of outputs that equal a reference
    cer: float  # edits per symbol of the nearest reference; above 1 where outputs are far too long
    n: int  # number of outputs: rows, or distinct sources
    distinct: float  # distinct outputs per distinct source
    copied: float  # share of outputs that equal their source
    signatures: dict[str, str]  # for each of NAMES
    confidence: dict[str, Confidence]  # for the same names; empty without resamples

    @property
    def wer(self) -> float:
        """The share of outputs that equal no reference: 1 - exact_match."""
        return 1 - self.exact_match

    @property
    def per(self) -> float:
        """The symbol error rate (of phonemes: the phoneme error rate), which is `cer`."""
        return self.cer

    def to_dict(self) -> dict[str, Any]:
        """Returns the scores by name as plain values, for JSON."""
        values = self._asdict()
        confidence = {name: interval._asdict() for name, interval in self.confidence.items()}
        del values["confidence"]
        scores = {name: getattr(self, name) for name in NAMES}
        return {**scores, **values, **({"confidence": confidence} if confidence else {})}


def transpose_references(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """Turns references by sentence into sacrebleu's form: streams, with one reference or None for each sentence."""
    most = max((len(several) for several in references), default=0)
    return [[several[place] if place < len(several) else None for several in references] for place in range(most)]


def exact_match(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Returns the share of outputs that equal one of their references."""
    hits = sum(output in several for output, several in zip(outputs, references, strict=True))
    return hits / max(len(outputs), 1)


def chrf(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Returns the corpus chrF, 0 to 100.

    Source: Popovic 2015, doi:10.18653/v1/W15-3049, as sacrebleu computes it.
    """
    return float(CHRF().corpus_score(list(outputs), transpose_references(references)).score)


def make_metrics(
    *, by_symbol: bool, tokenize: str | None, by: str = "source", ignore_case: bool = False
) -> dict[str, Metric]:
    """Makes the four metrics by name; without `tokenize`, BLEU uses delimited symbols as they are, else 13a."""
    if tokenize is not None and tokenize not in TOKENIZERS:
        raise OptionError(f"--tokenize: expected one of {', '.join(TOKENIZERS)}, got {tokenize!r}")
    items = {"by": "row"} if by == "row" else {}
    match, rate = {"match": "any", **items}, {"reference": "nearest", "average": "micro", **items}
    return {
        "chrf": CHRF(lowercase=ignore_case),
        # force: no warning about spaces before full stops, which the user's data may have
        "bleu": BLEU(ignore_case, tokenize=tokenize or ("none" if by_symbol else "13a"), force=True),
        "exact_match": ExactMatch("exact_match", by_symbol=by_symbol, details=match, ignore_case=ignore_case),
        "cer": EditRate("cer", by_symbol=by_symbol, details=rate, ignore_case=ignore_case),
    }


def with_second_names(values: Mapping[str, Value]) -> dict[str, Value]:
    """Adds what WER and PER share with exact match and CER, in the order of NAMES."""
    return {name: values[SAME_TEST.get(name, name)] for name in NAMES}


def score_all(
    outputs: Sequence[str],
    references: Sequence[Sequence[str]],
    sources: Sequence[str],
    *,
    separator: str = "",
    by: str = "source",
    ignore_case: bool = False,
    tokenize: str | None = None,
    n_bootstrap: int = 0,
) -> Scores:
    """Computes all scores of a set of outputs.

    Args:
        outputs: one for each sentence.
        references: at least one for each sentence.
        sources: one for each sentence; `text<TAB>tags` with features.
        separator: stands between two symbols of outputs and references; empty: each character is a symbol.
        by: what a sentence is, "row" or "source", for the signatures.
        ignore_case: compare lower-cased texts. Not case-folded ones: "daß" and "dass" stay two spellings.
        tokenize: BLEU's tokenisation, one of TOKENIZERS; None: "none" for delimited symbols, else "13a".
        n_bootstrap: resamples for the intervals, fewer for very long corpora (the signatures have the number);
            0: no intervals. The seed is sacrebleu's, SACREBLEU_SEED.

    Raises:
        DataError: there is nothing to score, the numbers of outputs, references and sources differ, or the nesting
            is wrong.
        OptionError: the tokenisation is unknown, or the resamples give no interval.

    """
    check_nesting(outputs, references, sources)
    metrics = make_metrics(by_symbol=bool(separator), tokenize=tokenize, by=by, ignore_case=ignore_case)
    texts, streams = comparable(outputs, references, separator)
    confidence = {}
    check_resamples(n_bootstrap)
    if n_bootstrap:
        trials = min(n_bootstrap, max(100, _LINES // len(outputs)))
        signatures, table = bootstrapped([texts], streams, metrics, trials)
        values = {name: results[0].score for name, results in table.items()}
        confidence = with_second_names(
            {name: Confidence(float(results[0].mean), float(results[0].ci)) for name, results in table.items()}
        )
        confidence["wer"] = confidence["wer"]._replace(mean=1 - confidence["wer"].mean)
    else:
        values = {name: metric.corpus_score(texts, streams).score for name, metric in metrics.items()}
        signatures = {name: str(metric.get_signature()) for name, metric in metrics.items()}
    copies = sum(output == source.partition("\t")[0] for output, source in zip(outputs, sources, strict=True))
    return Scores(
        **{name: float(value) for name, value in values.items()},
        n=len(outputs),
        distinct=len(set(outputs)) / len(set(sources)),
        copied=copies / len(outputs),
        signatures=with_second_names(signatures),
        confidence=confidence,
    )


def bootstrapped(
    systems: Sequence[Sequence[str]],
    streams: Sequence[Sequence[str | None]],
    metrics: Mapping[str, Metric],
    trials: int,
) -> tuple[dict[str, str], dict[str, list[Any]]]:
    """Runs sacrebleu's paired bootstrap; returns signatures, and the results of all systems, by metric."""
    named = [(str(number), list(system)) for number, system in enumerate(systems, 1)]
    signatures, table = PairedTest(named, metrics, streams, test_type="bs", n_samples=trials)()
    del table["System"]
    # sacrebleu returns the metrics in the given order, under names of its own (chrF2)
    return (
        {name: str(signature) for name, signature in zip(metrics, signatures.values(), strict=True)},
        dict(zip(metrics, table.values(), strict=True)),
    )


def comparable(
    outputs: Sequence[str], references: Sequence[Sequence[str]], separator: str
) -> tuple[list[str], list[list[str | None]]]:
    """Returns outputs, and references as streams; single spaces delimit their symbols."""

    def spaced(text: str) -> str:
        if not separator:
            return text
        return " ".join(symbol.replace(" ", "␣") for symbol in segmented(text, separator))

    return [spaced(output) for output in outputs], transpose_references(
        [[spaced(reference) for reference in several] for several in references]
    )


def check_nesting(
    outputs: Sequence[str], references: Sequence[Sequence[str]], others: Sequence[str], *, third: str = "sources"
) -> None:
    """Raises DataError unless each output has a list of one or more references, and one of the `others`."""
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

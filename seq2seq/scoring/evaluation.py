"""Scores translators: finds sentences with references, translates them, and scores the outputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seq2seq.errors import BundleError
from seq2seq.inference.results import Output
from seq2seq.inference.translator import Translator
from seq2seq.memory import check_memory
from seq2seq.scoring import metrics
from seq2seq.scoring.material import Material, find_material
from seq2seq.scoring.metrics import Scores
from seq2seq.search_config import DecodingConfig
from seq2seq.text.lines import clean
from seq2seq.text.pairs import Pair
from seq2seq.text.readings import Replacement
from seq2seq.text.splits import References

N_BOOTSTRAP = 1000
ITEM_BYTES = 2400  # of memory for each output: sacrebleu keeps its statistics as lists


@dataclass(frozen=True)
class Evaluation:
    """A model's outputs and their scores."""

    material: Material
    outputs: list[str]  # one for each item of the material
    cut_off: int  # outputs that reached their maximum length before END
    scores: Scores
    looked_up: int = 0  # outputs that come from the dictionary
    log_probs: Sequence[float] = ()  # nats, of each whole output

    @property
    def references(self) -> list[References]:
        """The items, in the order of the outputs."""
        return self.material.references


def evaluate_model(
    translator: Translator,
    data: str | None = None,
    split: str | None = None,
    *,
    by: str = "auto",
    ignore_case: bool = False,
    tokenize: str | None = None,
    n_bootstrap: int = N_BOOTSTRAP,
    **decoding: Any,
) -> Evaluation:
    """Scores a model on a held-out part of its own data, or on other data.

    Args:
        translator: the model.
        data: a .tsv file, a folder or a data set's name; None: the data that the model was trained on.
        split: "test" or "validation"; None: "test", or all rows of a .tsv file.
        by: "row": each row is an item; "source": each distinct source; "auto": by row where many rows repeat.
        ignore_case: compare lower-cased outputs with lower-cased references.
        tokenize: BLEU's tokenisation; None: `metrics.score_all` chooses.
        n_bootstrap: resamples for the intervals; 0: no intervals.
        decoding: options of DecodingConfig, such as beam_size=5; greedy by default.

    Raises:
        BundleError: the model does not record its training data.
        DataError: the data cannot be used.
        OptionError: an option is unknown or out of range.

    """
    config = DecodingConfig.from_dict(decoding, where="evaluate")
    material = find_material(translator.bundle, data, split, by=by)
    return evaluate(translator, material, config, ignore_case=ignore_case, tokenize=tokenize, n_bootstrap=n_bootstrap)


def evaluate(
    translator: Translator,
    material: Material,
    config: DecodingConfig | None = None,
    *,
    ignore_case: bool = False,
    tokenize: str | None = None,
    n_bootstrap: int = N_BOOTSTRAP,
    notice: Callable[[Replacement, int], None] = lambda replacement, line: None,
    progress: Callable[..., None] = lambda share, *parts: None,
) -> Evaluation:
    """Translates sources and scores the best output of each item against its references.

    Args:
        translator: the model.
        material: sources with their references.
        config: how to decode; greedy by default.
        ignore_case: compare lower-cased outputs with lower-cased references.
        tokenize: BLEU's tokenisation; None: `metrics.score_all` chooses.
        n_bootstrap: resamples for the intervals; 0: no intervals.
        notice: receives each unknown character and the number of its source.
        progress: called with the share of the sources that are translated, 0 to 1, and how many these are, in words.

    Raises:
        DataError: there is nothing to score, or the model cannot read a source.
        OptionError: to score so many needs more memory than is free.

    """
    sources = [several.source for several in material.references]
    what = f"scoring {len(sources)} {material.by}s of {material.name}"
    check_memory(ITEM_BYTES * len(sources), what, "give fewer rows")
    found = best_outputs(translator, sources, config or DecodingConfig(), notice=notice, progress=progress)
    outputs = [clean(output.text) for output in found]  # in the form of the references
    scores = metrics.score_all(
        outputs,
        [several.references for several in material.references],
        sources,
        separator=translator.target_vocabulary.separator,
        by=material.by,
        ignore_case=ignore_case,
        tokenize=tokenize,
        n_bootstrap=n_bootstrap,
    )
    cut_off, looked_up = sum(not output.finished for output in found), sum(output.looked_up for output in found)
    return Evaluation(material, outputs, cut_off, scores, looked_up, [output.score for output in found])


def best_outputs(
    translator: Translator,
    sources: Sequence[str],
    config: DecodingConfig,
    *,
    notice: Callable[[Replacement, int], None] = lambda replacement, line: None,
    progress: Callable[..., None] = lambda share, *parts: None,
) -> list[Output]:
    """Returns the best output of each source; a source that occurs several times is translated once."""
    distinct = list(dict.fromkeys(sources))
    progress(0.0, f"0 of {len(distinct)} sources")
    found: dict[str, Output] = {}
    for source, best in zip(distinct, translator.outputs(distinct, config, notice=notice), strict=True):
        found[source] = best[0]
        progress(len(found) / len(distinct), f"{len(found)} of {len(distinct)} sources")
    return [found[source] for source in sources]


def metrics_of(translator: Translator, pairs: Sequence[Pair], *, by: str = "auto") -> dict[str, Any]:
    """Scores a model's greedy translations of pairs, in the form of `evaluate --json`."""
    material = Material.of("pairs", pairs, by=by, notes=())
    return {**evaluate(translator, material, n_bootstrap=0).scores.to_dict(), "by": material.by}


def headline(scores: Mapping[str, Any]) -> str:
    """Formats the scores of `metrics_of` in one line."""
    return (
        f"chrF {scores['chrf']:.1f}, BLEU {scores['bleu']:.1f}, exact match {scores['exact_match']:.3f}, "
        f"CER {scores['cer']:.3f}"
    )


def check_comparable(one: Translator, other: Translator) -> None:
    """Raises BundleError unless two models read and write the same kind of line."""
    for what, values in (
        ("separator of target symbols", [t.target_vocabulary.separator for t in (one, other)]),
        ("separator of feature tags", [t.source_vocabulary.features_sep for t in (one, other)]),
    ):
        if values[0] != values[1]:
            raise BundleError(
                f"{other.bundle.path}: expected a model with the {what} {values[0]!r} of {one.bundle.path}, "
                f"got {values[1]!r}; compare models of the same kind of data"
            )

"""Runs a model at several temperatures and measures the outputs: one row of numbers for each temperature."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq.inference.drafts import Opening
from seq2seq.inference.entropy import output_entropy, text_entropy
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.results import Output
from seq2seq.inference.translator import Translator
from seq2seq.scoring.diversity import text_measures, unknown_words
from seq2seq.scoring.memorization import quoted_share, quoted_spans
from seq2seq.scoring.metrics import chrf, exact_match
from seq2seq.search_config import DecodingConfig, GenerationConfig
from seq2seq.text.prose import TextForm
from seq2seq.text.splits import References

Row = dict[str, Any]


def sweep_text(
    model: LanguageModel,
    opening: Opening,
    temperatures: Sequence[float],
    *,
    samples: int,
    length: int,
    seed: int,
    stop: Sequence[str] = (),
    source: Callable[[], Iterator[str]] | None,
    filters: Mapping[str, Any],
    progress: Callable[..., None] = lambda share, *parts: None,
) -> list[Row]:
    """Writes texts at each temperature and measures them.

    Args:
        model: a language model.
        opening: the text that every output continues.
        temperatures: each 0 or more; 0 is greedy, with one text.
        samples: texts for each temperature.
        length: symbols of a text.
        seed: the seed of the draws, the same for every temperature.
        stop: strings that end a text.
        source: yields the training text in blocks, each time it is called; None: the text is missing.
        filters: top_k, top_p and min_p, for temperatures above 0.
        progress: called with the share of the temperatures that is done, 0 to 1, and the next one, in words.

    Returns:
        A row for each temperature: temperature, entropy_bits, the values of `text_measures`, copied_share and
        unknown_words (None without `source`), failures_to_stop (None without `stop`), and the samples.

    """
    rows: list[Row] = []
    skipped = len(opening.text) if opening.given else 0
    for number, temperature in enumerate(temperatures):
        progress(number / len(temperatures), f"temperature {temperature:g}")
        drawn = {"samples": samples, **filters} if temperature else {}
        config = GenerationConfig(temperature=temperature, length=length, seed=seed, **drawn)
        found = model.write(opening, config, stop)
        written = [text.text[skipped:] for text in found]
        row: Row = {
            "temperature": temperature,
            "entropy_bits": text_entropy(model, opening, found, temperature),
            **text_measures(written, model.form),
            "copied_share": None,
            "unknown_words": None,
            "failures_to_stop": sum(not text.finished for text in found) / len(found) if stop else None,
            "samples": written,
        }
        if source is not None:
            row["copied_share"] = quoted_share(written, quoted_spans(written, source()))
            row["unknown_words"] = unknown_words(written, source(), model.form)
        rows.append(row)
    return rows


def sweep_pairs(
    translator: Translator,
    references: Sequence[References],
    temperatures: Sequence[float],
    *,
    samples: int,
    seed: int,
    filters: Mapping[str, Any],
    progress: Callable[..., None] = lambda share, *parts: None,
) -> list[Row]:
    """Translates at each temperature and measures the outputs.

    Args:
        translator: the model.
        references: sources with their references.
        temperatures: each 0 or more; 0 is greedy, with one output for each source.
        samples: draws for each source.
        seed: the seed of the draws, the same for every temperature.
        filters: top_k, top_p and min_p, for temperatures above 0.
        progress: called with the share of the temperatures that is done, 0 to 1, and the next one, in words.

    Returns:
        A row for each temperature: temperature, entropy_bits, the values of `text_measures`, failures_to_stop,
        chrf and exact_match (means over the draws), best_chrf and best_exact_match (with the best draw of each
        source, see `best_output`), and the samples (the first draw of each source).

    """
    rows: list[Row] = []
    sources = [several.source for several in references]
    wanted = [several.references for several in references]
    form = TextForm(separator=translator.target_vocabulary.separator)
    for number, temperature in enumerate(temperatures):
        progress(number / len(temperatures), f"temperature {temperature:g}")
        drawn = {"temperature": temperature, "n_best": samples, **filters} if temperature else {}
        found = list(translator.outputs(sources, DecodingConfig(seed=seed, **drawn)))
        draws = [[output.text for output in outputs] for outputs in zip(*found, strict=True)]
        first = [outputs[0] for outputs in found]
        best = [best_output(outputs, several) for outputs, several in zip(found, wanted, strict=True)]
        flat = [output for outputs in found for output in outputs]
        rows.append(
            {
                "temperature": temperature,
                "entropy_bits": output_entropy(translator, first, temperature),
                **text_measures([output.text for output in flat], form),
                "failures_to_stop": sum(not output.finished for output in flat) / len(flat),
                "chrf": float(np.mean([chrf(texts, wanted) for texts in draws])),
                "exact_match": float(np.mean([exact_match(texts, wanted) for texts in draws])),
                "best_chrf": chrf(best, wanted),
                "best_exact_match": exact_match(best, wanted),
                "samples": draws[0],
            }
        )
    return rows


def best_output(outputs: Sequence[Output], references: Sequence[str]) -> str:
    """Returns the text of the best draw: an exact match, else the one with the highest chrF."""
    texts = [output.text for output in outputs]
    return max(texts, key=lambda text: (text in references, chrf([text], [references])))


def real_text_measures(model: LanguageModel, source: Callable[[], Iterator[str]] | None, length: int) -> Row:
    """Measures the validation text in the model folder, in pieces of about `length` symbols."""
    size = max(length, 1)
    excerpt = model.bundle.excerpt
    texts = [excerpt[start : start + size] for start in range(0, max(len(excerpt) - size, 1), size)]
    unknown = unknown_words([excerpt], source(), model.form) if source is not None else None
    return {**text_measures(texts, model.form), "unknown_words": unknown}


def text_advice(rows: Sequence[Mapping[str, Any]], real: Mapping[str, float]) -> str:
    """Recommends temperatures for a language model in one line.

    Args:
        rows: one for each temperature, with `temperature`, `repeated_8_grams` and `unknown_words` (or None).
        real: `repeated_8_grams` and `unknown_words` of real text that the model was not trained on.

    """
    limit = (real["unknown_words"] or 0.0) + 0.05
    rows = sorted(rows, key=lambda row: row["temperature"])
    whole = [row for row in rows if row["unknown_words"] is None or row["unknown_words"] <= limit]
    if not whole:
        least = min(rows, key=lambda row: row["unknown_words"])
        return (
            f"no temperature: even at {least['temperature']:g}, {least['unknown_words']:.0%} of the words are not in "
            f"the training text (in real text {real['unknown_words']:.0%}); train longer or a larger model"
        )
    lively = [row for row in whole if row["repeated_8_grams"] <= 2 * real["repeated_8_grams"] + 0.1] or whole[-1:]
    low, high = lively[0]["temperature"], lively[-1]["temperature"]
    span = f"{low:g} to {high:g}" if high > low else f"{high:g}"
    broken = [row for row in rows if row["temperature"] > high and row["unknown_words"] is not None]
    if not broken:
        return f"{span}: varied, with correct words; none of these temperatures breaks words"
    return (
        f"{span}: as varied as possible with correct words (at {broken[0]['temperature']:g}, "
        f"{broken[0]['unknown_words']:.0%} of the words are not in the training text; in real text "
        f"{real['unknown_words']:.0%})"
    )


def pairs_advice(rows: Sequence[Mapping[str, Any]], samples: int) -> str:
    """Recommends temperatures for a translator in one line; rows have `temperature`, `chrf` and `best_chrf`."""
    single = max(rows, key=lambda row: (row["chrf"], -row["temperature"]))
    best = max(rows, key=lambda row: (row["best_chrf"], -row["temperature"]))
    return (
        f"{single['temperature']:g}: best for single draws (chrF {single['chrf']:.1f}); {best['temperature']:g}: best "
        f"where the nearest of {samples} draws can be chosen (chrF {best['best_chrf']:.1f})"
    )

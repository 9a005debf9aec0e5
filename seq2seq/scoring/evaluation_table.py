"""Formats an evaluation as a table: the scores of one or two models, with the signatures below."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seq2seq.scoring.comparison import Comparison
from seq2seq.scoring.evaluation import Evaluation
from seq2seq.scoring.material import Material

SHOWN = {"chrf": "chrF", "bleu": "BLEU", "exact_match": "exact match", "wer": "WER", "cer": "CER", "per": "PER"}


def table_form(
    folders: Sequence[Path],
    material: Material,
    results: Sequence[Evaluation],
    comparison: Comparison | None,
    *,
    by_symbol: bool,
) -> list[str]:
    """Formats the scores as aligned columns, one for each model, with the signatures below; returns lines.

    Where a target's symbols are separated, the edit rate is called PER, else CER.
    """
    names = {name: shown for name, shown in SHOWN.items() if name != ("cer" if by_symbol else "per")}
    rows = [["", *map(str, folders), *(["p"] if comparison else [])]]
    for name, shown in names.items():
        cells = [score_cell(result, name) for result in results]
        rows.append([shown, *cells, *([f"{comparison.p_values[name]:.4f}"] if comparison else [])])
    n = len(material.references)
    distinct = len({several.source for several in material.references})
    for name, whole in (("distinct", distinct), ("copied", n)):
        shares = [getattr(result.scores, name) for result in results]
        rows.append([name, *(f"{share:.4f} ({round(share * whole)} of {whole})" for share in shares)])
    count = sum(len(several.references) for several in material.references)
    widths = [max(len(row[place]) for row in rows if place < len(row)) for place in range(len(rows[0]))]
    items = f"{n} rows, {distinct} distinct sources" if material.by == "row" else f"{n} sources, {count} references"
    lines = [f"{material.name}: {items}", ""]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
    lines += [
        "",
        "chrF and BLEU: 0 to 100; ±: 95 % interval of the resamples.",
        "WER: share of outputs with any error, 1 - exact match (not edits per word); "
        f"{'PER' if by_symbol else 'CER'}: edits per symbol of the nearest reference.",
        "Prefer chrF: BLEU counts four words in a row, so lines under four words add nothing to it, even perfect ones.",
        "",
    ]
    lines += signature_lines(results[0].scores.signatures, names)
    if comparison is not None:
        test = {"bs": "paired bootstrap", "ar": "approximate randomisation"}[comparison.test]
        lines += ["", f"p: the probability of so large a difference between equally good models, by {test}:"]
        lines += signature_lines(comparison.signatures, names)
    return lines


def signature_lines(signatures: Mapping[str, str], names: Mapping[str, str]) -> list[str]:
    """Formats the signatures, with which the scores can be computed again; that of WER is that of exact match."""
    wide = max(map(len, names.values()))
    return [f"{shown.ljust(wide)}  {signatures[name]}" for name, shown in names.items() if name != "wer"]


def score_cell(result: Evaluation, name: str) -> str:
    """Formats one score with its interval."""
    digits = 2 if name in ("chrf", "bleu") else 4
    interval = result.scores.confidence.get(name)
    value = f"{getattr(result.scores, name):.{digits}f}"
    return value if interval is None else f"{value} ({interval.mean:.{digits}f} ± {interval.plus_minus:.{digits}f})"

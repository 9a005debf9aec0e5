"""The `evaluate` verb: scores of a model, or of two models and the significance of their difference."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.bundle import TRANSLATOR
from seq2seq.cli.notices import UnknownCharacters
from seq2seq.cli.options import add_options, choices_of, configured
from seq2seq.cli.shell import add_model_option, make_parser, model_folder, run_verb, say
from seq2seq.config import DataConfig, DecodingConfig
from seq2seq.errors import OptionError
from seq2seq.fields import flag_of
from seq2seq.files import write_atomically
from seq2seq.inference.translator import Translator, load
from seq2seq.scoring.evaluation import (
    N_BOOTSTRAP,
    PARTS,
    Evaluation,
    Material,
    check_comparable,
    compare,
    evaluate,
    find_material,
    seen_in_training,
)
from seq2seq.scoring.metrics import TOKENIZERS, TRIALS, Comparison
from seq2seq.text.splits import References

EXAMPLE = (
    "  seq2seq evaluate --model runs/fra-eng\n"
    "  seq2seq evaluate --model runs/fra-eng --data my-pairs.tsv --beam-size 5 --json\n"
    "  seq2seq evaluate --model runs/big --compare runs/small -o outputs.tsv\n\n"
    "Without --data the model's own test part is scored. With it the model's own reading options hold, whatever\n"
    "defaults are named above, unless others are given; rows with the same source are references of one sentence."
)
# how the file of --data is laid out, and what is left out of it
LAYOUT = (
    *("encoding", "source_col", "target_col", "reverse", "features_col", "on_bad_line"),
    *("max_source_length", "max_target_length"),
)
NAMES = {"chrf": "chrF", "bleu": "BLEU", "exact_match": "exact match", "cer": "CER"}


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, DecodingConfig, dict[str, Any]]:
    """Reads the options; the last are those of reading `--data`."""
    parser = make_parser("evaluate", "Translate sentences and score the outputs against references.", EXAMPLE)
    add_model_option(parser)
    parser.add_argument("--data", metavar="NAME|PATH", help="score this .tsv, or a part of this set or folder")
    parser.add_argument("--split", choices=PARTS, help="part of a data set to score (default: test)")
    parser.add_argument("--compare", metavar="DIR", help="a second model; says whether the difference is chance")
    parser.add_argument(
        "--significance", choices=tuple(TRIALS), help="paired bootstrap, or approximate randomisation (default: bs)"
    )
    parser.add_argument(
        "--tokenize", choices=TOKENIZERS, help="words of BLEU (default: none for separated symbols, else 13a)"
    )
    parser.add_argument(
        "--bootstrap", type=int, metavar="N", default=N_BOOTSTRAP,
        help=f"resamples for the 95 %% intervals, 0: no intervals (default: {N_BOOTSTRAP})",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "-o", "--output", metavar="FILE.tsv",
        help="write for each source a line: the source (and its tags), the output of each model, all references",
    )  # fmt: skip
    parser.add_argument("--config", metavar="FILE.toml", help="options from a file; options given beside it win")
    others = [field.name for field in dataclasses.fields(DataConfig) if field.name not in LAYOUT]
    add_options(parser, DataConfig, leave_out=others)
    add_options(parser, DecodingConfig, leave_out=("n_best",))
    args = parser.parse_args(argv)
    reading = {name: value for name, value in vars(args).items() if name in LAYOUT}
    if reading and args.data is None:
        raise OptionError(f"{flag_of(next(iter(reading)))}: says how to read --data, which is missing; give both")
    if args.significance and not args.compare:
        raise OptionError("--significance: is about the difference of two models; give --compare DIR")
    if args.bootstrap < 0 or args.bootstrap == 1:
        raise OptionError(f"--bootstrap: expected 0 or at least 2, got {args.bootstrap}")
    if args.output and not Path(args.output).absolute().parent.is_dir():
        raise OptionError(f"--output {args.output}: expected a folder that exists; make it first")
    return args, configured(DecodingConfig, choices_of(args, sections=(DecodingConfig,)).decode), reading


def run(argv: Sequence[str]) -> int:
    """Scores a model and prints the result."""
    args, config, reading = parse(argv)
    translators = [load(model_folder(args.model, TRANSLATOR), runtime=args.runtime)]
    if args.compare:
        translators.append(load(args.compare, runtime=args.runtime))
        check_comparable(*translators)
    material = find_material(translators[0].bundle, args.data, args.split, **reading)
    announce(translators[0], material)
    warn_of_overlap(translators, material, own=args.data is None)
    if config.temperature and config.seed is None:
        config = config.with_seed()
        say(f"seed: {config.seed}")
    results = [scored(translator, material, config, args) for translator in translators]
    comparison = None
    if args.compare:
        comparison = compare(
            translators[0], results[0].outputs, results[1].outputs, material.references,
            test=args.significance or "bs", tokenize=args.tokenize,
        )  # fmt: skip
    if args.output:
        tagged = bool(translators[0].source_vocabulary.features_sep)
        write_atomically(Path(args.output), outputs_table(material.references, results, tagged=tagged))
    folders = [str(translator.bundle.path) for translator in translators]
    print(
        json_form(folders, material, config, results, comparison)
        if args.json
        else table_form(folders, material, results, comparison)
    )
    return 0


def announce(translator: Translator, material: Material) -> None:
    """Says what there is to say about what is to be scored."""
    for line in material.notes:
        say(line)
    if translator.bundle.data.lowercase:
        say("the model was trained on lower-cased data: references are lower-cased too")


def warn_of_overlap(translators: Sequence[Translator], material: Material, *, own: bool) -> None:
    """Says where sources were trained on; `own`: the material is held-out data of the first model."""
    for number, translator in enumerate(translators):
        if own and number == 0:
            continue
        seen = seen_in_training(translator.bundle, material.references)
        if seen:
            say(
                f"warning: {seen} of {len(material.references)} sources of {material.name} were in the training part "
                f"of {translator.bundle.path}; scores on them show memory, not translation"
            )


def scored(translator: Translator, material: Material, config: DecodingConfig, args: argparse.Namespace) -> Evaluation:
    """Evaluates one model, and says what the scores do not show."""
    say(f"{translator.bundle.path}: translating {len(material.references)} sources of {material.name}")
    unknown = UnknownCharacters(named=0)
    result = evaluate(
        translator, material, config,
        tokenize=args.tokenize, n_bootstrap=args.bootstrap, notice=unknown,
    )  # fmt: skip
    unknown.summary()
    if result.cut_off:
        say(f"{result.cut_off} outputs were cut off before they ended; --max-length raises the limit")
    return result


def outputs_table(references: Sequence[References], results: Sequence[Evaluation], *, tagged: bool) -> str:
    """Writes a line for each source: source, with features its tags, outputs of the models, references."""
    lines = []
    for index, (source, several) in enumerate(references):
        text, _, tags = source.partition("\t")
        outputs = [result.outputs[index] for result in results]
        lines.append("\t".join([text, *([tags] if tagged else []), *outputs, *several]) + "\n")
    return "".join(lines)


def json_form(
    folders: Sequence[str],
    material: Material,
    config: DecodingConfig,
    results: Sequence[Evaluation],
    comparison: Comparison | None,
) -> str:
    """Writes the scores of the first model, beside them the second's and the comparison."""
    decoding = {name: value for name, value in config.to_dict().items() if value != getattr(DecodingConfig, name)}
    content = {
        **results[0].scores.to_dict(),
        "model": folders[0],
        "data": material.name,
        "references": sum(len(several.references) for several in material.references),
        "decoding": decoding,
    }
    if comparison is not None:
        content["compared"] = {**results[1].scores.to_dict(), "model": folders[1]}
        content["p_values"] = comparison.p_values
        content["significance"] = {"test": comparison.test, "signatures": comparison.signatures}
    return json.dumps(content, ensure_ascii=False, indent=1)


def table_form(
    folders: Sequence[str], material: Material, results: Sequence[Evaluation], comparison: Comparison | None
) -> str:
    """Writes the scores as aligned columns, one or two models wide, with the signatures below."""
    rows = [["", *folders, *(["p"] if comparison else [])]]
    for name, shown in NAMES.items():
        cells = [score_cell(result, name) for result in results]
        rows.append([shown, *cells, *([f"{comparison.p_values[name]:.4f}"] if comparison else [])])
    n = len(material.references)
    for name in ("distinct", "copied"):
        shares = [getattr(result.scores, name) for result in results]
        rows.append([name, *(f"{share:.4f} ({round(share * n)} of {n})" for share in shares)])
    count = sum(len(several.references) for several in material.references)
    widths = [max(len(row[place]) for row in rows if place < len(row)) for place in range(len(rows[0]))]
    lines = [f"{material.name}: {n} sources, {count} references", ""]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]
    lines += [
        "",
        "chrF and BLEU: 0 to 100; CER: edits a symbol of the nearest reference; ±: 95 %, around the resamples' mean.",
        "Read chrF: BLEU counts four words in a row, so lines under four words add nothing to it, even perfect ones.",
        "",
    ]
    lines += signature_lines(results[0].scores.signatures)
    if comparison is not None:
        test = {"bs": "paired bootstrap", "ar": "approximate randomisation"}[comparison.test]
        lines += ["", f"p: the probability of so large a difference between equally good models, by {test}:"]
        lines += signature_lines(comparison.signatures)
    return "\n".join(lines)


def signature_lines(signatures: Mapping[str, str]) -> list[str]:
    """Writes what it takes to repeat the scores."""
    wide = max(map(len, NAMES.values()))
    return [f"{shown.ljust(wide)}  {signatures[name]}" for name, shown in NAMES.items()]


def score_cell(result: Evaluation, name: str) -> str:
    """Writes one score with its interval."""
    digits = 2 if name in ("chrf", "bleu") else 4
    interval = result.scores.confidence.get(name)
    value = f"{getattr(result.scores, name):.{digits}f}"
    return value if interval is None else f"{value} ({interval.mean:.{digits}f} ± {interval.plus_minus:.{digits}f})"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the verb."""
    return run_verb("evaluate", run, argv)


if __name__ == "__main__":
    sys.exit(main())

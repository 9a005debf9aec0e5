"""The `evaluate` verb: scores a model, or two models and the significance of their difference."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import TRANSLATOR, named_bundle
from seq2seq.cli.notices import UnknownCharacters
from seq2seq.cli.options import add_config_option, add_options, configured, in_range, whole
from seq2seq.cli.shell import add_model_option, make_parser, model_folder, run_verb, say
from seq2seq.config import DataConfig
from seq2seq.errors import OptionError
from seq2seq.fields import flag_of
from seq2seq.files.results import check_result_file, write_result
from seq2seq.inference.translator import Translator
from seq2seq.scoring.calibration import error_line
from seq2seq.scoring.comparison import TRIALS, Comparison, compare
from seq2seq.scoring.confidence import check_resamples
from seq2seq.scoring.details import Details, details_of
from seq2seq.scoring.evaluation import (
    N_BOOTSTRAP,
    Evaluation,
    check_comparable,
    evaluate,
)
from seq2seq.scoring.evaluation_plot import draw_evaluation
from seq2seq.scoring.evaluation_table import table_form
from seq2seq.scoring.material import BY, PARTS, Material, find_material, seen_in_training
from seq2seq.scoring.metrics import TOKENIZERS
from seq2seq.scoring.plots import check_plot
from seq2seq.search_config import DecodingConfig
from seq2seq.terminal import LiveLine
from seq2seq.text.splits import References

EXAMPLE = (
    "  seq2seq evaluate --model runs/fra-eng\n"
    "  seq2seq evaluate --model runs/fra-eng --data my-pairs.tsv --beam-size 5 --json\n"
    "  seq2seq evaluate --model runs/big --compare runs/small -o outputs.tsv\n\n"
    "Without --data the test part of the model's own data is scored. --data is read with the options that the model's\n"
    "own data was read with, not with the defaults above, unless you give others. Rows with the same source are\n"
    "references of one sentence, except in token lists, where many rows repeat: each of their rows is scored with its\n"
    "own reference, so that accuracy is by token. --by chooses.\n\n"
    "exact match: share of outputs that equal a reference. WER: share of outputs with any error, 1 - exact match, as\n"
    "pronunciation and inflection tasks use the word (not the edits per word of speech recognition). CER: edits per\n"
    "character of the nearest reference. PER: the same where --target-sep separates symbols such as phonemes."
)
# options of reading the file of --data
LAYOUT = (
    *("encoding", "source_col", "target_col", "reverse", "features_col", "on_bad_line"),
    *("max_source_length", "max_target_length"),
)


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, DecodingConfig, dict[str, Any]]:
    """Reads the options: all of them, those of decoding, and those of reading `--data`."""
    parser = make_parser("evaluate", "Translate sentences and score the outputs against references.", EXAMPLE)
    add_model_option(parser)
    parser.add_argument("--data", metavar="NAME|PATH", help="score this .tsv, or a part of this data set or folder")
    parser.add_argument("--split", choices=PARTS, help="part of a data set to score (default: test)")
    parser.add_argument("--compare", metavar="DIR", help="a second model; tests whether the difference is chance")
    parser.add_argument(
        "--significance", choices=tuple(TRIALS), help="bs: paired bootstrap (default); ar: approximate randomisation"
    )
    parser.add_argument(
        "--tokenize", choices=TOKENIZERS, help="how BLEU finds words (default: none for separated symbols, else 13a)"
    )
    parser.add_argument(
        "--bootstrap", type=whole, metavar="N", default=N_BOOTSTRAP,
        help=f"resamples for the 95 %% intervals; 0: no intervals (default: {N_BOOTSTRAP})",
    )  # fmt: skip
    parser.add_argument(
        "--by", choices=BY, default="auto",
        help="score each row, or each distinct source with all its targets (default: auto, by row where many repeat)",
    )  # fmt: skip
    parser.add_argument("--ignore-case", action="store_true", help="compare lower-cased outputs and references")
    parser.add_argument("--by-length", action="store_true", help="also score sources of similar length together")
    parser.add_argument("--confusions", action="store_true", help="also count which symbols are taken for which")
    parser.add_argument(
        "--calibration", action="store_true", help="also compare how probable outputs are with how often they are right"
    )
    parser.add_argument(
        "--plot", metavar="FILE",
        help="draw scores by length, confusions and calibration: .png, .svg or .pdf; needs matplotlib",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "-o", "--output", metavar="FILE.tsv",
        help="write a line for each item: the source (and its tags), the output of each model, all references",
    )  # fmt: skip
    add_config_option(parser)
    others = [field.name for field in dataclasses.fields(DataConfig) if field.name not in LAYOUT]
    add_options(parser, DataConfig, leave_out=others)
    add_options(parser, DecodingConfig, leave_out=("n_best", "max_source_length"))
    args = parser.parse_args(argv)
    reading = {name: value for name, value in vars(args).items() if name in LAYOUT}
    if reading and args.data is None:
        raise OptionError(f"{flag_of(next(iter(reading)))}: is about reading --data, which is missing; give both")
    if args.significance and not args.compare:
        raise OptionError("--significance: is about the difference between two models; give --compare DIR")
    check_resamples(args.bootstrap)
    in_range("--bootstrap", args.bootstrap, at_least=0)
    if args.output is not None:
        check_result_file(Path(args.output), "--output")
    if args.plot is not None:
        check_plot(Path(args.plot))
    return args, configured(DecodingConfig, args), reading


def run(argv: Sequence[str]) -> int:
    """Scores a model and prints the result."""
    args, config, reading = parse(argv)
    folders = [model_folder(args.model, TRANSLATOR), *([named_bundle(args.compare)] if args.compare else [])]
    translators = [Translator(load_bundle(folder), runtime=args.runtime) for folder in folders]
    if args.compare:
        check_comparable(*translators)
    material = find_material(translators[0].bundle, args.data, args.split, by=args.by, **reading)
    for line in material.notes:
        say(line)
    if translators[0].bundle.data.lowercase:
        say("the model was trained on lower-cased data: references are lower-cased too")
    warn_of_overlap(translators, material, own=args.data is None)
    if config.temperature and config.seed is None:
        config = config.with_seed()
        say(f"seed: {config.seed}")
    results = [scored(translator, material, config, args) for translator in translators]
    comparison = None
    if args.compare:
        comparison = compare(
            results[0].outputs, results[1].outputs, [several.references for several in material.references],
            test=args.significance or "bs", separator=translators[0].target_vocabulary.separator,
            tokenize=args.tokenize, by=material.by, ignore_case=args.ignore_case,
        )  # fmt: skip
    asked = [name for name in Details._fields if getattr(args, name)]
    needed = Details._fields if args.plot else asked
    details = [
        details_of(*pair, needed, ignore_case=args.ignore_case) for pair in zip(translators, results, strict=True)
    ]
    if args.output:
        tagged = bool(translators[0].source_vocabulary.features_sep)
        write_result(Path(args.output), outputs_table(material.references, results, tagged=tagged), "--output")
    if args.plot:
        plot(folders, material, details, Path(args.plot))
        details = [several.only(asked) for several in details]
    if args.json:
        print(json_form(folders, material, config, results, details, comparison))
    else:
        by_symbol = bool(translators[0].target_vocabulary.separator)
        lines = table_form(folders, material, results, comparison, by_symbol=by_symbol)
        for folder, several in zip(folders, details, strict=True):
            title = f" of {folder}" if comparison else ""
            lines += several.lines(title, "PER" if by_symbol else "CER")
        print("\n".join(lines))
    return 0


def plot(folders: Sequence[Path], material: Material, details: Sequence[Details], path: Path) -> None:
    """Draws the details of each model, and reports the calibration errors."""
    title = material.name if len(folders) > 1 else f"{folders[0]}: {material.name}"
    models = [(str(folder), several) for folder, several in zip(folders, details, strict=True)]
    draw_evaluation(models, path, title=title)
    for name, several in models:
        assert several.calibration is not None
        say(f"{name}: {error_line(several.calibration)}")
    say(f"plot: {path}")


def warn_of_overlap(translators: Sequence[Translator], material: Material, *, own: bool) -> None:
    """Warns of sources in the training part of a model; `own`: the sources are held-out data of the first model."""
    for translator in translators[1:] if own else translators:
        seen = seen_in_training(translator.bundle, material.references)
        if seen:
            verb = "were" if material.by == "source" else "have sources that were"
            say(
                f"warning: {seen} of {len(material.references)} {material.by}s of {material.name} {verb} in the "
                f"training part of {translator.bundle.path}; their scores show what the model remembers, not how it "
                "translates"
            )


def scored(translator: Translator, material: Material, config: DecodingConfig, args: argparse.Namespace) -> Evaluation:
    """Evaluates one model; reports unknown characters and outputs that were cut off."""
    say(f"{translator.bundle.path}: translating {len(material.references)} {material.by}s of {material.name}")
    unknown = UnknownCharacters(named=0)
    with LiveLine() as line:
        result = evaluate(
            translator, material, config,
            ignore_case=args.ignore_case, tokenize=args.tokenize, n_bootstrap=args.bootstrap, notice=unknown,
            progress=line.show,
        )  # fmt: skip
    unknown.summary()
    if config.dictionary:
        say(f"{result.looked_up} of {len(result.outputs)} outputs were looked up, the model translated the others")
    if result.cut_off:
        say(f"{result.cut_off} outputs were cut off before they ended; --max-length raises the limit")
    return result


def outputs_table(references: Sequence[References], results: Sequence[Evaluation], *, tagged: bool) -> str:
    """Formats a line for each item: the source, its tags if the model has features, all outputs, all references."""
    lines = []
    for index, (source, several) in enumerate(references):
        text, _, tags = source.partition("\t")
        outputs = [result.outputs[index] for result in results]
        lines.append("\t".join([text, *([tags] if tagged else []), *outputs, *several]) + "\n")
    return "".join(lines)


def json_form(
    folders: Sequence[Path],
    material: Material,
    config: DecodingConfig,
    results: Sequence[Evaluation],
    details: Sequence[Details],
    comparison: Comparison | None,
) -> str:
    """Formats the scores of the first model as JSON, with the second model's scores and the comparison."""
    decoding = {name: value for name, value in config.to_dict().items() if value != getattr(DecodingConfig, name)}
    decoding.pop("max_source_length", None)  # here it is an option of --data
    content = {
        **results[0].scores.to_dict(),
        "model": str(folders[0]),
        "data": material.name,
        "by": material.by,
        "references": sum(len(several.references) for several in material.references),
        "decoding": decoding,
        **details[0].to_dict(),
    }
    if comparison is not None:
        content["compared"] = {**results[1].scores.to_dict(), "model": str(folders[1]), **details[1].to_dict()}
        content["p_values"] = comparison.p_values
        content["significance"] = {"test": comparison.test, "signatures": comparison.signatures}
    return json.dumps(content, ensure_ascii=False, indent=1)


main = partial(run_verb, "evaluate", run)

if __name__ == "__main__":
    sys.exit(main())

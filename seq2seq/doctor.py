"""The `doctor` verb: examines files and prints findings."""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from seq2seq.cli.shell import add_foreign_options, make_parser, run_verb
from seq2seq.diagnosis import Report, examine
from seq2seq.diagnosis.catalogue import CATALOGUE
from seq2seq.diagnosis.explain import explain
from seq2seq.errors import OptionError
from seq2seq.fields import flag_of
from seq2seq.foreign.files import collect

EXAMPLE = (
    "  seq2seq doctor arrays.npz model.keras --validation-split 0.2 --pairs fra.txt\n"
    "  seq2seq doctor arrays.npz --train-model s2s.keras --encoder encoder.keras --decoder decoder.keras\n"
    "  seq2seq doctor folder/ --json\n"
    "  seq2seq doctor --explain D01\n\n"
    "exit code: 0 nothing is broken, 1 something is broken, 2 the files could not be examined"
)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the options."""
    parser = make_parser("doctor", "Find out why a Keras model trains well and decodes badly.", EXAMPLE)
    parser.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="arrays (.npz), Keras models (.keras, .h5), vocabularies (.json), a model folder, or a folder of these",
    )
    parser.add_argument("--train-model", metavar="FILE", help="the model that was fitted")
    parser.add_argument("--encoder", metavar="FILE", help="the inference encoder")
    parser.add_argument("--decoder", metavar="FILE", help="the inference decoder")
    parser.add_argument(
        "--inputs",
        metavar="NAME,NAME",
        help="names of the arrays in the order of the model's inputs, or INPUT=ARRAY,INPUT=ARRAY",
    )
    add_foreign_options(parser)
    parser.add_argument("--validation-split", type=float, metavar="SHARE", help="the validation_split given to fit")
    parser.add_argument("--validation", metavar="FILE.npz", help="validation arrays")
    parser.add_argument("--pairs", metavar="FILE.tsv", help="the texts: source, tab, target")
    parser.add_argument("--explain", metavar="CODE", help="explain a code with an example")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser.parse_intermixed_args(argv)


def run(argv: Sequence[str]) -> int:
    """Examines the given files and prints the findings."""
    args = parse(argv)
    if args.explain:
        code = args.explain.upper()
        if code not in CATALOGUE:
            raise OptionError(f"--explain: expected a code from D01 to D16, got {args.explain!r}")
        print(explain(code))
        return 0
    report = examine_paths(args)
    print(json.dumps(report.to_json(), ensure_ascii=False, indent=2) if args.json else report)
    return 1 if report.broken else 2 if report.failed else 0


def examine_paths(args: argparse.Namespace) -> Report:
    """Collects the arrays, models and vocabularies at the paths and examines them."""
    named = {part: getattr(args, part) for part in ("train_model", "encoder", "decoder")}
    found = collect([Path(path) for path in args.paths])
    if not (args.paths or args.vocabulary or args.pairs or any(named.values())):
        raise OptionError("give a PATH: arrays (.npz), Keras models, vocabularies, or a folder of these (see --help)")
    if found.bundles:
        from seq2seq.diagnosis.bundles import open_bundle

        if len(args.paths) > 1:
            raise OptionError("a model folder of this package is examined by itself; leave the other paths out")
        for name in (*named, "vocabulary", "start", "end", "pad", "inputs", "validation", "validation_split"):
            if getattr(args, name):
                raise OptionError(
                    f"{flag_of(name)}: a model folder of this package records what it needs; leave it out"
                )
        return examine(**open_bundle(found.bundles[0], args.pairs))
    given = {str(Path(path).resolve()) for path in named.values() if path}
    options: dict[str, Any] = {
        "arrays": found.arrays[0] if found.arrays else None,
        "models": {path.name: path for path in found.models if str(path.resolve()) not in given},
        "vocabularies": [*args.vocabulary, *(str(path) for path in found.vocabularies)],
        "validation": args.validation or (found.validation[0] if found.validation else None),
        "inputs": input_names(args.inputs),
    }
    others = ("pairs", "start", "end", "pad", "validation_split", "allow_lambda")
    return examine(**options, **named, **{name: getattr(args, name) for name in others})


def input_names(text: str | None) -> list[str] | dict[str, str] | None:
    """Reads --inputs.

    Raises:
        OptionError: some names have an equals sign and others do not.

    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not any("=" in part for part in parts):
        return parts
    if not all("=" in part for part in parts):
        raise OptionError(f"--inputs: expected NAME,NAME or INPUT=ARRAY,INPUT=ARRAY, got {text!r}")
    return dict(part.split("=", 1) for part in parts)


main = partial(run_verb, "doctor", run)

if __name__ == "__main__":
    sys.exit(main())

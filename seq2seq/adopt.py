"""The `adopt` verb: turns a trained Keras model and its data into a model folder of this package."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from seq2seq.cli.options import add_options, configured, in_range, whole
from seq2seq.cli.shell import add_foreign_options, make_parser, run_verb, say
from seq2seq.config import DataConfig
from seq2seq.fields import flag_of
from seq2seq.terminal import LiveLine

EXAMPLE = (
    "  seq2seq adopt s2s_model.keras --data fra.txt --model runs/tutorial\n"
    "  seq2seq adopt model.keras arrays.npz --data pairs.tsv --model runs/mine\n"
    "  seq2seq adopt model.h5 --vocabulary words-en.json --vocabulary words-fr.json --data pairs.tsv \\\n"
    "    --source-sep ' ' --target-sep ' ' --model runs/words\n"
    "  seq2seq adopt writer.keras --data nietzsche.txt --model runs/writer\n\n"
    "Give the model that was fitted and the file that it was trained on. The ids, padding and lengths that are\n"
    "inferred are printed on stderr. The folder is written only if its predictions agree with the original's."
)
NUMBERS = ("rows", "source_length", "window")
HINTS = ("start", "end", "pad", *NUMBERS)
READING = ("source_col", "target_col", "reverse", "source_sep", "target_sep", "lowercase")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the options."""
    parser = make_parser("adopt", "Turn a trained Keras tutorial model into a model folder.", EXAMPLE)
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="the model (.keras, .h5), the arrays it was fitted to (.npz), vocabularies (.json), or a folder of these",
    )
    parser.add_argument("--data", required=True, metavar="NAME|PATH", help="the pairs or text that it was trained on")
    parser.add_argument("--model", required=True, metavar="DIR", help="where the model folder goes")
    add_foreign_options(parser)
    parser.add_argument(
        "--rows", type=whole, metavar="N", help="number of the data's first rows that it was trained on"
    )
    parser.add_argument(
        "--source-length", type=whole, metavar="N", help="length to which sources were padded (symbols)"
    )
    parser.add_argument("--window", type=whole, metavar="N", help="symbols that a language model reads at a time")
    parser.add_argument("--overwrite", action="store_true", help="replace a model folder")
    others = [field.name for field in dataclasses.fields(DataConfig) if field.name not in READING]
    add_options(parser, DataConfig, leave_out=others)
    args = parser.parse_intermixed_args(argv)
    for name in NUMBERS:
        if getattr(args, name) is not None:
            in_range(flag_of(name), getattr(args, name), at_least=1)
    return args


def run(argv: Sequence[str]) -> int:
    """Adopts a model."""
    args = parse(argv)
    config = configured(DataConfig, args)
    from seq2seq.adoption.adopting import adopt_files

    with LiveLine() as line:

        def report(text: str) -> None:
            line.clear()
            say(text)

        adopt_files(
            [Path(path) for path in args.paths],
            args.data,
            Path(args.model),
            allow_lambda=args.allow_lambda,
            vocabularies=args.vocabulary,
            config=config,
            **{name: getattr(args, name) for name in HINTS},
            overwrite=args.overwrite,
            report=report,
            progress=line.show,
        )
    say(f"adopted: {args.model}")
    return 0


main = partial(run_verb, "adopt", run)

if __name__ == "__main__":
    sys.exit(main())

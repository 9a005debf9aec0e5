"""The `export` verb: writes a model in a form that programs without this package run."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from seq2seq.cli.shell import make_parser, model_folder, run_verb, say
from seq2seq.errors import BundleError, OptionError
from seq2seq.exporting.formats import FORMATS, check_options, export_model
from seq2seq.exporting.options import ExportOptions

EXAMPLE = (
    "  seq2seq export --format onnx runs/mine -o mine-onnx\n"
    "  seq2seq export --format onnx --quantize int8 fra-eng   # fra-eng-onnx, and what int8 loses\n\n"
    "The folder's README.md describes every input and output, and shows how a program runs the model."
)

MEANINGS = (
    "onnx: for onnxruntime; keras: models that Keras alone loads; savedmodel: lines in, texts out, for TensorFlow; "
    "litert: for LiteRT on small devices; web: a page for any static host"
)


def run(argv: Sequence[str]) -> int:
    """Writes a model in a format."""
    parser = make_parser("export", "Write a model in a form that programs without this package run.", EXAMPLE)
    parser.add_argument(
        "folder", metavar="DIR", nargs="?", help="the model: a folder, or a model of the package (default: the newest)"
    )
    parser.add_argument("--model", metavar="DIR|NAME", help="the same, as other verbs name it")
    parser.add_argument("--format", required=True, choices=tuple(FORMATS), help=MEANINGS)
    parser.add_argument("-o", "--output", metavar="DIR", help="the new folder (default: NAME-FORMAT)")
    parser.add_argument("--quantize", choices=("int8",), help="store weights as integers of 8 bits; prints the loss")
    parser.add_argument(
        "--data", metavar="NAME|PATH", help="what that loss is measured on (default: the model's validation part)"
    )
    args = parser.parse_args(argv)
    if args.folder and args.model:
        raise OptionError(f"--model {args.model}: names the model, as {args.folder} does; -o names the new folder")
    options = ExportOptions(quantize=args.quantize, data=args.data)
    check_options(args.format, options)
    model = model_folder(args.folder or args.model)
    output = Path(args.output or f"{model.resolve().name}-{args.format}")
    try:
        export_model(model, args.format, output, options)
    except BundleError as error:
        if not args.output and not model.exists():
            error.add_note("-o names the folder to write")
        raise
    say(f"finished: {output}")
    return 0


main = partial(run_verb, "export", run)

if __name__ == "__main__":
    sys.exit(main())

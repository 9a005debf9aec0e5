"""The `distill` verb: trains one model that learns from another, usually from an ensemble."""

import dataclasses
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from seq2seq.bundle.record import RUNS
from seq2seq.cli.options import add_config_option, add_options, add_tensorboard_option, choices_of, tensorboard_folder
from seq2seq.cli.shell import make_parser, run_verb, say
from seq2seq.config import ModelConfig, TrainingConfig
from seq2seq.errors import OptionError
from seq2seq.training.run import train_into
from seq2seq.training.teacher import distil_run

EXAMPLE = (
    "  seq2seq distill --teacher runs/five\n"
    "  seq2seq distill --teacher runs/five --unlabelled words.txt --model runs/one"
)


def run(argv: Sequence[str]) -> int:
    """Trains a model that learns from a teacher."""
    started = time.monotonic()  # before the slow imports: --max-minutes counts them
    parser = make_parser(
        "distill", "Train one model that learns from another, usually from an ensemble (train --members).", EXAMPLE
    )
    parser.add_argument("--teacher", required=True, metavar="DIR", help="the folder of the model to learn from")
    parser.add_argument(
        "--data",
        metavar="NAME|PATH",
        help="pairs, read as the teacher's (default: the teacher's own data)",
    )
    parser.add_argument(
        "--unlabelled", metavar="FILE", help="more sources, one a line: the teacher's outputs are their targets"
    )
    parser.add_argument("--model", metavar="DIR", help=f"the new model's folder (default: {RUNS}/TEACHER-distilled)")
    add_config_option(parser)
    parser.add_argument("--overwrite", action="store_true", help="start from the beginning; replace the folder's run")
    add_tensorboard_option(parser)
    add_options(parser, ModelConfig)
    add_options(parser, TrainingConfig, leave_out=("members", "window"))
    args = parser.parse_args(argv)
    for name in ("teacher", "model"):
        if getattr(args, name) == "":
            raise OptionError(f"--{name}: expected a folder, got ''")
    tensorboard = tensorboard_folder(args)
    asked = distil_run(
        choices_of(args, sections=(ModelConfig, TrainingConfig)),
        teacher=Path(args.teacher),
        data=args.data,
        unlabelled=args.unlabelled,
        folder=Path(args.model) if args.model else None,
        started=started,
        report=say,
        overwrite=args.overwrite,
    )
    train_into(dataclasses.replace(asked, tensorboard=tensorboard))
    return 0


main = partial(run_verb, "distill", run)

if __name__ == "__main__":
    sys.exit(main())

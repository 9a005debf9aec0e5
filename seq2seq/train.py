"""The `train` verb: turns a data set into a model folder."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from seq2seq.bundle.record import RUNS
from seq2seq.cli.engine_options import RAY, add_engine_options, check_address
from seq2seq.cli.options import (
    add_config_option,
    add_options,
    add_tensorboard_option,
    choices_of,
    tensorboard_folder,
    whole,
)
from seq2seq.cli.shell import make_parser, run_verb, say
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError
from seq2seq.fields import flag_of, to_toml
from seq2seq.presets import PRESETS
from seq2seq.ray_cluster import RayCluster
from seq2seq.training.assembly import assemble
from seq2seq.training.run import describe_run, train_into
from seq2seq.training.task import Run
from seq2seq.training.workers import asked_workers

EXAMPLE = (
    "  seq2seq train --data fra-eng --epochs 10\n  seq2seq train --data my-pairs.tsv --model runs/mine\n"
    "  seq2seq train --data my-pairs.tsv --model runs/five --members 5\n"
    "  seq2seq train --data my-pairs.tsv --workers 10.0.0.1:7000,10.0.0.2:7000 --worker 0"
)


def run(argv: Sequence[str]) -> int:
    """Trains a model."""
    started = time.monotonic()  # before the slow imports: --max-minutes counts them
    parser = make_parser("train", "Train a translator on pairs of lines, or a language model on a text.", EXAMPLE)
    parser.add_argument("--model", metavar="DIR", help=f"the model's folder (default: {RUNS}/DATA-NAME)")
    parser.add_argument("--preset", choices=sorted(PRESETS), help="a named set of options; options given with it win")
    parser.add_argument(
        "--ensemble", metavar="DIR", nargs="+",
        help="train nothing: copy these finished models, of any kinds and sizes, into --model as one ensemble",
    )  # fmt: skip
    add_config_option(parser)
    parser.add_argument("--print-config", action="store_true", help="print the resolved options as TOML and exit")
    parser.add_argument("--overwrite", action="store_true", help="start from the beginning; replace the folder's run")
    parser.add_argument(
        "--dry-run", action="store_true", help="print batches, shapes, padding, memory and minutes per epoch, and exit"
    )
    parser.add_argument("--profile", action="store_true", help="print how long each part of a step takes, then train")
    add_tensorboard_option(parser)
    parser.add_argument(
        "--workers", metavar="HOST:PORT,HOST:PORT",
        help="train on several machines: the same command on each, with its own --worker; the first, on whose address "
        "the others call, has the model (default: the workers of the environment variable TF_CONFIG)",
    )  # fmt: skip
    parser.add_argument("--worker", metavar="I", type=whole, help="which of --workers this one is, counted from 0")
    add_engine_options(
        parser, "what trains --members: local: one after the other (default), ray: side by side in a Ray cluster"
    )
    for config in (DataConfig, ModelConfig, TrainingConfig):
        add_options(parser, config, leave_out=("teacher_share",))
    args = parser.parse_args(argv)
    if args.model == "":
        raise OptionError(f"--model: expected a folder, got ''; leave it out for {RUNS}/DATA-NAME")
    if args.ensemble:
        join_finished(args)
        return 0
    chosen = choices_of(args, sections=(DataConfig, ModelConfig, TrainingConfig))
    asked = Run.of(
        chosen,
        folder=Path(args.model) if args.model else None,
        started=started,
        report=say,
        overwrite=args.overwrite,
        profile=args.profile,
        tensorboard=tensorboard_folder(args),
        workers=asked_workers(args.workers, args.worker, os.environ),
        ray=ray_cluster(args),
    )
    if asked.ray and asked.train.members == 1:
        raise OptionError("--engine ray: trains the members of an ensemble side by side; give --members N too")
    if args.print_config:
        print(to_toml(asked.settings), end="")
    elif args.dry_run:
        describe_run(asked)
    else:
        train_into(asked)
    return 0


def ray_cluster(args: argparse.Namespace) -> RayCluster | None:
    """Returns the cluster that --engine and --address name; None: this process trains.

    Raises:
        OptionError: the options do not fit together.

    """
    check_address(args)
    if args.engine != RAY:
        return None
    if args.overwrite:
        raise OptionError(
            "--overwrite: with --engine ray the members are trained side by side, so none can replace what is there; "
            "give another --model"
        )
    return RayCluster(args.address)


def join_finished(args: argparse.Namespace) -> None:
    """Carries out --ensemble.

    Raises:
        OptionError: --model is missing, or an option of training is given.

    """
    others = sorted(name for name, value in vars(args).items() if name not in ("ensemble", "model") and value)
    if others:
        raise OptionError(
            f"{flag_of(others[0])}: is about training, and --ensemble trains nothing; leave one of them out"
        )
    if args.model is None:
        raise OptionError("--ensemble: expected a folder for the ensemble, got none; give --model DIR")
    assemble([Path(folder) for folder in args.ensemble], Path(args.model))
    say(f"finished: {args.model}; score it with `seq2seq evaluate --model {args.model}`")


main = partial(run_verb, "train", run)

if __name__ == "__main__":
    sys.exit(main())

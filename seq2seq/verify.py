"""The `verify` verb: is every part of a model folder what was written, and does the model still say what it said?"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from seq2seq.bundle import CANARY, CONFIG, check_hash, read_record
from seq2seq.cli.shell import USER_ERROR, add_model_option, make_parser, model_folder, run_verb
from seq2seq.errors import Seq2SeqError
from seq2seq.inference.canary import read_canary, replay_canary
from seq2seq.inference.loading import load
from seq2seq.inference.runtimes import check_runtime

EXAMPLE = "  seq2seq verify --model runs/fra-eng\n  seq2seq verify --model runs/fra-eng --runtime keras"


def run(argv: Sequence[str]) -> int:
    """Prints a line for each check; returns 0 if all hold, else 2."""
    parser = make_parser("verify", "Check that a model folder is whole and still says what it said.", EXAMPLE)
    add_model_option(parser)
    args = parser.parse_args(argv)
    check_runtime(args.runtime)
    folder = model_folder(args.model)
    record = read_record(folder)
    print(f"ok       {CONFIG}: format {record['format']}, {record['kind']}")
    whole = True
    for name, expected in record["sha256"].items():
        whole &= holds(f"{name}: sha256 {expected[:12]}...", lambda: check_hash(folder / name, expected))  # noqa: B023
    if not whole:
        print("skipped  canary: a damaged model cannot be asked")
        return USER_ERROR
    return 0 if replays(folder, args.runtime) else USER_ERROR


def holds(what: str, check: Callable[[], None]) -> bool:
    """Prints whether a check holds, or why it does not."""
    try:
        check()
    except Seq2SeqError as error:
        return failed(error)
    print(f"ok       {what}")
    return True


def failed(error: Seq2SeqError) -> bool:
    """Prints why a check does not hold; returns False."""
    print(f"FAILED   {' '.join(str(error).split())}")
    return False


def replays(folder: Path, runtime: str) -> bool:
    """Loads the model and prints whether it says what it said when it was written."""
    try:
        canary = read_canary(folder / CANARY)
    except Seq2SeqError as error:
        return failed(error)
    if not canary:
        # none of its outputs was clear of a near-tie, as in a model that has learnt nothing
        return holds("canary: empty; the model loads", lambda: check_loads(folder, runtime))
    return holds(
        f"canary: {len(canary)} inputs give the same text and log-probabilities ({runtime} runtime)",
        lambda: replay_canary(load(folder, runtime=runtime), canary),
    )


def check_loads(folder: Path, runtime: str) -> None:
    """Loads a model and lets it go."""
    load(folder, runtime=runtime)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the verb."""
    return run_verb("verify", run, argv)


if __name__ == "__main__":
    sys.exit(main())

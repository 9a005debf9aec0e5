"""The `verify` verb: checks that a model folder is undamaged and that its model still gives the recorded outputs."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from seq2seq.api import load
from seq2seq.bundle_record import CANARY, CONFIG, read_record
from seq2seq.cli.shell import USER_ERROR, add_model_option, make_parser, model_folder, run_verb
from seq2seq.errors import Seq2SeqError
from seq2seq.files import check_hash
from seq2seq.inference.canary import read_canary, replay_canary
from seq2seq.inference.runtimes import check_runtime

EXAMPLE = "  seq2seq verify --model runs/fra-eng\n  seq2seq verify --model runs/fra-eng --runtime keras"


def run(argv: Sequence[str]) -> int:
    """Prints a line for each check; returns 0 if all pass, else 2."""
    parser = make_parser(
        "verify", "Check that a folder is undamaged and its model gives the recorded outputs.", EXAMPLE
    )
    add_model_option(parser)
    args = parser.parse_args(argv)
    check_runtime(args.runtime)
    folder = model_folder(args.model)
    record = read_record(folder)
    members = record.get("members", [])
    ensemble = f", ensemble of {len(members)}" if members else ""
    print(f"ok       {CONFIG}: format {record['format']}, {record['kind']}{ensemble}")
    parts = [passes(partial(check_part, folder, name, expected)) for name, expected in record["sha256"].items()]
    if all(parts):
        parts += [
            passes(partial(check_part, folder, f"{member}/{name}", expected))
            for member in members
            for name, expected in read_record(folder / member)["sha256"].items()
        ]
    if not all(parts):
        print("skipped  canary: a damaged model is not run")
        return USER_ERROR
    return 0 if passes(partial(check_canary, folder, args.runtime)) else USER_ERROR


def passes(check: Callable[[], str]) -> bool:
    """Runs a check, prints the line that it returns or why it fails, and returns whether it passes."""
    try:
        print(f"ok       {check()}")
    except Seq2SeqError as error:
        print(f"FAILED   {' '.join(str(error).split())}")
        return False
    return True


def check_part(folder: Path, name: str, expected: str) -> str:
    """Checks the hash of one part of a model folder."""
    check_hash(folder / name, expected)
    return f"{name}: sha256 {expected[:12]}..."


def check_canary(folder: Path, runtime: str) -> str:
    """Checks that the model gives the recorded outputs."""
    canary = read_canary(folder / CANARY)
    model = load(folder, runtime=runtime)
    if not canary:  # every output has a near-tie, for example because the model has learnt nothing
        return "canary: empty; the model loads"
    replay_canary(model, canary)
    return f"canary: {len(canary)} inputs give the same text and log-probabilities ({runtime} runtime)"


main = partial(run_verb, "verify", run)

if __name__ == "__main__":
    sys.exit(main())

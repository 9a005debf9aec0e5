"""The `verify` verb: checks that a model folder is undamaged and that its model still gives the recorded outputs."""

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from seq2seq.bundle.exported import is_export
from seq2seq.bundle.record import CONFIG, read_record
from seq2seq.cli.shell import USER_ERROR, add_model_option, make_parser, model_folder, run_verb
from seq2seq.errors import Seq2SeqError
from seq2seq.inference.runtimes import check_runtime
from seq2seq.inference.verification import check_canary, check_export, part_checks

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
    if is_export(folder):
        return 0 if passes(partial(check_export, folder)) else USER_ERROR
    if not (folder / CONFIG).exists():
        read_record(folder)  # says what is there instead of a model
    if not all_pass(part_checks(folder)):
        print("skipped  canary: a damaged model is not run")
        return USER_ERROR
    return 0 if passes(partial(check_canary, folder, args.runtime)) else USER_ERROR


def all_pass(checks: Iterable[Callable[[], str]]) -> bool:
    """Runs every check, even after one that fails, and returns whether all pass."""
    return all([passes(check) for check in checks])  # noqa: C419 - a generator would stop at the first


def passes(check: Callable[[], str]) -> bool:
    """Runs a check, prints the line that it returns or why it fails, and returns whether it passes."""
    try:
        print(f"ok       {check()}")
    except Seq2SeqError as error:
        print(f"FAILED   {' '.join(str(error).split())}")
        return False
    return True


main = partial(run_verb, "verify", run)

if __name__ == "__main__":
    sys.exit(main())

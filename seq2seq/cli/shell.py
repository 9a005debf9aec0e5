"""What all commands share: one-line errors, exit codes, streams, and finding the model folder."""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from seq2seq.bundle import RUNS, newest_bundle
from seq2seq.errors import OptionError, Seq2SeqError

USER_ERROR, INTERRUPTED = 2, 130


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors have this project's form."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raises instead of printing the usage."""
        raise OptionError(f"{message} (see --help)")


def make_parser(verb: str, description: str, example: str) -> Parser:
    """Makes a verb's parser; `--help` ends with the example."""
    return Parser(
        prog=f"seq2seq {verb}",
        description=description,
        epilog=f"example:\n{example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def say(message: str) -> None:
    """Prints a line for the user on stderr, where it does not mix with results."""
    print(message, file=sys.stderr, flush=True)


def run_verb(verb: str, run: Callable[[Sequence[str]], int | None], argv: Sequence[str] | None) -> int:
    """Runs a command and turns what goes wrong into a line and an exit code.

    Returns:
        0, or what `run` returned; 2 for an error of the user; 130 for Ctrl-C. SEQ2SEQ_DEBUG=1 shows tracebacks.

    """
    try:
        code = run(sys.argv[1:] if argv is None else argv) or 0
        sys.stdout.flush()
        return code
    except Seq2SeqError as error:
        if os.environ.get("SEQ2SEQ_DEBUG"):
            traceback.print_exc()
        say(f"seq2seq {verb}: error: {' '.join(str(error).split())}")
        return USER_ERROR
    except KeyboardInterrupt:
        say(f"seq2seq {verb}: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # whoever read stdout has gone; keep the interpreter from failing on its last flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        if os.environ.get("SEQ2SEQ_DEBUG"):
            traceback.print_exc()
        name = f"{error.filename}: " if error.filename else ""
        say(f"seq2seq {verb}: error: {name}{error.strerror or error}")
        return USER_ERROR


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Adds --model and --runtime."""
    parser.add_argument("--model", metavar="DIR", help=f"model folder (default: the newest finished one under {RUNS}/)")
    parser.add_argument("--runtime", metavar="auto|numpy|keras", default="auto", help="what computes (default: auto)")


def add_foreign_options(parser: argparse.ArgumentParser) -> None:
    """Adds what a user may tell of a model that is not ours."""
    parser.add_argument(
        "--vocabulary",
        metavar="FILE",
        action="append",
        default=[],
        help="list of symbols, or symbol to id (.json); twice for source and target",
    )
    for name in ("start", "end", "pad"):
        parser.add_argument(f"--{name}", metavar="SYMBOL", help=f"the {name.upper()} symbol, or its id")
    parser.add_argument("--allow-lambda", action="store_true", help="open models with Lambda layers: their code runs")


def model_folder(given: str | None, kind: str | None = None) -> Path:
    """Returns the folder that was given, or the newest finished one (of a kind), which is said."""
    if given:
        return Path(given)
    newest = newest_bundle(RUNS, kind)
    say(f"model: {newest}")
    return newest

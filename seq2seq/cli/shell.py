"""What all verbs share: the parser, one-line errors, exit codes, common options, and finding the model folder."""

import argparse
import contextlib
import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from seq2seq.bundle.record import DEFAULT_MODELS, RUNS, named_bundle, newest_bundle, pretrained_bundle
from seq2seq.cli.help_text import HelpText
from seq2seq.cli.streams import prepare_streams
from seq2seq.errors import BundleError, OptionError, Seq2SeqError

USER_ERROR, INTERRUPTED = 2, 130
WAYS_OUT = {  # of errors of the system
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "make room, or write elsewhere"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "change the permissions, or give another place"),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "check the name, and whether something else removed or moved it"),
    errno.ENAMETOOLONG: "give a shorter name",
    errno.EROFS: "mount it for writing, or write elsewhere",
    errno.EBADF: "it is closed; open it, or write elsewhere",
    errno.EIO: "check the disk, or write elsewhere",
}
OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EBADF, errno.EIO)
FORMATS = ("text", "tsv", "jsonl")  # of verbs that write a line for each line


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors have this project's form."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parses arguments; a value such as `-1,2` or `-x` after an option that takes one is its value, as it seems."""
        return super().parse_known_args(self.joined(sys.argv[1:] if args is None else args), namespace)

    def joined(self, arguments: Sequence[str]) -> list[str]:
        """Joins an option and its value by "=" where argparse would take the value for another option."""
        known = self._option_string_actions
        found: list[str] = []
        for argument in arguments:
            option = found[-1] if found else ""
            takes_one = option.startswith("--") and option in known and known[option].nargs is None
            if takes_one and argument.startswith("-") and not argument.startswith("--") and argument[:2] not in known:
                found[-1] = f"{option}={argument}"
            else:
                found.append(argument)
        return found

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raises OptionError; argparse would print the usage and exit."""
        raise OptionError(f"{message} (see --help)")


def make_parser(verb: str, description: str, example: str) -> Parser:
    """Makes a verb's parser; `--help` ends with the example."""
    return Parser(
        prog=f"seq2seq {verb}",
        description=description,
        epilog=f"example:\n{example}",
        formatter_class=HelpText,
        allow_abbrev=False,
    )


def say(message: str) -> None:
    """Prints a line for the user on stderr, where it does not mix with results."""
    print(message, file=sys.stderr, flush=True)


def run_verb(verb: str, run: Callable[[Sequence[str]], int | None], argv: Sequence[str] | None = None) -> int:
    """Runs a verb; turns an error into one line on stderr and an exit code. SEQ2SEQ_DEBUG=1 shows tracebacks.

    Args:
        verb: its name.
        run: receives the arguments.
        argv: the arguments; None: those of the process.

    Returns:
        0, or the number that `run` returned; 2 for an error of the user; 130 for Ctrl-C.

    """
    prepare_streams()
    raise_on_interrupt()
    try:
        try:
            return run(sys.argv[1:] if argv is None else argv) or 0
        finally:
            sys.stdout.flush()  # after --help too, which ends with SystemExit
    except KeyboardInterrupt as error:
        code, message = INTERRUPTED, with_notes("interrupted", error)
    except BrokenPipeError:
        drop_output()
        return 128 + signal.SIGPIPE
    except (Seq2SeqError, OSError) as error:
        if os.environ.get("SEQ2SEQ_DEBUG"):
            traceback.print_exc()
        said = system_error(error) if isinstance(error, OSError) else " ".join(str(error).split())
        code, message = USER_ERROR, with_notes(f"error: {said}", error)
    except MemoryError as error:
        if os.environ.get("SEQ2SEQ_DEBUG"):
            traceback.print_exc()
        said = "needs more memory than is free; give a smaller file, or smaller --batch-size or lengths"
        code, message = USER_ERROR, with_notes(f"error: {said}", error)
    with contextlib.suppress(OSError):  # stderr may lead nowhere too
        say(f"seq2seq {verb}: {message}")
    return code


def raise_on_interrupt() -> None:
    """Lets Ctrl-C raise KeyboardInterrupt again: while modules were imported, it ended the process at once."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def drop_output() -> None:
    """Leads standard output nowhere, so that the interpreter's last flush of what nobody takes does not fail."""
    with contextlib.suppress(OSError):  # what stands for a closed output has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def with_notes(message: str, error: BaseException) -> str:
    """Adds to a message what was noted on its error."""
    return "; ".join([message, *getattr(error, "__notes__", ())])


def system_error(error: OSError) -> str:
    """Describes an error of the system: where, what, and the way out."""
    name = error.filename
    if name is None and error.errno in OF_WRITING:  # what the package writes itself has a name
        name = "standard output"
        drop_output()
    where = [] if name is None else [os.fsdecode(name) if isinstance(name, bytes) else str(name)]
    way_out = WAYS_OUT.get(error.errno or 0, "SEQ2SEQ_DEBUG=1 shows where in the program it occurred")
    return f"{': '.join([*where, error.strerror or str(error)])}; {way_out}"


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Adds --model and --runtime."""
    parser.add_argument(
        "--model", metavar="DIR|NAME",
        help=f"model folder, or a model of the package (default: the newest finished one under {RUNS}/)",
    )  # fmt: skip
    parser.add_argument(
        "--runtime",
        metavar="auto|numpy|keras|onnx",
        default="auto",
        help="what runs the model; default: auto, which is NumPy, and onnxruntime for an export",
    )


def add_line_options(parser: argparse.ArgumentParser, purpose: str, *, corpus: bool = False) -> None:
    """Adds the options of verbs that write a line for each line: --input, --output, --format and --resume.

    Args:
        parser: gets them.
        purpose: what happens to the lines, for --help.
        corpus: there may be several inputs, whose results go into a folder.

    """
    inputs, outputs, form = f"lines to {purpose} (default: standard input)", "where results go", "default: text"
    if corpus:
        inputs += "; several, or a pattern, with --output FOLDER/"
        outputs += ": a file, or FOLDER/ for files of the inputs' names"
        form += ", in a folder that of each part"
    several: dict[str, Any] = {"nargs": "+", "action": "extend"} if corpus else {}
    parser.add_argument("-i", "--input", metavar="FILE", help=inputs, **several)
    parser.add_argument("-o", "--output", metavar="FILE", help=f"{outputs} (default: standard output)")
    parser.add_argument(
        "--format", choices=FORMATS, default=None if corpus else "text", help=f"form of the results ({form})"
    )
    parser.add_argument("--resume", action="store_true", help="continue an interrupted --output; a folder always does")


def add_foreign_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that describe a model that another program trained."""
    parser.add_argument(
        "--vocabulary",
        metavar="FILE",
        action="append",
        default=[],
        help="a list of symbols, or a mapping from symbol to id (.json); give it twice for source and target",
    )
    for name in ("start", "end", "pad"):
        parser.add_argument(f"--{name}", metavar="SYMBOL", help=f"the {name.upper()} symbol, or its id")
    parser.add_argument("--allow-lambda", action="store_true", help="open models with Lambda layers, which run code")


def model_folder(given: str | None, kind: str | None = None, *, otherwise: str | None = None) -> Path:
    """Finds the folder of the model that a verb uses, and prints its name on stderr where the user gave none.

    Args:
        given: a folder, or the name of a model of the package; None: the newest finished one (of a kind).
        kind: of model; None: any.
        otherwise: the model of the package that serves where nothing is trained; None: the usual one of the kind.

    Raises:
        BundleError: there is no such model.

    """
    if given:
        return named_bundle(given)
    try:
        newest = newest_bundle(RUNS, kind)
    except BundleError:
        name = otherwise or DEFAULT_MODELS.get(kind or "", "")
        folder = pretrained_bundle(name)
        if folder is None:
            raise
        say(f"model: {name}, which comes with the package, since nothing is trained under {RUNS}/")
        return folder
    say(f"model: {newest}")
    return newest

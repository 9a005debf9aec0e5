"""The options of decoding with several processes, and of a corpus whose parts are decoded into a folder."""

import argparse
import glob
import os

from seq2seq.cli.engine_options import RAY, add_engine_options, check_address
from seq2seq.cli.options import in_range, whole
from seq2seq.errors import OptionError

SKIP, ERROR = "skip", "error"
COMPRESSED = (".gz", ".zst", ".parquet")
MOST_JOBS = 1024


def add_corpus_options(parser: argparse.ArgumentParser) -> None:
    """Adds --jobs, and the options that a folder of parts alone has."""
    parser.add_argument(
        "--jobs", type=whole, metavar="N",
        help="processes that translate, each on one core; changes no result (default: one for each core if the input "
        "is long enough, else this one alone)",
    )  # fmt: skip
    group = parser.add_argument_group("options of --output FOLDER/")
    group.add_argument(
        "--field", metavar="NAME[,TAGS]",
        help="the field of jsonl and Parquet, or the number of the column of tsv (default: text, and column 1)",
    )  # fmt: skip
    group.add_argument(
        "--on-bad-line", choices=(SKIP, ERROR),
        help="a line that cannot be translated: record it and go on (default), or stop",
    )  # fmt: skip
    add_engine_options(group, "what distributes the work (default: local)")


def goes_into_folder(args: argparse.Namespace) -> bool:
    """Returns whether the output is a folder: its name ends with a slash, or it is one."""
    return bool(args.output) and (args.output.endswith(("/", os.sep)) or os.path.isdir(args.output))


def check_corpus_options(args: argparse.Namespace) -> None:
    """Refuses options that do not fit together.

    Raises:
        OptionError: they do not.

    """
    if args.jobs is not None:
        in_range("--jobs", args.jobs, at_least=1, at_most=MOST_JOBS)
    if args.runtime not in ("auto", "numpy"):
        check_alone(args, f"leave --runtime {args.runtime} out")
    check_address(args)
    inputs = args.input or []
    if goes_into_folder(args):
        if not inputs or "-" in inputs:
            raise OptionError(
                f"--output {args.output}: results in a folder have the names of the inputs, and standard input has "
                "none; give --input FILE, or a pattern"
            )
        return
    for name in ("field", "on_bad_line", "engine"):
        if getattr(args, name) is not None:
            raise OptionError(f"--{name.replace('_', '-')}: is about results in a folder; give --output FOLDER/ too")
    for name in inputs:
        pattern = not os.path.exists(name) and glob.has_magic(name)
        if pattern or len(inputs) > 1 or name.lower().endswith(COMPRESSED):
            what = "several inputs" if pattern or len(inputs) > 1 else "a compressed input"
            raise OptionError(f"--input {name}: the results of {what} go into a folder; give --output FOLDER/")


def check_alone(args: argparse.Namespace, way_out: str) -> None:
    """Lets this process translate alone, since others have NumPy's runtime.

    Raises:
        OptionError: several were asked for.

    """
    for option, several in ((f"--jobs {args.jobs}", (args.jobs or 1) > 1), ("--engine ray", args.engine == RAY)):
        if several:
            raise OptionError(f"{option}: processes have NumPy's runtime; {way_out}")
    args.jobs = 1

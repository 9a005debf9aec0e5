"""The verb `data`: puts a data set into the user's cache and says in one line what is there."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from seq2seq.cli.shell import make_parser, run_verb
from seq2seq.errors import DataError, OptionError
from seq2seq.text.cache import Remote, cache_folder, find, install
from seq2seq.text.datasets import NAMES, Dataset, remote_of, resolve
from seq2seq.text.pairs import EVERY_ROW, read_pairs

EXAMPLE = (
    "  seq2seq data fra-eng                    downloads the full English-French file\n"
    "  seq2seq data fra-eng --file fra.zip     takes a zip or text at hand"
)


def build_parser() -> argparse.ArgumentParser:
    """Describes the options."""
    parser = make_parser(
        "data", "Download a data set into the cache folder ($SEQ2SEQ_CACHE, else ~/.cache/seq2seq).", EXAMPLE
    )
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(NAMES)}, or another xxx-eng of the Anki site")
    parser.add_argument("--file", metavar="PATH", help="a zip or text at hand, instead of the download")
    parser.add_argument("--overwrite", action="store_true", help="replace what the cache holds")
    return parser


def run(args: argparse.Namespace) -> int:
    """Installs what is asked for, unless it is there, and describes it on stdout.

    Raises:
        DataError: the data set is unknown or cannot be had.
        OptionError: a file is given for a data set that needs none.

    """
    folder = cache_folder()
    remote = remote_of(args.name)
    if remote is None:
        if args.file is not None:
            raise OptionError(
                f"expected the name of a data set that is downloaded for --file, got {args.name!r}; "
                "a file of your own needs no name: --data PATH"
            )
        print(describe(resolve(args.name)))
        return 0
    if args.file is not None or args.overwrite or not _is_whole(remote, folder):
        install(remote, folder, file=args.file, say=lambda line: print(line, file=sys.stderr))
    print(describe(resolve(args.name)))
    return 0


def describe(dataset: Dataset) -> str:
    """Says in one line what a data set is, how large, where and under which licence."""
    parts = [dataset.origin]
    if dataset.origin == "generated":
        parts.append(f"sha256 {dataset.sha256['all']}, no file")
    for part, path in dataset.paths.items():
        rows = f"{len(read_pairs(path, EVERY_ROW).pairs)} pairs, " if dataset.kind == "pairs" else ""
        parts.append(f"{rows}{path.stat().st_size} bytes, sha256 {dataset.sha256[part]}, {path}")
    return f"{dataset.name}: {', '.join(parts)}" + (f" ({dataset.licence})" if dataset.licence else "")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the verb."""
    return run_verb("data", lambda arguments: run(build_parser().parse_args(arguments)), argv)


def _is_whole(remote: Remote, folder: Path) -> bool:
    try:
        return find(remote, folder) is not None
    except DataError as damage:
        print(damage, file=sys.stderr)
        return False


if __name__ == "__main__":
    raise SystemExit(main())

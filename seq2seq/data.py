"""The `data` verb: puts a data set into the user's cache and describes it in one line."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from seq2seq.cli.shell import make_parser, run_verb, say
from seq2seq.errors import DataError, OptionError
from seq2seq.text.cache import Remote, cache_folder, find, install
from seq2seq.text.datasets import NAMES, Dataset, remote_of, resolve
from seq2seq.text.pairs import EVERY_ROW, read_pairs

EXAMPLE = (
    "  seq2seq data fra-eng                    downloads the full English-French file\n"
    "  seq2seq data fra-eng --file fra.zip     installs a zip or text file that you have"
)


def run(argv: Sequence[str]) -> int:
    """Installs a data set, unless the cache holds it, and describes it on stdout.

    Raises:
        DataError: the data set is unknown or cannot be downloaded.
        OptionError: a file is given for a data set that is not downloaded.

    """
    parser = make_parser(
        "data", "Download a data set into the cache folder ($SEQ2SEQ_CACHE, else ~/.cache/seq2seq).", EXAMPLE
    )
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(NAMES)}, or another xxx-eng of the Anki site")
    parser.add_argument("--file", metavar="PATH", help="a zip or text file to install instead of the download")
    parser.add_argument("--overwrite", action="store_true", help="replace the data set in the cache")
    args = parser.parse_args(argv)
    remote = remote_of(args.name)
    if remote is None and args.file is not None:
        raise OptionError(
            f"--file: expected the name of a data set that is downloaded, got {args.name!r}; "
            "to use your own file, give it to the other verbs: --data PATH"
        )
    if remote is not None and (args.file is not None or args.overwrite or not _is_whole(remote, cache_folder())):
        install(remote, cache_folder(), file=args.file, say=say)
    print(describe(resolve(args.name)))
    return 0


def describe(dataset: Dataset) -> str:
    """Describes a data set in one line: name, origin, size, place and licence."""
    parts = [dataset.origin]
    if dataset.origin == "generated":
        parts.append(f"sha256 {dataset.sha256['all']}, no file")
    for part, path in dataset.paths.items():
        rows = f"{len(read_pairs(path, EVERY_ROW).pairs)} pairs, " if dataset.kind == "pairs" else ""
        parts.append(f"{rows}{path.stat().st_size} bytes, sha256 {dataset.sha256[part]}, {path}")
    return f"{dataset.name}: {', '.join(parts)}" + (f" ({dataset.licence})" if dataset.licence else "")


def _is_whole(remote: Remote, folder: Path) -> bool:
    try:
        return find(remote, folder) is not None
    except DataError as damage:
        say(str(damage))
        return False


main = partial(run_verb, "data", run)

if __name__ == "__main__":
    sys.exit(main())

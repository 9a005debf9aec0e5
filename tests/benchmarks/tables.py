"""Trains and scores public shared-task sets with default settings, and prints our figures beside the published ones.

One training of `--members N` gives both of our figures: each member alone is "one model", all together the ensemble.
It runs the public commands alone, `train` and `decode`. See README.md beside this file.
"""

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import ROOT, Row, machine
from tests.benchmarks.published import SETS, TableSet
from tests.benchmarks.tables_text import exact, figures, report, spread

PLACES = (ROOT / "shared" / "tables", ROOT.parent / "shared" / "tables")  # the first that exists
RESULTS = "results.json"


class CommandError(Exception):
    """A command did not succeed; the other sets can still be run."""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.tables", description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default=",".join(SETS), help="names with commas (default: all)")
    parser.add_argument("--members", type=int, default=5, help="models in an ensemble; 1: no ensemble (default: 5)")
    parser.add_argument("--seeds", type=int, default=1, help="how often each set is trained (default: 1)")
    parser.add_argument("--part", choices=("test", "dev"), default="test", help="what is scored (default: test)")
    parser.add_argument("--data", type=Path, help="folder of the sets (default: shared/tables here or one level up)")
    parser.add_argument("--folder", type=Path, default=Path("runs/tables"), help="of the models (default: %(default)s)")
    parser.add_argument("--train", default="", metavar="OPTIONS", help="more options of train; the default: none")
    parser.add_argument("--markdown", action="store_true", help="print the tables alone, without the lines before")
    options = parser.parse_args(argv)
    options.sets = options.sets.split(",")
    if unknown := [name for name in options.sets if name not in SETS]:
        parser.error(f"--sets: expected some of {', '.join(SETS)}, got {', '.join(unknown)}")
    if min(options.members, options.seeds) < 1:
        parser.error("--members and --seeds: expected 1 or more")
    options.data = options.data or next((place for place in PLACES if place.is_dir()), PLACES[0])
    return options


def read_rows(path: Path) -> list[list[str]]:
    """Reads the columns of each line as they stand, repeated lines too, but not those without a source."""
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").split("\n"))
    return [columns for columns in lines if columns[0]]


def environment() -> dict[str, str]:
    """Commands run elsewhere find this copy of the package."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}


def train(described: TableSet, data: Path, model: Path, options: argparse.Namespace, seed: int) -> float:
    """Trains a set into a folder, or goes on there; returns the seconds. What it prints goes to a file beside it.

    Raises:
        CommandError: the command did not succeed.

    """
    command = [sys.executable, "-m", "seq2seq.train", "--data", str(data), "--model", str(model), *described.options]
    command += ["--seed", str(seed), *shlex.split(options.train)]
    if options.members > 1:
        command += ["--members", str(options.members)]
    log = model.with_suffix(".log")
    began = time.monotonic()
    with log.open("a", encoding="utf-8") as printed:
        code = subprocess.run(command, stdout=printed, stderr=subprocess.STDOUT, env=environment()).returncode
    if code:
        last = (log.read_text(encoding="utf-8").strip().splitlines() or ["nothing printed"])[-1]
        raise CommandError(f"train ended with code {code}: {last} (all of it: {log})")
    return time.monotonic() - began


def outputs(model: Path, sources: Sequence[str]) -> list[str]:
    """Decodes lines with the command, one output a line.

    Raises:
        CommandError: the command did not succeed.

    """
    command = [sys.executable, "-m", "seq2seq.decode", "--model", str(model)]
    given = "".join(f"{source}\n" for source in sources)
    done = subprocess.run(command, input=given, capture_output=True, encoding="utf-8", env=environment())
    if done.returncode:
        raise CommandError(f"decode --model {model} ended with code {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout.split("\n")[:-1]


def score(described: TableSet, path: Path, model: Path, members: int) -> dict[str, Any]:
    """Scores each single model of a folder, and all of them together where there are several."""
    rows = read_rows(path)
    sources = ["\t".join([row[0], *row[2:]]) for row in rows]
    pairs = [(row[0], row[1]) for row in rows]

    def scores(folder: Path) -> dict[str, float]:
        found = outputs(folder, sources)
        return {measure: exact(pairs, found, measure) for measure in described.measures}

    singles = [model] if members == 1 else member_folders(model, members)
    return {"single": [scores(folder) for folder in singles], "ensemble": scores(model) if members > 1 else None}


def member_folders(model: Path, members: int) -> list[Path]:
    """The folders of an ensemble's members, each of which is a model of its own."""
    found = sorted(model.glob("member-*/config.json"))
    if len(found) != members:
        raise CommandError(f"{model}: expected {members} members with a config.json each, got {len(found)}")
    return [path.parent for path in found]


def fingerprint(model: Path) -> str:
    """A hash of the models of a folder: their config.json record the hashes of all other parts."""
    digest = hashlib.sha256()
    for path in sorted(model.rglob("config.json")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class Results:
    """Results by model folder, written to a file each time one is added."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def update(self, name: str, **values: Any) -> dict[str, Any]:
        entry = self.known.setdefault(name, {})
        entry.update(values)
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(self.known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(self.path)
        return dict(entry)


def run_set(name: str, seed: int, options: argparse.Namespace, results: Results) -> dict[str, Any]:
    """Trains and scores a set once, or takes what was done before; returns its result.

    Raises:
        CommandError: a command did not succeed.

    """
    described, data = SETS[name], (options.data / name).resolve()
    model = (options.folder / f"{name}-{options.members}-seed-{seed}").resolve()
    before = results.known.get(model.name, {})
    finished = (model / "config.json").exists()
    began = time.monotonic()
    try:
        train(described, data, model, options, seed)  # also if it is finished: it compares data and options
    finally:
        if not finished:
            seconds = before.get("seconds", 0.0) + time.monotonic() - began
            before = results.update(model.name, seconds=seconds, minutes=seconds / 60)
    now = fingerprint(model)
    scored = before.get("scored", {}) if before.get("fingerprint") == now else {}
    if options.part not in scored:
        scored[options.part] = score(described, data / f"{options.part}.tsv", model, options.members)
        before = results.update(
            model.name,
            set=name,
            seed=seed,
            members=options.members,
            train_options=[*described.options, *shlex.split(options.train)],
            train_pairs=len(read_rows(data / "train.tsv")),
            fingerprint=now,
            scored=scored,
            machine=machine(),
        )
    return {**before, **scored[options.part], "minutes": before.get("minutes")}


def run(options: argparse.Namespace) -> tuple[dict[str, list[Mapping[str, Any]]], list[str]]:
    """Runs all sets; returns their results, and a line for each that failed."""

    def say(line: str) -> None:
        if not options.markdown:
            print(line, file=sys.stderr, flush=True)

    options.folder.mkdir(parents=True, exist_ok=True)
    results = Results(options.folder / RESULTS)
    found: dict[str, list[Mapping[str, Any]]] = {}
    failures = []
    for name in options.sets:
        if not (options.data / name / "train.tsv").exists():
            failures.append(f"{name}: no such set in {options.data}")
            continue
        for number in range(options.seeds):
            # members take the seeds that follow: no two models of a set have the same one
            seed = 1 + number * options.members
            try:
                result = run_set(name, seed, options, results)
            except CommandError as error:
                failures.append(f"{name}, seed {seed}: {error}")
                continue
            found.setdefault(name, []).append(result)
            single, ensembles = figures([result], SETS[name].measures[-1])
            say(f"{name}, seed {seed}: one model {spread(single)}{', all ' + spread(ensembles) if ensembles else ''}")
    return found, failures


def lines_of(options: argparse.Namespace) -> tuple[list[str], int]:
    """The report as lines, and the exit status: 2 without data, 1 if a set failed."""
    if not options.data.is_dir():
        return [f"no sets in {options.data}: give their folder with --data (README.md beside the code describes it)"], 2
    found, failures = run(options)
    shown = report(found, part=options.part, members=options.members) if found else "no set was scored"
    settings = f"train {options.train}" if options.train else "default settings"
    about = [f"{settings}; results in {options.folder / RESULTS}", ""]
    return [*([] if options.markdown else about), *shown.split("\n"), *failures], 1 if failures else 0


def row(options: argparse.Namespace) -> Row:
    """The row of `make bench`: all sets with the default options, which takes hours."""
    return Row("tables", {}, notes=lines_of(parse([]))[0])


def main(argv: Sequence[str] | None = None) -> int:
    try:
        lines, status = lines_of(parse(argv))
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())

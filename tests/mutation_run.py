"""Changes the package in small ways and counts how many of the changes the tests find.

`python -m tests.mutation_run --count 60 --seed 1` works on a copy of the project in a temporary folder. First it
records once which test runs which line (kept in .mutation/, and made again for the test files that changed). Each
mutant then meets tests that run its line, for `--seconds` at most, up to the first failure. A change inside a function
is tried in a fork of one process that has collected all tests; a change of what runs at import, in a new process.
"""

import argparse
import ast
import difflib
import hashlib
import json
import py_compile
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.forked import Forked
from tests.mutants import ROOMS, Mutant, all_mutants, changed_lines, draw, equivalents, interval, mutated

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".mutation"
LEFT_OUT = {".git", ".venv", ".mutation", "runs", "__pycache__", ".hypothesis", ".pytest_cache", ".mypy_cache"}
# LineMap of other rooms, and those that start services, browsers or many trainings.
ELSEWHERE = (
    "adopt adopted contracts dependencies docs doctor environments foreign hub keras2 kills layering mutants mutations "
    "notebooks page pretrained project readmes serving system"
).split()
MARGIN = 5  # how many times longer the tests of a mutant may take than those of the program


class LineMap(NamedTuple):
    """Which tests run which line, and what they take."""

    seconds: dict  # name of a test -> seconds of computing
    lines: dict  # file -> line -> names
    imports: dict  # test file -> the modules that it imports

    def of(self, mutant, tree, most):
        """Names of the tests for a mutant, for at most so many seconds, file by file, since a file shares fixtures.

        First come those of files that import the mutated module, even if they do not run the line, since a constant or
        a new process leaves no trace; then the others. A file's dearest test stands for its fixtures.
        """
        module = f"seq2seq/{mutant.file}".removesuffix(".py").replace("/", ".")
        lines = self.lines.get(mutant.file, {})
        covering = set()
        for first, last in ranges(tree, mutant.line):
            covering = {name for line in range(first, last + 1) for name in lines.get(line, ())}
            if covering:
                break
        near = {name for name in self.seconds if module in self.imports[file_of(name)]}
        fixtures = {}
        for name, seconds in self.seconds.items():
            fixtures[file_of(name)] = max(seconds, fixtures.get(file_of(name), 0.0))

        def order(name):
            return name not in near, name not in covering, fixtures[file_of(name)], self.seconds[name], name

        chosen, begun, spent = [], set(), 0.0
        for name in sorted(covering | near, key=order):
            cost = self.seconds[name] + (file_of(name) not in begun) * fixtures[file_of(name)]
            if chosen and spent + cost > most:
                continue
            spent += cost
            begun.add(file_of(name))
            chosen.append(name)
        return chosen


def file_of(name):
    return name.partition("::")[0]


def imported_by(path):
    """The modules that a file imports, and those that may be names inside a module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update([node.module, *(f"{node.module}.{name.name}" for name in node.names)])
    return found


def ranges(tree, line):
    """Yields first and last lines around a line, the narrowest first: itself, its statements, the file."""
    yield line, line
    around = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and node.lineno <= line <= node.end_lineno]
    for node in sorted(around, key=lambda node: node.end_lineno - node.lineno):
        yield node.lineno, node.end_lineno
    yield 1, 10**6


def files_of(wanted):
    """The test files that take part: those that are named, or all but those of ELSEWHERE."""
    names = sorted(path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py"))
    unknown = set(wanted or ()) - set(names)
    if unknown:
        raise SystemExit(f"--tests: expected names of test files, such as search, got {', '.join(sorted(unknown))}")
    return [f"tests/test_{name}.py" for name in wanted or names if wanted or name.split("_")[0] not in ELSEWHERE]


def copy_project(folder):
    """Copies the project, and compiles the package so that a changed file is seen as changed."""
    shutil.copytree(ROOT, folder, ignore=lambda _, names: LEFT_OUT & set(names))
    for path in (folder / "seq2seq").rglob("*.py"):
        py_compile.compile(str(path), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)


def digest(*paths):
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def map_of(forked, files, most_seconds):
    """Records which test runs which line, or takes it from the cache."""
    package = digest(*sorted((forked.tree / "seq2seq").rglob("*.py")))
    seconds, lines = {}, {}
    for file in files:
        names = [name for name in forked.names if name.startswith(f"{file}::")]
        cached = CACHE / f"{package}-{digest(forked.tree / file)}-{most_seconds:g}.json"
        if not cached.exists() and names:
            found = forked.map_lines(names, cpu_seconds=most_seconds)
            print(f"{file}: {len(found)} of {len(names)} tests mapped", file=sys.stderr, flush=True)
            CACHE.mkdir(exist_ok=True)
            cached.write_text(json.dumps(found))
        for name, test in json.loads(cached.read_text()).items() if cached.exists() else ():
            seconds[name] = test["seconds"]
            for place, numbers in test["lines"].items():
                for number in numbers:
                    lines.setdefault(place, {}).setdefault(number, set()).add(name)
    return LineMap(seconds, lines, {file: imported_by(forked.tree / file) for file in files})


def judge(mutant, tests, forked, most_seconds):
    """Tries a mutant; returns `killed`, `timed out`, `survived`, `no test` or `equivalent`, and its diff."""
    path = forked.tree / "seq2seq" / mutant.file
    before = path.read_text(encoding="utf-8")
    after = mutated(mutant, before)
    diff = "".join(
        difflib.unified_diff(before.splitlines(True), after.splitlines(True), mutant.file, mutant.operator, n=1)
    )
    if (mutant.file, *changed_lines(before, after)) in equivalents():
        return "equivalent", diff
    names = tests.of(mutant, ast.parse(before), most_seconds)
    if not names:
        return "no test", diff
    try:
        outcome = forked.run(path, after, names, cpu_seconds=10 + MARGIN * sum(tests.seconds[name] for name in names))
    except SyntaxError:
        return "killed", diff
    if outcome.timed_out:
        return "timed out", diff
    return "killed" if outcome.code else "survived", diff


def report(results):
    """Returns a table of the rooms, and the diffs of those that no test found."""
    lines = [f"{'room':<10} {'mutants':>8} {'killed':>7} {'timed out':>9} {'survived':>8} {'no test':>8} equivalent"]
    for room in [*dict.fromkeys(result["room"] for result in results), "all"]:
        here = [result["outcome"] for result in results if room in (result["room"], "all")]
        count = {name: here.count(name) for name in ("killed", "timed out", "survived", "no test", "equivalent")}
        found, tried = count["killed"] + count["timed out"], len(here) - count["equivalent"]
        low, high = interval(found, tried)
        share = f"{found / tried:.1%} found, 95 % interval {low:.1%} to {high:.1%}" if tried else ""
        lines.append(
            f"{room:<10} {len(here):>8} {count['killed']:>7} {count['timed out']:>9} {count['survived']:>8} "
            f"{count['no test']:>8} {count['equivalent']:>10}  {share}"
        )
    left = [result for result in results if result["outcome"] in ("survived", "no test")]
    return "\n".join(lines + [f"\n{result['outcome']}:\n{result['diff']}" for result in left])


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="python -m tests.mutation_run", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60, help="mutants, the same number of each room (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (default 1)")
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=ROOMS, metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--seconds", type=float, default=30, help="of tests for one mutant (default 30)")
    parser.add_argument(
        "--tests", nargs="+", metavar="NAME", help="test files, such as search; default: those of the rooms"
    )
    parser.add_argument(
        "--map-seconds", type=float, default=60, help="of a test file; later ones are left out (default 60)"
    )
    parser.add_argument("--results", type=Path, help="a file of JSON lines: goes on after the mutants that it holds")
    return parser.parse_args(arguments)


def done_before(path):
    """The results that a file holds, by mutant."""
    if path is None or not path.exists():
        return {}
    results = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {Mutant(*result["mutant"]): result for result in results}


def main(arguments=None):
    """Runs the tests on a sample of mutants and prints what they find."""
    options = options_of(arguments)
    drawn = draw(all_mutants(ROOT / "seq2seq", options.rooms), options.count, options.seed)
    done = done_before(options.results)
    results = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = Path(folder).resolve() / "project"
        copy_project(tree)
        files = files_of(options.tests)
        with Forked(tree, files) as forked:
            tests = map_of(forked, files, options.map_seconds)
            for number, mutant in enumerate(drawn, 1):
                if mutant not in done:
                    outcome, diff = judge(mutant, tests, forked, options.seconds)
                    done[mutant] = {"mutant": mutant, "room": mutant.room, "outcome": outcome, "diff": diff}
                    if options.results:
                        with options.results.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(done[mutant]) + "\n")
                results.append(done[mutant])
                place = f"{mutant.file}:{mutant.line}"
                print(f"{number}/{len(drawn)} {done[mutant]['outcome']} {place}", file=sys.stderr, flush=True)
    print(report(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The oldest versions that pyproject.toml allows: a file of them, and the tests of the core with them.

`python -m tests.oldest --write` writes tests/data/oldest.txt from the lower bounds. `python -m tests.oldest` installs
these versions into .oldest and runs the tests; it needs Python 3.11, the oldest that the package allows.
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "tests" / "data" / "oldest.txt"
ENVIRONMENT = ROOT / ".oldest"
EXTRAS = ("serve", "hub", "plots")
TOOLS = ("httpx", "hypothesis", "pytest", "pyyaml")  # of the extra `dev`: what the tests below need
TESTS = (
    "averaging batches bundle cache copy_bug datasets dates decode decompose draws edit_rate edits encodings "
    "evaluation filters folder_schema folder_versions generation language lines metrics models pairs prose runtimes "
    "search source_layout splits strategies training transducer verify vocabulary"
).split()
REQUIREMENT = re.compile(r"(?P<name>[\w-]+)(\[[\w,-]+\])?>=(?P<oldest>[\w.]+)[^;]*(?P<marker>;.*)?")


def oldest_of(requirement):
    """Turns `name>=1.2,<3; marker` into `name==1.2; marker`."""
    match = REQUIREMENT.fullmatch(requirement)
    if not match:
        raise SystemExit(f"pyproject.toml: expected a lower bound, such as name>=1.2, got {requirement!r}")
    return f"{match['name']}=={match['oldest']}{match['marker'] or ''}"


def oldest_versions(project):
    """The lines of the file, from the section `project` of pyproject.toml."""
    extras = project["optional-dependencies"]
    tools = [one for one in extras["dev"] if re.match(r"[\w-]+", one)[0] in TOOLS]
    requirements = [*project["dependencies"], *(one for name in EXTRAS for one in extras[name]), *tools]
    return sorted({oldest_of(requirement) for requirement in requirements})


def text_of(project):
    return "# Written by `python -m tests.oldest --write` from pyproject.toml.\n" + "".join(
        f"{line}\n" for line in oldest_versions(project)
    )


def run_tests(more):
    """Makes the environment where its versions differ from the file's, and runs the tests in it."""
    if sys.version_info[:2] != (3, 11):
        version = ".".join(map(str, sys.version_info[:2]))
        print(f"oldest: error: expected Python 3.11, got {version}; run it with python3.11", file=sys.stderr)
        return 2
    python, stamp = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "installed.txt"
    if not stamp.exists() or stamp.read_text() != FILE.read_text():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", FILE], check=True)
        stamp.write_text(FILE.read_text())
    files = [f"tests/test_{name}.py" for name in TESTS]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    # an old matplotlib warns of what a new pyparsing, whose version is nobody's to choose here, gives up
    command = [python, "-m", "pytest", "-q", "-W", "ignore::DeprecationWarning", *(more or files)]
    return subprocess.run(command, cwd=ROOT, env=variables).returncode


def main(arguments=None):
    """Writes the file, or runs the tests."""
    parser = argparse.ArgumentParser(prog="python -m tests.oldest", description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write tests/data/oldest.txt")
    options, more = parser.parse_known_args(arguments)
    if options.write:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        FILE.write_text(text_of(project), encoding="utf-8")
        return 0
    return run_tests(more)


if __name__ == "__main__":
    sys.exit(main())

"""Every command where something is missing around it: a table, whose cells are the exit codes.

A row is one process in such an environment, which forks for each column: so nothing is imported twice.
"""

import json
import os
import re
import subprocess
import sys

import pytest
from conftest import bundle_maker
from tiny_language import SENTENCES, make_model

from seq2seq.__main__ import VERBS

if sys.platform == "win32":
    pytest.skip("needs fork", allow_module_level=True)

# 0: done, 2: refused in one line, 141: as a pipe's writer ends whose reader has gone
TABLE = """
                 train distill decode generate explain evaluate score sweep verify doctor adopt export serve data models usage
no terminal      0     0       0      0        0       0        0     0     0      0      0     0      0     0    0      0
closed stdout    2     0       2      2        2       2        2     2     2      2      0     0      0     2    2      0
reader has gone  141   141     141    141      141     141      141   141   141    141    141   141    141   141  141    2
full disk        2     2       2      2        2       2        2     2     2      2      2     2      2     2    2      2
closed stderr    0     0       0      0        0       0        0     0     0      0      0     0      0     0    0      0
C locale         0     0       0      0        0       0        0     0     0      0      0     0      0     0    0      0
no home          0     0       0      0        0       0        0     0     0      0      0     0      0     0    0      0
"""  # noqa: E501 - a table
COLUMNS = {
    "train": "train --data {tiny}.tsv --print-config",
    "distill": "distill --help",
    "decode": "decode --model {tiny} --max-length 3 -i {lines}",
    "generate": "generate --model {text} --prompt Ada --length 3 --seed 1",
    "explain": "explain --model {tiny} --max-length 3 -i {lines}",
    "evaluate": "evaluate --model {tiny} --bootstrap 0 --max-length 3",
    "score": "score --model {tiny} -i {pairs}",
    "sweep": "sweep --model {tiny} --json --samples 1 --lines 1 --temperatures 1 --seed 1",
    "verify": "verify --model {tiny}",
    "doctor": "doctor --explain D01",
    "adopt": "adopt --help",
    "export": "export --help",
    "serve": "serve --help",
    "data": "data dates",
    "models": "models --json",
    "usage": "--help",
}

# argparse passes over what cannot be printed at once, so `--help` ends with 0 where the output is closed
PROCESS = """
import json, os, sys
from seq2seq.__main__ import VERBS, main, verb_module
for verb in VERBS:
    verb_module(verb)

def run(row, arguments):
    if row == "closed stdout":
        os.close(1); sys.stdout = None
    if row == "closed stderr":
        os.close(2); sys.stderr = None
    if row == "reader has gone":
        reading, writing = os.pipe(); os.close(reading); os.dup2(writing, 1)
    if row == "full disk":
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    except BaseException:
        import traceback
        os.write(report, ("Traceback: " + traceback.format_exc()).encode())
        code = 1
    try:
        sys.stdout.flush()
    except (AttributeError, OSError):
        pass
    return code or 0

row, columns, report = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
codes = {}
for name, arguments in columns.items():
    child = os.fork()
    if not child:
        os._exit(run(row, arguments))
    codes[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
os.write(report, json.dumps(codes).encode())
"""


def parsed():
    first, *others = TABLE.strip("\n").split("\n")
    width = len("reader has gone") + 2
    return {
        line[:width].strip(): dict(zip(first.split(), map(int, line[width:].split()), strict=True)) for line in others
    }


CELLS = parsed()


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    """The arguments of each column."""
    folder = tmp_path_factory.mktemp("models")
    make_model(folder / "text", SENTENCES)
    (folder / "lines.txt").write_text("né \U0001f600\n", encoding="utf-8")
    (folder / "pairs.txt").write_text("né\tü\n", encoding="utf-8")
    places = {"tiny": bundle_maker(folder)(), "text": folder / "text"}
    places |= {"lines": folder / "lines.txt", "pairs": folder / "pairs.txt"}
    return {name: [part.format(**places) for part in line.split()] for name, line in COLUMNS.items()}


def environment_of(row):
    """Returns the variables of a row's process."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    if row == "C locale":
        variables = {name: value for name, value in variables.items() if not re.match("LC_|LANG|PYTHON", name)}
        variables |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        variables |= {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
    if row == "no home":
        variables = {
            name: value for name, value in variables.items() if not name.startswith(("HOME", "XDG", "SEQ2SEQ"))
        }
    return variables


@pytest.mark.parametrize("row", CELLS)
def test_a_command_where_something_is_missing(row, columns, tmp_path):
    reading, writing = os.pipe()
    command = [sys.executable, "-c", PROCESS, row, json.dumps(columns), str(writing)]
    result = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=tmp_path,
        env=environment_of(row),
        pass_fds=[writing],
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        report = file.read().decode()
    assert "Traceback" not in report + result.stderr.decode()
    assert json.loads(report) == CELLS[row], result.stderr.decode()


def test_the_table_has_every_verb():
    assert set(VERBS) <= set(COLUMNS)

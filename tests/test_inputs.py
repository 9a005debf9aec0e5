"""Every command that reads a file, against files that nobody means: a table, whose cells are what is to come of it.

A row is a kind of file, a column a command, and a cell a word of OUTCOMES. The rows of HUGE run with `make torture`.
"""

import builtins
import io
import os
import re
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass

import pytest
from campaigns import TORTURE
from conftest import bundle_maker
from tiny_language import SENTENCES, make_model

from seq2seq.__main__ import VERBS, main
from seq2seq.training import trainer

LONG = 3 * 10**6  # characters of the long line
FAMILY = "\U0001f468\U0001f3fd\u200d\U0001f469\U0001f3ff\u200d\U0001f467"  # with skin tones and joiners
RIGHT_TO_LEFT = "\u202eשלום\u202c مرحبا e\u0301\u0302\u0327\u0300"  # with marks of direction and combining accents

TABLE = """
                decode score  explain generate evaluate sweep  train  distill data    licence config verify  serve   shrink  export  doctor  adopt
missing         gone   gone   gone    gone     gone     gone   gone   gone    gone    gone    gone   nothing nothing nothing nothing gone    gone
folder          folder folder folder  folder   parts    parts  parts  folder  folder  folder  folder model   model   model   model   holds   holds
no permission   denied denied denied  denied   denied   denied denied denied  denied  denied  denied file    file    file    file    denied  keras
device          long   long   long    large    device   device device device  device  large   large  file    file    file    file    gone    gone
empty           ok     ok     ok      ok       empty    empty  empty  empty   empty   empty   ok     file    file    file    file    json    keras
binary          utf-8  utf-8  utf-8   utf-8    utf-8    utf-8  utf-8  utf-8   utf-8   utf-8   toml   file    file    file    file    json    keras
long line       long   long   long    large    long     long   ok     ok      ok      large   large  file    file    file    file    json    keras
many lines      ok     ok     ok      ok       ok       ok     ok     ok      ok      ok      toml   file    file    file    file    json    keras
mixed encodings utf-8  utf-8  utf-8   utf-8    ok       ok     ok     utf-8   ok      utf-8   toml   file    file    file    file    json    keras
NUL             ok     ok     ok      ok       ok       ok     ok     ok      columns ok      toml   file    file    file    file    json    keras
lone surrogates utf-8  utf-8  utf-8   utf-8    ok       ok     ok     utf-8   utf-8   utf-8   toml   file    file    file    file    json    keras
right to left   ok     ok     ok      ok       ok       ok     ok     ok      ok      ok      toml   file    file    file    file    json    keras
emoji           ok     ok     ok      ok       ok       ok     ok     ok      ok      ok      toml   file    file    file    file    json    keras
"""  # noqa: E501 - a table

# Each cell is a process that may use HUGE_MEMORY; FLAT_MEMORY where it reads a few lines at a time or refuses at once.
# Of `first` the results of some lines are taken, and no more: the process then ends.
HUGE = """
                 decode score  explain generate evaluate sweep  train  distill data    licence config verify  serve   shrink  doctor  adopt
1 GB line        long   long   long    large    long     long   ok     ok      ok      large   large  file    file    file    large   keras
10 million lines ok     ok     first   large    memory   ok     ok     ok      ok      large   large  file    file    file    json    keras
"""  # noqa: E501 - a table
HUGE_MEMORY, FLAT_MEMORY = 8 << 30, 400 << 20
FLAT = {"decode", "score", "explain", "generate", "licence", "config", "verify", "serve", "shrink", "doctor"}

# what a cell means: the message says this, and the exit code is 2; of `ok` it is 0
OUTCOMES = {
    "gone": "[Nn]o such file|does not exist",
    "nothing": "expected a model folder, got nothing there",
    "folder": "Is a directory|is a folder; name a file in it",
    "parts": "expected train.tsv, dev.tsv, test.tsv in the folder .*, or name a single .tsv",
    "model": "is not a model folder .*; train one with",
    "file": "expected a model folder, got a file there",
    "holds": "holds nothing to examine; expected .npz, .keras, .h5",
    "denied": "Permission denied",
    "device": "which is a pipe or a device; write its content into a file first",
    "empty": "is empty; give source<TAB>target|got no text; give another file|got an empty file",
    "utf-8": "UTF-8 text.*(convert|--encoding|give a text file)",
    "long": "expected .*at most [0-9]+ symbols, got .*; (cut it into sentences|leave longer ones out)",
    "large": "expected at most [0-9]+ bytes, got more; give another file|expected at most [0-9]+ symbols",
    "memory": "scoring .* needs about .* of memory, and .* are free; give fewer rows",
    "columns": "expected text in the tab-separated columns 1, 2 .*; give lines of source<TAB>target",
    "toml": "is not valid TOML",
    "json": "expected JSON, a list of symbols or a mapping from symbol to id",
    "keras": "expected a Keras model",
}


def parsed(table, width):
    """The cells of a table whose first column has a width: (row, column) to a word."""
    first, *others = table.strip("\n").split("\n")
    columns = first.split()
    rows = {line[:width].strip(): line[width:].split() for line in others}
    assert all(len(words) == len(columns) for words in rows.values())
    return {(row, column): word for row, words in rows.items() for column, word in zip(columns, words, strict=True)}


CELLS = parsed(TABLE, len("mixed encodings") + 1)
HUGE_CELLS = parsed(HUGE, len("10 million lines") + 1)


@dataclass(frozen=True)
class Column:
    """A command that reads a file, and the file's form; names in braces stand for paths."""

    arguments: str
    ending: str = ".txt"
    pairs: bool = False  # a line is source<TAB>target
    among: bool = False  # the strange lines stand among right ones


COLUMNS = {
    "decode": Column("decode --model {tiny} --max-length 3 -i {file}"),
    "score": Column("score --model {tiny} -i {file}", pairs=True),
    "explain": Column("explain --model {tiny} --max-length 3 -i {file}"),
    "generate": Column("generate --model {text} --seed 1 --length 5 --prompt @{file}"),
    "evaluate": Column("evaluate --model {tiny} --max-length 3 --bootstrap 0 --data {file}", ".tsv", True, True),
    "sweep": Column("sweep --model {tiny} --seed 1 --json --samples 1 --lines 2 --temperatures 1 --data {file}", ".tsv",
                    True, True),
    "train": Column("train --data {file} --model {new}", ".tsv", True, True),
    "distill": Column("distill --teacher {tiny} --unlabelled {file} --model {new}"),
    "data": Column("data ita-eng --file {file}", pairs=True),
    "licence": Column("models shrink {tiny} {new} --licence {file}"),
    "config": Column("decode --model {tiny} -i {tiny}.tsv --config {file}", ".toml"),
    "verify": Column("verify --model {file}", ""),
    "serve": Column("serve --port 0 --model {file}", ""),
    "shrink": Column("models shrink {file} {new}", ""),
    "export": Column("export --format keras {file} -o {new}", ""),
    "doctor": Column("doctor {file}", ".json"),
    "adopt": Column("adopt {file} --data {tiny}.tsv --model {new}", ".keras"),
}  # fmt: skip
LINES = {
    "many lines": b"abcd.\n" * 100,
    "mixed encodings": "né\n".encode() + "né\n".encode("latin-1"),
    "NUL": b"ab\x00cd\n",
    "lone surrogates": b"ab\xed\xa0\x80cd\n",
    "right to left": f"{RIGHT_TO_LEFT}\n".encode(),
    "emoji": f"{FAMILY}\n".encode(),
}


def place(row, column, path, right):
    """Makes the file of a row in the form that a column reads; `right` are lines that are right."""
    if row == "missing":
        return
    if row == "folder":
        path.mkdir()
        return
    if row == "device":
        path.symlink_to("/dev/zero")
        return
    if row in ("empty", "binary"):
        path.write_bytes(bytes(range(256)) * 40 if row == "binary" else b"")
        return
    with path.open("wb") as file:
        file.write(right if column.among else b"")
        for _ in range({"long line": LONG, "1 GB line": 10**9}.get(row, 0) // 10**6):
            file.write(b"a" * 10**6)
        if row in ("long line", "1 GB line"):
            file.write(b"\tb\n" if column.pairs else b"\n")
        for _ in range(10**4 if row == "10 million lines" else 0):
            file.write((b"abcd.\tabcd.\n" if column.pairs else b"abcd.\n") * 10**3)
        for line in LINES.get(row, b"").splitlines():
            file.write(line + b"\t" + line + b"\n" if column.pairs else line + b"\n")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A translator and a language model, each with its data beside it."""
    folder = tmp_path_factory.mktemp("models")
    tiny = bundle_maker(folder)()
    make_model(folder / "text", SENTENCES)
    return {"tiny": tiny, "text": folder / "text"}


@pytest.fixture(autouse=True)
def same_signals():
    """Gives the signals back what `serve` took."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def no_model_is_built(monkeypatch):
    """Lets training read and encode its data, and end where it would build a model."""
    monkeypatch.setattr(trainer, "begin", lambda run, prepared: (run, None))


def forbid(monkeypatch, path):
    """Lets the system refuse to open a file; permissions do not bind every user."""

    def refusing(opens):
        def opened(name, *arguments, **options):
            if str(name) == str(path):
                raise PermissionError(13, "Permission denied", str(name))
            return opens(name, *arguments, **options)

        return opened

    for module in (io, builtins, os):
        monkeypatch.setattr(module, "open", refusing(module.open))


def check(capfd, code, word, verb, file):
    """Compares what a command did with a cell."""
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    if word == "ok":
        assert code == 0, err
        return
    assert code == 2
    last = err.splitlines()[-1]
    assert last.startswith(f"seq2seq {verb}: error: ")
    assert re.search(OUTCOMES[word], last), last
    assert file.name in last or word in ("columns", "long", "large"), last
    assert out == ""


@pytest.mark.parametrize(("row", "name"), CELLS, ids=[f"{column}: {row}" for row, column in CELLS])
def test_a_file_that_nobody_means(row, name, models, tmp_path, capfd, monkeypatch, no_model_is_built):
    column = COLUMNS[name]
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    file = tmp_path / f"file{column.ending}"
    place(row, column, file, models["tiny"].with_suffix(".tsv").read_bytes())
    if row == "no permission":
        forbid(monkeypatch, file)
    arguments = [part.format(file=file, new=tmp_path / "new", **models) for part in column.arguments.split()]
    check(capfd, main(arguments), CELLS[row, name], arguments[0], file)


def test_the_table_has_every_verb():
    assert {column.arguments.split()[0] for column in COLUMNS.values()} == set(VERBS)


# a training ends where it would build a model
LAUNCH = """
import sys
from seq2seq.__main__ import main
if sys.argv[1] in ("train", "distill"):
    from seq2seq.training import trainer
    trainer.begin = lambda run, prepared: (run, None)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.campaign("cells of huge files", count=1, sample=1)
@pytest.mark.parametrize(("row", "name"), HUGE_CELLS if TORTURE else ())
def test_a_huge_file(campaign, row, name, models, tmp_path):
    column, word = COLUMNS[name], HUGE_CELLS[row, name]
    file = tmp_path / f"file{column.ending}"
    place(row, column, file, models["tiny"].with_suffix(".tsv").read_bytes())
    arguments = [part.format(file=file, new=tmp_path / "new", **models) for part in column.arguments.split()]
    err = tmp_path / "err"
    lines = 0
    with err.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *arguments],
            stdout=subprocess.PIPE,
            stderr=said,
            cwd=tmp_path,
            env={**os.environ, "SEQ2SEQ_CACHE": str(tmp_path / "cache")},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (HUGE_MEMORY, HUGE_MEMORY)),
        )
        for lines, _ in enumerate(process.stdout, 1):
            if word == "first" and lines == 1000:
                break
        process.stdout.close()
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = code = os.waitstatus_to_exitcode(status)
    campaign.measured(used.ru_maxrss * 1024)
    file.unlink(missing_ok=True)
    said = err.read_text()
    assert "Traceback" not in said
    if word in ("ok", "first"):
        assert code == (0 if word == "ok" else 128 + signal.SIGPIPE), said
        assert name not in ("decode", "score") or lines == 10**7
    else:
        assert (code, lines) == (2, 0), said
        last = said.splitlines()[-1]
        assert last.startswith(f"seq2seq {arguments[0]}: error: ")
        assert re.search(OUTCOMES[word], last), last
        assert len(last) < 1000
    assert name not in FLAT or used.ru_maxrss * 1024 < FLAT_MEMORY
    campaign.found("refused" if code == 2 else "read")
    campaign.did()

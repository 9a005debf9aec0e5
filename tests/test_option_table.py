"""Options of every verb with values out of range or in contradiction: a table, whose cells are what is said."""

import re

import pytest

from seq2seq.__main__ import VERBS, main

WORDS = {
    "pair": "expected 0 or at least 2, got ",
    "least": "expected at least [0-9.]+, got ",
    "most": "expected at most [0-9.]+, got ",
    "above": "expected more than 0.0, got ",
    "port": "expected 0 to 65535, got ",
    "finite": "expected a finite number, got ",
    "int": r"invalid int value: '.{1,64}'(\.\.\.)? \(see --help\)",
    "float": "invalid float value: ",
    "numbers": "expected numbers from 0 to 1000, separated by commas, got ",
}
# '9'20 and '9'5000: so many digits
TABLE = """
                                0     -1    9'20  9'5000  x     nan    inf    1e308
decode --max-length             least least most  int     int   int    int    int
decode --beam-size              least least most  int     int   int    int    int
decode --n-best                 least least most  int     int   int    int    int
decode --first-line             least least most  int     int   int    int    int
decode --jobs                   least least most  int     int   int    int    int
decode --batch-size             least least most  int     int   int    int    int
decode --max-source-length      least least most  int     int   int    int    int
decode --temperature            ok    least most  finite  float finite finite most
decode --length-penalty         ok    least most  finite  float finite finite most
generate --length               least least most  int     int   int    int    int
generate --samples              least least most  int     int   int    int    int
generate --max-prompt-length    least least most  int     int   int    int    int
explain --alternatives          ok    least most  int     int   int    int    int
evaluate --bootstrap            ok    pair  most  int     int   int    int    int
score --max-source-length       least least most  int     int   int    int    int
score --max-target-length       least least most  int     int   int    int    int
sweep --samples                 least least most  int     int   int    int    int
sweep --lines                   least least most  int     int   int    int    int
sweep --temperatures            ok    numbers numbers numbers numbers numbers numbers numbers
train --hidden-size             least least most  int     int   int    int    int
train --layers                  least least most  int     int   int    int    int
train --epochs                  least least most  int     int   int    int    int
train --dropout                 ok    least most  finite  float finite finite most
train --learning-rate           above above ok    finite  float finite finite ok
distill --hidden-size           least least most  int     int   int    int    int
adopt --rows                    least least most  int     int   int    int    int
adopt --window                  least least most  int     int   int    int    int
serve --max-length              least least most  int     int   int    int    int
serve --port                    ok    port  port  int     int   int    int    int
"""
NEEDED = {"distill": ["--teacher", "none"], "adopt": ["none.keras", "--data", "none.tsv", "--model", "none"]}
WITHOUT = {"verify", "doctor", "data", "models", "export"}  # verbs without numbers

CONTRADICTIONS = {
    "decode --beam-size 2 --temperature 1": "--beam-size and --temperature exclude each other",
    "decode --n-best 3 --format tsv": "--n-best 3 needs at least as many hypotheses",
    "decode --top-k 3": "--top-k filters what is drawn and needs --temperature",
    "decode --min-length 9 --max-length 3": "--min-length 9 is above --max-length 3",
    "decode --dictionary --prefix a": "--dictionary and --prefix exclude each other",
    "generate --samples 3 --temperature 0": "at --temperature 0 all texts are the same",
    "generate --beam-size 3": "beam search makes a language model repeat itself",
    "generate --data x.txt": "give --novelty too",
    "generate --interactive --prompt a": "--interactive and --prompt exclude each other",
    "evaluate --source-col 2": "--source-col: is about reading --data, which is missing",
    "evaluate --significance ar": "--significance: is about the difference between two models",
    "train --hidden-size 5": "a bidirectional encoder needs an even number, got 5",
    "train --source-col 1 --target-col 1": "expected different columns",
    "train --teacher-share 0.5": "unrecognized arguments: --teacher-share 0.5",
    "distill --teacher t --members 3": "unrecognized arguments: --members 3",
    "models --json push a b": "--json: is about the list, and push prints none",
    "data prose --file x": "expected the name of a data set that is downloaded, got 'prose'",
    "doctor": "give a PATH",
    "doctor --explain D99": "expected a code from D01 to D16",
    "verify --runtime torch": "--runtime: expected one of auto, numpy, keras, onnx, got 'torch'",
    "export --format onnx a --model b": "--model b: names the model, as a does; -o names the new folder",
    "export --format keras --quantize int8 a": "--quantize int8: --format keras has no such form; leave it out",
    "export --format onnx --data x": "--data: is what the loss of --quantize is measured on",
    "serve --api-key=": "--api-key: expected a key, got an empty one",
}


def cells():
    first, *others = TABLE.strip("\n").split("\n")
    for line in others:
        verb, option, *words = line.split()
        for value, word in zip(first.split(), words, strict=True):
            digits = re.fullmatch("9'([0-9]+)", value)
            yield verb, option, "9" * int(digits[1]) if digits else value, word


@pytest.mark.parametrize(
    ("verb", "option", "value", "word"),
    [pytest.param(*cell, id=f"{cell[0]}{cell[1]} {cell[2][:20]}") for cell in cells()],
)
def test_a_value_out_of_range(verb, option, value, word, capsys, tmp_path, monkeypatch):
    if word == "ok":
        pytest.skip("in range")
    monkeypatch.chdir(tmp_path)
    assert main([verb, *NEEDED.get(verb, []), option, value]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and len(err) < 300
    assert err.startswith(f"seq2seq {verb}: error: ") and option in err
    assert re.search(WORDS[word], err), err


@pytest.mark.parametrize("line", CONTRADICTIONS)
def test_options_that_contradict(line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    verb, *options = line.split()
    assert main([verb, *options]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    assert err.splitlines()[-1].startswith(f"seq2seq {verb}: error: ") and CONTRADICTIONS[line] in err


def test_the_tables_have_every_verb():
    assert {verb for verb, *_ in cells()} | WITHOUT == set(VERBS)

"""Long work shows how far it has come: lines and lines a second, sources, temperatures, the rows of a teacher."""

import itertools
import os

import pytest

from seq2seq import decode, evaluate, score, sweep
from seq2seq.api import load
from seq2seq.cli import line_progress
from seq2seq.cli.line_progress import LineProgress, bytes_left
from seq2seq.scoring.evaluation import best_outputs
from seq2seq.scoring.temperature_sweep import sweep_pairs
from seq2seq.search_config import DecodingConfig
from seq2seq.terminal import LiveLine
from seq2seq.text.splits import References
from tests.test_terminal import HandClock, Screen, drawn


@pytest.fixture
def lines(tmp_path):
    """A file of ten lines of six bytes."""
    path = tmp_path / "lines.txt"
    path.write_text("abcd.\n" * 10)
    return path


@pytest.fixture
def screen(monkeypatch):
    """A terminal that verbs draw on; its clock advances by a second with each reading."""
    screen, seconds = Screen(), itertools.count()
    monkeypatch.setenv("COLUMNS", "120")
    for verb in (line_progress, evaluate, sweep):
        monkeypatch.setattr(verb, "LiveLine", lambda: LiveLine(screen, clock=lambda: float(next(seconds))))
    return screen


def test_the_lines_the_speed_and_the_time_left_are_shown(lines, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    screen, clock = Screen(), HandClock()
    with (
        lines.open("rb") as file,
        LineProgress(file, to_stdout=False, live=LiveLine(screen, clock=clock), clock=clock) as one,
    ):
        one.add(0)
        for chunk in one.counting([["abcd."] * 2, ["abcd."] * 2]):
            clock.seconds += 4
            one.add(len(chunk))
    assert drawn(screen) == [
        "[--------------------] 0%  0 lines  0 lines/s",
        "[####----------------] 20%  2 lines  0 lines/s  16 s left",
        "[########------------] 40%  4 lines  0 lines/s  12 s left",
    ]


def test_the_length_of_a_pipe_is_unknown_and_that_of_a_file_counts_from_where_it_stands(lines):
    with lines.open("rb", buffering=0) as file:
        assert bytes_left(file) == 60
        file.read(6)
        assert bytes_left(file) == 54
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb"):
        assert bytes_left(file) is None
        assert LineProgress(file, to_stdout=False).size is None


def test_results_on_the_terminal_are_their_own_progress(lines, monkeypatch):
    screen = Screen()
    monkeypatch.setattr("sys.stdout", Screen())
    for to_stdout in (True, False):
        with lines.open("rb") as file, LineProgress(file, to_stdout=to_stdout, live=LiveLine(screen)) as progress:
            progress.add(0)
        assert bool(drawn(screen)) is not to_stdout


def test_a_message_finds_an_empty_line(lines, monkeypatch):
    screen, said = Screen(), []
    monkeypatch.setenv("COLUMNS", "40")
    with lines.open("rb") as file, LineProgress(file, to_stdout=False, live=LiveLine(screen)) as progress:
        progress.add(0)
        progress.around(lambda *values: said.append((values, screen.getvalue())))("symbol", 3)
    assert said[0][0] == ("symbol", 3) and said[0][1].endswith(f"\r{' ' * 39}\r")


@pytest.mark.parametrize("verb", [decode, score])
def test_verbs_show_the_share_of_their_input(tiny_bundle, lines, tmp_path, screen, verb):
    if verb is score:
        lines.write_text("abcd.\tcdab!\n" * 10)
    options = ["--model", str(tiny_bundle()), "-i", str(lines), "-o", str(tmp_path / "out")]
    assert verb.main(options) == 0
    assert drawn(screen)[0] == "[--------------------] 0%  0 lines  0 lines/s"
    assert drawn(screen)[-1].startswith("[####################] 100%  10 lines  ")
    assert screen.getvalue().endswith(f"\r{' ' * 119}\r")


def test_evaluate_shows_the_sources_and_sweep_the_temperatures(tiny_bundle, screen):
    folder = str(tiny_bundle())
    assert evaluate.main(["--model", folder, "--bootstrap", "0"]) == 0
    assert drawn(screen)[0].endswith(" 0%  0 of 6 sources") and "100%  6 of 6 sources" in drawn(screen)[-1]
    screen.seek(0)
    screen.truncate()
    assert sweep.main(["--model", folder, "--temperatures", "0.5,1", "--samples", "1", "--json"]) == 0
    assert [line.partition("%  ")[2].partition("  ")[0] for line in drawn(screen)] == [
        "temperature 0.5",
        "temperature 1",
    ]


def test_progress_counts_distinct_sources_and_parts_of_a_sweep(tiny_bundle):
    translator, seen = load(tiny_bundle()), []
    best_outputs(translator, ["abcd.", "efgh.", "abcd."], DecodingConfig(), progress=lambda *now: seen.append(now))
    assert seen == [(0.0, "0 of 2 sources"), (0.5, "1 of 2 sources"), (1.0, "2 of 2 sources")]
    seen.clear()
    references = [References("abcd.", ["cdab!"])]
    sweep_pairs(
        translator, references, [0.0, 0.5], samples=1, seed=1, filters={}, progress=lambda *now: seen.append(now)
    )
    assert seen == [(0.0, "temperature 0"), (0.5, "temperature 0.5")]


def test_without_a_terminal_a_line_comes_when_a_minute_has_passed(tiny_bundle, lines, tmp_path, monkeypatch, capsys):
    options = ["--model", str(tiny_bundle()), "-i", str(lines), "-o", str(tmp_path / "out")]
    for step, said in ((0.1, []), (61.0, ["100%  10 lines  "])):
        seconds = itertools.count(0.0, step)
        monkeypatch.setattr(line_progress, "LiveLine", lambda: LiveLine(clock=lambda: next(seconds)))  # noqa: B023
        assert decode.main(options) == 0
        shown = [line for line in capsys.readouterr().err.splitlines() if "lines/s" in line]
        assert [line[:16] for line in shown][-1:] == said

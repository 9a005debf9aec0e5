"""The progress line: its text, its width, output without a terminal, and the progress of a training run."""

import io
import itertools
import os

import numpy as np
import pytest
from test_training import STEPS, CountingTask, run

from seq2seq.terminal import LIVE_SECONDS, PLAIN_SECONDS, LiveLine, columns, fitted, time_left
from seq2seq.training import fit as training
from seq2seq.training.live_curves import bars, curves_block


class Screen(io.StringIO):
    """A stream that behaves like a terminal."""

    def isatty(self):
        return True


class BlockScreen(Screen):
    """A terminal that can show block characters and move its cursor, if TERM says so."""

    encoding = "utf-8"


class HandClock:
    """A clock that a test sets."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return HandClock()


def drawn(screen):
    """Returns the lines that were drawn, without the blanks at their ends."""
    return [line.rstrip() for line in screen.getvalue().split("\r") if line.strip()]


def test_the_line_has_bar_share_parts_and_the_time_left_at_the_speed_so_far(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    screen = Screen()
    line = LiveLine(screen, clock=clock)
    line.show(0.2, "epoch 5/21", "loss 0.900")
    clock.seconds += 60.0
    line.show(0.4, "epoch 9/21", "loss 0.482", "27.3 k symbols/s")
    assert drawn(screen) == [
        "[####----------------] 20%  epoch 5/21  loss 0.900",
        "[########------------] 40%  epoch 9/21  loss 0.482  27.3 k symbols/s  3 min left",
    ]


def test_a_terminal_is_drawn_on_at_most_twice_a_second(clock):
    screen = Screen()
    line = LiveLine(screen, clock=clock)
    for _ in range(10):
        line.show(0.5, "loss 1")
        clock.seconds += LIVE_SECONDS / 5
    assert len(drawn(screen)) == 2


def test_leaving_the_block_blanks_the_line_even_after_an_error(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    screen = Screen()
    with pytest.raises(KeyboardInterrupt), LiveLine(screen, clock=clock) as line:
        line.show(0.5, "loss 1")
        raise KeyboardInterrupt
    assert screen.getvalue().endswith(f"\r{' ' * 49}\r")


def test_a_line_that_was_never_drawn_leaves_nothing_to_blank(clock):
    screen = Screen()
    with LiveLine(screen, clock=clock):
        pass
    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (90, "[########------------] 41%  epoch 9/21  loss 0.482  27.3 k symbols/s  3 min left"),
        (70, "[####------] 41%  epoch 9/21  loss 0.482  27.3 k symbols/s  3 min left"),
        (60, "41%  epoch 9/21  loss 0.482  27.3 k symbols/s  3 min left"),
        (50, "[###-----] 41%  epoch 9/21  loss 0.482  3 min left"),
        (12, "41%  3 min l"),
        (0, ""),
    ],
)
def test_a_narrow_terminal_shortens_the_bar_then_drops_parts_and_keeps_the_time_left(width, text):
    parts = ["epoch 9/21", "loss 0.482", "27.3 k symbols/s", "3 min left"]
    assert fitted(0.41, parts, width) == text
    assert len(text) <= width
    assert len(parts) == 4  # unchanged


def test_nothing_that_is_drawn_is_as_wide_as_the_terminal(clock, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    screen = Screen()
    line = LiveLine(screen, clock=clock)
    line.show(0.41, "x" * 30, "y" * 30)
    assert {len(text) for text in screen.getvalue().split("\r")} == {0, 39}


def test_the_width_is_that_of_the_terminal_behind_the_stream(monkeypatch):
    termios = pytest.importorskip("termios")
    monkeypatch.setenv("COLUMNS", "77")
    ours, theirs = os.openpty()
    with open(theirs, "w") as stream:
        termios.tcsetwinsize(stream.fileno(), (24, 43))
        assert columns(stream) == 43
        termios.tcsetwinsize(stream.fileno(), (0, 0))  # a terminal that does not know its size
        assert columns(stream) == 77
    os.close(ours)
    assert columns(io.StringIO()) == 77


def test_an_unknown_whole_has_neither_bar_nor_time_left(clock):
    screen = Screen()
    line = LiveLine(screen, clock=clock)
    line.show(None, "fra-eng", "5.0 MB")
    assert drawn(screen) == ["fra-eng  5.0 MB"]


def test_without_a_terminal_a_plain_line_comes_once_a_minute_and_none_in_the_first(clock):
    log = io.StringIO()
    with LiveLine(log, clock=clock) as line:
        for second in range(int(2 * PLAIN_SECONDS) + 1):
            line.show(second / 480, "epoch 1/3", "loss 0.700")
            clock.seconds += 1.0
    assert log.getvalue() == "12%  epoch 1/3  loss 0.700  7 min left\n25%  epoch 1/3  loss 0.700  6 min left\n"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "0 s left"),
        (59.4, "59 s left"),
        (59.6, "1 min left"),
        (200, "3 min left"),
        (3569, "59 min left"),
        (3571, "1 h 0 min left"),
        (7500, "2 h 5 min left"),
        (47.9 * 3600, "47 h 54 min left"),
        (60 * 3600, "2 days left"),
        (100 * 3600, "4 days left"),
    ],
)
def test_the_time_left_is_said_in_words(seconds, said):
    assert time_left(seconds) == said


@pytest.fixture
def training_screen(monkeypatch):
    """A terminal on which training draws after each step; its clock advances by a second with each reading."""
    screen, seconds = Screen(), itertools.count()
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(training, "CHECK_EVERY", 1)
    monkeypatch.setattr(training, "LiveLine", lambda: LiveLine(screen, clock=lambda: float(next(seconds))))
    return screen


def test_training_shows_share_and_time_left_of_the_whole_run(tmp_path, training_screen):
    run(tmp_path, CountingTask(), epochs=3)
    lines = drawn(training_screen)
    assert len(lines) == 3 * STEPS
    assert lines[0].startswith("[#-------------------] 5%  epoch 1/3  loss ")
    # each of the eighteen steps takes a second, so after the tenth eight seconds are left
    assert lines[9].startswith("[###########---------] 55%  epoch 2/3  loss ")
    assert lines[9].endswith(" k symbols/s  8 s left")
    assert lines[-1].startswith("[####################] 100%  epoch 3/3  loss ")


def test_training_clears_its_line_before_it_reports(tmp_path, training_screen):
    reported = []

    class Reporting(CountingTask):
        def validate(self):
            reported.append(training_screen.getvalue())
            return super().validate()

    run(tmp_path / "1", Reporting(), epochs=2)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "2", Reporting(interrupt_in=(1, 3)))
    blank = f"\r{' ' * 119}\r"
    assert len(reported) == 2
    assert all(text.endswith(blank) for text in [*reported, training_screen.getvalue()])


def test_a_run_that_continues_measures_its_speed_from_where_it_continued(tmp_path, training_screen):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, CountingTask(interrupt_in=(3, 0)), epochs=3)
    shown = len(drawn(training_screen))
    run(tmp_path, CountingTask(), epochs=3)
    shares = [line[line.index("]") + 2 :].split("%")[0] for line in drawn(training_screen)[shown:]]
    assert shares == [str(int(100 * step / 18)) for step in range(13, 19)]
    lefts = [line.split("  ")[-1] for line in drawn(training_screen)[shown + 1 :]]
    assert lefts == [f"{left} s left" for left in np.arange(4, -1, -1)]


# the curves above the line


def history(epochs):
    return [{"epoch": n, "loss": 3.0 / n, "chrf": 60.0 - 50.0 / n, "exact": 0.0} for n in range(1, epochs + 1)]


def test_bars_go_from_a_thin_line_for_the_smallest_value_to_three_full_lines_for_the_largest():
    assert bars([0.0, 1.0, 0.5], 3) == [" █ ", " █▄", "▁██"]
    assert bars([2.0, 2.0], 2) == ["  ", "▄▄", "██"]  # a constant stands in the middle
    assert bars([0.0, 1.0], 4) == ["  ██", "  ██", "▁▁██"]
    assert bars([0.0, 0.0, 9.0, 9.0, 3.0, 3.0], 3) == bars([0.0, 9.0, 3.0], 3)  # the mean of each two


@pytest.mark.parametrize("width", [51, 60, 100, 200])
@pytest.mark.parametrize("epochs", [2, 7, 500])
def test_both_curves_fit_into_the_terminal(width, epochs):
    lines = curves_block(history(epochs), width, colour=False)
    assert len(lines) == 4 and max(map(len, lines)) <= width
    assert lines[0].startswith(f"validation loss {'1.50' if epochs == 2 else '0.43' if epochs == 7 else '0.01'}")
    assert "validation chrF" in lines[0] and lines[1].startswith("3.00 ")


def test_the_curves_of_a_language_model_are_one_and_colour_is_codes_alone():
    rows = [{"epoch": n, "loss": 3.0 / n} for n in (1, 2)]
    assert curves_block(rows, 30, colour=False) == [
        "validation loss 1.50",
        "3.00 ███",
        "     ███",
        "1.50 ███▁▁▁",
    ]
    coloured = curves_block(rows, 30, colour=True)
    assert [line.replace("\033[36m", "").replace("\033[0m", "").rstrip() for line in coloured] == [
        line.rstrip() for line in curves_block(rows, 30, colour=False)
    ]
    assert coloured != curves_block(rows, 30, colour=False)


def test_there_are_no_curves_of_one_epoch_and_none_on_a_narrow_terminal():
    assert curves_block(history(1), 100, colour=False) == []
    assert curves_block(history(5), 50, colour=False) == []


def screen_after(text, rows=24):
    """What a terminal shows after some output: carriage returns, line ends, cursor up, erase to the end."""
    lines, row, column, place = [""] * rows, 0, 0, 0
    while place < len(text):
        if text.startswith("\033[A", place):
            row, place = row - 1, place + 3
        elif text.startswith("\033[J", place):
            lines[row:] = [lines[row][:column], *[""] * (rows - row - 1)]
            place += 3
        elif text[place] == "\r":
            column, place = 0, place + 1
        elif text[place] == "\n":
            row, column, place = row + 1, 0, place + 1
        else:
            lines[row] = lines[row][:column].ljust(column) + text[place] + lines[row][column + 1 :]
            column, place = column + 1, place + 1
    return "\n".join(line.rstrip() for line in lines).rstrip("\n").split("\n")


@pytest.fixture
def block_screen(monkeypatch, clock):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    line = LiveLine(BlockScreen(), clock=clock)
    line.above = lambda width: ["curve"] * 3
    return line


def test_the_lines_above_are_drawn_once_and_removed_with_the_line(block_screen, clock):
    screen = block_screen.stream
    screen.write("report\n")
    with block_screen as line:
        line.show(0.1, "loss 1")
        clock.seconds += 1.0
        line.show(0.2, "loss 2")
        assert screen_after(screen.getvalue())[:4] == ["report", "curve", "curve", "curve"]
        assert "loss 2" in screen_after(screen.getvalue())[4]
        assert screen.getvalue().count("curve") == 3
        clock.seconds += 1.0
        line.above = lambda width: ["another"]
        line.show(0.3, "loss 3")
        found = screen_after(screen.getvalue())
        assert found[:2] == ["report", "another"] and "loss 3" in found[2] and len(found) == 3
    assert screen_after(screen.getvalue()) == ["report"]
    block_screen.keep_above()
    assert screen_after(screen.getvalue()) == ["report", "another"]


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("TERM", None), ("encoding", "latin-1")])
def test_a_terminal_without_blocks_or_cursor_has_the_one_line_alone(block_screen, monkeypatch, name, value):
    if name == "encoding":
        block_screen.stream.encoding = value
    elif value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with block_screen as line:
        line.show(0.1, "loss 1")
    line.keep_above()
    assert "curve" not in block_screen.stream.getvalue() and "\033" not in block_screen.stream.getvalue()


def test_what_is_no_terminal_gets_no_curves(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    log = io.StringIO()
    with LiveLine(log, clock=clock) as line:
        line.above = lambda width: ["curve"]
        clock.seconds += PLAIN_SECONDS
        line.show(0.5, "loss 1")
    line.keep_above()
    assert log.getvalue() == "50%  loss 1\n"


@pytest.mark.parametrize("no_colour", ["", "1"])
def test_training_draws_its_curves_from_the_second_epoch_and_leaves_them_at_the_end(tmp_path, monkeypatch, no_colour):
    screen, seconds = BlockScreen(), itertools.count()
    monkeypatch.setattr(training, "CHECK_EVERY", 1)
    monkeypatch.setattr(training, "LiveLine", lambda: LiveLine(screen, clock=lambda: float(next(seconds))))
    for name, value in {"COLUMNS": "80", "TERM": "xterm", "NO_COLOR": no_colour}.items():
        monkeypatch.setenv(name, value)
    run(tmp_path, CountingTask([3.0, 2.0, 1.5]), epochs=3)
    assert ("\033[36m" in screen.getvalue()) != bool(no_colour)
    assert screen.getvalue().count("validation loss 2.00") == 1  # after two of three epochs
    if no_colour:
        assert screen_after(screen.getvalue())[0].split() == "validation loss 1.50 validation chrF 15.0".split()

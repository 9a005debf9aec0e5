"""Campaigns: tests whose number of examples is chosen. The suite runs a sample of each, `make torture` all of it.

A campaign is a test with the mark `campaign(name, count=..., sample=...)` that takes the fixture `campaign`. The
options --count, --seed and --first choose its examples, so that an interrupted one can be continued. A table of all
campaigns that ran is printed at the end.
"""

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

TORTURE = bool(os.environ.get("SEQ2SEQ_TORTURE"))
REPORT_SECONDS = 30  # between two lines about how far a campaign is
PROPERTY = "campaign"
HEAD = ("campaign", "examples", "outcome", "seconds", "most memory", "seed")


class Campaign:
    """The examples that a test is to run, and what came of them, which `row` holds for the table."""

    def __init__(self, name, count, seed, first, say):
        self.count, self.seed, self.first, self.say = count, seed, first, say
        self.spoke = time.monotonic()
        self.row = {"name": name, "seed": seed, "done": 0, "outcomes": {}, "memory": 0}

    def examples(self, step: int = 1) -> Iterator[int]:
        """Yields the numbers of the examples, each `step`-th; says now and then how far it is."""
        for number in range(self.first, self.count, step):
            yield number
            self.did(min(step, self.count - number))

    def did(self, count: int = 1) -> None:
        """Counts examples that are finished."""
        self.row["done"] += count
        left = self.count - self.first - self.row["done"]
        if TORTURE and left > 0 and time.monotonic() - self.spoke > REPORT_SECONDS:
            self.spoke = time.monotonic()
            number = self.first + self.row["done"]
            self.say(
                f"{self.row['name']}: {number} of {self.count} {described(self.row['outcomes'])}; "
                f"continue with --seed {self.seed} --first {number}"
            )

    def found(self, outcome: str, count: int = 1) -> None:
        """Counts an outcome."""
        self.row["outcomes"][outcome] = self.row["outcomes"].get(outcome, 0) + count

    def measured(self, size: int) -> None:
        """Keeps the largest memory that a process had, in bytes."""
        self.row["memory"] = max(self.row["memory"], size)


def memory_of(process: int | str, name: str = "VmHWM") -> int:
    """Returns the bytes that a process has had at most, or with VmRSS has now; Linux alone tells."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return 1024 * int(status.partition(f"{name}:")[2].split()[0])


def described(outcomes: dict[str, int]) -> str:
    """Returns outcomes with their numbers, in words."""
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items() if count)


def row_of(name: str, rows: list[dict]) -> tuple[str, ...]:
    """Returns one line of the table from the runs of a campaign."""
    outcomes = sum((Counter(row["outcomes"]) for row in rows), Counter())
    ended = Counter(row.get("result", "interrupted") for row in rows)
    bad = [f"{count} {result}" for result, count in ended.items() if result not in ("passed", "skipped")]
    memory = max(row["memory"] for row in rows)
    return (
        name,
        str(sum(row["done"] for row in rows)),
        "; ".join(filter(None, [described(outcomes), *(f"TESTS: {words}" for words in bad)])) or "all as expected",
        f"{sum(row.get('seconds', 0.0) for row in rows):.0f}",
        f"{memory >> 20} MiB" if memory else "-",
        ", ".join(sorted({str(row["seed"]) for row in rows})),
    )


def table(rows: list[dict]) -> list[str]:
    """Returns the lines of the table."""
    names = dict.fromkeys(row["name"] for row in rows)
    lines = [HEAD, *(row_of(name, [row for row in rows if row["name"] == name]) for name in names)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


class Table:
    """Collects the runs of all campaigns, with pytest-xdist those of other processes too, and prints them."""

    def __init__(self):
        self.begun, self.ended = [], []

    def pytest_runtest_logreport(self, report):
        for name, row in report.user_properties:
            if name == PROPERTY and report.when == "call":
                row |= {"result": report.outcome, "seconds": report.duration}
                self.ended.append(row)

    def pytest_terminal_summary(self, terminalreporter):
        rows = self.ended + [row for row in self.begun if "result" not in row]
        if TORTURE and rows:
            terminalreporter.section("campaigns")
            for line in table(rows):
                terminalreporter.write_line(line)


TABLE = pytest.StashKey[Table]()


def pytest_addoption(parser):
    group = parser.getgroup("campaigns")
    group.addoption("--count", type=int, help="the campaigns' number of examples")
    group.addoption("--seed", type=int, default=1, help="what the campaigns draw with (default: 1)")
    group.addoption("--first", type=int, default=0, help="the number of the first example, to continue (default: 0)")


def pytest_configure(config):
    config.addinivalue_line("markers", "campaign(name, count, sample): many examples; `make torture` runs all of them")
    config.stash[TABLE] = Table()
    config.pluginmanager.register(config.stash[TABLE])


@pytest.fixture
def campaign(request):
    """The examples that the test is to run: as many as --count says, or make torture, or the suite."""
    mark, config = request.node.get_closest_marker("campaign"), request.config
    count = config.getoption("count")
    if count is None:
        count = mark.kwargs["count" if TORTURE else "sample"]
    terminal, capture = map(config.pluginmanager.getplugin, ("terminalreporter", "capturemanager"))

    def say(line):
        with capture.global_and_fixture_disabled():
            if terminal:  # not in a process of pytest-xdist
                terminal.write_line(line, flush=True)

    run = Campaign(mark.args[0], count, config.getoption("seed"), config.getoption("first"), say)
    config.stash[TABLE].begun.append(run.row)
    request.node.user_properties.append((PROPERTY, run.row))
    return run

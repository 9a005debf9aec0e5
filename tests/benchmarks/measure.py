"""Takes turns between the sides of a row, and says what came out: medians with their spread, and a ratio."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Figure:
    """What one side measured: the more the better, unless the unit is one of time or memory."""

    values: tuple[float, ...]
    unit: str
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def smaller_is_better(self) -> bool:
        return self.unit in ("s", "ms", "MiB", "x")

    def to_json(self) -> dict[str, Any]:
        return {"median": self.median, "unit": self.unit, "values": list(self.values), "note": self.note}

    def __str__(self) -> str:
        shown = f"{number(self.median)} {self.unit}".strip()
        if len(self.values) > 1:
            shown += f" ({number(min(self.values))} to {number(max(self.values))})"
        return shown


@dataclass
class Row:
    """One line of the table: our side first, then what it is compared with; or notes alone."""

    name: str
    figures: dict[str, Figure]
    target: str = ""
    counts: bool = True  # False: the sides did not come to the same loss
    notes: list[str] = field(default_factory=list)

    def ratios(self) -> dict[str, float]:
        """How many times better our side is than each of the others."""
        if not self.figures:
            return {}
        (_, ours), *others = self.figures.items()
        return {
            name: theirs.median / ours.median if ours.smaller_is_better else ours.median / theirs.median
            for name, theirs in others
            if theirs.unit == ours.unit and theirs.median and ours.median
        }

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "target": self.target,
            "counts": self.counts,
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
            "ratios": self.ratios(),
            "notes": self.notes,
        }

    def lines(self) -> list[str]:
        """The row as the table shows it."""
        head = f"{self.name}" + (f"   [{self.target}]" if self.target else "")
        ratios = self.ratios()
        shown = [head + ("" if self.counts else "   DOES NOT COUNT: losses differ")]
        width = max(map(len, self.figures), default=0)
        for name, figure in self.figures.items():
            ratio = f"   ratio {number(ratios[name])}" if name in ratios else ""
            shown.append(f"    {name:<{width}}  {figure}{ratio}{'   ' + figure.note if figure.note else ''}")
        return shown + [f"    {note}" for note in self.notes]


def number(value: float) -> str:
    """Three figures, thousands in full."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def machine():
    """What the figures were measured on, and how busy it was."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def take_turns(sides: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Calls every side in turn, `repeats` times, and returns what each call returned."""
    values: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(repeats):
        for name, side in sides.items():
            values[name].append(side())
    return values


class Side:
    """A process that prepares itself once and then measures each time it is told to."""

    def __init__(self, kind: str, options: Mapping[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.worker", kind, json.dumps(dict(options))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.ready = self.read()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a side ended with code {self.process.wait()}; its errors are above")
        return dict(json.loads(line))

    def ask(self, word: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def table(rows: Sequence[Row]) -> str:
    """All rows, one below the other."""
    return "\n".join(line for row in rows for line in row.lines())

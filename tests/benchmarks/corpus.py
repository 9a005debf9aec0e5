"""Rows about a corpus: lines a second by processes and engine, the largest resident set, a billion lines on paper."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.decoding_rows import sources_of
from tests.benchmarks.measure import ROOT, Figure, Row, take_turns

JOBS = (2, 1, 4)
PARTS = 8
HOUR, BILLION = 3600, 1e9


class Cost(NamedTuple):
    """What a command took, with all its processes."""

    wall: float  # seconds
    cpu: float  # seconds
    peak: float  # MiB, of its largest process


def cost_of(*arguments):
    """Runs a command to its end."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stderr=subprocess.PIPE, cwd=ROOT)
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, said
    return Cost(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def write_parts(folder, data, count):
    """Writes real lines, as often as needed, into parts."""
    sources, each = sources_of(data), count // PARTS
    for part in range(PARTS):
        with (folder / f"part-{part}.txt").open("w", encoding="utf-8") as file:
            file.writelines(f"{sources[index % len(sources)]}\n" for index in range(part * each, (part + 1) * each))
    return each * PARTS


def sides_of(folder, options, engines):
    """A function for each way to decode the parts, which decodes them into a folder of its own."""

    def decode(*arguments):
        with tempfile.TemporaryDirectory() as out:
            return cost_of(
                "-m", "seq2seq.decode", "--model", str(options.model), "-i", str(folder / "part-*.txt"),
                "-o", f"{out}/", *arguments,
            )  # fmt: skip

    return {name: lambda arguments=arguments: decode(*arguments) for name, arguments in engines.items()}


def speed(options, engines, name):
    """Lines a second, start-up included, and what a billion lines would take."""
    with tempfile.TemporaryDirectory() as folder:
        count = write_parts(Path(folder), options.data, options.lines)
        costs = take_turns(sides_of(Path(folder), options, engines), options.repeats)
    found = {}
    for side, values in costs.items():
        cpu = sorted(cost.cpu for cost in values)[len(values) // 2]
        hours = cpu / count * BILLION / HOUR
        found[side] = Figure(
            tuple(count / cost.wall for cost in values), "lines/s",
            f"{1000 * cpu / count:.3f} CPU ms a line; a billion lines: {hours:,.0f} core hours",
        )  # fmt: skip
    return Row(f"{name}, {count} real lines in {PARTS} parts", found)


def processes(options):
    """One process and several: who wins on this machine."""
    engines = {f"--jobs {jobs}": ("--jobs", str(jobs)) for jobs in JOBS}
    return speed(options, engines, "corpus by processes")


def ray(options):
    """The same work with Ray on this machine; its own processes are no part of the CPU time that the system adds up."""
    engines = {"--engine ray --jobs 2": ("--engine", "ray", "--jobs", "2"), "--jobs 2": ("--jobs", "2")}
    return speed(options, engines, "corpus with Ray")


def memory(options):
    """Whether ten times as many lines take more memory; outputs are cut at 5 symbols, which makes it no smaller."""
    peaks = {}
    for count in (options.memory_lines, options.memory_lines // 10):
        with tempfile.TemporaryDirectory() as folder:
            lines = write_parts(Path(folder), options.data, count)
            engines = {"": ("--jobs", "2", "--max-length", "5")}
            (decode,) = sides_of(Path(folder), options, engines).values()
            peaks[f"{lines} lines"] = Figure((decode().peak,), "MiB", "the largest of the processes")
    return Row("memory of a corpus", peaks)

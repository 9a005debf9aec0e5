"""The decoding rows: the NumPy runtime against the Keras one and the tutorial's loop, in turn."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from seq2seq.api import load
from seq2seq.search_config import DecodingConfig
from seq2seq.text.pairs import Pair
from tests.benchmarks.measure import ROOT, Figure, Row, Side, take_turns
from tests.benchmarks.models import (
    GENERATED,
    OUTPUT_LENGTH,
    lines_of_length,
    random_language_model,
    sources_of,
)

FORCED = {"min_length": OUTPUT_LENGTH, "max_length": OUTPUT_LENGTH}
BATCH = 256
SINGLE_LINES = 200  # of a turn


def seconds(action):
    """Calls `action` and returns how long that took."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def command(*arguments, stdin=None, stdout=subprocess.DEVNULL):
    """Runs a command to its end and returns its seconds."""
    return seconds(
        lambda: subprocess.run(
            [sys.executable, *arguments], input=stdin, stdout=stdout, stderr=subprocess.DEVNULL, check=True, cwd=ROOT
        )
    )


def decoding(translator, lines, **options):
    """Decodes lines through the one loop."""
    return translator.decode_chunk(lines, DecodingConfig(**options), first_line=1)


def figures(values, unit, scale=1.0, total=None):
    """Turns seconds into figures: `total` things a second, or seconds times `scale`."""
    return {
        name: Figure(tuple(total / each if total else scale * each for each in several), unit)
        for name, several in values.items()
    }


def cold_start(options):
    """`seq2seq decode` of one line, process to process."""
    run = ("-m", "seq2seq.decode", "--model", str(options.model))
    sides = {
        "numpy": lambda: command(*run, stdin=b"Come in.\n"),
        "keras": lambda: command(*run, "--runtime", "keras", stdin=b"Come in.\n"),
        "import numpy": lambda: command("-c", "import numpy"),
    }
    return Row(
        "cold start: decode of one line",
        figures(take_turns(sides, options.repeats), "s"),
        target="8 x faster than Keras; aim: under 0.6 s, at most twice `import numpy`",
    )


def take_side_turns(sides, repeats):
    """Takes turns between processes, and returns the seconds that each measured."""
    try:
        return take_turns({name: lambda side=side: side.ask("go")["seconds"] for name, side in sides.items()}, repeats)
    finally:
        for side in sides.values():
            side.close()


def decoding_side(options, runtime="numpy", *, lines=BATCH, calls=8, **decoding):
    """A process that decodes lines of 25 symbols to outputs of 30."""
    return Side(
        "decoding",
        {"model": str(options.model), "runtime": runtime, "lines": lines, "calls": calls, **FORCED, **decoding},
    )


def one_sentence(options):
    """One sentence, warm."""
    sides = {
        "numpy": decoding_side(options, lines=1, calls=50),
        "keras": decoding_side(options, "keras", lines=1, calls=5),
        "tutorial": Side("tutorial-decoding", {}),
    }
    values = take_side_turns(sides, options.repeats)
    return Row("one sentence, warm, 25 in, 30 out", figures(values, "ms", 1e3), target="400 x tutorial; aim: 2 ms")


def one_at_a_time(options):
    """Real lines through `translate`, a call for each, and the parts of that; CPU time, so that no wait counts."""
    translator = load(options.model)
    lines, clock = sources_of(options.data)[:SINGLE_LINES], time.process_time
    values = {"whole": [], "encoder": [], "steps": [], "rest": []}
    spent = {}

    def timed(part, function):
        def call(*arguments):
            began = clock()
            result = function(*arguments)
            spent[part] += clock() - began
            return result

        return call

    runtime = translator.runtime
    runtime.start, runtime.step = timed("encoder", runtime.start), timed("steps", runtime.step)
    for turn in range(1 + options.repeats):
        spent |= {"encoder": 0.0, "steps": 0.0}
        began = clock()
        for line in lines:
            translator.translate([line])
        whole = clock() - began
        if turn:  # the first one warms up
            for part, value in {"whole": whole, **spent, "rest": whole - sum(spent.values())}.items():
                values[part].append(value)
    found = figures(values, "ms of it", 1e3 / len(lines))
    return Row(
        f"{len(lines)} real lines, one a call, CPU time",
        {**found, "whole": Figure(found["whole"].values, "ms")},
        target="rest: search and text, under 0.5 ms",
    )


def batch(options):
    """A batch of 256 lines."""
    sides = {"numpy": decoding_side(options), "keras": decoding_side(options, "keras", calls=4)}
    return Row(
        "256 lines, greedy, 25 in, 30 out",
        figures(take_side_turns(sides, options.repeats), "sentences/s", total=BATCH),
        target="3 000; aim: 5 000",
    )


def beam(options):
    """What beam 5 costs."""
    sides = {"beam 5": decoding_side(options, calls=4, beam_size=5), "greedy": decoding_side(options)}
    values = take_side_turns(sides, options.repeats)
    pairs = zip(values["beam 5"], values["greedy"], strict=True)
    cost = Figure(tuple(slow / fast for slow, fast in pairs), "x greedy")
    return Row("beam 5, 256 lines", {"cost": cost, **figures(values, "ms", 1e3)}, target="at most 6; aim: 5")


def whole_command(options):
    """The whole command on real lines."""
    sources = sources_of(options.data)
    lines = [sources[index % len(sources)] for index in range(options.lines)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        run = ("-m", "seq2seq.decode", "--model", str(options.model), "-i", file.name)
        values = take_turns({"numpy": lambda: command(*run)}, options.repeats)
    return Row(
        f"whole command, {options.lines} real lines",
        figures(values, "lines/s", total=len(lines)),
        target="1 500; aim: 3 000",
    )


def scaling(options):
    """Whether a step costs the same however many went before."""
    translator = load(options.model)
    lines = lines_of_length(translator.source_vocabulary, BATCH)
    sides = {
        f"{length} symbols": lambda length=length: (
            seconds(lambda: decoding(translator, lines, min_length=length, max_length=length)) / length
        )
        for length in (400, 200, 100, 50)
    }
    return Row("time of an output symbol, by output length", figures(take_turns(sides, options.repeats), "ms", 1e3))


def generation(options):
    """One stream of a language model."""
    model = random_language_model()
    length = GENERATED

    def write():
        return "".join(model.stream("abc", length=length, temperature=0.7, seed=1))

    values = take_turns({"numpy": lambda: seconds(write)}, options.repeats)
    return Row(
        "generation, one stream, 1 x 256",
        figures(values, "characters/s", total=length),
        target="8 000; aim: 15 000",
    )


def parity(options, runtime="keras", limit="1e-4"):
    """NumPy against another runtime: the same texts with the same log-probabilities, on lines that nobody chose."""
    ours_side, other_side = (load(options.model, runtime=name) for name in ("numpy", runtime))
    lines = sources_of(options.data)[: options.parity_lines]
    ours, theirs = (side.translate(lines) for side in (ours_side, other_side))
    pairs = [Pair(source, target) for source, target in zip(lines, ours, strict=True)]
    scores = [[one.log_probs for one in side.score(pairs)] for side in (ours_side, other_side)]
    differences = [np.abs(np.subtract(*both)).max() for both in zip(*scores, strict=True)]
    notes = []
    for line, text, other in zip(lines, ours, theirs, strict=True):
        if text != other:
            totals = [ours_side.score([Pair(line, each)])[0].score for each in (text, other)]
            notes.append(f"{line!r}: {text!r} ({totals[0]:.5f} nats) against {other!r} ({totals[1]:.5f} nats)")
    return Row(
        f"parity with the runtime {runtime}, {len(lines)} held-out lines",
        {
            "largest difference of a log-probability": Figure((float(max(differences)),), "nats"),
            "texts that differ": Figure((float(len(notes)),), ""),
        },
        target=f"{limit} nats; at most one in a thousand",
        notes=notes,
    )


def memory(options):
    """A million lines streamed through the command: its largest resident set."""
    count = options.memory_lines
    sources = sources_of(options.data)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "lines.txt"
        with text.open("w", encoding="utf-8") as file:
            file.writelines(f"{sources[index % len(sources)]}\n" for index in range(count))
        run = [sys.executable, "-m", "seq2seq.decode", "--model", str(options.model), "--max-length", "5"]
        with text.open("rb") as file, (Path(folder) / "out").open("wb") as out:
            process = subprocess.Popen(run, stdin=file, stdout=out, stderr=subprocess.DEVNULL, cwd=ROOT)
            _, _, usage = os.wait4(process.pid, 0)
        written = sum(1 for _ in (Path(folder) / "out").open("rb"))
    peak = Figure((usage.ru_maxrss / 1024,), "MiB", f"{written} lines written, outputs cut at 5 symbols")
    return Row(f"memory, {count} lines streamed", {"peak": peak}, target="600 MiB")

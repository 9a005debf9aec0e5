"""NumPy, onnxruntime (float32 and int8) and Keras in turn: one line, a batch, and the whole command on real lines."""

import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.decoding_rows import BATCH, command, decoding_side, figures, take_side_turns
from tests.benchmarks.measure import ROOT, Row, take_turns
from tests.benchmarks.models import sources_of

NAMES = {"numpy": "numpy", "onnxruntime": "onnx", "onnxruntime int8": "onnx", "keras": "keras"}  # side: its runtime
INT8 = "onnxruntime int8"


@contextmanager
def models(options):
    """Yields the model of each side; that of int8 is an export, made for the row."""
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "int8"
        run = ("-m", "seq2seq.export", str(options.model), "--format", "onnx", "--quantize", "int8", "-o", exported)
        subprocess.run([sys.executable, *map(str, run)], check=True, stdout=sys.stderr, cwd=ROOT)
        yield {name: exported if name == INT8 else options.model for name in NAMES}


def warm(options, lines, calls):
    """Decodes lines in processes that are warm; `calls` a turn, of Keras a tenth."""
    with models(options) as found:
        sides = {}
        for name, runtime in NAMES.items():
            own = max(1, calls // 10) if runtime == "keras" else calls
            options.model, before = found[name], options.model
            sides[name] = decoding_side(options, runtime, lines=lines, calls=own)
            options.model = before
        return take_side_turns(sides, options.repeats)


def one_sentence(options):
    """One sentence, warm."""
    return Row("runtimes: one sentence, warm, 25 in, 30 out", figures(warm(options, 1, 50), "ms", 1e3))


def batch(options):
    """A batch of 256 lines."""
    values = warm(options, BATCH, 10)
    return Row("runtimes: 256 lines, greedy, 25 in, 30 out", figures(values, "sentences/s", total=BATCH))


def whole_command(options):
    """The whole command on real lines, start-up included."""
    sources = sources_of(options.data)
    lines = [sources[index % len(sources)] for index in range(options.lines)]
    with models(options) as found, tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        run = ("-m", "seq2seq.decode", "-i", file.name)
        sides = {
            name: lambda name=name, runtime=runtime: command(*run, "--model", str(found[name]), "--runtime", runtime)
            for name, runtime in NAMES.items()
        }
        values = take_turns(sides, options.repeats)
    return Row(f"runtimes: whole command, {options.lines} real lines", figures(values, "lines/s", total=len(lines)))

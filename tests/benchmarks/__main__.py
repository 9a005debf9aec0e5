"""Runs the benchmarks, prints a table and writes JSON; see README.md beside this file."""

import argparse
import json
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.benchmarks import cmudict, corpus, decoding_rows, onnx_rows, service, tables, training_rows
from tests.benchmarks.measure import Row, machine, table
from tests.benchmarks.models import trained_model

ROWS = {
    "train-short": training_rows.short,
    "train-attention": training_rows.attention,
    "cold": decoding_rows.cold_start,
    "one": decoding_rows.one_sentence,
    "single": decoding_rows.one_at_a_time,
    "batch": decoding_rows.batch,
    "beam": decoding_rows.beam,
    "command": decoding_rows.whole_command,
    "scaling": decoding_rows.scaling,
    "generation": decoding_rows.generation,
    "parity": decoding_rows.parity,
    "onnx-one": onnx_rows.one_sentence,
    "onnx-batch": onnx_rows.batch,
    "onnx-command": onnx_rows.whole_command,
    "onnx-parity": partial(decoding_rows.parity, runtime="onnx", limit="1e-5"),
    "service": service.one_line,
    "service-lines": service.several_lines,
    "memory": decoding_rows.memory,
    "corpus": corpus.processes,
    "corpus-ray": corpus.ray,
    "corpus-memory": corpus.memory,
    "tables": tables.row,
    "cmudict": cmudict.row,
}
SLOW = {
    "onnx-one",
    "onnx-batch",
    "onnx-command",
    "onnx-parity",
    "memory",
    "corpus",
    "corpus-ray",
    "corpus-memory",
    "tables",
    "cmudict",
}  # only where it is named
WITHOUT_MODEL = {"train-short", "train-attention", "generation", "tables", "cmudict"}


def parse(argv=None):
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rows", nargs="+", choices=ROWS, metavar="ROW", help=f"which rows: {', '.join(ROWS)}")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each side (default: 5)")
    parser.add_argument("--data", default="fra-eng", help="data set or file (default: fra-eng, the bundled one)")
    parser.add_argument("--model", type=Path, help="a trained attention model; absent: one is trained first")
    parser.add_argument("--train-minutes", type=float, default=2.0, help="for how long (default: 2)")
    parser.add_argument("--batches", type=int, default=150, help="training steps of a turn (default: 150)")
    parser.add_argument("--lines", type=int, default=20_000, help="lines of the whole command (default: 20000)")
    parser.add_argument("--parity-lines", type=int, default=1000, help="lines of the row parity (default: 1000)")
    parser.add_argument("--memory-lines", type=int, default=1_000_000, help="lines of the row memory")
    parser.add_argument("--service-lines", type=int, default=2000, help="lines of the rows service (default: 2000)")
    parser.add_argument(
        "--requests", type=int, default=4_000, help="least requests of the rows service (default: 4000)"
    )
    parser.add_argument("--json", type=Path, default=Path("runs/benchmarks.json"), help="default: %(default)s")
    return parser.parse_args(argv)


def main(argv=None):
    options = parse(argv)
    names = options.rows or [name for name in ROWS if name not in SLOW]
    result = {"began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine(), "rows": []}
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            if options.model is None and name not in WITHOUT_MODEL:
                options.model = trained_model(Path(folder) / "model", options.data, options.train_minutes)
            row = ROWS[name](options)
            rows.append(row)
            print("\n".join(row.lines()), flush=True)
            result["rows"].append(row.to_json())
            result["machine after"] = machine()
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"\nall rows\n{table(rows)}\n{len(rows)} rows in {options.json}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

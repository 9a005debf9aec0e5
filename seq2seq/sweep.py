"""The `sweep` verb: compares a model's outputs at several temperatures, side by side."""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from seq2seq.api import load
from seq2seq.bundle.record import PRETRAINED
from seq2seq.cli.options import add_config_option, add_options, configured, in_range, whole
from seq2seq.cli.shell import add_model_option, make_parser, model_folder, run_verb, say
from seq2seq.errors import DataError, OptionError, excerpt
from seq2seq.extras import has_matplotlib, installing
from seq2seq.inference.language_model import LanguageModel, checked_stops
from seq2seq.inference.translator import Translator
from seq2seq.scoring.confusions import padded, width
from seq2seq.scoring.material import find_material
from seq2seq.scoring.memorization import training_text
from seq2seq.scoring.plots import check_plot, draw_sweep
from seq2seq.scoring.temperature_sweep import (
    Row,
    pairs_advice,
    real_text_measures,
    sweep_pairs,
    sweep_text,
    text_advice,
)
from seq2seq.search_config import WARMEST, GenerationConfig
from seq2seq.terminal import LiveLine

EXAMPLE = (
    "  seq2seq sweep --temperatures 0.2,0.5,0.7,1.0,1.2,1.5\n"
    "  seq2seq sweep --model runs/prose --prompt 'Every morning' --samples 8 --json\n\n"
    "For a language model `copied` is the share of characters that are quoted from the training text in spans of 20\n"
    "or more, and `unknown` is the share of words that are not in it. For a translator `best` scores only the draw of\n"
    "each source that is nearest to its references."
)
TEMPERATURES = "0.2,0.5,0.7,1.0,1.2,1.5"
SAMPLES, LINES, SHOWN_LINES = 5, 100, 3
COLUMN, BETWEEN = 22, 2  # columns of the terminal for a sample, and those of them that stay empty
ROWS_SHOWN = 12  # most lines of a sample
HEADINGS = {
    "temperature": "T",
    "entropy_bits": "bits",
    "distinct_1": "dist-1",
    "distinct_2": "dist-2",
    "distinct_3": "dist-3",
    "distinct_4": "dist-4",
    "longest_loop": "loop",
    "repeated_8_grams": "rep-8",
    "failures_to_stop": "no stop",
    "copied_share": "copied",
    "unknown_words": "unknown",
    "chrf": "chrF",
    "exact_match": "exact",
    "best_chrf": "best chrF",
    "best_exact_match": "best exact",
}


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, GenerationConfig, list[float]]:
    """Reads the options."""
    parser = make_parser("sweep", "Compare a model's outputs at several temperatures.", EXAMPLE)
    add_model_option(parser)
    parser.add_argument("--temperatures", default=TEMPERATURES, metavar="T,T,...", help=f"default: {TEMPERATURES}")
    parser.add_argument("--samples", type=whole, default=SAMPLES, metavar="N", help=f"draws (default: {SAMPLES})")
    parser.add_argument("--prompt", metavar="TEXT", help="how texts begin (default: a random place)")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="stop before this text")
    parser.add_argument(
        "--data", metavar="NAME|PATH",
        help="a language model's training text, if it has been moved; for a translator the pairs to translate",
    )  # fmt: skip
    parser.add_argument(
        "--lines", type=whole, default=LINES, metavar="N", help=f"number of sources for a translator (default: {LINES})"
    )
    parser.add_argument(
        "--plot",
        metavar="FILE",
        help="file for the plot, .png, .svg or .pdf (default: MODEL-sweep.png); needs matplotlib",
    )
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON; draws a plot only with --plot")
    add_config_option(parser)
    add_options(parser, GenerationConfig, leave_out=("temperature", "samples"))
    args = parser.parse_args(argv)
    config = configured(GenerationConfig, args)
    for name in ("samples", "lines"):
        in_range(f"--{name}", getattr(args, name), at_least=1)
    checked_stops(args.stop)
    return args, config, read_temperatures(args.temperatures)


def read_temperatures(given: str) -> list[float]:
    """Reads temperatures, separated by commas.

    Raises:
        OptionError: a part is not a temperature.

    """
    found = []
    for part in given.split(","):
        try:
            found.append(GenerationConfig(temperature=float(part)).temperature)
        except ValueError as error:
            raise OptionError(
                f"--temperatures: expected numbers from 0 to {WARMEST:g}, separated by commas, got {excerpt(part)} in "
                f"{excerpt(given)}"
            ) from error
    return found


def run(argv: Sequence[str]) -> int:
    """Sweeps a model and prints the result."""
    args, config, temperatures = parse(argv)
    if args.plot is not None:
        check_plot(Path(args.plot))
    folder = model_folder(args.model, otherwise="prose")
    model = load(folder, runtime=args.runtime)
    if config.seed is None:
        config = config.with_seed()
        say(f"seed: {config.seed}")
    if isinstance(model, Translator):
        rows, inputs, advice = sweep_translator(model, args, config, temperatures)
    else:
        rows, inputs, advice = sweep_language_model(model, args, config, temperatures)
    if args.json:
        values = {"model": str(folder), "seed": config.seed, "inputs": inputs, "rows": rows, "advice": advice}
        print(json.dumps(values, ensure_ascii=False, indent=1))
    else:
        sys.stdout.write(side_by_side(rows, inputs) + table(rows) + advice + "\n")
    if args.plot is not None or not args.json:
        plot(rows, folder, args.plot)
    return 0


def plot(rows: Sequence[Row], folder: Path, file: str | None) -> None:
    """Draws the plot into the requested file, by default beside the model, if matplotlib is installed."""
    if not has_matplotlib():
        say(f"no plot: matplotlib is not installed: {installing('plots')}")
        return
    beside = folder if folder.parent != PRETRAINED else folder.name  # a picture is no part of the package
    path = Path(file or f"{beside}-sweep.png")
    if file is None:
        try:
            check_plot(path)
        except OptionError as error:  # nobody asked for this file
            say(f"no plot: {error}")
            return
    draw_sweep(rows, path, title=str(folder))
    say(f"plot: {path}")


def filters_of(config: GenerationConfig) -> dict[str, Any]:
    """Returns the filters that the user gave."""
    return {name: getattr(config, name) for name in ("top_k", "top_p", "min_p") if getattr(config, name) is not None}


def sweep_language_model(
    model: LanguageModel, args: argparse.Namespace, config: GenerationConfig, temperatures: Sequence[float]
) -> tuple[list[Row], list[str], str]:
    """Sweeps a language model; returns rows, the prompt and advice."""
    assert config.seed is not None
    opening = model.open(args.prompt, config)
    if not opening.given:
        say("continues a random place of the validation text")
    source = training_source(model, args.data)
    with LiveLine() as line:
        rows = sweep_text(
            model, opening, temperatures, samples=args.samples, length=config.length, seed=config.seed, stop=args.stop,
            source=source, filters=filters_of(config), progress=line.show,
        )  # fmt: skip
    advice = "no advice: the model folder has no validation text to compare with"
    if model.bundle.excerpt:
        advice = text_advice(rows, real_text_measures(model, source, config.length))
    return rows, [opening.text], advice


def training_source(model: LanguageModel, data: str | None) -> Callable[[], Iterator[str]] | None:
    """Returns a function that reads the training text; None, with a note on stderr, if it is missing without --data."""
    source = partial(training_text, model.bundle, data)
    try:
        next(source())
    except DataError as error:
        if data is not None:
            raise
        say(f"no comparison with the training text: {error}")
        return None
    return source


def sweep_translator(
    model: Translator, args: argparse.Namespace, config: GenerationConfig, temperatures: Sequence[float]
) -> tuple[list[Row], list[str], str]:
    """Sweeps a translator; returns rows, the sources to show and advice."""
    for name in ("prompt", "stop"):
        if getattr(args, name):
            raise OptionError(
                f"--{name}: is for language models, and {model.bundle.path} is a translator; leave it out"
            )
    assert config.seed is not None
    material = find_material(model.bundle, args.data, by="source")
    references = material.references[: args.lines]
    say(f"{material.name}: {len(references)} of {len(material.references)} sources, {args.samples} draws each")
    with LiveLine() as line:
        rows = sweep_pairs(
            model, references, temperatures,
            samples=args.samples, seed=config.seed, filters=filters_of(config), progress=line.show,
        )  # fmt: skip
    return rows, [several.source for several in references[:SHOWN_LINES]], pairs_advice(rows, args.samples)


def side_by_side(rows: Sequence[Row], inputs: Sequence[str]) -> str:
    """Formats the first sample of each temperature as a column, below its prompt or source."""
    columns = max(shutil.get_terminal_size((100, 24)).columns, COLUMN)
    blocks = []
    for number, shown in enumerate(inputs):
        blocks.append(f"{shown!r}\n")
        samples = [row["samples"][number] for row in rows]
        for first in range(0, len(rows), columns // COLUMN):
            part = slice(first, first + columns // COLUMN)
            heads = [f"T = {row['temperature']:g}" for row in rows[part]]
            cells = [wrapped(head, sample) for head, sample in zip(heads, samples[part], strict=True)]
            depth = max(map(len, cells))
            lines = zip(*(cell + [""] * (depth - len(cell)) for cell in cells), strict=True)
            widths = [COLUMN - BETWEEN] * len(cells)
            blocks.append("\n".join(padded(line, widths) for line in lines) + "\n\n")
    return "".join(blocks)


def wrapped(head: str, text: str) -> list[str]:
    """Breaks text into the lines of a column, with the heading first."""
    size = COLUMN - BETWEEN
    lines = [""]
    for place, line in enumerate(text.split("\n")):
        lines += [""] * bool(place)
        for character in line:
            if width(lines[-1] + character) > size:
                lines.append("")
            lines[-1] += character
    return [head, "-" * size, *lines[:ROWS_SHOWN]]


def table(rows: Sequence[Row]) -> str:
    """Formats the numbers, one line per temperature."""
    names = [name for name in HEADINGS if name in rows[0] and rows[0][name] is not None]
    cells = [[HEADINGS[name] for name in names], *([shown(name, row[name]) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)) for line in cells)
    return "\n".join(lines) + "\n\n"


def shown(name: str, value: float) -> str:
    """Formats one number of the table."""
    if name in ("temperature", "longest_loop"):
        return f"{value:g}"
    return f"{value:.1f}" if name.endswith("chrf") else f"{value:.2f}" if name == "entropy_bits" else f"{value:.3f}"


main = partial(run_verb, "sweep", run)

if __name__ == "__main__":
    sys.exit(main())

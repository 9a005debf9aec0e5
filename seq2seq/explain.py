"""The `explain` verb: shows how probable each output symbol was, what else was possible, and where the model looked."""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from seq2seq.api import LanguageModel, Translator, load
from seq2seq.cli.notices import UnknownCharacters
from seq2seq.cli.options import add_config_option, add_options, configured
from seq2seq.cli.output_file import OutputFile, descriptor_of
from seq2seq.cli.shell import add_model_option, make_parser, model_folder, run_verb, say
from seq2seq.cli.streams import chunks, open_input
from seq2seq.drawing.heat_map import draw
from seq2seq.drawing.png import FORMAT, to_png
from seq2seq.drawing.svg import MARK, to_svg
from seq2seq.drawing.symbols import padded
from seq2seq.drawing.table import as_text
from seq2seq.errors import OptionError
from seq2seq.extras import require_matplotlib
from seq2seq.fields import Config, flag_of
from seq2seq.inference.explaining import explain_text, explain_translation
from seq2seq.inference.explanation import Explanation
from seq2seq.search_config import DecodingConfig, ExplanationConfig, GenerationConfig, SamplingOptions
from seq2seq.terminal import columns

EXAMPLE = (
    "  echo 'How are you?' | seq2seq explain\n"
    "  seq2seq explain --beam-size 4 --tree -i lines.txt -o lines.svg     # lines-1.svg, lines-2.svg ...\n"
    "  seq2seq explain --prefix 'Je ' --alternatives 3 --format json < lines.txt\n\n"
    "For a language model each line is a prompt. Probabilities are the model's own, whatever --temperature is."
)
FORMATS = ("text", "json", "svg", "png")
ENDINGS = {".svg": "svg", ".png": "png", ".json": "json", ".jsonl": "json", ".txt": "text", "": "text"}
PICTURES: dict[str, Callable[[Explanation], bytes]] = {
    "svg": lambda explanation: to_svg(draw(explanation)),
    "png": lambda explanation: to_png(draw(explanation)),
}
UNUSED = ("n_best", "batch_size")  # options of decoding that do not matter for one output of one line
OF_TEXTS = ("length", "max_prompt_length")  # options that language models alone have
AnySampling = TypeVar("AnySampling", bound=SamplingOptions)
HEADING, JSON_START = "=== line ", '{"model": '
HEAD_BYTES = 512  # of a file, in which the mark of this program stands


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Reads the options."""
    parser = make_parser("explain", "Translate lines, and show why each output is what it is.", EXAMPLE)
    add_model_option(parser)
    parser.add_argument("-i", "--input", metavar="FILE", help="lines to explain (default: standard input)")
    parser.add_argument("-o", "--output", metavar="FILE", help="where results go; a picture for each line")
    parser.add_argument(
        "--format", choices=FORMATS, help="form of the results (default: by the ending of FILE, or text)"
    )
    add_config_option(parser)
    add_options(parser, ExplanationConfig)
    add_options(parser, DecodingConfig, leave_out=UNUSED)
    shared = [name for name in GenerationConfig.__dataclass_fields__ if name not in OF_TEXTS]
    add_options(parser, GenerationConfig, leave_out=shared)
    args = parser.parse_args(argv)
    configured(ExplanationConfig, args)  # refuses a wrong value before a model is loaded
    args.format = args.format or format_of(args.output)
    if args.format == "png":
        require_matplotlib(*FORMAT)
    return args


def format_of(output: str | None) -> str:
    """Returns the form that the ending of a file means; without a file it is text.

    Raises:
        OptionError: the ending means none.

    """
    ending = Path(output or "").suffix.lower()
    if ending not in ENDINGS:
        known = ", ".join(filter(None, ENDINGS))
        raise OptionError(f"--output {output}: expected an ending of {known}, got {ending!r}; or give --format")
    return ENDINGS[ending]


def run(argv: Sequence[str]) -> int:
    """Explains the lines of standard input or a file."""
    args = parse(argv)
    if args.format not in PICTURES:
        check_replaceable(args.output)
    model = load(model_folder(args.model, otherwise="fra-eng"), runtime=args.runtime)
    unknown = UnknownCharacters()
    explained, longest = explainer(model, args, unknown)
    with open_input(args.input) as (file, name):
        lines = (line for chunk in chunks(file, 16, name=name, symbols=longest) for line in chunk)
        if args.format in PICTURES:
            write_pictures(list(lines), explained, args)
        else:
            with OutputFile(args.output, resume=None, settings={}) as output:
                for number, line in enumerate(lines, 1):
                    output.write(render(explained(line, number), number, line, args), [line])
    unknown.summary()
    return 0


def explainer(
    model: Translator | LanguageModel, args: argparse.Namespace, unknown: UnknownCharacters
) -> tuple[Callable[[str, int], Explanation], int]:
    """Returns the function that explains a line with its number, for either kind of model, and its longest line.

    Raises:
        OptionError: an option is for the other kind of model, or a value is wrong.

    """
    wanted = configured(ExplanationConfig, args)
    if isinstance(model, Translator):
        refuse_others(model, args, DecodingConfig, GenerationConfig)
        config = seeded(configured(DecodingConfig, args))
        return partial(explain_line, model, config, wanted, unknown), config.max_source_length
    refuse_others(model, args, GenerationConfig, DecodingConfig)
    generation = seeded(configured(GenerationConfig, args))

    def explained(line: str, number: int) -> Explanation:
        opening = model.open(line, generation, notice=lambda replacement: unknown(replacement, number))
        return explain_text(model, opening, generation, wanted)

    return explained, generation.max_prompt_length


def explain_line(
    model: Translator,
    config: DecodingConfig,
    wanted: ExplanationConfig,
    unknown: UnknownCharacters,
    line: str,
    number: int,
) -> Explanation:
    """Explains the translation of a line; see `explain_translation`."""
    return explain_translation(model, line, config, wanted, number=number, notice=unknown)


def refuse_others(
    model: Translator | LanguageModel, args: argparse.Namespace, own: type[Config], other: type[Config]
) -> None:
    """Raises OptionError for an option that only the other kind of model has."""
    names = [{field.name for field in dataclasses.fields(config)} for config in (other, own)]
    for name in sorted((names[0] - names[1]) & vars(args).keys()):
        raise OptionError(f"{flag_of(name)}: {model.bundle.path} is a {model.bundle.kind}, which has no such option")


def seeded(config: AnySampling) -> AnySampling:
    """Returns options with a seed; prints one that was drawn, if it matters."""
    if config.temperature and config.seed is None:
        config = config.with_seed()
        say(f"seed: {config.seed}")
    return config.with_seed()


def render(explanation: Explanation, number: int, line: str, args: argparse.Namespace) -> str:
    """Formats one explanation as text or JSON."""
    if args.format == "json":
        return json.dumps(explanation.as_dict(), ensure_ascii=False, allow_nan=False) + "\n"
    width = columns(sys.stdout) if args.output in (None, "-") and sys.stdout.isatty() else None
    source, target = (padded(" ".join(text.splitlines()), 0) for text in (line, explanation.text))
    heading = f"{HEADING}{number}: {source} → {target}"
    return f"{heading}\n{as_text(explanation, width=width)}\n"


def write_pictures(
    lines: Sequence[str], explained: Callable[[str, int], Explanation], args: argparse.Namespace
) -> None:
    """Writes a picture for each line: FILE for one line, else FILE with the line's number before the ending.

    Raises:
        OptionError: several pictures have no file names, or a file was not written by this verb.

    """
    draws = PICTURES[args.format]
    if len(lines) > 1 and (args.output in (None, "-") or not is_ordinary(args.output)):
        raise OptionError(
            f"--format {args.format}: expected one line, since each line has a picture of its own, got {len(lines)}; "
            f"give -o FILE.{args.format}, which gives FILE-1.{args.format} and so on"
        )
    if args.format == "png" and args.output in (None, "-") and sys.stdout.isatty():
        raise OptionError("--format png: is no text for a terminal; give -o FILE.png")
    for number, line in enumerate(lines, 1):
        path = args.output
        if len(lines) > 1:
            file = Path(path)
            path = str(file.with_name(f"{file.stem}-{number}{file.suffix}"))
        check_replaceable(path)
        picture = draws(explained(line, number))
        with OutputFile(path, resume=None, settings={}) as output:
            output.write(picture, [line])
    if not lines:
        say("no lines, so there is no picture")


def is_ordinary(path: str) -> bool:
    """Returns whether a name is that of an ordinary file, or free."""
    return descriptor_of(path) is None and (os.path.isfile(path) or not os.path.exists(path))


def check_replaceable(path: str | None) -> None:
    """Raises OptionError for a file that this verb did not write; an empty file may be replaced."""
    if path in (None, "-", "") or not is_ordinary(str(path)) or not os.path.exists(str(path)):
        return
    try:
        with open(str(path), "rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise OptionError(f"--output {path}: cannot be read: {error.strerror}") from error
    if head and MARK.encode() not in head and not head.startswith((HEADING.encode(), JSON_START.encode())):
        raise OptionError(
            f"--output {path}: exists, and `seq2seq explain` did not write it; move it away, or give another --output"
        )


main = partial(run_verb, "explain", run)

if __name__ == "__main__":
    sys.exit(main())

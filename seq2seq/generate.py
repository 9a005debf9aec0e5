"""The `generate` verb: continues a prompt, character by character."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial

from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import LANGUAGE_MODEL
from seq2seq.cli.commands import (
    MODEL,
    Command,
    changed,
    converse,
    described,
    settings_of,
    typed_folder,
)
from seq2seq.cli.line_editing import typed_lines
from seq2seq.cli.notices import UnknownCharacters
from seq2seq.cli.options import add_config_option, add_options, configured
from seq2seq.cli.shell import add_model_option, make_parser, model_folder, run_verb, say
from seq2seq.errors import OptionError
from seq2seq.files.lines import line_bytes
from seq2seq.files.reading import read_small
from seq2seq.inference.drafts import Opening
from seq2seq.inference.language_model import LanguageModel, checked_stops
from seq2seq.inference.results import Generated, fields_of
from seq2seq.scoring.memorization import SPAN, marked, quoted_share, quoted_spans, training_text
from seq2seq.search_config import GenerationConfig

EXAMPLE = (
    '  seq2seq generate --prompt "It was a dark" --length 400 --temperature 0.5\n'
    "  seq2seq generate --prompt @opening.txt --samples 3 --seed 1 --format jsonl\n"
    "  seq2seq generate --novelty\n"
    "  seq2seq generate --interactive\n\n"
    "The output begins with the prompt. Without a prompt it continues a random place of the validation text, which\n"
    "is shown on stderr. If the prompt's file ends with a line end, that is left out."
)
FORMATS = ("text", "jsonl")
MARKS, COLOUR = ("⟦", "⟧"), ("\033[7m", "\033[0m")


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, GenerationConfig]:
    """Reads the options."""
    parser = make_parser("generate", "Write text with a language model.", EXAMPLE)
    add_model_option(parser)
    parser.add_argument("--prompt", metavar="TEXT|@FILE", help="how the text begins (default: a random place)")
    parser.add_argument(
        "--stop", action="append", default=[], metavar="TEXT", help="stop before this text; can be given several times"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="form of the results (default: text)")
    parser.add_argument(
        "--novelty",
        action="store_true",
        help=f"mark quotations of {SPAN} characters or more from the training text; prints only complete texts",
    )
    parser.add_argument(
        "--interactive", action="store_true", help="continue each line that you type; :help lists commands there"
    )
    parser.add_argument("--data", metavar="NAME|PATH", help="the training text, where --novelty does not find it")
    add_config_option(parser)
    add_options(parser, GenerationConfig)
    args = parser.parse_args(argv)
    config = configured(GenerationConfig, args)
    if args.data is not None and not args.novelty:
        raise OptionError(f"--data {args.data}: is the text that --novelty searches for quotations; give --novelty too")
    checked_stops(args.stop)
    return args, config


def refuse_interactive(args: argparse.Namespace) -> None:
    """Raises OptionError where --interactive has no terminal, or an option that a conversation does not have."""
    others = {"--prompt": args.prompt is not None, "--novelty": args.novelty, "--format": args.format != "text"}
    for name in (name for name, given in others.items() if given):
        raise OptionError(
            f"--interactive and {name} exclude each other: you type prompts, and get texts; leave one out"
        )
    if sys.stdin is None or not sys.stdin.isatty():
        raise OptionError("--interactive: needs a terminal on standard input; give --prompt TEXT or --prompt @FILE")


def read_prompt(given: str | None, longest: int) -> str | None:
    """Returns the prompt; @FILE reads it from a file.

    Args:
        given: by the user.
        longest: most symbols of a prompt.

    Raises:
        OptionError: the file cannot be read, is not UTF-8 or far too large.

    """
    if given is None or not given.startswith("@"):
        return given
    content = read_small(given[1:], f"--prompt {given}", line_bytes(longest))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{error.object[error.start]:02x} at {error.start}"
        raise OptionError(f"--prompt {given}: expected UTF-8 text, got {found}; convert the file") from None
    return text.removesuffix("\n").removesuffix("\r")


def run(argv: Sequence[str]) -> int:
    """Writes texts to standard output."""
    args, config = parse(argv)
    if args.interactive:
        refuse_interactive(args)
    prompt = read_prompt(args.prompt, config.max_prompt_length)
    model = LanguageModel(load_bundle(model_folder(args.model, LANGUAGE_MODEL)), runtime=args.runtime)
    if args.interactive:
        Conversation(model, config, args).run()
        return 0
    if config.seed is None:
        config = config.with_seed()
        if config.temperature or not prompt:
            say(f"seed: {config.seed}")
    unknown = UnknownCharacters()
    opening = model.open(prompt, config, notice=lambda replacement: unknown(replacement, 1))
    unknown.summary()
    if not opening.given:
        say(f"continues a random place of the validation text: {opening.text!r}")
    if args.format == "text" and not args.novelty:
        for sample in range(1, config.samples + 1):
            stream(model, opening, config, args.stop, sample)
        return 0
    texts = model.write(opening, config, args.stop)
    spans = find_quotations(model, texts, opening, args.data) if args.novelty else [[] for _ in texts]
    for text, quoted in zip(texts, spans, strict=True):
        sys.stdout.write(render(text, quoted, args.format, config, novelty=args.novelty))
    return 0


class Conversation:
    """Continues the prompts that a person types at a terminal; commands change how, or which model does."""

    def __init__(self, model: LanguageModel, config: GenerationConfig, args: argparse.Namespace) -> None:
        self.model, self.config, self.args = model, config, args

    def run(self) -> None:
        """Reads prompts until Ctrl-D or `:quit`."""
        actions: dict[Command, Callable[[str], None]] = {
            command: partial(self.change, command) for command in settings_of(GenerationConfig)
        }
        say("Type how a text begins; :help lists commands, Ctrl-D ends.")
        actions[MODEL] = self.load
        converse("generate", typed_lines("generate"), answer=self.answer, actions=actions)

    def answer(self, line: str) -> None:
        """Continues a prompt; an empty line continues a random place of the validation text."""
        config = self.config.with_seed()
        unknown = UnknownCharacters()
        opening = self.model.open(line, config, notice=lambda replacement: unknown(replacement, 1))
        unknown.summary()
        if not opening.given:
            say(f"continues a random place of the validation text: {opening.text!r}")
        for sample in range(1, config.samples + 1):
            stream(self.model, opening, config, self.args.stop, sample)

    def change(self, command: Command, argument: str) -> None:
        """Changes an option; a refused one leaves all as they were."""
        self.config = changed(self.config, command, argument)
        say(described(self.config))

    def load(self, name: str) -> None:
        """Loads another model; the options stay."""
        folder = typed_folder(name)
        self.model = LanguageModel(load_bundle(folder), runtime=self.args.runtime)
        say(f"model: {folder}")


def stream(model: LanguageModel, opening: Opening, config: GenerationConfig, stop: Sequence[str], sample: int) -> None:
    """Writes one text, each character as soon as it is known."""
    sys.stdout.write(heading(sample, config))
    for piece in model.pieces(opening, config, stop, sample=sample):
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")
    sys.stdout.flush()


def heading(sample: int, config: GenerationConfig) -> str:
    """Returns the line above a text; an empty string where there is only one text."""
    return f"--- sample {sample} ---\n" if config.samples > 1 else ""


def find_quotations(
    model: LanguageModel, texts: Sequence[Generated], opening: Opening, data: str | None
) -> list[list[tuple[int, int]]]:
    """Returns the spans of each text that are quoted from the training text, and prints their share; omits prompts."""
    skipped = len(opening.text) if opening.given else 0
    written = [text.text[skipped:] for text in texts]
    spans = quoted_spans(written, training_text(model.bundle, data))
    longest = max((end - start for several in spans for start, end in several), default=0)
    say(
        f"quoted from the training text in spans of {SPAN} characters or more: "
        f"{quoted_share(written, spans):.1%} of the output; longest span: {longest}"
    )
    return [[(start + skipped, end + skipped) for start, end in several] for several in spans]


def render(
    text: Generated, quoted: list[tuple[int, int]], form: str, config: GenerationConfig, *, novelty: bool
) -> str:
    """Formats one result: its text with quotations marked, or JSON."""
    if form == "text":
        before, after = COLOUR if sys.stdout.isatty() else MARKS
        return f"{heading(text.sample, config)}{marked(text.text, quoted, before, after)}\n"
    values = {**fields_of(text), "score": sum(text.log_probs), "temperature": config.temperature}
    if novelty:
        values["quoted"] = quoted
    return json.dumps(values, ensure_ascii=False) + "\n"


main = partial(run_verb, "generate", run)

if __name__ == "__main__":
    sys.exit(main())

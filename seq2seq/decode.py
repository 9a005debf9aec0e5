"""The `decode` verb: translates lines."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial

from seq2seq.bundle.exported import identity_file
from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import TRANSLATOR
from seq2seq.cli.commands import MODEL, Command, changed, converse, described, settings_of, typed_folder
from seq2seq.cli.line_editing import typed_lines
from seq2seq.cli.line_progress import LineProgress
from seq2seq.cli.notices import UnknownCharacters
from seq2seq.cli.options import add_config_option, add_options, configured, in_range, whole
from seq2seq.cli.output_file import OutputFile
from seq2seq.cli.shell import add_line_options, add_model_option, make_parser, model_folder, run_verb, say
from seq2seq.cli.streams import chunks, open_input
from seq2seq.drawing.table import as_text
from seq2seq.errors import OptionError
from seq2seq.files.reading import sha256_of
from seq2seq.inference.capacity import chunk_lines
from seq2seq.inference.explaining import explain_translation
from seq2seq.inference.explanation import Explanation
from seq2seq.inference.results import Output, fields_of
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig, ExplanationConfig
from seq2seq.terminal import columns

EXAMPLE = (
    "  echo 'How are you?' | seq2seq decode\n"
    "  seq2seq decode --temperature 0.7 --seed 1 -i source.txt -o target.txt\n"
    "  seq2seq decode --beam-size 5 --n-best 3 --format jsonl < source.txt\n\n"
    "rank_score = score / length^A with A = --length-penalty and the length in symbols, END included;\n"
    "score is the sum of the natural log-probabilities, which `seq2seq score` prints too.\n"
    "On a terminal, :help lists commands that change these options between two lines."
)

WIDE, FEW = 90, 2  # columns of a terminal for a whole explanation, and the alternatives that are shown on fewer
UNRECORDED = ("batch_size", "max_source_length")  # options that change no result
EXPLAIN = Command("explain", "", "why the last line's output is what it is")


def parse(argv: Sequence[str]) -> tuple[argparse.Namespace, DecodingConfig]:
    """Reads the options."""
    parser = make_parser("decode", "Translate lines: line N of the output belongs to line N of the input.", EXAMPLE)
    add_model_option(parser)
    add_line_options(parser, "translate")
    parser.add_argument(
        "--first-line", type=whole, default=1, metavar="N", help="number of the first line; sampling depends on it"
    )
    add_config_option(parser)
    add_options(parser, DecodingConfig)
    args = parser.parse_args(argv)
    config = configured(DecodingConfig, args)
    if config.n_best > 1 and args.format == "text":
        raise OptionError(f"--n-best {config.n_best} needs --format tsv or jsonl: text has one result for each line")
    in_range("--first-line", args.first_line, at_least=1)
    if args.resume and config.temperature and config.seed is None:
        raise OptionError("--resume: needs the --seed of the interrupted run, which it printed on stderr")
    return args, config


def run(argv: Sequence[str]) -> int:
    """Translates standard input or a file."""
    args, config = parse(argv)
    folder = model_folder(args.model, TRANSLATOR)
    translator = Translator(load_bundle(folder), runtime=args.runtime)
    if config.temperature and config.seed is None:
        config = config.with_seed()
        say(f"seed: {config.seed}")
    unknown = UnknownCharacters()
    if args.input in (None, "-") and sys.stdin is not None and sys.stdin.isatty():
        Conversation(translator, config, args, unknown).run()
        return 0
    if config.dictionary:  # first, since a folder may have none
        say(f"dictionary: {len(translator.dictionary)} sources")
    settings = {
        "model": sha256_of(identity_file(folder)),
        "format": args.format,
        "first_line": args.first_line,
        **{key: value for key, value in config.to_dict().items() if key not in UNRECORDED},
    }
    cut = looked_up = 0
    with (
        open_input(args.input) as (file, name),
        OutputFile(args.output, resume=args.resume, settings=settings) as output,
        LineProgress(file, to_stdout=output.path is None) as progress,
    ):
        progress.add(0)
        read = progress.counting(chunks(file, chunk_lines(config), name=name, symbols=config.max_source_length))
        for before, lines in output.unfinished(read, name):
            number = args.first_line + before
            translator.check_lines(lines, most=config.max_source_length, first_line=before + 1, name=name)
            results = translator.decode_chunk(lines, config, first_line=number, notice=progress.around(unknown))
            cut += sum(not found.finished for outputs in results for found in outputs)
            looked_up += sum(found.looked_up for outputs in results for found in outputs)
            output.write("".join(render(found, args.format) for outputs in results for found in outputs), lines)
            progress.add(len(lines))
    unknown.summary()
    if config.dictionary:
        say(f"{looked_up} lines were looked up, the model translated the others")
    if cut:
        say(f"{cut} outputs were cut off before they ended; --max-length raises the limit")
    return 0


class Conversation:
    """Translates what a person types at a terminal; commands change how, or which model does."""

    def __init__(
        self, translator: Translator, config: DecodingConfig, args: argparse.Namespace, unknown: UnknownCharacters
    ) -> None:
        self.translator, self.config, self.args, self.unknown = translator, config, args, unknown
        self.number = args.first_line  # of the next line
        self.explained: Callable[..., Explanation] | None = None  # explains the last line

    def run(self) -> None:
        """Reads lines until Ctrl-D or `:quit`."""
        actions: dict[Command, Callable[[str], None]] = {
            command: partial(self.change, command) for command in settings_of(DecodingConfig)
        }
        actions |= {EXPLAIN: self.explain, MODEL: self.load}
        say("Type a line; :help lists commands, Ctrl-D ends.")
        converse("decode", typed_lines("decode"), answer=self.answer, actions=actions)

    def answer(self, line: str) -> None:
        """Translates a line and prints the results."""
        number, self.number = self.number, self.number + 1
        self.translator.check_lines([line], most=self.config.max_source_length, first_line=number)
        (outputs,) = self.translator.decode_chunk([line], self.config, first_line=number, notice=self.unknown)
        self.explained = partial(explain_translation, self.translator, line, self.config, number=number)
        for found in outputs:
            several = self.config.n_best > 1 and self.args.format == "text"
            sys.stdout.write(f"{found.rank_score:.3f}  {found.text}\n" if several else render(found, self.args.format))
        sys.stdout.flush()

    def change(self, command: Command, argument: str) -> None:
        """Changes an option; a refused one leaves all as they were."""
        config = changed(self.config, command, argument)
        if config.n_best > 1 and self.args.format == "text" and not sys.stdout.isatty():
            raise OptionError(f":nbest {config.n_best}: needs --format tsv or jsonl, since the results go to a file")
        self.config = config.with_seed() if config.temperature else config
        say(described(self.config))

    def explain(self, argument: str) -> None:
        """Explains what the last line became, with the model and the options that it was translated with."""
        if argument:
            raise OptionError(f":explain: explains the last line, and takes no argument, got {argument!r}")
        if self.explained is None:
            raise OptionError(":explain: expected a line before it; type one, then :explain")
        width = columns(sys.stderr) if sys.stderr.isatty() else WIDE
        wanted = ExplanationConfig() if width >= WIDE else ExplanationConfig(alternatives=FEW)
        say(as_text(self.explained(wanted=wanted), width=width).removesuffix("\n"))

    def load(self, name: str) -> None:
        """Loads another model; the options stay."""
        folder = typed_folder(name)
        self.translator = Translator(load_bundle(folder), runtime=self.args.runtime)
        say(f"model: {folder}")


def render(output: Output, form: str) -> str:
    """Formats one result: text; or line, score, rank_score and text, tab-separated; or JSON."""
    if form == "text":
        return output.text + "\n"
    if form == "tsv":
        return f"{output.line}\t{output.score:.6f}\t{output.rank_score:.6f}\t{output.text}\n"
    return json.dumps(fields_of(output), ensure_ascii=False) + "\n"


main = partial(run_verb, "decode", run)

if __name__ == "__main__":
    sys.exit(main())

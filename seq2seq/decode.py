"""The `decode` verb: translates lines, or the parts of a corpus."""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from seq2seq.bundle.exported import identity_file, is_export
from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import TRANSLATOR
from seq2seq.cli.commands import MODEL, Command, changed, converse, described, settings_of, typed_folder
from seq2seq.cli.corpus_options import (
    SKIP,
    add_corpus_options,
    check_alone,
    check_corpus_options,
    goes_into_folder,
)
from seq2seq.cli.engine_options import RAY
from seq2seq.cli.line_editing import typed_lines
from seq2seq.cli.line_progress import LineProgress
from seq2seq.cli.notices import UnknownCharacters
from seq2seq.cli.options import add_config_option, add_options, configured, in_range, whole
from seq2seq.cli.output_file import OutputFile
from seq2seq.cli.shell import add_line_options, add_model_option, make_parser, model_folder, run_verb, say
from seq2seq.cli.streams import chunks, open_input
from seq2seq.corpus.chunks import Chunk, How
from seq2seq.corpus.decoding import Job, together
from seq2seq.corpus.parts import TEXT, check_rows, fields_of_parts, find_parts
from seq2seq.corpus.record import Folder, recorded_settings
from seq2seq.corpus.rendering import render
from seq2seq.corpus.running import Corpus, Workers, run_corpus
from seq2seq.drawing.table import as_text
from seq2seq.errors import OptionError
from seq2seq.files.reading import sha256_of
from seq2seq.inference.capacity import chunk_lines
from seq2seq.inference.explaining import explain_translation
from seq2seq.inference.explanation import Explanation
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig, ExplanationConfig
from seq2seq.terminal import LiveLine, columns

EXAMPLE = (
    "  echo 'How are you?' | seq2seq decode\n"
    "  seq2seq decode --temperature 0.7 --seed 1 -i source.txt -o target.txt\n"
    "  seq2seq decode --beam-size 5 --n-best 3 --format jsonl < source.txt\n"
    "  seq2seq decode -i 'part-*.txt.gz' -o results/\n\n"
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
    add_line_options(parser, "translate", corpus=True)
    parser.add_argument(
        "--first-line", type=whole, default=1, metavar="N", help="number of the first line; sampling depends on it"
    )
    add_corpus_options(parser)
    add_config_option(parser)
    add_options(parser, DecodingConfig)
    args = parser.parse_args(argv)
    config = configured(DecodingConfig, args)
    check_corpus_options(args)
    several = goes_into_folder(args)
    args.format = args.format or (None if several else TEXT)
    if config.n_best > 1 and args.format == TEXT:
        raise OptionError(f"--n-best {config.n_best} needs --format tsv or jsonl: text has one result for each line")
    in_range("--first-line", args.first_line, at_least=1)
    if args.resume and not several and config.temperature and config.seed is None:
        raise OptionError("--resume: needs the --seed of the interrupted run, which it printed on stderr")
    return args, config


def run(argv: Sequence[str]) -> int:
    """Translates standard input, a file, or the parts of a corpus."""
    args, config = parse(argv)
    folder = model_folder(args.model, TRANSLATOR)
    if is_export(folder):
        check_alone(args, f"name the model folder in place of {folder}, which is an export")
    translator = Translator(load_bundle(folder), runtime=args.runtime)
    if goes_into_folder(args):
        return decode_parts(args, config, translator)
    if config.temperature and config.seed is None:
        config = config.with_seed()
        say(f"seed: {config.seed}")
    if args.input in (None, ["-"]) and sys.stdin is not None and sys.stdin.isatty():
        Conversation(translator, config, args, UnknownCharacters()).run()
    else:
        decode_lines(args, config, translator)
    return 0


def decode_lines(args: argparse.Namespace, config: DecodingConfig, translator: Translator) -> None:
    """Translates standard input or a file."""
    if config.dictionary:  # first, since a folder may have none
        say(f"dictionary: {len(translator.dictionary)} sources")
    unknown = UnknownCharacters()
    cut = looked_up = 0
    with (
        open_input(args.input and args.input[0]) as (file, name),
        OutputFile(args.output, resume=args.resume, settings=settings_for(args, config, translator)) as output,
        LineProgress(file, to_stdout=output.path is None) as progress,
    ):
        progress.add(0)
        read = progress.counting(chunks(file, chunk_lines(config), name=name, symbols=config.max_source_length))
        how = How(config, name, args.format)
        left = ((None, Chunk(lines, n, args.first_line + n), how) for n, lines in output.unfinished(read, name))
        notice = progress.around(unknown)
        for _, chunk, decoded in together(translator, left, jobs=args.jobs):
            for replacement, line in decoded.unknown.values():
                notice(replacement, line)
            cut, looked_up = cut + decoded.cut_off, looked_up + decoded.looked_up
            output.write(decoded.rows, chunk.lines)
            progress.add(len(chunk.lines))
    unknown.summary()
    say_totals(config, looked_up=looked_up, cut=cut)


def settings_for(args: argparse.Namespace, config: DecodingConfig, translator: Translator) -> dict[str, Any]:
    """Returns what results depend on, in which a run that goes on must agree with the one before it."""
    return {
        "model": sha256_of(identity_file(translator.bundle.path)),
        "format": args.format,
        "first_line": args.first_line,
        **{key: value for key, value in config.to_dict().items() if key not in UNRECORDED},
    }


def say_totals(config: DecodingConfig, *, looked_up: int, cut: int) -> None:
    """Says how many lines were looked up, and how many outputs were cut off."""
    if config.dictionary:
        say(f"{looked_up} lines were looked up, the model translated the others")
    if cut:
        say(f"{cut} outputs were cut off before they ended; --max-length raises the limit")


def decode_parts(args: argparse.Namespace, config: DecodingConfig, translator: Translator) -> int:
    """Translates the parts of a corpus into a folder; returns 1 where a part is damaged, which has no output."""
    parts = find_parts(args.input)
    check_rows(args.format, parts)
    fields = fields_of_parts(args.field, parts, tagged=bool(translator.source_vocabulary.features_sep))
    forms = {args.format or part.form for part in parts}
    folder = Folder(Path(args.output), numbered=bool(config.temperature) or forms != {TEXT})
    if config.temperature and config.seed is None:
        known = (recorded_settings(folder) or {}).get("seed")  # of the run that began there
        config = config.with_seed() if known is None else dataclasses.replace(config, seed=known)
        say(f"seed: {config.seed}")
    own = {"field": args.field, "on_bad_line": args.on_bad_line, "max_source_length": config.max_source_length}
    corpus = Corpus(
        parts, folder, Job(config, fields, args.format, args.on_bad_line in (None, SKIP)), args.first_line,
        settings_for(args, config, translator) | own,
    )  # fmt: skip
    unknown = UnknownCharacters()
    with LiveLine() as live:
        found = run_corpus(
            corpus, translator, Workers(args.jobs, args.engine == RAY, args.address), say=say, notice=unknown, live=live
        )
    unknown.summary()
    say_totals(config, looked_up=found.looked_up, cut=found.cut_off)
    if found.refused:
        say(f"{found.refused} of {found.lines} lines were not decoded and have empty results: {folder.all_errors}")
    if found.damaged:
        say(f"{found.damaged} of {len(parts)} parts are damaged and have no results: {folder.all_errors}")
    return 1 if found.damaged else 0


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
            several = self.config.n_best > 1 and self.args.format == TEXT
            sys.stdout.write(f"{found.rank_score:.3f}  {found.text}\n" if several else render(found, self.args.format))
        sys.stdout.flush()

    def change(self, command: Command, argument: str) -> None:
        """Changes an option; a refused one leaves all as they were."""
        config = changed(self.config, command, argument)
        if config.n_best > 1 and self.args.format == TEXT and not sys.stdout.isatty():
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


main = partial(run_verb, "decode", run)

if __name__ == "__main__":
    sys.exit(main())

"""The `score` verb: prints the log-probability of given targets, line by line."""

import json
import sys
from collections.abc import Sequence
from functools import partial

from seq2seq.bundle.exported import identity_file
from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import TRANSLATOR
from seq2seq.cli.line_progress import LineProgress
from seq2seq.cli.notices import UnknownCharacters
from seq2seq.cli.options import in_range, whole
from seq2seq.cli.output_file import OutputFile
from seq2seq.cli.shell import add_line_options, add_model_option, make_parser, model_folder, run_verb
from seq2seq.cli.streams import chunks, open_input
from seq2seq.errors import DataError, excerpt
from seq2seq.files.reading import sha256_of
from seq2seq.inference.given import check_symbols
from seq2seq.inference.results import Scored
from seq2seq.inference.translator import Translator
from seq2seq.search_config import LONGEST
from seq2seq.text.pairs import Pair

EXAMPLE = (
    "  printf 'How are you?\\tComment vas-tu ?\\n' | seq2seq score\n"
    "  paste source.txt target.txt | seq2seq score --format jsonl\n\n"
    "A line is source<TAB>target, with feature tags source<TAB>tags<TAB>target. A score is the sum of the natural\n"
    "log-probabilities of the target's symbols and of END. It equals the score that decode prints for that target.\n"
    "tsv: line, score, log-probability of each symbol with END last, source, target."
)
CHUNK_LINES = 4096


def run(argv: Sequence[str]) -> int:
    """Scores standard input or a file."""
    parser = make_parser(
        "score", "Print log-probabilities of targets: line N of the output belongs to line N of the input.", EXAMPLE
    )
    add_model_option(parser)
    add_line_options(parser, "score")
    for side in ("source", "target"):
        parser.add_argument(
            f"--max-{side}-length", type=whole, default=LONGEST, metavar="N",
            help=f"longest {side} that is taken, in symbols (default: {LONGEST})",
        )  # fmt: skip
    args = parser.parse_args(argv)
    longest = (
        in_range("--max-source-length", args.max_source_length, at_least=1),
        in_range("--max-target-length", args.max_target_length, at_least=1),
    )
    folder = model_folder(args.model, TRANSLATOR)
    translator = Translator(load_bundle(folder), runtime=args.runtime)
    unknown = UnknownCharacters(named=0)
    settings = {"model": sha256_of(identity_file(folder)), "format": args.format}
    symbols = sum(longest)
    with (
        open_input(args.input) as (file, name),
        OutputFile(args.output, resume=args.resume, settings=settings) as output,
        LineProgress(file, to_stdout=output.path is None) as progress,
    ):
        progress.add(0)
        read = progress.counting(chunks(file, CHUNK_LINES, name=name, symbols=symbols))
        for before, lines in output.unfinished(read, name):
            first = before + 1
            pairs = [
                parse_line(line, translator, longest, f"{name}:{number}") for number, line in enumerate(lines, first)
            ]
            output.write(score_chunk(translator, pairs, args.format, first_line=first, unknown=unknown), lines)
            progress.add(len(lines))
    unknown.summary()
    return 0


def parse_line(line: str, translator: Translator, longest: tuple[int, int], where: str) -> Pair:
    """Splits a line into source and target.

    Args:
        line: of the input.
        translator: the model.
        longest: most symbols of source and target.
        where: names the line in messages.

    Raises:
        DataError: it has too few or too many columns, or a target but no source, or a side is too long.

    """
    tagged = bool(translator.source_vocabulary.features_sep)
    form = "source<TAB>tags<TAB>target" if tagged else "source<TAB>target"
    columns = line.split("\t")
    if len(columns) != 2 + tagged:
        raise DataError(f"{where}: expected {form}, got {len(columns)} tab-separated columns: {excerpt(line)}")
    *sides, target = columns  # the target unchanged: a model may write spaces at its ends
    sides = [side.strip() for side in sides]
    # decode gives an empty output for an empty line, so such a pair is valid; so is a word without tags
    if target and not any(sides):
        raise DataError(f"{where}: expected {form}, got an empty source: {excerpt(line)}")
    check_symbols(sides[0], translator.source_vocabulary, longest[0], f"{where}, source", "--max-source-length")
    check_symbols(target, translator.target_vocabulary, longest[1], f"{where}, target", "--max-target-length")
    return Pair("\t".join(sides) if any(sides) else "", target)


def score_chunk(
    translator: Translator, pairs: Sequence[Pair], form: str, *, first_line: int, unknown: UnknownCharacters
) -> str:
    """Scores some lines and formats the results, one line each."""
    for number, (source, target) in enumerate(pairs, first_line):
        for vocabulary, text in ((translator.source_vocabulary, source), (translator.target_vocabulary, target)):
            for replacement in vocabulary.replacements(translator.normalised(text)):
                unknown(replacement, number)
    found = iter(translator.score([pair for pair in pairs if pair.source]))
    scored = [next(found) if pair.source else Scored(*pair, []) for pair in pairs]
    return "".join(render(number, one, form) for number, one in enumerate(scored, first_line))


def render(number: int, scored: Scored, form: str) -> str:
    """Formats one result: the sum, or tab-separated values, or JSON."""
    source, target, log_probs = scored
    if form == "text":
        return f"{scored.score:.6f}\n"
    if form == "tsv":
        values = " ".join(f"{value:.6f}" for value in log_probs)
        return f"{number}\t{scored.score:.6f}\t{values}\t{source}\t{target}\n"
    content = {"line": number, "source": source, "text": target, "score": scored.score, "log_probs": log_probs}
    return json.dumps(content, ensure_ascii=False) + "\n"


main = partial(run_verb, "score", run)

if __name__ == "__main__":
    sys.exit(main())

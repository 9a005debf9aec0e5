"""Text in, text out: a loaded model with its vocabularies, its runtime and the search."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from seq2seq.bundle import TRANSLATOR, Bundle, load_bundle
from seq2seq.config import DecodingConfig
from seq2seq.cores import core_count
from seq2seq.decoding import Hypothesis, decode, strategy_of
from seq2seq.errors import BundleError, DataError, OptionError
from seq2seq.inference.forcing import forced_log_probs
from seq2seq.inference.numpy_runtime import NumpyTranslator
from seq2seq.inference.results import Output, Scored
from seq2seq.inference.runtimes import Runtime, make_runtime
from seq2seq.inference.threads import single_threaded_products, spread
from seq2seq.special import END, START
from seq2seq.text.batches import cut_batches, padded
from seq2seq.text.lines import clean
from seq2seq.text.pairs import Pair, normalise
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Replacement, Vocabulary

CHUNK_BATCHES = 16  # batches that are read ahead and sorted by length together


class Translator:
    """Translates lines with a trained model.

    Args:
        bundle: the model.
        runtime: "numpy" (needs no TensorFlow), "keras", or "auto", which is NumPy.
        step_model: a live runtime to use instead of building one from the weights.

    """

    def __init__(self, bundle: Bundle, *, runtime: str = "auto", step_model: Runtime | None = None) -> None:
        if bundle.kind != TRANSLATOR or bundle.source_vocabulary is None:
            raise BundleError(f"{bundle.path}: is a {bundle.kind}, expected a {TRANSLATOR}; use `generate` for it")
        self.bundle = bundle
        self.source_vocabulary: Vocabulary = bundle.source_vocabulary
        self.target_vocabulary: Vocabulary = bundle.target_vocabulary
        self.runtime = step_model or make_runtime(bundle, runtime)
        self.source_form = SourceForm.from_record(bundle.record)
        lengths = bundle.record.get("lengths", {})
        self.longest_source = int(lengths.get("source", 100))
        self.longest_target = int(lengths.get("target", 100))

    def translate(self, lines: Iterable[str], **options: Any) -> list[str]:
        """Translates lines, in their order.

        Args:
            lines: source lines; `text<TAB>tags` for a model with features.
            options: fields of DecodingConfig, such as temperature=0.7 or beam_size=5.

        Returns:
            The best output of each line; an empty line gives an empty one.

        Raises:
            OptionError: an option is unknown or out of range.
            DataError: under oov="error", a character that the model does not know.

        """
        config = DecodingConfig.from_dict(options, where="translate")
        if isinstance(lines, str):
            raise OptionError(f"translate: expected a list of lines, got the string {lines!r}; give [line]")
        lines = list(lines)
        self.check_tags(lines)
        return [outputs[0].text for outputs in self.outputs(lines, config)]

    def outputs(
        self,
        lines: Iterable[str],
        config: DecodingConfig,
        *,
        first_line: int = 1,
        notice: Callable[[Replacement, int], None] = lambda replacement, line: None,
    ) -> Iterator[list[Output]]:
        """Decodes lines in bounded chunks and yields the results of each line, best first.

        Args:
            lines: read as they are needed.
            config: how to decode.
            first_line: number of the first line in the whole input; sampling depends on it.
            notice: receives each character that the model does not know, with its line; 0 is the prefix.

        """
        config = config.with_seed()
        iterator = iter(lines)
        line = first_line
        while chunk := list(islice(iterator, CHUNK_BATCHES * config.batch_size)):
            yield from self.decode_chunk(chunk, config, first_line=line, notice=notice)
            line += len(chunk)

    def decode_chunk(
        self,
        chunk: Sequence[str],
        config: DecodingConfig,
        *,
        first_line: int,
        notice: Callable[[Replacement, int], None] = lambda replacement, line: None,
    ) -> list[list[Output]]:
        """Decodes some lines together; `config` must have a seed if it samples."""
        strategy = strategy_of(
            config, beam_size=config.beam_size, samples=config.n_best, length_penalty=config.length_penalty
        )
        ids = [self.encode(line, config.oov, first_line + index, notice) for index, line in enumerate(chunk)]
        rows = [self.source_form.row(several) if several else [] for several in ids]
        prefix = self.encode_prefix(config, notice)
        drawn = config.seed if config.temperature else None
        # an empty line has an empty output
        found = [
            [Output(first_line + index, line, "", [], [], 0.0, 0.0, True, drawn, [])] * config.n_best
            for index, line in enumerate(chunk)
        ]

        def decode_batch(batch: np.ndarray) -> None:
            decoded = decode(
                self.runtime,
                self.runtime.start(padded(rows, batch)),
                strategy=strategy,
                line_numbers=batch + first_line,
                max_length=np.array([self.length_limit(len(ids[index]), len(prefix), config) for index in batch]),
                min_length=config.min_length,
                prefix=[prefix] * len(batch) if prefix else None,
            )
            for index, several in zip(batch.tolist(), decoded, strict=True):
                kept = several[: config.n_best]
                found[index] = [self.output(chunk[index], first_line + index, one, config) for one in kept]

        filled = [index for index, row in enumerate(rows) if row]
        self.in_batches(decode_batch, filled, lambda index: (len(rows[index]), len(ids[index])), config.batch_size)
        return found

    def in_batches(
        self,
        work: Callable[[np.ndarray], None],
        lines: Iterable[int],
        size: Callable[[int], tuple[int, int]],
        batch_size: int,
    ) -> None:
        """Applies `work` to batches of similar lines, on all cores where the runtime is NumPy's.

        Args:
            work: takes int (B,) lines; which of them come together must not change a result.
            lines: their numbers.
            size: gives the symbols of a line that its memory depends on, then what lines of the same size are sorted
                by; the largest come first.
            batch_size: most lines of a batch.

        """
        order = sorted(lines, key=size, reverse=True)
        lengths = [size(line)[0] for line in order]
        workers, symbol_bytes = 1, 0
        if isinstance(self.runtime, NumpyTranslator):  # the others spread their own work
            workers, symbol_bytes = core_count(), self.runtime.symbol_bytes
        batches = cut_batches(order, lengths, most=batch_size, workers=workers, symbol_bytes=symbol_bytes)
        with single_threaded_products():
            spread(work, batches, workers=workers)

    def normalised(self, line: str) -> str:
        """Gives a line the form that the model's data has."""
        if self.source_form.clean:
            return normalise(line, self.bundle.data.lowercase)
        line = line.rstrip("\r\n")
        return line.lower() if self.bundle.data.lowercase else line

    def encode(self, line: str, oov: str, number: int, notice: Callable[[Replacement, int], None]) -> list[int]:
        """Turns one source line into ids, END not included; nothing for an empty line."""
        text = self.normalised(line)
        if not text:
            return []
        if oov == "map":
            for replacement in self.source_vocabulary.replacements(text):
                notice(replacement, number)
        return self.source_vocabulary.encode(text, oov=oov, where=f"line {number}")

    def encode_target(self, target: str, oov: str, where: str) -> list[int]:
        """Turns a target into ids: as it stands if the model could have written it, else normalised."""
        vocabulary = self.target_vocabulary
        if not all(symbol in vocabulary for symbol in vocabulary.segment(target)):
            target = self.normalised(target)
        return vocabulary.encode(target, oov=oov, where=where)

    def encode_prefix(self, config: DecodingConfig, notice: Callable[[Replacement, int], None]) -> list[int]:
        """Turns the forced start into ids, spaces at its ends included; notices get the line 0."""
        tidy = clean if self.source_form.clean else str
        text = tidy(config.prefix)
        text = tidy(text.lower()) if self.bundle.data.lowercase else text
        if config.oov == "map":
            for replacement in self.target_vocabulary.replacements(text):
                notice(replacement, 0)
        return self.target_vocabulary.encode(text, oov=config.oov, where="--prefix")

    def check_tags(self, lines: Iterable[str], *, first_line: int = 1) -> None:
        """Raises DataError for a line without tags where the model was trained with tags."""
        separator = self.source_vocabulary.features_sep
        for number, line in enumerate(lines, first_line):
            if separator and line.strip() and "\t" not in line:
                raise DataError(
                    f"line {number}: expected source<TAB>tags, got {line!r}; this model was trained with feature "
                    f"tags, joined by {separator!r}; for a word without tags end the line with a tab"
                )

    def length_limit(self, source_length: int, prefix_length: int, config: DecodingConfig) -> int:
        """Most symbols of an output: as asked for, or half as many again as the longest of the training part."""
        if config.max_length is not None:
            return config.max_length
        scale = max(1.0, source_length / max(self.longest_source, 1))
        return prefix_length + max(config.min_length, math.ceil(1.5 * self.longest_target * scale) + 5)

    def output(self, line: str, number: int, hypothesis: Hypothesis, config: DecodingConfig) -> Output:
        """Turns ids into text."""
        vocabulary = self.target_vocabulary
        return Output(
            number,
            line,
            vocabulary.decode(hypothesis.token_ids),
            vocabulary.symbols_of(hypothesis.token_ids),
            hypothesis.log_probs,
            hypothesis.score,
            hypothesis.rank_score,
            hypothesis.finished,
            config.seed if config.temperature else None,
            hypothesis.token_ids,
        )

    def score(
        self, pairs: Sequence[Pair], *, oov: str = "map", first_line: int = 1, batch_size: int = 256
    ) -> list[Scored]:
        """Returns the log-probabilities of given targets.

        The score of a target that `translate` gave is the score that it gave.

        Args:
            pairs: sources and targets.
            oov: what an unknown symbol becomes, as for Vocabulary.encode.
            first_line: number of the first pair, for messages.
            batch_size: pairs that are scored together, at most; does not change a result.

        Raises:
            DataError: under oov="error", a symbol that the model does not know.

        """
        numbered = list(enumerate(pairs, first_line))
        targets = [[START, *self.encode_target(target, oov, f"line {line}"), END] for line, (_, target) in numbered]
        ids = [self.encode(source, oov, line, lambda *_: None) for line, (source, _) in numbered]
        sources = [self.source_form.row(one) for one in ids]
        found: list[list[float]] = [[] for _ in pairs]

        def score_batch(batch: np.ndarray) -> None:
            log_probs = forced_log_probs(self.runtime, padded(sources, batch), padded(targets, batch))
            for index, values in zip(batch.tolist(), log_probs.tolist(), strict=True):
                found[index] = values[: len(targets[index]) - 1]

        def size(index: int) -> tuple[int, int]:
            return max(len(sources[index]), len(targets[index])), len(targets[index])

        self.in_batches(score_batch, range(len(pairs)), size, batch_size)
        return [Scored(source, target, values) for (source, target), values in zip(pairs, found, strict=True)]


def load(path: str | Path, *, runtime: str = "auto") -> Translator:
    """Loads a finished translator.

    Raises:
        BundleError: the folder is missing, unfinished, damaged or a language model.

    """
    return Translator(load_bundle(path), runtime=runtime)

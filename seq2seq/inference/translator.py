"""Translates lines with a loaded model: its vocabularies, its runtime and the search."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import TRANSLATOR
from seq2seq.cores import core_count
from seq2seq.decoding import Observer, strategy_of
from seq2seq.errors import BundleError
from seq2seq.inference.capacity import check_width, chunk_lines, slot_bytes
from seq2seq.inference.given import check_lines, check_pair, listed
from seq2seq.inference.lookup import dictionary_in, looked_up
from seq2seq.inference.protocols import ActionRuntime, AttendingRuntime
from seq2seq.inference.rescoring import one_for_each_text
from seq2seq.inference.results import Output, Scored
from seq2seq.inference.runtimes import make_writer
from seq2seq.inference.threads import single_threaded_products, spread
from seq2seq.inference.writers import WritingLimits, Written
from seq2seq.search_config import DecodingConfig
from seq2seq.text.batches import cut_batches
from seq2seq.text.lines import clean
from seq2seq.text.pairs import Pair, normalise
from seq2seq.text.readings import Reading, Replacement
from seq2seq.text.source_layout import SourceForm
from seq2seq.text.vocabulary import Vocabulary

DEFAULTS = DecodingConfig()


class Translator:
    """Translates lines with a trained model.

    Args:
        bundle: the model.
        runtime: "numpy" (needs no TensorFlow), "keras", "onnx", or "auto": NumPy, and onnxruntime for an export.
        step_model: an existing runtime to use; None: one is built from the weights.

    """

    def __init__(
        self, bundle: Bundle, *, runtime: str = "auto", step_model: AttendingRuntime | ActionRuntime | None = None
    ) -> None:
        if bundle.kind != TRANSLATOR or bundle.source_vocabulary is None:
            raise BundleError(f"{bundle.path}: is a {bundle.kind}, expected a {TRANSLATOR}; use `generate` for it")
        self.bundle = bundle
        self.source_vocabulary: Vocabulary = bundle.source_vocabulary
        self.target_vocabulary: Vocabulary = bundle.target_vocabulary
        self.writer = make_writer(bundle, runtime, step_model)
        self.runtime = self.writer.runtime
        self.source_form = SourceForm.from_record(bundle.record)
        self.longest = bundle.lengths

    def translate(self, lines: Iterable[str], **options: Any) -> list[str]:
        """Translates lines; the results have the same order.

        Args:
            lines: source lines; `text<TAB>tags` for a model with features.
            options: fields of DecodingConfig, such as temperature=0.7 or beam_size=5.

        Returns:
            The best output of each line; for an empty line an empty string.

        Raises:
            OptionError: an option is unknown or out of range, or `lines` is no list of lines.
            DataError: a line is no text, is too long or lacks tags; or, with oov="error", a character is unknown.

        """
        config = DecodingConfig.from_dict(options, where="translate") if options else DEFAULTS
        lines = listed(lines, "translate")
        self.check_lines(lines, most=config.max_source_length)
        return [outputs[0].text for outputs in self.outputs(lines, config)]

    def outputs(
        self,
        lines: Iterable[str],
        config: DecodingConfig,
        *,
        first_line: int = 1,
        notice: Callable[[Replacement, int], None] = lambda replacement, line: None,
    ) -> Iterator[list[Output]]:
        """Decodes lines in chunks of bounded size and yields the results of each line, best first.

        Args:
            lines: source lines, read when they are needed.
            config: how to decode.
            first_line: number of the first line in the whole input; sampling depends on it.
            notice: receives each unknown character and its line; line 0 is the prefix.

        """
        if config.temperature:
            config = config.with_seed()
        iterator = iter(lines)
        line = first_line
        while chunk := list(islice(iterator, chunk_lines(config))):
            yield from self.decode_chunk(chunk, config, first_line=line, notice=notice)
            line += len(chunk)

    def decode_chunk(
        self,
        chunk: Sequence[str],
        config: DecodingConfig,
        *,
        first_line: int = 1,
        numbers: Sequence[int] | None = None,
        notice: Callable[[Replacement, int], None] = lambda replacement, line: None,
        observer: Observer | None = None,
    ) -> list[list[Output]]:
        """Decodes some lines together; to sample, `config` must have a seed. An observer sees each batch's search.

        Lines of several inputs can be decoded together: `numbers` are then those of the lines in their own inputs.
        """
        check_width(self.bundle, self.length_limit(0, 0, DEFAULTS), config, min(core_count(), len(chunk)))
        numbers = range(first_line, first_line + len(chunk)) if numbers is None else numbers
        strategy = strategy_of(
            config, beam_size=config.beam_size, samples=config.n_best, length_penalty=config.length_penalty
        )
        read = [self.encode(line, config.oov, number, notice) for line, number in zip(chunk, numbers, strict=True)]
        prefix = self.encode_prefix(config, notice)
        joining = self.target_vocabulary.joining(self.target_vocabulary.decode(prefix))
        drawn = config.seed if config.temperature else None
        # what an empty line gets
        found = [
            [Output(number, line, "", [], [], 0.0, 0.0, True, drawn, [])] * config.n_best
            for line, number in zip(chunk, numbers, strict=True)
        ]
        line_numbers = np.array(numbers)

        def decode_batch(batch: np.ndarray) -> None:
            most = np.array([self.length_limit(length(index), len(prefix), config) for index in batch])
            decoded = self.writer.decode(
                [read[index] for index in batch],
                strategy=strategy,
                line_numbers=line_numbers[batch],
                limits=WritingLimits(most, config.min_length, prefix, joining),
                observer=observer,
            )
            for index, several in zip(batch.tolist(), decoded, strict=True):
                kept = several[: config.n_best]
                found[index] = [self.output(chunk[index], numbers[index], one, config) for one in kept]

        def length(index: int) -> int:
            return len(read[index].tags) + len(read[index].ids)

        known = looked_up(self, chunk, numbers, config) if config.dictionary else {}
        filled = [index for index in range(len(read)) if length(index) and index not in known]

        def size(index: int) -> tuple[int, int]:
            return self.writer.row_length(read[index]), length(index)

        self.in_batches(decode_batch, filled, size, config.batch_size, slots=strategy.width)
        if self.target_vocabulary.decompose:
            found = [one_for_each_text(self, outputs, config, forced=len(prefix)) for outputs in found]
        for index, output in known.items():
            found[index] = [output]
        return found

    @functools.cached_property
    def dictionary(self) -> Mapping[str, str]:
        """The sources of the training part, normalised, each with its most frequent target; see `dictionary_in`."""
        return dictionary_in(self.bundle)

    def in_batches(
        self,
        work: Callable[[np.ndarray], None],
        lines: Iterable[int],
        size: Callable[[int], tuple[int, int]],
        batch_size: int,
        *,
        slots: int = 1,
    ) -> None:
        """Applies `work` to batches of lines of similar length, on all cores where the runtime is NumPy's.

        Args:
            work: takes the indexes of a batch's lines, int (B,); the results must not depend on how lines are grouped.
            lines: the indexes of all lines.
            size: returns the number of symbols that decides how much memory a line needs, and a second key to sort
                lines of equal number by; the largest come first.
            batch_size: most lines in a batch.
            slots: hypotheses of each line.

        """
        order = sorted(lines, key=size, reverse=True)
        lengths = [size(line)[0] for line in order]
        symbol_bytes = getattr(self.runtime, "symbol_bytes", None)  # of NumPy's; Keras uses all cores by itself
        workers = 1 if symbol_bytes is None or len(order) < 2 else core_count()
        batches = cut_batches(
            order, lengths, most=batch_size, workers=workers, symbol_bytes=symbol_bytes or 0, slots=slots,
            slot_bytes=slot_bytes(self.bundle),
        )  # fmt: skip
        with single_threaded_products():
            spread(work, batches, workers=workers)

    def normalised(self, line: str) -> str:
        """Normalises a line as the model's training data was normalised."""
        if self.source_form.clean:
            return normalise(line, self.bundle.data.lowercase)
        line = line.rstrip("\r\n")
        return line.lower() if self.bundle.data.lowercase else line

    def encode(self, line: str, oov: str, number: int, notice: Callable[[Replacement, int], None]) -> Reading:
        """Turns one source line into ids without END; none for an empty line."""
        text = self.normalised(line)
        if text and oov == "map":
            for replacement in self.source_vocabulary.replacements(text):
                notice(replacement, number)
        return self.source_vocabulary.read(text, oov=oov, where=f"line {number}")

    def encode_target(self, target: str, oov: str, where: str) -> Reading:
        """Turns a target into ids: unchanged if the model can write it, else normalised."""
        vocabulary = self.target_vocabulary
        if not all(symbol in vocabulary for symbol in vocabulary.segment(target)):
            target = self.normalised(target)
        return vocabulary.read(target, oov=oov, where=where)

    def encode_prefix(self, config: DecodingConfig, notice: Callable[[Replacement, int], None]) -> list[int]:
        """Turns the prefix into ids; spaces at its ends are kept. `notice` gets the line number 0."""
        tidy = clean if self.source_form.clean else str
        text = tidy(config.prefix)
        text = tidy(text.lower()) if self.bundle.data.lowercase else text
        if config.oov == "map":
            for replacement in self.target_vocabulary.replacements(text):
                notice(replacement, 0)
        return self.target_vocabulary.encode(text, oov=config.oov, where="--prefix")

    def check_lines(
        self, lines: Iterable[str], *, most: int | None = None, first_line: int = 1, name: str = ""
    ) -> None:
        """Raises DataError for what is no text, has more than `most` symbols, or lacks tags; `name` is the input's."""
        check_lines(lines, self.source_vocabulary, most, first_line=first_line, name=name)

    def length_limit(self, source_length: int, prefix_length: int, config: DecodingConfig) -> int:
        """Returns the most symbols of an output: max_length, else 1.5 times the longest target of the training part."""
        if config.max_length is not None:
            return config.max_length
        scale = max(1.0, source_length / self.longest.source)
        return prefix_length + max(config.min_length, math.ceil(1.5 * self.longest.target * scale) + 5)

    def output(self, line: str, number: int, written: Written, config: DecodingConfig) -> Output:
        """Turns what the model wrote into an output."""
        return Output(
            number,
            line,
            self.target_vocabulary.join(written.symbols),
            written.symbols,
            written.log_probs,
            written.score,
            written.rank_score,
            written.finished,
            config.seed if config.temperature else None,
            written.token_ids,
        )

    def score(
        self, pairs: Sequence[Pair], *, oov: str = "map", first_line: int = 1, batch_size: int = 256
    ) -> list[Scored]:
        """Returns the log-probabilities of given targets.

        For an output of `translate` they equal the log-probabilities found in decoding.

        Args:
            pairs: sources and targets.
            oov: how an unknown symbol is treated, as in Vocabulary.encode.
            first_line: number of the first pair, for messages.
            batch_size: most pairs scored together; does not change a result.

        Raises:
            DataError: with oov="error", a symbol is unknown to the model.

        """
        numbered = list(enumerate(listed(pairs, "score", "pairs"), first_line))
        for line, pair in numbered:
            check_pair(pair, f"line {line}")
        targets = [self.encode_target(target, oov, f"line {line}") for line, (_, target) in numbered]
        sources = [self.encode(source, oov, line, lambda *_: None) for line, (source, _) in numbered]
        found: list[list[float]] = [[] for _ in pairs]

        def score_batch(batch: np.ndarray) -> None:
            log_probs = self.writer.log_probs([sources[index] for index in batch], [targets[index] for index in batch])
            for index, values in zip(batch.tolist(), log_probs, strict=True):
                found[index] = values

        def size(index: int) -> tuple[int, int]:
            length = len(targets[index].ids) + 2
            return max(self.writer.row_length(sources[index]), length), length

        self.in_batches(score_batch, range(len(pairs)), size, batch_size)
        return [Scored(source, target, values) for (source, target), values in zip(pairs, found, strict=True)]

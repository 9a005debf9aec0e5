"""Writes text with a language model: continues a prompt, all at once or symbol by symbol."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seq2seq.bundle import Bundle
from seq2seq.bundle_record import LANGUAGE_MODEL
from seq2seq.decoding import State, StepEvent, search, select_rows, strategy_of
from seq2seq.errors import BundleError, OptionError
from seq2seq.inference.forcing import text_log_probs
from seq2seq.inference.results import Generated, Scored
from seq2seq.inference.runtimes import make_text_runtime
from seq2seq.inference.threads import single_threaded_products, single_threaded_steps
from seq2seq.inference.window_model import RestartingLanguageModel, TextRuntime
from seq2seq.search_config import GenerationConfig
from seq2seq.text.batches import shift
from seq2seq.text.prose import WORD_JOINT, TextForm
from seq2seq.text.readings import Replacement

OPENING_CHARACTERS = 100  # length of a random place of the validation text


class Opening(NamedTuple):
    """The text that the model continues."""

    text: str
    ids: list[int]
    given: bool  # False: a random place of the validation text, which the output does not begin with


class Writer:
    """Builds one text symbol by symbol, and holds back characters that may be the beginning of a stop string.

    Args:
        form: how symbols are joined into text.
        before: the last symbol of the prompt; empty: there is none.
        stop: strings that end the text.

    """

    def __init__(self, form: TextForm, before: str, stop: Sequence[str]) -> None:
        self.form = form
        self.before = before
        self.stop = stop
        self.held = ""
        self.stopped = False

    def add(self, symbol: str) -> str:
        """Adds the next symbol; returns the text that no stop string can remove any more."""
        self.held += self.form.piece(symbol, self.before)
        self.before = symbol
        found = [place for place in (self.held.find(stop) for stop in self.stop) if place >= 0]
        if found:
            self.stopped = True
            certain, self.held = self.held[: min(found)], ""
            return certain
        kept = max((overlap(self.held, stop) for stop in self.stop), default=0)
        certain, self.held = self.held[: len(self.held) - kept], self.held[len(self.held) - kept :]
        return certain


def overlap(text: str, stop: str) -> int:
    """Returns how many characters at the end of `text` are a beginning of `stop`."""
    return next((size for size in range(min(len(text), len(stop) - 1), 0, -1) if stop.startswith(text[-size:])), 0)


class LanguageModel:
    """Writes text with a trained model.

    Args:
        bundle: the model.
        runtime: "numpy" (needs no TensorFlow), "keras", or "auto", which means NumPy.
        step_model: an existing runtime to use; None: one is built from the weights.

    """

    def __init__(self, bundle: Bundle, *, runtime: str = "auto", step_model: TextRuntime | None = None) -> None:
        if bundle.kind != LANGUAGE_MODEL:
            raise BundleError(f"{bundle.path}: is a {bundle.kind}, expected a {LANGUAGE_MODEL}; use `decode` for it")
        self.bundle = bundle
        self.vocabulary = bundle.target_vocabulary
        self.form = TextForm.of(bundle.data)
        self.runtime = step_model or make_text_runtime(bundle, runtime)

    def generate(self, prompt: str | None = None, *, stop: Sequence[str] = (), **options: Any) -> str:
        """Writes one text.

        Args:
            prompt: the beginning of the text; None or empty: continues a random place of the validation text.
            stop: the text ends before the first of these strings.
            options: fields of GenerationConfig, such as length=400, temperature=0.7 or seed=1.

        Returns:
            The prompt, if one was given, and its continuation.

        Raises:
            OptionError: an option is unknown or out of range.
            DataError: with oov="error", a character of the prompt is unknown to the model.

        """
        config = one_text(options)
        (text,) = self.write(self.open(prompt, config), config, checked_stops(stop))
        return text.text

    def stream(self, prompt: str | None = None, *, stop: Sequence[str] = (), **options: Any) -> Iterator[str]:
        """Yields the text of `generate` in pieces, each as soon as it is known; the prompt is the first piece."""
        config = one_text(options)
        return self.pieces(self.open(prompt, config), config, checked_stops(stop))

    def pieces(
        self, opening: Opening, config: GenerationConfig, stop: Sequence[str] = (), *, sample: int = 1
    ) -> Iterator[str]:
        """Yields one sample (counted from 1) in pieces; `config` must have a seed."""
        if opening.given:
            yield opening.text
        writer = Writer(self.form, self.last_symbol(opening), stop)
        for event in single_threaded_steps(self.events(opening, config, [sample])):
            if piece := writer.add(self.vocabulary.symbol(int(event.tokens[0, 0]))):
                yield piece
            if writer.stopped:
                return
        if writer.held:
            yield writer.held

    def texts(self, prompt: str | None = None, *, stop: Sequence[str] = (), **options: Any) -> list[Generated]:
        """Writes `samples` texts from the same prompt together; the first is what `generate` returns."""
        config = GenerationConfig.from_dict(options, where="generate").with_seed()
        return self.write(self.open(prompt, config), config, checked_stops(stop))

    @single_threaded_products()
    def write(self, opening: Opening, config: GenerationConfig, stop: Sequence[str] = ()) -> list[Generated]:
        """Writes all samples; `config` must have a seed."""
        writers = [Writer(self.form, self.last_symbol(opening), stop) for _ in range(config.samples)]
        texts: list[list[str]] = [[opening.text] if opening.given else [] for _ in writers]
        token_ids: list[list[int]] = [[] for _ in writers]
        log_probs: list[list[float]] = [[] for _ in writers]
        for event in self.events(opening, config, range(1, config.samples + 1)):
            for sample, writer in enumerate(writers):
                if not writer.stopped:
                    token_ids[sample].append(int(event.tokens[sample, 0]))
                    log_probs[sample].append(float(event.log_probs[sample, 0]))
                    texts[sample].append(writer.add(self.vocabulary.symbol(token_ids[sample][-1])))
            if all(writer.stopped for writer in writers):
                break
        assert config.seed is not None
        return [
            Generated(
                sample + 1,
                opening.text,
                "".join(texts[sample]) + writer.held,
                self.vocabulary.symbols_of(token_ids[sample]),
                log_probs[sample],
                writer.stopped,
                config.seed,
                token_ids[sample],
            )
            for sample, writer in enumerate(writers)
        ]

    def score(self, texts: Sequence[str]) -> list[Scored]:
        """Computes the log-probability of each symbol of texts except the first symbol.

        Args:
            texts: each has at least one symbol; unknown characters are read as their nearest known form.

        Raises:
            OptionError: `texts` is one string, or a text is empty.

        """
        if isinstance(texts, str) or not all(texts):
            raise OptionError(f"score: expected texts of at least one symbol, got {texts!r}")
        found = []
        for text in texts:
            ids = np.array([self.vocabulary.encode(self.form.line(self.form.normalise(text)))], np.int32)
            log_probs, _ = text_log_probs(self.runtime, *shift(ids), self.runtime.start(1))
            first, *rest = self.vocabulary.symbols_of(ids[0])
            found.append(Scored(first, self.form.text(rest), log_probs[0].tolist()))
        return found

    def open(
        self,
        prompt: str | None,
        config: GenerationConfig,
        *,
        notice: Callable[[Replacement], None] = lambda replacement: None,
    ) -> Opening:
        """Turns the prompt into ids, or chooses a place of the validation text by the seed.

        Args:
            prompt: None or empty: a random place.
            config: must have a seed.
            notice: receives each unknown character of the prompt.

        Raises:
            OptionError: the prompt has only separators, or there is neither a prompt nor a validation text.
            DataError: with oov="error", a character is unknown to the model.

        """
        if not prompt:
            assert config.seed is not None
            opening = self.random_opening(config.seed)
            if not opening.ids:
                raise OptionError(
                    f"{self.bundle.path}: expected validation text to continue, got {opening.text!r}; "
                    "give --prompt TEXT"
                )
            return opening
        text = self.form.normalise(prompt)
        line = self.form.line(text)
        if config.oov == "map":
            for replacement in self.vocabulary.replacements(line):
                joints = line.count(WORD_JOINT, 0, replacement.column - 1)
                notice(replacement._replace(column=replacement.column - joints))
        ids = self.vocabulary.encode(line, oov=config.oov, where="--prompt")
        if not ids:
            raise OptionError(
                f"--prompt: expected at least one symbol, got {prompt!r}; without --prompt a random place is continued"
            )
        return Opening(text, ids, given=True)

    def random_opening(self, seed: int) -> Opening:
        """Chooses a place of the validation text in the model folder; without such a text it has no ids."""
        text = random_place(self.bundle.excerpt, self.form, seed)
        return Opening(text, self.vocabulary.encode(self.form.line(text), oov="unk"), given=False)

    def last_symbol(self, opening: Opening) -> str:
        """Returns the last symbol of a given prompt; an empty string for a random place."""
        return self.vocabulary.symbol(opening.ids[-1]) if opening.given else ""

    def events(self, opening: Opening, config: GenerationConfig, samples: Sequence[int]) -> Iterator[StepEvent]:
        """Reads the opening once, then yields one event for each symbol of all samples; every event costs the same."""
        rows = np.zeros(len(samples), np.int64)
        logits, state = self.read(opening.ids)
        yield from search(
            self.runtime,
            select_rows(state, rows),
            strategy=strategy_of(config),
            line_numbers=samples,
            max_length=config.length,
            first_logits=logits[rows],
            allow_end=False,
        )

    def read(self, ids: Iterable[int]) -> tuple[np.ndarray, State]:
        """Feeds ids, at least one; returns logits float32 (1, V) for the next symbol, and the state after them."""
        state = self.runtime.start(1)
        if isinstance(self.runtime, RestartingLanguageModel):
            return self.runtime.read(np.array([list(ids)], np.int32), state)
        for token in ids:
            logits, state = self.runtime.step(np.array([token], np.int32), state)
        return logits, state


def one_text(options: Mapping[str, Any], *, where: str = "generate") -> GenerationConfig:
    """Builds the options for one text; draws a seed if none was given. An unknown option's error begins with `where`.

    Raises:
        OptionError: an option is unknown or out of range, or `samples` is not 1.

    """
    config = GenerationConfig.from_dict(options, where=where)
    if config.samples != 1:
        raise OptionError(f"samples: expected 1 for one text, got {config.samples}; `texts` writes several")
    return config.with_seed()


def checked_stops(stop: Sequence[str]) -> list[str]:
    """Returns the stop strings as a list; refuses empty ones, which would end every text at its beginning.

    Raises:
        OptionError: a stop string is empty, or `stop` is one string.

    """
    if isinstance(stop, str) or not all(stop):
        raise OptionError(f"--stop: expected strings of at least one character, got {stop!r}; leave empty ones out")
    return list(stop)


def random_place(excerpt: str, form: TextForm, seed: int) -> str:
    """Returns about `OPENING_CHARACTERS` of a text, from the beginning of a word or symbol to the end of one."""
    last = max(len(excerpt) - OPENING_CHARACTERS, 0)
    marks = {" ", "\n", form.separator[-1:]}
    starts = [0, *(place + 1 for place in range(last) if excerpt[place] in marks)]
    if len(starts) == 1:
        starts = list(range(last + 1))
    start = starts[int(np.random.default_rng(seed).integers(len(starts)))]
    text = excerpt[start : start + OPENING_CHARACTERS]
    return text[: max(form.boundary(text), 0)] or text

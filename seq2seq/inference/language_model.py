"""Writes text with a language model: continues a prompt, all at once or symbol by symbol."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

import numpy as np

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import CONFIG, LANGUAGE_MODEL, TARGET_VOCABULARY
from seq2seq.decoding import State, StepEvent, join_rows, search, select_rows, strategy_of
from seq2seq.errors import BundleError, OptionError
from seq2seq.inference.capacity import check_hypotheses, slot_bytes
from seq2seq.inference.drafts import Draft, Opening, Writer
from seq2seq.inference.forcing import text_log_probs
from seq2seq.inference.given import check_symbols, check_text, listed
from seq2seq.inference.results import Generated, Scored
from seq2seq.inference.runtimes import make_text_runtime
from seq2seq.inference.threads import single_threaded_products, single_threaded_steps
from seq2seq.inference.window_model import RestartingLanguageModel, TextRuntime
from seq2seq.search_config import GenerationConfig
from seq2seq.text.batches import shift
from seq2seq.text.prose import WORD_JOINT, TextForm
from seq2seq.text.readings import Replacement
from seq2seq.typed_json import damaged

OPENING_CHARACTERS = 100  # length of a random place of the validation text


class LanguageModel:
    """Writes text with a trained model.

    Args:
        bundle: the model.
        runtime: "numpy" (needs no TensorFlow), "keras", "onnx", or "auto": NumPy, and onnxruntime for an export.
        step_model: an existing runtime to use; None: one is built from the weights.

    """

    def __init__(self, bundle: Bundle, *, runtime: str = "auto", step_model: TextRuntime | None = None) -> None:
        if bundle.kind != LANGUAGE_MODEL:
            raise BundleError(f"{bundle.path}: is a {bundle.kind}, expected a {LANGUAGE_MODEL}; use `decode` for it")
        self.bundle = bundle
        self.vocabulary = bundle.target_vocabulary
        self.form = TextForm.of(bundle.data)
        if self.vocabulary.separator != self.form.joint:
            raise damaged(
                str(bundle.path / CONFIG),
                f"expected symbols that {self.vocabulary.separator!r} separates in {TARGET_VOCABULARY}, "
                f"got {self.form.joint!r} from the section 'data'",
            )
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
        for event in single_threaded_steps(self.events([opening], config, [sample])):
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

    def write(self, opening: Opening, config: GenerationConfig, stop: Sequence[str] = ()) -> list[Generated]:
        """Writes all samples; `config` must have a seed."""
        return self.write_together([(opening, stop)], config)[0]

    @single_threaded_products()
    def write_together(
        self, tasks: Sequence[tuple[Opening, Sequence[str]]], config: GenerationConfig
    ) -> list[list[Generated]]:
        """Writes all samples of several openings at once, each with its stop strings; each is what `write` gives it."""
        opened = config.samples * len(tasks)
        what = f"--samples {config.samples}" if config.samples > 1 else f"--length {config.length}"
        check_hypotheses(slot_bytes(self.bundle), opened, config.length, what, "give a smaller number")
        drafts: list[Draft] = []
        for drafts in self.growing(tasks, config):  # noqa: B007 - the last ones are the texts
            pass
        assert config.seed is not None
        samples = range(1, config.samples + 1)
        numbered = zip(cycle(samples), drafts, strict=False)
        found = [draft.finished(sample, config.seed, self.vocabulary) for sample, draft in numbered]
        return [found[start : start + len(samples)] for start in range(0, len(found), len(samples))]

    def growing(
        self, tasks: Sequence[tuple[Opening, Sequence[str]]], config: GenerationConfig
    ) -> Iterator[list[Draft]]:
        """Yields the same list of drafts after each symbol, those of the first task first, until all have ended."""
        samples = range(1, config.samples + 1)
        drafts = [
            Draft(opening, Writer(self.form, self.last_symbol(opening), stop))
            for opening, stop in tasks
            for _ in samples
        ]
        for event in self.events([opening for opening, _ in tasks], config, samples):
            for row, draft in enumerate(drafts):
                draft.add(event, row, self.vocabulary)
            yield drafts
            if all(draft.writer.stopped for draft in drafts):
                return

    def score(self, texts: Sequence[str]) -> list[Scored]:
        """Computes the log-probability of each symbol of texts except the first symbol.

        Args:
            texts: each has at least one symbol; unknown characters are read as their nearest known form.

        Raises:
            DataError: a text is no text, such as None or bytes.
            OptionError: `texts` is one string, or a text is empty.

        """
        texts = listed(texts, "score", "texts")
        for number, text in enumerate(texts, 1):
            check_text(text, f"text {number}")
        rows = [self.vocabulary.encode(self.form.line(self.form.normalise(text))) for text in texts]
        if not all(rows):
            raise OptionError(f"score: expected texts of at least one symbol, got {texts!r}")
        found = []
        for row in rows:
            log_probs, _ = text_log_probs(self.runtime, *shift(np.array([row], np.int32)), self.runtime.start(1))
            first, *rest = self.vocabulary.symbols_of(row)
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
            DataError: the prompt is no text or too long, or with oov="error", a character is unknown to the model.

        """
        if prompt is None or prompt == "":
            assert config.seed is not None
            opening = self.random_opening(config.seed)
            if not opening.ids:
                raise OptionError(
                    f"{self.bundle.path}: expected validation text to continue, got {opening.text!r}; "
                    "give --prompt TEXT"
                )
            return opening
        check_text(prompt, "--prompt")
        check_symbols(prompt, self.vocabulary, config.max_prompt_length, "--prompt", "--max-prompt-length")
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

    def events(
        self, openings: Sequence[Opening], config: GenerationConfig, samples: Sequence[int]
    ) -> Iterator[StepEvent]:
        """Reads each opening once, then yields one event for each symbol of all samples; every event costs the same.

        The rows of an event are the samples of the first opening, then those of the next one.
        """
        read = [self.read(opening.ids) for opening in openings]
        rows = np.repeat(np.arange(len(read)), len(samples))
        yield from search(
            self.runtime,
            select_rows(join_rows([state for _, state in read]), rows),
            strategy=strategy_of(config),
            line_numbers=[*samples] * len(read),
            max_length=config.length,
            first_logits=np.concatenate([logits for logits, _ in read])[rows],
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
    if isinstance(stop, str) or not isinstance(stop, Iterable) or not all(isinstance(one, str) and one for one in stop):
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

"""What a completion does with each kind of model: options in, choices out, at once or as they are written."""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, TypeVar

from seq2seq.api import LanguageModel, Translator
from seq2seq.errors import DataError, OptionError
from seq2seq.inference.drafts import Draft, Opening
from seq2seq.inference.results import Generated, Output
from seq2seq.inference.threads import single_threaded_steps
from seq2seq.search_config import DecodingConfig, GenerationConfig
from seq2seq.serving.checks import check_length, check_lines
from seq2seq.serving.log_probs import Tops, log_prob_lists, tops_of_output, tops_of_text
from seq2seq.serving.refusals import Refusal, printable
from seq2seq.serving.schemas import CompletionRequest
from seq2seq.serving.served import Served
from seq2seq.serving.service import Service
from seq2seq.serving.sources import decoded, measured

Result = TypeVar("Result")
USUAL_TEMPERATURE = 1.0  # of OpenAI, for language models


class Completer:
    """One request for completions; the class for each kind of model knows how to answer it."""

    def __init__(self, service: Service, served: Served, asked: CompletionRequest) -> None:
        self.service, self.served, self.asked = service, served, asked
        self.prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
        if asked.max_tokens is not None and asked.max_tokens > service.limits.max_length:
            most = service.limits.max_length
            raise Refusal(
                400,
                f"max_tokens: expected at most {most}, got {asked.max_tokens}; ask for less, or start the server with "
                "a larger --max-length",
                param="max_tokens",
            )
        if not self.prompts:
            raise Refusal(400, "prompt: expected at least one, got an empty list", param="prompt")
        check_lines(service.limits, len(self.prompts), "prompt")
        stop = asked.stop or []
        self.stop = [stop] if isinstance(stop, str) else stop
        self.read = 0  # symbols of the prompts
        self.written = 0  # symbols of the texts
        self.streams = False  # whether it has the place of a stream

    def usable(self, make: Any, param: str | None = None) -> Any:
        """Returns what `make` makes of the request; raises Refusal if the package does not accept it."""
        try:
            return make()
        except (OptionError, DataError) as error:
            raise Refusal(400, printable(str(error)), param=param) from None

    def sampling(self, temperature: float) -> dict[str, Any]:
        """Returns the options of sampling; greedy decoding needs neither a seed nor top_p."""
        if not temperature:
            return {"temperature": 0.0, "seed": 0}
        seed = secrets.randbelow(2**31) if self.asked.seed is None else self.asked.seed
        top_p = self.asked.top_p if self.asked.top_p != 1 else None
        return {"temperature": temperature, "top_p": top_p, "seed": seed}

    def usage(self) -> dict[str, int]:
        """Returns how many symbols were read and written."""
        return {
            "prompt_tokens": self.read,
            "completion_tokens": self.written,
            "total_tokens": self.read + self.written,
        }

    async def choices(self) -> list[dict[str, Any]]:
        """Returns the texts of all prompts."""
        raise NotImplementedError

    async def explained(
        self, found: Sequence[Sequence[Result]], top: Callable[[Result, int], Tops]
    ) -> list[list[Tops | None]]:
        """Returns what `top` returns for each result of each prompt, where the request asks for it."""
        if not self.asked.logprobs:
            return [[None] * len(several) for several in found]
        return await self.service.run_aside(
            lambda: [[top(one, prompt) for one in several] for prompt, several in enumerate(found)]
        )

    def begin(self) -> None:
        """Takes the place of a stream; raises Refusal if there is none."""
        self.service.aside_places.take()
        self.streams = True

    def end(self) -> None:
        """Frees the place of a stream, if it is taken."""
        if self.streams:
            self.service.aside_places.free()
        self.streams = False

    def stream(self) -> AsyncIterator[dict[str, Any]]:
        """Yields parts of the texts, each part as soon as it is known."""
        raise NotImplementedError


def completer_of(service: Service, asked: CompletionRequest) -> Completer:
    """Checks a request and returns what answers it.

    Raises:
        Refusal: the request cannot be answered.

    """
    served = service.models.named(asked.model)
    kind = TextCompleter if isinstance(served.model, LanguageModel) else SourceCompleter
    return kind(service, served, asked)


class SourceCompleter(Completer):
    """Translates prompts."""

    def __init__(self, service: Service, served: Served, asked: CompletionRequest) -> None:
        super().__init__(service, served, asked)
        assert isinstance(served.model, Translator)
        self.lengths = measured(served.model, self.prompts, service.limits, "prompt")
        self.read = sum(self.lengths)
        options = {**self.sampling(asked.temperature or 0.0), "max_length": asked.max_tokens}
        # without sampling all texts are the same: one is decoded and repeated
        options["n_best"] = asked.n if asked.temperature else 1
        self.config = self.usable(lambda: DecodingConfig(**options))

    async def choices(self) -> list[dict[str, Any]]:
        """Returns the texts of all prompts."""
        outputs = await decoded(self.service, self.served, self.prompts, self.lengths, self.config)
        model, most = self.served.model, self.asked.logprobs or 0
        tops = await self.explained(outputs, lambda output, _: tops_of_output(model, output, most))
        return [
            self.choice(
                prompt * self.asked.n + sample,
                several[sample % len(several)],
                self.prompts[prompt],
                tops[prompt][sample % len(several)],
            )
            for prompt, several in enumerate(outputs)
            for sample in range(self.asked.n)
        ]

    def choice(self, index: int, output: Output, prompt: str, tops: Tops | None) -> dict[str, Any]:
        """Returns one text, which ends before a stop string."""
        self.written += len(output.symbols)
        text, stopped = cut(output.text, self.stop)
        join = self.served.model.bundle.target_vocabulary.join
        ends = [len(join(output.symbols[:count])) for count in range(len(output.symbols) + 1)]
        pieces = [text[start:end] or symbol for start, end, symbol in zip(ends, ends[1:], output.symbols, strict=False)]
        known: list[float | None] = list(output.log_probs)
        if self.asked.echo and prompt:  # a translator gives no probability of its source
            text, pieces, known = prompt + text, [prompt, *pieces], [None, *known]
            ends = [0, *(len(prompt) + end for end in ends)]
            tops = tops and [None, *tops]
        log_probs = None if self.asked.logprobs is None else log_prob_lists(pieces, known, ends, len(text), tops)
        return {
            "text": printable(text),
            "index": index,
            "logprobs": log_probs,
            "finish_reason": "stop" if stopped or output.finished else "length",
        }

    async def stream(self) -> AsyncIterator[dict[str, Any]]:
        """Yields whole texts, since a translation is known only when its search has ended."""
        for choice in await self.choices():
            yield choice


class TextCompleter(Completer):
    """Continues prompts with a language model."""

    def __init__(self, service: Service, served: Served, asked: CompletionRequest) -> None:
        super().__init__(service, served, asked)
        assert isinstance(served.model, LanguageModel)
        model = self.model = served.model
        length = (
            min(GenerationConfig.length, service.limits.max_length) if asked.max_tokens is None else asked.max_tokens
        )
        temperature = USUAL_TEMPERATURE if asked.temperature is None else asked.temperature
        samples = asked.n if temperature else 1
        options = {**self.sampling(temperature), "length": length, "samples": samples}
        self.config = self.usable(lambda: GenerationConfig(**options))
        self.openings: list[Opening] = [
            self.usable(lambda prompt=prompt: model.open(prompt, self.config), "prompt") for prompt in self.prompts
        ]
        for number, opening in enumerate(self.openings, 1):
            where = f"prompt {number}" if len(self.openings) > 1 else "prompt"
            check_length(service.limits, len(opening.ids), where, "prompt")
        self.read = sum(len(opening.ids) for opening in self.openings if opening.given)

    async def choices(self) -> list[dict[str, Any]]:
        """Returns the texts of all prompts."""
        tasks = [(opening, tuple(self.stop)) for opening in self.openings]
        found = await self.service.write(self.served, tasks, self.config)
        echo, most = bool(self.asked.echo), self.asked.logprobs or 0
        tops = await self.explained(
            found, lambda one, prompt: tops_of_text(self.model, self.openings[prompt], one, most, echo=echo)
        )
        return [
            self.choice(
                prompt * self.asked.n + sample,
                several[sample % len(several)],
                self.openings[prompt],
                tops[prompt][sample % len(several)],
            )
            for prompt, several in enumerate(found)
            for sample in range(self.asked.n)
        ]

    def choice(self, index: int, one: Generated, opening: Opening, tops: Tops | None) -> dict[str, Any]:
        """Returns one text."""
        self.written += len(one.symbols)
        skipped = len(opening.text) if opening.given else 0
        text = one.text[skipped:]
        pieces = self.pieces(one.symbols, self.model.last_symbol(opening))
        known: list[float | None] = list(one.log_probs)
        if self.asked.echo and opening.given:
            symbols = self.model.vocabulary.symbols_of(opening.ids)
            text = one.text
            pieces = self.pieces(symbols, "") + pieces
            known = [None, *self.model.score([opening.text])[0].log_probs, *known]
        ends = list(accumulate(map(len, pieces), initial=0))
        log_probs = None if self.asked.logprobs is None else log_prob_lists(pieces, known, ends, len(text), tops)
        finish = "stop" if one.finished else "length"
        return {"text": printable(text), "index": index, "logprobs": log_probs, "finish_reason": finish}

    def pieces(self, symbols: Sequence[str], before: str) -> list[str]:
        """Returns the text that each symbol adds."""
        return [self.model.form.piece(symbol, last) for last, symbol in zip([before, *symbols], symbols, strict=False)]

    def stream(self) -> AsyncIterator[dict[str, Any]]:
        """Yields parts of the texts, each as soon as it is known."""
        return self.service.stream_aside(single_threaded_steps(self.parts()))

    def parts(self) -> Iterator[dict[str, Any]]:
        """Writes the texts of one prompt after the other, the samples of a prompt together."""
        for prompt, opening in enumerate(self.openings):
            indexes = range(prompt * self.asked.n, (prompt + 1) * self.asked.n)
            if self.asked.echo and opening.given:
                yield from (part(index, opening.text) for index in indexes)
            for sample, text, finish in self.grown(opening):
                # without sampling all texts are the same: one is written and repeated
                for index in indexes[sample :: self.config.samples]:
                    yield part(index, text, finish)

    def grown(self, opening: Opening) -> Iterator[tuple[int, str, str | None]]:
        """Yields what is new in the samples of a prompt: the sample, the text, and at its end the reason of the end."""
        drafts: list[Draft] = []
        for written, drafts in enumerate(self.model.growing([(opening, self.stop)], self.config), 1):
            for sample, draft in enumerate(drafts):
                if len(draft.token_ids) == written:  # the text had not ended before
                    self.written += 1
                    if draft.writer.stopped:
                        yield sample, draft.pieces[-1], "stop"
                    elif draft.pieces[-1]:
                        yield sample, draft.pieces[-1], None
        for sample, draft in enumerate(drafts):
            if not draft.writer.stopped:
                yield sample, draft.writer.held, "length"


def part(index: int, text: str, finish: str | None = None) -> dict[str, Any]:
    """Returns a part of a text."""
    return {"text": printable(text), "index": index, "logprobs": None, "finish_reason": finish}


def cut(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """Returns a text up to the first stop string, and whether it has one."""
    found = [place for place in (text.find(each) for each in stop) if place >= 0]
    return (text[: min(found)], True) if found else (text, False)

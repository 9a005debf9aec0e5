"""What the endpoints share: models, limits, the gate, the queue of each model, and threads for other work."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from fastapi import Request

from seq2seq.api import LanguageModel
from seq2seq.bundle.record import RUNS
from seq2seq.inference.processes import ModelProcesses
from seq2seq.inference.results import Generated, Output
from seq2seq.search_config import DecodingConfig, GenerationConfig
from seq2seq.serving import work
from seq2seq.serving.batching import Batcher
from seq2seq.serving.checks import Places, RateLimit
from seq2seq.serving.gate import Gate
from seq2seq.serving.limits import Limits
from seq2seq.serving.metrics import Counts, Metrics
from seq2seq.serving.served import Models, Served
from seq2seq.serving.work import ByName

Result = TypeVar("Result")

MOST_LINES, MOST_PROMPTS = 1024, 32  # decoded in one call


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the service runs."""

    limits: Limits = field(default_factory=Limits)
    api_keys: Sequence[str] = ()  # none: everybody may use it
    local: bool = True  # it listens on this machine's own address only
    origins: Sequence[str] = ()  # foreign pages that may use it
    runs: Path = RUNS
    doctor: bool = False
    processes: ModelProcesses[ByName] | None = None  # that decode requests; None: threads of this process
    log: Callable[[dict[str, Any]], None] | None = None


class Service:
    """The shared state of all endpoints; it belongs to one event loop."""

    def __init__(self, models: Models, settings: Settings) -> None:
        limits = settings.limits
        self.models, self.settings, self.limits = models, settings, limits
        self.gate = Gate(settings.api_keys, RateLimit(limits.rate))
        self.places = Places(limits.max_waiting, "lines wait or are decoded", "--max-waiting")
        self.aside_places = Places(limits.max_streams, "streams and searches run", "--max-streams")
        self.decoding = ThreadPoolExecutor(len(list(models)), "decode")
        self.aside = ThreadPoolExecutor(limits.max_streams, "aside")
        self.batchers = {served.name: self.batcher(served) for served in models}
        self.metrics = Metrics(lambda: sum(batcher.waiting for batcher in self.batchers.values()))

    def batcher(self, served: Served) -> Batcher[Any, Any, Any]:
        """Makes the queue of a model."""
        of_texts = isinstance(served.model, LanguageModel)
        decode = partial(work.write if of_texts else work.translate, name=served.name)
        most = MOST_PROMPTS if of_texts else MOST_LINES
        processes = self.settings.processes
        if processes:
            return Batcher(decode, submit=processes.submit, at_once=processes.count, most=most, places=self.places)
        here = partial(decode, {served.name: served.model})
        return Batcher(here, submit=self.decoding.submit, at_once=1, most=most, places=self.places)

    async def translate(
        self, served: Served, items: Sequence[tuple[str, int]], config: DecodingConfig
    ) -> list[list[Output]]:
        """Decodes lines, each with its number in its request, together with those of other requests."""
        return await self.batchers[served.name].run(items, config)

    async def write(
        self, served: Served, tasks: Sequence[tuple[Any, Sequence[str]]], config: GenerationConfig
    ) -> list[list[Generated]]:
        """Continues openings, each up to its stop strings, together with those of other requests."""
        return await self.batchers[served.name].run(tasks, config)

    async def run_aside(self, work: Callable[[], Result]) -> Result:
        """Runs other work in a thread.

        Raises:
            Refusal: too much of it runs.

        """
        self.aside_places.take()
        try:
            return await asyncio.get_running_loop().run_in_executor(self.aside, work)
        finally:
            self.aside_places.free()

    async def stream_aside(self, items: Iterator[Result]) -> AsyncIterator[Result]:
        """Yields items, each computed in a thread when it is asked for; the caller takes a place and frees it."""
        loop, end = asyncio.get_running_loop(), object()
        while (item := await loop.run_in_executor(self.aside, next, items, end)) is not end:
            yield item  # type: ignore[misc]

    def close(self) -> None:
        """Ends the threads after what they do now."""
        for executor in (self.decoding, self.aside):
            executor.shutdown(wait=False, cancel_futures=True)
        if self.settings.processes:
            self.settings.processes.close()


def counts_of(request: Request) -> Counts:
    """Returns the counters of a request."""
    counts: Counts = request.scope["counts"]
    return counts

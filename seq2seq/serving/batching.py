"""Decodes together what several requests ask for at the same time; each gets what it would get alone."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Executor
from typing import Any, Generic, NamedTuple, TypeVar

from seq2seq.serving.checks import Places

Item = TypeVar("Item")
Options = TypeVar("Options", bound=Hashable)
Result = TypeVar("Result")

WAIT_SECONDS, MOST_WAITS = 0.002, 5  # for other requests, as long as more come


class Job(Generic[Result]):
    """The items of one request."""

    def __init__(self, count: int, future: "asyncio.Future[list[Result]]") -> None:
        self.results: list[Any] = [None] * count
        self.missing = count
        self.future = future

    def add(self, place: int, result: Result) -> None:
        """Adds one result; the last one ends the job."""
        self.results[place] = result
        self.missing -= 1
        if not self.missing and not self.future.done():
            self.future.set_result(self.results)

    def fail(self, error: Exception) -> None:
        """Ends the job with an error."""
        if not self.future.done():
            self.future.set_exception(error)


class Entry(NamedTuple):
    """An item that waits."""

    job: Job[Any]
    place: int
    item: Any


class Batcher(Generic[Item, Options, Result]):
    """Collects items that have the same options, and decodes them in one call, in a thread.

    Args:
        decode: takes items and their options; returns a result for each. It must not depend on how items are grouped.
        executor: where it runs.
        most: items in a call.
        places: for the items that wait or are decoded.

    """

    def __init__(
        self,
        decode: Callable[[list[Item], Options], Sequence[Result]],
        *,
        executor: Executor,
        most: int,
        places: Places,
    ) -> None:
        self.decode = decode
        self.executor = executor
        self.most = most
        self.places = places
        self.queues: dict[Options, deque[Entry]] = {}  # in the order of their turns
        self.worker: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """The number of items that wait."""
        return sum(map(len, self.queues.values()))

    async def run(self, items: Sequence[Item], options: Options) -> list[Result]:
        """Returns the results of items; cancelled, it takes those that wait out of the queue.

        Raises:
            Refusal: too many items wait.

        """
        if not items:
            return []
        self.places.take(len(items))
        try:
            loop = asyncio.get_running_loop()
            job: Job[Result] = Job(len(items), loop.create_future())
            entries = (Entry(job, place, item) for place, item in enumerate(items))
            self.queues.setdefault(options, deque()).extend(entries)
            if self.worker is None or self.worker.done():
                self.worker = loop.create_task(self.work())
            return await job.future
        except asyncio.CancelledError:
            self.withdraw(job, options)
            raise
        finally:
            self.places.free(len(items))

    def withdraw(self, job: Job[Result], options: Options) -> None:
        """Takes the items of a job out of the queue."""
        kept = deque(entry for entry in self.queues.pop(options, ()) if entry.job is not job)
        if kept:
            self.queues[options] = kept

    async def work(self) -> None:
        """Decodes batch after batch until nothing waits."""
        while self.queues:
            await self.wait_for_others()
            if not self.queues:  # the clients have gone meanwhile
                return
            options, entries = self.next_batch()
            items = [entry.item for entry in entries]
            try:
                results = await asyncio.get_running_loop().run_in_executor(self.executor, self.decode, items, options)
                for entry, result in zip(entries, results, strict=True):
                    entry.job.add(entry.place, result)
            except Exception as error:
                for entry in entries:
                    entry.job.fail(error)

    async def wait_for_others(self) -> None:
        """Waits a little for requests that arrive at the same time, and again if some came."""
        before = 0
        for _ in range(MOST_WAITS):
            if self.waiting == before or self.waiting >= self.most:
                return
            before = self.waiting
            await asyncio.sleep(WAIT_SECONDS)

    def next_batch(self) -> tuple[Options, list[Entry]]:
        """Takes the oldest items of the options whose turn it is."""
        options, queue = next(iter(self.queues.items()))
        del self.queues[options]
        entries = [queue.popleft() for _ in range(min(self.most, len(queue)))]
        if queue:
            self.queues[options] = queue  # last: it is the turn of others
        return options, entries

"""Decodes together what several requests ask for at the same time; each gets what it would get alone."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Any, Generic, NamedTuple, TypeVar

from seq2seq.serving.checks import Places

Item = TypeVar("Item")
Options = TypeVar("Options", bound=Hashable)
Result = TypeVar("Result")

Submit = Callable[..., "Future[Any]"]  # of a function and its arguments

WAIT_SECONDS = 0.001  # for requests that arrive at the same time
FEWEST = 16  # items of a call, if so many wait, before they are shared out among several calls


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
    """Collects items that have the same options, and decodes them in one call.

    What comes while calls run is decoded in the next one, so the calls grow with the load.

    Args:
        decode: takes items and their options; returns a result for each. It must not depend on how items are grouped.
        submit: calls it, in a thread or process.
        at_once: calls at a time.
        most: items in a call.
        places: for the items that wait or are decoded.

    """

    def __init__(
        self, decode: Callable[..., Sequence[Result]], *, submit: Submit, at_once: int, most: int, places: Places
    ) -> None:
        self.decode = decode
        self.submit = submit
        self.at_once = at_once
        self.most = most
        self.places = places
        self.queues: dict[Options, deque[Entry]] = {}  # in the order of their turns
        self.running: set[asyncio.Task[None]] = set()
        self.planned: asyncio.TimerHandle | None = None

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
            job: Job[Result] = Job(len(items), asyncio.get_running_loop().create_future())
            entries = (Entry(job, place, item) for place, item in enumerate(items))
            self.queues.setdefault(options, deque()).extend(entries)
            self.plan()
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

    def plan(self) -> None:
        """Starts calls in a moment, for what arrives at the same time."""
        if self.queues and not self.planned and len(self.running) < self.at_once:
            self.planned = asyncio.get_running_loop().call_later(WAIT_SECONDS, self.start)

    def start(self) -> None:
        """Starts as many calls as there may be."""
        self.planned = None
        while self.queues and len(self.running) < self.at_once:
            task = asyncio.get_running_loop().create_task(self.work(*self.next_batch()))
            self.running.add(task)
            task.add_done_callback(self.ended)

    def ended(self, task: "asyncio.Task[None]") -> None:
        """Makes room for the next call."""
        self.running.remove(task)
        self.plan()

    async def work(self, options: Options, entries: Sequence[Entry]) -> None:
        """Decodes a batch."""
        try:
            future = self.submit(self.decode, [entry.item for entry in entries], options)
            for entry, result in zip(entries, await asyncio.wrap_future(future), strict=True):
                entry.job.add(entry.place, result)
        except Exception as error:
            for entry in entries:
                entry.job.fail(error)

    def next_batch(self) -> tuple[Options, list[Entry]]:
        """Takes the oldest items of the options whose turn it is: a share for each call that may start now."""
        options, queue = next(iter(self.queues.items()))
        del self.queues[options]
        share = math.ceil(len(queue) / (self.at_once - len(self.running)))
        entries = [queue.popleft() for _ in range(min(self.most, len(queue), max(share, FEWEST)))]
        if queue:
            self.queues[options] = queue  # last: it is the turn of others
        return options, entries

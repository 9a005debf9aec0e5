"""Processes that each hold models and work with them: threads of one process wait for the interpreter's lock."""

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from seq2seq.cores import use_cores
from seq2seq.errors import Seq2SeqError

Model = TypeVar("Model")
Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

MOST_TRIES = 5  # of a piece of work whose process was ended from outside


class ModelProcesses(Generic[Model]):
    """Some processes with the same models, each of which works on one core.

    A process that is killed is replaced, and what it worked on is done again. All of them end with this process.

    Args:
        load: makes the models, in each process once, when they are first needed; it can be pickled.
        count: processes.
        tries: how often a piece of work is begun whose process is ended from outside.

    """

    def __init__(self, load: Callable[[], Model], count: int, *, tries: int = MOST_TRIES) -> None:
        self.load, self.count, self.tries = load, count, tries
        self.lock = threading.Lock()
        self.closed = False
        self.pool = self.new_pool()

    def new_pool(self) -> ProcessPoolExecutor:
        """Makes processes that have nothing of this one's state: its threads and locks cannot be copied safely."""
        start_tracker()
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self.count, context, initializer=prepare, initargs=(self.load,))

    def warm(self) -> None:
        """Starts all processes and loads their models, without waiting for that."""
        for _ in range(self.count):  # a process is started where none is free
            self.submit(nothing)

    def submit(
        self, work: Callable[Concatenate[Model, Arguments], Result], *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        """Lets a process do a piece of work.

        Args:
            work: a function of a module, which gets the models first.
            args: what else it gets; it must be possible to pickle it, and what is returned.
            kwargs: likewise.

        Returns:
            What `work` returns or raises; Seq2SeqError if its processes were killed again and again, or none started.

        """
        outer: Future[Result] = Future()
        outer.set_running_or_notify_cancel()
        self.attempt(outer, functools.partial(with_models, work, args, kwargs), self.tries)
        return outer

    def attempt(self, outer: "Future[Result]", task: Callable[[], Result], tries: int) -> None:
        """Starts a piece of work, which may have `tries` tries."""
        with self.lock:
            if self.closed:
                outer.set_exception(closed())
                return
            try:
                with interrupts_blocked():
                    inner = self.start(task)
            except (OSError, MemoryError, RuntimeError) as error:  # raised, it would be lost where this is a callback
                reason = getattr(error, "strerror", None) or str(error) or "there is not enough memory"
                outer.set_exception(
                    Seq2SeqError(f"no process could be started: {reason}; give fewer --jobs, or end other programs")
                )
                return
        inner.add_done_callback(functools.partial(self.finish, outer, task, tries))

    def start(self, task: Callable[[], Result]) -> "Future[Result]":
        """Gives a piece of work to the processes, or to new ones where one of them has ended."""
        try:
            return self.pool.submit(task)
        except BrokenProcessPool:
            self.pool = self.new_pool()
            return self.pool.submit(task)

    def finish(self, outer: "Future[Result]", task: Callable[[], Result], tries: int, inner: "Future[Result]") -> None:
        """Passes on what a piece of work came to, or tries again."""
        if inner.cancelled():
            outer.set_exception(closed())
        elif not isinstance(error := inner.exception(), BrokenProcessPool):
            outer.set_exception(error) if error else outer.set_result(inner.result())
        elif tries > 1:
            self.attempt(outer, task, tries - 1)
        else:
            outer.set_exception(
                Seq2SeqError(f"the process that worked on this was ended {self.tries} times; is there enough memory?")
            )

    def close(self) -> None:
        """Lets the processes finish what they do now, and ends them; what waits is not done."""
        with self.lock:
            self.closed = True
        self.pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Ends the processes."""
        self.close()


def start_tracker() -> None:
    """Starts the process that frees semaphores when this one is killed, and lets it do so without a warning."""
    if os.name != "posix":
        return
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join([*filter(None, [before]), "ignore:resource_tracker"])
    try:
        resource_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


@contextlib.contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Blocks Ctrl-C for the processes that are started inside: it is for this one, whose end is theirs."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def closed() -> Seq2SeqError:
    """Returns the error for work that was not done when the processes were closed."""
    return Seq2SeqError("the processes were closed before this was done")


# In a process of the pool -------------------------------------------------------------------------------------------

_models: Callable[[], Any]


def prepare(load: Callable[[], Any]) -> None:
    """Prepares a process: it ends with its parent, and one core is its share."""
    global _models
    _models = functools.cache(load)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    use_cores(1)
    threading.Thread(target=end_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def end_with(parent: Any) -> None:
    """Ends this process when its parent has ended, which a killed one does not announce."""
    parent.join()
    os._exit(1)


def with_models(work: Callable[..., Result], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Result:
    """Does a piece of work in a process of the pool."""
    return work(_models(), *args, **kwargs)


def nothing(models: Any) -> None:
    """Has the models loaded."""

"""Hands items to workers ahead of their turn, and takes the results in order; no more than a few are under way."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    items: Iterable[Item], submit: Callable[[Item], "Future[Result]"], *, most: int
) -> Iterator[tuple[Item, Result]]:
    """Yields items with their results, in order, each as soon as its result is there.

    A thread reads the items, so that results do not wait for an input that pauses.

    Args:
        items: read by that thread, and no further than `most` ahead of what was yielded.
        submit: starts the work on an item.
        most: items that wait for their turn.

    Raises:
        BaseException: reading, or the work on an item, failed; what was before it has been yielded.

    """
    places: queue.Queue[tuple[Item, Future[Result]] | BaseException | None] = queue.Queue(most)
    left = threading.Event()

    def read() -> None:
        end: BaseException | None = None
        try:
            for item in items:
                places.put((item, submit(item)))
                if left.is_set():
                    return
        except BaseException as error:  # the other thread raises it in its turn
            end = error
        places.put(end)

    threading.Thread(target=read, daemon=True).start()  # not waited for: it may read what never ends
    try:
        while (place := places.get()) is not None:
            if isinstance(place, BaseException):
                raise place
            item, future = place
            yield item, future.result()
    finally:
        left.set()
        while not places.empty():  # makes room for the thread, which then sees that nobody takes more
            places.get_nowait()

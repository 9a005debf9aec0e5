"""Stops work for clients that have closed the connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from seq2seq.serving.refusals import ClientGoneError

Result = TypeVar("Result")


async def while_connected(receive: Receive, work: Awaitable[Result]) -> Result:
    """Awaits `work`, and cancels it when the client closes the connection; the body must have been read.

    Raises:
        ClientGoneError: it did.

    """
    task = asyncio.current_task()
    assert task is not None
    gone = asyncio.ensure_future(disconnected(receive))
    cancel = partial(cancelled_by, task)
    gone.add_done_callback(cancel)
    try:
        return await work
    except asyncio.CancelledError:
        if gone.done() and not task.uncancel():  # not cancelled by anybody else too
            raise ClientGoneError from None
        raise
    finally:
        gone.remove_done_callback(cancel)
        gone.cancel()


def cancelled_by(task: asyncio.Task[Any], gone: asyncio.Task[None]) -> None:
    """Cancels a task when another one has ended by itself."""
    if not gone.cancelled():
        task.cancel()


async def disconnected(receive: Receive) -> None:
    """Returns when the client closes the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(StreamingResponse):
    """Server-sent events, which end when the client closes the connection.

    Args:
        events: what is sent.
        on_end: called at the end in any case.

    """

    def __init__(self, events: AsyncIterator[str], on_end: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self.events = events
        self.on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the events."""
        try:
            await while_connected(receive, self.stream_response(send))
        except ClientGoneError:
            pass
        finally:
            self.on_end()

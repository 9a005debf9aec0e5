"""Stands before the application: host names, foreign pages, sizes of bodies, headers, counters and the log."""

import ipaddress
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq.serving.metrics import OTHER, Counts, Metrics, log_entry
from seq2seq.serving.refusals import GONE, Refusal, error_answer

HEADERS = {
    b"content-security-policy": b"default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class Guard:
    """An ASGI application around another one.

    Args:
        app: the application.
        metrics: the counters.
        sizes: most bytes of a body for each path that has a limit of its own; "" for the others.
        local: whether the service listens on this machine's own address only.
        origins: the foreign pages that may ask.
        log: receives an entry for each request; None: there is no log.

    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        sizes: Mapping[str, int],
        local: bool,
        origins: Collection[str] = (),
        log: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.app = app
        self.metrics = metrics
        self.sizes = sizes
        self.local = local
        self.origins = origins
        self.log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), GONE
        counts = scope["counts"] = Counts()

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *HEADERS.items()]
            await send(message)

        most = self.sizes.get(scope["path"], self.sizes[""])
        try:
            self.check(scope, most)
            await self.app(scope, limited(receive, most), send_with_headers)
        except Refusal as refusal:
            await error_answer(scope["path"], refusal)(scope, receive, send_with_headers)
        except Exception:  # the application has answered already, and the connection may go on
            traceback.print_exc()
        finally:
            seconds = time.perf_counter() - began
            path = getattr(scope.get("route"), "path", OTHER)
            self.metrics.add(path, status, seconds, counts)
            if self.log:
                client = (scope.get("client") or ("",))[0]
                self.log(log_entry(scope["method"], scope["path"], status, seconds, client, counts))

    def check(self, scope: Scope, most: int) -> None:
        """Raises Refusal for a foreign host name, a foreign page, or a body that says it is too large."""
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if self.local and host_name(host) not in LOOPBACK_NAMES:
            raise Refusal(
                403,
                f"expected a request for {LOOPBACK_NAMES[0]} or {LOOPBACK_NAMES[1]}, got one for {host[:60]!r}; a "
                "service for other machines needs --host with an address of this one",
            )
        origin = headers.get(b"origin")
        if origin is not None and origin not in self.origins and urlsplit(origin).netloc != host:
            raise Refusal(
                403, f"the page {origin[:60]!r} may not use this service; the server's option --cors ORIGIN allows one"
            )
        length = headers.get(b"content-length", "")
        if length.isdecimal() and int(length[:20]) > most:
            raise too_large(most)


def limited(receive: Receive, most: int) -> Receive:
    """Returns a function that receives the body, and raises Refusal when it has more bytes than `most`."""
    got = 0

    async def receive_limited() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > most:
            raise too_large(most)
        return message

    return receive_limited


def too_large(most: int) -> Refusal:
    """Returns the answer to a body that is too large."""
    return Refusal(
        413,
        f"expected a body of at most {most} bytes, got a larger one; send several requests, or start the server with "
        "a larger --max-bytes",
    )


def host_name(host: str) -> str:
    """Returns a Host header without its port, in lower case, and an IPv6 address without brackets."""
    name = host.rsplit(":", 1)[0] if host.rpartition(":")[2].isdecimal() and not host.endswith("]") else host
    return name.lower().removeprefix("[").removesuffix("]")


def is_loopback(host: str) -> bool:
    """Returns whether a server on this address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

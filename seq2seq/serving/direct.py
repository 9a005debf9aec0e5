"""Calls endpoints without FastAPI's routing and middleware, which take longer than the rest of a short request."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from seq2seq.errors import Seq2SeqError
from seq2seq.serving.refusals import FAILED, answer_to

Endpoint = Callable[[Request], Awaitable[Response]]


class Route(NamedTuple):
    """A request that an endpoint answers; it takes the place of FastAPI's routes in the scope of a request."""

    method: str
    path: str


class Direct:
    """An ASGI application that calls the endpoint of a request if it has one, and another application if not.

    Args:
        app: the other application; it has the same endpoints, to describe them and to refuse other methods.
        endpoints: by their routes; each reads all that it needs from the request, and checks it.

    """

    def __init__(self, app: ASGIApp, endpoints: Mapping[Route, Endpoint]) -> None:
        self.app = app
        self.endpoints = {route: (route, endpoint) for route, endpoint in endpoints.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        found = self.endpoints.get(Route(scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        route, endpoint = found
        scope.update(route=route, app=self.app)  # in an application, Starlette refuses a form that is not whole by 400
        try:
            answer = await endpoint(Request(scope, receive))
        except Exception as error:
            refused = answer_to(scope["path"], error)
            await refused(scope, receive, send)
            if refused.status_code == FAILED and not isinstance(error, Seq2SeqError):
                raise
            if refused.status_code == FAILED:  # of the model's folder or its processes
                logging.getLogger("uvicorn.error").error("error: %s", error)
        else:
            await answer(scope, receive, send)

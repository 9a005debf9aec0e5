"""Makes the application: a service in, an ASGI application out."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from fastapi.responses import FileResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from seq2seq.serving import about, completions, examination, explain, novelty, runs, translate
from seq2seq.serving.direct import Direct, Route
from seq2seq.serving.guard import Guard
from seq2seq.serving.refusals import ClientGoneError, answer_to, responses
from seq2seq.serving.service import Service
from seq2seq.version import __version__

PAGE = Path(__file__).resolve().parent / "page"
DESCRIPTION = "Translations as LibreTranslate has them, completions as OpenAI has them."


def create_app(service: Service) -> Guard:
    """Makes the application of a service."""
    settings = service.settings

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    # the pages that describe an API load scripts from elsewhere, which the policy of contents forbids
    app = FastAPI(
        title="seq2seq", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None, lifespan=lifespan
    )
    for part in (about, translate, completions, explain, runs, novelty, examination):
        app.include_router(part.routes(service))
    add_page(app, service)
    add_error_forms(app)
    describe(app, service)
    inner: ASGIApp = Direct(app, {Route("POST", "/translate"): translate.endpoint(service)})
    if settings.origins:
        inner = CORSMiddleware(
            inner, allow_origins=settings.origins, allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    sizes = {"": settings.limits.max_bytes, **({"/doctor": examination.MOST_BYTES} if settings.doctor else {})}
    return Guard(
        inner,
        metrics=service.metrics,
        sizes=sizes,
        local=settings.local,
        origins=settings.origins,
        log=settings.log,
    )


def add_page(app: FastAPI, service: Service) -> None:
    """Adds the page, its files, and the counters."""

    @app.get("/", response_class=FileResponse, include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses={**responses(403, 500), 200: {"description": "Prometheus's text form"}},
    )
    async def metrics() -> PlainTextResponse:
        """Returns the counters for Prometheus."""
        return PlainTextResponse(service.metrics.text(), media_type="text/plain; version=0.0.4")

    app.mount("/static", StaticFiles(directory=PAGE))


def add_error_forms(app: FastAPI) -> None:
    """Gives every error the form that the clients of its path read."""

    async def answer(request: Request, error: Exception) -> Response:
        return answer_to(request.url.path, error)

    for kind in (HTTPException, RequestValidationError, ClientGoneError, Exception):
        app.add_exception_handler(kind, answer)


def describe(app: FastAPI, service: Service) -> None:
    """Describes this service's limits, and takes out status 422 of FastAPI: here invalid bodies get status 400."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            for path in schema["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
            for name in ("HTTPValidationError", "ValidationError"):
                schema["components"]["schemas"].pop(name, None)
            fields = schema["components"]["schemas"]["CompletionRequest"]["properties"]
            fields["max_tokens"]["anyOf"][0]["maximum"] = service.limits.max_length
            fields["prompt"]["anyOf"][1] |= {"minItems": 1, "maxItems": service.limits.max_lines}
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]

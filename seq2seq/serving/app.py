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

from seq2seq.serving import about, completions, examination, explain, novelty, runs, translate
from seq2seq.serving.guard import GONE, Guard
from seq2seq.serving.refusals import ClientGoneError, error_answer, refusal_of, responses
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
    if settings.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=settings.origins, allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    sizes = {"": settings.limits.max_bytes, **({"/doctor": examination.MOST_BYTES} if settings.doctor else {})}
    return Guard(
        app,
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

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return error_answer(request.url.path, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return error_answer(request.url.path, refusal_of(error))

    @app.exception_handler(ClientGoneError)
    async def gone(request: Request, error: ClientGoneError) -> Response:
        return Response(status_code=GONE)  # nobody reads it

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        return error_answer(request.url.path, HTTPException(500, "the service failed; its log says why"))


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

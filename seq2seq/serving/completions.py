"""POST /v1/completions and GET /v1/models, as OpenAI has them, for language models and translators."""

import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from seq2seq.serving.connection import EventStream, while_connected
from seq2seq.serving.continuations import Completer, completer_of
from seq2seq.serving.refusals import Refusal, error_answer, responses
from seq2seq.serving.schemas import CompletionAnswer, CompletionRequest, ModelAnswer, ModelsAnswer
from seq2seq.serving.served import Served
from seq2seq.serving.service import Service, counts_of


def routes(service: Service) -> APIRouter:
    """Returns the endpoints."""
    router = APIRouter(prefix="/v1")
    events: dict[str, Any] = {"text/event-stream": {}}

    @router.post(
        "/completions",
        response_model=CompletionAnswer,
        responses={
            **responses(400, 401, 403, 404, 413, 429, 500, 503, openai=True),
            200: {"description": "The texts; with `stream`, events that end with [DONE]", "content": events},
        },
        dependencies=[Depends(service.gate.count), Depends(service.gate.check_header)],
    )
    async def complete(request: Request, asked: CompletionRequest) -> Any:
        """Continues prompts with a language model, or translates them."""
        completer = completer_of(service, asked)
        head = {
            "id": f"cmpl-{secrets.token_hex(12)}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": completer.served.name,
        }
        if asked.stream:
            completer.begin()  # before the answer begins, so that a refusal has its status
            return EventStream(sent(request, completer, head), completer.end)
        choices = await while_connected(request.receive, completer.choices())
        count(request, completer)
        return JSONResponse({**head, "choices": choices, "usage": completer.usage()})

    @router.get(
        "/models",
        response_model=ModelsAnswer,
        responses={**responses(401, 403, 500, openai=True)},
        dependencies=[Depends(service.gate.check_header)],
    )
    async def models() -> JSONResponse:
        """Lists the models."""
        return JSONResponse({"object": "list", "data": [described(served) for served in service.models]})

    @router.get(
        "/models/{model}",
        response_model=ModelAnswer,
        responses={**responses(401, 403, 404, 500, openai=True)},
        dependencies=[Depends(service.gate.check_header)],
    )
    async def model(model: str) -> JSONResponse:
        """Describes a model."""
        return JSONResponse(described(service.models.named(model)))

    return router


def described(served: Served) -> dict[str, Any]:
    """Describes a model."""
    return {"id": served.name, "object": "model", "created": served.created, "owned_by": "seq2seq"}


def count(request: Request, completer: Completer) -> None:
    """Counts the lines and symbols of a request."""
    usage = completer.usage()
    lines = len(completer.prompts)
    counts_of(request).add(lines=lines, source=usage["prompt_tokens"], target=usage["completion_tokens"])


async def sent(request: Request, completer: Completer, head: dict[str, Any]) -> AsyncIterator[str]:
    """Yields server-sent events: a choice each, the usage if it was asked for, and [DONE]."""
    try:
        async for choice in completer.stream():
            yield event({**head, "choices": [choice]})
        if (completer.asked.stream_options or {}).get("include_usage"):
            yield event({**head, "choices": [], "usage": completer.usage()})
    except Exception:
        failure = error_answer(request.url.path, Refusal(500, "the service failed; its log says why"))
        yield event(json.loads(bytes(failure.body)))
        raise
    finally:
        count(request, completer)
    completer.end()  # a client that has read the end may ask again at once
    yield "data: [DONE]\n\n"


def event(content: dict[str, Any]) -> str:
    """Returns one server-sent event."""
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n"

"""POST /novelty: which parts of a text its model's training text has too."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from seq2seq.api import LanguageModel
from seq2seq.errors import BundleError, DataError
from seq2seq.serving.connection import while_connected
from seq2seq.serving.refusals import Refusal, responses
from seq2seq.serving.schemas import NoveltyAnswer, NoveltyRequest
from seq2seq.serving.service import Service


def routes(service: Service) -> APIRouter:
    """Returns the endpoint."""
    router = APIRouter()

    @router.post(
        "/novelty",
        response_model=NoveltyAnswer,
        responses={**responses(400, 403, 404, 413, 429, 500, 503)},
        dependencies=[Depends(service.gate.count)],
    )
    async def novelty(request: Request, asked: NoveltyRequest) -> JSONResponse:
        """Finds what a text quotes from the text that its model was trained on."""
        service.gate.check(request, asked.api_key)
        name, model = language_model(service, asked.model)
        most = service.limits.max_length * service.limits.max_lines
        if len(asked.text) > most:
            raise Refusal(
                400,
                f"text: expected at most {most} characters (--max-length times --max-lines), got {len(asked.text)}; "
                "send it in parts",
                param="text",
            )
        work = service.run_aside(lambda: spans_of(name, model, asked.text))
        return JSONResponse({"spans": await while_connected(request.receive, work)})

    return router


def language_model(service: Service, name: str | None) -> tuple[str, LanguageModel]:
    """Returns the language model with a name, or the first one, with its name."""
    for served in [service.models.named(name)] if name else service.models:
        if isinstance(served.model, LanguageModel):
            return served.name, served.model
    raise Refusal(400, "model: expected a language model, got a translator or none", param="model")


def spans_of(name: str, model: LanguageModel, text: str) -> list[tuple[int, int]]:
    """Returns the start and end of each part that is quoted; raises Refusal where the training text is not there."""
    from seq2seq.scoring.memorization import quoted_spans, training_text

    try:
        return quoted_spans([text], training_text(model.bundle))[0]
    except (BundleError, DataError):  # their messages have paths of this machine
        raise Refusal(
            404, f"model: the text that {name!r} was trained on is not here, or has changed; ask another model"
        ) from None

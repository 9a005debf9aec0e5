"""POST /translate, GET /languages and GET /health, as LibreTranslate has them."""

from collections.abc import Callable, Coroutine, Sequence
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.datastructures import FormData

from seq2seq.api import Translator
from seq2seq.fields import whole_number
from seq2seq.inference.results import Output
from seq2seq.search_config import DecodingConfig
from seq2seq.serving.checks import check_lines
from seq2seq.serving.connection import while_connected
from seq2seq.serving.refusals import Refusal, refusal_of, responses
from seq2seq.serving.schemas import HealthAnswer, LanguageAnswer, TranslateAnswer, TranslateRequest
from seq2seq.serving.served import AUTO, listed
from seq2seq.serving.service import Service, counts_of
from seq2seq.serving.sources import decoded, measured

GREEDY = DecodingConfig()
BEAM_SIZE = 5  # at least, where alternatives are asked for
JSON, FORM, PARTS = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"


def routes(service: Service) -> APIRouter:
    """Returns the endpoints."""
    router = APIRouter()
    json_form, form = described(service), described(service)
    form["properties"]["q"]["anyOf"][1]["minItems"] = 1  # a form without q has no q
    content = {JSON: {"schema": json_form}, FORM: {"schema": form}}

    router.post(
        "/translate",
        response_model=TranslateAnswer,
        responses={**responses(400, 403, 404, 413, 429, 500, 503)},
        openapi_extra={"requestBody": {"required": True, "content": content}},
    )(endpoint(service))

    @router.get("/languages", response_model=list[LanguageAnswer], responses={**responses(403, 500)})
    async def languages() -> JSONResponse:
        """Lists the languages, each with those that it can be translated to."""
        return JSONResponse(listed(service.models))

    @router.get("/health", response_model=HealthAnswer, responses={**responses(403, 500)})
    async def health() -> JSONResponse:
        """Says that the service works."""
        return JSONResponse({"status": "ok"})

    return router


def endpoint(service: Service) -> Callable[[Request], Coroutine[Any, Any, JSONResponse]]:
    """Returns the endpoint of POST /translate, which needs nothing of FastAPI."""

    async def translate(request: Request) -> JSONResponse:
        """Translates a text, or several; each line of a text is translated by itself."""
        await service.gate.count(request)
        asked = await read_request(request)
        service.gate.check(request, asked.api_key)
        return JSONResponse(await while_connected(request.receive, answer(service, request, asked)))

    return translate


def described(service: Service) -> dict[str, Any]:
    """Returns the schema of a request, with the languages and models of this service."""
    schema = TranslateRequest.model_json_schema()
    fields = schema["properties"]
    pairs = [(one.name, one.source.code, one.target.code) for one in service.models if one.source and one.target]
    names, sources, targets = ([*dict.fromkeys(each)] for each in zip(*pairs, strict=True)) if pairs else ([], [], [])
    fields["source"]["enum"] = [AUTO, *sources]
    fields["target"]["enum"] = targets
    fields["model"]["anyOf"][0]["enum"] = ["", *names]
    fields["q"]["anyOf"][1]["maxItems"] = service.limits.max_lines
    return schema


async def read_request(request: Request) -> TranslateRequest:
    """Reads a body in JSON or a form; raises Refusal for one that cannot be understood."""
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    try:
        if kind in (FORM, PARTS):
            async with request.form() as form:
                return TranslateRequest.model_validate(fields_of(form))
        if kind != JSON:
            raise Refusal(400, f"body: expected {JSON} or {FORM}, got {kind[:60]!r}; name one in Content-Type")
        return TranslateRequest.model_validate_json(await request.body())
    except ValidationError as error:
        raise refusal_of(error) from None


def fields_of(form: FormData) -> dict[str, Any]:
    """Returns the fields of a form with the types of TranslateRequest; several `q` are a list."""
    fields: dict[str, Any] = dict(form)
    texts = form.getlist("q")
    if len(texts) > 1:
        fields["q"] = texts
    if isinstance(fields.get("alternatives"), str):
        number = whole_number(fields["alternatives"])
        fields["alternatives"] = fields["alternatives"] if number is None else number
    return fields


async def answer(service: Service, request: Request, asked: TranslateRequest) -> dict[str, Any]:
    """Translates what was asked for."""
    served = service.models.translator(asked.source, asked.target, asked.model)
    model = served.model
    assert isinstance(model, Translator) and served.source
    texts = [asked.q] if isinstance(asked.q, str) else asked.q
    parts = [text.split("\n") for text in texts]
    lines = [line for part in parts for line in part]
    check_lines(service.limits, len(lines), "q")
    lengths = measured(model, lines, service.limits, "q")
    config = GREEDY
    if asked.alternatives:
        several = asked.alternatives + 1
        config = DecodingConfig(beam_size=max(several, BEAM_SIZE), n_best=several)
    outputs = await decoded(service, served, lines, lengths, config)
    written = sum(len(one.symbols) for each in outputs for one in each)
    counts_of(request).add(lines=len(lines), source=sum(lengths), target=written)
    found = iter(outputs)
    translations = [joined(list(islice(found, len(part))), asked.alternatives + 1) for part in parts]
    detected = {"language": served.source.code, "confidence": 0.0}
    result: dict[str, Any] = {"translatedText": [first for first, *_ in translations]}
    if asked.alternatives:
        result["alternatives"] = [others for _, *others in translations]
    if asked.source == AUTO:
        result["detectedLanguage"] = [detected for _ in texts]
    return {key: values[0] for key, values in result.items()} if isinstance(asked.q, str) else result


def joined(lines: Sequence[Sequence[Output]], most: int) -> list[str]:
    """Joins the outputs of lines to at most `most` texts, the best first; a line without another output keeps its best.

    Args:
        lines: for each line its outputs, the best first.
        most: texts; there are no more than the line with the most outputs has.

    """
    count = min(most, max(map(len, lines)))
    return ["\n".join((line[rank] if rank < len(line) else line[0]).text for line in lines) for rank in range(count)]

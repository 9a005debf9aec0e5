"""POST /explain: one output with the probabilities, alternatives, attention, edits and beam behind it."""

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from seq2seq.api import LanguageModel, Translator
from seq2seq.errors import DataError, OptionError
from seq2seq.search_config import DecodingConfig, GenerationConfig
from seq2seq.serving.checks import check_length
from seq2seq.serving.connection import while_connected
from seq2seq.serving.limits import Limits
from seq2seq.serving.refusals import Refusal, printable, responses
from seq2seq.serving.schemas import LARGEST_SEED, WHOLE, Body, Probability
from seq2seq.serving.service import Service, counts_of
from seq2seq.serving.sources import bounded, measured

Whole = Annotated[int, Field(ge=1), WHOLE]


class ExplainRequest(Body):
    """What POST /explain reads."""

    q: str = Field(description="the source; for a language model, the prompt")
    model: str | None = Field(None, description="one of GET /v1/models; absent: the first")
    prefix: str = Field("", description="forced beginning of the output of a translator")
    alternatives: Annotated[int, Field(ge=0, le=500), WHOLE] = Field(5, description="symbols to show at each place")
    temperature: float | None = Field(None, ge=0, allow_inf_nan=False, description="absent: the model's default")
    top_k: Whole | None = None
    top_p: Probability | None = None
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED), WHOLE] | None = None
    beam_size: Annotated[int, Field(ge=1, le=20), WHOLE] = 1
    tree: bool = Field(False, description="show what the beam kept and what it did not keep")
    max_length: Whole | None = Field(None, description="most symbols of a translator's output")
    length: Whole | None = Field(None, description="symbols that a language model writes")
    api_key: str | None = None


class AlternativeAnswer(BaseModel):
    """A symbol that could have been next; null is the end, an empty string a deletion."""

    symbol: str | None
    probability: float


class SymbolAnswer(BaseModel):
    """One symbol of an output."""

    symbol: str | None
    probability: float
    forced: bool
    alternatives: list[AlternativeAnswer]


class ActionAnswer(BaseModel):
    """One edit of a transducer."""

    action: Literal["copy", "delete", "substitute", "insert", "end"]
    position: int
    symbol: str | None
    probability: float


class NodeAnswer(BaseModel):
    """A hypothesis of a search."""

    id: int
    parent: int | None
    step: int
    symbol: str | None
    action: str | None
    log_prob: float
    score: float
    kept: bool
    best: bool


class TreeAnswer(BaseModel):
    """The hypotheses of a search."""

    beam_size: int
    nodes: list[NodeAnswer]


class ExplainAnswer(BaseModel):
    """What POST /explain returns: `Explanation.as_dict()`."""

    model: str
    kind: Literal["translator", "transducer", "language model"]
    source: list[str]
    text: str
    finished: bool
    score: float
    seed: int | None
    symbols: list[SymbolAnswer]
    attention: list[list[float]] | None
    actions: list[ActionAnswer] | None
    tree: TreeAnswer | None


def routes(service: Service) -> APIRouter:
    """Returns the endpoint."""
    router = APIRouter()

    @router.post(
        "/explain",
        response_model=ExplainAnswer,
        responses={**responses(400, 403, 404, 413, 429, 500, 503)},
        dependencies=[Depends(service.gate.count)],
    )
    async def explain(request: Request, asked: ExplainRequest) -> Response:
        """Translates a line, or continues a prompt, and says how sure the model was of each symbol."""
        service.gate.check(request, asked.api_key)
        model = service.models.named(asked.model).model
        check_length(service.limits, max(asked.max_length or 0, asked.length or 0), "max_length, length", "max_length")
        options = options_for(model, asked, service.limits)
        content, source, target = await while_connected(
            request.receive, service.run_aside(lambda: explained(model, asked.q, options))
        )
        counts_of(request).add(lines=1, source=source, target=target)
        return Response(content, media_type="application/json")

    return router


def options_for(model: Translator | LanguageModel, asked: ExplainRequest, limits: Limits) -> dict[str, Any]:
    """Returns the options of `explain`; raises Refusal for a text that is too long."""
    options = asked.model_dump(
        include={"alternatives", "tree", "temperature", "top_k", "top_p", "seed"}, exclude_none=True
    )
    if asked.beam_size > 1:
        options["beam_size"] = asked.beam_size
    if isinstance(model, LanguageModel):
        if asked.prefix:
            raise Refusal(400, "prefix: a language model has none; put it at the end of q", param="prefix")
        symbols = model.form.tokens(model.form.normalise(asked.q))
        check_length(limits, len(symbols), "q", "q")
        return options | {"length": asked.length or min(GenerationConfig.length, limits.max_length)}
    (length,) = measured(model, [asked.q], limits, "q")
    check_length(limits, len(asked.prefix), "prefix", "prefix")
    most = asked.max_length or bounded(model, length, DecodingConfig(), limits.max_length).max_length
    return options | {"prefix": asked.prefix} | ({"max_length": most} if most else {})


def explained(model: Translator | LanguageModel, text: str, options: dict[str, Any]) -> tuple[str, int, int]:
    """Returns an explanation in JSON, and the numbers of symbols that were read and written.

    Raises:
        Refusal: the options contradict one another, or the text cannot be used.

    """
    try:
        found = model.explain(text, **options)
    except (OptionError, DataError) as error:
        raise Refusal(400, printable(str(error))) from None
    content = json.dumps(found.as_dict(), ensure_ascii=False, allow_nan=False)
    return printable(content), len(found.source), len(found.symbols)

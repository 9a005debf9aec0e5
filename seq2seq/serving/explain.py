"""POST /explain: one output with the probabilities, alternatives, attention, edits and beam behind it."""

import heapq
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from seq2seq.api import LanguageModel, Translator
from seq2seq.errors import DataError, OptionError
from seq2seq.inference.explanation import Explanation
from seq2seq.search_config import DecodingConfig, GenerationConfig
from seq2seq.serving.checks import check_length
from seq2seq.serving.connection import while_connected
from seq2seq.serving.limits import Limits
from seq2seq.serving.refusals import Refusal, printable, responses
from seq2seq.serving.schemas import LARGEST_SEED, WHOLE, Body, Probability
from seq2seq.serving.service import Service, counts_of
from seq2seq.serving.sources import bounded, measured

MOST_PEAKS, LEAST_PEAK = 8, 0.01  # of the attention weights of a symbol
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
    attention: Literal["full", "peaks"] = Field(
        "full", description="peaks: only the largest weights of each symbol, in `peaks`; a tenth of the answer or less"
    )
    place: Annotated[int, Field(ge=0), WHOLE] | None = Field(
        None, description="a symbol of the output, from 0: only its alternatives, without attention, edits and tree"
    )
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
    """What POST /explain returns: `Explanation.as_dict()`, and `peaks` if they were asked for."""

    model: str
    kind: Literal["translator", "transducer", "language model"]
    source: list[str]
    text: str
    finished: bool
    score: float
    seed: int | None
    symbols: list[SymbolAnswer]
    attention: list[list[float]] | None
    peaks: list[list[tuple[int, float]]] | None = Field(
        None, description="for each of `symbols` places in `source` with their weights, the largest first"
    )
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
            request.receive, service.run_aside(lambda: explained(model, asked, options))
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


def explained(
    model: Translator | LanguageModel, asked: ExplainRequest, options: dict[str, Any]
) -> tuple[str, int, int]:
    """Returns an explanation in JSON, and the numbers of symbols that were read and written.

    Raises:
        Refusal: the options contradict one another, the text cannot be used, or the output has no such place.

    """
    try:
        found = model.explain(asked.q, **options)
    except (OptionError, DataError) as error:
        raise Refusal(400, printable(str(error))) from None
    shown: dict[str, Any] = {}
    if asked.place is not None:
        found = at_place(found, asked.place)
    if asked.attention == "peaks":
        shown["peaks"] = found.attention and [peaks_of(row) for row in found.attention]
        found = replace(found, attention=None)
    content = json.dumps({**found.as_dict(), **shown}, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return printable(content), len(found.source), len(found.symbols)


def at_place(found: Explanation, place: int) -> Explanation:
    """Returns an explanation with the alternatives of one symbol alone; raises Refusal if there is no such symbol."""
    if place >= len(found.symbols):
        raise Refusal(
            400,
            f"place: expected one of the output's {len(found.symbols)} symbols, counted from 0, got {place}",
            param="place",
        )
    symbols = [one if at == place else replace(one, alternatives=[]) for at, one in enumerate(found.symbols)]
    return replace(found, symbols=symbols, attention=None, actions=None, tree=None)


def peaks_of(weights: Sequence[float]) -> list[tuple[int, float]]:
    """Returns the largest weights with their places, the largest first: it, and others that are not negligible."""
    first, *others = heapq.nlargest(MOST_PEAKS, enumerate(weights), key=lambda each: each[1])
    return [(place, round(weight, 4)) for place, weight in [first, *(each for each in others if each[1] >= LEAST_PEAK)]]

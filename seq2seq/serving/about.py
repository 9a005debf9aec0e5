"""GET /models: what the page can show: the models, their kinds and languages, and whether it can examine files."""

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from seq2seq.api import LanguageModel
from seq2seq.config import TRANSDUCER
from seq2seq.serving.refusals import responses
from seq2seq.serving.served import Served
from seq2seq.serving.service import Service


class ShownModel(BaseModel):
    """A model of the service."""

    id: str
    kind: str = Field(description="translator, transducer or language model")
    source: str | None = Field(description="code of the source language; null for a language model")
    target: str | None
    examples: list[str] = Field(description="a few sources that the model reads well; empty for a language model")


class ModelsShown(BaseModel):
    """All models of the service."""

    models: list[ShownModel]
    doctor: bool = Field(description="whether POST /doctor examines files")


def routes(service: Service) -> APIRouter:
    """Returns the endpoint."""
    router = APIRouter()

    @router.get(
        "/models",
        response_model=ModelsShown,
        responses={**responses(403, 500)},
        dependencies=[Depends(service.gate.check_header)],
    )
    async def models() -> JSONResponse:
        """Lists the models, the first one first."""
        return JSONResponse({"models": [shown(one) for one in service.models], "doctor": service.settings.doctor})

    return router


def shown(served: Served) -> dict[str, object]:
    """Describes a model for the page."""
    source, target = (side.code if side else None for side in (served.source, served.target))
    return {
        "id": served.name,
        "kind": kind_of(served),
        "source": source,
        "target": target,
        "examples": list(served.examples),
    }


def kind_of(served: Served) -> str:
    """Returns the kind of a model, as POST /explain names it."""
    if isinstance(served.model, LanguageModel):
        return "language model"
    return "transducer" if served.model.bundle.model.architecture == TRANSDUCER else "translator"

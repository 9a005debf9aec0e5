"""The errors that a client gets: LibreTranslate's form, and OpenAI's own form below /v1."""

import http
from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from seq2seq.serving.schemas import ErrorAnswer, OpenAIErrorAnswer

OPENAI = "/v1/"
GONE = 499  # the client closed the connection before an answer; no standard status says so
FAILED = 500
KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}  # of errors below /v1
DESCRIPTIONS = {
    400: "The request cannot be understood or answered",
    401: "The API key is missing or wrong",
    403: "The API key is missing or wrong, or a foreign page or host name asks",
    404: "There is no such model, run or data",
    413: "The body is too large",
    429: "The client has sent too many requests; Retry-After says when to go on",
    500: "The service failed",
    503: "Too much work is waiting; Retry-After says when to try again",
}


class Refusal(HTTPException):
    """An answer that is an error.

    Args:
        status: of HTTP.
        message: for the client, with the way out.
        param: the field of the request that is at fault.
        code: a word that programs can compare.
        retry_after: seconds.

    """

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None, retry_after: int = 0
    ) -> None:
        super().__init__(status, message, {"Retry-After": str(retry_after)} if retry_after else None)
        self.param = param
        self.code = code


class ClientGoneError(Exception):
    """The client has closed the connection, so nobody reads an answer."""


def answer_to(path: str, error: Exception) -> Response:
    """Returns the response for what an endpoint raised; status FAILED: for what no endpoint should raise."""
    if isinstance(error, ClientGoneError):
        return Response(status_code=GONE)  # nobody reads it
    if isinstance(error, RequestValidationError):
        return error_answer(path, refusal_of(error))
    if isinstance(error, HTTPException):
        return error_answer(path, error)
    return error_answer(path, HTTPException(FAILED, "the service failed; its log says why"))


def error_answer(path: str, error: HTTPException) -> JSONResponse:
    """Returns the response for an error, in the form that the path's clients read."""
    message = printable(str(error.detail))
    content: dict[str, Any] = {"error": message}
    if path.startswith(OPENAI):
        kind = KINDS.get(error.status_code, "invalid_request_error" if error.status_code < 500 else "server_error")
        content = {
            "error": {
                "message": message,
                "type": kind,
                "param": getattr(error, "param", None),
                "code": getattr(error, "code", None),
            }
        }
    return JSONResponse(content, error.status_code, error.headers)


def refusal_of(error: RequestValidationError | Any) -> Refusal:
    """Turns the first fault that a check of a body found into an answer; the text of the request is not repeated."""
    first = error.errors()[0]
    if first["type"] == "json_invalid" and first["loc"]:  # FastAPI's: the place is a position, not a field
        reason = f"{first['ctx']['error'][:1].lower()}{first['ctx']['error'][1:]}"
        return Refusal(400, f"body: invalid JSON: {reason} at character {first['loc'][-1]}", param="body")
    places = [([str(part) for part in fault["loc"] if part != "body"], fault) for fault in error.errors()]
    # after the name of a field stands which of its types was tried; the fault deepest in a list is of the type meant
    place, fault = max((each for each in places if each[0][:1] == places[0][0][:1]), key=lambda each: len(each[0]))
    field = printable(place[0]) if place else "body"
    return Refusal(400, f"{field}: {fault['msg'][:1].lower()}{fault['msg'][1:]}", param=field)


def printable(text: str) -> str:
    """Replaces what UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def responses(*statuses: int, openai: bool = False) -> Mapping[int | str, dict[str, Any]]:
    """Describes the errors of an endpoint for OpenAPI."""
    model = OpenAIErrorAnswer if openai else ErrorAnswer
    return {
        status: {"model": model, "description": DESCRIPTIONS.get(status, http.HTTPStatus(status).phrase)}
        for status in sorted(statuses)
    }

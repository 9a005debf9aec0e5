"""The bodies of requests and answers; OpenAPI is made from them, and each request is checked against them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_ALTERNATIVES = 20  # of an output
MOST_SAMPLES = 16  # texts for a prompt
LARGEST_SEED = 2**53 - 1  # larger numbers are not exact in every reader of JSON


def whole(value: object) -> object:
    """Returns 3 for 3.0, which is a whole number in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE = BeforeValidator(whole)  # after Field, whose bounds are then in the description
NotEmpty = Annotated[str, Field(min_length=1)]
Probability = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]


class Body(BaseModel):
    """A request: a value of another type than its field's is refused, not converted; unknown fields are ignored."""

    model_config = ConfigDict(strict=True)


class ErrorAnswer(BaseModel):
    """An error in LibreTranslate's form."""

    error: str = Field(description="what was expected, what came, and the way out")


class OpenAIError(BaseModel):
    """What is wrong, in OpenAI's form."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIErrorAnswer(BaseModel):
    """An error in OpenAI's form."""

    error: OpenAIError


class TranslateRequest(Body):
    """What POST /translate reads, as JSON or as a form."""

    q: str | list[str] = Field(description="the text, or several; each line of a text is translated by itself")
    source: str = Field(description="code of the source language, or auto")
    target: str = Field(description="code of the target language")
    format: Literal["text"] = Field("text", description="only text: a model would translate the tags of HTML too")
    alternatives: Annotated[int, Field(ge=0, le=MOST_ALTERNATIVES), WHOLE] = Field(
        0, description="how many other translations to return"
    )
    api_key: str | None = None
    model: str | None = Field(None, description="which model, if several translate between the same languages")


class DetectedLanguage(BaseModel):
    """The language that `auto` stands for; a model has only one, so nothing is detected and the confidence is 0."""

    language: str
    confidence: float


class TranslateAnswer(BaseModel):
    """What POST /translate returns: texts for a text, lists for a list."""

    translatedText: str | list[str]  # noqa: N815 - LibreTranslate's name
    alternatives: list[str] | list[list[str]] | None = Field(None, description="only if they were asked for")
    detectedLanguage: DetectedLanguage | list[DetectedLanguage] | None = Field(  # noqa: N815
        None, description="only for the source auto"
    )


class LanguageAnswer(BaseModel):
    """A language, and the languages that it can be translated to."""

    code: str
    name: str
    targets: list[str]


class HealthAnswer(BaseModel):
    """The service works."""

    status: Literal["ok"]


class CompletionRequest(Body):
    """What POST /v1/completions reads."""

    model: str | None = Field(None, description="one of GET /v1/models; absent: the first")
    prompt: str | list[str] = Field(description="the beginning of the text; for a translator, the source")
    max_tokens: Annotated[int, Field(ge=1), WHOLE] | None = Field(
        None, description="most symbols to write; absent: what the model's data needs"
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        allow_inf_nan=False,
        description="0: greedy; absent: 1 for a language model, 0 for a translator",
    )
    top_p: Probability | None = None
    n: Annotated[int, Field(ge=1, le=MOST_SAMPLES), WHOLE] = Field(1, description="texts for each prompt")
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED), WHOLE] | None = None
    stop: str | list[NotEmpty] | None = Field(None, description="strings that the text ends before")
    logprobs: Annotated[int, Field(ge=0, le=5), WHOLE] | None = Field(
        None, description="return the log-probability of each symbol, and at each place the most probable N symbols"
    )
    echo: bool | None = Field(None, description="return the prompt before the text")
    stream: bool | None = None
    stream_options: dict[str, Any] | None = Field(None, description="include_usage: count the symbols at the end")
    user: str | None = Field(None, description="not used")
    best_of: Annotated[int, Field(ge=1, le=1), WHOLE] | None = Field(
        None, description="not supported: no text is chosen among several"
    )
    suffix: Literal[""] | None = Field(None, description="not supported")
    presence_penalty: float | None = Field(None, ge=0, le=0, description="not supported")
    frequency_penalty: float | None = Field(None, ge=0, le=0, description="not supported")
    logit_bias: dict[str, float] | None = Field(None, max_length=0, description="not supported")


class LogProbs(BaseModel):
    """The log-probabilities of a text, in nats, at temperature 1."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None] | None = Field(
        description="the most probable symbols at each place, and the chosen one; for a transducer, after the "
        "deletions before it; null for `logprobs` 0"
    )
    text_offset: list[int] = Field(description="the place of each symbol in the text, in characters")


class Choice(BaseModel):
    """One text."""

    text: str
    index: int
    logprobs: LogProbs | None
    finish_reason: Literal["stop", "length"]


class Usage(BaseModel):
    """Numbers of symbols."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionAnswer(BaseModel):
    """What POST /v1/completions returns."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class ModelAnswer(BaseModel):
    """A model of the service."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsAnswer(BaseModel):
    """All models of the service."""

    object: Literal["list"]
    data: list[ModelAnswer]


class NoveltyRequest(Body):
    """What POST /novelty reads."""

    text: str
    model: str | None = Field(None, description="a language model; absent: the first")
    api_key: str | None = None


class NoveltyAnswer(BaseModel):
    """The parts of a text that its model's training text has too."""

    spans: list[Annotated[list[int], Field(min_length=2, max_length=2)]] = Field(
        description="start and end of each part, in characters"
    )


class RunAnswer(BaseModel):
    """A folder under runs/."""

    name: str
    finished: bool


class RunDetails(RunAnswer):
    """How a training went, or goes."""

    history: list[dict[str, float | str | None]] = Field(description="a row for each epoch")
    samples: str | None = Field(description="the text of samples.txt")

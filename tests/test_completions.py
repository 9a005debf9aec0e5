"""Completions as OpenAI has them, with the package of OpenAI itself, for both kinds of model."""

import math
import threading

import openai
import pytest
from running import client_of, make_app, running
from tiny_language import make_model

from seq2seq.api import load
from seq2seq.search_config import DecodingConfig, GenerationConfig
from seq2seq.serving.limits import Limits


@pytest.fixture
def folders(tmp_path, tiny_bundle):
    return [make_model(tmp_path / "text").bundle.path, tiny_bundle()]


@pytest.fixture
def served(folders):
    """Yields the client of OpenAI's package, and the two models in this process."""
    with running(make_app(*folders)) as address, client_at(address) as client:
        yield client, *map(load, folders)


def client_at(address, key="none"):
    return openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0)


def test_a_language_model_continues_prompts_as_generate_does(served):
    client, text, _ = served
    answer = client.completions.create(
        model="text", prompt=["Ada fed", "The"], max_tokens=9, temperature=0.5, top_p=0.9, seed=3, n=2
    )
    options = {"length": 9, "temperature": 0.5, "top_p": 0.9, "seed": 3, "samples": 2}
    expected = [one.text[len(prompt) :] for prompt in ("Ada fed", "The") for one in text.texts(prompt, **options)]
    assert [choice.text for choice in answer.choices] == expected
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert {choice.finish_reason for choice in answer.choices} == {"length"}
    assert (answer.object, answer.model, answer.id[:5]) == ("text_completion", "text", "cmpl-")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (10, 36, 46)


def test_temperature_0_is_greedy_and_repeats_one_text(served):
    client, text, tiny = served
    answer = client.completions.create(model="text", prompt="Ada", max_tokens=7, temperature=0, n=2, top_p=0.5, seed=5)
    expected = text.generate("Ada", length=7, temperature=0.0)[3:]
    assert [choice.text for choice in answer.choices] == [expected, expected]
    answer = client.completions.create(model="tiny", prompt="abcd.", temperature=0)
    assert answer.choices[0].text == tiny.translate(["abcd."])[0]
    assert client.completions.create(model="tiny", prompt="abcd.").choices[0].text == answer.choices[0].text


def test_the_prompt_of_a_translator_is_its_source(served):
    client, _, tiny = served
    lines = ["abcd.", "", "efgh."]
    answer = client.completions.create(model="tiny", prompt=lines, temperature=1, seed=2, n=2, max_tokens=6, logprobs=1)
    config = DecodingConfig(temperature=1.0, seed=2, n_best=2, max_length=6)
    outputs = [output for several in tiny.outputs(lines, config) for output in several]
    assert [choice.text for choice in answer.choices] == [output.text for output in outputs]
    assert [choice.finish_reason for choice in answer.choices] == [
        "stop" if output.finished else "length" for output in outputs
    ]
    for choice, output in zip(answer.choices, outputs, strict=True):
        assert choice.logprobs.tokens == output.symbols
        assert choice.logprobs.token_logprobs == pytest.approx(output.log_probs[: len(output.symbols)], abs=1e-5)
        assert choice.logprobs.text_offset == list(range(len(output.symbols)))
    (echoed,) = client.completions.create(model="tiny", prompt="abcd.", echo=True, logprobs=0).choices
    assert echoed.text == "abcd." + tiny.translate(["abcd."])[0]
    assert "".join(echoed.logprobs.tokens) == echoed.text
    assert echoed.logprobs.token_logprobs[0] is None  # of the source
    assert echoed.logprobs.text_offset[:3] == [0, 5, 6]


def test_stop_strings_end_texts_and_their_probabilities(served):
    client, text, tiny = served
    whole = text.texts("Ada", length=30, seed=1, temperature=1.0)[0].text[3:]
    stop = whole[5:7]
    expected = whole[: whole.index(stop)]
    options = {"max_tokens": 30, "seed": 1, "stop": ["zzz", stop], "logprobs": 0}
    (choice,) = client.completions.create(model="text", prompt="Ada", **options).choices
    assert (choice.text, choice.finish_reason) == (expected, "stop")
    assert "".join(choice.logprobs.tokens) == expected
    said = tiny.translate(["abcd."])[0]
    (choice,) = client.completions.create(model="tiny", prompt="abcd.", stop=said[2:4], logprobs=0).choices
    assert (choice.text, choice.finish_reason) == (said[: said.index(said[2:4])], "stop")
    assert "".join(choice.logprobs.tokens) == choice.text


def test_the_most_probable_symbols_stand_at_each_place(served):
    client, _, tiny = served
    (choice,) = client.completions.create(model="tiny", prompt="abcd.", temperature=0, logprobs=3).choices
    explained = tiny.explain("abcd.", alternatives=3).symbols
    for top, symbol in zip(choice.logprobs.top_logprobs, explained, strict=False):
        expected = {each.symbol or "<END>": math.log(each.probability) for each in symbol.alternatives}
        assert top == pytest.approx(expected)
    assert len(choice.logprobs.top_logprobs) == len(choice.logprobs.tokens) == len(choice.text)
    asked = {"model": "text", "prompt": "Ada fed", "max_tokens": 9, "temperature": 1, "seed": 3, "logprobs": 2}
    plain, echoed = (client.completions.create(**asked, echo=echo).choices[0].logprobs for echo in (False, True))
    assert [{*top} for top in plain.top_logprobs] == [{*top} for top in echoed.top_logprobs[7:]]
    assert echoed.top_logprobs[0] is None
    for found in (plain, echoed):
        for token, log_prob, top in list(zip(found.tokens, found.token_logprobs, found.top_logprobs, strict=True))[1:]:
            assert top[token] == pytest.approx(log_prob, abs=1e-5)
            best = sorted(top.values(), reverse=True)
            assert len(top) in (2, 3) and (len(top) == 2 or log_prob <= best[1] + 1e-5)
    asked = {"model": "tiny", "prompt": ["abcd.", ""], "echo": True, "temperature": 0}
    (first, second) = client.completions.create(**asked, logprobs=1).choices
    assert (first.logprobs.top_logprobs[0], second.logprobs.tokens) == (None, [])
    assert client.completions.create(**asked, logprobs=0).choices[0].logprobs.top_logprobs is None


def test_log_probabilities_of_an_echoed_prompt_are_those_of_score(served):
    client, text, _ = served
    answer = client.completions.create(model="text", prompt="Ada fed", max_tokens=4, seed=1, logprobs=0, echo=True)
    (choice,) = answer.choices
    (scored,) = text.score([choice.text])
    assert choice.logprobs.token_logprobs[0] is None
    assert choice.logprobs.token_logprobs[1:] == pytest.approx(scored.log_probs, abs=1e-5)
    assert choice.logprobs.text_offset == list(range(len("Ada fed") + 4))
    assert "".join(choice.logprobs.tokens) == choice.text


@pytest.mark.parametrize(
    "options",
    [{"seed": 1, "n": 2}, {"temperature": 0, "n": 2}, {"seed": 1, "stop": ["e", "gull"]}, {"seed": 2, "echo": True}],
)
def test_a_stream_joins_to_what_comes_all_at_once(served, options):
    client, _, _ = served
    for model, prompt in (("text", ["Ada fed", "The"]), ("tiny", ["abcd.", "efgh."])):
        asked = {"model": model, "prompt": prompt, "max_tokens": 20, **options}
        whole = client.completions.create(**asked)
        texts, reasons = {}, {}
        stream = client.completions.create(**asked, stream=True, stream_options={"include_usage": True})
        *chunks, last = list(stream)
        for chunk in chunks:
            (choice,) = chunk.choices
            texts[choice.index] = texts.get(choice.index, "") + choice.text
            reasons[choice.index] = choice.finish_reason or reasons.get(choice.index)
        assert [texts[choice.index] for choice in whole.choices] == [choice.text for choice in whole.choices]
        assert [reasons[choice.index] for choice in whole.choices] == [choice.finish_reason for choice in whole.choices]
        assert (last.choices, last.usage.prompt_tokens) == ([], whole.usage.prompt_tokens)


def test_a_stream_ends_with_done(folders):
    with client_of(make_app(*folders)) as client:
        body = {"prompt": "Ada", "max_tokens": 3, "stream": True}
        with client.stream("POST", "/v1/completions", json=body) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            text = "".join(answer.iter_text())
        assert text.endswith("\n\ndata: [DONE]\n\n")
        assert all(line.startswith("data: ") for line in text.splitlines() if line)


class Held:
    """A language model whose steps after some must be let go one by one."""

    def __init__(self, inner, free):
        self.inner, self.free, self.steps, self.go = inner, free, 0, threading.Semaphore(0)

    def start(self, rows):
        return self.inner.start(rows)

    def step(self, token_ids, state):
        self.steps += 1
        if self.steps > self.free:
            assert self.go.acquire(timeout=30)
        return self.inner.step(token_ids, state)


def test_a_client_that_goes_away_ends_its_stream(folders):
    app = make_app(folders[0], log=(entries := []).append)
    (served,) = app.service.models
    held = served.model.runtime = Held(served.model.runtime, free=6)
    with client_of(app) as client:
        body = {"prompt": "Ada", "max_tokens": 400, "temperature": 0, "stream": True}
        with client.stream("POST", "/v1/completions", json=body) as answer:
            assert next(answer.iter_lines()).startswith("data: ")
            assert app.service.aside_places.taken == 1
        while app.service.aside_places.taken:
            client.get("/health")
        held.go.release(1000)
    assert held.steps <= 8  # the one that was under way, and no other
    assert [entry["path"] for entry in entries if entry["target_symbols"]] == ["/v1/completions"]


def test_more_streams_than_allowed_are_refused(folders):
    app = make_app(folders[0], limits=Limits(max_streams=1))
    (served,) = app.service.models
    held = served.model.runtime = Held(served.model.runtime, free=6)
    with client_of(app) as client:
        body = {"prompt": "Ada", "max_tokens": 9, "temperature": 0, "stream": True}
        with client.stream("POST", "/v1/completions", json=body) as answer:
            lines = answer.iter_lines()
            next(lines)
            refused = client.post("/v1/completions", json=body)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
            assert refused.json()["error"] == {
                "message": "busy: at most 1 streams and searches run at a time; try again in a second, or start the "
                "server with a larger --max-streams",
                "type": "server_error",
                "param": None,
                "code": "overloaded",
            }
            held.go.release(1000)
            assert list(lines)[-2:] == ["data: [DONE]", ""]
        assert client.post("/v1/completions", json=body).status_code == 200


def test_models_are_listed_and_looked_up(served):
    client, _, _ = served
    assert [model.id for model in client.models.list()] == ["text", "tiny"]
    assert client.models.retrieve("tiny").owned_by == "seq2seq"
    with pytest.raises(openai.NotFoundError, match="model: expected one of text, tiny, got 'gpt'") as error:
        client.completions.create(model="gpt", prompt="a")
    assert (error.value.code, error.value.param, error.value.type) == (
        "model_not_found",
        "model",
        "invalid_request_error",
    )


@pytest.mark.parametrize(
    ("model", "options", "param", "message"),
    [
        ("text", {"prompt": []}, "prompt", "prompt: expected at least one, got an empty list"),
        ("text", {"prompt": [1, 2]}, "prompt", "prompt: input should be a valid string"),
        ("text", {"prompt": ["a"] * 101}, "prompt", "prompt: expected at most 100 lines, got 101"),
        ("text", {"prompt": "a" * 501}, "prompt", "prompt: expected at most 500 symbols, got 501"),
        ("text", {"prompt": ["a", "a" * 501]}, "prompt", "prompt 2: expected at most 500 symbols, got 501"),
        ("tiny", {"prompt": ["a", "a" * 501]}, "prompt", "prompt, line 2: expected at most 500 symbols, got 501"),
        ("text", {"max_tokens": 501}, "max_tokens", "max_tokens: expected at most 500, got 501; ask for less, or"),
        ("text", {"max_tokens": 0}, "max_tokens", "max_tokens: input should be greater than or equal to 1"),
        ("text", {"temperature": 3}, "temperature", "temperature: input should be less than or equal to 2"),
        ("text", {"top_p": 0}, "top_p", "top_p: input should be greater than 0"),
        ("text", {"n": 17}, "n", "n: input should be less than or equal to 16"),
        ("text", {"stop": ""}, None, None),
        ("text", {"stop": ["a", ""]}, "stop", "stop: string should have at least 1 character"),
        ("text", {"best_of": 3}, "best_of", "best_of: input should be less than or equal to 1"),
        ("text", {"presence_penalty": 1}, "presence_penalty", "presence_penalty: input should be less than or equal"),
        ("text", {"logit_bias": {"1": 2}}, "logit_bias", "logit_bias: dictionary should have at most 0 items"),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused_in_openais_form(served, model, options, param, message):
    client, _, _ = served
    options = {"prompt": "abcd.", **options}
    if message is None:  # an empty string is no stop string
        assert client.completions.create(model=model, **options).choices
        return
    with pytest.raises(openai.BadRequestError) as error:
        client.completions.create(model=model, **options)
    assert (error.value.param, error.value.type) == (param, "invalid_request_error")
    assert error.value.body["message"].startswith(message)


def test_a_wrong_key_is_an_authentication_error(folders):
    with running(make_app(*folders, api_keys=["secret"])) as address:
        for call in (
            lambda client: client.models.list(),
            lambda client: client.completions.create(model="", prompt=""),
        ):
            with client_at(address, "wrong") as client, pytest.raises(openai.AuthenticationError) as error:
                call(client)
            assert error.value.code == "invalid_api_key"
        with client_at(address, "secret") as client:
            assert len(client.models.list().data) == 2


def test_without_a_prompt_a_place_of_the_validation_text_is_continued(served):
    client, text, _ = served
    answer = client.completions.create(model="text", prompt="", max_tokens=5, seed=4)
    config = GenerationConfig(length=5, seed=4, temperature=1.0)
    assert answer.choices[0].text == text.write(text.open("", config), config)[0].text
    assert answer.usage.prompt_tokens == 0


def test_prompts_of_several_requests_are_read_together(folders, monkeypatch):
    app = make_app(folders[0])
    (served,) = app.service.models
    rows = []
    step = served.model.runtime.step
    monkeypatch.setattr(served.model.runtime, "step", lambda ids, state: [rows.append(len(ids)), step(ids, state)][1])
    with client_of(app) as client:
        body = {"prompt": ["Ada", "The ferry", "gulls"], "temperature": 0, "max_tokens": 4}
        texts = [choice["text"] for choice in client.post("/v1/completions", json=body).json()["choices"]]
    assert max(rows) == 3
    model = load(folders[0])
    assert texts == [
        model.generate(prompt, length=4, temperature=0.0)[len(prompt) :] for prompt in ("Ada", "The ferry", "gulls")
    ]

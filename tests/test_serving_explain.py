"""POST /explain gives what `explain` gives in Python, within the service's limits."""

import json

import pytest
from running import client_of, make_app
from tiny_language import make_model

from seq2seq.api import load
from seq2seq.search_config import DecodingConfig
from seq2seq.serving.explain import peaks_of
from seq2seq.serving.limits import Limits


@pytest.fixture
def folders(tmp_path, tiny_bundle):
    return [tiny_bundle(), tiny_bundle("edits", architecture="transducer"), make_model(tmp_path / "text").bundle.path]


@pytest.fixture
def client(folders):
    with client_of(make_app(*folders, limits=Limits(max_length=20), api_keys=["secret"])) as found:
        yield found


def explain(client, **fields):
    return client.post("/explain", json={"api_key": "secret", **fields})


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({}, {}),
        ({"beam_size": 3, "tree": True, "alternatives": 2}, {"beam_size": 3, "tree": True, "alternatives": 2}),
        ({"tree": True}, {"tree": True}),
        ({"prefix": "ab", "max_length": 6}, {"prefix": "ab", "max_length": 6}),
        ({"temperature": 0.8, "top_k": 3, "top_p": 0.9, "seed": 2}, {"temperature": 0.8, "top_k": 3, "top_p": 0.9,
                                                                     "seed": 2}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("number", [0, 1])
def test_a_translation_is_explained_as_in_python(client, folders, number, fields, options):
    model = load(folders[number])
    answer = explain(client, q="abcd.", model=folders[number].name, **fields)
    limited = {"max_length": 20, **options} if model.length_limit(5, 0, DecodingConfig()) > 20 else options
    assert answer.status_code == 200, answer.text
    assert answer.json() == json.loads(json.dumps(model.explain("abcd.", **limited).as_dict()))


def test_a_text_is_explained_as_in_python(client, folders):
    model = load(folders[2])
    answer = explain(client, q="Ada fed", model="text", length=7, seed=3, temperature=0.5, alternatives=3).json()
    expected = model.explain("Ada fed", length=7, seed=3, temperature=0.5, alternatives=3).as_dict()
    assert answer == json.loads(json.dumps(expected))
    assert len(explain(client, q="Ada fed", model="text", seed=3).json()["symbols"]) == 20


def test_the_alternatives_of_one_symbol_come_alone(client, folders):
    for number, fields in ((0, {}), (1, {"beam_size": 2}), (2, {"length": 7, "seed": 3, "temperature": 0.5})):
        whole = explain(client, q="abcd.", model=folders[number].name, alternatives=50, **fields).json()
        place = len(whole["symbols"]) - 1
        answer = explain(client, q="abcd.", model=folders[number].name, alternatives=50, place=place, **fields).json()
        others = [{**symbol, "alternatives": []} for symbol in whole["symbols"][:-1]]
        rest = {"symbols": [*others, whole["symbols"][-1]], "attention": None, "actions": None, "tree": None}
        assert answer == {**whole, **rest}


def test_peaks_are_the_largest_weights_of_the_attention(client, folders):
    weights = explain(client, q="abcd.").json()["attention"]
    answer = explain(client, q="abcd.", attention="peaks").json()
    assert answer["attention"] is None
    for row, peaks in zip(weights, answer["peaks"], strict=True):
        order = sorted(range(len(row)), key=lambda place: -row[place])
        assert peaks == [[place, round(row[place], 4)] for place in order if row[place] >= 0.01]
    assert explain(client, q="abcd.", model="edits", attention="peaks").json()["peaks"] is None
    assert peaks_of([0.001] * 400 + [0.002]) == [(400, 0.002)]
    assert len(peaks_of([0.04] * 25)) == 8


@pytest.mark.parametrize("number", [0, 1])
def test_the_answer_that_the_page_asks_for_stays_small(tiny_bundle, number):
    folder = tiny_bundle("long", architecture=("attention", "transducer")[number])
    asked = {"q": "ab" * 250, "prefix": "cd" * 249, "max_length": 500, "alternatives": 5}
    with client_of(make_app(folder)) as client:
        short = client.post("/explain", json={**asked, "attention": "peaks"})
        assert len(short.json()["symbols"]) >= 499
        assert len(short.content) < 300_000
        last = client.post("/explain", json={**asked, "alternatives": 500, "place": 498})
        assert len(last.content) < 100_000


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"q": "a" * 21}, 400, "q: expected at most 20 symbols, got 21; cut it into lines, or start the server with a"),
        ({"q": "a" * 21, "model": "text"}, 400, "q: expected at most 20 symbols, got 21"),
        ({"q": "a", "max_length": 21}, 400, "max_length, length: expected at most 20 symbols, got 21"),
        ({"q": "a", "prefix": "a" * 21}, 400, "prefix: expected at most 20 symbols, got 21"),
        ({"q": "a", "prefix": "a", "model": "text"}, 400, "prefix: a language model has none; put it at the end of q"),
        ({"q": "a", "tree": True, "model": "text"}, 400, "--tree: a language model has no beam to show"),
        ({"q": "a", "beam_size": 2, "temperature": 1.0}, 400, "--beam-size and --temperature exclude each other"),
        ({"q": "a", "beam_size": 21}, 400, "beam_size: input should be less than or equal to 20"),
        ({"q": "a", "model": "none"}, 404, "model: expected one of tiny, edits, text, got 'none'"),
        ({"q": "", "place": 0}, 400, "place: expected one of the output's 0 symbols, counted from 0, got 0"),
        ({"q": "a", "api_key": "wrong"}, 403, "expected a valid API key"),
    ],
)
def test_what_cannot_be_explained_is_refused_in_words(client, fields, status, message):
    answer = explain(client, **fields)
    assert (answer.status_code, answer.json()["error"][: len(message)]) == (status, message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"q": ', "body: invalid JSON: expecting value at character 6"),
        (b'{"q" 1}', "body: invalid JSON: expecting ':' delimiter at character 5"),
        (b"{q: 1}", "body: invalid JSON: expecting property name enclosed in double quotes at character 1"),
    ],
)
def test_a_body_that_is_no_json_is_named_so(client, body, message):
    headers = {"Content-Type": "application/json"}
    for path in ("/explain", "/novelty"):
        answer = client.post(path, content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (400, {"error": message})
    error = client.post("/v1/completions", content=body, headers=headers).json()["error"]
    assert (error["message"], error["param"]) == (message, "body")

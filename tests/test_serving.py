"""The service: translations as LibreTranslate has them, what arrives together, and what a client cannot do."""

import asyncio
import contextlib
import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from killing import ends
from libretranslatepy import LibreTranslateAPI
from running import client_of, make_app, running
from tiny_language import make_model

from seq2seq import serve
from seq2seq.api import load
from seq2seq.errors import BundleError, OptionError
from seq2seq.search_config import DecodingConfig
from seq2seq.serving.batching import Batcher
from seq2seq.serving.checks import Places, RateLimit
from seq2seq.serving.connection import while_connected
from seq2seq.serving.guard import host_name, is_loopback
from seq2seq.serving.limits import Limits
from seq2seq.serving.refusals import ClientGoneError, Refusal
from seq2seq.serving.served import Language, languages_of, listed, load_models

LINES = ["abcd.", "efgh.", "", "ijklmn.", "op."]
ASKED = {"source": "source", "target": "target"}


@pytest.fixture
def folder(tiny_bundle):
    return tiny_bundle(hidden_size=16)


def ask(client, **fields):
    return client.post("/translate", json={**ASKED, **fields})


# as LibreTranslate has it


def test_the_client_of_libretranslate_works_unchanged(folder):
    with running(make_app(folder, sources=["en"], targets=["fr"])) as address:
        client = LibreTranslateAPI(address)
        assert client.translate("abcd.", "en", "fr") == load(folder).translate(["abcd."])[0]
        assert client.translate("ab & cd+é", "auto", "fr") == load(folder).translate(["ab & cd+é"])[0]
        assert client.languages() == [
            {"code": "en", "name": "English", "targets": ["fr"]},
            {"code": "fr", "name": "French", "targets": []},
        ]
    with running(make_app(folder, api_keys=["secret"])) as address:
        client = LibreTranslateAPI(address, api_key="secret")
        assert client.translate("abcd.", "source", "target") == load(folder).translate(["abcd."])[0]
        assert len(client.languages()) == 2


def test_json_and_forms_texts_and_lists_give_the_models_translations(folder):
    expected = load(folder).translate(LINES)
    with client_of(make_app(folder)) as client:
        assert ask(client, q=LINES).json() == {"translatedText": expected}
        assert ask(client, q="\n".join(LINES)).json() == {"translatedText": "\n".join(expected)}
        assert client.post("/translate", data={**ASKED, "q": LINES}).json() == {"translatedText": expected}
        assert client.post("/translate", data={**ASKED, "q": LINES[0]}).json() == {"translatedText": expected[0]}
        assert ask(client, q=[]).json() == {"translatedText": []}
        assert ask(client, q="").json() == {"translatedText": ""}
        assert client.get("/health").json() == {"status": "ok"}


def test_alternatives_are_the_best_of_a_beam(folder):
    translator = load(folder)
    outputs = translator.decode_chunk(LINES[:2], DecodingConfig(beam_size=5, n_best=3))
    texts = [[output.text for output in several] for several in outputs]
    with client_of(make_app(folder)) as client:
        answer = ask(client, q=LINES[:2], alternatives=2).json()
        assert answer == {"translatedText": [one[0] for one in texts], "alternatives": [one[1:] for one in texts]}
        form = client.post("/translate", data={**ASKED, "q": LINES[0], "alternatives": "2"}).json()
        assert form == {"translatedText": texts[0][0], "alternatives": texts[0][1:]}


def test_auto_names_the_models_language(folder):
    with client_of(make_app(folder, sources=["en"])) as client:
        answer = ask(client, q="abcd.", source="auto").json()
        assert answer["detectedLanguage"] == {"language": "en", "confidence": 0.0}
        assert ask(client, q=["ab.", "cd."], source="auto").json()["detectedLanguage"] == 2 * [
            {"language": "en", "confidence": 0.0}
        ]


def test_an_unknown_pair_names_what_is_available(folder, tiny_bundle):
    other = tiny_bundle("other")
    with client_of(make_app(folder, other, sources=["en"], targets=["fr"])) as client:
        answer = ask(client, q="abcd.", source="en", target="de")
        assert answer.status_code == 400
        assert answer.json() == {
            "error": "source, target: 'en' to 'de' is not supported; available: en to fr, source to target"
        }
        assert ask(client, q="abcd.", source="target", target="source").status_code == 400
        assert ask(client, q="abcd.", model="other").json()["translatedText"] == load(other).translate(["abcd."])[0]
        wrong = ask(client, q="abcd.", source="en", target="fr", model="other").json()["error"]
        assert wrong.endswith("available: source to target")
        missing = ask(client, q="abcd.", model="third")
        assert (missing.status_code, missing.json()["error"]) == (
            404,
            "model: expected one of tiny, other, got 'third'",
        )


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b'{"q": "a", "source": "source"}', 400, "target: field required"),
        (b'{"q": 5, "source": "source", "target": "target"}', 400, "q: input should be a valid string"),
        (b'{"q": "a", "source": "source", "target": "target", "alternatives": 99}', 400, "alternatives: input should"),
        (
            b'{"q": "a", "source": "source", "target": "target", "format": "html"}',
            400,
            "format: input should be 'text'",
        ),
        (
            b'{"q": "\\ud800", "source": "source", "target": "target"}',
            400,
            "body: invalid JSON: unexpected end of hex escape",
        ),
        (b'{"q": ', 400, "body: invalid JSON: EOF"),
        (b"[" * 9000, 400, "body: invalid JSON: "),
        (b"\xff\xfe", 400, "body: invalid JSON: "),
    ],
)
def test_a_body_that_cannot_be_meant_is_refused_by_field(folder, body, status, message):
    with client_of(make_app(folder)) as client:
        answer = client.post("/translate", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"][: len(message)]) == (status, message)


def test_other_kinds_of_bodies_and_forms_are_refused_in_words(folder):
    with client_of(make_app(folder)) as client:
        answer = client.post("/translate", content=b"q=a", headers={"Content-Type": "text/plain"})
        assert answer.json()["error"] == (
            "body: expected application/json or application/x-www-form-urlencoded, got 'text/plain'; "
            "name one in Content-Type"
        )
        answer = client.post("/translate", data={**ASKED, "q": "a", "alternatives": "two"})
        assert answer.json()["error"] == "alternatives: input should be a valid integer"
        headers = {"Content-Type": "multipart/form-data"}
        answer = client.post("/translate", content=b"q=a", headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (400, "Missing boundary in multipart.")
        answer = client.post("/translate", data=ASKED, files={"q": b"abcd."})
        assert (answer.status_code, answer.json()["error"]) == (400, "q: input should be a valid string")


def test_a_model_with_tags_asks_for_them(tiny_bundle):
    rows = [f"{one}{other}\t{other}{one}\t{tag}" for one in "abcd" for other in "efgh" for tag in ("X", "X;Y")]
    folder = tiny_bundle(rows=rows, data={"features_col": 3})
    with client_of(make_app(folder)) as client:
        assert ask(client, q="ab").json()["error"].startswith("q: line 1: expected source<TAB>tags, got 'ab'")
        assert ask(client, q="ab\tX").json()["translatedText"] == load(folder).translate(["ab\tX"])[0]


# languages


@pytest.mark.parametrize(
    ("data", "origin", "expected"),
    [
        ({}, ("fra-eng", "bundled"), ("en", "fr")),
        ({"reverse": True}, ("fra-eng", "downloaded"), ("fr", "en")),
        ({"source_col": 2, "target_col": 1}, ("deu-eng", "downloaded"), ("de", "en")),
        ({"source_col": 2, "target_col": 1, "reverse": True}, ("deu-eng", "downloaded"), ("en", "de")),
        ({}, ("nob-eng", "downloaded"), ("en", "nob")),
        ({}, ("fra-eng", "path"), ("source", "target")),
        ({}, ("dates", "generated"), ("source", "target")),
        ({"target_col": 3}, ("fra-eng", "bundled"), ("source", "target")),
    ],
)
def test_languages_are_those_of_the_data(folder, data, origin, expected):
    bundle = load(folder).bundle
    record = {**bundle.record, "trained_on": dict(zip(("name", "origin"), origin, strict=True))}
    bundle = dataclasses.replace(bundle, data=dataclasses.replace(bundle.data, **data), record=record)
    assert tuple(language.code for language in languages_of(bundle, "tiny")) == expected


def test_options_name_languages_and_a_model_without_names_gives_its_own(folder, tiny_bundle):
    models = load_models([folder, tiny_bundle("other")], ["English"], ["xx"])
    first, second = models
    assert (first.source, first.target) == (Language("en", "English"), Language("xx", "xx"))
    assert (second.source, second.target) == (Language("source", "other: source"), Language("target", "other: target"))
    assert [one["code"] for one in listed(models)] == ["en", "xx", "source", "target"]
    models = load_models([folder, tiny_bundle("third"), tiny_bundle("fourth")], ["en"])
    pairs = [(one.source.code, one.target.code) for one in models]
    assert pairs == [("en", "target-tiny"), ("source-third", "target-third"), ("source-fourth", "target-fourth")]
    assert listed(models)[-2:] == [
        {"code": "source-fourth", "name": "fourth: source", "targets": ["target-fourth"]},
        {"code": "target-fourth", "name": "fourth: target", "targets": []},
    ]
    assert models.translator("auto", "target-third").name == "third"
    with pytest.raises(OptionError, match=r"--source: expected at most one for each --model \(1\), got 2: en, fr"):
        load_models([folder], ["en", "fr"])
    with pytest.raises(OptionError, match="another folder is called 'tiny' too; rename one of them"):
        load_models([folder, folder])


# what arrives together


@pytest.mark.parametrize(("closes", "ended"), [(True, ClientGoneError), (False, asyncio.CancelledError)])
def test_work_ends_with_its_connection_or_with_its_own_task(closes, ended):
    async def attempt():
        closed, work = asyncio.Event(), asyncio.get_running_loop().create_future()

        async def receive():
            await closed.wait()
            return {"type": "http.disconnect"}

        task = asyncio.ensure_future(while_connected(receive, work))
        await asyncio.sleep(0)
        closed.set() if closes else task.cancel()
        with pytest.raises(ended):
            await task
        assert work.cancelled()

    asyncio.run(attempt())


def test_other_methods_of_a_path_that_is_called_directly_are_refused(folder):
    with client_of(make_app(folder)) as client:
        assert [client.request(method, "/translate").status_code for method in ("GET", "PUT")] == [405, 405]
        assert client.post("/translate/", data={**ASKED, "q": "a"}, follow_redirects=True).status_code == 200


def test_requests_that_arrive_together_get_what_they_get_alone(folder):
    lines = [f"{one}{other}." for one in ("ab", "cd", "ef") for other in ("gh", "ij", "kl", "mn")]
    bodies = [
        *({"prompt": [line, lines[0]], "temperature": 0} for line in lines),
        *({"prompt": [lines[0], line], "temperature": 1, "seed": 3, "n": 2} for line in lines),
        *({"prompt": line, "temperature": 1, "seed": 4, "top_p": 0.8} for line in lines),
    ]
    questions = [{**ASKED, "q": line, "alternatives": 2} for line in lines]
    app = make_app(folder)
    sizes = []
    batcher = app.service.batchers["tiny"]
    decode = batcher.decode
    batcher.decode = lambda items, options: [sizes.append(len(items)), decode(items, options)][1]
    with client_of(app) as client:

        def complete(body):
            return [choice["text"] for choice in client.post("/v1/completions", json=body).json()["choices"]]

        def translate(body):
            return client.post("/translate", json=body).json()

        alone = [*map(complete, bodies), *map(translate, questions)]
        sizes.clear()
        with ThreadPoolExecutor(16) as pool:
            together = [*pool.map(complete, bodies), *pool.map(translate, questions)]
    assert together == alone
    assert sum(sizes) == sum(1 if isinstance(body["prompt"], str) else 2 for body in bodies) + len(questions)
    assert len(sizes) < len(bodies) + len(questions)  # several requests in one call
    model = load(folder)
    config = DecodingConfig(temperature=1.0, seed=3, n_best=2)
    outputs = model.decode_chunk([lines[0], lines[1]], config)
    assert alone[len(lines) + 1] == [output.text for several in outputs for output in several]


def held_batcher(most=4, places=100):
    """A queue whose calls wait until they are let go; returns it, the calls so far, and the event that lets them go."""
    calls, go = [], threading.Event()

    def decode(items, options):
        assert go.wait(300)
        calls.append((list(items), options))
        if "bad" in items:
            raise ValueError("a bad item")
        return [f"{item}{options}" for item in items]

    executor = ThreadPoolExecutor(1)
    return (
        Batcher(
            decode, submit=executor.submit, at_once=1, most=most, places=Places(places, "lines wait", "--max-waiting")
        ),
        calls,
        go,
    )


def test_different_options_are_different_batches_and_take_turns():
    batcher, calls, go = held_batcher()

    async def ask_all():
        jobs = [batcher.run(items, options) for items, options in (("abcdef", 1), ("gh", 2), ("ij", 1), ([], 1))]
        tasks = [asyncio.ensure_future(job) for job in jobs]
        await asyncio.sleep(0)
        assert batcher.waiting == 10
        go.set()
        return await asyncio.gather(*tasks)

    found = asyncio.run(ask_all())
    assert found == [["a1", "b1", "c1", "d1", "e1", "f1"], ["g2", "h2"], ["i1", "j1"], []]
    assert calls == [(["a", "b", "c", "d"], 1), (["g", "h"], 2), (["e", "f", "i", "j"], 1)]
    assert (batcher.places.taken, batcher.waiting) == (0, 0)


def test_lines_of_a_client_that_has_gone_are_not_decoded():
    batcher, calls, go = held_batcher(most=2)

    async def go_away():
        leaving = asyncio.ensure_future(batcher.run("abcdef", 1))
        staying = asyncio.ensure_future(batcher.run("gh", 1))
        while not batcher.running:  # until the first batch is in the thread
            await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait({leaving})
        assert batcher.waiting == 2
        go.set()
        return await staying

    assert asyncio.run(go_away()) == ["g1", "h1"]
    assert [items for items, _ in calls] == [["a", "b"], ["g", "h"]]
    assert batcher.places.taken == 0


def test_more_than_may_wait_is_refused_and_an_error_reaches_its_requests():
    batcher, _, go = held_batcher(places=3)
    go.set()

    async def ask_all():
        with pytest.raises(Refusal) as refusal:
            await batcher.run("abcd", 1)
        assert (refusal.value.status_code, refusal.value.headers) == (503, {"Retry-After": "1"})
        assert refusal.value.detail == (
            "busy: at most 3 lines wait at a time; try again in a second, or start the server with a larger "
            "--max-waiting"
        )
        with pytest.raises(ValueError, match="a bad item"):
            await batcher.run(["bad"], 1)
        assert batcher.places.taken == 0
        return await batcher.run("ab", 1)

    assert asyncio.run(ask_all()) == ["a1", "b1"]


def test_the_event_loop_answers_while_a_line_is_decoded(folder):
    app = make_app(folder)
    batcher, go, started = app.service.batchers["tiny"], threading.Event(), threading.Event()
    decode = batcher.decode

    def held(items, options):
        started.set()
        assert go.wait(300)
        return decode(items, options)

    batcher.decode = held
    with client_of(app) as client, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, client, q="abcd.")
        assert started.wait(300)
        assert client.get("/health").status_code == 200
        go.set()
        assert slow.result().status_code == 200


def test_a_client_that_goes_away_takes_its_lines_out_of_the_queue(folder):
    app = make_app(folder, log=(entries := []).append)
    batcher, go, started = app.service.batchers["tiny"], threading.Event(), threading.Event()
    decode, decoded = batcher.decode, []

    def held(items, options):
        started.set()
        assert go.wait(300)
        decoded.extend(items)
        return decode(items, options)

    batcher.decode = held
    with client_of(app) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, client, q="abcd.")
        assert started.wait(300)
        body = json.dumps({**ASKED, "q": ["efgh."] * 50}).encode()
        host, port = client.base_url.host, client.base_url.port
        with socket.create_connection((host, port)) as leaving:
            head = f"POST /translate HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            leaving.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            while batcher.waiting < 50:
                client.get("/health")
        while batcher.waiting:
            client.get("/health")
        go.set()
        assert first.result().status_code == 200
    assert decoded == [("abcd.", 1)]
    assert [entry["status"] for entry in entries if entry["path"] == "/translate"] == [499, 200]


# limits


def test_each_limit_has_its_own_message(folder):
    app = make_app(folder, limits=Limits(max_length=6, max_lines=3, max_bytes=500))
    with client_of(app) as client:
        for fields, status, message in (
            ({"q": ["a"] * 4}, 400, "q: expected at most 3 lines, got 4; send several requests, or start the server "
             "with a larger --max-lines"),
            ({"q": "a\n" * 4}, 400, "q: expected at most 3 lines, got 5; send several requests, or start the server "
             "with a larger --max-lines"),
            ({"q": ["ab", "abcdefg"]}, 400, "q, line 2: expected at most 6 symbols, got 7; cut it into lines, or start "
             "the server with a larger --max-length"),
            ({"q": "a" * 500}, 413, "expected a body of at most 500 bytes, got a larger one; send several requests, or "
             "start the server with a larger --max-bytes"),
        ):  # fmt: skip
            answer = ask(client, **fields)
            assert (answer.status_code, answer.json()) == (status, {"error": message})

        def parts():
            for _ in range(6):
                yield b"x" * 100

        answer = client.post("/translate", content=parts(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 413  # without a length in the header
        assert max(map(len, ask(client, q=["abcdef"] * 3).json()["translatedText"])) <= 6


def test_a_limit_of_the_output_changes_no_shorter_output(folder):
    lines = [line for line in LINES if line]
    outputs = [several[0] for several in load(folder).outputs(lines, DecodingConfig())]
    length = min(len(output.symbols) for output in outputs if output.finished)
    with client_of(make_app(folder, limits=Limits(max_length=max(8, length)))) as client:
        found = ask(client, q=lines).json()["translatedText"]
        assert found == [output.text[: max(8, length)] for output in outputs]


def test_a_rate_is_counted_for_each_client_and_recovers():
    now = [0.0]
    rate = RateLimit(3, lambda: now[0])
    assert [rate.wait("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert rate.wait("a") == pytest.approx(20)
    assert rate.wait("b") == 0.0
    now[0] = 19.0
    with pytest.raises(Refusal, match="expected at most 3 a minute; try again in 1 seconds") as refusal:
        rate.check("a")
    assert (refusal.value.status_code, refusal.value.headers) == (429, {"Retry-After": "1"})
    now[0] = 20.0
    assert rate.wait("a") == 0.0
    assert rate.wait("a") == pytest.approx(20)
    assert RateLimit(None).wait("a") == 0.0


def test_the_rate_refuses_a_client_but_not_its_page(folder):
    app = make_app(folder, limits=Limits(rate=2), api_keys=["one", "two"])
    with client_of(app, headers={"Authorization": "Bearer one"}) as client:
        assert [ask(client, q="a").status_code for _ in range(3)] == [200, 200, 429]
        answer = ask(client, q="a")
        assert answer.json()["error"].startswith("too many requests: expected at most 2 a minute; try again in ")
        assert 1 <= int(answer.headers["Retry-After"]) <= 30
        assert client.post("/v1/completions", json={"prompt": "a"}).json()["error"]["code"] == "rate_limit_exceeded"
        assert client.get("/languages").status_code == 200
        other = client.post("/translate", json={**ASKED, "q": "a"}, headers={"Authorization": "bearer two"})
        assert other.status_code == 200


def test_a_key_is_asked_for_in_each_form(folder):
    with client_of(make_app(folder, api_keys=["one", "tw\u00f6"])) as client:
        for fields in ({}, {"api_key": "three"}, {"api_key": ""}, {"api_key": "on"}):
            answer = ask(client, q="a", **fields)
            assert answer.status_code == 403
            assert answer.json()["error"] == (
                "expected a valid API key, got none or another one; give it as `Authorization: Bearer KEY` or in the "
                "field api_key"
            )
        assert ask(client, q="a", api_key="tw\u00f6").status_code == 200
        bearer = {"Authorization": "Bearer one"}
        assert client.post("/translate", data={**ASKED, "q": "a"}, headers=bearer).status_code == 200
        answer = client.get("/v1/models")
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
        assert client.get("/v1/models", headers=bearer).status_code == 200
        for path in ("/health", "/languages", "/metrics", "/", "/openapi.json"):
            assert client.get(path).status_code == 200


@pytest.mark.parametrize("parser", ["h11", "httptools"])
@pytest.mark.parametrize(
    ("head", "more"),
    [
        (b"GET /", b"a"),
        (b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", b"a"),
        (b"GET /health HTTP/1.1\r\n", b"X: a\r\n"),
        (b"POST /translate HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: a\r\n"),
    ],
)
def test_a_request_whose_head_or_trailer_does_not_end_is_refused(folder, monkeypatch, parser, head, more):
    if parser == "httptools":
        pytest.importorskip("httptools")
    else:
        monkeypatch.setitem(sys.modules, "seq2seq.serving.protocol", None)
    with client_of(make_app(folder)) as client:
        with socket.create_connection((client.base_url.host, client.base_url.port), timeout=60) as connection:
            connection.sendall(head)
            with contextlib.suppress(ConnectionError):  # the server closes it, or has closed it
                for _ in range(20):
                    connection.sendall(more * (20_000 // len(more)))
            with contextlib.suppress(ConnectionResetError):
                assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
                while connection.recv(1 << 16):
                    pass
        assert client.get("/health").status_code == 200


# other pages and names


def test_a_service_of_this_machine_refuses_foreign_host_names(folder):
    with client_of(make_app(folder)) as client:
        answer = client.get("/health", headers={"Host": "evil.example:80"})
        assert (answer.status_code, answer.json()["error"]) == (
            403,
            "expected a request for localhost or 127.0.0.1, got one for 'evil.example:80'; a service for other "
            "machines needs --host with an address of this one",
        )
        for host in ("localhost", "LOCALHOST:8000", "127.0.0.1", "[::1]:8000", "[::1]"):
            assert client.get("/health", headers={"Host": host}).status_code == 200
    with client_of(make_app(folder, local=False)) as client:
        assert client.get("/health", headers={"Host": "translate.example"}).status_code == 200


@pytest.mark.parametrize(("host", "name"), [("a:80", "a"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("A", "a"), ("", "")])
def test_the_name_of_a_host_is_without_port_and_brackets(host, name):
    assert host_name(host) == name


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "192.168.1.2", "example.org", "::")),
    ],
)
def test_only_addresses_of_this_machine_are_local(host, local):
    assert is_loopback(host) is local


def test_foreign_pages_are_refused_unless_they_are_named(folder):
    with client_of(make_app(folder)) as client:
        own = str(client.base_url).rstrip("/")
        assert client.get("/health", headers={"Origin": own}).status_code == 200
        for origin in ("http://evil.example", "null"):
            answer = client.post("/translate", json={**ASKED, "q": "a"}, headers={"Origin": origin})
            assert (answer.status_code, answer.json()["error"]) == (
                403,
                f"the page {origin!r} may not use this service; the server's option --cors ORIGIN allows one",
            )
            assert "access-control-allow-origin" not in answer.headers
    with client_of(make_app(folder, origins=["http://page.example"])) as client:
        answer = client.get("/health", headers={"Origin": "http://page.example"})
        assert answer.headers["access-control-allow-origin"] == "http://page.example"
        assert client.get("/health", headers={"Origin": "http://evil.example"}).status_code == 403
        answer = ask(client, q=5)  # its endpoint is called directly
        assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (400, False)
        answer = client.post("/translate", json={**ASKED, "q": 5}, headers={"Origin": "http://page.example"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (400, "http://page.example")


def test_every_answer_has_the_headers_that_protect_a_page(folder):
    with client_of(make_app(folder)) as client:
        answers = [client.get("/"), client.get("/nothing"), client.get("/health", headers={"Host": "x"})]
        answers += [client.get("/static/app.js"), client.get("/static/../app.py"), client.get("/static/%2e%2e/app.py")]
        assert [answer.status_code for answer in answers] == [200, 404, 403, 200, 404, 404]
        for answer in answers:
            assert answer.headers["content-security-policy"].startswith("default-src 'self'; ")
            assert answer.headers["x-content-type-options"] == "nosniff"


# counters and log


def test_requests_lines_and_symbols_are_counted(folder):
    app = make_app(folder, log=(entries := []).append)
    with client_of(app) as client:
        answer = ask(client, q=["abcd.", "ef."]).json()
        ask(client, q=5)
        client.get("/nothing?secret")
        text = client.get("/metrics").text
    written = sum(map(len, answer["translatedText"]))
    for line in (
        'seq2seq_requests_total{path="/translate",status="200"} 1.0',
        'seq2seq_requests_total{path="/translate",status="400"} 1.0',
        'seq2seq_requests_total{path="other",status="404"} 1.0',
        'seq2seq_request_seconds_count{path="/translate"} 2.0',
        "seq2seq_lines_total 2.0",
        'seq2seq_symbols_total{side="source"} 8.0',
        f'seq2seq_symbols_total{{side="target"}} {written}.0',
        "seq2seq_queue_length 0.0",
    ):
        assert f"\n{line}\n" in text
    first, second, third = entries[:3]
    assert {key: first[key] for key in ("method", "path", "status", "lines", "source_symbols", "target_symbols")} == {
        "method": "POST", "path": "/translate", "status": 200, "lines": 2, "source_symbols": 8,
        "target_symbols": written,
    }  # fmt: skip
    assert (second["status"], third["path"]) == (400, "/nothing")
    assert "abcd" not in json.dumps(entries) and "secret" not in json.dumps(entries)


def test_a_fault_of_the_model_s_folder_or_processes_is_one_line_of_the_log(folder, caplog):
    def fail(items, options):
        raise BundleError("tiny: holds another model")

    app = make_app(folder)
    app.service.batchers["tiny"].decode = fail
    with client_of(app) as client:
        answer = ask(client, q="abcd.")
    assert (answer.status_code, answer.json()) == (500, {"error": "the service failed; its log says why"})
    assert [record.getMessage() for record in caplog.records] == ["error: tiny: holds another model"]
    assert not caplog.records[0].exc_info


def test_a_fault_of_the_service_is_an_error_in_its_form(folder, capfd):
    app = make_app(folder)
    app.service.batchers["tiny"].decode = lambda items, options: 1 / 0
    with client_of(app) as client:
        answer = ask(client, q="abcd.")
        assert (answer.status_code, answer.json()) == (500, {"error": "the service failed; its log says why"})
        answer = client.post("/v1/completions", json={"prompt": "abcd."})
        assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")
    assert capfd.readouterr().err.count("ZeroDivisionError: division by zero\n") == 2


# the command


@pytest.fixture
def started(folder):
    """Starts the command, waits until it serves, and returns the process and its address."""
    processes = []

    def start(*options, env=None):
        command = [sys.executable, "-m", "seq2seq.serve", "--model", str(folder), "--port", "0", *options]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
        )
        processes.append(process)
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("serving "):
                return process, line.split()[-1], said
        raise AssertionError(said)

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process can handle")
def test_a_signal_lets_what_runs_finish_and_then_ends_the_command_with_0(started, folder):
    process, address, _ = started("--log-requests", env={"SEQ2SEQ_API_KEY": "secret"})
    assert httpx.post(f"{address}/translate", json={**ASKED, "q": "a"}).status_code == 403
    body = {**ASKED, "q": ["abcdefgh."] * 100, "alternatives": 20, "api_key": "secret"}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, f"{address}/translate", json=body, timeout=60)
        while "seq2seq_queue_length 0.0" in httpx.get(f"{address}/metrics").text and not answer.done():
            pass
        process.send_signal(signal.SIGTERM)
        assert answer.result().json()["translatedText"] == [answer.result().json()["translatedText"][0]] * 100
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    entries = [json.loads(line) for line in err.splitlines()]
    assert entries[0]["status"] == 403
    assert [entry["lines"] for entry in entries if entry["path"] == "/translate"] == [0, 100]


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="the processes are found in Linux's /proc")
def test_a_process_that_is_killed_costs_no_request_and_all_end_with_the_command(started, folder):
    process, address, _ = started("--jobs", "2")
    lines = ["abcd.", "efgh.", "dcba."] * 30
    expected = load(folder).translate(lines)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(httpx.post, f"{address}/translate", json={**ASKED, "q": line}) for line in lines]
        answers[0].result()
        workers = children_of(process.pid)
        os.kill(workers[-1], signal.SIGKILL)
        assert [answer.result().json().get("translatedText") for answer in answers] == expected
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert all(map(ends, workers))


def children_of(process):
    """The processes that a process has started, the oldest first."""
    return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_serving_loads_no_tensorflow(folder):
    code = f"""
import sys, threading, urllib.request
import uvicorn
from seq2seq import serve
def use(server, sockets):
    def ask():
        port = sockets[0].getsockname()[1]
        body = b'q=abcd.&source=auto&target=target&alternatives=2'
        assert urllib.request.urlopen(f'http://127.0.0.1:{{port}}/translate', body).status == 200
        server.should_exit = True
    threading.Thread(target=ask).start()
    return run(server, sockets)
run, uvicorn.Server.run = uvicorn.Server.run, use
assert serve.main(['--model', {str(folder)!r}, '--port', '0']) == 0
slow = {{'tensorflow', 'keras', 'matplotlib', 'sacrebleu', 'h5py'}} & set(sys.modules)
assert not slow, slow
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr.startswith("serving tiny at http://127.0.0.1:")


def test_what_cannot_be_served_is_one_line(folder, capsys, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert serve.main(["--model", str(folder), "--port", port]) == 2
    assert capsys.readouterr().err == (
        f"seq2seq serve: error: --host 127.0.0.1 --port {port}: cannot listen there: Address already in use; "
        "give another --port, or 0 for a free one\n"
    )
    for options, message in (
        (["--model", str(tmp_path / "none"), "--port", "0"], "expected a model folder, got nothing there"),
        (["--port", "65536"], "--port: expected 0 to 65535, got 65536"),
        (["--jobs", "-1"], "--jobs: expected 0 to 256, got -1"),
        (["--rate", "0"], "--rate: expected more than 0.0, got 0.0"),
        (["--max-lines", "0"], "--max-lines: expected at least 1, got 0"),
    ):
        assert serve.main(options) == 2
        assert message in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "seq2seq.serving.server", raising=False)
    monkeypatch.delattr("seq2seq.serving.server", raising=False)
    assert serve.main([]) == 2
    assert capsys.readouterr().err.endswith(
        "seq2seq serve: error: needs uvicorn, which is not installed; to install the service, run pip "
        "install '.[serve]' in the folder of seq2seq's source\n"
    )


def test_the_names_of_models_are_listed_without_languages_for_a_text(tmp_path, folder):
    text = make_model(tmp_path / "text").bundle.path
    models = load_models([text, folder])
    assert [one["name"] for one in listed(models)] == ["tiny: source", "tiny: target"]
    with client_of(make_app(text)) as client:
        assert ask(client, q="a").json()["error"].endswith("available: no translator")

"""The service against its own description, and against bodies that nobody means."""

import http.client
import json
import random
import re
import socket
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from campaigns import TORTURE, memory_of
from conftest import ROWS, random_bundle
from running import make_app, running
from tiny_language import make_model

from seq2seq.config import DataConfig, ModelConfig
from seq2seq.serving.limits import Limits

MOST_GROWTH = 16 << 20  # bytes
CLIENTS = 8


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A service with a model of each kind, and a run."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "tiny.tsv").write_text("".join(f"{row}\n" for row in ROWS))
    sizes = {"hidden_size": 8, "embedding_size": 6}
    tiny = random_bundle(folder / "tiny", DataConfig(data=str(folder / "tiny.tsv")), ModelConfig(**sizes), 1)
    text = make_model(folder / "text").bundle.path
    with running(make_app(tiny, text, limits=Limits(max_length=60, max_lines=50), runs=folder)) as found:
        yield found


# options of /explain can contradict one another, such as a beam and a temperature, which no schema says
CONFIG = """
[[operations]]
include-path = "/explain"
checks.positive_data_acceptance.enabled = false
"""


@pytest.mark.campaign("requests made of the service's description", count=100, sample=4)
def test_every_answer_is_one_that_the_description_has(campaign, tmp_path, address):
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    phases = "coverage,fuzzing,stateful" if TORTURE else "coverage,fuzzing"
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{address}/openapi.json", "--phases", phases]
    command += ["--seed", str(campaign.seed), "--max-examples", str(campaign.count), "--generation-database", "none"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stdout.partition("FAILURES")[2] or result.stdout + result.stderr
    assert "13 selected / 13 total" in result.stdout
    (made,) = re.findall(r"^ *(\d+) generated", result.stdout, re.MULTILINE)
    campaign.did(int(made))


class Fuzz:
    """Makes bodies that are nearly right."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def value(self, depth=0):
        pick = self.random.randrange(14 if depth < 3 else 10)
        if pick < 4:
            return self.random.choice(
                ["", "abcd.", "a\nb", "\x00", "\ud800", "é" * 30, "a" * 300, "auto", "source", "target", "tiny", "text",
                 "😀", "\u202e", "../../etc", "%00", "'", "\r\n", "source\ttarget"]
            )  # fmt: skip
        if pick < 7:
            return self.random.choice([0, 1, -1, 2, 5, 17, 10**9, 2**64, 10**400, 0.5, 1.0, 1e308, -0.0, 1e-320])
        if pick < 10:
            return self.random.choice([None, True, False, [], {}, float("nan"), float("inf")])
        if pick < 12:
            return [self.value(depth + 1) for _ in range(self.random.randrange(8))]
        return {str(self.value(3)): self.value(depth + 1) for _ in range(self.random.randrange(4))}

    def body(self, right):
        fields = dict(right)
        for name in self.random.sample([*right], self.random.randint(0, min(2, len(right)))):
            fields[name] = self.value()
        if self.random.random() < 0.2:
            fields.pop(self.random.choice([*fields]))
        return fields

    def broken(self, content):
        """Returns a body whose bytes are changed."""
        content = bytearray(content)
        for _ in range(self.random.randrange(1, 5)):
            place = self.random.randrange(len(content) + 1)
            content[place : place + self.random.randrange(3)] = self.random.randbytes(self.random.randrange(4))
        return bytes(content)


RIGHT = {
    "/translate": {"q": "abcd.", "source": "auto", "target": "target", "format": "text", "alternatives": 1,
                   "api_key": None, "model": "tiny"},
    "/v1/completions": {"model": "text", "prompt": "Ada", "max_tokens": 3, "temperature": 0.5, "top_p": 0.9, "n": 2,
                        "seed": 1, "stop": ["e"], "logprobs": 2, "echo": True, "stream": False, "user": "x",
                        "stream_options": {"include_usage": True}, "best_of": 1, "logit_bias": {}},
    "/novelty": {"model": "text", "text": "The ferry left the quay at seven", "api_key": ""},
    "/explain": {"model": "tiny", "q": "abcd.", "prefix": "", "alternatives": 2, "temperature": None, "top_k": None,
                 "top_p": None, "seed": 1, "beam_size": 2, "tree": True, "max_length": 9, "length": 5,
                 "attention": "peaks", "place": 0},
    "/doctor": {"files": "x"},
}  # fmt: skip
TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain",
         "application/json; charset=utf-16", "", "application/json;;;", "multipart/form-data")  # fmt: skip


@pytest.mark.campaign("bodies that are nearly right", count=10_000, sample=300)
def test_no_body_makes_the_service_fail(campaign, address, capfd):
    seen = set()
    with httpx.Client(base_url=address, timeout=60) as client:
        for number in campaign.examples():
            fuzz = Fuzz(f"{campaign.seed}/{number}")
            path = fuzz.random.choice([*RIGHT])
            content = json.dumps(fuzz.body(RIGHT[path])).encode()
            kind = TYPES[0]
            if fuzz.random.random() < 0.3:
                content, kind = fuzz.broken(content), fuzz.random.choice(TYPES)
            elif fuzz.random.random() < 0.2 and path == "/translate":
                content, kind = fuzz.broken(b"q=abcd.&source=auto&target=target&alternatives=1"), TYPES[1]
            answer = client.post(path, content=content, headers={"Content-Type": kind})
            assert answer.status_code in (200, 400, 404, 413), (number, path, content, answer.text)
            seen.add((path, answer.status_code))
            campaign.found(str(answer.status_code))
            if answer.status_code != 200:
                error = answer.json()["error"]
                assert error["message"] if path.startswith("/v1") else error
        assert client.get("/health").status_code == 200
    assert {(path, 200) for path in RIGHT if path != "/doctor"} <= seen
    assert {(path, 400) for path in RIGHT if path != "/doctor"} <= seen
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.campaign("requests whose bytes are changed", count=600, sample=60)
def test_no_bytes_on_the_wire_end_the_service(campaign, address):
    host, port = httpx.URL(address).host, httpx.URL(address).port
    for number in campaign.examples():
        fuzz = Fuzz(f"{campaign.seed}/{number}")
        head = f"POST /translate HTTP/1.1\r\nHost: {host}\r\nContent-Length: 20\r\n\r\n".encode()
        with socket.create_connection((host, port)) as connection:
            connection.sendall(fuzz.broken(head))
    assert httpx.get(f"{address}/health").status_code == 200


def send_many(port, seed, count):
    """Sends requests of which no two are the same over one connection; returns how many got which status."""
    draws, seen = random.Random(seed), Counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number in range(count):
        text = "".join(draws.choices("abcdefghijklmnop.", k=draws.randrange(1, 30)))
        path, body = draws.choice(
            [
                ("/translate", {"q": text, "source": "auto", "target": "target"}),
                ("/translate", {"q": text, "source": text, "target": f"{seed}-{number}"}),
                ("/v1/completions", {"prompt": text, "max_tokens": 3, "temperature": 0}),
                ("/v1/completions", {"prompt": text, "model": f"{seed}-{number}"}),
                (f"/{seed}-{number}", {"q": text}),
            ]
        )
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {seed}-{number}"}
        connection.request("POST", path, json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        seen[answer.status] += 1
    connection.close()
    return seen


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from Linux's /proc")
@pytest.mark.campaign("requests to one service", count=100_000, sample=400)
def test_memory_does_not_grow_with_the_number_of_requests(campaign, tiny_bundle):
    command = [sys.executable, "-m", "seq2seq.serve", "--model", str(tiny_bundle()), "--port", "0", "--rate", "1e9"]
    slices = range(0, campaign.count, max(campaign.count // 50, CLIENTS))
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process, ThreadPoolExecutor(CLIENTS) as pool:
        try:
            port = int(process.stderr.readline().rsplit(":", 1)[1])

            def send(first, count):
                seeds = [f"{campaign.seed}/{first}/{client}" for client in range(CLIENTS)]
                return sum(pool.map(lambda seed: send_many(port, seed, count // CLIENTS), seeds), Counter())

            send("before", campaign.count // 4)  # fills what is filled once
            before = memory_of(process.pid, "VmRSS")
            for first in slices:
                seen = send(first, slices.step)
                for status, count in seen.items():
                    campaign.found(str(status), count)
                campaign.did(seen.total())
                assert memory_of(process.pid, "VmRSS") - before < MOST_GROWTH, f"after {first} requests"
            campaign.measured(memory_of(process.pid))
        finally:
            process.terminate()
    assert set(campaign.row["outcomes"]) == {"200", "400", "404"}

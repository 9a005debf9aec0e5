"""The service under load: clients that each wait for their answer, against batch decoding of the same lines.

Runs `seq2seq serve` in a process of its own; the clients are threads here, each with one connection over loopback.
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from seq2seq.api import load
from tests.benchmarks.measure import ROOT, Figure, Row, take_turns
from tests.benchmarks.models import sources_of

CLIENTS, LINES_EACH = 32, 8
HEADERS = {"Content-Type": "application/json"}


class Service(NamedTuple):
    """A running service, and what it took from the start of its process to its first answer."""

    process: subprocess.Popen
    port: int
    seconds: float
    cpu_seconds: float


@contextlib.contextmanager
def served(model):
    """Starts the service of a model, and yields it when it answers."""
    command = [sys.executable, "-m", "seq2seq.serve", "--model", str(model), "--port", "0"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        line = next(line for line in process.stderr if line.startswith("serving "))
        port = int(line.rsplit(":", 1)[1])
        assert answer_of(port, "/health") == {"status": "ok"}
        yield Service(process, port, time.perf_counter() - began, cpu_seconds(process))
    finally:
        process.terminate()
        process.communicate()


def resident(process):
    """The resident set of a process, in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def cpu_seconds(process):
    """The CPU time of a process so far, user and system."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answer_of(port, path):
    """What a GET request gets."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def target_of(port):
    """The language that the served model translates to."""
    return next(language["targets"][0] for language in answer_of(port, "/languages") if language["targets"])


class Load:
    """Clients that send requests of some lines each, and wait for the answer before the next."""

    def __init__(self, port, lines, each):
        self.port, self.lines, self.each, self.target = port, lines, each, target_of(port)
        self.found = [None] * len(lines)
        self.seconds = []  # of each request of the last turn
        self.lock = threading.Lock()

    def turn(self):
        """Sends all lines; returns the seconds that this took."""
        self.seconds = []
        places = iter(range(0, len(self.lines), self.each))
        threads = [threading.Thread(target=self.client, args=(places,)) for _ in range(CLIENTS)]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.perf_counter() - began

    def client(self, places):
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        while True:
            with self.lock:
                place = next(places, None)
            if place is None:
                connection.close()
                return
            lines = self.lines[place : place + self.each]
            body = json.dumps({"q": lines, "source": "auto", "target": self.target})
            began = time.perf_counter()
            connection.request("POST", "/translate", body, HEADERS)
            answer = connection.getresponse()
            content = json.loads(answer.read())
            took = time.perf_counter() - began
            assert answer.status == 200, content
            self.found[place : place + self.each] = content["translatedText"]
            with self.lock:
                self.seconds.append(took)


def percentile(values, share):
    """The value that this share of the values is below, in milliseconds."""
    return 1e3 * sorted(values)[min(len(values) - 1, int(share * len(values)))]


def one_line(options):
    """Lines a second of clients that send one line a request."""
    return service(options, 1)


def several_lines(options):
    """Lines a second of clients that send several lines a request."""
    return service(options, LINES_EACH)


def service(options, each):
    """Lines a second of 32 clients against batch decoding, and the memory of many requests."""
    translator = load(options.model)
    sources = sources_of(options.data)
    lines = [sources[index % len(sources)] for index in range(options.service_lines)]
    starts = []
    for _ in range(options.repeats - 1):
        with served(options.model) as started:
            starts.append(started)
    with served(options.model) as started:
        starts.append(started)
        process, port = started.process, started.port
        clients = Load(port, lines, each)
        expected = translator.translate(lines)
        clients.turn()  # the first turn fills what is filled once
        assert clients.found == expected
        requests, first = len(lines) // each, resident(process)
        p50s, p99s = [], []

        def turn():
            seconds = clients.turn()
            p50s.append(percentile(clients.seconds, 0.5))
            p99s.append(percentile(clients.seconds, 0.99))
            return seconds

        sides = {"service": turn, "batch decoding": lambda: seconds_of(lambda: translator.translate(lines))}
        values = take_turns(sides, options.repeats)
        requests += options.repeats * len(lines) // each
        while requests < options.requests:
            clients.turn()
            requests += len(lines) // each
        assert clients.found == expected
        last = resident(process)
    rates = {name: Figure(tuple(len(lines) / each for each in several), "lines/s") for name, several in values.items()}
    return Row(
        f"service, {CLIENTS} clients, lines a request: {each}",
        {
            **rates,
            "p50": Figure(tuple(p50s), "ms"),
            "p99": Figure(tuple(p99s), "ms"),
            "until the first answer": Figure(tuple(one.seconds for one in starts), "s"),
            "until the first answer, CPU": Figure(tuple(one.cpu_seconds for one in starts), "s", "target: 1 s"),
            "resident at first": Figure((first,), "MiB", f"after {len(lines) // each} requests"),
            "resident at last": Figure((last,), "MiB", f"after {requests} requests"),
        },
        target="at least half of batch decoding",
    )


def seconds_of(action):
    """Calls `action`; returns the seconds that this took."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began

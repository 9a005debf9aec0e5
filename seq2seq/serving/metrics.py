"""What the service counts: for Prometheus at GET /metrics, and for a line of the log for each request."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
OTHER = "other"  # the path of a request for something that is not there


@dataclass
class Counts:
    """The work of one request."""

    lines: int = 0
    source_symbols: int = 0
    target_symbols: int = 0

    def add(self, *, lines: int, source: int, target: int) -> None:
        """Adds lines, and the symbols that were read and written."""
        self.lines += lines
        self.source_symbols += source
        self.target_symbols += target


class Metrics:
    """The counters of one service."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        """`waiting` returns the number of lines in the queues."""
        registry = self.registry = CollectorRegistry()
        names = ("path", "status")
        self.requests = Counter("seq2seq_requests", "Requests by path and status", names, registry=registry)
        self.seconds = Histogram(
            "seq2seq_request_seconds", "Seconds of a request", ("path",), buckets=SECONDS, registry=registry
        )
        self.lines = Counter("seq2seq_lines", "Lines decoded", registry=registry)
        symbols = Counter("seq2seq_symbols", "Symbols read and written", ("side",), registry=registry)
        self.source_symbols, self.target_symbols = symbols.labels("source"), symbols.labels("target")
        Gauge("seq2seq_queue_length", "Lines that wait", registry=registry).set_function(waiting)

    def add(self, path: str, status: int, seconds: float, counts: Counts) -> None:
        """Counts a request."""
        self.requests.labels(path, str(status)).inc()
        self.seconds.labels(path).observe(seconds)
        self.lines.inc(counts.lines)
        self.source_symbols.inc(counts.source_symbols)
        self.target_symbols.inc(counts.target_symbols)

    def text(self) -> bytes:
        """Returns all counters in Prometheus's text form."""
        return generate_latest(self.registry)


def log_entry(method: str, path: str, status: int, seconds: float, client: str, counts: Counts) -> dict[str, object]:
    """Returns a request as a line of the log; it has no text of the request, the query of the path neither."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "client": client,
        "method": method,
        "path": path,
        "status": status,
        "seconds": round(seconds, 6),
        "lines": counts.lines,
        "source_symbols": counts.source_symbols,
        "target_symbols": counts.target_symbols,
    }

"""An HTTP server on loopback with faults that a test chooses."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

CONTENT = bytes(range(256)) * 1200  # 307 200 bytes: several blocks


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` with the faults in its attributes; `requests` keeps the headers of all requests."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.cuts = []  # after how many bytes to cut the answers, in turn
        self.statuses = []  # failures to answer with first
        self.ranges = True
        self.wrong_range = False
        self.etag = '"v1"'
        self.send_length = True
        self.requests = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/fra-eng.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        if server.statuses:
            self.send_response(server.statuses.pop(0))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body, asked = server.content, self.headers.get("Range")
        if asked and server.ranges and self.headers.get("If-Range") == server.etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            shown = 0 if server.wrong_range else start
            self.send_header("Content-Range", f"bytes {shown}-{len(body) - 1}/{len(body)}")
            body = body[start:]
        else:
            self.send_response(200)
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.send_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else None
        self.wfile.write(body[:cut])

    def log_message(self, *args):
        pass


@contextmanager
def serving() -> Iterator[Server]:
    """Runs a server in a thread."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

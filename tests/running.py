"""Runs the service in a thread of the test's process, on a free port of this machine."""

import contextlib
import threading

import httpx
import uvicorn

from seq2seq.serving.app import create_app
from seq2seq.serving.served import load_models
from seq2seq.serving.server import config_of, listen
from seq2seq.serving.service import Service, Settings


def make_app(*folders, sources=(), targets=(), **settings):
    """Makes the application of some model folders; it has its service as an attribute."""
    service = Service(load_models(folders, sources, targets), Settings(**settings))
    app = create_app(service)
    app.service = service
    return app


@contextlib.contextmanager
def running(app):
    """Yields the address of a server."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(config_of(app))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def client_of(app, **options):
    """Yields a client of a running service."""
    with running(app) as address, httpx.Client(base_url=address, timeout=60, **options) as client:
        yield client

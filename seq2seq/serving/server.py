"""Runs the application: a port and a service in, answers until a signal ends it."""

import asyncio
import logging
import os
import signal
import socket
import sys
from types import FrameType
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from seq2seq.errors import OptionError
from seq2seq.serving.app import create_app
from seq2seq.serving.service import Service

BACKLOG = 1024  # connections that wait


def listen(host: str, port: int) -> socket.socket:
    """Opens a port.

    Raises:
        OptionError: it cannot be opened.

    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sees no TCP in it, so does not
        return listening
    except OSError as error:
        known = error.errno is not None and error.errno > 0  # what names a host that is unknown is below
        reason = os.strerror(error.errno or 0) if known else error.strerror
        raise OptionError(
            f"--host {host} --port {port}: cannot listen there: {reason}; give another --port, or 0 for a free one"
        ) from error


def address_of(listening: socket.socket) -> str:
    """Returns the address of an open port, as clients write it."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def answer(service: Service, listening: socket.socket) -> None:
    """Answers requests until SIGINT or SIGTERM; what runs then is finished first."""
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # each form that is not whole gets an answer
    uvicorn.Server(config_of(create_app(service))).run([listening])


def config_of(app: ASGIApp) -> uvicorn.Config:
    """Returns how an application is served."""
    return uvicorn.Config(
        app,
        http=protocol(),
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # a client could name any address as its own, and would have no rate
        ws="none",
    )


def protocol() -> Literal["h11"] | type[asyncio.Protocol]:
    """Returns what reads requests: httptools where it is installed, else h11."""
    try:
        from seq2seq.serving.protocol import BoundedProtocol
    except ImportError:
        return "h11"
    return BoundedProtocol


def end_with_success(number: int, frame: FrameType | None) -> None:
    """Ends the process with status 0; the server has its own handler while it runs, and calls this one at its end."""
    sys.exit(0)


def end_at_sigterm() -> None:
    """Lets SIGTERM end this process with status 0."""
    signal.signal(signal.SIGTERM, end_with_success)

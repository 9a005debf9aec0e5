"""A connection between two workers: messages of a kind with JSON or named arrays; both sides show that they live.

Nothing is pickled, and nothing is encrypted: the network between the workers is trusted.
"""

import contextlib
import enum
import json
import socket
import struct
import threading
import time
from typing import Any, Self

from safetensors import SafetensorError
from safetensors.numpy import load

from seq2seq.errors import WorkerError

SILENCE_SECONDS = 30.0  # without a byte from a worker: it is taken for dead
SIGN_SECONDS = 5.0  # between two signs of life
HEADER = struct.Struct(">BQ")  # kind, and bytes that follow
CLOSING_SECONDS = 2.0  # for the other side to read the last message
SHORTEST_SECONDS = 0.001  # a socket with none would not wait at all
LONGEST_LINE = 10_000  # characters
LARGEST_JSON, LARGEST_ARRAYS = 1 << 20, 1 << 36  # bytes
WAY_OUT = "start the same command on all workers again"


class Kind(enum.IntEnum):
    """What a message is for."""

    ALIVE = 0  # a sign of life, with nothing in it
    HELLO = 1  # a worker says which one it is and what it was asked to train
    START = 2  # the first worker's resolved options
    READY = 3  # a worker has built the model, and says how it computes
    STEP = 4  # weights and a batch
    SHARDS = 5  # what a worker computed of a batch
    END = 6  # the training is finished
    FAIL = 7  # a line that says why it ended


class Wire:
    """One connected socket; the other side is called `name` in messages.

    Raises:
        WorkerError: from `send` and `receive`, where the other side ended, is silent, or says that something failed.

    """

    def __init__(self, connection: socket.socket, name: str) -> None:
        self.connection, self.name = connection, name
        connection.settimeout(SILENCE_SECONDS)
        self.until: float | None = None  # a reading of time.monotonic(): when a stranger must have said who it is
        self.sending = threading.Lock()
        self.closed = threading.Event()
        threading.Thread(target=self._show_life, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection once the other side has read what was sent, or after CLOSING_SECONDS."""
        self.closed.set()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            until = time.monotonic() + CLOSING_SECONDS
            while (left := until - time.monotonic()) > 0:
                self.connection.settimeout(left)
                if not self.connection.recv(1 << 20):  # what is unread when a socket closes may cost the last message
                    break
        self.connection.close()

    def send(self, kind: Kind, content: Any) -> None:
        """Sends JSON, or arrays as `arrays_bytes` returns them."""
        try:
            self._write(kind, content if isinstance(content, bytes) else json.dumps(content).encode())
        except OSError as error:
            if not isinstance(error, TimeoutError):
                self._raise_what_it_said()
            raise self._lost(error) from error

    def receive(self, *kinds: Kind) -> tuple[Kind, Any]:
        """Waits for a message of one of some kinds; returns its kind, and its JSON or its arrays by name."""
        try:
            while True:
                kind, size = HEADER.unpack(self._read(HEADER.size))
                if kind not in {*kinds, Kind.ALIVE, Kind.FAIL}:
                    raise self.unexpected(f"a message of kind {kind}")
                has_arrays = kind in (Kind.STEP, Kind.SHARDS)
                if size > (LARGEST_ARRAYS if has_arrays else LARGEST_JSON):
                    raise self.unexpected(f"a message of {size} bytes")
                payload = self._read(size)
                if kind == Kind.ALIVE:
                    continue
                if kind == Kind.FAIL:
                    raise WorkerError(payload[:LONGEST_LINE].decode(errors="replace"))
                return Kind(kind), load(bytes(payload)) if has_arrays else json.loads(payload)
        except OSError as error:
            raise self._lost(error) from error
        except WorkerError:  # a ValueError too
            raise
        except (SafetensorError, ValueError, RecursionError) as error:  # of JSON, also a number of many digits
            raise self.unexpected("a damaged message") from error

    def fail(self, line: str) -> None:
        """Tells the other side, if it still listens, why the training ended."""
        with contextlib.suppress(OSError):
            self._write(Kind.FAIL, line[:LONGEST_LINE].encode())

    def unexpected(self, what: str) -> WorkerError:
        """Returns the error for a message that no worker of this version sends now."""
        return WorkerError(f"{self.name}: sent {what}, which no worker of this version does; {WAY_OUT}")

    def _write(self, kind: Kind, payload: bytes) -> None:
        with self.sending:
            view = memoryview(HEADER.pack(kind, len(payload)) + payload)
            while view:  # each part may take SILENCE_SECONDS, not all of a large message together
                view = view[self.connection.send(view[: 1 << 20]) :]

    def _read(self, size: int) -> bytearray:
        content = bytearray(size)
        view = memoryview(content)
        while view:
            if self.until is not None:
                self.connection.settimeout(max(self.until - time.monotonic(), SHORTEST_SECONDS))
            count = self.connection.recv_into(view)
            if not count:
                raise ConnectionResetError
            view = view[count:]
        return content

    def _show_life(self) -> None:
        while not self.closed.wait(SIGN_SECONDS):
            try:
                self._write(Kind.ALIVE, b"")
            except OSError:  # the next message finds this too, and says it
                return

    def _raise_what_it_said(self) -> None:
        """Raises WorkerError with the line that the other side sent before it ended, if it did."""
        with contextlib.suppress(OSError):
            while True:
                kind, size = HEADER.unpack(self._read(HEADER.size))
                payload = self._read(min(size, LARGEST_ARRAYS))
                if kind == Kind.FAIL:
                    raise WorkerError(payload.decode(errors="replace"))

    def _lost(self, error: OSError) -> WorkerError:
        if isinstance(error, TimeoutError):
            return WorkerError(f"{self.name}: gave no sign of life for {SILENCE_SECONDS:g} s; {WAY_OUT}")
        return WorkerError(f"{self.name}: has ended, its connection is closed; {WAY_OUT}")

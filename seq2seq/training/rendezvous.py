"""How workers find one another: the first waits for the others, and each shows that it was asked the same."""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

from seq2seq.errors import OptionError, WorkerError
from seq2seq.training.task import Run
from seq2seq.training.wire import SILENCE_SECONDS, Kind, Wire
from seq2seq.training.workers import Workers, host_and_port
from seq2seq.version import __version__

JOIN_SECONDS = 60.0  # for all workers to come
HELLO_SECONDS = 5.0  # for a connection to show that it is a worker
RETRY_SECONDS = 0.2  # between two tries to connect


@contextlib.contextmanager
def others_joined(run: Run, workers: Workers) -> Iterator[dict[int, Wire]]:
    """Waits for all other workers; gives a connection to each by its number. An error in the block ends them too.

    Raises:
        OptionError: this machine cannot listen on the first worker's address.
        WorkerError: a worker did not come within JOIN_SECONDS, or was asked something else.

    """
    with contextlib.ExitStack() as stack:
        wires: dict[int, Wire] = {}
        try:
            with listening(workers) as listener:
                run.report(f"{workers.own} waits for {len(workers) - 1} other{'s' * (len(workers) > 2)}")
                until = time.monotonic() + JOIN_SECONDS
                while len(wires) < len(workers.others):
                    accept(run, workers, listener, until=until, wires=wires, stack=stack)
            yield wires
        except BaseException as error:
            line = str(error) if isinstance(error, WorkerError) else f"{workers.own}: {why(error)}"
            for wire in wires.values():
                wire.fail(line)
            raise


def why(error: BaseException) -> str:
    """Says in one line why a worker ended, for the others."""
    if isinstance(error, KeyboardInterrupt):
        return "was interrupted"
    return f"ended with an error: {' '.join(str(error).split()) or type(error).__name__}"


@contextlib.contextmanager
def listening(workers: Workers) -> Iterator[socket.socket]:
    """Listens on the first worker's address, and on no other.

    Raises:
        OptionError: the system refuses.

    """
    host, port = host_and_port(workers.addresses[0])
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise cannot_listen(workers, error) from error
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(place)
            listener.listen()
        except OSError as error:
            raise cannot_listen(workers, error) from error
        yield listener


def cannot_listen(workers: Workers, error: OSError) -> OptionError:
    """Returns the error for an address on which the first worker cannot listen."""
    return OptionError(
        f"{workers.own}: cannot listen on this address: {error.strerror or error}; name an address of this machine "
        "and a free port first in --workers"
    )


def accept(
    run: Run,
    workers: Workers,
    listener: socket.socket,
    *,
    until: float,
    wires: dict[int, Wire],
    stack: contextlib.ExitStack,
) -> None:
    """Waits for one more connection, and puts it into `wires` if it is a worker.

    Args:
        run: of this worker.
        workers: all of them.
        listener: where they connect.
        until: a reading of time.monotonic().
        wires: the connections so far.
        stack: closes the connections.

    Raises:
        WorkerError: the time is up, or a worker was asked something else.

    """
    left = until - time.monotonic()
    try:
        if left <= 0:
            raise TimeoutError
        listener.settimeout(left)
        connection, address = listener.accept()
    except TimeoutError:
        missing = [index for index in workers.others if index not in wires]
        raise WorkerError(
            f"{' and '.join(map(workers.name, missing))}: did not come within {JOIN_SECONDS:g} s; start the same "
            f"command there with --worker {' and '.join(map(str, missing))}, and here again"
        ) from None
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    wire = Wire(connection, f"a connection from {address[0]}")
    try:
        wire.until = time.monotonic() + HELLO_SECONDS  # for all of it: signs of life would never end
        _, hello = wire.receive(Kind.HELLO)
        index = worker_of(hello, workers, wire)
    except WorkerError:
        run.report(f"{wire.name} was closed: it is no worker of this version")
        wire.close()
        return
    if index in wires:
        wire.fail(f"{workers.name(index)}: another process is this worker already; give each its own --worker")
        wire.close()
        return
    stack.enter_context(wire)
    wire.name, wire.until = workers.name(index), None
    connection.settimeout(SILENCE_SECONDS)
    wires[index] = wire
    check_same(asked_of(run, workers), hello, wire.name)


def worker_of(hello: Any, workers: Workers, wire: Wire) -> int:
    """Returns the number of the worker that sent a greeting; raises WorkerError where no worker did."""
    index = hello.get("worker") if isinstance(hello, dict) else None
    if type(index) is not int or index not in workers.others or not isinstance(hello.get("options"), dict):
        raise wire.unexpected("another greeting")
    return index


def asked_of(run: Run, workers: Workers) -> dict[str, Any]:
    """Returns what a worker says of itself; all of it but its number must be the same everywhere.

    The path of the data may differ; its hashes may not.
    """
    sections = {name: values for name, values in run.signature.items() if name != "sha256"}
    options = {f"{name}.{key}": value for name, values in sections.items() for key, value in values.items()}
    options.pop("data.data", None)
    return {
        "worker": workers.index,
        "version": __version__,
        "addresses": list(workers.addresses),
        "sha256": dict(run.sha256),
        "options": options,
    }


def check_same(here: dict[str, Any], there: dict[str, Any], name: str) -> None:
    """Refuses a worker that was asked something else.

    Args:
        here: what the first worker was asked, as `asked_of` returns it.
        there: the same of the other worker.
        name: of the other worker.

    Raises:
        WorkerError: names what differs.

    """
    same = "start the same command on all workers"
    for key, way_out in {"version": "install the same version everywhere", "addresses": same}.items():
        if there.get(key) != here[key]:
            raise WorkerError(f"{name}: has other {key}, {there.get(key)!r}, worker 0 {here[key]!r}; {way_out}")
    if there.get("sha256") != here["sha256"]:
        raise WorkerError(
            f"{name}: reads other data: its sha256 is {there.get('sha256')!r}, that of worker 0 "
            f"{here['sha256']!r}; give all workers copies of the same files"
        )
    for key in sorted({*here["options"], *there["options"]}):
        values = there["options"].get(key), here["options"].get(key)
        if values[0] != values[1]:
            raise WorkerError(f"{name}: was started with {key} {values[0]!r}, worker 0 with {values[1]!r}; {same}")


@contextlib.contextmanager
def first_joined(run: Run, workers: Workers) -> Iterator[Wire]:
    """Connects to the first worker. An error in the block ends it too, and with it the others.

    Raises:
        WorkerError: the first worker could not be reached within JOIN_SECONDS.

    """
    with Wire(connected(workers), workers.name(0)) as wire:
        try:
            wire.send(Kind.HELLO, asked_of(run, workers))
            run.report(f"{workers.own} has joined {workers.name(0)}")
            yield wire
        except WorkerError:
            raise
        except BaseException as error:
            wire.fail(f"{workers.own}: {why(error)}")
            raise


def connected(workers: Workers) -> socket.socket:
    """Returns a connection to the first worker, which may not listen yet."""
    place, until = host_and_port(workers.addresses[0]), time.monotonic() + JOIN_SECONDS
    while True:
        try:
            connection = socket.create_connection(place, timeout=HELLO_SECONDS)
            if connection.getsockname() != connection.getpeername():  # a free port near the last may reach itself
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            connection.close()
            reason = "Connection refused"
        except OSError as error:
            reason = error.strerror or str(error)
        if time.monotonic() > until:
            raise WorkerError(
                f"{workers.name(0)}: could not be reached within {JOIN_SECONDS:g} s: {reason}; start the same command "
                "there with --worker 0, and here again"
            )
        time.sleep(RETRY_SECONDS)

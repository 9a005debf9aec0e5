"""Workers are named, find one another, and say in one line which of them is missing, dead, or asked something else."""

import contextlib
import json
import queue
import socket
import struct
import threading
import time
import types

import numpy as np
import pytest

from seq2seq import train
from seq2seq.errors import OptionError, WorkerError
from seq2seq.files.writing import arrays_bytes
from seq2seq.models import step
from seq2seq.text.datasets import Dataset
from seq2seq.training import rendezvous, wire
from seq2seq.training.rendezvous import asked_of, check_same, connected, first_joined, others_joined
from seq2seq.training.shared_step import Others, read_shards
from seq2seq.training.task import Run
from seq2seq.training.wire import WAY_OUT, Kind, Wire
from seq2seq.training.workers import Workers, asked_workers, host_and_port
from tests.several import free_addresses

TWO = "10.0.0.1:7000,10.0.0.2:7001"


# addresses


def test_the_options_name_the_workers():
    workers = asked_workers(TWO, 1, {"TF_CONFIG": "ignored"})
    assert workers == Workers(("10.0.0.1:7000", "10.0.0.2:7001"), 1)
    assert (workers.own, workers.name(0)) == ("worker 1 (10.0.0.2:7001)", "worker 0 (10.0.0.1:7000)")
    assert asked_workers("10.0.0.1:7000", 0, {}) is None  # alone
    assert asked_workers(None, None, {"TF_CONFIG": ""}) is None
    assert host_and_port("[::1]:80") == ("::1", 80)


def test_shards_are_dealt_out_in_turn():
    workers = Workers(("a:1", "b:2", "c:3"), 1)
    assert [list(workers.shards(7, index)) for index in range(3)] == [[0, 3, 6], [1, 4], [2, 5]]
    assert list(workers.shards(7)) == [1, 4]


def test_workers_of_one_machine_have_a_gpu_each(monkeypatch):
    seen = []
    monkeypatch.setattr(step.tf.config, "list_physical_devices", lambda kind: ["GPU 0", "GPU 1"])
    monkeypatch.setattr(step.tf.config, "set_visible_devices", lambda device, kind: seen.append((device, kind)))
    addresses = ("a:1", "b:1", "a:2", "a:3")
    for index in range(4):
        step.use_gpu(Workers(addresses, index).place)
    assert seen == [("GPU 0", "GPU"), ("GPU 0", "GPU"), ("GPU 1", "GPU"), ("GPU 0", "GPU")]
    monkeypatch.setattr(step.tf.config, "list_physical_devices", lambda kind: ["GPU 0"])
    step.use_gpu(1)
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("cluster", "task", "index"),
    [
        ({"worker": ["a:1", "b:2"]}, {"type": "worker", "index": 1}, 1),
        ({"chief": ["a:1"], "worker": ["b:2", "c:3"]}, {"type": "chief", "index": 0}, 0),
        ({"chief": ["a:1"], "worker": ["b:2", "c:3"]}, {"type": "worker", "index": 1}, 2),
    ],
)
def test_tf_config_names_the_workers(cluster, task, index):
    workers = asked_workers(None, None, {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})})
    assert workers == Workers(tuple("a:1 b:2 c:3".split()[: len(workers)]), index)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "[]",
        '{"cluster": {"worker": ["a:1", "b:2"]}}',
        '{"cluster": {"worker": ["a:1", 2]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": true}}',
        '{"cluster": {"worker": ["a:1", "b:2"], "ps": ["c:3"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_another_tf_config_is_refused_with_its_form(text):
    with pytest.raises(
        OptionError, match=r"^TF_CONFIG: expected a cluster with workers and the task of this process, "
    ):
        asked_workers(None, None, {"TF_CONFIG": text})


@pytest.mark.parametrize(
    ("workers", "worker", "message"),
    [
        (TWO, None, f"--workers {TWO}: expected --worker I beside it, 0 to 1: which one this is"),
        (None, 1, "--worker 1: needs --workers HOST:PORT,HOST:PORT, the addresses of all workers"),
        (TWO, 2, "--worker 2: expected 0 to 1, one of the 2 workers"),
        (TWO, -1, "--worker -1: expected 0 to 1, one of the 2 workers"),
        ("a:1,a:1", 0, "--workers a:1,a:1: names a:1 twice; give each worker an address of its own"),
        *(
            (f"a:1,{wrong}", 0, f"--workers a:1,{wrong}: expected HOST:PORT with a port from 1 to 65535, got {wrong!r}")
            for wrong in ("", "a", ":1", "a:0", "a:65536", "a:x", "a:²", "::1:80", "[a:80", "[a]:80", f"a:{'9' * 80}")
        ),
    ],
)
def test_wrong_workers_are_refused_with_the_option(workers, worker, message):
    with pytest.raises(OptionError) as error:
        asked_workers(workers, worker, {})
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--worker", "1"], "--worker 1: needs --workers HOST:PORT,HOST:PORT, the addresses of all workers"),
        (["--worker", "x"], "argument --worker: invalid int value: 'x' (see --help)"),
        (
            ["--workers", TWO, "--worker", "1", "--members", "3"],
            "--members 3: with --workers or TF_CONFIG a run trains one model; train the members one by one, or side "
            "by side with --engine ray",
        ),
    ],
)
def test_the_verb_refuses_in_one_line(capsys, options, message):
    assert train.main(["--data", "dates", *options]) == 2
    assert capsys.readouterr().err == f"seq2seq train: error: {message}\n"


# connections


@pytest.fixture
def pair():
    """Both ends of a connection."""
    one, other = socket.socketpair()
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Wire(end, f"worker {index} (a:{index})")) for index, end in enumerate((other, one))]


@pytest.fixture(autouse=True)
def close_at_once(monkeypatch):
    """Lets a Wire close without a wait for the other end, which is in the same thread."""
    monkeypatch.setattr(wire, "CLOSING_SECONDS", 0.01)


def test_messages_arrive_as_they_were_sent(pair):
    one, other = pair
    arrays = {"a.0": np.arange(6, dtype=np.float32).reshape(2, 3), "b.0": np.zeros((2, 0), np.int32)}
    one.send(Kind.HELLO, {"worker": 1})
    one.send(Kind.STEP, arrays_bytes(arrays))
    assert other.receive(Kind.HELLO) == (Kind.HELLO, {"worker": 1})
    kind, found = other.receive(Kind.STEP, Kind.END)
    assert kind == Kind.STEP and sorted(found) == sorted(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_signs_of_life_are_no_messages(pair):
    one, other = pair
    for _ in range(3):
        one._write(Kind.ALIVE, b"")
    one.send(Kind.END, "finished")
    assert other.receive(Kind.END) == (Kind.END, "finished")


def test_a_worker_that_lives_shows_it(monkeypatch):
    monkeypatch.setattr(wire, "SIGN_SECONDS", 0.01)
    one, other = socket.socketpair()
    with Wire(one, "a worker"), other:
        other.settimeout(10)
        assert other.recv(wire.HEADER.size) == wire.HEADER.pack(Kind.ALIVE, 0)


def test_a_worker_that_is_silent_is_named(monkeypatch):
    monkeypatch.setattr(wire, "SILENCE_SECONDS", 0.05)
    one, other = socket.socketpair()
    with other, Wire(one, "worker 1 (a:1)") as waiting, pytest.raises(WorkerError) as error:
        waiting.receive(Kind.END)
    assert str(error.value) == f"worker 1 (a:1): gave no sign of life for 0.05 s; {WAY_OUT}"
    assert wire.SIGN_SECONDS < 30


@pytest.mark.parametrize("action", [lambda wire: wire.receive(Kind.END), lambda wire: wire.send(Kind.END, "x" * 10**7)])
def test_a_worker_that_ended_is_named(action):
    one, other = socket.socketpair()
    other.close()
    with Wire(one, "worker 1 (a:1)") as waiting, pytest.raises(WorkerError) as error:
        action(waiting)
    assert str(error.value) == f"worker 1 (a:1): has ended, its connection is closed; {WAY_OUT}"
    assert WAY_OUT == "start the same command on all workers again"


@pytest.mark.parametrize("action", [lambda wire: wire.receive(Kind.END), lambda wire: wire.send(Kind.END, "x" * 10**7)])
def test_the_line_of_a_worker_that_failed_is_read_before_its_end(pair, action):
    one, other = pair
    one.send(Kind.END, "before")
    other.receive(Kind.END)
    one.fail("worker 0 (a:0): was interrupted")
    one.close()
    with pytest.raises(WorkerError, match=r"^worker 0 \(a:0\): was interrupted$"):
        action(other)


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (b"GET / HTTP/1.1\r\n", "a message of kind 71"),
        (struct.pack(">BQ", Kind.STEP, 0), "a message of kind 4"),
        (struct.pack(">BQ", Kind.END, 1 << 40), "a message of 1099511627776 bytes"),
        (struct.pack(">BQ", Kind.END, 3) + b"{x}", "a damaged message"),
        (struct.pack(">BQ", Kind.END, 2) + b"\xff\xff", "a damaged message"),
        (struct.pack(">BQ", Kind.END, 5000) + b"9" * 5000, "a damaged message"),
        (struct.pack(">BQ", Kind.SHARDS, 3) + b"{x}", "a damaged message"),
    ],
)
def test_what_no_worker_sends_is_refused(sent, what):
    one, other = socket.socketpair()
    with other, Wire(one, "worker 1 (a:1)") as waiting:
        other.sendall(sent)
        with pytest.raises(WorkerError) as error:
            waiting.receive(Kind.END, Kind.SHARDS)
    assert str(error.value) == f"worker 1 (a:1): sent {what}, which no worker of this version does; {WAY_OUT}"


def test_a_training_that_is_finished_ends_well_though_a_worker_has_gone(pair):
    one, other = pair
    other.close()
    one.connection.close()
    Others(Workers(("a:0", "a:1")), {1: one}).end("finished")


def test_a_worker_that_computes_in_another_way_is_named(pair):
    one, other = pair
    there = {"tensorflow": "1.0", "keras": "1.0", "gradients": "float64"}
    other.send(Kind.READY, there)
    run = types.SimpleNamespace(settings={"data": {}})
    with pytest.raises(WorkerError) as error:
        Others(Workers(("a:0", "a:1")), {1: one}).start(run)
    assert str(error.value).startswith(
        f"{one.name}: computes with tensorflow 1.0, keras 1.0, gradients float64, the first worker with tensorflow "
    )
    assert str(error.value).endswith(
        "; install the same versions, and set TF_ENABLE_ONEDNN_OPTS=0 on all workers where their processors differ"
    )


@pytest.mark.parametrize("shapes", [[(2, 3)], [(2, 3), (4,), (4,)], [(2, 3), (5,)]])
def test_gradients_of_other_shapes_are_refused(pair, shapes):
    weights = [np.zeros((2, 3), np.float32), np.zeros(4, np.float32)]
    message = {"1.nats": [np.float32(1)], "1.gradients": [np.zeros(shape, np.float32) for shape in shapes]}
    arrays = {f"{name}.{index}": value for name, values in message.items() for index, value in enumerate(values)}
    with pytest.raises(WorkerError, match="sent other arrays than those of shard 1, which no worker of this version"):
        read_shards(arrays, weights, [], [1], pair[0])


# rendezvous


@pytest.fixture
def runs():
    """The run of each of three workers, which report into a list."""
    lines = []

    def run(index, sha256="f00d", **train):
        chosen = {"data": {}, "model": {}, "train": train}
        workers = Workers(addresses, index)
        made = Run.of(chosen, folder=None, report=lines.append, workers=workers)
        object.__setattr__(made, "dataset", Dataset("x", "pairs", "path", {}, {"all": sha256}, None))
        return made

    addresses = tuple(free_addresses(3))
    run.lines, run.addresses = lines, addresses
    return run


def join(run, ended=None):
    """Lets a worker but the first join in a thread, and wait for the end; returns a function that gives its line.

    `ended` is a queue that receives the line too.
    """
    said = []

    def follow():
        try:
            with first_joined(run, run.workers) as first:
                said.append(first.receive(Kind.END)[1])
        except (OptionError, WorkerError) as error:
            said.append(str(error))
        if ended:
            ended.put(said[0])

    thread = threading.Thread(target=follow)
    thread.start()

    def line():
        thread.join(20)
        assert not thread.is_alive()
        return said[0]

    return line


def test_all_workers_meet_and_end(runs):
    lines = [join(runs(index)) for index in (1, 2)]
    with others_joined(runs(0), runs(0).workers) as wires:
        assert sorted(wires) == [1, 2]
        assert [wires[index].name for index in (1, 2)] == [runs(0).workers.name(index) for index in (1, 2)]
        for each in wires.values():
            each.send(Kind.END, "finished")
    assert [line() for line in lines] == ["finished"] * 2


def test_a_worker_that_never_comes_is_named_and_the_others_end(runs, monkeypatch):
    monkeypatch.setattr(rendezvous, "JOIN_SECONDS", 0.5)
    line = join(runs(1))
    with pytest.raises(WorkerError) as error, others_joined(runs(0), runs(0).workers):
        pass
    address = runs.addresses[2]
    assert str(error.value) == (
        f"worker 2 ({address}): did not come within 0.5 s; start the same command there with --worker 2, and here again"
    )
    assert line() == str(error.value)


def test_a_time_that_is_over_already_is_no_other_error(runs):
    with contextlib.ExitStack() as stack, pytest.raises(WorkerError, match="did not come within 60 s"):
        before = time.monotonic() - 0.5
        rendezvous.accept(runs(0), runs(0).workers, None, until=before, wires={}, stack=stack)


def test_a_first_worker_that_never_comes_is_named(runs, monkeypatch):
    monkeypatch.setattr(rendezvous, "JOIN_SECONDS", 0.1)
    with pytest.raises(WorkerError) as error:
        connected(runs(1).workers)
    assert str(error.value) == (
        f"worker 0 ({runs.addresses[0]}): could not be reached within 0.1 s: Connection refused; start the same "
        "command there with --worker 0, and here again"
    )


def test_the_times_are_those_of_the_documentation():
    assert (rendezvous.JOIN_SECONDS, wire.SILENCE_SECONDS) == (60, 30)


def test_strangers_are_sent_away_and_the_workers_meet(runs, monkeypatch):
    monkeypatch.setattr(rendezvous, "HELLO_SECONDS", 0.1)
    workers = runs(0).workers

    def strangers():
        for sent in (b"GET / HTTP/1.1\r\n\r\n", b"", b"\x01\0\0\0\0\0\0\0\x02{}"):
            with connected(workers) as stranger:
                stranger.settimeout(20)
                stranger.sendall(sent)
                with contextlib.suppress(ConnectionResetError):
                    while stranger.recv(100):
                        pass
        lines.extend(join(runs(index)) for index in (1, 2))

    lines = []
    thread = threading.Thread(target=strangers)
    thread.start()
    with others_joined(runs(0), workers) as wires:
        thread.join()
        for each in wires.values():
            each.send(Kind.END, "finished")
    assert [line() for line in lines] == ["finished"] * 2
    assert runs.lines.count("a connection from 127.0.0.1 was closed: it is no worker of this version") == 3


def test_a_stranger_that_never_stops_sending_is_sent_away(runs, monkeypatch):
    monkeypatch.setattr(rendezvous, "HELLO_SECONDS", 0.2)
    monkeypatch.setattr(wire, "CLOSING_SECONDS", 0.2)
    workers, lines, done = runs(0).workers, [], threading.Event()

    def stranger():
        with connected(workers) as found, contextlib.suppress(OSError):
            while not done.wait(0.01):
                found.sendall(struct.pack(">BQ", Kind.ALIVE, 0))
        lines.extend(join(runs(index)) for index in (1, 2))

    thread = threading.Thread(target=stranger)
    thread.start()
    try:
        with others_joined(runs(0), workers) as wires:
            for each in wires.values():
                each.send(Kind.END, "finished")
    finally:
        done.set()
        thread.join()
    assert [line() for line in lines] == ["finished"] * 2
    assert runs.lines.count("a connection from 127.0.0.1 was closed: it is no worker of this version") == 1


def test_a_second_process_with_the_same_number_is_sent_away(runs):
    workers, ended = runs(0).workers, queue.Queue()
    twins, others = [join(runs(1), ended), join(runs(1), ended)], []

    def third():
        ended.put(ended.get(timeout=20))  # one of the twins was sent away
        others.append(join(runs(2), ended))

    thread = threading.Thread(target=third)
    thread.start()
    with others_joined(runs(0), workers) as wires:
        for each in wires.values():
            each.send(Kind.END, "finished")
    thread.join()
    refusal = f"{workers.name(1)}: another process is this worker already; give each its own --worker"
    assert sorted(line() for line in twins) == ["finished", refusal]
    assert others[0]() == "finished"


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ({"seed": 4}, "was started with train.seed 4, worker 0 with None; start the same command on all workers"),
        (
            {"sha256": "cafe"},
            "reads other data: its sha256 is {'all': 'cafe'}, that of worker 0 {'all': 'f00d'}; give all workers",
        ),
    ],
)
def test_a_worker_that_was_asked_something_else_is_named(runs, there, message):
    here, there = (asked_of(run, run.workers) for run in (runs(0), runs(1, **there)))
    here["options"]["train.seed"] = None if "seed" in message else here["options"]["train.seed"]
    with pytest.raises(WorkerError) as error:
        check_same(here, there, "worker 1 (a:1)")
    assert str(error.value).startswith(f"worker 1 (a:1): {message}")


def test_workers_of_other_versions_or_with_other_addresses_are_named(runs):
    here = asked_of(runs(0), runs(0).workers)
    check_same(here, asked_of(runs(1), runs(1).workers), "worker 1 (a:1)")
    for key, value, way_out in (
        ("version", "0.0", "install the same version everywhere"),
        ("addresses", ["a:1"], "start the same command on all workers"),
    ):
        with pytest.raises(WorkerError) as error:
            check_same(here, {**here, key: value}, "worker 1 (a:1)")
        assert str(error.value) == f"worker 1 (a:1): has other {key}, {value!r}, worker 0 {here[key]!r}; {way_out}"


def test_the_path_of_the_data_may_differ(runs):
    assert not any("data.data" in key for key in asked_of(runs(0), runs(0).workers)["options"])


def test_an_address_that_is_not_free_is_named_with_the_way_out(runs):
    with socket.socket() as taken:
        taken.bind(host_and_port(runs.addresses[0]))
        taken.listen()
        with pytest.raises(OptionError) as error, others_joined(runs(0), runs(0).workers):
            pass
    assert str(error.value) == (
        f"{runs(0).workers.name(0)}: cannot listen on this address: Address already in use; name an address of this "
        "machine and a free port first in --workers"
    )


def test_the_first_worker_listens_on_its_own_address_alone(runs):
    with rendezvous.listening(runs(0).workers) as listener:
        assert listener.getsockname() == host_and_port(runs.addresses[0])

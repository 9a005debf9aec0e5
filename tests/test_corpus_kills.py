"""Runs over a corpus are killed with signal 9, and the next run goes on: nothing is there twice or missing."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import bundle_maker
from killing import ends

from seq2seq import decode

TORTURE = bool(os.environ.get("SEQ2SEQ_TORTURE"))
STEP, KILLS = (1, 20) if TORTURE else (9, 2)  # moments from one kill to the next; kills of all workers
SYLLABLES = ("ab", "cd", "ef", "gh", "ij", "kl", "mn", "op")
OPTIONS = ("--temperature", "1", "--seed", "3", "--batch-size", "1", "--oov", "error")  # chunks of 16 lines
# runs a verb in forked children, each of which kills itself before or after one of its flushes and renamings, and
# then in one that does not; a moment is a line with the number of the call and what the first one left
KILLER = """
import json, os, shutil, signal, sys
from pathlib import Path
from seq2seq import decode

arguments, out = json.loads(sys.argv[1]), Path("out")

def run(moment):
    calls = iter(range(10**9))
    def watched(call):
        def calling(*values, **options):
            if next(calls) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            result = call(*values, **options)
            if next(calls) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return calling
    pid = os.fork()
    if not pid:
        os.fsync, os.replace = watched(os.fsync), watched(os.replace)
        sys.stderr = open(os.devnull, "w")
        os._exit(decode.main(arguments))
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

for moment in range(0, 10**9, int(sys.argv[2])):
    code = run(moment)
    again = run(None)
    found = {path.name: path.read_bytes().hex() for path in out.iterdir() if path.is_file()}
    print(json.dumps([code, again, found]), flush=True)
    shutil.rmtree(out)
    if code == 0:
        break
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return bundle_maker(tmp_path_factory.mktemp("model"))()


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_parts(place, lines):
    """Writes two parts, the second in jsonl, with an unknown character in each."""
    texts = [f"{SYLLABLES[index % 8]}{SYLLABLES[index * 5 % 7]}." for index in range(lines)]
    texts[lines // 3] = texts[-2] = "ab☃"
    half = lines // 2
    (place / "a.txt").write_text("".join(f"{text}\n" for text in texts[:half]))
    (place / "b.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts[half:]))


def arguments(model, *options, output="out/"):
    return ["--model", str(model), "-i", "a.txt", "-i", "b.jsonl", "-o", output, *OPTIONS, *options]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_run_that_is_killed_at_any_moment_goes_on(model, place):
    write_parts(place, 40)
    assert decode.main(arguments(model, output="whole/")) == 0
    whole = contents(place / "whole")
    assert sorted(whole) == ["_errors.jsonl", "a.txt", "b.jsonl"]
    command = [sys.executable, "-c", KILLER, json.dumps(arguments(model, "--jobs", "1")), str(STEP)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(runs) > 40 / STEP
    assert [code for code, _, _ in runs] == [-signal.SIGKILL] * (len(runs) - 1) + [0]
    for moment, (_, again, found) in enumerate(runs):
        assert again == 0, moment
        assert {name: bytes.fromhex(content) for name, content in found.items()} == whole, moment


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are not listed here")
def test_killed_workers_are_replaced_and_end_with_their_parent(model, place, capsys):
    write_parts(place, 640)
    assert decode.main(arguments(model, "--jobs", "1", output="whole/")) == 0
    command = [sys.executable, "-m", "seq2seq.decode", *arguments(model, "--jobs", "2")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as run:
        for count in range(KILLS):
            for worker in new_workers(run, after=count):
                os.kill(worker, signal.SIGKILL)
        left = new_workers(run, after=KILLS)
        run.kill()
        assert run.wait() == -signal.SIGKILL
        assert all(ends(worker) for worker in left)
    assert len(list((place / "out").glob("_seq2seq/parts/*.json"))) >= 1
    assert decode.main(arguments(model, "--jobs", "1")) == 0
    assert contents(place / "out") == contents(place / "whole")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are not listed here")
def test_ctrl_c_ends_all_processes_and_says_that_the_same_command_goes_on(model, place):
    write_parts(place, 640)
    command = [sys.executable, "-m", "seq2seq.decode", *arguments(model, "--jobs", "2")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as run:
        workers = new_workers(run, after=1)
        run.send_signal(signal.SIGINT)
        said = run.stderr.read().decode()
        assert run.wait() == 130, said
    assert re.fullmatch(r"seq2seq decode: interrupted; the same command goes on after \d+ of 640 lines\n", said)
    assert all(ends(worker) for worker in workers)
    assert decode.main(arguments(model, "--jobs", "1")) == 0
    assert decode.main(arguments(model, "--jobs", "1", output="whole/")) == 0
    assert contents(place / "out") == contents(place / "whole")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are not listed here")
def test_ray_writes_the_bytes_of_one_process_though_a_worker_is_killed(model, place):
    pytest.importorskip("ray")
    write_parts(place, 640)
    assert decode.main(arguments(model, "--jobs", "1", output="whole/")) == 0
    command = [sys.executable, "-m", "seq2seq.decode", *arguments(model, "--engine", "ray", "--jobs", "1")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as run:
        (worker,) = new_workers(run, after=2, mark=b"ray::MapWorker")
        os.kill(worker, signal.SIGKILL)
        said = run.stderr.read().decode()
        assert run.wait() == 0, said
    assert "ray" not in said.lower() and "Traceback" not in said
    assert contents(place / "out") == contents(place / "whole")


def test_without_ray_its_extra_is_named(model, place, monkeypatch, capsys):
    write_parts(place, 40)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert decode.main(arguments(model, "--engine", "ray")) == 2
    assert capsys.readouterr().err == (
        "seq2seq decode: error: --engine ray: needs Ray, which is not installed: run pip install '.[ray]' in the "
        "folder of seq2seq's source\n"
    )


def test_a_cluster_that_is_not_there_is_named_at_once(model, place, capsys):
    pytest.importorskip("ray")
    write_parts(place, 40)
    with socket.socket() as free:  # bound, but nobody listens
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        assert decode.main(arguments(model, "--engine", "ray", "--address", address)) == 2
    assert capsys.readouterr().err == (
        f"seq2seq decode: error: --address {address}: cannot be reached: [Errno 111] Connection refused; check the "
        "address, and that the cluster has this version of Ray, and its token where it asks for one\n"
    )


def new_workers(run, *, after, mark=b"spawn_main"):
    """Waits until a run has written more chunks than `after`, and has workers; returns their numbers."""
    end, notes = time.monotonic() + 600, Path("out/_seq2seq/parts")
    while time.monotonic() < end and run.poll() is None:
        chunks = sum(json.loads(note.read_bytes())["lines"] // 16 for note in notes.glob("*.json"))
        workers = [number for number in below(run.pid) if mark in command_of(number)]
        if chunks > after and workers:
            return workers
        time.sleep(0.005)
    raise AssertionError(f"the run ended with {run.poll()}: {run.stderr.read().decode()}")


def below(number):
    """The numbers of all processes that a process started, and of theirs."""
    found = []
    for file in Path(f"/proc/{number}/task").glob("*/children"):
        try:
            found += map(int, file.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found + [one for each in found for one in below(each)]


def command_of(number):
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""

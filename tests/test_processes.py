import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

import pytest
from conftest import bundle_maker
from killing import ends

from seq2seq.api import load
from seq2seq.bundle.exported import identity
from seq2seq.cores import core_count, use_cores
from seq2seq.corpus.decoding import load_model
from seq2seq.errors import BundleError, OptionError, Seq2SeqError
from seq2seq.inference.processes import MOST_TRIES, ModelProcesses
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig
from seq2seq.serving.work import load_by_name


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return bundle_maker(tmp_path_factory.mktemp("model"))()


@pytest.fixture(scope="module")
def processes(folder):
    with ModelProcesses(partial(load, folder), 2) as found:
        yield found


# what the processes do here: functions of a module, since they are sent by name
def process_of(model):
    return os.getpid()


def cores_of(model):
    return core_count()


def interrupt(model):
    os.kill(os.getpid(), signal.SIGINT)
    return "lives"


def end_the_first_time(model, mark):
    if not mark.exists():
        mark.write_text("")
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def end_always(model, marks):
    marks.open("a").write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(model):
    raise OptionError("--length: expected more")


def wait_for(model, mark, seconds=300):
    (mark.parent / f"{mark.name} runs").write_text("")
    end = time.monotonic() + seconds
    while not mark.exists() and time.monotonic() < end:
        time.sleep(0.01)
    return mark.exists()


def test_processes_say_what_this_one_says_whatever_their_share_of_the_lines(processes, folder):
    lines = ["abcd.", "", "efgh.", "a", "dcba."] * 3
    for config in (
        DecodingConfig(),
        DecodingConfig(temperature=1.0, seed=5, max_length=9),
        DecodingConfig(beam_size=3),
    ):
        shares = [list(range(start, len(lines), 4)) for start in range(4)]
        futures = [
            processes.submit(
                Translator.decode_chunk,
                [lines[place] for place in share],
                config,
                numbers=[place + 1 for place in share],
            )
            for share in shares
        ]
        found = [None] * len(lines)
        for share, future in zip(shares, futures, strict=True):
            for place, outputs in zip(share, future.result(), strict=True):
                found[place] = outputs
        expected = load(folder).decode_chunk(lines, config)
        assert [[one.text for one in each] for each in found] == [[one.text for one in each] for each in expected]
        assert [each[0].line for each in found] == list(range(1, len(lines) + 1))


def test_work_is_done_elsewhere_on_one_core_and_errors_come_back(processes):
    assert processes.submit(process_of).result() != os.getpid()
    assert processes.submit(cores_of).result() == 1
    with pytest.raises(OptionError, match="--length: expected more"):
        processes.submit(refuse).result()
    assert processes.submit(interrupt).result() == "lives"  # Ctrl-C in a terminal reaches every process


def test_a_killed_process_is_replaced_and_its_work_is_done_again(processes, tmp_path):
    others = [processes.submit(process_of) for _ in range(5)]
    assert processes.submit(end_the_first_time, tmp_path / "mark").result() == "done"
    assert all(other.result() for other in others)
    assert processes.submit(process_of).result()


def test_work_that_ends_its_process_every_time_is_an_error(folder, tmp_path):
    with ModelProcesses(partial(load, folder), 1) as processes:
        with pytest.raises(Seq2SeqError, match=f"was ended {MOST_TRIES} times; is there enough memory"):
            processes.submit(end_always, tmp_path / "marks").result()
        assert len((tmp_path / "marks").read_text()) == MOST_TRIES
        assert processes.submit(cores_of).result() == 1


def test_work_is_an_error_where_no_process_starts_and_never_waits_forever(folder, monkeypatch):
    with ModelProcesses(partial(load, folder), 1) as processes:

        def refuse(task):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        monkeypatch.setattr(processes, "start", refuse)
        outer = Future()
        processes.finish(outer, process_of, 2, failed(BrokenProcessPool()))  # as a callback, which must not raise
        for future in (processes.submit(process_of), outer):
            with pytest.raises(
                Seq2SeqError, match="no process could be started: Too many open files; give fewer --jobs"
            ):
                future.result(timeout=60)


def failed(error):
    """A future that has this error."""
    future = Future()
    future.set_exception(error)
    return future


def test_what_waits_when_they_are_closed_is_an_error_and_what_runs_is_finished(folder, tmp_path):
    processes = ModelProcesses(partial(load, folder), 1)
    running = processes.submit(wait_for, tmp_path / "mark")
    waiting = [processes.submit(process_of) for _ in range(5)]
    while not (tmp_path / "mark runs").exists():
        time.sleep(0.01)
    (tmp_path / "mark").write_text("")
    processes.close()
    assert running.result() is True
    assert "the processes were closed" in str(waiting[-1].exception())
    assert "the processes were closed" in str(processes.submit(process_of).exception())


def test_the_processes_end_silently_with_one_that_is_killed(folder, tmp_path):
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from functools import partial
from pathlib import Path
from seq2seq.api import load
from seq2seq.inference.processes import ModelProcesses
from test_processes import process_of
if __name__ == "__main__":
    processes = ModelProcesses(partial(load, Path({str(folder)!r})), 1)
    print(processes.submit(process_of).result(), flush=True)
    time.sleep(60)
"""
    (tmp_path / "run.py").write_text(code)
    command, pipes = [sys.executable, str(tmp_path / "run.py")], dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, text=True, **pipes) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
        assert ends(child)
        assert parent.stderr.read() == ""  # until all processes have closed it


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups that get signals")
def test_an_interrupt_while_they_start_is_for_this_process_alone(folder, tmp_path):
    code = f"""
from functools import partial
from pathlib import Path
from seq2seq.api import load
from seq2seq.inference.processes import ModelProcesses
if __name__ == "__main__":
    with ModelProcesses(partial(load, Path({str(folder)!r})), 2) as processes:
        processes.warm()
        try:
            print("started", flush=True)
            input()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""
    (tmp_path / "run.py").write_text(code)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, tmp_path / "run.py"], text=True, start_new_session=True, **pipes) as parent:
        assert parent.stdout.readline() == "started\n"
        os.killpg(parent.pid, signal.SIGINT)
        assert parent.stdout.readline() == "interrupted\n"
        parent.stdin.close()
        assert parent.stderr.read() == ""
    assert parent.returncode == 0


def test_a_process_can_be_told_to_use_fewer_cores():
    before = core_count()
    try:
        use_cores(1)
        assert core_count() == 1
        use_cores(before + 5)
        assert core_count() == before
    finally:
        use_cores(before)


def test_a_model_that_was_replaced_since_the_start_answers_nothing(tmp_path):
    make = bundle_maker(tmp_path)
    folder, other = make(), make("other", seed=2)
    load_both = partial(load_by_name, {folder: identity(folder)})
    expected = identity(folder)
    assert load_both()["tiny"].bundle.path == folder
    assert load_model(folder, expected).bundle.path == folder
    shutil.rmtree(folder)
    with pytest.raises(BundleError, match="expected a model folder, got nothing there"):
        load_model(folder, expected)
    other.rename(folder)
    for again in (load_both, partial(load_model, folder, expected)):
        with pytest.raises(
            BundleError, match="tiny: holds another model than when this program started; start it again"
        ):
            again()

"""Trains in child processes that are killed with signal 9: `python -m tests.killing` reads jobs and answers each.

A job is a line of JSON, see `Killer.run`. TensorFlow is imported once, before the children are forked.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple


class Ended(NamedTuple):
    """How a training ended."""

    code: int  # -9 where it was killed
    moments: list[str]  # that it reached, in their order
    seconds: float
    said: str  # on stdout and stderr
    memory: int  # bytes, at most


CALLS = ("fsync", "replace")  # of the module os: each is a moment of its own, before and after


class Killer:
    """Runs trainings in children of a warm process; use it in a `with` block."""

    def __enter__(self):
        command = [sys.executable, "-m", "tests.killing"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *exception):
        self.process.communicate()

    def run(self, verb, *arguments, folder, seconds=None, moments=(), eager=True, save_often=False):
        """Runs a verb until it ends or is killed; returns how it ended.

        Args:
            verb: its name.
            arguments: of the verb.
            folder: the run's folder.
            seconds: it is killed after this time; None: never for its time.
            moments: it is killed at the first of these that it reaches.
            eager: compile no functions, which takes longer than a short run itself.
            save_often: write a checkpoint after each step, not only after long ones.

        """
        job = {
            "verb": verb, "arguments": [*map(str, arguments)], "folder": str(folder), "seconds": seconds,
            "moments": sorted(moments), "eager": eager, "save_often": save_often,
        }  # fmt: skip
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return Ended(**answer)


def watch(log, folder, moments):
    """Writes down each moment of this process, and kills it at the first that `moments` holds.

    A moment is just before or after a call, in words: the call, the file, and the checkpoint that `current` names.
    A folder that takes another name because a killed process left one of its name counts as that one.
    """

    def reach(moment):
        current = folder / "current"
        moment = f"{moment}, {current.read_text().strip() if current.is_file() else 'no checkpoint'}"
        log.write(moment + "\n")
        log.flush()
        if moment in moments:
            os.kill(os.getpid(), signal.SIGKILL)

    def watched(name, call):
        def calls(first, *others, **options):
            path = os.readlink(f"/proc/self/fd/{first}") if name == "fsync" else os.fspath(first)
            where = re.sub(r"\.\d+\.partial", ".partial", os.path.relpath(path, folder))
            reach(f"before {name} {where}")
            result = call(first, *others, **options)
            reach(f"after {name} {where}")
            return result

        return calls

    for name in CALLS:
        setattr(os, name, watched(name, getattr(os, name)))


def child(job, log, said):
    """Carries out a job in this process, which then ends."""
    os.dup2(said.fileno(), 1)
    os.dup2(said.fileno(), 2)
    from seq2seq.__main__ import verb_module
    from seq2seq.models.backend import tf
    from seq2seq.training import fit, run_views

    tf.config.run_functions_eagerly(job["eager"])
    run_views.has_matplotlib = lambda: False  # curves.png takes a second to draw
    if job["save_often"]:
        fit.SAVE_SECONDS, fit.CHECK_EVERY = 0.0, 1
    watch(log, Path(job["folder"]).resolve(), set(job["moments"]))
    code = 1
    try:
        code = verb_module(job["verb"]).main(job["arguments"])
    finally:
        sys.stderr.flush()
        os._exit(code)


def carry_out(job):
    """Forks a child for a job, kills it when its time is up, and describes how it ended."""
    with tempfile.TemporaryFile("w+") as log, tempfile.TemporaryFile("w+") as said:
        began = time.monotonic()
        pid = os.fork()
        if not pid:
            child(job, log, said)
        if job["seconds"] is not None and signal.sigtimedwait({signal.SIGCHLD}, job["seconds"]) is None:
            os.kill(pid, signal.SIGKILL)
        _, status, used = os.wait4(pid, 0)
        taken = time.monotonic() - began
        signal.sigtimedwait({signal.SIGCHLD}, 0)  # of this child, so that it does not end the wait for the next
        log.seek(0)
        said.seek(0)
        return {
            "code": os.waitstatus_to_exitcode(status),
            "moments": log.read().splitlines(),
            "seconds": taken,
            "said": said.read(),
            "memory": used.ru_maxrss * 1024,
        }


def main():
    """Answers jobs until stdin ends."""
    import seq2seq.distill
    import seq2seq.train
    import seq2seq.training.trainer  # noqa: F401 - TensorFlow, without the threads that a first step starts

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    for line in sys.stdin:
        print(json.dumps(carry_out(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()


def ends(process, seconds=20):
    """Whether a process ends within some seconds; one that has ended stays listed until its parent asks for it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.01)
    return False

"""Runs tests again and again with a changed package: in forks of one process where only functions are changed.

What runs at import, such as a constant or a decorator, is seen only by a new process, which takes seconds to start.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from multiprocessing import Pipe
from pathlib import Path
from typing import NamedTuple

from tests.forked_server import CHANNEL, FREE

REFUSED = 3  # the code of a function does not fit into the one that was imported, or is not known there
START_SECONDS = 20


class Outcome(NamedTuple):
    """How tests ended."""

    code: int  # 0: all passed; 1: one failed; below 0: killed by that signal; otherwise they could not run
    text: str  # what the first failing test said

    @property
    def timed_out(self):
        return -self.code in (signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL)


def environment(tree):
    """The environment in which the package and the tests of a folder are the ones that are imported."""
    path = os.pathsep.join([str(tree), str(tree / "tests"), os.environ.get("PYTHONPATH", "")])
    hidden = {"PYTEST_ADDOPTS": "", "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return {**os.environ, "PYTHONPATH": path, **hidden}


def options(tree):
    return ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(tree)]


def import_time(code):
    """What of a module's code runs when it is imported, as a value that can be compared."""
    constants = []
    for constant in code.co_consts:
        if not hasattr(constant, "co_consts"):
            constants.append((type(constant), repr(constant)))
        elif not constant.co_flags & FREE:
            constants.append(import_time(constant))
    return code.co_code, code.co_names, tuple(constants)


def changes_import(before, after):
    """Returns whether two sources differ in what runs when they are imported."""
    return import_time(compile(before, "before", "exec")) != import_time(compile(after, "after", "exec"))


class Forked:
    """A process that has collected test files of a folder, and runs them in forks."""

    def __init__(self, tree, files, *more):
        self.tree, self.more = Path(tree).resolve(), more
        here, there = Pipe()
        command = [sys.executable, "-m", "pytest", *options(self.tree), "-p", "forked_server", *more, *files]
        variables = {**environment(self.tree), CHANNEL: str(there.fileno())}
        self.log = self.tree / "forked.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.tree, env=variables, pass_fds=[there.fileno()], stdout=log, stderr=log
            )
        there.close()
        self.channel = here
        self.names = self.receive()

    def receive(self):
        try:
            return self.channel.recv()
        except EOFError:
            self.process.wait()
            raise RuntimeError(f"the tests could not be collected: {self.log.read_text(errors='replace')}") from None

    def run(self, path, source, names, *, cpu_seconds):
        """Runs tests, by name and in this order, up to the first failure, with another source of one file.

        The file is changed too, for what reads it: new processes, and TensorFlow, which makes graphs of source.
        """
        path = Path(path).resolve()
        before = path.read_text(encoding="utf-8")
        path.write_text(source, encoding="utf-8")
        try:
            if not changes_import(before, source):
                self.channel.send(("run", str(path), source, list(names), cpu_seconds))
                outcome = Outcome(*self.receive())
                if outcome.code != REFUSED:
                    return outcome
            return self.run_fresh(names, cpu_seconds=cpu_seconds + START_SECONDS)
        finally:
            path.write_text(before, encoding="utf-8")

    def run_fresh(self, names, *, cpu_seconds):
        """Runs tests up to the first failure in a new process."""
        limits = int(cpu_seconds) + 1, int(cpu_seconds) + 6
        command = [sys.executable, "-m", "pytest", *options(self.tree), *self.more, "-x", *names]
        try:
            result = subprocess.run(
                command,
                cwd=self.tree,
                env=environment(self.tree),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=200 * limits[0],
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, limits),
            )
        except subprocess.TimeoutExpired:
            return Outcome(-signal.SIGALRM, "")
        return Outcome(result.returncode, result.stdout)

    def map_lines(self, names, *, cpu_seconds):
        """Returns the seconds and the lines of the package of each test that passed within so many seconds."""
        self.channel.send(("map", str(self.tree / "seq2seq"), list(names), cpu_seconds))
        code, said = self.receive()
        if code:
            raise RuntimeError(f"the lines of {names[0]} could not be recorded: {said or code}")
        return json.loads(said)

    def close(self):
        self.channel.send(None)
        self.channel.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

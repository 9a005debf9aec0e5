"""Runs tests in forks of one process that has imported and collected them; the pytest plugin of tests/forked.py.

Loaded by `pytest -p forked_server`. In the place of the tests' loop it waits for requests, each a function of ANSWERS
with its arguments. Each is answered from a fork, so that no request changes what the next one sees.
"""

import gc
import json
import os
import resource
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FunctionType
from typing import NamedTuple

CHANNEL = "SEQ2SEQ_FORKED_TESTS"  # the number of the file descriptor, in the environment
FREE = 0x1  # CO_OPTIMIZED: the code of a function, as class bodies and modules do not have it


def function_codes(code):
    """Yields the code objects of a module's functions and methods, without the ones inside them."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & FREE:
                yield constant
            else:
                yield from function_codes(constant)


def place(code):
    return code.co_filename, code.co_qualname, code.co_firstlineno


class Failures:
    """Keeps what the failing tests of a fork say."""

    def __init__(self):
        self.texts = []

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.texts.append(f"{report.nodeid} ({report.when})\n{report.longreprtext}")


def run_each(chosen):
    """Runs tests in their order, yields each with the seconds of computing that it took."""
    for item, following in zip(chosen, [*chosen[1:], None], strict=True):
        begin = sum(os.times()[:4])
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        yield item, sum(os.times()[:4]) - begin


def limit_time(cpu_seconds):
    """Lets the system end this process after so much computing, or after much waiting."""
    soft = int(cpu_seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, soft + 5))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 200 * soft)


def run_tests(collected, path, source, names, cpu_seconds):
    """Gives the functions of a file their new code, runs tests up to the first failure; returns what it says, or ''."""
    codes = {place(code): code for code in function_codes(compile(source, path, "exec"))}
    for function in collected.functions.get(path, ()):
        new = codes.get(place(function.__code__))
        if new is not None:
            function.__code__ = new
    imported = any(getattr(module, "__file__", None) == path for module in [*sys.modules.values()])
    if imported and path not in collected.functions:
        raise RuntimeError(f"no function of {path} is known")
    limit_time(cpu_seconds)
    failures = Failures()
    collected.plugins.register(failures)
    for _ in run_each([collected.items[name] for name in names]):
        if failures.texts:
            return failures.texts[0]
    return ""


def map_lines(collected, package, names, cpu_seconds):
    """Runs tests for so many seconds; returns as JSON, for each that passed, its seconds and the lines that it ran."""
    import coverage

    failures = Failures()
    collected.plugins.register(failures)
    tracer = coverage.Coverage(config_file=False, data_file=None, include=[f"{package}/*"], messages=False)
    tracer.set_option("run:disable_warnings", ["no-data-collected"])  # a test may run nothing of the package
    tracer.start()
    found, spent = {}, 0.0
    chosen = [collected.items[name] for name in names]
    tracer.switch_context(names[0])
    for item, seconds in run_each(chosen):
        if not failures.texts:
            found[item.nodeid] = {"seconds": round(seconds, 3), "lines": {}}
        failures.texts.clear()
        spent += seconds
        following = names.index(item.nodeid) + 1
        if spent > cpu_seconds or following == len(names):
            break
        tracer.switch_context(names[following])
    tracer.stop()
    data = tracer.get_data()
    for file in data.measured_files():
        for line, contexts in data.contexts_by_lineno(file).items():
            for name in found.keys() & set(contexts):
                found[name]["lines"].setdefault(os.path.relpath(file, package), []).append(line)
    return json.dumps(found)


ANSWERS = {"run": run_tests, "map": map_lines}


def answer(collected, kind, *arguments):
    """Runs a request in a fork; returns the end of the fork, an exit code or minus a signal, and what it returned."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        code = 3
        try:
            said = ANSWERS[kind](collected, *arguments)
            code = int(kind == "run" and bool(said))
        except BaseException as error:
            said = repr(error)
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(said.encode(errors="replace"))
        os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), said


class Collected(NamedTuple):
    """What a fork finds ready."""

    items: dict  # name -> test
    functions: dict  # path -> the functions that were defined there
    plugins: object  # pytest's plugin manager


def functions_by_file():
    gc.unfreeze()  # what conftest.py froze is not listed
    found = {}
    for one in gc.get_objects():
        if isinstance(one, FunctionType):
            found.setdefault(one.__code__.co_filename, []).append(one)
    return found


def check_threads():
    """Refuses to fork a process in which TensorFlow has begun to work: its threads would be missing in each fork."""
    names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    if any(name.startswith("tf_") for name in names):
        raise RuntimeError("a test file computes with TensorFlow when it is imported; let it do so in a function")


def pytest_runtestloop(session):
    """Answers requests until there is none."""
    check_threads()
    items = {item.nodeid: item for item in session.items}
    collected = Collected(items, functions_by_file(), session.config.pluginmanager)
    gc.collect()
    gc.freeze()
    with Connection(int(os.environ[CHANNEL])) as channel:
        channel.send(list(items))
        while request := channel.recv():
            channel.send(answer(collected, *request))
    return True

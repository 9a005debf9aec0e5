"""Runs pytest in children of a process that has imported TensorFlow: each child imports its own copy of the package.

`python tests/warm_pytest.py` reads jobs, a line of JSON each, and answers each; see `WarmPytest.run`.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

MOST_SECONDS = 300
OPTIONS = ["-q", "-x", "-p", "no:cacheprovider", "-c", os.devnull]


class WarmPytest:
    """Runs pytest in children of a warm process; use it in a `with` block."""

    def __enter__(self):
        environment = {
            **os.environ, "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip
        return self

    def __exit__(self, *exception):
        self.process.communicate()

    def run(self, folder, file, chosen):
        """Runs some tests of a file, with the package in the same folder.

        Args:
            folder: holds the package and the file.
            file: its name.
            chosen: the expression that chooses tests by their names.

        Returns:
            The exit code of pytest, negative where a signal ended it, and what it printed.

        """
        job = {"folder": str(folder), "options": [*OPTIONS, "--rootdir", str(folder), file, "-k", chosen]}
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["code"], answer["said"]


def child(folder, options, said):
    """Runs pytest in this process, which then ends."""
    os.dup2(said.fileno(), 1)
    os.dup2(said.fileno(), 2)
    os.chdir(folder)
    sys.path.insert(0, folder)
    os.environ["PYTHONPATH"] = folder
    signal.alarm(MOST_SECONDS)
    import pytest

    code = 1
    try:
        code = int(pytest.main(options))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def carry_out(folder, options):
    """Runs pytest in a child and describes how it ended."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        if sys.platform == "linux":
            pid = os.fork()
            if not pid:
                child(folder, options, said)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        else:  # a process with threads cannot be forked, or not at all
            command = [sys.executable, "-m", "pytest", *options]
            environment = {**os.environ, "PYTHONPATH": folder}
            code = subprocess.run(
                command, cwd=folder, env=environment, stdout=said, stderr=said, timeout=MOST_SECONDS
            ).returncode
        said.seek(0)
        return {"code": code, "said": said.read()}


def main():
    """Answers jobs until stdin ends."""
    if sys.platform == "linux":
        import keras  # noqa: F401 - with TensorFlow, and without the threads that a first step starts
        import pytest  # noqa: F401
    for line in sys.stdin:
        print(json.dumps(carry_out(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()

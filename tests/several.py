"""Trains with several workers, each a child of one warm process: `python -m tests.several` reads jobs, answers each.

A job is a line of JSON, see `Several.run`. TensorFlow is imported once, before the children are forked.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile

from tests.killing import child

LONGEST_SECONDS = 600  # of a child, which a signal ends then


class Several:
    """Runs trainings with several workers in children of a warm process; use it in a `with` block."""

    def __enter__(self):
        command = [sys.executable, "-m", "tests.several"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *exception):
        self.process.communicate()

    def run(
        self, command, folder, *, workers=1, dies=None, moments=(), eager=True, save_often=False, each=lambda worker: []
    ):
        """Runs `train` until all workers have ended.

        Args:
            command: the options that all workers have.
            folder: the run's folder.
            workers: how many; with one there are no --workers.
            dies: a worker, and the number of the message at whose sending it kills itself; None: none does.
            moments: of writing, at which the first worker kills itself, as in `tests.killing`.
            eager: compile no functions, which takes longer than a short run itself.
            save_often: write a checkpoint after each step, not only after long ones.
            each: the options of one worker alone.

        Returns:
            For each worker its exit code, -9 where it was killed, its moments of writing, and its stderr.

        """
        addresses = free_addresses(workers)
        jobs = []
        for worker in range(workers):
            own = ["--workers", ",".join(addresses), "--worker", worker] if workers > 1 else []
            jobs.append(
                {
                    "verb": "train", "folder": str(folder), "eager": eager, "save_often": save_often,
                    "arguments": [*map(str, [*command, "--model", folder, *own, *each(worker)])],
                    "moments": sorted(moments) if worker == 0 else [],
                    "dies": dies[1] if dies and dies[0] == worker else None,
                }
            )  # fmt: skip
        self.process.stdin.write(json.dumps(jobs) + "\n")
        self.process.stdin.flush()
        answers = json.loads(self.process.stdout.readline())
        return [(answer["code"], answer["moments"], answer["said"]) for answer in answers], addresses


def free_addresses(count):
    """Addresses of this machine on whose ports nothing listens."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in held]


def die_at(message):
    """Kills this process when it has sent some messages and would send another."""
    from seq2seq.training.wire import Wire

    send, sent = Wire.send, []

    def send_or_die(wire, *content):
        sent.append(1)
        if len(sent) == message:
            os.kill(os.getpid(), signal.SIGKILL)
        send(wire, *content)

    Wire.send = send_or_die


def carry_out(jobs):
    """Forks a child for each worker, and describes how all of them ended."""
    with contextlib.ExitStack() as stack:
        files = [[stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2)] for _ in jobs]
        pids = []
        for job, (log, said) in zip(jobs, files, strict=True):
            pids.append(os.fork())
            if not pids[-1]:
                signal.alarm(LONGEST_SECONDS)
                if job["dies"] is not None:
                    die_at(job["dies"])
                child(job, log, said)
        answers = []
        for pid, (log, said) in zip(pids, files, strict=True):
            _, status = os.waitpid(pid, 0)
            for file in (log, said):
                file.seek(0)
            moments = log.read().splitlines()
            answers.append({"code": os.waitstatus_to_exitcode(status), "moments": moments, "said": said.read()})
        return answers


def main():
    """Answers jobs until stdin ends."""
    import seq2seq.train
    import seq2seq.training.trainer  # noqa: F401 - TensorFlow, without the threads that a first step starts

    for line in sys.stdin:
        print(json.dumps(carry_out(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()

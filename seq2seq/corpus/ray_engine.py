"""Decodes parts on the machines of a Ray cluster: each worker loads the model once and decodes whole parts.

All machines see the model, the inputs and the output folder under the same paths. A worker that is lost is replaced,
and its part goes on after its last chunk.
"""

import dataclasses
import functools
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from seq2seq.bundle.exported import identity
from seq2seq.cores import core_count, use_cores
from seq2seq.corpus.decoding import Job, Step, alone, decode_tasks, load_model
from seq2seq.corpus.record import Folder, Task
from seq2seq.errors import SHOWN_CHARACTERS, Seq2SeqError
from seq2seq.inference.translator import Translator
from seq2seq.ray_cluster import RayCluster
from seq2seq.text.readings import Replacement


class PartDecoder:
    """Decodes parts in a worker, which has one core."""

    def __init__(self, model: Path, expected: str, folder: Folder, tasks: Sequence[Task], job: Job) -> None:
        self.model, self.expected = model, expected
        self.folder, self.tasks, self.job = folder, tasks, job

    @functools.cached_property
    def translator(self) -> Translator:
        """The model, which is loaded once, for one core."""
        use_cores(1)
        return load_model(self.model, self.expected)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Decodes the part that a row names; the row that it returns says what it came to."""
        task = self.tasks[int(row["task"])]
        lines, unknown = 0, dict[str, tuple[Replacement, int]]()
        error = ""
        try:
            steps = decode_tasks(self.folder, [task], self.job, lambda chunks: alone(self.translator, chunks))
            for step in steps:
                lines += step.lines
                unknown = step.unknown | unknown
        except (Seq2SeqError, OSError) as found:  # raised here, it would come with Ray's own stack
            error = str(found)
        return {"lines": lines, "unknown": json.dumps(list(unknown.values())), "error": error}


def decode_on_ray(
    folder: Folder, tasks: Sequence[Task], job: Job, model: Path, *, address: str | None, jobs: int | None
) -> Iterator[Step]:
    """Decodes parts into a folder with Ray Data, and yields a step for each part.

    Args:
        folder: of the outputs.
        tasks: the parts that are left.
        job: how they are decoded.
        model: the model's folder.
        address: of a cluster; None: one on this machine, for the time of the run.
        jobs: workers; None: one for each core but, in a cluster, one that stays free for reading.

    Raises:
        OptionError: Ray is not installed, or there is no such cluster; or a worker cannot write.
        DataError: a line cannot be decoded, and the job does not keep going.

    """
    # workers reserve a core each: without another one nothing could read what they wait for
    local, expected = None if address else jobs or core_count(), identity(model)
    with RayCluster(address).connected(cores=local and local + 1) as ray:
        from ray.data import ActorPoolStrategy, DataContext

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        count = local or jobs or max(1, int(ray.cluster_resources().get("CPU", 1)) - 1)
        try:
            DataContext.get_current().enable_progress_bars = False
            rows = ray.data.from_items([{"task": index} for index in range(len(tasks))], override_num_blocks=len(tasks))
            decoded = rows.map(
                cast(Any, PartDecoder),  # a class is a function of each worker
                fn_constructor_args=(model.resolve(), expected, absolute(folder), [here(task) for task in tasks], job),
                compute=ActorPoolStrategy(size=min(count, len(tasks)), max_tasks_in_flight_per_actor=1),
                num_cpus=1,
            )
            for row in decoded.iter_rows():
                if row["error"]:
                    raise Seq2SeqError(row["error"])
                found = [(Replacement(*replacement), line) for replacement, line in json.loads(row["unknown"])]
                yield Step(row["lines"], {replacement.character: (replacement, line) for replacement, line in found})
        except ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[-SHOWN_CHARACTERS:]
            raise Seq2SeqError(f"--engine ray: the workers were lost: {reason}; give the same command again") from error


def absolute(folder: Folder) -> Folder:
    """Returns the folder under its absolute name: a worker has another working directory."""
    return dataclasses.replace(folder, path=folder.path.resolve())


def here(task: Task) -> Task:
    """Returns the task with its part's absolute name, likewise."""
    return dataclasses.replace(task, part=dataclasses.replace(task.part, path=task.part.path.absolute()))

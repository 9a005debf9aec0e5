"""Trains the members of an ensemble side by side, each as a task of a Ray cluster that continues where it stopped.

All machines see the ensemble's folder and the data under the same paths. A task whose process dies is started again.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from seq2seq.errors import Seq2SeqError
from seq2seq.ray_cluster import RayCluster
from seq2seq.training.task import Run

Trained = tuple[list[str], Seq2SeqError | OSError | None]  # what was reported, and the error that ended a training


def train_side_by_side(
    members: Sequence[Run], cluster: RayCluster, train_into: Callable[[Run], Path], report: Callable[[str], None]
) -> Iterator[None]:
    """Trains members, and reports the lines of each when it is finished; yields after each.

    Args:
        members: as they would be trained one after the other.
        cluster: where.
        train_into: trains one member into its folder, or continues it.
        report: receives the lines.

    Raises:
        OptionError: Ray is not installed, or there is no such cluster.
        Seq2SeqError, OSError: a member could not be trained.

    """
    with cluster.connected() as ray:
        gpus = min(1, int(ray.cluster_resources().get("GPU", 0)))
        train = ray.remote(train_member).options(num_cpus=1, num_gpus=gpus)
        left = {train.remote(portable(member), train_into): member for member in members}
        while left:
            (task, *_), _ = ray.wait(list(left))
            member = left.pop(task)
            try:
                lines, error = ray.get(task)
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError):
                raise Seq2SeqError(
                    f"{member.folder.name}: its process in the Ray cluster has ended several times, often for want of "
                    "memory; the same command goes on with it"
                ) from None
            for line in (f"{member.folder.name}, seed {member.train.seed}", *lines):
                report(line)
            if error:
                raise error
            yield


def train_member(run: Run, train_into: Callable[[Run], Path]) -> Trained:
    """Trains a member in a process of the cluster; an error is returned, since raised it would come with Ray's own."""
    lines: list[str] = []
    try:
        train_into(dataclasses.replace(run, report=lines.append, started=time.monotonic()))
    except (Seq2SeqError, OSError) as error:
        return lines, error
    return lines, None


def portable(run: Run) -> Run:
    """Returns a run with absolute names, since a process of the cluster has another working directory."""
    paths = {part: path.absolute() for part, path in run.dataset.paths.items()}
    return dataclasses.replace(
        run,
        folder=run.folder.absolute(),
        dataset=dataclasses.replace(run.dataset, paths=paths),
        tensorboard=run.tensorboard and run.tensorboard.absolute(),
        report=print,
    )

"""The workers of a training on several machines: their addresses, from --workers and --worker or from TF_CONFIG."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from seq2seq.errors import OptionError, brief

TF_CONFIG = "TF_CONFIG"  # the environment variable of TensorFlow, which cluster managers set
LAST_PORT = 65535


@dataclasses.dataclass(frozen=True)
class Workers:
    """All workers of one training, and which of them this process is. The first has the checkpoints and the model."""

    addresses: tuple[str, ...]  # HOST:PORT each; the first worker listens on its own, the others are named by theirs
    index: int = 0

    def __len__(self) -> int:
        return len(self.addresses)

    @property
    def others(self) -> range:
        """The numbers of all workers but the first."""
        return range(1, len(self))

    @property
    def own(self) -> str:
        """Names this process as messages do."""
        return self.name(self.index)

    @property
    def place(self) -> int:
        """The number of workers on the same machine that come before this one."""
        hosts = [host_and_port(address)[0] for address in self.addresses]
        return hosts[: self.index].count(hosts[self.index])

    def name(self, index: int) -> str:
        """Names a worker as messages do: `worker 1 (10.0.0.2:7000)`."""
        return f"worker {index} ({self.addresses[index]})"

    def shards(self, count: int, index: int | None = None) -> range:
        """Returns which of `count` shards of a batch a worker computes, by default this one: I, I + N, I + 2 N, ..."""
        return range(self.index if index is None else index, count, len(self))


def asked_workers(workers: str | None, worker: int | None, environment: Mapping[str, str]) -> Workers | None:
    """Returns the workers that the options name, or else those of TF_CONFIG; None: this process trains alone.

    Args:
        workers: the value of --workers, addresses separated by commas.
        worker: the value of --worker.
        environment: of the process.

    Raises:
        OptionError: an option is missing or wrong, or TF_CONFIG names no workers.

    """
    if workers is not None:
        addresses = [part.strip() for part in workers.split(",")]
        if worker is None:
            raise OptionError(
                f"--workers {workers}: expected --worker I beside it, 0 to {len(addresses) - 1}: which one this is"
            )
        found = checked(addresses, worker, f"--workers {workers}", f"--worker {worker}")
    elif worker is not None:
        raise OptionError(f"--worker {worker}: needs --workers HOST:PORT,HOST:PORT, the addresses of all workers")
    elif environment.get(TF_CONFIG):
        found = of_tf_config(environment[TF_CONFIG])
    else:
        return None
    return found if len(found) > 1 else None


def of_tf_config(text: str) -> Workers:
    """Reads TF_CONFIG: a cluster of workers, which may have a chief before them, and the task of this process.

    Raises:
        OptionError: it has another form.

    Source: tensorflow.org/guide/distributed_training, "Setting up the TF_CONFIG environment variable".

    """
    wrong = OptionError(
        f"{TF_CONFIG}: expected a cluster with workers and the task of this process, such as "
        '{"cluster": {"worker": ["10.0.0.1:7000", "10.0.0.2:7000"]}, "task": {"type": "worker", "index": 0}}, '
        f"got {brief(text)}; correct it, or give --workers and --worker"
    )
    try:
        content: Any = json.loads(text)
        cluster, task = content["cluster"], content["task"]
        kind, index = task["type"], task["index"]
        jobs = {name: list(cluster.get(name, [])) for name in ("chief", "worker")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise wrong from None
    addresses = [*jobs["chief"], *jobs["worker"]]
    if kind not in jobs or not set(cluster) <= set(jobs) or type(index) is not int:
        raise wrong
    if not addresses or not all(isinstance(address, str) for address in addresses):
        raise wrong
    if not 0 <= index < len(jobs[kind]):
        raise wrong
    number = index + (len(jobs["chief"]) if kind == "worker" else 0)
    return checked(addresses, number, TF_CONFIG, TF_CONFIG)


def checked(addresses: Sequence[str], index: int, listed: str, chosen: str) -> Workers:
    """Returns the workers with these addresses.

    Args:
        addresses: HOST:PORT each.
        index: of this process.
        listed, chosen: what named the addresses and the index, for messages.

    Raises:
        OptionError: an address has another form or occurs twice, or no worker has this number.

    """
    for address in addresses:
        try:
            host_and_port(address)
        except ValueError:
            expected = f"HOST:PORT with a port from 1 to {LAST_PORT}"
            raise OptionError(f"{listed}: expected {expected}, got {brief(address)}") from None
        if addresses.count(address) > 1:
            raise OptionError(f"{listed}: names {address} twice; give each worker an address of its own")
    if not 0 <= index < len(addresses):
        raise OptionError(f"{chosen}: expected 0 to {len(addresses) - 1}, one of the {len(addresses)} workers")
    return Workers(tuple(addresses), index)


def host_and_port(address: str) -> tuple[str, int]:
    """Splits HOST:PORT, or [HOST]:PORT for a host with colons; raises ValueError for anything else."""
    host, _, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not bare or (":" in bare) != host.startswith("[") or not (port.isascii() and port.isdigit()):
        raise ValueError(address)
    if not 1 <= int(port[:6]) <= LAST_PORT or any(character.isspace() or character == "\0" for character in bare):
        raise ValueError(address)
    return bare, int(port)

"""Connects to a Ray cluster, or starts one on this machine that nothing else reaches; imports Ray when it is used."""

import contextlib
import dataclasses
import logging
import os
import socket
from collections.abc import Iterator
from typing import Any

from seq2seq.cores import core_count
from seq2seq.errors import OptionError
from seq2seq.extras import installing
from seq2seq.native_output import native_stderr_closed

STORE_BYTES = 80 << 20  # what a task gets and returns is small
CONNECT_SECONDS = 10
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # sends nothing to anybody
    "RAY_DISABLE_IMPORT_WARNING": "1",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # on every system: a cluster that is reached from here alone


@dataclasses.dataclass(frozen=True)
class RayCluster:
    """Where a Ray cluster is."""

    address: str | None = None  # None: on this machine, for the time of the run

    @contextlib.contextmanager
    def connected(self, *, cores: int | None = None) -> Iterator[Any]:
        """Gives the module `ray` while it is connected to the cluster.

        Args:
            cores: of a cluster that is started here; None: those of this machine.

        Raises:
            OptionError: Ray is not installed, or there is no such cluster.

        """
        os.environ.update({**QUIET, **(LOOPBACK if self.address is None else {}), **os.environ})
        try:
            import ray
        except ImportError:
            raise OptionError(f"--engine ray: needs Ray, which is not installed: {installing('ray')}") from None
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        local = {"num_cpus": cores or core_count(), "object_store_memory": STORE_BYTES, "include_dashboard": False}
        try:
            if self.address:
                check_listening(self.address)
            with native_stderr_closed():
                ray.init(self.address or "local", **quiet, **({} if self.address else local))
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise OptionError(
                f"--engine ray: no cluster could be started on this machine: {reason}"
                if self.address is None
                else f"--address {self.address}: cannot be reached: {reason}; check the address, and that the cluster "
                "has this version of Ray, and its token where it asks for one"
            ) from error
        try:
            yield ray
        finally:
            ray.shutdown()


def check_listening(address: str) -> None:
    """Raises OSError where nothing listens at HOST:PORT, for which Ray itself would wait for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()

"""How much memory this process can still take, and the refusal of options that would need more."""

import os
from pathlib import Path

from seq2seq.errors import OptionError

ALWAYS = 1 << 28  # bytes that are taken without a look at what is free
CONTROL_GROUP = Path("/sys/fs/cgroup")


def check_memory(needed: float, what: str, way_out: str) -> None:
    """Refuses what would need more memory than there is, before any of it is taken.

    Args:
        needed: bytes, an estimate.
        what: the option, with its value.
        way_out: what to do instead.

    Raises:
        OptionError: less is free.

    """
    free = free_bytes() if needed > ALWAYS else None
    if free is not None and needed > free:
        raise OptionError(
            f"{what}: needs about {gigabytes(needed)} of memory, and {gigabytes(free)} are free; {way_out}"
        )


def gigabytes(size: float) -> str:
    """Writes a number of bytes in gigabytes."""
    number = size / 1e9
    return f"{number:.1f} GB" if number < 1e4 else f"{number:.0e} GB"


def free_bytes() -> int | None:
    """Returns the bytes that this process can still take; None where the system does not tell."""
    found = [free for free in (free_of_machine(), free_of_group(CONTROL_GROUP), free_of_process()) if free is not None]
    return min(found, default=None)


def free_of_machine() -> int | None:
    """Returns what the machine has left, or all of its memory where it does not tell what is left."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows
        return None


def free_of_group(folder: Path) -> int | None:
    """Returns what a limit of the process's control group leaves, as containers have it; None without a limit.

    Source: the Linux kernel's Control Group v2, section "Memory".
    """
    try:
        most, used = (int((folder / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
        statistics = (folder / "memory.stat").read_text(encoding="ascii").split("\n")
        # pages of files that the kernel drops when memory is asked for
        dropped = next(int(line.split()[1]) for line in statistics if line.startswith("inactive_file "))
    except (OSError, StopIteration, ValueError):
        return None
    return max(0, most - used + dropped)


def free_of_process() -> int | None:
    """Returns what the limit of this process's addresses (`ulimit -v`) leaves; None without a limit."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return None
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (ImportError, OSError, ValueError):  # the first on Windows, the others without /proc
        return None
    return max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))

"""Refuses what is beyond the limits: too long, too many lines, too many requests, too much at a time."""

import math
import time
from collections.abc import Callable

from seq2seq.serving.limits import Limits
from seq2seq.serving.refusals import Refusal

MINUTE = 60.0  # seconds
MOST_CLIENTS = 10_000  # that are remembered at a time


def check_lines(limits: Limits, count: int, field: str) -> None:
    """Raises Refusal for too many lines of a request."""
    if count > limits.max_lines:
        raise Refusal(
            400,
            f"{field}: expected at most {limits.max_lines} lines, got {count}; send several requests, or start the "
            "server with a larger --max-lines",
            param=field,
        )


def check_length(limits: Limits, length: int, where: str, field: str) -> None:
    """Raises Refusal for a source that is too long; `length` counts symbols."""
    if length > limits.max_length:
        raise Refusal(
            400,
            f"{where}: expected at most {limits.max_length} symbols, got {length}; cut it into lines, or start the "
            "server with a larger --max-length",
            param=field,
        )


class RateLimit:
    """Counts the requests of each client: as many as `per_minute` at once, and then one for each part of a minute.

    Source: the generic cell rate algorithm, ITU-T I.371.

    Args:
        per_minute: requests; None: no limit.
        clock: returns seconds.

    """

    def __init__(self, per_minute: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.interval = MINUTE / per_minute if per_minute else 0.0
        self.clock = clock
        self.free_at: dict[
            str, float
        ] = {}  # when all requests of a client so far are paid for, the longest unused first

    def wait(self, client: str) -> float:
        """Counts a request; returns 0, or, if it is one too many and not counted, the seconds until the next one."""
        if not self.interval:
            return 0.0
        now = self.clock()
        free_at = max(self.free_at.pop(client, now), now) + self.interval
        wait = free_at - now - max(MINUTE, self.interval)
        late = wait > 1e-6  # sums of intervals are not exact
        self.free_at[client] = free_at - self.interval if late else free_at
        if len(self.free_at) > MOST_CLIENTS:
            del self.free_at[next(iter(self.free_at))]
        return wait if late else 0.0

    def check(self, client: str) -> None:
        """Counts a request; raises Refusal if it is one too many."""
        wait = self.wait(client)
        if wait:
            seconds = math.ceil(wait)
            raise Refusal(
                429,
                f"too many requests: expected at most {MINUTE / self.interval:g} a minute; "
                f"try again in {seconds} seconds",
                code="rate_limit_exceeded",
                retry_after=seconds,
            )


class Places:
    """Counts work that is under way, and refuses what exceeds a number.

    Args:
        most: at a time.
        what: the work, for the message.
        option: which option of the server sets the number.

    """

    def __init__(self, most: int, what: str, option: str) -> None:
        self.most, self.what, self.option = most, what, option
        self.taken = 0

    def take(self, count: int = 1) -> None:
        """Takes places; raises Refusal if not enough are free."""
        if self.taken + count > self.most:
            raise Refusal(
                503,
                f"busy: at most {self.most} {self.what} at a time; try again in a second, or start the server with a "
                f"larger {self.option}",
                code="overloaded",
                retry_after=1,
            )
        self.taken += count

    def free(self, count: int = 1) -> None:
        """Frees places."""
        self.taken -= count

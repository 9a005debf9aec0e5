"""How far each output may go, how it must begin, and which ids it may take next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.errors import OptionError
from seq2seq.special import END, PAD, START


class Limits(NamedTuple):
    """Lengths (symbols, prefix included, END not) and forced prefixes of B sources."""

    max_lengths: np.ndarray  # int (B,)
    min_length: int
    prefix_ids: np.ndarray  # int (B, P + 1), right-padded with PAD
    prefix_lengths: np.ndarray  # int (B,)
    allow_end: bool
    step_counts: np.ndarray  # int (B,): steps a source takes at most, the one that only tries END included
    first_stop: int  # the fewest of these

    @classmethod
    def of(
        cls,
        count: int,
        *,
        max_length: int | np.ndarray,
        min_length: int,
        prefix: Sequence[Sequence[int]] | None,
        allow_end: bool,
    ) -> Limits:
        """Checks and aligns the limits of `count` sources.

        Args:
            count: B, how many sources.
            max_length: one for all or int (count,).
            min_length: one for all.
            prefix: ids that each output must begin with; None: no output has one.
            allow_end: whether END may be chosen.

        Raises:
            OptionError: a length out of range, or a prefix that is no possible beginning.

        """
        prefix = [()] * count if prefix is None else prefix
        if len(prefix) != count:
            raise OptionError(f"prefix: expected one for each of {count} sources, got {len(prefix)}")
        max_lengths = np.broadcast_to(np.asarray(max_length, dtype=np.int64), (count,))
        shortest = int(max_lengths.min(initial=2**62))
        if shortest < 1:
            raise OptionError(f"--max-length: expected a whole number from 1 up, got {shortest!r}")
        if not 0 <= min_length <= shortest:
            raise OptionError(f"--min-length: expected 0 to --max-length ({shortest}), got {min_length!r}")
        for row, ids in enumerate(prefix):
            if len(ids) > max_lengths[row]:
                raise OptionError(
                    f"--prefix: expected at most --max-length ({max_lengths[row]}) symbols, "
                    f"got {len(ids)} for source {row}; shorten it or raise --max-length"
                )
            if not {PAD, START, END}.isdisjoint(ids):
                raise OptionError(
                    f"--prefix: expected symbols, got PAD, START or END in {list(ids)!r} for source {row}"
                )
        prefix_lengths = np.array([len(ids) for ids in prefix], dtype=np.int64)
        prefix_ids = np.full((count, prefix_lengths.max(initial=0) + 1), PAD)
        for row, ids in enumerate(prefix):
            prefix_ids[row, : len(ids)] = ids
        return cls(
            max_lengths=max_lengths,
            min_length=min_length,
            prefix_ids=prefix_ids,
            prefix_lengths=prefix_lengths,
            allow_end=allow_end,
            step_counts=max_lengths + allow_end,
            first_stop=shortest + allow_end,
        )

    def first_id(self, step: int) -> int:
        """Returns the smallest id that may be emitted: END, or the one after it where END is barred."""
        return END if self.allow_end and step >= self.min_length else END + 1

    def decide(self, step: int) -> bool:
        """Tells whether a prefix or a length may decide this step for some source."""
        return step < self.prefix_ids.shape[1] - 1 or (self.allow_end and step >= self.first_stop - 1)

    def forced(self, step: int, sources: np.ndarray) -> np.ndarray:
        """Returns bool (b,): whether the prefix of each of the sources, int (b,), decides this step."""
        return self.prefix_lengths[sources] > step

    def prefix_ids_at(self, step: int, sources: np.ndarray) -> np.ndarray:
        """Returns int (b,): the id of the prefix of each of the sources, int (b,), at this step; PAD past its end."""
        return self.prefix_ids[sources, min(step, self.prefix_ids.shape[1] - 1)]

    def closing(self, step: int, sources: np.ndarray) -> np.ndarray:
        """Returns bool (b,): whether the output of each of the sources, int (b,), is full and may only take END."""
        return self.allow_end & (self.max_lengths[sources] == step)

    def last(self, step: int, sources: np.ndarray) -> np.ndarray:
        """Returns bool (b,): whether each of the sources, int (b,), goes no further than this step."""
        return self.step_counts[sources] <= step + 1

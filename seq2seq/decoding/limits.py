"""The length limits and forced prefixes of outputs, and the ids that they allow at each step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.errors import OptionError
from seq2seq.special import END, PAD, START


class Limits(NamedTuple):
    """Length limits (symbols, with the prefix, without END) and forced prefixes of B sources."""

    max_lengths: np.ndarray  # int (B,)
    min_length: int
    prefix_ids: np.ndarray  # int (B, P + 1), right-padded with PAD
    prefix_lengths: np.ndarray  # int (B,)
    not_after_prefix: np.ndarray  # int (N,): ids
    allow_end: bool
    step_counts: np.ndarray  # int (B,): most steps of a source, with the last one, which can only add END
    first_stop: int  # the minimum of `step_counts`
    undecided: range  # the steps of which neither a prefix nor a length decides any for a source

    @classmethod
    def of(
        cls,
        count: int,
        *,
        max_length: int | np.ndarray,
        min_length: int,
        prefix: Sequence[Sequence[int]] | None,
        not_after_prefix: Sequence[int] = (),
        allow_end: bool,
    ) -> Limits:
        """Checks the limits of `count` sources and converts them to arrays.

        Args:
            count: B, the number of sources.
            max_length: one number for all sources, or int (count,).
            min_length: one number for all sources.
            prefix: ids that each output must begin with; None: no output has one.
            not_after_prefix: ids that may not follow a prefix at once.
            allow_end: whether END may be chosen.

        Raises:
            OptionError: a length is out of range, or a prefix is too long or has PAD, START or END.

        """
        prefix_ids = np.full((count, 1), PAD)
        prefix_lengths = np.zeros(count, np.int64)
        if prefix is not None and len(prefix) != count:
            raise OptionError(f"prefix: expected one for each of {count} sources, got {len(prefix)}")
        max_lengths = np.full(count, max_length, np.int64)
        shortest = int(max_lengths.min(initial=2**62))
        if shortest < 1:
            raise OptionError(f"--max-length: expected a whole number from 1 up, got {shortest!r}")
        if not 0 <= min_length <= shortest:
            raise OptionError(f"--min-length: expected 0 to --max-length ({shortest}), got {min_length!r}")
        for row, ids in enumerate(prefix or ()):
            if len(ids) > max_lengths[row]:
                raise OptionError(
                    f"--prefix: expected at most --max-length ({max_lengths[row]}) symbols, "
                    f"got {len(ids)} for source {row}; shorten it or raise --max-length"
                )
            if not {PAD, START, END}.isdisjoint(ids):
                raise OptionError(
                    f"--prefix: expected symbols, got PAD, START or END in {list(ids)!r} for source {row}"
                )
        if prefix is not None:
            prefix_lengths = np.array([len(ids) for ids in prefix], dtype=np.int64)
            prefix_ids = np.full((count, prefix_lengths.max(initial=0) + 1), PAD)
            for row, ids in enumerate(prefix):
                prefix_ids[row, : len(ids)] = ids
        return cls(
            max_lengths=max_lengths,
            min_length=min_length,
            prefix_ids=prefix_ids,
            prefix_lengths=prefix_lengths,
            not_after_prefix=np.array(not_after_prefix, dtype=np.int64),
            allow_end=allow_end,
            step_counts=max_lengths + allow_end,
            first_stop=shortest + allow_end,
            undecided=range(prefix_ids.shape[1] - 1, shortest),
        )

    def first_id(self, step: int) -> int:
        """Returns the smallest id that may be emitted: END, or the next id where END is not allowed."""
        return END if self.allow_end and step >= self.min_length else END + 1

    def allowed(self, logits: np.ndarray, step: int, sources: np.ndarray) -> np.ndarray:
        """Takes logits float (b, J, V) of the sources int (b,); returns float (b, J, V).

        Where the prefix has just ended, they are -inf for the ids that may not follow it.
        """
        if not self.not_after_prefix.size or not 0 < step < self.prefix_ids.shape[1]:
            return logits
        logits = logits.copy()
        ended = np.flatnonzero(self.prefix_lengths[sources] == step)
        logits[np.ix_(ended, np.arange(logits.shape[1]), self.not_after_prefix)] = -np.inf
        return logits

    def forced(self, step: int, sources: np.ndarray) -> np.ndarray:
        """Returns bool (b,): whether the prefix of each of the sources, int (b,), decides this step."""
        return self.prefix_lengths[sources] > step

    def prefix_ids_at(self, step: int, sources: np.ndarray) -> np.ndarray:
        """Returns int (b,): the prefix's id at this step for each of the sources, int (b,); PAD after its end."""
        return self.prefix_ids[sources, min(step, self.prefix_ids.shape[1] - 1)]

    def closing(self, step: int, sources: np.ndarray) -> np.ndarray:
        """Returns bool (b,): whether each of the sources, int (b,), has a full output, so that only END may follow."""
        return self.allow_end & (self.max_lengths[sources] == step)

    def free(self, step: int, sources: np.ndarray) -> np.ndarray:
        """Returns bool (b,): whether neither a prefix nor the length decides this step of each source, int (b,)."""
        return ~(self.forced(step, sources) | self.closing(step, sources))

    def last(self, step: int, sources: np.ndarray) -> np.ndarray:
        """Returns bool (b,): whether this is the last step of each of the sources, int (b,)."""
        return self.step_counts[sources] <= step + 1

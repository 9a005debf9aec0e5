"""Uniform numbers that belong to (seed, line, sample, step), whatever the batch, and draws from them."""

from __future__ import annotations

import numpy as np

BLOCK = 64  # steps drawn at once: setting up a generator costs far more than its numbers


def uniforms(seed: int, line: int, sample: int, first_step: int, count: int) -> np.ndarray:
    """Draws the uniforms of one sample of one line from `first_step` on.

    The key of the generator is (seed, line); the sample is a high word of its counter, the step the low one.

    Args:
        seed: in [0, 2**64).
        line: number of the line in the whole input, in [0, 2**64).
        sample: index among the samples of the line.
        first_step: a multiple of 4, the numbers that one count of Philox yields.
        count: how many steps.

    Returns:
        float64 (count,), in [0, 1).
    Source: Salmon et al. 2011, doi:10.1145/2063384.2063405 (Philox4x64-10).

    """
    key = np.array([seed, line], dtype=np.uint64)
    counter = np.array([first_step // 4, 0, sample, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter)).random(count)


class Uniforms:
    """The uniforms of a batch, read a step at a time in increasing order of steps."""

    def __init__(self, seed: int, line_numbers: np.ndarray, width: int) -> None:
        """Remembers whose uniforms these are: int (B,) line numbers, `width` samples each."""
        self._seed = seed
        self._lines = line_numbers
        self._width = width
        self._block_number = -1
        self._block = np.empty((len(line_numbers), width, 0))

    def at(self, step: int) -> np.ndarray:
        """Returns float64 (B, K), one uniform for each sample at this step."""
        number, offset = divmod(step, BLOCK)
        if number != self._block_number:
            self._block_number = number
            self._block = np.array(
                [
                    [uniforms(self._seed, int(line), k, number * BLOCK, BLOCK) for k in range(self._width)]
                    for line in self._lines
                ]
            )
        return self._block[:, :, offset]

    def keep(self, sources: np.ndarray) -> None:
        """Drops every source but those at the given positions, int (b,)."""
        self._lines = self._lines[sources]
        self._block = self._block[sources]


def inverse_cdf(logits: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draws from softmax(logits): the first id whose cumulative probability exceeds the uniform.

    Args:
        logits: float64 (..., J, V), maximum 0, -inf for an id that cannot be drawn; J is K, or 1 for all draws.
        uniform: float64 (..., K), in [0, 1).

    Returns:
        int (..., K), positions in V.

    """
    weights = np.exp(logits)
    cumulative = np.cumsum(weights, axis=-1, out=weights)
    # A uniform below 1 times the sum stays below the sum in float64 too, so some id exceeds it.
    return (cumulative > (uniform * cumulative[..., -1])[..., None]).argmax(axis=-1)

"""Uniform random numbers that depend on (seed, line, sample, step) only, not on the batch, and draws with them."""

from __future__ import annotations

import numpy as np

BLOCK = 64  # steps drawn at once, since making a generator takes much longer than drawing its numbers


def uniforms(seed: int, line: int, sample: int, first_step: int, count: int) -> np.ndarray:
    """Draws the uniform numbers of one sample of one line, beginning with `first_step`.

    The key of the generator is (seed, line). The sample is a high word of its counter, the step is the low word.

    Args:
        seed: in [0, 2**64).
        line: number of the line in the whole input, in [0, 2**64).
        sample: index of the sample among those of the line.
        first_step: a multiple of 4, since one count of Philox gives 4 numbers.
        count: number of steps.

    Returns:
        float64 (count,), in [0, 1).

    Source: Salmon et al. 2011, doi:10.1145/2063384.2063405 (Philox4x64-10).

    """
    key = np.array([seed, line], dtype=np.uint64)
    counter = np.array([first_step // 4, 0, sample, 0], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter)).random(count)


class Uniforms:
    """The uniform numbers of a batch; steps are read in increasing order."""

    def __init__(self, seed: int, line_numbers: np.ndarray, width: int) -> None:
        """Stores the line numbers, int (B,), and the number of samples of each."""
        self._seed = seed
        self._lines = line_numbers
        self._width = width
        self._block_number = -1
        self._block = np.empty((len(line_numbers), width, 0))

    def at(self, step: int) -> np.ndarray:
        """Returns float64 (B, K), one uniform number for each sample at this step."""
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
        """Keeps only the sources at the given positions, int (b,)."""
        self._lines = self._lines[sources]
        self._block = self._block[sources]


def inverse_cdf(logits: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draws from softmax(logits): the first id whose cumulative probability exceeds the uniform number.

    Args:
        logits: float64 (..., J, V), maximum 0, -inf for an id that cannot be drawn; J is K, or 1 if all draws share it.
        uniform: float64 (..., K), in [0, 1).

    Returns:
        int (..., K), positions in V.

    """
    weights = np.exp(logits)
    cumulative = np.cumsum(weights, axis=-1, out=weights)
    # in float64 too, a number below 1 times the sum is below the sum, so some id exceeds it
    return (cumulative > (uniform * cumulative[..., -1])[..., None]).argmax(axis=-1)

"""Greedy, sampling and beam: each chooses for every slot which slot it continues, and with which id.

A strategy is a frozen set of options. It has no loop and no state: what it sees of a step is a `Candidates`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from seq2seq.decoding.draws import Uniforms, inverse_cdf
from seq2seq.decoding.filters import filter_logits
from seq2seq.errors import OptionError
from seq2seq.special import PAD


class Candidates(NamedTuple):
    """One step of a search: B sources with J slots each (J is K, or 1 before the slots of a source part)."""

    logits: np.ndarray  # float (B, J, V - first_id): the ids that may be emitted, `first_id` in column 0
    first_id: int
    normalizers: np.ndarray  # float64 (B, J): nats, log of the sum of exp over all V logits
    scores: np.ndarray  # float64 (B, J): nats so far, -inf for an empty slot
    lengths: np.ndarray  # int (B, J): symbols that are in the score
    ended: np.ndarray  # bool (B, J): frozen, since END was reached or there is nothing in the slot
    uniforms: np.ndarray | None  # float64 (B, K), in [0, 1), for a strategy that draws


Choice = tuple[np.ndarray | None, np.ndarray]
"""Parents and tokens, int (B, K) each. No parents: every slot continues itself. A slot whose parent is ended
carries it over, whatever its token. The token PAD leaves the slot empty."""


def penalties(lengths: np.ndarray | int, length_penalty: float) -> np.ndarray:
    """Returns what a score is divided by to give a rank_score, so that long hypotheses may compete.

    Args:
        lengths: int (...), symbols scored, END included; or one number.
        length_penalty: 0 ranks by the sum of the log-probabilities, 1 by their mean.

    Returns:
        float64 (...), at least 1.

    Source: Wu et al. 2016, arXiv:1609.08144, equation 14, without its constant 5.

    """
    return np.maximum(lengths, 1) ** np.float64(length_penalty)


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """What every strategy has: slots per source (K), and the exponent by which hypotheses are ranked."""

    width: int = 1
    length_penalty: float = 1.0
    ranked: ClassVar[bool] = False  # slots compete: they hold distinct hypotheses, in the end the best first

    def __post_init__(self) -> None:
        """Raises OptionError for a penalty out of its range."""
        expected = "a number from 0 (rank by the sum of log-probabilities) over 1 (by their mean) to 10"
        _check("--length-penalty", self.length_penalty, 0 <= self.length_penalty <= 10, expected)

    def draws(self, line_numbers: np.ndarray) -> Uniforms | None:
        """Returns the uniforms of these lines, int (B,), where the strategy draws."""
        return None

    def choose(self, candidates: Candidates) -> Choice:
        """Chooses parent and token of every slot; returns int (B, K) and int (B, K)."""
        raise NotImplementedError

    def close(self, candidates: Candidates, tokens: np.ndarray) -> np.ndarray:
        """Returns int (B, W), what slots that continue themselves take, where `choose` gave tokens int (B, K)."""
        return tokens


@dataclass(frozen=True, kw_only=True)
class Greedy(Strategy):
    """Takes the most probable id; among equals the smallest."""

    def __post_init__(self) -> None:
        """Raises OptionError for more than one slot, which would all hold the same."""
        super().__post_init__()
        if self.width != 1:
            raise OptionError(f"greedy decoding has one output per line, got {self.width!r}; use a beam")

    def choose(self, candidates: Candidates) -> Choice:
        """Chooses parent and token of every slot; returns int (B, K) and int (B, K)."""
        return None, candidates.logits.argmax(axis=-1) + candidates.first_id


@dataclass(frozen=True, kw_only=True)
class Sampling(Strategy):
    """Draws each id from the filtered distribution, `width` independent samples of each line."""

    seed: int
    temperature: float
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None

    def __post_init__(self) -> None:
        """Raises OptionError for an option out of its range."""
        super().__post_init__()
        _check("--n-best", self.width, self.width >= 1, "a whole number from 1 up")
        _check("--seed", self.seed, 0 <= self.seed < 2**64, "a whole number from 0 to 2**64 - 1")
        usable = math.isfinite(self.temperature) and self.temperature > 0
        _check("--temperature", self.temperature, usable, "a finite number above 0 (0 means greedy)")
        if self.top_k is not None:
            _check("--top-k", self.top_k, self.top_k >= 1, "a whole number from 1 up, or no --top-k")
        if self.top_p is not None:
            _check("--top-p", self.top_p, 0 < self.top_p <= 1, "a number above 0 and at most 1")
        if self.min_p is not None:
            _check("--min-p", self.min_p, 0 <= self.min_p <= 1, "a number from 0 to 1")

    def draws(self, line_numbers: np.ndarray) -> Uniforms:
        """Returns the uniforms of these lines, int (B,)."""
        return Uniforms(self.seed, line_numbers, self.width)

    def choose(self, candidates: Candidates) -> Choice:
        """Chooses parent and token of every slot; returns int (B, K) and int (B, K)."""
        logits = filter_logits(
            candidates.logits,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
        )
        assert candidates.uniforms is not None
        return None, inverse_cdf(logits, candidates.uniforms) + candidates.first_id


@dataclass(frozen=True, kw_only=True)
class Beam(Strategy):
    """Keeps the `width` best by rank_score among ended hypotheses and one-symbol extensions of the others."""

    ranked: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Raises OptionError for an option out of its range."""
        super().__post_init__()
        _check("--beam-size", self.width, self.width >= 1, "a whole number from 1 up")

    def choose(self, candidates: Candidates) -> Choice:
        """Chooses parent and token of every slot; returns int (B, K) and int (B, K)."""
        scores, lengths, ended = candidates.scores, candidates.lengths, candidates.ended
        ranks = candidates.logits - (candidates.normalizers - scores)[..., None]  # (B, J, V - first_id)
        ranks /= penalties(lengths + 1, self.length_penalty)[..., None]
        if ended.any():  # a frozen hypothesis competes once, in the column of END, with the rank it has
            ranks[ended] = -np.inf
            ranks[ended, 0] = scores[ended] / penalties(lengths[ended], self.length_penalty)
        best, best_ranks = _largest(ranks.reshape(len(ranks), -1), self.width)
        parents, columns = np.divmod(best, ranks.shape[-1])
        return parents, np.where(best_ranks == -np.inf, PAD, columns + candidates.first_id)

    def close(self, candidates: Candidates, tokens: np.ndarray) -> np.ndarray:
        """Returns int (B, J): the most probable id of each slot, whatever the tokens int (B, K)."""
        return candidates.logits.argmax(axis=-1) + candidates.first_id


class SamplingOptions(Protocol):
    """What draws depend on; a temperature of None or 0 draws nothing."""

    @property
    def temperature(self) -> float | None:
        """As for `Sampling`."""

    @property
    def top_k(self) -> int | None:
        """As for `Sampling`."""

    @property
    def top_p(self) -> float | None:
        """As for `Sampling`."""

    @property
    def min_p(self) -> float | None:
        """As for `Sampling`."""

    @property
    def seed(self) -> int | None:
        """As for `Sampling`; needed where something is drawn."""


def strategy_of(
    options: SamplingOptions, *, beam_size: int | None = None, samples: int = 1, length_penalty: float = 1.0
) -> Strategy:
    """Chooses greedy, sampling or beam search.

    Args:
        options: temperature, filters and seed.
        beam_size: hypotheses of a beam; None: greedy, where nothing is drawn.
        samples: of each line, where something is drawn.
        length_penalty: as for `penalties`.

    """
    if options.temperature:
        assert options.seed is not None
        return Sampling(
            seed=options.seed,
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
            min_p=options.min_p,
            width=samples,
            length_penalty=length_penalty,
        )
    if beam_size is not None:
        return Beam(width=beam_size, length_penalty=length_penalty)
    return Greedy(length_penalty=length_penalty)


def _largest(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns positions and values (B, count) of the largest in each row of (B, C), ties by position.

    Changes `values`. Past the last value above -inf a row repeats position 0 with -inf.
    """
    positions = np.zeros((len(values), count), dtype=np.intp)
    largest = np.full((len(values), count), -np.inf)
    each = np.arange(len(values))
    for rank in range(count):  # for a beam of usual size `count` passes are far cheaper than a stable sort
        position = positions[:, rank] = values.argmax(axis=1)
        largest[:, rank] = values[each, position]
        values[each, position] = -np.inf
    return positions, largest


def _check(option: str, value: object, usable: bool, expected: str) -> None:
    if not usable:
        raise OptionError(f"{option}: expected {expected}, got {value!r}")

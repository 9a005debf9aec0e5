"""Greedy, sampling and beam: each chooses for every slot the slot that it continues, and the next id.

A strategy is a frozen set of options without loop or state; its input at each step is a `Candidates`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from seq2seq.decoding.draws import Uniforms, inverse_cdf
from seq2seq.decoding.filters import filter_logits
from seq2seq.errors import OptionError
from seq2seq.special import PAD

if TYPE_CHECKING:
    from seq2seq.search_config import SamplingOptions


class Candidates(NamedTuple):
    """One step of a search: B sources with J slots each (J is 1 until the first free choice, then K)."""

    logits: np.ndarray  # float (B, J, V - first_id): the ids that may be emitted, `first_id` in column 0
    first_id: int
    normalizers: np.ndarray | None  # float64 (B, J): nats, log of the sum of exp over all V logits; None: not needed
    scores: np.ndarray  # float64 (B, J): nats so far, -inf for an empty slot
    lengths: np.ndarray  # int (B, J): number of symbols in the score
    ended: np.ndarray  # bool (B, J): frozen, since END was reached or the slot is empty
    uniforms: np.ndarray | None  # float64 (B, K), in [0, 1), for a strategy that draws


Choice = tuple[np.ndarray | None, np.ndarray]
"""Parents and tokens, int (B, K) each. Parents are None if every slot continues itself. If the parent has ended, the
slot repeats it unchanged, whatever its token is. The token PAD leaves the slot empty."""


def rank_scores(candidates: Candidates, length_penalty: float) -> np.ndarray:
    """Returns the rank_scores of all extensions by one symbol, float64 (B, J, V - first_id), -inf where impossible.

    A frozen hypothesis counts once, in the first column, with its own rank_score.
    """
    scores, lengths, ended = candidates.scores, candidates.lengths, candidates.ended
    assert candidates.normalizers is not None
    ranks: np.ndarray = candidates.logits - (candidates.normalizers - scores)[..., None]
    ranks /= penalties(lengths + 1, length_penalty)[..., None]
    if ended.any():
        ranks[ended] = -np.inf
        ranks[ended, 0] = scores[ended] / penalties(lengths[ended], length_penalty)
    return ranks


def penalties(lengths: np.ndarray | int, length_penalty: float) -> np.ndarray:
    """Returns the divisors that turn scores into rank_scores, so that long hypotheses can compete with short ones.

    Args:
        lengths: int (...), symbols in the score, END included; or one number.
        length_penalty: 0 ranks by the sum of the log-probabilities, 1 by their mean.

    Returns:
        float64 (...), at least 1.

    Source: Wu et al. 2016, arXiv:1609.08144, equation 14, without its constant 5.

    """
    return np.maximum(lengths, 1) ** np.float64(length_penalty)


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """The common options: slots per source (K), and the exponent of the length in rank_score."""

    width: int = 1
    length_penalty: float = 1.0
    # whether slots hold distinct hypotheses, chosen by their scores, and sorted by rank_score at the end
    ranked: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Raises OptionError if the penalty is out of range."""
        expected = "a number from 0 (rank by the sum of log-probabilities) over 1 (by their mean) to 10"
        _check("--length-penalty", self.length_penalty, 0 <= self.length_penalty <= 10, expected)

    def draws(self, line_numbers: np.ndarray) -> Uniforms | None:
        """Returns the uniform numbers of these lines, int (B,); None if the strategy is deterministic."""
        return None

    def choose(self, candidates: Candidates) -> Choice:
        """Chooses parent and token of every slot; returns int (B, K) and int (B, K)."""
        raise NotImplementedError

    def close(self, candidates: Candidates, tokens: np.ndarray) -> np.ndarray:
        """Returns int (B, W): tokens for full outputs, where slots continue themselves; int (B, K) are those chosen."""
        return tokens


@dataclass(frozen=True, kw_only=True)
class Greedy(Strategy):
    """Chooses the most probable id; between equal ones the smallest."""

    def __post_init__(self) -> None:
        """Raises OptionError for more than one slot, since all would be equal."""
        super().__post_init__()
        if self.width != 1:
            raise OptionError(f"greedy decoding has one output per line, got {self.width!r}; use a beam")

    def choose(self, candidates: Candidates) -> Choice:
        """Chooses parent and token of every slot; returns int (B, K) and int (B, K)."""
        return None, candidates.logits.argmax(axis=-1) + candidates.first_id


@dataclass(frozen=True, kw_only=True)
class Sampling(Strategy):
    """Draws each id from the filtered distribution; `width` independent samples per line."""

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
        """Returns the uniform numbers of these lines, int (B,)."""
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
    """Keeps the `width` best by rank_score of the ended hypotheses and the one-symbol extensions of the others."""

    ranked: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Raises OptionError for an option out of its range."""
        super().__post_init__()
        _check("--beam-size", self.width, self.width >= 1, "a whole number from 1 up")

    def choose(self, candidates: Candidates) -> Choice:
        """Chooses parent and token of every slot; returns int (B, K) and int (B, K)."""
        ranks = rank_scores(candidates, self.length_penalty)
        best, best_ranks = _largest(ranks.reshape(len(ranks), -1), self.width)
        parents, columns = np.divmod(best, ranks.shape[-1])
        return parents, np.where(best_ranks == -np.inf, PAD, columns + candidates.first_id)

    def close(self, candidates: Candidates, tokens: np.ndarray) -> np.ndarray:
        """Returns int (B, J): the most probable id of each slot; the tokens, int (B, K), are not used."""
        return candidates.logits.argmax(axis=-1) + candidates.first_id


def strategy_of(
    options: SamplingOptions, *, beam_size: int | None = None, samples: int = 1, length_penalty: float = 1.0
) -> Strategy:
    """Chooses greedy, sampling or beam search.

    Args:
        options: temperature, filters and seed; a temperature above 0 means sampling and needs a seed.
        beam_size: number of hypotheses in beam search; None: greedy, unless the temperature is above 0.
        samples: number of samples per line.
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
    """Returns positions and values (B, count) of the largest in each row of (B, C); positions decide between equals.

    Changes `values`. After the last value above -inf a row repeats position 0 with -inf.
    """
    positions = np.zeros((len(values), count), dtype=np.intp)
    largest = np.full((len(values), count), -np.inf)
    each = np.arange(len(values))
    for rank in range(count):  # for usual beam sizes, `count` passes are much faster than a stable sort
        position = positions[:, rank] = values.argmax(axis=1)
        largest[:, rank] = values[each, position]
        values[each, position] = -np.inf
    return positions, largest


def _check(option: str, value: object, usable: bool, expected: str) -> None:
    if not usable:
        raise OptionError(f"{option}: expected {expected}, got {value!r}")

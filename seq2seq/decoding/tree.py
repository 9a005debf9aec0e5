"""Records the tree of a search: for each step the hypotheses that were kept and the best of those that were not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from seq2seq.decoding.slots import StepEvent
from seq2seq.decoding.strategies import Candidates, rank_scores
from seq2seq.special import PAD, START


class Branch(NamedTuple):
    """A hypothesis as one node of the tree: the node that it continues, and its last token."""

    parent: int | None  # position in the list of branches; None: the root, before the first symbol
    step: int  # tokens so far
    token: int  # START for the root
    log_prob: float  # nats, of the token; 0 if it was forced
    score: float  # nats, the sum of the log-probabilities so far
    kept: bool  # False: it was among the best that found no place in the beam


class BeamTree:
    """An observer of the search for one source. Its `branches` are at most two for each slot and step, and the root.

    Args:
        length_penalty: that of the strategy.

    """

    def __init__(self, length_penalty: float) -> None:
        self.length_penalty = length_penalty
        self.branches = [Branch(None, 0, START, 0.0, 0.0, kept=True)]
        self.slots = [0]  # the branch of each slot

    def __call__(self, event: StepEvent, candidates: Candidates, free: np.ndarray) -> None:
        """Records a step of the search; free: bool (b,), b = 1, as for every observer."""
        assert len(event.sources) == 1
        before, chosen = self.slots, list(zip(event.parents[0].tolist(), event.tokens[0].tolist(), strict=True))
        self.slots = []
        for slot, (parent, token) in enumerate(chosen):
            if token == PAD:  # ended before, cut off or empty
                self.slots.append(before[parent])
                continue
            self.slots.append(len(self.branches))
            values = float(event.log_probs[0, slot]), float(event.scores[0, slot])
            self.branches.append(Branch(before[parent], event.step + 1, token, *values, kept=True))
        if free[0]:
            ranks = rank_scores(candidates, self.length_penalty)[0]  # (J, V - first_id)
            ranks[candidates.ended[0]] = -np.inf  # a frozen hypothesis has its branch already
            for parent, token in chosen:
                if token != PAD:
                    ranks[parent, token - candidates.first_id] = -np.inf
            self.add_pruned(event.step, candidates, ranks, before, most=len(chosen))

    def add_pruned(self, step: int, candidates: Candidates, ranks: np.ndarray, before: list[int], *, most: int) -> None:
        """Records the best extensions that were not kept.

        Args:
            step: of the search.
            candidates: of the step.
            ranks: float64 (J, N), rank_scores of the extensions of each slot, -inf where there is none.
            before: the branch of each slot.
            most: the number to record.

        """
        assert candidates.normalizers is not None
        for place in np.argsort(-ranks, axis=None, kind="stable")[:most].tolist():
            slot, column = divmod(place, ranks.shape[1])
            if ranks[slot, column] == -np.inf:
                return
            log_prob = float(candidates.logits[0, slot, column] - candidates.normalizers[0, slot])
            score = float(candidates.scores[0, slot]) + log_prob
            token = column + candidates.first_id
            self.branches.append(Branch(before[slot], step + 1, token, log_prob, score, kept=False))

    def path(self, tokens: Iterable[int]) -> set[int]:
        """Returns the positions of the branches of one hypothesis, from the root to as far as it was kept."""
        children = {(branch.parent, branch.token): at for at, branch in enumerate(self.branches) if branch.kept}
        at, found = 0, {0}
        for token in tokens:
            if (at, token) not in children:
                break
            at = children[at, token]
            found.add(at)
        return found

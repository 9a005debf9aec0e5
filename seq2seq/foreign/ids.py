"""Converts a user's model's ids to search ids, where PAD, START, END and UNK come first, and back."""

from dataclasses import dataclass

import numpy as np

from seq2seq.foreign.arrays import IDS, NOTHING, Sequences
from seq2seq.special import END, PAD, SPECIAL_COUNT, UNK

LEAST = 1e-300  # replaces probabilities of 0 and NaN, which the search refuses


@dataclass(frozen=True)
class ForeignIds:
    """Converts between the ids of a user's model and those of the search."""

    end: int | None = None  # the model's id of END; None: its outputs have no END

    def to_search(self, ids: np.ndarray) -> np.ndarray:
        """Converts the model's ids, int (N,), to search ids; NOTHING, a row of zeros, becomes UNK."""
        return np.where(ids == NOTHING, UNK, ids + SPECIAL_COUNT)

    def to_model(self, ids: np.ndarray) -> np.ndarray:
        """Converts search ids, int (N,), to the model's; PAD, which the search feeds after END, becomes id 0."""
        end = PAD if self.end is None else self.end
        return np.select([ids == UNK, ids == END], [NOTHING, end], np.maximum(ids - SPECIAL_COUNT, 0))

    def log_probs(self, probabilities: np.ndarray) -> np.ndarray:
        """Converts probabilities, float (N, V), to natural logs for search ids, float64 (N, SPECIAL_COUNT + V)."""
        count, classes = probabilities.shape
        found = np.full((count, SPECIAL_COUNT + classes), -np.inf)
        found[:, SPECIAL_COUNT:] = np.log(np.where(probabilities > 0, probabilities, LEAST))
        if self.end is not None and 0 <= self.end < classes:
            found[:, END] = found[:, SPECIAL_COUNT + self.end]
            found[:, SPECIAL_COUNT + self.end] = -np.inf
        return found


def feedable(ids: np.ndarray, sequences: Sequences) -> np.ndarray:
    """Limits ids to the width of a one-hot input: a model may score more symbols than it reads."""
    return ids if sequences.kind == IDS else np.minimum(ids, sequences.classes - 1)

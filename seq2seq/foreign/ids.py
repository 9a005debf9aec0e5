"""Another model's ids as the search knows them: moved up behind our special ones, and its END as ours."""

from dataclasses import dataclass

import numpy as np

from seq2seq.foreign.arrays import IDS, NOTHING, Sequences
from seq2seq.special import END, PAD, SPECIAL_COUNT, UNK

LEAST = 1e-300  # stands for probabilities of 0 and for NaN, which the search refuses


@dataclass(frozen=True)
class ForeignIds:
    """Translates between the ids of another model and those of the search."""

    end: int | None = None  # the model's own id of END; None: its outputs do not end

    def ours(self, ids: np.ndarray) -> np.ndarray:
        """Moves ids to feed up, int (N,); a row of zeros, which is no symbol, becomes UNK."""
        return np.where(ids == NOTHING, UNK, ids + SPECIAL_COUNT)

    def theirs(self, ids: np.ndarray) -> np.ndarray:
        """Moves ids back, int (N,); PAD, which the search feeds where an output has ended, becomes id 0."""
        end = PAD if self.end is None else self.end
        return np.select([ids == UNK, ids == END], [NOTHING, end], np.maximum(ids - SPECIAL_COUNT, 0))

    def log_probs(self, probabilities: np.ndarray) -> np.ndarray:
        """Turns the model's probabilities, float (N, V), into nats of our ids, float64 (N, SPECIAL_COUNT + V)."""
        count, classes = probabilities.shape
        found = np.full((count, SPECIAL_COUNT + classes), -np.inf)
        found[:, SPECIAL_COUNT:] = np.log(np.where(probabilities > 0, probabilities, LEAST))
        if self.end is not None and 0 <= self.end < classes:
            found[:, END] = found[:, SPECIAL_COUNT + self.end]
            found[:, SPECIAL_COUNT + self.end] = -np.inf
        return found


def feedable(ids: np.ndarray, sequences: Sequences) -> np.ndarray:
    """Keeps ids within what the form of the input can hold: a model may score more symbols than it reads."""
    return ids if sequences.kind == IDS else np.minimum(ids, sequences.classes - 1)

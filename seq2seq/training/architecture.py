"""Decides from the training pairs alone whether a model writes symbols with attention, or edits of the source."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.special import END, PAD, SPECIAL_COUNT
from seq2seq.text.batches import EncodedPairs, Ragged
from seq2seq.text.edit_distance import EditDistance
from seq2seq.text.edits import canonical_paths
from seq2seq.text.pairs import Pair
from seq2seq.text.readings import Reading
from seq2seq.text.vocabulary import Vocabulary

SAMPLE = 1000  # pairs that decide
LARGEST_SHARE = 0.7  # of the targets' own uncertainty that may be left when the edits are known


class _Read(NamedTuple):
    """Pairs as a transducer reads them."""

    sources: list[Reading]
    targets: list[Reading]

    def ids(self) -> tuple[Ragged, Ragged]:
        """Returns the ids of sources, without END, and of targets, without START and END."""
        return Ragged([one.ids for one in self.sources]), Ragged([one.ids for one in self.targets])


def read(pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary) -> _Read:
    """Reads pairs as decoding and scoring read them; a target symbol that is not in the training part is UNK."""
    return _Read([source.read(pair.source) for pair in pairs], [target.read(pair.target, oov="unk") for pair in pairs])


def same_symbols(source: Vocabulary, target: Vocabulary) -> np.ndarray:
    """Returns int (S,): for each source id the target id of the same symbol, PAD where there is none."""
    ids = np.array(target.ids_of(source.symbols_of(range(len(source)))))
    return np.where(ids >= SPECIAL_COUNT, ids, PAD)


def learn_edits(
    pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary, weights: np.ndarray | None = None
) -> EditDistance:
    """Learns the edit distance of pairs; `weights`, float (R,), say how much each counts."""
    ids = read(pairs, source, target).ids()
    return EditDistance.learn(*ids, same_symbols(source, target), target_size=len(target), counts=weights)


def encode_actions(
    pairs: Sequence[Pair], edits: EditDistance, source: Vocabulary, target: Vocabulary, weights: np.ndarray
) -> EncodedPairs:
    """Turns pairs into sources and edit actions; `weights`, float32 (R,), are those of the rows."""
    rows = read(pairs, source, target)
    paths = Ragged(canonical_paths(edits, *rows, target_size=len(target)))
    sources, tags = Ragged([[*one.ids, END] for one in rows.sources]), Ragged([one.known_tags for one in rows.sources])
    return EncodedPairs(sources, paths, weights, tags)


def uncertainty_left(pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary) -> float:
    """Returns the share of a target's uncertainty that is left when its source is known and edits explain the rest.

    The edit distance learns from one half of a sample and predicts the targets of the other half, given their sources;
    the unigram baseline does the same without the sources.
    """
    chosen = np.random.default_rng(1).permutation(len(pairs))[:SAMPLE]
    half = max(1, len(chosen) // 2)
    learnt, held = ([pairs[index] for index in part] for part in (chosen[:half], chosen[-half:]))
    edits = learn_edits(learnt, source, target)
    sources, targets = read(held, source, target).ids()
    symbols = int(targets.lengths.sum())
    counts = np.bincount(read(learnt, source, target).ids()[1].flat, minlength=len(target)) + 1.0
    unigram = -np.log(counts / counts.sum())[targets.flat].sum() / symbols
    given_source = edits.log_probs(sources, targets) - edits.source_log_probs(sources)
    return float(-given_source.sum() / symbols / unigram)

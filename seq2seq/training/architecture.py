"""Decides from the training pairs alone whether a model writes symbols with attention, or edits of the source."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seq2seq.special import END, PAD
from seq2seq.text.batches import EncodedPairs, Ragged
from seq2seq.text.edit_distance import EditDistance
from seq2seq.text.edits import canonical_paths
from seq2seq.text.pairs import Pair
from seq2seq.text.vocabulary import Vocabulary

SAMPLE = 1000  # pairs that decide
LARGEST_SHARE = 0.7  # of the targets' own uncertainty that may be left when the edits are known


class _Ids(NamedTuple):
    tags: Ragged
    sources: Ragged  # without END
    targets: Ragged  # without START and END


def read_ids(pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary) -> _Ids:
    """Returns the ids of pairs; symbols that are not in the training part are UNK."""
    read = [source.read(pair.source, oov="unk") for pair in pairs]
    targets = Ragged([target.encode(pair.target, oov="unk") for pair in pairs])
    return _Ids(Ragged([one.tags for one in read]), Ragged([one.ids for one in read]), targets)


def same_symbols(source: Vocabulary, target: Vocabulary) -> np.ndarray:
    """Returns int (S,): for each source id the target id of the same symbol, PAD where there is none."""
    ids = target.ids_of(source.symbols_of(range(len(source))))
    return np.where(np.isin(ids, target.ids_of(target.symbols)), ids, PAD)


def learn_edits(
    pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary, weights: np.ndarray | None = None
) -> EditDistance:
    """Learns the edit distance of pairs; `weights`, float (R,), say how much each counts."""
    ids, same = read_ids(pairs, source, target), same_symbols(source, target)
    return EditDistance.learn(ids.sources, ids.targets, same, target_size=len(target), counts=weights)


def encode_actions(
    pairs: Sequence[Pair], edits: EditDistance, source: Vocabulary, target: Vocabulary, weights: np.ndarray
) -> EncodedPairs:
    """Turns pairs into sources and edit actions; `weights`, float32 (R,), are those of the rows."""
    ids, same = read_ids(pairs, source, target), same_symbols(source, target)
    keys = ids.sources.mapped(np.where(same == PAD, -1, same))
    paths = canonical_paths(edits, ids.sources, ids.targets, keys, ids.targets, target_size=len(target))
    return EncodedPairs(Ragged([[*row, END] for row in ids.sources.rows()]), paths, weights, ids.tags)


def uncertainty_left(pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary) -> float:
    """Returns the share of a target's uncertainty that is left when its source is known and edits explain the rest.

    The edit distance learns from one half of a sample and predicts the targets of the other half, given their sources;
    the unigram baseline does the same without the sources.
    """
    chosen = np.random.default_rng(1).permutation(len(pairs))[:SAMPLE]
    half = max(1, len(chosen) // 2)
    learnt, held = ([pairs[index] for index in part] for part in (chosen[:half], chosen[-half:]))
    edits = learn_edits(learnt, source, target)
    sources, targets = read_ids(held, source, target)[1:]
    symbols = int(targets.lengths.sum())
    counts = np.bincount(read_ids(learnt, source, target).targets.flat, minlength=len(target)) + 1.0
    unigram = -np.log(counts / counts.sum())[targets.flat].sum() / symbols
    given_source = edits.log_probs(sources, targets) - edits.source_log_probs(sources)
    return float(-given_source.sum() / symbols / unigram)

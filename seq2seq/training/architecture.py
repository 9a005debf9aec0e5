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


class ActionPairs(NamedTuple):
    """Pairs as a transducer is trained on them."""

    edits: EditDistance
    train: EncodedPairs
    validation: EncodedPairs


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


def encode_actions(
    train: Sequence[Pair], validation: Sequence[Pair], source: Vocabulary, target: Vocabulary
) -> ActionPairs:
    """Learns the edit distance of the training pairs and turns all pairs into edit actions."""
    same = same_symbols(source, target)
    parts = [read_ids(pairs, source, target) for pairs in (train, validation)]
    edits = EditDistance.learn(parts[0].sources, parts[0].targets, same, target_size=len(target))

    def encoded(ids: _Ids) -> EncodedPairs:
        keys = ids.sources.mapped(np.where(same == PAD, -1, same))
        paths = canonical_paths(edits, ids.sources, ids.targets, keys, ids.targets, target_size=len(target))
        return EncodedPairs(Ragged([[*row, END] for row in ids.sources.rows()]), paths, ids.tags)

    return ActionPairs(edits, *map(encoded, parts))


def uncertainty_left(pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary) -> float:
    """Returns the share of a target's uncertainty that is left when its source is known and edits explain the rest.

    The edit distance learns from one half of a sample and predicts the targets of the other half, given their sources;
    the unigram baseline does the same without the sources.
    """
    chosen = np.random.default_rng(1).permutation(len(pairs))[:SAMPLE]
    half = max(1, len(chosen) // 2)
    learnt, held = (
        read_ids([pairs[index] for index in part], source, target) for part in (chosen[:half], chosen[-half:])
    )
    edits = EditDistance.learn(learnt.sources, learnt.targets, same_symbols(source, target), target_size=len(target))
    symbols = int(held.targets.lengths.sum())
    counts = np.bincount(learnt.targets.flat, minlength=len(target)) + 1.0
    unigram = -np.log(counts / counts.sum())[held.targets.flat].sum() / symbols
    given_source = edits.log_probs(held.sources, held.targets) - edits.source_log_probs(held.sources)
    return float(-given_source.sum() / symbols / unigram)

"""A transducer's actions inside a graph: its limits, the texts that actions write, and the canonical path of a text."""

from typing import Any, NamedTuple

import numpy as np

from seq2seq.exporting.tf_models import Tensors
from seq2seq.exporting.tf_search import Step
from seq2seq.models.backend import tf
from seq2seq.special import END, PAD, SPECIAL_COUNT, START
from seq2seq.text.edit_distance import EditDistance
from seq2seq.text.edit_lattice import DELETED, INSERTED, SUBSTITUTED
from seq2seq.text.edits import COPY, DELETE, FIRST_SUB, action_count, advances, insert, substitute
from seq2seq.text.vocabulary import Vocabulary


class Sources(NamedTuple):
    """Sources of N rows, padded on the right."""

    ids: Any  # int32 (N, S), without END
    symbols: Any  # strings (N, S), what a copy writes
    most: Any  # int32 (N,): most symbols of an output


class WrittenRows(NamedTuple):
    """What N rows of actions write."""

    symbols: Any  # strings (N, T): the symbol that each action writes; empty: none, or one beyond the limit
    path: Any  # int32 (N, T): the actions up to the last symbol within the limit, or with END
    finished: Any  # bool (N,): the output is within its limit


class GraphEdits:
    """The actions of one target vocabulary, and the edit distance that chooses canonical paths."""

    def __init__(self, vocabulary: Vocabulary, edits: EditDistance, target_ids: Any) -> None:
        """Takes the table of the target ids by symbol too."""
        self.target_ids = target_ids
        size = len(vocabulary)
        ids = np.arange(action_count(size))
        self.writes = tf.constant(((ids == COPY) | (ids >= FIRST_SUB)).astype(np.int32))
        self.moves = tf.constant(advances(len(ids)).astype(np.int32))
        symbols = np.array(["", *vocabulary.symbols], object)
        places = np.where(ids < FIRST_SUB, 0, 1 + (ids - FIRST_SUB) % (size - SPECIAL_COUNT))
        self.texts = tf.constant(symbols[places])
        all_ids = np.arange(size)
        self.substitutions = tf.constant(substitute(all_ids).astype(np.int32))
        self.insertions = tf.constant(insert(all_ids, size).astype(np.int32))
        self.costs = [tf.constant(values) for values in edits.grains]  # substitutions, deletions, insertions

    def limited(self, step: Step) -> Step:
        """Returns a step whose rows hold `written` and `most`; an output that has more than its most symbols ends."""

        def limited_step(token_ids: Any, rows: Tensors) -> tuple[Any, Tensors]:
            written = rows["written"] + tf.gather(self.writes, token_ids)
            logits, after = step(token_ids, rows)
            only_end = tf.where(tf.range(logits.shape[-1]) == END, 0.0, -float("inf"))
            logits = tf.where((written > rows["most"])[:, None], only_end, logits)
            return tf.ensure_shape(logits, [None, self.writes.shape[0]]), {
                **after, "written": written, "most": rows["most"],
            }  # fmt: skip

        return limited_step

    def write(self, actions: Any, sources: Sources) -> WrittenRows:
        """Writes what actions, int32 (N, T), make of N sources."""
        positions = tf.cumsum(tf.gather(self.moves, actions), axis=1, exclusive=True)
        last = tf.maximum(tf.shape(sources.symbols)[1] - 1, 0)
        copies = tf.concat([sources.symbols, tf.fill([tf.shape(actions)[0], 1], "")], 1)
        copied = tf.gather(copies, tf.minimum(positions, last), batch_dims=1)
        symbols = tf.where(actions == COPY, copied, tf.gather(self.texts, actions))
        writes = tf.gather(self.writes, actions)
        counts = tf.cumsum(writes, axis=1)
        finished = tf.reduce_sum(writes, 1) <= sources.most
        # of an output that is cut off, the path ends with its last symbol
        within = (counts <= sources.most[:, None]) & ((counts - writes < sources.most[:, None]) | finished[:, None])
        return WrittenRows(tf.where(within, symbols, ""), tf.where(within, actions, PAD), finished)

    def canonical_paths(self, sources: Sources, symbols: Any) -> Any:
        """Returns the most probable actions of each source and target, int32 (N, A), with END, padded on the right.

        Args:
            sources: N.
            symbols: strings (N, T); an empty string is no symbol.

        """
        targets = tf.ragged.boolean_mask(symbols, symbols != "").to_tensor("")
        target_ids = tf.where(targets == "", PAD, self.target_ids.lookup(targets))
        read, written = (tf.reduce_sum(tf.cast(ids != PAD, tf.int32), 1) for ids in (sources.ids, target_ids))
        choices = self._choices(sources.ids, target_ids, read, written)
        return self._traced(choices, sources, targets, target_ids, read, written)

    def _choices(self, source_ids: Any, target_ids: Any, read: Any, written: Any) -> Any:
        """Returns the best edit of each cell, int32 (D, N, S + 1), by diagonal and number of symbols read."""
        count, height, width = tf.shape(source_ids)[0], tf.shape(source_ids)[1], tf.shape(target_ids)[1]
        substitution, deletion, insertion = self.costs
        nowhere = tf.constant(-float("inf"), tf.float64)
        i = tf.range(height + 1)
        sources = tf.concat([source_ids, tf.fill([count, 1], PAD)], 1)  # (N, S + 1)
        targets = tf.concat([target_ids, tf.fill([count, 1], PAD)], 1)
        diagonals = height + width + 1

        def body(number: Any, one_on: Any, two_on: Any, kept: Any) -> Any:
            j = number - i
            inside = (j >= 0) & (j <= width)
            there = tf.gather(targets, tf.clip_by_value(j, 0, width), axis=1)  # (N, S + 1)
            reads, writes = inside & (sources != PAD), inside & (there != PAD)
            padded = tf.pad(one_on, [[0, 0], [0, 1]], constant_values=nowhere)[:, 1:]
            pairs = tf.gather_nd(substitution, tf.stack([sources, there], -1))
            later = tf.pad(two_on, [[0, 0], [0, 1]], constant_values=nowhere)[:, 1:]
            ways = tf.stack(
                [
                    tf.where(reads & writes, pairs, nowhere) + later,
                    tf.where(reads, tf.gather(deletion, sources), nowhere) + padded,
                    tf.where(writes, tf.gather(insertion, there), nowhere) + one_on,
                ]
            )
            ends = ((read + written)[:, None] == number) & (i == read[:, None])
            best = tf.where(ends, tf.constant(0, tf.float64), tf.reduce_max(ways, 0))
            return number - 1, best, one_on, kept.write(number, tf.argmax(ways, 0, tf.int32))

        start = tf.fill(tf.stack([count, height + 1]), nowhere)
        kept = tf.TensorArray(tf.int32, diagonals, element_shape=[None, None])
        shapes = (tf.TensorShape([]), *[tf.TensorShape([None, None])] * 2, tf.TensorShape(None))
        return tf.while_loop(
            lambda number, *_: number >= 0, body, (diagonals - 1, start, start, kept), shape_invariants=shapes
        )[3].stack()

    def _traced(self, choices: Any, sources: Sources, targets: Any, target_ids: Any, read: Any, written: Any) -> Any:
        """Follows the best edits from the first cell of each pair; returns actions with END, int32 (N, A)."""
        count, steps = tf.shape(targets)[0], tf.shape(choices)[0] - 1
        rows = tf.range(count)
        copies = tf.concat([sources.symbols, tf.fill([count, 1], "")], 1)
        symbols = tf.concat([targets, tf.fill([count, 1], "\0")], 1)
        ids = tf.concat([target_ids, tf.fill([count, 1], PAD)], 1)

        def body(step: Any, place: Any, column: Any, kept: Any) -> Any:
            live = (place < read) | (column < written)
            chosen = tf.gather_nd(choices, tf.stack([place + column, rows, place], 1))
            target = tf.gather(ids, column, batch_dims=1)
            same = tf.gather(copies, place, batch_dims=1) == tf.gather(symbols, column, batch_dims=1)
            replaced = tf.where(same, COPY, tf.gather(self.substitutions, target))
            action = tf.where(chosen == SUBSTITUTED, replaced, tf.where(
                chosen == DELETED, DELETE, tf.gather(self.insertions, target)))  # fmt: skip
            kept = kept.write(step, tf.where(live, action, PAD))
            place += tf.cast(live & (chosen != INSERTED), tf.int32)
            column += tf.cast(live & (chosen != DELETED), tf.int32)
            return step + 1, place, column, kept

        zeros = tf.zeros([count], tf.int32)
        kept = tf.TensorArray(tf.int32, steps, element_shape=[None])
        actions = tf.transpose(tf.while_loop(lambda step, *_: step < steps, body, (0, zeros, zeros, kept))[3].stack())
        actions = tf.concat([tf.reshape(actions, tf.stack([count, steps])), tf.fill([count, 1], PAD)], 1)
        ends = tf.reduce_sum(tf.cast(actions != PAD, tf.int32), 1)
        return tf.where(tf.range(steps + 1) == ends[:, None], END, actions)


def forced_scores(step: Step, rows: Tensors, paths: Any) -> Any:
    """Returns the log-probability of each path, float64 (N,), in nats.

    Args:
        step: feeds one id to each of N rows.
        rows: the state before the first id.
        paths: int32 (N, A), without START, padded on the right.

    """
    count = tf.shape(paths)[0]

    def body(time: Any, fed: Any, rows: Tensors, total: Any) -> Any:
        logits, after = step(fed, rows)
        log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float64))
        target = paths[:, time]
        nats = tf.gather(log_probs, target, batch_dims=1)
        return time + 1, target, after, total + tf.where(target == PAD, tf.constant(0, tf.float64), nats)

    start = (tf.constant(0), tf.fill([count], START), rows, tf.zeros([count], tf.float64))
    shapes = {name: tf.TensorShape([None, *tensor.shape[1:]]) for name, tensor in rows.items()}
    vector = tf.TensorShape([None])
    return tf.while_loop(
        lambda time, *_: time < tf.shape(paths)[1],
        body,
        start,
        shape_invariants=(tf.TensorShape([]), vector, shapes, vector),
    )[3]

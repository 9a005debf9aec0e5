"""Beam search as a loop inside a graph, step for step what `seq2seq.decoding` does; a beam of one is greedy."""

from collections.abc import Callable
from typing import Any, NamedTuple

from seq2seq.exporting.tf_models import Tensors
from seq2seq.models.backend import tf
from seq2seq.special import END, PAD, START

Step = Callable[[Any, Tensors], tuple[Any, Tensors]]


class Hypotheses(NamedTuple):
    """The K outputs of each of B sources, T steps."""

    tokens: Any  # int32 (B, K, T), END included, PAD where nothing was added
    scores: Any  # float64 (B, K), nats; minus infinity: the model allows fewer than K outputs
    lengths: Any  # int32 (B, K), ids in the score
    finished: Any  # bool (B, K): END was reached


class _Loop(NamedTuple):
    step: Any  # int32 ()
    fed: Any  # int32 (B * K,)
    rows: Tensors  # (B * K, ...) each
    found: Hypotheses
    ended: Any  # bool (B, K)


def penalties(lengths: Any, length_penalty: Any) -> Any:
    """Returns the divisors of scores for int32 lengths (...), float64 (...), as `decoding.strategies.penalties`."""
    return tf.cast(tf.maximum(lengths, 1), tf.float64) ** length_penalty


def search(step: Step, rows: Tensors, limits: Any, *, width: Any, length_penalty: Any) -> Hypotheses:
    """Searches for the `width` best outputs of each source.

    Args:
        step: feeds one id to each of B * K hypotheses; returns logits and their next state.
        rows: the state of B sources before the first id.
        limits: int32 (B,): most ids of an output, without END.
        width: K.
        length_penalty: float64, the exponent of the length.

    """
    count = tf.shape(limits)[0]
    shape = tf.stack([count, width])
    first = tf.broadcast_to(tf.range(width) == 0, shape)  # one hypothesis of a source, which the first step divides
    start = _Loop(
        tf.constant(0),
        tf.fill([count * width], START),
        {name: tf.repeat(tensor, width, axis=0) for name, tensor in rows.items()},
        Hypotheses(
            tf.zeros(tf.stack([count, width, 0]), tf.int32),
            tf.where(first, tf.constant(0, tf.float64), tf.constant(-float("inf"), tf.float64)),
            tf.zeros(shape, tf.int32),
            tf.zeros(shape, tf.bool),
        ),
        ~first,
    )
    matrix = tf.TensorShape([None, None])
    shapes = _Loop(
        tf.TensorShape([]),
        tf.TensorShape([None]),
        {name: tf.TensorShape([None, *tensor.shape[1:]]) for name, tensor in start.rows.items()},
        Hypotheses(tf.TensorShape([None, None, None]), matrix, matrix, matrix),
        matrix,
    )
    end = tf.while_loop(
        lambda *loop: tf.reduce_any(~_Loop(*loop).ended),
        lambda *loop: _extended(step, _Loop(*loop), limits, width, length_penalty),
        start,
        shape_invariants=shapes,
    )
    return _Loop(*end).found


def _extended(step: Step, loop: _Loop, limits: Any, width: Any, length_penalty: Any) -> _Loop:
    """Takes one step: chooses among the ended outputs and the extensions of the others by one id."""
    found, ended = loop.found, loop.ended
    logits, after = step(loop.fed, loop.rows)
    count, size = tf.shape(limits)[0], logits.shape[-1]
    log_probs = tf.cast(tf.reshape(logits, tf.stack([count, width, size])), tf.float64)
    log_probs = (log_probs - tf.reduce_logsumexp(log_probs, -1, keepdims=True))[..., END:]
    ranks = (log_probs + found.scores[..., None]) / penalties(found.lengths + 1, length_penalty)[..., None]
    kept = (found.scores / penalties(found.lengths, length_penalty))[..., None]
    nowhere = tf.constant(-float("inf"), tf.float64)
    once = tf.where(tf.range(size - END) == 0, kept, nowhere)  # an ended output counts once
    ranks = tf.where(ended[..., None], once, ranks)
    best, places = tf.math.top_k(tf.reshape(ranks, tf.stack([count, -1])), width)
    # a full output may only end
    closing = (limits == loop.step)[:, None]
    likely = tf.argmax(log_probs, -1, tf.int32)
    parents = tf.where(closing, tf.range(width)[None], places // (size - END))
    columns = tf.where(closing, likely, places % (size - END))
    empty = ~closing & (best == nowhere)
    tokens = tf.where(empty, PAD, columns + END)
    before = Hypotheses(*(tf.gather(each, parents, batch_dims=1) for each in found))
    ended = tf.gather(ended, parents, batch_dims=1)
    added = tf.gather(tf.gather(log_probs, parents, batch_dims=1), columns, batch_dims=2)
    frozen = ended | empty | (closing & (tokens != END))
    tokens = tf.where(frozen, PAD, tokens)
    added = tf.where(frozen, tf.where(empty, nowhere, tf.constant(0, tf.float64)), added)
    scores = before.scores + added
    finished = before.finished | (tokens == END)
    ended = ended | (tokens == END) | (scores == nowhere) | (limits <= loop.step)[:, None]
    sources = tf.reshape(tf.range(count)[:, None] * width + parents, [-1])
    return _Loop(
        loop.step + 1,
        tf.reshape(tokens, [-1]),
        {name: tf.gather(tensor, sources) for name, tensor in after.items()},
        Hypotheses(
            tf.concat([before.tokens, tokens[..., None]], -1),
            scores,
            before.lengths + tf.cast(~frozen, tf.int32),
            finished,
        ),
        ended,
    )

"""The functions of an exported translator: lines in, texts out, greedy or with a beam, all of it in a graph."""

from typing import Any, NamedTuple

from seq2seq.bundle.folder import Bundle
from seq2seq.exporting.tf_edits import GraphEdits, Sources, forced_scores
from seq2seq.exporting.tf_models import Tensors, graph_model, split_state, transduces
from seq2seq.exporting.tf_search import Hypotheses, Step, penalties, search
from seq2seq.exporting.tf_text import (
    GraphReading,
    Reader,
    TextWriter,
    joined_symbols,
    replaced,
    table,
    written_symbols,
)
from seq2seq.models.backend import tf
from seq2seq.search_config import LONGEST
from seq2seq.special import END, PAD, SPECIAL_COUNT, UNK
from seq2seq.text.source_layout import SourceForm


class Outputs(NamedTuple):
    """The K outputs of each of B sources, the best first."""

    texts: Any  # strings (B, K)
    scores: Any  # float64 (B, K), nats
    ranks: Any  # float64 (B, K); minus infinity: there is no such output
    finished: Any  # bool (B, K)


class GraphTranslator:
    """A translator of any kind whose functions TensorFlow can save."""

    def __init__(self, bundle: Bundle) -> None:
        assert bundle.source_vocabulary is not None
        self.model = graph_model(bundle)
        self.form = SourceForm.from_record(bundle.record)
        self.vocabulary = bundle.source_vocabulary
        self.reader = Reader(self.vocabulary, clean=self.form.clean, lowercase=bundle.data.lowercase)
        self.writer = TextWriter(bundle.target_vocabulary)
        self.symbols = tf.constant(written_symbols(bundle.target_vocabulary))
        self.longest = bundle.lengths
        self.tables = [*self.reader.tables, *self.writer.tables]
        self.edits: GraphEdits | None = None
        if bundle.edits is not None and transduces(bundle):
            places = {symbol: SPECIAL_COUNT + place for place, symbol in enumerate(bundle.target_vocabulary.symbols)}
            target_ids = table(places, UNK)
            self.tables.append(target_ids)
            self.edits = GraphEdits(bundle.target_vocabulary, bundle.edits, target_ids)
        # traced once, for both signatures
        inputs = [tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float64)]
        self.outputs = tf.function(self._outputs, input_signature=inputs, autograph=False)

    def translate(self, lines: Any) -> Tensors:
        """Translates lines (B,) greedily."""
        found = self.outputs(lines, tf.constant(1), tf.constant(1, tf.float64))
        return {"texts": found.texts[:, 0], "scores": single(found.scores[:, 0]), "finished": found.finished[:, 0]}

    def translate_beam(self, lines: Any, beam_size: Any, length_penalty: Any) -> Tensors:
        """Translates lines (B,) with a beam of int32 () hypotheses and a length penalty float32 ()."""
        found = self.outputs(lines, beam_size, tf.cast(length_penalty, tf.float64))
        return {
            "texts": found.texts,
            "scores": single(found.scores),
            "rank_scores": single(found.ranks),
            "finished": found.finished,
        }

    def _outputs(self, lines: Any, width: Any, length_penalty: Any) -> Outputs:
        self._check(lines)
        read = self.reader(lines)
        lengths = tf.cast(read.tags.row_lengths() + read.ids.row_lengths(), tf.int32)
        most = self.limits(lengths)
        if self.edits is None:
            found = self._symbol_outputs(read, most, width, length_penalty)
        else:
            found = self._action_outputs(self.edits, read, most, width, length_penalty)
        order = tf.argsort(-found.ranks, axis=-1, stable=True)
        found = Outputs(*(tf.gather(each, order, batch_dims=1) for each in found))
        empty, zero = (lengths == 0)[:, None], tf.constant(0, tf.float64)
        absent = empty | (found.ranks == -float("inf"))
        scores, ranks = (tf.where(empty, zero, each) for each in (found.scores, found.ranks))
        return Outputs(tf.where(absent, "", found.texts), scores, ranks, found.finished | empty)

    def _check(self, lines: Any) -> None:
        """Adds the checks of `Translator.check_lines`, which fail the call."""
        text = replaced(lines, r"(?s)\t.*$")
        if self.vocabulary.separator:
            parts = tf.strings.split(text, sep=self.vocabulary.separator)
            counts = tf.reduce_sum(tf.cast(parts != "", tf.int32), -1)
        else:
            counts = tf.strings.length(text, unit="UTF8_CHAR")
        message = f"expected lines of at most {LONGEST} symbols; cut them into sentences"
        tf.debugging.assert_less_equal(counts, LONGEST, message=message)
        if self.vocabulary.features_sep:
            tagged = tf.strings.regex_full_match(lines, r"(?s)\s*|[^\t]*\t.*")
            message = "expected text<TAB>tags; for a word without tags, end the line with a tab"
            tf.debugging.Assert(tf.reduce_all(tagged), [message])

    def limits(self, lengths: Any) -> Any:
        """Returns the most symbols of each output, int32 (B,), for int32 (B,) symbols read, as `length_limit` does."""
        scale = tf.maximum(tf.constant(1, tf.float64), tf.cast(lengths, tf.float64) / self.longest.source)
        return tf.cast(tf.math.ceil(1.5 * self.longest.target * scale), tf.int32) + 5

    def rows(self, ids: Any) -> Any:
        """Returns the encoder's rows, int32 (B, S), for ragged ids (B, None), as `SourceForm.row` does."""
        form, count = self.form, ids.nrows()

        def repeated(values: tuple[int, ...]) -> Any:
            return tf.RaggedTensor.from_tensor(tf.tile([list(values)], [count, 1]), ragged_rank=1)

        parts = [repeated(form.before)] if form.before else []
        parts.append(ids[:, ::-1] if form.reversed else ids)
        row = tf.concat([*parts, *([repeated(form.after)] if form.after else [])], 1)
        missing = tf.maximum(tf.constant(max(form.length, 1), tf.int64) - row.row_lengths(), 0)
        padding = tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(missing)], form.fill), missing)
        return tf.concat([padding, row] if form.left else [row, padding], 1).to_tensor(PAD)

    def _started(self, source_ids: Any, tag_ids: Any, width: Any) -> tuple[Tensors, Step]:
        """Encodes sources; returns the state of each source's rows, and the step of `width` hypotheses each."""
        rows, shared = split_state(self.model.start(source_ids, tag_ids))
        shared = {name: tf.repeat(tensor, width, axis=0) for name, tensor in shared.items()}
        return rows, lambda token_ids, rows: self.model.step(token_ids, {**shared, **rows})

    def _symbol_outputs(self, read: GraphReading, most: Any, width: Any, length_penalty: Any) -> Outputs:
        source_ids = self.rows(tf.concat([read.tags, read.ids], 1))
        rows, step = self._started(source_ids, tf.zeros([tf.shape(most)[0], 0], tf.int32), width)
        found = search(step, rows, most, width=width, length_penalty=length_penalty)
        texts = self.writer(tf.gather(self.symbols, found.tokens))
        return Outputs(texts, found.scores, found.scores / penalties(found.lengths, length_penalty), found.finished)

    def _action_outputs(
        self, edits: GraphEdits, read: GraphReading, most: Any, width: Any, length_penalty: Any
    ) -> Outputs:
        """Searches for actions, and scores each text that they write by its canonical path, as `ActionWriter` does."""
        ids = read.ids.to_tensor(PAD)
        end = tf.fill(tf.stack([tf.shape(most)[0], 1]), END)
        source_ids = tf.concat([read.ids, tf.RaggedTensor.from_tensor(end, ragged_rank=1)], 1).to_tensor(PAD)
        tag_ids = tf.ragged.boolean_mask(read.tags, read.tags != UNK).to_tensor(PAD)
        rows, step = self._started(source_ids, tag_ids, width)
        lengths = tf.cast(read.ids.row_lengths(), tf.int32)
        limited = {**rows, "written": tf.zeros_like(most), "most": most}
        found = search(edits.limited(step), limited, lengths + most + 2, width=width, length_penalty=length_penalty)
        found = by_rank(found, length_penalty)
        sources = Sources(*(tf.repeat(each, width, axis=0) for each in (ids, read.symbols.to_tensor(""), most)))
        shape = tf.shape(found.scores)
        written = edits.write(tf.reshape(found.tokens, tf.stack([-1, tf.shape(found.tokens)[-1]])), sources)
        canonical = edits.canonical_paths(sources, written.symbols)
        paths = tf.where(written.finished[:, None], *same_width(canonical, written.path))
        repeated = {name: tf.repeat(tensor, width, axis=0) for name, tensor in rows.items()}
        scores = tf.reshape(forced_scores(step, repeated, paths), shape)
        counts = tf.reduce_sum(tf.cast(written.symbols != "", tf.int32), 1) + tf.cast(written.finished, tf.int32)
        symbols = tf.reshape(written.symbols, tf.stack([shape[0], shape[1], -1]))
        keys = joined_symbols(symbols, "\0")  # two paths to one text are one output
        same = (keys[:, :, None] == keys[:, None, :]) & (tf.range(width)[None] < tf.range(width)[:, None])
        absent = tf.reduce_any(same, -1) | (found.scores == -float("inf"))
        ranks = scores / penalties(tf.reshape(counts, shape), length_penalty)
        nowhere = tf.constant(-float("inf"), tf.float64)
        scores, ranks = (tf.where(absent, nowhere, each) for each in (scores, ranks))
        return Outputs(self.writer(symbols), scores, ranks, tf.reshape(written.finished, shape))


def by_rank(found: Hypotheses, length_penalty: Any) -> Hypotheses:
    """Returns hypotheses with the best rank_score first."""
    order = tf.argsort(-found.scores / penalties(found.lengths, length_penalty), axis=-1, stable=True)
    return Hypotheses(*(tf.gather(each, order, batch_dims=1) for each in found))


def same_width(one: Any, other: Any) -> tuple[Any, Any]:
    """Pads the shorter of two tensors (N, A) on the right with PAD."""
    widest = tf.maximum(tf.shape(one)[1], tf.shape(other)[1])
    one, other = (tf.pad(each, [[0, 0], [0, widest - tf.shape(each)[1]]]) for each in (one, other))
    return one, other


def single(values: Any) -> Any:
    """Converts to float32 (...)."""
    return tf.cast(values, tf.float32)

"""The function of an exported language model: prompts in, longer texts out, in a graph."""

from typing import Any

from seq2seq.bundle.folder import Bundle
from seq2seq.exporting.tf_models import Tensors, graph_model
from seq2seq.exporting.tf_text import Reader, TextWriter, replaced, written_symbols
from seq2seq.models.backend import tf
from seq2seq.special import END, PAD


class GraphLanguageModel:
    """A language model whose functions TensorFlow can save; its symbols are characters."""

    def __init__(self, bundle: Bundle) -> None:
        self.model = graph_model(bundle)
        self.lowercase = bundle.data.lowercase
        self.reader = Reader(bundle.target_vocabulary, clean=False, lowercase=False)
        self.writer = TextWriter(bundle.target_vocabulary)
        self.symbols = tf.constant(written_symbols(bundle.target_vocabulary))
        self.tables = [*self.reader.tables, *self.writer.tables]

    def generate(self, prompts: Any, length: Any, temperature: Any, seed: Any) -> Tensors:
        """Continues prompts (B,) by int32 () symbols; a temperature float32 () of 0 takes the most probable ones."""
        texts = replaced(prompts, r"\r\n", "\n")
        texts = tf.strings.lower(texts, encoding="utf-8") if self.lowercase else texts
        texts = self.reader.composition(replaced(texts, r"\x{feff}"))
        ids, _ = self.reader.symbols_of(texts)
        lengths = tf.cast(ids.row_lengths(), tf.int32)
        message = "expected prompts of at least one symbol"
        tf.debugging.assert_greater(lengths, 0, message=message)
        given = ids.to_tensor(PAD)
        steps = tf.shape(given)[1] + length - 1
        given = tf.pad(given, [[0, 0], [0, tf.maximum(length, 1)]])

        def body(step: Any, fed: Any, state: Tensors, scores: Any, written: Any) -> Any:
            logits, after = self.model.step(fed, state)
            log_probs = tf.nn.log_softmax(tf.cast(logits, tf.float64))
            chosen = self._chosen(logits[:, END + 1 :], temperature, tf.stack([seed, tf.cast(step, tf.int64)]))
            free = step + 1 >= lengths
            token = tf.where(free, chosen, given[:, step + 1])
            counted = free & (step + 1 < lengths + length)
            nats = tf.gather(log_probs, token, batch_dims=1)
            scores += tf.where(counted, nats, tf.constant(0, tf.float64))
            return step + 1, token, after, scores, tf.concat([written, tf.where(counted, token, PAD)[:, None]], 1)

        state = self.model.empty(tf.shape(lengths)[0])
        count = tf.shape(lengths)[0]
        start = (
            tf.constant(0), given[:, 0], state, tf.zeros([count], tf.float64), tf.zeros(tf.stack([count, 0]), tf.int32),
        )  # fmt: skip
        vector = tf.TensorShape([None])
        shapes = {name: tf.TensorShape([None, *tensor.shape[1:]]) for name, tensor in state.items()}
        *_, scores, written = tf.while_loop(
            lambda step, *_: step < steps,
            body,
            start,
            shape_invariants=(tf.TensorShape([]), vector, shapes, vector, tf.TensorShape([None, None])),
        )
        added = self.writer(tf.gather(self.symbols, written))
        return {"texts": tf.strings.join([texts, added]), "scores": tf.cast(scores, tf.float32)}

    def _chosen(self, logits: Any, temperature: Any, seed: Any) -> Any:
        """Returns ids int32 (B,) for logits (B, V - 4) of all but the special ids."""
        noise = tf.random.stateless_uniform(tf.shape(logits), seed, minval=1e-9, dtype=tf.float32)
        drawn = tf.argmax(logits / tf.maximum(temperature, 1e-9) - tf.math.log(-tf.math.log(noise)), -1, tf.int32)
        return END + 1 + tf.where(temperature > 0, drawn, tf.argmax(logits, -1, tf.int32))

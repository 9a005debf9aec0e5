"""Turns lines into ids and symbols into texts with TensorFlow's own operations, for a graph that others run."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from seq2seq.exporting.unicode_tables import compositions, exchanged_characters, readings_of
from seq2seq.models.backend import tf
from seq2seq.special import SPECIAL_COUNT, UNK
from seq2seq.text.vocabulary import Vocabulary

ROUNDS = 3  # a character has at most three marks that canonical composition joins with it
# the white space of Python's str.strip, as a class of a regular expression
SPACE = (
    r"[\t\n\x{0b}\x{0c}\r\x{1c}-\x{1f} \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+"
)
NOTHING = "\0"  # what a table returns for a character that it does not have; no line contains it


class GraphReading(NamedTuple):
    """Lines as a model reads them: ragged tensors (B, ...) of ids, and the symbols that copies write."""

    tags: Any  # int32
    ids: Any  # int32, of the text, without END
    symbols: Any  # strings, one for each id


def table(entries: Mapping[str, Any], default: Any) -> Any:
    """Returns a lookup table whose content is part of the graph."""
    keys = tf.constant(list(entries) or [NOTHING])
    values = tf.constant(list(entries.values()) or [default], tf.int32 if isinstance(default, int) else tf.string)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), default)


def characters(texts: Any) -> Any:
    """Splits strings (...) into characters; returns ragged strings (..., None)."""
    return tf.strings.unicode_split(texts, "UTF-8")


def joined(symbols: Any, separator: str = "") -> Any:
    """Joins strings, ragged (B, None), to texts (B,)."""
    return tf.strings.reduce_join(symbols, axis=-1, separator=separator)


def replaced(texts: Any, pattern: str, rewrite: str = "") -> Any:
    """Replaces all that a regular expression matches."""
    return tf.strings.regex_replace(texts, pattern, rewrite)


class Composition:
    """Canonical composition (NFC) by pairs of characters; marks in an unusual order stay as they are."""

    def __init__(self) -> None:
        self.exchanged = table(exchanged_characters(), NOTHING)
        self.pairs = table(compositions(), "")
        self.tables = [self.exchanged, self.pairs]

    def __call__(self, texts: Any) -> Any:
        """Composes texts (B,)."""
        split = characters(texts)
        found = self.exchanged.lookup(split.flat_values)
        split = split.with_flat_values(tf.where(found == NOTHING, split.flat_values, found))
        split = characters(joined(split)).to_tensor("")
        for _ in range(ROUNDS):
            after = tf.concat([split[:, 1:], tf.fill([tf.shape(split)[0], 1], "")], 1)[:, : tf.shape(split)[1]]
            composed = self.pairs.lookup(tf.strings.join([split, after]))
            hit = composed != ""
            taken = tf.concat([tf.fill([tf.shape(split)[0], 1], False), hit[:, :-1]], 1)[:, : tf.shape(split)[1]]
            split = tf.ragged.boolean_mask(tf.where(hit, composed, split), ~taken & (split != "")).to_tensor("")
        return joined(split)


class Reader:
    """Reads lines with a vocabulary as `Translator.encode` does, with `--oov map`."""

    def __init__(self, vocabulary: Vocabulary, *, clean: bool, lowercase: bool) -> None:
        self.vocabulary, self.clean, self.lowercase = vocabulary, clean, lowercase
        self.ids = table({symbol: SPECIAL_COUNT + place for place, symbol in enumerate(vocabulary.symbols)}, UNK)
        self.composition = Composition()
        self.tables = [self.ids, *self.composition.tables]
        if not vocabulary.separator:
            read, copied = readings_of(vocabulary)
            self.read_as, self.copied_as = table(read, NOTHING), table(copied, NOTHING)
            self.tables += [self.read_as, self.copied_as]

    def __call__(self, lines: Any) -> GraphReading:
        """Reads lines (B,) of strings."""
        text, tags = self.parts(lines)
        ids, symbols = self.symbols_of(text)
        return GraphReading(self.tag_ids(tags), ids, symbols)

    def parts(self, lines: Any) -> tuple[Any, Any]:
        """Returns texts and tags, (B,) each, normalised."""
        if not self.clean:
            lines = self.lowered(replaced(lines, r"[\r\n]+$"))
            return self.cut(lines) if self.vocabulary.features_sep else (lines, tf.zeros_like(lines))
        lines = self.composition(replaced(lines, r"\x{feff}"))
        lines = replaced(replaced(lines, r"\x{2019}", "'"), r"[\x{a0}\x{2009}\x{202f}]", " ")
        text, tags = self.cut(lines)
        text = self.stripped(self.composition(self.lowered(text)) if self.lowercase else text)
        tags = self.stripped(tags)
        if self.vocabulary.features_sep:
            return text, tags
        return tf.where(tags == "", text, tf.strings.join([text, tags], "\t")), tf.zeros_like(tags)

    def cut(self, lines: Any) -> tuple[Any, Any]:
        """Returns what stands before the first tab of each line, and what stands after it."""
        return replaced(lines, r"(?s)\t.*$"), replaced(lines, r"(?s)^[^\t]*\t?")

    def stripped(self, texts: Any) -> Any:
        """Removes white space at both ends."""
        return replaced(texts, f"^{SPACE}|{SPACE}$")

    def lowered(self, texts: Any) -> Any:
        """Lower-cases texts, if the model does."""
        return tf.strings.lower(texts, encoding="utf-8") if self.lowercase else texts

    def symbols_of(self, texts: Any) -> tuple[Any, Any]:
        """Returns ids int32 and symbols of texts (B,), ragged (B, None) each."""
        if self.vocabulary.separator:
            symbols = tf.strings.split(texts, sep=self.vocabulary.separator)
            symbols = tf.ragged.boolean_mask(symbols, symbols != "")
            return symbols.with_flat_values(self.nearest(symbols.flat_values)), symbols
        split = characters(texts)
        read, copied = (
            characters(joined(split.with_flat_values(self.mapped(each, split.flat_values))))
            for each in (self.read_as, self.copied_as)
        )
        return read.with_flat_values(self.ids.lookup(read.flat_values)), copied

    def mapped(self, mapping: Any, symbols: Any) -> Any:
        """Returns what a table has for strings (N,), or the strings themselves."""
        found = mapping.lookup(symbols)
        return tf.where(found == NOTHING, symbols, found)

    def nearest(self, symbols: Any) -> Any:
        """Returns ids int32 (N,) of strings (N,): their own, or those of their other case, or UNK."""
        found = self.ids.lookup(symbols)
        for cased in (tf.strings.lower, tf.strings.upper):
            found = tf.where(found == UNK, self.ids.lookup(cased(symbols, encoding="utf-8")), found)
        return found

    def tag_ids(self, tags: Any) -> Any:
        """Returns ids int32 of tags (B,), ragged (B, None)."""
        if not self.vocabulary.features_sep:
            return tf.RaggedTensor.from_row_lengths(tf.zeros([0], tf.int32), tf.zeros(tf.shape(tags), tf.int64))
        split = tf.strings.split(tags, sep=self.vocabulary.features_sep)
        split = split.with_flat_values(self.stripped(split.flat_values))
        split = tf.ragged.boolean_mask(split, split != "")
        return split.with_flat_values(self.nearest(tf.strings.join(["<", split.flat_values, ">"])))


class TextWriter:
    """Joins symbols to texts as `Vocabulary.join` does."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.separator = vocabulary.separator
        self.composition = Composition() if vocabulary.decompose and not vocabulary.separator else None
        self.tables = self.composition.tables if self.composition else []

    def __call__(self, symbols: Any) -> Any:
        """Joins strings (..., T), where an empty string is no symbol; returns (...)."""
        texts = joined_symbols(symbols, self.separator)
        if not self.composition:
            return texts
        return tf.reshape(self.composition(tf.reshape(texts, [-1])), tf.shape(texts))


def joined_symbols(symbols: Any, separator: str) -> Any:
    """Joins strings (..., T), where an empty string is no symbol; returns (...)."""
    flat = tf.reshape(symbols, [-1, tf.shape(symbols)[-1]])
    return tf.reshape(joined(tf.ragged.boolean_mask(flat, flat != ""), separator), tf.shape(symbols)[:-1])


def written_symbols(vocabulary: Vocabulary) -> Sequence[str]:
    """Returns the symbol of each id; an empty string for the special ids."""
    return ["", "", "", "", *vocabulary.symbols]

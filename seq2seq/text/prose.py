"""Reads a text for a language model: a file of any size in, token ids in a memory-mapped temporary file out."""

import codecs
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from seq2seq.config import DataConfig
from seq2seq.errors import DataError, OptionError
from seq2seq.special import SPECIAL_COUNT, UNK
from seq2seq.text.encodings import way_out
from seq2seq.text.lines import check_text_format, encoding_name
from seq2seq.text.vocabulary import Vocabulary

BLOCK_BYTES = 1 << 20
LONGEST_SYMBOL = 1 << 20  # characters; a longer run without space or line end is cut anywhere
FEWEST_SYMBOLS = 20
TRAIN_SHARE = 0.9
EXCERPT_CHARACTERS = 10_000  # of the validation part, kept with the model
WORD_JOINT = "\0"  # separates words for the vocabulary; no text contains it
# a word may contain apostrophes; any other character, and each CJK character, is a symbol of its own
_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
SYMBOL_PATTERN = rf"[^\W{_CJK}]+(?:['’][^\W{_CJK}]+)*|."
_WORD = re.compile(SYMBOL_PATTERN, re.DOTALL)


@dataclass(frozen=True)
class TextForm:
    """How a text is split into symbols, and how symbols are joined to a text.

    Args:
        unit: "char" or "word".
        separator: what separates symbols; empty: `unit` applies.
        lowercase: whether text is lower-cased.

    """

    unit: str = "char"
    separator: str = ""
    lowercase: bool = False

    @classmethod
    def of(cls, config: DataConfig) -> "TextForm":
        """Reads the form from the options.

        Raises:
            OptionError: the options ask for words and for a separator.

        """
        if config.unit == "word" and config.target_sep:
            raise OptionError(
                f"--unit word and --target-sep {config.target_sep!r} exclude each other: a separator already "
                "defines the symbols; leave one of them out"
            )
        return cls(config.unit, config.target_sep, config.lowercase)

    @property
    def joint(self) -> str:
        """The vocabulary's separator, which `line` puts between symbols; empty for characters."""
        return WORD_JOINT if self.unit == "word" else self.separator

    def normalise(self, text: str) -> str:
        """Converts text to NFC with LF line ends, without byte order marks; lower-cases if the form does."""
        text = text.replace("\r\n", "\n")
        if self.lowercase:
            text = text.lower()
        return text if text.isascii() else unicodedata.normalize("NFC", text.replace("\ufeff", ""))

    def tokens(self, text: str) -> list[str]:
        """Splits normalised text into symbols; words, or characters, joined again give the same text."""
        if self.unit == "word":
            return [token for token in _WORD.findall(text) if token != WORD_JOINT]
        if not self.separator:
            return list(text)
        if "\n" in self.separator:
            return [symbol for symbol in text.split(self.separator) if symbol]
        lines = ([symbol for symbol in line.split(self.separator) if symbol] for line in text.split("\n"))
        first = next(lines)
        return [*first, *(symbol for line in lines for symbol in ("\n", *line))]

    def line(self, text: str) -> str:
        """Returns normalised text with the joint between its symbols, as the vocabulary reads it."""
        return self.joint.join(self.tokens(text)) if self.joint else text

    def piece(self, symbol: str, before: str) -> str:
        """Returns the text that a symbol adds after the symbol `before`, which is empty at the beginning."""
        apart = self.separator and before and "\n" not in (symbol, before)
        return self.separator + symbol if apart else symbol

    def text(self, symbols: Sequence[str]) -> str:
        """Joins symbols to a text."""
        return "".join(self.piece(symbol, before) for before, symbol in zip(["", *symbols], symbols, strict=False))

    def boundary(self, text: str) -> int:
        """Finds the last place before a space, separator or line end, where no symbol is cut; -1 if there is none."""
        place = max(text.rfind(mark) for mark in {"\n", self.separator or " "})
        while place > 0 and text[place - 1] == "\r":
            place -= 1
        return place


def before_last_letter(text: str) -> int:
    """Finds the last place that does not separate a mark, or a Hangul vowel or final, from the character before it."""
    place = len(text) - 1
    while place > 0 and (unicodedata.category(text[place])[0] == "M" or "\u1160" <= text[place] <= "\u11ff"):
        place -= 1
    return place


class EncodedText(NamedTuple):
    """A text as ids: the training part, then the validation part."""

    form: TextForm
    vocabulary: Vocabulary
    ids: np.ndarray  # uint (N,), the smallest type for the vocabulary; mapped from a temporary file
    split: int  # index of the first symbol of the validation part
    train_characters: int
    validation_characters: int
    unknown: int  # symbols of the validation part that are not in the vocabulary
    excerpt: str  # the beginning of the validation part


def read_blocks(
    file: BinaryIO, form: TextForm, *, name: str, encoding: str = "utf-8", block_bytes: int = BLOCK_BYTES
) -> Iterator[str]:
    """Yields the text in normalised blocks, none of which ends inside a symbol.

    Args:
        file: a binary file, at its beginning.
        form: how text is split into symbols.
        name: of the file, for messages.
        encoding: of the file.
        block_bytes: bytes to read at once; does not change a symbol.

    Raises:
        DataError: the file is not text in this encoding.

    """
    decoder = codecs.getincrementaldecoder(encoding)()
    held, line = "", 1
    while True:
        data = file.read(block_bytes)
        try:
            fresh = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            number = line + error.object[: error.start].count(b"\n")
            begin = error.object.rfind(b"\n", 0, error.start) + 1
            raise DataError(
                f"{name}:{number}: expected {encoding_name(encoding)} text, got byte "
                f"0x{error.object[error.start]:02x}; {way_out(error.object[begin:])}"
            ) from None
        line += fresh.count("\n")
        text = held + fresh
        cut = form.boundary(text) if data else len(text)
        if cut <= 0:
            cut = before_last_letter(text) if len(text) > LONGEST_SYMBOL else 0
        held = text[cut:]
        if cut:
            yield form.normalise(text[:cut])
        if not data:
            return


def divide(blocks: Iterator[str], place: int, form: TextForm) -> Iterator[tuple[bool, str]]:
    """Yields (is validation, text); the block with character `place` is cut there, or at a boundary before it."""
    for block in blocks:
        if 0 < place < len(block):
            boundary = form.boundary(block[:place]) if form.joint else -1
            cut = place if boundary < 0 else boundary
            yield False, block[:cut]
            yield True, block[cut:]
        else:
            yield place <= 0, block
        place -= len(block)


def make_encoder(vocabulary: Vocabulary, form: TextForm, kind: np.dtype) -> Callable[[str], np.ndarray]:
    """Returns a function from normalised text to its ids (N,) of dtype `kind`; unknown symbols become UNK.

    A table of code points finds the ids of characters ten times faster than a dictionary.
    """
    if form.joint:
        return lambda text: np.array(vocabulary.encode(form.line(text), oov="unk"), kind)
    # the last entry serves all higher code points
    table = np.full(max(map(ord, vocabulary.symbols), default=0) + 2, UNK, kind)
    table[list(map(ord, vocabulary.symbols))] = np.arange(SPECIAL_COUNT, len(vocabulary))

    def encode(text: str) -> np.ndarray:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        return table[np.minimum(codes, len(table) - 1)]

    return encode


def encode_text(path: Path, config: DataConfig, folder: Path, *, block_bytes: int = BLOCK_BYTES) -> EncodedText:
    """Reads a text three times in blocks: for its length, its vocabulary and its ids.

    Args:
        path: a text file.
        config: the encoding, the form of symbols, and the size of the vocabulary.
        folder: for the temporary file of the ids, which disappears when the process ends.
        block_bytes: bytes to read at once; does not change the result.

    Raises:
        DataError: the file is empty, too short, or not text in the encoding.

    """
    form = TextForm.of(config)
    with path.open("rb") as file, tempfile.TemporaryFile(dir=folder) as store:
        check_text_format(file.read(8192), path, encoding=config.encoding)

        def parts(place: int) -> Iterator[tuple[bool, str]]:
            file.seek(0)
            blocks = read_blocks(file, form, name=str(path), encoding=config.encoding, block_bytes=block_bytes)
            return divide(blocks, place, form)

        total = sum(len(text) for _, text in parts(0))
        place = int(TRAIN_SHARE * total)
        vocabulary = Vocabulary.build(
            (form.line(text) for held_out, text in parts(place) if not held_out),
            separator=form.joint,
            limit=config.vocabulary_limit,
        )
        kind = np.min_scalar_type(len(vocabulary) - 1)
        encode = make_encoder(vocabulary, form, kind)
        split = train_characters = unknown = count = 0
        excerpt = ""
        for held_out, text in parts(place):
            ids = encode(text)
            store.write(ids.tobytes())
            count += len(ids)
            if held_out:
                unknown += int((ids == UNK).sum())
                excerpt += text[: EXCERPT_CHARACTERS - len(excerpt)]
            else:
                split += len(ids)
                train_characters += len(text)
        if count < FEWEST_SYMBOLS or split < 2 or split == count:
            raise DataError(
                f"{path}: expected a text of at least {FEWEST_SYMBOLS} symbols, got {count}; "
                "the first 90 % train the model, the last 10 % validate it"
            )
        store.flush()
        mapped = np.memmap(store, kind, "r", shape=(count,))  # keeps the file open
    characters = train_characters, total - train_characters
    return EncodedText(form, vocabulary, mapped, split, *characters, unknown, excerpt)

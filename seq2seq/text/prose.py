"""Reads a text for a language model: a file of any size in, ids in a mapped temporary file out."""

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
LONGEST_SYMBOL = 1 << 20  # characters without a space or line end, after which text is cut where it falls
FEWEST_SYMBOLS = 20
TRAIN_SHARE = 0.9
EXCERPT_CHARACTERS = 10_000  # of the validation part, kept with the model
WORD_JOINT = "\0"  # stands between words in what the vocabulary reads; no text holds it
# runs of word characters, apostrophes inside them included; everything else, and each CJK character, alone
_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[^\W{_CJK}]+(?:['’][^\W{_CJK}]+)*|.", re.DOTALL)


@dataclass(frozen=True)
class TextForm:
    """How a text is cut into symbols and put together again.

    Args:
        unit: "char" or "word".
        separator: what delimits symbols; empty: the unit decides.
        lowercase: whether text is lower-cased.

    """

    unit: str = "char"
    separator: str = ""
    lowercase: bool = False

    @classmethod
    def of(cls, config: DataConfig) -> "TextForm":
        """Takes the form from the options.

        Raises:
            OptionError: words and a separator are both asked for.

        """
        if config.unit == "word" and config.target_sep:
            raise OptionError(
                f"--unit word and --target-sep {config.target_sep!r} exclude each other: a separator already says "
                "what a symbol is; leave one of them out"
            )
        return cls(config.unit, config.target_sep, config.lowercase)

    @property
    def joint(self) -> str:
        """The separator of the vocabulary: what stands between symbols in `line`."""
        return WORD_JOINT if self.unit == "word" else self.separator

    def normalise(self, text: str) -> str:
        """Brings text to NFC with LF line ends and without byte order marks; all else stays as it is."""
        text = text.replace("\r\n", "\n")
        if self.lowercase:
            text = text.lower()
        return text if text.isascii() else unicodedata.normalize("NFC", text.replace("\ufeff", ""))

    def tokens(self, text: str) -> list[str]:
        """Cuts normalised text into symbols; of words and characters nothing is lost."""
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
        """Writes normalised text as the vocabulary reads it."""
        return self.joint.join(self.tokens(text)) if self.joint else text

    def piece(self, symbol: str, before: str) -> str:
        """Returns what a symbol adds to a text whose last symbol is `before`, empty at the text's beginning."""
        apart = self.separator and before and "\n" not in (symbol, before)
        return self.separator + symbol if apart else symbol

    def text(self, symbols: Sequence[str]) -> str:
        """Puts symbols together."""
        return "".join(self.piece(symbol, before) for before, symbol in zip(["", *symbols], symbols, strict=False))

    def boundary(self, text: str) -> int:
        """Finds the last place before a space, separator or line end, where a cut changes no symbol; -1 for none."""
        place = max(text.rfind(mark) for mark in {"\n", self.separator or " "})
        while place > 0 and text[place - 1] == "\r":
            place -= 1
        return place


def before_last_letter(text: str) -> int:
    """Finds the last place before a character that joins with none before it: no mark, no Hangul vowel or final."""
    place = len(text) - 1
    while place > 0 and (unicodedata.category(text[place])[0] == "M" or "\u1160" <= text[place] <= "\u11ff"):
        place -= 1
    return place


class EncodedText(NamedTuple):
    """A text as ids, the training part first."""

    form: TextForm
    vocabulary: Vocabulary
    ids: np.ndarray  # uint (N,), the smallest type that holds the vocabulary; mapped from a temporary file
    split: int  # where the validation part begins, in symbols
    train_characters: int
    validation_characters: int
    unknown: int  # symbols of the validation part that the vocabulary lacks
    excerpt: str  # the beginning of the validation part


def read_blocks(
    file: BinaryIO, form: TextForm, *, name: str, encoding: str = "utf-8", block_bytes: int = BLOCK_BYTES
) -> Iterator[str]:
    """Yields the whole text in normalised blocks that end between symbols.

    Args:
        file: binary, at its beginning.
        form: what a symbol is.
        name: of the file, for messages.
        encoding: of the file.
        block_bytes: how much is read at once; it changes no symbol.

    Raises:
        DataError: the file is not text of this encoding.

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
    """Yields (is validation, text), cutting the block that holds character `place` at a boundary before it."""
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
    """Returns what turns normalised text into ids (N,) of type `kind`, UNK for what the vocabulary lacks.

    Characters are looked up in a table of code points, ten times faster than in a dictionary.
    """
    if form.joint:
        return lambda text: np.array(vocabulary.encode(form.line(text), oov="unk"), kind)
    # its last entry stands for all that lie beyond
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
        config: its encoding, what a symbol is, and how many.
        folder: receives the temporary file of the ids, which goes when the process ends.
        block_bytes: how much is read at once; it changes no result.

    Raises:
        DataError: the file is empty, too short or not text of the encoding.

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
        mapped = np.memmap(store, kind, "r", shape=(count,))  # has a handle of its own on the file
    characters = train_characters, total - train_characters
    return EncodedText(form, vocabulary, mapped, split, *characters, unknown, excerpt)

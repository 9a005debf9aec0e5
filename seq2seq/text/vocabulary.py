"""Converts lines to token ids and back; symbols are characters, their parts, or separated strings; tags come first."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from seq2seq.errors import BundleError, DataError, OptionError, brief
from seq2seq.fields import is_text
from seq2seq.special import END, PAD, SPECIAL_COUNT, START, UNK
from seq2seq.text.readings import Reading, Replacement, located_parts
from seq2seq.text.unicode_forms import code_points, composed, decomposed, joins, similar_forms

FORMAT = 1
OOV_MODES = ("map", "unk", "error")
SPECIAL_NAMES = {PAD: "<PAD>", UNK: "<UNK>", START: "<START>", END: "<END>"}


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of one side in the order of their ids, which begin at SPECIAL_COUNT.

    Args:
        symbols: distinct characters, separated symbols, or tags such as `<PST>`; none is empty.
        separator: what separates two symbols of a line; empty: each character is a symbol.
        features_sep: what separates two tags; empty: a line has no tags, and a tab is a character.
        decompose: whether symbols are the parts of characters after canonical decomposition (NFD): a Hangul syllable
            has two or three, é has two. `decode` composes them again. Separated symbols and tags are never cut.

    Raises:
        DataError: a symbol is empty, repeated, or not a string.

    """

    symbols: Sequence[str] = field(repr=False)
    separator: str = ""
    features_sep: str = ""
    decompose: bool = False
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)
    _shown: tuple[str, ...] = field(init=False, repr=False, compare=False)  # by id

    def __post_init__(self) -> None:
        problem = _problem(self.symbols)
        if problem:
            raise DataError(problem)
        object.__setattr__(self, "symbols", tuple(self.symbols))
        names = tuple(SPECIAL_NAMES[token] for token in range(SPECIAL_COUNT))
        object.__setattr__(self, "_shown", names + tuple(self.symbols))
        object.__setattr__(self, "_ids", {symbol: SPECIAL_COUNT + i for i, symbol in enumerate(self.symbols)})

    @classmethod
    def build(
        cls,
        lines: Iterable[str],
        *,
        separator: str = "",
        features_sep: str = "",
        decompose: bool = False,
        limit: int | None = None,
    ) -> "Vocabulary":
        """Collects the symbols of lines, the most frequent first; code points decide between equal counts.

        Args:
            lines: normalised lines.
            separator, features_sep, decompose: as for the class.
            limit: how many symbols to keep, special ones not counted.

        Raises:
            OptionError: the limit is below 1.

        """
        if limit is not None and limit < 1:
            raise OptionError(f"expected a vocabulary limit of at least 1, got {limit!r}; leave it out for no limit")
        empty = cls((), separator, features_sep, decompose)
        counts: Counter[str] = Counter()
        for line in lines:
            counts.update(empty.segment(line) if separator or features_sep or decompose else line)
        ordered = sorted(counts, key=lambda symbol: (-counts[symbol], symbol))
        return cls(ordered[:limit], separator, features_sep, decompose)

    def __len__(self) -> int:
        """Counts the ids, the special ones included."""
        return SPECIAL_COUNT + len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        """Returns whether the symbol has an id."""
        return symbol in self._ids

    def segment(self, line: str) -> list[str]:
        """Splits a line into symbols: first the tags, each as `<TAG>`, then those of the text."""
        tags, symbols = self._split(line)
        return tags + symbols

    def _split(self, line: str) -> tuple[list[str], list[str]]:
        if not self.features_sep or "\t" not in line:
            return [], self._segment_text(line)
        text, _, tags = line.partition("\t")
        named = (tag.strip() for tag in tags.split(self.features_sep))
        return [f"<{tag}>" for tag in named if tag], self._segment_text(text)

    def encode(self, line: str, *, oov: str = "map", where: str = "") -> list[int]:
        """Returns the ids of a line's symbols, without START and END; the arguments and errors are those of `read`."""
        found = self.read(line, oov=oov, where=where)
        return found.tags + found.ids

    def read(self, line: str, *, oov: str = "map", where: str = "") -> Reading:
        """Splits a line into symbols and finds their ids.

        Args:
            line: normalised text, with features `text<TAB>tags`.
            oov: what an unknown symbol becomes. "map": the first known one of its compatibility form, its other case
                and its base letter, else UNK; "unk": UNK; "error": an error. The form of a tag or separated symbol
                must itself be a known symbol; it is not split into characters.
            where: the place of the line for a message, such as "line 17".

        Raises:
            DataError: `oov` is "error" and a symbol is unknown.
            OptionError: `oov` is none of these.

        """
        if oov not in OOV_MODES:
            raise OptionError(f"expected --oov {', '.join(OOV_MODES[:-1])} or {OOV_MODES[-1]}, got {oov!r}")
        ids = self._ids
        tags, symbols = self._split(line)
        try:
            return Reading([ids[tag] for tag in tags], [ids[symbol] for symbol in symbols], symbols)
        except KeyError:
            pass
        if oov == "error":
            raise DataError(self._unknown_message(line, where))
        tag_ids = [id_ for tag in tags for id_, _ in self._replaced(tag, oov)]
        read = [replaced for symbol in symbols for replaced in self._replaced(symbol, oov)]
        return Reading(tag_ids, [id_ for id_, _ in read], [symbol for _, symbol in read])

    def _replaced(self, symbol: str, oov: str) -> list[tuple[int, str]]:
        """Returns the ids that a symbol becomes; each with what a copy of it is."""
        if symbol in self._ids:
            return [(self._ids[symbol], symbol)]
        mapped = self._map(symbol) if oov == "map" else None
        if mapped is None:
            return [(UNK, symbol)]
        if len(mapped) == 1:
            return [(self._ids[mapped[0]], symbol)]
        return [(self._ids[known], known) for known in mapped]

    def ids_of(self, symbols: Iterable[str]) -> list[int]:
        """Returns the id of each symbol, UNK for an unknown one."""
        return [self._ids.get(symbol, UNK) for symbol in symbols]

    def replacements(self, line: str) -> list[Replacement]:
        """Lists the unknown symbols of a line by column, and what "map" makes of each."""
        found: list[Replacement] = []
        if self._ids.keys() >= set(self.segment(line)):
            return found
        for column, symbol in self._located(line):
            parts = self._parts(symbol)
            if not self._ids.keys() >= set(parts):
                read = [[part] if part in self._ids else self._map(part) for part in parts]
                known = [part for mapped in read if mapped is not None for part in mapped]
                shown = None if None in read else self.join(known)
                found.append(Replacement(column, symbol, code_points(symbol), shown))
        return found

    def decode(self, ids: Iterable[int]) -> str:
        """Joins the symbols of ids with the separator, or composes the parts of characters; skips special ids.

        Raises:
            DataError: an id is not in the vocabulary.

        """
        return self.join(self.symbols_of(token for token in ids if token >= SPECIAL_COUNT or token < 0))

    def joining(self, text: str) -> list[int]:
        """Returns the ids of symbols that change the last character of a text: accents, and parts of syllables."""
        if not text or not self.decompose or self.separator:
            return []
        return [token for symbol, token in self._ids.items() if joins(text, symbol)]

    def symbols_of(self, ids: Iterable[int]) -> list[str]:
        """Returns the symbol of each id, as `symbol` does."""
        shown = self._shown
        ids = list(ids)
        if ids and (min(ids) < 0 or max(ids) >= len(shown)):
            return [self.symbol(token) for token in ids]  # raises for the id that is wrong
        return [shown[token] for token in ids]

    def symbol(self, token_id: int) -> str:
        """Returns the symbol of an id; for a special id its name, such as `<END>`.

        Raises:
            DataError: the id is not in the vocabulary.

        """
        if not 0 <= token_id < len(self):
            raise DataError(
                f"expected a token id from 0 to {len(self) - 1}, got {token_id!r}; use the model's own vocabulary"
            )
        return self._shown[token_id]

    def to_json(self) -> dict[str, Any]:
        """Returns the vocabulary as JSON types, for `from_json`."""
        return {
            "format": FORMAT,
            "separator": self.separator,
            "features_sep": self.features_sep,
            **({"decompose": True} if self.decompose else {}),  # a file without the key is of an earlier version
            "symbols": list(self.symbols),
        }

    @classmethod
    def from_json(cls, data: Any, *, where: str) -> "Vocabulary":
        """Reads a vocabulary that `to_json` wrote, with the same ids.

        Args:
            data: the result of `to_json`.
            where: the file, for a message.

        Raises:
            BundleError: the keys, types or symbols are not those of a vocabulary.

        """
        expected = {"format", "separator", "features_sep", "symbols"}
        if not isinstance(data, dict) or set(data) - {"decompose"} != expected:
            shown = sorted(map(str, data)) if isinstance(data, dict) else data
            raise BundleError(f"{where}: expected a vocabulary with the keys {sorted(expected)}, got {brief(shown)}")
        if data["format"] != FORMAT:
            raise BundleError(
                f"{where}: expected vocabulary format {FORMAT}, got {brief(data['format'])}; "
                "use the version that wrote it"
            )
        for key, kind, name in (
            ("separator", str, "string"),
            ("features_sep", str, "string"),
            ("symbols", list, "list"),
            ("decompose", bool, "truth value"),
        ):
            if not isinstance(data.get(key, False), kind):
                raise BundleError(f"{where}: expected {key} to be a {name}, got {brief(data[key])}")
        problem = _problem(data["symbols"])
        if not problem and not is_text("".join([data["separator"], data["features_sep"], *data["symbols"]])):
            problem = "expected UTF-8 text, got half of a surrogate pair"
        if problem:
            raise BundleError(f"{where}: {problem}; the file was changed by hand or is damaged")
        return cls(data["symbols"], data["separator"], data["features_sep"], data.get("decompose", False))

    def _segment_text(self, text: str) -> list[str]:
        if self.separator:
            return [symbol for symbol in text.split(self.separator) if symbol]
        return list(decomposed(text)) if self.decompose else list(text)

    def _parts(self, symbol: str) -> list[str]:
        """Returns the symbols of the model for a character, separated symbol or tag of a line."""
        cut = self.decompose and not self.separator and len(symbol) == 1
        return list(decomposed(symbol)) if cut else [symbol]

    def join(self, symbols: Iterable[str]) -> str:
        """Makes a text of symbols: with the separator between them, or composed of the parts of characters."""
        text = self.separator.join(symbols)
        return composed(text) if self.decompose and not self.separator else text

    def _located(self, line: str) -> Iterator[tuple[int, str]]:
        """Yields each symbol, in the order of the line, with its 1-based column."""
        text, tags = line, ""
        if self.features_sep:
            text, _, tags = line.partition("\t")
        yield from located_parts(text, self.separator, 1)
        for column, tag in located_parts(tags, self.features_sep, len(text) + 2):
            if tag.strip():
                yield column + len(tag) - len(tag.lstrip()), f"<{tag.strip()}>"

    def _map(self, symbol: str) -> list[str] | None:
        """Finds the known symbols that replace an unknown one; [] removes a lone mark, None stands for UNK."""
        atomic = self.separator or len(symbol) > 1  # without a separator, only a tag is longer than a character
        for form in similar_forms(symbol):
            known = [form] if atomic or form in self._ids else self._segment_text(form)
            if form and all(part in self._ids for part in known):
                return known
        return [] if unicodedata.category(symbol[0]) == "Mn" and len(symbol) == 1 else None

    def _unknown_message(self, line: str, where: str) -> str:
        unknown = ((c, s) for c, s in self._located(line) if not self._ids.keys() >= set(self._parts(s)))
        column, symbol = next(unknown)
        what = "character" if len(symbol) == 1 else "symbol"
        place = f"{where}, column {column}" if where else f"column {column}"
        return (
            f"{place}: expected a {what} that the model has seen, got {symbol!r} ({code_points(symbol)}); "
            "change it, or use --oov map or --oov unk"
        )


def _problem(symbols: Sequence[Any]) -> str | None:
    seen: dict[str, int] = {}
    for position, symbol in enumerate(symbols):
        if not isinstance(symbol, str) or not symbol:
            return f"expected symbols that are strings, none empty, got {brief(symbol)} at position {position}"
        if symbol in seen:
            return f"expected distinct symbols, got {brief(symbol)} at positions {seen[symbol]} and {position}"
        seen[symbol] = position
    return None

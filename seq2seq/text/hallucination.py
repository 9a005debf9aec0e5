"""Makes more training pairs for inflection: copies of pairs whose stem, which both sides share, is a random one."""

import difflib
import random
import unicodedata
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from seq2seq.config import DataConfig
from seq2seq.errors import OptionError
from seq2seq.text.pairs import Pair

SHORTEST_RUN = 3  # copied symbols in a row that count as a part of the stem
LONG_RUN = 5  # symbols; a longer run keeps its first and last one, which may belong to an affix
TRIES = 20  # for each pair that is asked for; a draw may repeat a pair

Aligner = Callable[[Sequence[str], Sequence[str]], list[tuple[int, int]]]
"""Takes the symbols of source and target; returns the places (i, j) of symbols that were copied, in order."""


class Stem(NamedTuple):
    """A pair as symbols, with the places of the symbols that both sides share."""

    source: list[str]
    target: list[str]
    tags: str  # with the tab before them; empty: none
    places: list[tuple[int, int]]  # (i, j): source[i] was copied to target[j], and both may be replaced


def longest_blocks(source: Sequence[str], target: Sequence[str]) -> list[tuple[int, int]]:
    """Aligns two sides by their longest common blocks, and returns the places of the symbols in them."""
    blocks = difflib.SequenceMatcher(None, source, target, autojunk=False).get_matching_blocks()
    return [(block.a + step, block.b + step) for block in blocks for step in range(block.size)]


def hallucinate(
    pairs: Sequence[Pair],
    count: int,
    *,
    config: DataConfig,
    seed: int,
    avoid: Collection[str] = (),
    align: Aligner = longest_blocks,
) -> list[Pair]:
    """Returns new pairs: in each, about half of the stem's symbols are random, the same on both sides.

    Tags and affixes stay as they are. The random symbols are those that occur on both sides of the pairs.

    Args:
        pairs: the training part.
        count: how many pairs to make; fewer if the pairs do not allow as many different ones.
        config: how the pairs were read.
        seed: the same pairs and seed give the same new pairs.
        avoid: sources that a new pair must not have, such as those that are held out.
        align: finds the symbols that were copied.

    Raises:
        OptionError: the sides have different separators, or no pair has SHORTEST_RUN copied symbols in a row.

    Source: Anastasopoulos and Neubig 2019, arXiv:1908.05838, section 3.

    """
    if config.source_sep != config.target_sep:
        raise OptionError(
            f"--hallucinate {count}: expected the same separator of source and target symbols, "
            f"got {config.source_sep!r} and {config.target_sep!r}; leave --hallucinate out"
        )
    stems = [stem for pair in pairs if (stem := find_stem(pair, config, align)).places]
    if not stems:
        raise OptionError(
            f"--hallucinate {count}: expected pairs that share {SHORTEST_RUN} symbols in a row, as a word and its "
            "inflected form do, got none; leave --hallucinate out"
        )
    sides = [{symbol for stem in stems for symbol in getattr(stem, side)} for side in ("source", "target")]
    alphabet = sorted(symbol for symbol in sides[0] & sides[1] if not symbol.isspace())
    generator = random.Random(seed)
    held_out, seen = set(avoid), set(pairs)
    made: list[Pair] = []
    for _ in range(TRIES * count):
        pair = varied(generator.choice(stems), alphabet, generator, config.source_sep)
        if pair in seen or pair.source in held_out or not is_composed(pair):
            continue
        seen.add(pair)
        made.append(pair)
        if len(made) == count:
            break
    return made


def find_stem(pair: Pair, config: DataConfig, align: Aligner) -> Stem:
    """Splits a pair into symbols and finds those that may be replaced."""
    text, tab, tags = pair.source.partition("\t") if config.features_col else (pair.source, "", "")
    source, target = symbols_of(text, config.source_sep), symbols_of(pair.target, config.target_sep)
    copied = [(i, j) for i, j in align(source, target) if not source[i].isspace()]
    runs: list[list[tuple[int, int]]] = []
    for i, j in copied:
        if runs and runs[-1][-1] == (i - 1, j - 1):
            runs[-1].append((i, j))
        else:
            runs.append([(i, j)])
    kept = (run[1:-1] if len(run) > LONG_RUN else run for run in runs if len(run) >= SHORTEST_RUN)
    return Stem(source, target, tab + tags, [place for run in kept for place in run])


def varied(stem: Stem, alphabet: Sequence[str], generator: random.Random, separator: str) -> Pair:
    """Replaces each symbol of a stem with probability 1/2."""
    source, target = list(stem.source), list(stem.target)
    for i, j in stem.places:
        if generator.random() < 0.5:
            source[i] = target[j] = generator.choice(alphabet)
    return Pair(separator.join(source) + stem.tags, separator.join(target))


def symbols_of(text: str, separator: str) -> list[str]:
    """Splits a text into separated symbols, or into characters if there is no separator."""
    return [symbol for symbol in text.split(separator) if symbol] if separator else list(text)


def is_composed(pair: Pair) -> bool:
    """Returns whether both sides are in NFC; a letter before a lone accent would become another symbol."""
    return all(unicodedata.is_normalized("NFC", side) for side in pair)

"""Reads CMUdict, and splits its words into a training part and held-out ones: for the model eng-g2p and its benchmark."""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

HELD_OUT = 2000  # words of the test part, and of the dev part
SEED = 1  # of the split that the model is trained with, and the benchmark's default
PLAIN_WORD = re.compile(r"[a-z']*[a-z][a-z']*")
Lexicon = dict[str, list[str]]  # word to its distinct pronunciations, phonemes separated by spaces


def lexicon(entries: Iterable[tuple[str, Sequence[str]]]) -> Lexicon:
    """Collects the pronunciations of each word of letters and apostrophes; leaves all other words out."""
    found: dict[str, dict[str, None]] = {}
    for word, phonemes in entries:
        if PLAIN_WORD.fullmatch(word):
            found.setdefault(word, {})[" ".join(phonemes)] = None
    return {word: list(several) for word, several in found.items()}


def split(words: Iterable[str], seed: int) -> dict[str, list[str]]:
    """Splits words at random into test, dev and train."""
    shuffled = sorted(words)
    random.Random(seed).shuffle(shuffled)
    return {"test": shuffled[:HELD_OUT], "dev": shuffled[HELD_OUT : 2 * HELD_OUT], "train": shuffled[2 * HELD_OUT :]}


def write_data(folder: Path, known: Lexicon, parts: Mapping[str, list[str]]) -> None:
    """Writes a data set as `--data` takes it, one line for each pronunciation."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, words in parts.items():
        lines = [f"{word}\t{phonemes}\n" for word in words for phonemes in known[word]]
        (folder / f"{part}.tsv").write_text("".join(lines), encoding="utf-8")

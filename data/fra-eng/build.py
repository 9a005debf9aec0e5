"""Build or check the starter corpus of English-French sentence pairs.

In: the tables beside this file (``templates.txt``, the lexicon, the hand-written ``sentences.tsv``).
Out: ``fra-eng.tsv``, one ``English<TAB>French`` pair per line, sorted; ``--check`` compares it with a fresh
build and asserts the requirements; ``--sample 250 --seed 1`` prints random lines for proofreading.

All sentences were written for this project and are released under CC0 1.0.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections import Counter
from pathlib import Path

import templates
from lexicon import Lexicon

HERE = Path(__file__).parent
OUTPUT = HERE / "fra-eng.tsv"
HAND = HERE / "sentences.tsv"
SEED = 20240501
LIMIT = 19
WORD = re.compile(r"[a-z']+")
HAND_TAG = "hand-written"
MINIMUM_SOURCES, MINIMUM_WORDS, MINIMUM_HAND, MINIMUM_TEMPLATES = 6500, 1700, 600, 120
MAXIMUM_ROWS, MAXIMUM_REFERENCES, MAXIMUM_SHARE = 16000, 8, 0.02
VOWEL = "[aàâeéèêëiîoôuœ]"
FAULTS = re.compile(
    rf"(?<![\w'-])(?:je|me|te|se|ne|que|de|jusque|le|la|ce) {VOWEL}|\b(?:à|de) les?\b|\bsi ils?\b|\bce est\b"
    rf"|\b(?:ma|ta|sa) {VOWEL}|\bcet [^haàâeéèêëiîoôuœ]|  |’| [.,]|[^ ][?!:;]|[<>{{}}\[\]+|_]",
    re.IGNORECASE,
)
ALLOWED = re.compile(r"\b(?:le|que|de) onze\b", re.IGNORECASE)

Row = tuple[str, str, str]


def hand_written() -> list[tuple[str, str]]:
    """Hand-written pairs."""
    lines = HAND.read_text(encoding="utf-8").splitlines()
    return [(pair[0], pair[1]) for pair in (line.split("\t") for line in lines if line)]


def build() -> list[Row]:
    """All rows as (English, French, template name), in file order."""
    pairs = hand_written()
    rows: list[Row] = [(en, fr, HAND_TAG) for en, fr in pairs]
    seen = {en.lower() for en, _ in pairs}
    generator = templates.Generator(Lexicon(), SEED)
    for template in templates.load(LIMIT):
        for source, references in generator.sentences(template, seen):
            rows += [(source, reference, template.name) for reference in references]
    return sorted(rows, key=lambda row: (len(row[0]), row[0], row[1]))


def text_of(rows: list[Row]) -> str:
    """Content of the output file."""
    return "".join(f"{en}\t{fr}\n" for en, fr, _ in rows)


def statistics(rows: list[Row]) -> dict[str, float]:
    """Counts that the requirements bear on."""
    sources = {en.lower() for en, _, _ in rows}
    shares = Counter(tag for _, _, tag in rows if tag != HAND_TAG)
    return {
        "rows": len(rows),
        "sources": len(sources),
        "word forms": len({word for source in sources for word in WORD.findall(source)}),
        "templates": len(shares),
        "largest template share": round(max(shares.values()) / len(rows), 4),
        "hand-written pairs": sum(tag == HAND_TAG for _, _, tag in rows),
        "most references": max(Counter(en.lower() for en, _, _ in rows).values()),
    }


def check_row(en: str, fr: str) -> None:
    """Assert that one pair is well formed."""
    count = len(WORD.findall(en.lower()))
    assert 2 <= count <= 12 and 2 <= len(en.split()) <= 12, f"length: {en}"
    assert en[-1] in ".?!" and en[-1] == fr[-1], f"final mark: {en} / {fr}"
    assert en[0].isupper() and fr[0].isupper(), f"capital: {en} / {fr}"
    assert en.isascii() and "  " not in en, f"English spelling: {en}"
    assert fr[-1] == "." or fr[-2] == " ", f"French spacing: {fr}"
    fault = FAULTS.search(ALLOWED.sub("onze", fr))
    assert not fault, f"French spelling ({fault.group(0)}): {fr}"


def check(rows: list[Row]) -> dict[str, float]:
    """Assert every requirement and return the statistics."""
    found = statistics(rows)
    assert len({(en, fr) for en, fr, _ in rows}) == len(rows), "duplicated row"
    for en, fr, _ in rows:
        check_row(en, fr)
    assert found["sources"] >= MINIMUM_SOURCES, found
    assert found["word forms"] >= MINIMUM_WORDS, found
    assert found["templates"] >= MINIMUM_TEMPLATES, found
    assert found["hand-written pairs"] >= MINIMUM_HAND, found
    assert found["rows"] <= MAXIMUM_ROWS, found
    assert found["most references"] <= MAXIMUM_REFERENCES, found
    assert found["largest template share"] <= MAXIMUM_SHARE, found
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="verify the file on disk and the requirements")
    parser.add_argument("--sample", type=int, default=0, help="print this many random rows with their templates")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    arguments = parser.parse_args()
    rows = build()
    if arguments.sample:
        for row in random.Random(arguments.seed).sample(rows, arguments.sample):
            print("\t".join(row))
        return
    if arguments.check:
        found = check(rows)
        if OUTPUT.read_bytes() != text_of(rows).encode():
            sys.exit(f"{OUTPUT} differs from a fresh build")
    else:
        OUTPUT.write_bytes(text_of(rows).encode())
        found = statistics(rows)
    print("; ".join(f"{name}: {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()

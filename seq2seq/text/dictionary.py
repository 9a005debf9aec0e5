"""A dictionary of training pairs, which `decode --dictionary` uses; its file has source<TAB>target lines."""

from collections import Counter
from collections.abc import Iterable

from seq2seq.text.pairs import Pair

LARGEST_BYTES = 8 << 20  # a larger one is not stored with the model


def dictionary_of(pairs: Iterable[Pair]) -> dict[str, str]:
    """Maps each source (with its tags) to its most frequent target; the first one decides between equal counts."""
    counts: dict[str, Counter[str]] = {}
    for source, target in pairs:
        counts.setdefault(source, Counter())[target] += 1
    return {source: targets.most_common(1)[0][0] for source, targets in counts.items()}


def dictionary_text(pairs: Iterable[Pair]) -> str:
    """Returns the dictionary of pairs as a file holds it; empty if it is larger than LARGEST_BYTES."""
    text = "".join(f"{source}\t{target}\n" for source, target in dictionary_of(pairs).items())
    return text if len(text.encode()) <= LARGEST_BYTES else ""


def read_dictionary(text: str) -> dict[str, str]:
    """Reads what `dictionary_text` wrote; a source with tags has a tab too, so the last one counts."""
    rows = (line.rpartition("\t") for line in text.split("\n") if line)
    return {source: target for source, _, target in rows}

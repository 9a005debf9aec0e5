"""The two sides of `cmudict.py`: words in, pronunciations of phonemes with spaces out, and the time that this took."""

import sys
import time
import types
from pathlib import Path
from typing import Any

SINGLE_WORDS = 500  # read one at a time in a turn


class Speaker:
    """A side: reads words, one at a time and all together."""

    def __init__(self, *, words: str, **options: Any) -> None:
        self.words = Path(words).read_text(encoding="utf-8").split("\n")
        self.prepare(**options)
        self.together(self.words[:50])  # whatever is made at first use is not timed

    def prepare(self, **options: Any) -> None:
        raise NotImplementedError

    def one(self, word: str) -> str:
        raise NotImplementedError

    def together(self, words: list[str]) -> list[str]:
        return [self.one(word) for word in words]

    def ready(self) -> dict[str, Any]:
        return {}

    def go(self) -> dict[str, Any]:
        """Words a second, one at a time and in one call."""
        singles = self.words[:SINGLE_WORDS]
        began = time.perf_counter()
        for word in singles:
            self.one(word)
        between = time.perf_counter()
        self.together(self.words)
        ended = time.perf_counter()
        return {"one": len(singles) / (between - began), "together": len(self.words) / (ended - between)}

    def end(self) -> dict[str, Any]:
        return {"outputs": self.together(self.words)}


class Ours(Speaker):
    def prepare(self, *, model: str) -> None:
        import seq2seq

        self.model = seq2seq.load(model)

    def one(self, word: str) -> str:
        return self.together([word])[0]

    def together(self, words: list[str]) -> list[str]:
        return self.model.translate(words)


class G2pEn(Speaker):
    """The network of g2p_en, which its package uses for words that its dictionary lacks."""

    def prepare(self) -> None:
        stand_in_for_nltk()
        from g2p_en.g2p import G2p

        self.network = G2p()

    def one(self, word: str) -> str:
        return " ".join(self.network.predict(word))


def stand_in_for_nltk() -> None:
    """Lets g2p_en be imported without its tagger, tokeniser, numbers and dictionary, which the network does not use."""

    def nothing(*arguments: Any, **options: Any) -> dict[str, Any]:
        return {}

    parts = types.SimpleNamespace(find=nothing, tokenize=nothing, dict=nothing)
    stubs = {
        "nltk": {"pos_tag": nothing, "data": parts, "download": nothing},
        "nltk.corpus": {"cmudict": parts},
        "nltk.tokenize": {"TweetTokenizer": lambda: parts},
        "inflect": {"engine": nothing},
    }
    for name, content in stubs.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        sys.modules[name] = module

"""The public sets of `tables.py`: how each is read, and the published exact match of its test part, in per cent."""

from dataclasses import dataclass
from typing import NamedTuple

PHONEMES = ("--target-sep", " ")
TAGS = ("--features-col", "3")


class Figure(NamedTuple):
    """What a system reached, in per cent, and what it was."""

    value: float
    system: str = ""

    def __str__(self) -> str:
        return f"{self.value:.1f} ({self.system})" if self.system else f"{self.value:.1f}"


@dataclass(frozen=True)
class TableSet:
    """A folder of train.tsv, dev.tsv and test.tsv."""

    name: str
    task: str
    options: tuple[str, ...] = ()  # of `train`
    one: Figure | None = None  # the published single model
    best: Figure | None = None  # the best published system
    measures: tuple[str, ...] = ("exact",)  # keys of MEASURES; the published figures belong to the last one


MEASURES = {
    "exact": "",
    "no-case": "case ignored",
    "published": "case ignored, without rows of punctuation",
}

PRONUNCIATION, LOW_PRONUNCIATION = "pronunciation 2020", "pronunciation 2021, low"
LOW_INFLECTION, MEDIUM_INFLECTION = "inflection 2017, low", "inflection 2017, medium"
NORMALISATION = "normalisation, 10 000 tokens"


def pronunciation(language: str, lstm: float, best: float, system: str = "") -> TableSet:
    return TableSet(f"g2p2020-{language}", PRONUNCIATION, PHONEMES, Figure(lstm, "LSTM"), Figure(best, system))


def low_pronunciation(language: str, ensemble: float) -> TableSet:
    best = Figure(ensemble, "10 transducers")
    return TableSet(f"g2p2021low-{language}", LOW_PRONUNCIATION, PHONEMES, None, best)


def inflection(size: str, task: str) -> list[TableSet]:
    return [TableSet(f"infl2017{size}-{language}", task, TAGS) for language in ("spanish", "finnish", "georgian")]


SETS = {
    several.name: several
    for several in (
        pronunciation("bul", 68.9, 77.8, "IMS"),
        pronunciation("fre", 93.8, 94.9),
        pronunciation("hun", 94.7, 96.0),
        pronunciation("kor", 53.1, 76.0, "with jamo"),
        pronunciation("ady", 72.0, 75.3),
        low_pronunciation("ady", 78.0),
        low_pronunciation("ita", 81.0),
        *inflection("low", LOW_INFLECTION),
        *inflection("medium", MEDIUM_INFLECTION),
        TableSet(
            "norm-slovene",
            NORMALISATION,
            (),
            Figure(87.0, "LSTM"),
            Figure(89.6, "cSMTiser"),
            ("exact", "no-case", "published"),
        ),
    )
}

# published means over all languages of a task, for scale: they are not means over the languages above
ELSEWHERE = {
    PRONUNCIATION: "all 15 languages: LSTM 83.2, transformer 82.5, one transducer 83.7, best ensemble 86.2",
    LOW_PRONUNCIATION: "all 10 languages: ensemble of 10 transducers 74.9",
    LOW_INFLECTION: "all 52 languages: baseline of rules 37.9, best system 50.6 (from memory)",
    MEDIUM_INFLECTION: "all 52 languages: baseline of rules 64.7, best system 82.8 (from memory)",
}

"""Bilingual lexicon.

In: the tables ``nouns.txt``, ``adjectives.txt``, ``persons.txt``, ``phrases.txt`` and ``verb_phrases.txt``
(fields separated by `` | ``, ``#`` opens a comment).
Out: ``Lexicon``, which maps a class name (``food``, ``mood``, ``kin`` ...) to its entries.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import english
import french
from french import Agreement
from tables import rows


@dataclass(frozen=True)
class Noun:
    """A noun with its English and French forms; ``flags`` holds u (mass), p (plural only), t, n (proper name)."""

    en: str
    en_many: str
    fr: str
    fr_many: str
    gender: str
    flags: str

    @property
    def uncountable(self) -> bool:
        """Whether English and French use the singular after *some*."""
        return "u" in self.flags

    def french_many(self, many: bool) -> bool:
        """Grammatical number of the French noun when a plain or a plural form is asked for."""
        return "F" in self.flags or (many and not self.uncountable and "p" not in self.flags)

    def english_many(self, many: bool) -> bool:
        """Grammatical number of the English noun when a plain or a plural form is asked for."""
        return "p" in self.flags or (many and not self.uncountable)

    def agreement(self, many: bool) -> Agreement:
        """Agreement a French verb or adjective takes from the noun."""
        number = self.french_many(many)
        return Agreement(3, number, self.gender, number)


@dataclass(frozen=True)
class Adjective:
    """An adjective; ``before`` says that it precedes the French noun."""

    en: str
    fr: str
    before: bool


@dataclass(frozen=True)
class Phrase:
    """A fixed phrase in both languages."""

    en: str
    fr: str


@dataclass(frozen=True)
class VerbPhrase:
    """A verb and its complements in template notation; the first word of each side is the verb."""

    en: str
    fr: str


@dataclass(frozen=True)
class Reading:
    """One French reading of an English subject: its text (empty for a pronoun) and its agreement."""

    text: str
    agreement: Agreement


@dataclass(frozen=True)
class Person:
    """A subject: English text (a pronoun or a noun phrase), agreement and gender, and its French readings."""

    en: str
    number: int
    many: bool
    gender: str
    readings: tuple[Reading, ...]

    @property
    def is_pronoun(self) -> bool:
        """Whether the subject is a personal pronoun."""
        return not self.readings[0].text


def pronoun(en: str, number: int, many: bool, gender: str, *codes: str) -> Person:
    """Build a pronoun; each code is person, s/p (verb), gender and s/p (adjective), such as ``2pms``."""
    readings = tuple(Reading("", Agreement(int(c[0]), c[1] == "p", c[2], c[3] == "p")) for c in codes)
    return Person(en, number, many, gender, readings)


PRONOUNS = {
    "si": pronoun("I", 1, False, "", "1sms", "1sfs"),
    "sy": pronoun("you", 2, False, "", "2sms", "2pms", "2sfs", "2pmp"),
    "sh": pronoun("he", 3, False, "m", "3sms"),
    "se": pronoun("she", 3, False, "f", "3sfs"),
    "sw": pronoun("we", 1, True, "", "1pmp", "1pfp"),
    "sz": pronoun("they", 3, True, "", "3pmp", "3pfp"),
}


def make_noun(en: str, fr: str, gender: str, flags: str) -> Noun:
    """Build a noun; in ``flags``, ``en=`` and ``fr=`` give irregular plurals."""
    marks = [flag for flag in flags.split() if "=" not in flag]
    given = dict(flag.split("=") for flag in flags.split() if "=" in flag)
    letters = "".join(marks) + ("F" if gender.endswith("p") else "")
    en_many = en if "p" in letters else given.get("en", "").replace("_", " ") or english.plural(en)
    fr_many = fr if "F" in letters else given.get("fr", "").replace("_", " ") or french.plural(fr)
    return Noun(en, en_many, fr, fr_many, gender[0], letters)


def make_person(en: str, coded: str) -> Person:
    """Build a noun-phrase subject from ``mon frère:ms; ma sœur:fs``."""
    readings = []
    for part in coded.split(";"):
        text, _, code = part.strip().rpartition(":")
        readings.append(Reading(text, Agreement(3, code[1] == "p", code[0], code[1] == "p")))
    genders = {reading.agreement.gender for reading in readings}
    many = readings[0].agreement.plural
    return Person(en, 3, many, genders.pop() if len(genders) == 1 else "", tuple(readings))


class Lexicon:
    """Entries by class name."""

    def __init__(self) -> None:
        self.classes: dict[str, list[object]] = defaultdict(list)
        for tags, en, fr, gender, flags in rows("nouns.txt"):
            self._add(tags, make_noun(en, fr, gender, flags))
        for tags, en, fr, place in rows("adjectives.txt"):
            self._add(tags, Adjective(en, fr, place == "pre"))
        for tags, en, fr in rows("phrases.txt"):
            self._add(tags, Phrase(en, fr))
        for tags, en, coded in rows("persons.txt"):
            self._add(tags, make_person(en, coded))
        for tags, en, fr in rows("verb_phrases.txt"):
            general = "" if {"voops", "vbrief"} & set(tags.split()) else " vp"
            free = "" if ".my" in en or fr.startswith("se_") else "".join(f" {tag}f" for tag in tags.split())
            self._add(tags + general + free + (general and free and " vpf"), VerbPhrase(en, fr))
        self._add_subjects()

    def _add(self, tags: str, entry: object) -> None:
        """File an entry under each of its classes."""
        for tag in dict.fromkeys(tags.split()):
            self.classes[tag].append(entry)

    def _add_subjects(self) -> None:
        """Fill the subject classes from the pronouns, the relatives and the first names."""
        others = self.classes["kin"] + self.classes["first"]
        for name, entry in PRONOUNS.items():
            self.classes[name] = [entry]
        i, you, he, she, we, they = PRONOUNS.values()
        self.classes["sp"] = [i, i, you, he, she, we, they]
        self.classes["sa"] = self.classes["sp"] * 2 + others
        self.classes["adult"] += self.classes["first"]
        self.classes["so"] = [i, he, she, we, they]
        self.classes["st"] = [he, she, they]
        self.classes["sn"] = others
        self.classes["ss"] = [i, i, you, he, she]
        self.classes["sx"] = [entry for entry in others if not entry.many]

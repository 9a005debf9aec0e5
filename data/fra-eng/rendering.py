"""One side of a sentence, from a template and the lexicon entries bound to its slots.

In: a pattern in the notation that ``templates`` describes, the bound entries, and the French reading of each subject.
Out: the English or the French sentence.
"""

from __future__ import annotations

import re

import conjugation
import english
import french
from french import Agreement
from lexicon import Adjective, Noun, Person, Reading

VERB = re.compile(r"<([^.<>]+)\.(\w+)(?:@(\w+(?:\.pl)?))?(?::(\w+))?>")
AGREEING = re.compile(r"\[([^|\]]+)\|([a-z]+\d*(?:\.pl)?)\]")
SLOT = re.compile(r"\{([a-z]+\d*)(?:\.(\w+))?(?:\+([a-z]+\d*))?(?:\|([a-z]+\d*(?:\.pl)?))?(?:@(\w+))?(?::(\w+))?\}")
CASES = {"obj": ("me", "you", "", "us", "you", "them"), "poss": ("my", "your", "", "our", "your", "their")}
THIRD = {"obj": {"m": "him", "f": "her", "": "them"}, "poss": {"m": "his", "f": "her", "": "their"}}

Bindings = dict[str, object]


class Renderer:
    """Write one side of a sentence for given bindings and readings of its subjects."""

    def __init__(self, bindings: Bindings, readings: dict[str, Reading], subject: str) -> None:
        self.bindings, self.readings, self.subject = bindings, readings, subject

    def owner(self, name: str) -> Agreement:
        """French agreement of a slot; an unknown one counts as a third person (reflexive infinitives)."""
        base, _, many = name.partition(".")
        entry = self.bindings.get(base)
        if isinstance(entry, Noun):
            return entry.agreement(bool(many))
        if base in self.readings:
            return self.readings[base].agreement
        return Agreement(3, False, "m", False)

    def english(self, text: str) -> str:
        """English sentence."""
        text = SLOT.sub(self._english_slot, text)
        return english.finish(VERB.sub(self._english_verb, text))

    def french(self, text: str) -> str:
        """French sentence."""
        text = SLOT.sub(self._french_slot, AGREEING.sub(self._agreeing, text))
        return french.finish(VERB.sub(self._french_verb, text))

    def _agreeing(self, match: re.Match[str]) -> str:
        """Adjective written in the pattern itself, as in ``[content|si]``."""
        agreement = self.owner(match.group(2))
        return french.agree(match.group(1), agreement.gender, agreement.many)

    def _english_verb(self, match: re.Match[str]) -> str:
        """English verb group."""
        lemma, form, name, _ = match.groups()
        base, _, many = (name or self.subject).partition(".")
        entry = self.bindings.get(base)
        if isinstance(entry, Person):
            return english.conjugate(lemma, form, entry.number, entry.many)
        return english.conjugate(lemma, form, 3, isinstance(entry, Noun) and entry.english_many(bool(many)))

    def _french_verb(self, match: re.Match[str]) -> str:
        """Rough French verb group; ``:slot`` names a direct object that becomes a clitic."""
        lemma, form, name, target = match.groups()
        goal = self.owner(target) if target else None
        return conjugation.conjugate(lemma, form, self.owner(name or self.subject), goal)

    def _english_slot(self, match: re.Match[str]) -> str:
        """English text of a slot."""
        name, form, extra, _, _, owner = match.groups()
        entry = self.bindings[name]
        if isinstance(entry, Person):
            return self._english_person(entry, form or "")
        if isinstance(entry, Noun):
            added = self.bindings[extra].en + " " if extra else ""
            holder = self.bindings.get(owner) if owner else None
            return english_noun(entry, form or "sg", added, holder)
        if isinstance(entry, Adjective) and form:
            return english.comparative(entry.en) if form == "more" else english.indefinite(entry.en)
        return entry.en

    @staticmethod
    def _english_person(entry: Person, form: str) -> str:
        """English subject, object or possessive; ``0`` hides the slot."""
        if form == "0":
            return ""
        if form in ("obj", "ind", "ton") and entry.is_pronoun:
            return CASES["obj"][entry.number - 1 + 3 * entry.many] or THIRD["obj"][entry.gender]
        return entry.en

    def _french_slot(self, match: re.Match[str]) -> str:
        """Rough French text of a slot."""
        name, form, extra, model, _, owner = match.groups()
        entry = self.bindings[name]
        if isinstance(entry, Person):
            if form == "0":
                return ""
            reading = self.readings[name]
            return reading.text or french.pronoun(reading.agreement, form or "subj")
        if isinstance(entry, Noun):
            holder = self.owner(owner) if owner else None
            return french_noun(entry, form or "sg", self.bindings.get(extra or ""), holder)
        if isinstance(entry, Adjective):
            agreement = self.owner(model or self.subject)
            return french.agree(entry.fr, agreement.gender, agreement.many)
        return entry.fr


def english_noun(noun: Noun, form: str, added: str, holder: object) -> str:
    """English noun phrase; ``added`` is an adjective and a space, or nothing."""
    form = {"some_n": "any", "a_n": "a"}.get(form, form)
    one, many = added + noun.en, added + noun.en_many
    mass = one if noun.uncountable else many
    several = noun.english_many(True)
    if form in ("poss", "posspl"):
        return f"{possessive(holder)} {many if form == 'posspl' and several else one}"
    proper = "n" in noun.flags or "c" in noun.flags
    forms = {
        "sg": one,
        "pl": many,
        "bare": mass,
        "gen": mass,
        "in": one,
        "from": one,
        "a": one if noun.english_many(False) or noun.uncountable else english.indefinite(one),
        "the": one if proper else "the " + one,
        "thepl": "the " + many,
        "this": ("these " if noun.english_many(False) else "this ") + one,
        "these": "these " + many,
        "that": ("those " if noun.english_many(False) else "that ") + one,
        "which": "which " + one,
        "some": "some " + mass,
        "any": "any " + mass,
        "each": "every " + one,
    }
    return forms[form]


def possessive(holder: object) -> str:
    """English possessive determiner of a person."""
    assert isinstance(holder, Person)
    return CASES["poss"][holder.number - 1 + 3 * holder.many] or THIRD["poss"][holder.gender]


def french_noun(noun: Noun, form: str, adjective: object, holder: Agreement | None) -> str:
    """Rough French noun phrase."""
    some = form in ("some", "gen", "any", "bare", "some_n")
    many = noun.french_many(some or form in ("pl", "thepl", "these", "posspl"))
    phrase = dress(noun, many, adjective)
    gender = noun.gender
    if form in ("poss", "posspl"):
        assert holder is not None
        return f"{french.possessive(holder, gender, many, phrase)} {phrase}"
    if form in ("this", "these", "that"):
        return f"{french.demonstrative(gender, many, phrase)} {phrase}"
    if form in ("a_n", "some_n", "any"):
        return f"de {phrase}"
    if form in ("the", "thepl", "gen"):
        return phrase if noun.flags.startswith("n") else f"{french.definite(gender, many)} {phrase}"
    if form == "a" and not many and not noun.uncountable:
        return f"{french.indefinite(gender, many)} {phrase}"
    if form == "some" and not many and not noun.uncountable:
        return f"{french.indefinite(gender, many)} {phrase}"
    if form in ("a", "some"):
        plain = isinstance(adjective, Adjective) and adjective.before and many
        article = "de" if plain else "des" if many else f"de+{french.definite(gender, many)}"
        return f"{article} {phrase}"
    if form in ("in", "from"):
        return located(noun, form, phrase)
    if form == "le":
        return french.pronoun(noun.agreement(many), "obj")
    if form == "which":
        return f"{french.interrogative(gender, many)} {phrase}"
    if form == "each":
        return f"chaque {phrase}"
    return phrase


def located(noun: Noun, form: str, phrase: str) -> str:
    """A city or a country after *in* or *from*."""
    if "n" in noun.flags:
        return f"{'à' if form == 'in' else 'de'} {phrase}"
    if noun.french_many(False):
        return f"{'aux' if form == 'in' else 'des'} {phrase}"
    if noun.gender == "f" or french.opens_with_vowel(phrase):
        return f"{'en' if form == 'in' else 'de'} {phrase}"
    return f"{'au' if form == 'in' else 'du'} {phrase}"


def dress(noun: Noun, many: bool, adjective: object) -> str:
    """French noun with its adjective on the right side of it."""
    word = noun.fr_many if many else noun.fr
    if not isinstance(adjective, Adjective):
        return word
    form = french.agree(adjective.fr, noun.gender, many)
    if not adjective.before:
        return f"{word} {form}"
    if noun.gender == "m" and not many and french.opens_with_vowel(word):
        form = french.BEFORE_VOWEL.get(form, form)
    return f"{form} {word}"

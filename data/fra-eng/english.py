"""English inflection.

In: lemmas, with the person and number of the subject.
Out: verb groups, plurals, articles and comparatives; ``finish`` capitalises a sentence.

Irregular verbs come from ``verbs_en.txt``: lemma | past | participle | -ing form (empty fields are regular).
"""

from __future__ import annotations

import re

import tables

IRREGULAR_VERBS = tables.rows_by_key("verbs_en.txt", 4)
AN_EXCEPTIONS = ("hour", "honest", "honor")
A_EXCEPTIONS = ("uni", "use", "euro", "one", "uku")
IRREGULAR = tables.words("irregular_en.txt")
IRREGULAR_PLURAL, COMPARATIVES = IRREGULAR["plural"], IRREGULAR["comparative"]
NO_COMPARATIVE_ENDING = ("tired", "famous", "modern", "useful", "patient", "polite")


def past(verb: str) -> str:
    """Simple past (not of *be*)."""
    listed = IRREGULAR_VERBS.get(verb)
    if listed and listed[0]:
        return listed[0]
    if verb.endswith("e"):
        return verb + "d"
    return re.sub(r"([^aeiou])y$", r"\1i", verb) + "ed"


def participle(verb: str) -> str:
    """Past participle."""
    listed = IRREGULAR_VERBS.get(verb)
    return listed[1] if listed and listed[1] else past(verb)


def gerund(verb: str) -> str:
    """The -ing form."""
    listed = IRREGULAR_VERBS.get(verb)
    if listed and listed[2]:
        return listed[2]
    return (verb[:-1] if re.search(r"[^eoy]e$", verb) else verb) + "ing"


def third(verb: str) -> str:
    """Third person singular present."""
    if verb == "have":
        return "has"
    if re.search(r"(s|sh|ch|x|z|o)$", verb):
        return verb + "es"
    return re.sub(r"([^aeiou])y$", r"\1ie", verb) + "s"


def be(person: int, many: bool, tense: str) -> str:
    """Present or past of *be*."""
    if tense == "past":
        return "were" if many or person == 2 else "was"
    return "are" if many or person == 2 else ("am" if person == 1 else "is")


def conjugate(verb: str, form: str, person: int, many: bool) -> str:
    """Verb group; ``_neg`` at the end of the form negates it."""
    form, _, option = form.partition("_")
    negative = option == "neg"
    singular3 = person == 3 and not many
    if form in ("inf", "imp"):
        return ("don't " if negative else "") + verb
    if form == "ing":
        return gerund(verb)
    if form == "pp":
        return participle(verb)
    if form in ("prog", "pastprog"):
        helper = be(person, many, "past" if form == "pastprog" else "pres")
        return helper + (" not " if negative else " ") + gerund(verb)
    if form in ("fut", "cond"):
        helper = {"fut": ("will", "won't"), "cond": ("would", "wouldn't")}[form][negative]
        return f"{helper} {verb}"
    if form in ("perf", "pluperf"):
        helper = "had" if form == "pluperf" else ("has" if singular3 else "have")
        return helper + ("n't " if negative else " ") + participle(verb)
    if verb == "be":
        text = be(person, many, form)
        return text + (" not" if negative else "")
    if verb == "can":
        return {"pres": ("can", "can't"), "past": ("could", "couldn't")}[form][negative]
    if verb == "must":
        return "must not" if negative else "must"
    if negative:
        return ("didn't " if form == "past" else "doesn't " if singular3 else "don't ") + verb
    if form == "past":
        return past(verb)
    return third(verb) if singular3 else verb


def plural(noun: str) -> str:
    """Plural of a noun; the last word changes."""
    lead, _, last = noun.rpartition(" ")
    if last in IRREGULAR_PLURAL:
        last = IRREGULAR_PLURAL[last]
    elif re.search(r"(s|sh|ch|x|z)$", last):
        last += "es"
    else:
        last = re.sub(r"([^aeiou])y$", r"\1ie", last) + "s"
    return f"{lead} {last}".strip()


def indefinite(phrase: str) -> str:
    """The phrase with *a* or *an* in front."""
    word = phrase.lower()
    vowel = (word[0] in "aeiou" and not word.startswith(A_EXCEPTIONS)) or word.startswith(AN_EXCEPTIONS)
    return ("an " if vowel else "a ") + phrase


def comparative(adjective: str) -> str:
    """Comparative of an adjective."""
    if adjective in COMPARATIVES:
        return COMPARATIVES[adjective]
    vowels = len(re.findall(r"[aeiouy]+", adjective.removesuffix("e")))
    if adjective in NO_COMPARATIVE_ENDING or vowels > 2 or (vowels == 2 and not adjective.endswith("y")):
        return "more " + adjective
    if adjective.endswith("y") and vowels == 2:
        return adjective[:-1] + "ier"
    if adjective.endswith("e"):
        return adjective + "r"
    if re.search(r"[^aeiou][aeiou][bdgmnt]$", adjective):
        return adjective + adjective[-1] + "er"
    return adjective + "er"


def finish(text: str) -> str:
    """Tidy the spaces and capitalise."""
    text = re.sub(r"\s+([.,?!])", r"\1", re.sub(r"\s+", " ", text)).strip()
    return re.sub(r"(^|[?.!] )(\w)", lambda match: match.group(1) + match.group(2).upper(), text)

"""French conjugation.

In: an infinitive (``se_`` in front of a reflexive one, ``se0_`` when its direct object follows: *se laver les mains*), a form name and the agreement of the subject.
Out: the rough verb group (``ne me suis pas levée``), before elision.

Irregular verbs come from ``verbs_fr.txt``: infinitive | six presents | future stem | participle | subjunctive |
imperatives; missing fields are derived.
"""

from __future__ import annotations

import re

import tables
from french import Agreement, agree, pronoun

IRREGULAR_VERBS = tables.rows_by_key("verbs_fr.txt", 6)
WITH_ETRE = {
    "aller",
    "venir",
    "arriver",
    "partir",
    "entrer",
    "rentrer",
    "sortir",
    "monter",
    "descendre",
    "tomber",
    "rester",
    "naître",
    "mourir",
    "devenir",
    "revenir",
    "retourner",
}
DOUBLING = ("appeler", "rappeler", "jeter", "épeler")
IMPERFECT = ("ais", "ais", "ait", "ions", "iez", "aient")
FUTURE = ("ai", "as", "a", "ons", "ez", "ont")
CONDITIONAL = IMPERFECT
SUBJUNCTIVE = ("e", "es", "e", "ions", "iez", "ent")
NEGATIONS = {"neg": "pas", "plus": "plus", "jamais": "jamais", "rien": "rien", "pasencore": "pas encore"}
ADVERBS = {
    "deja": "déjà",
    "souvent": "souvent",
    "toujours": "toujours",
    "parfois": "parfois",
    "rarement": "rarement",
}
OBJECT_FOLLOWS = Agreement(3, False, "m", False)


def strong_stem(verb: str) -> str:
    """Stem of an -er verb before a silent ending (achèt-, jett-, nettoi-)."""
    stem = verb[:-2]
    if verb in DOUBLING:
        return stem + stem[-1]
    if stem.endswith(("oy", "uy", "ay")):
        return stem[:-1] + "i"
    return re.sub(r"[eé]([bcdfgjklmnprstvz]|gn|br|gr|[cr]h|tr)$", r"è\1", stem)


def present(verb: str) -> list[str]:
    """Six present forms."""
    listed = IRREGULAR_VERBS.get(verb)
    if listed and listed[0]:
        return listed[0].split()
    if verb.endswith("er"):
        stem = verb[:-2]
        soft = stem + "e" if stem.endswith("g") else stem[:-1] + "ç" if stem.endswith("c") else stem
        strong = strong_stem(verb)
        return [strong + "e", strong + "es", strong + "e", soft + "ons", stem + "ez", strong + "ent"]
    if verb.endswith("ir"):
        stem = verb[:-1]
        return [stem + ending for ending in ("s", "s", "t", "ssons", "ssez", "ssent")]
    stem = verb[:-2]
    return [stem + ending for ending in ("s", "s", "", "ons", "ez", "ent")]


def imperfect(verb: str) -> list[str]:
    """Six imperfect forms."""
    if verb == "être":
        return ["ét" + ending for ending in IMPERFECT]
    stem = present(verb)[3][:-3]
    weak = verb[:-2] if verb.endswith(("ger", "cer")) else stem
    return [(weak if ending[0] == "i" else stem) + ending for ending in IMPERFECT]


def future_stem(verb: str) -> str:
    """Stem shared by the future and the conditional."""
    listed = IRREGULAR_VERBS.get(verb)
    if listed and listed[1]:
        return listed[1]
    if verb.endswith("er"):
        changes = verb in DOUBLING or re.search(r"(e[cdlmnprstv]|[oua]y)er$", verb)
        return (strong_stem(verb) + "er") if changes else verb
    return verb.removesuffix("e")


def participle(verb: str) -> str:
    """Past participle, masculine singular."""
    listed = IRREGULAR_VERBS.get(verb)
    if listed and listed[2]:
        return listed[2]
    return verb[:-2] + {"er": "é", "ir": "i", "re": "u"}[verb[-2:]]


def subjunctive(verb: str) -> list[str]:
    """Six present subjunctive forms."""
    listed = IRREGULAR_VERBS.get(verb)
    stems = listed[3].split() if listed else []
    if len(stems) == 6:
        return stems
    strong = stems[0] if stems else present(verb)[5].removesuffix("ent")
    forms = [strong + ending for ending in SUBJUNCTIVE]
    weak = [stems[1] + "ions", stems[1] + "iez"] if len(stems) == 2 else imperfect(verb)[3:5]
    return forms[:3] + weak + forms[5:]


def imperative(verb: str, who: Agreement) -> str:
    """Imperative for tu, nous or vous."""
    listed = IRREGULAR_VERBS.get(verb)
    if listed and listed[4]:
        return listed[4].split()[{1: 0, 3: 1, 4: 2}[who.index]]
    form = present(verb)[who.index]
    return form[:-1] if who.index == 1 and form.endswith(("es", "as")) else form


def simple(verb: str, form: str, who: Agreement) -> str:
    """One-word form of a verb."""
    if form == "fut":
        return future_stem(verb) + FUTURE[who.index]
    if form == "cond":
        return future_stem(verb) + CONDITIONAL[who.index]
    return {"pres": present, "impf": imperfect, "subj": subjunctive}[form](verb)[who.index]


def compound(verb: str, reflexive: bool, form: str, who: Agreement, target: Agreement | None) -> tuple[str, str]:
    """Auxiliary and agreeing participle; ``target`` is a preceding direct object, if any."""
    with_etre = reflexive or verb in WITH_ETRE
    auxiliary = simple("être" if with_etre else "avoir", {"pc": "pres", "pqp": "impf", "cp": "cond"}[form], who)
    model = target or (who if with_etre else None)
    past = participle(verb)
    return auxiliary, agree(past, model.gender, model.many) if model else past


def inverted(text: str, who: Agreement) -> str:
    """Verb followed by its subject pronoun."""
    link = "-t-" if who.index == 2 and text[-1] in "aeé" else "-"
    return text + link + pronoun(who, "subj")


def conjugate(lemma: str, form: str, who: Agreement, target: Agreement | None = None) -> str:
    """Rough verb group; ``_neg`` at the end of the form negates it, ``_inv`` puts the subject behind."""
    prefix, _, verb = lemma.rpartition("_")
    reflexive = bool(prefix)
    form, _, option = form.partition("_")
    clitic = pronoun(who, "refl") + " " if reflexive else ""
    if form == "inf":
        return clitic + verb
    if form == "pp":
        return agree(participle(verb), who.gender, who.many)
    if form == "imp":
        text = imperative(verb, who)
        if option == "neg":
            return f"ne {clitic}{text} pas"
        return f"{text}-{pronoun(who, 'refl').replace('te', 'toi')}" if reflexive else text
    if form in ("pc", "pqp", "cp"):
        model = OBJECT_FOLLOWS if prefix == "se0" else target
        auxiliary, tail = compound(verb, reflexive, form, who, model)
        tail = " " + tail
    else:
        auxiliary, tail = simple(verb, form, who), ""
    if target is not None:
        clitic = pronoun(target, "obj") + " "
    if option == "inv":
        auxiliary = inverted(auxiliary, who)
    if option in NEGATIONS:
        return f"ne {clitic}{auxiliary} {NEGATIONS[option]}{tail}"
    adverb = f" {ADVERBS[option]}" if option in ADVERBS else ""
    return clitic + auxiliary + adverb + tail

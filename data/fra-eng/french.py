"""French surface rules and agreement.

In: words, genders and numbers (``"m"``/``"f"``, plural flag), or a rough sentence.
Out: agreeing forms and determiners, and (``finish``) a sentence with elision, contraction and typography done.

A rough sentence writes full words (``je ai``, ``le eau``); ``+`` asks for a contraction (``de+le`` -> ``du``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import tables

VOWELS = "aàâäeéèêëiîïoôöuùûüœæ"
ASPIRATED = frozenset(
    [
        "hamburger",
        "hamster",
        "handball",
        "hareng",
        "haricot",
        "hasard",
        "haut",
        "haute",
        "hauteur",
        "honte",
        "héros",
        "hérisson",
        "hibou",
        "hiboux",
        "hockey",
        "homard",
        "hollandais",
        "hollandaise",
        "hongrie",
        "hors",
        "huit",
        "huitième",
        "haine",
        "harpe",
        "hall",
        "haie",
        "hanche",
    ]
)
NO_ELISION = ("onze", "oui", "yaourt", "yoga", "yacht", "huit")
ELIDING = "je|me|te|se|le|la|de|ne|que|jusque|lorsque|puisque|parce que|est-ce que|quoique"
INVARIABLE = ("marron", "orange", "en retard", "en avance", "en colère", "en forme", "bon marché", "chic")
IRREGULAR = tables.words("irregular_fr.txt")
IRREGULAR_FEMININE, IRREGULAR_PLURAL = IRREGULAR["feminine"], IRREGULAR["plural"]
BEFORE_VOWEL = IRREGULAR["before vowel"]


@dataclass(frozen=True)
class Agreement:
    """Person (1-3), plural verb, gender and plural adjective of a subject or a noun."""

    person: int
    plural: bool
    gender: str
    many: bool

    @property
    def index(self) -> int:
        """Position in a six-form paradigm."""
        return self.person - 1 + 3 * self.plural


def opens_with_vowel(word: str) -> bool:
    """Whether a preceding ``le`` or ``je`` elides before the word."""
    first = re.match(r"[\w-]+", word.lower())
    if not first:
        return False
    head = first.group(0).split("-")[0]
    if head in NO_ELISION or head in ASPIRATED or (head.endswith("s") and head[:-1] in ASPIRATED):
        return False
    return head[0] in VOWELS + "h" or head == "y" or head == "yeux"


def elide(text: str) -> str:
    """Replace the final vowel of short words by an apostrophe where French requires it."""

    def cut(match: re.Match[str]) -> str:
        """Elide one matched word when the next one opens with a vowel sound."""
        word, following = match.group(1), text[match.end() :]
        return word[:-1] + "'" if opens_with_vowel(following) else match.group(0)

    text = re.sub(rf"(?<![\w'-])({ELIDING})\s+(?=\w)", cut, text, flags=re.IGNORECASE)
    text = re.sub(r"(?<![\w'-])([cC])e (?=(?:est|était|étaient)\b)", r"\1'", text)
    return re.sub(r"(?<![\w'-])([sS])i (?=ils?\b)", r"\1'", text)


def contract(text: str) -> str:
    """Resolve the ``+`` marks: ``de+le`` -> ``du``, ``à+les`` -> ``aux``, and so on."""
    for source, target in (("de+les ", "des "), ("de+le ", "du "), ("à+les ", "aux "), ("à+le ", "au ")):
        text = text.replace(source, target).replace(source.capitalize(), target.capitalize())
    return text.replace("+", " ")


def finish(text: str) -> str:
    """Turn a rough sentence into a well-spelled one."""
    text = elide(contract(elide(text)))
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"\s*([?!:;])", r" \1", text)
    text = re.sub(r"\s+([.,])", r"\1", text)
    return capitalise(text)


def capitalise(text: str) -> str:
    """Capital letter at the beginning and after a final mark."""
    return re.sub(r"(^|[?.!] )(\w)", lambda match: match.group(1) + match.group(2).upper(), text)


def plural(noun: str) -> str:
    """Plural of a noun or a masculine adjective; in ``x de y`` and ``x à y`` only ``x`` changes."""
    head, mark, tail = re.match(r"(.*?)((?: de | à | d'| en |$))(.*)", noun).groups()
    if head in IRREGULAR_PLURAL:
        head = IRREGULAR_PLURAL[head]
    elif head.endswith(("s", "x", "z")):
        pass
    elif head.endswith(("eau", "eu", "au")):
        head += "x"
    elif head.endswith("al"):
        head = head[:-2] + "aux"
    else:
        head = " ".join(part if part.endswith(("s", "x")) else part + "s" for part in head.split(" "))
    return head + mark + tail


def feminine(adjective: str) -> str:
    """Feminine singular of an adjective, a participle or a profession."""
    if adjective in IRREGULAR_FEMININE:
        return IRREGULAR_FEMININE[adjective]
    if adjective.endswith("e") or adjective in INVARIABLE:
        return adjective
    for ending, replacement in (
        ("er", "ère"),
        ("eux", "euse"),
        ("if", "ive"),
        ("el", "elle"),
        ("ien", "ienne"),
        ("éen", "éenne"),
        ("on", "onne"),
        ("et", "ette"),
    ):
        if adjective.endswith(ending):
            return adjective[: -len(ending)] + replacement
    return adjective + "e"


def agree(adjective: str, gender: str, many: bool) -> str:
    """Adjective in the given gender and number; only the last word of ``très fatigué`` changes."""
    if adjective in INVARIABLE:
        return adjective
    lead, _, last = adjective.rpartition(" ")
    last = feminine(last) if gender == "f" else last
    last = plural(last) if many else last
    return f"{lead} {last}".strip()


def definite(gender: str, many: bool) -> str:
    """Definite article before elision."""
    return "les" if many else {"m": "le", "f": "la"}[gender]


def interrogative(gender: str, many: bool) -> str:
    """Interrogative determiner."""
    return agree("quel", gender, many)


def indefinite(gender: str, many: bool) -> str:
    """Indefinite article."""
    return "des" if many else {"m": "un", "f": "une"}[gender]


def demonstrative(gender: str, many: bool, following: str) -> str:
    """Demonstrative determiner that suits the following word."""
    if many:
        return "ces"
    if gender == "f":
        return "cette"
    return "cet" if opens_with_vowel(following) else "ce"


def possessive(owner: Agreement, gender: str, many: bool, following: str) -> str:
    """Possessive determiner that suits the owner and the following word."""
    if owner.plural:
        return (("notre", "nos"), ("votre", "vos"), ("leur", "leurs"))[owner.person - 1][many]
    letter = "mts"[owner.person - 1]
    if many:
        return letter + "es"
    return letter + ("a" if gender == "f" and not opens_with_vowel(following) else "on")


def pronoun(who: Agreement, case: str) -> str:
    """Pronoun of a person: ``subj``, ``obj`` (le), ``ind`` (lui), ``ton`` (moi) or ``refl`` (se)."""
    feminine_form = who.gender == "f"
    table = {
        "subj": (
            "je",
            "tu",
            "elle" if feminine_form else "il",
            "nous",
            "vous",
            "elles" if feminine_form else "ils",
        ),
        "obj": ("me", "te", "la" if feminine_form else "le", "nous", "vous", "les"),
        "ind": ("me", "te", "lui", "nous", "vous", "leur"),
        "ton": (
            "moi",
            "toi",
            "elle" if feminine_form else "lui",
            "nous",
            "vous",
            "elles" if feminine_form else "eux",
        ),
        "imp": ("moi", "toi", "lui", "nous", "vous", "leur"),
        "refl": ("me", "te", "se", "nous", "vous", "se"),
    }
    return table[case][who.index]

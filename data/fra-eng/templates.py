"""Bilingual sentence templates.

In: ``templates.txt`` (name | English | French | other French wordings) and a ``Lexicon``.
Out: sentence pairs, each English sentence with all its French references.

Notation. ``{food}`` binds a lexicon entry to the slot; a trailing digit tells two slots of one class apart.
``{food.some}`` asks for a form, ``{cloth.a+color}`` adds an adjective, ``{mood|sp}`` agrees with slot ``sp``,
``{thing.poss:sp}`` is owned by ``sp``, ``{sy.0}`` binds a subject that is not written. ``<vouloir.pres@sp>``
conjugates a verb and ``{vp.pres@sp}`` a verb phrase for the subject ``sp`` (by default the first subject slot);
``<voir.pc@sp:st2>`` puts ``st2`` in front as an object pronoun; ``_neg`` after a form negates it, ``_n`` marks
what stands under a negation. ``[content|sp]`` is an adjective of the pattern itself. ``.pl`` after the name of
a noun slot asks for plural agreement.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from dataclasses import dataclass

from lexicon import Lexicon, Person, Reading, VerbPhrase
from rendering import SLOT, Bindings, Renderer
from tables import rows

OWNED = re.compile(r"\.poss(?:pl)?(?:\+\w+)?:(\w+)\}")
SUBJECTS = {"si", "sy", "sh", "se", "sw", "sz", "sa", "sp", "so", "st", "sn", "ss", "sx", "adult", "people"}
LARGEST = 4
PATIENCE = 40


@dataclass(frozen=True)
class Template:
    """A named pair of patterns, one English and one or more French."""

    name: str
    limit: int
    en: str
    fr: tuple[str, ...]


def load(default_limit: int) -> list[Template]:
    """Read ``templates.txt``; ``name*30`` limits a template to 30 English sentences."""
    loaded = []
    for fields in rows("templates.txt"):
        name, _, limit = fields[0].partition("*")
        wordings = [field for field in fields[2:] if field]
        loaded.append(Template(name, int(limit or default_limit), fields[1], tuple(wordings)))
    return loaded


def first_subject(text: str) -> str:
    """Name of the first subject slot of a pattern, or an empty string."""
    names = (match.group(1) for match in SLOT.finditer(text))
    return next((name for name in names if name.rstrip("0123456789") in SUBJECTS), "")


def expand(text: str, phrases: dict[str, VerbPhrase], french_side: bool) -> str:
    """Replace each verb-phrase slot by the notation of the phrase bound to it."""

    def put(match: re.Match[str]) -> str:
        """Notation of one phrase in the form asked for."""
        name, form, _, _, owner, _ = match.groups()
        if name not in phrases:
            return match.group(0)
        phrase = phrases[name].fr if french_side else phrases[name].en
        verb, _, rest = phrase.partition(" ")
        digits = str(90 + sorted(phrases).index(name))
        subject = owner or first_subject(text)
        negative = form.endswith(("_neg", "_n", "_jamais", "_plus", "_pasencore"))
        form = form.removesuffix("_n")
        rest = re.sub(r"\{([a-z]+)(\d*)", lambda m: "{" + m.group(1) + m.group(2) + digits, rest)
        rest = re.sub(r"\.(my|mypl)\}", lambda m: f".{'poss' if m.group(1) == 'my' else 'posspl'}:{subject}}}", rest)
        if negative:
            rest = re.sub(r"^(une |un |des |du |de la |de l')", "de ", rest) if french_side else rest
            rest = re.sub(r"\.(some|a)(?=[+}])", r".\1_n", rest)
        return f"<{verb}.{form}{'@' + subject if subject else ''}> {rest}"

    return SLOT.sub(put, text)


def form_of_address(reading: Reading) -> str:
    """``tu`` or ``vous`` when the reading addresses somebody (*tu*, *ton frère*), or nothing."""
    word = reading.text.partition(" ")[0] or ("tu", "vous")[reading.agreement.plural]
    if not reading.text and reading.agreement.person != 2:
        return ""
    return {"tu": "tu", "ton": "tu", "ta": "tu", "vous": "vous", "votre": "vous"}.get(word, "")


def excluded(bindings: Bindings) -> set[str]:
    """English texts that further slots may not repeat (nor *we* beside *I*)."""
    texts = {entry.en for entry in bindings.values()}
    return texts | ({"I", "we"} if texts & {"I", "we"} else set())


class Generator:
    """Draw sentences from templates, preferring the entries used least so far."""

    def __init__(self, lexicon: Lexicon, seed: int) -> None:
        self.lexicon, self.random, self.used = lexicon, random.Random(seed), Counter()

    def choose(self, name: str, taken: set[str]) -> object:
        """Draw an entry of a class other than those taken (by English text)."""
        entries = [e for e in self.lexicon.classes[name.rstrip("0123456789")] if e.en not in taken]
        few = [self.random.choice(entries) for _ in range(1 if len(entries) < 9 else 3)]
        picked = min(few, key=lambda entry: self.used[entry])
        self.used[picked] += 1
        return picked

    def is_verb_phrase(self, name: str) -> bool:
        """Whether a slot takes a verb phrase."""
        entries = self.lexicon.classes[name.rstrip("0123456789")]
        assert entries, f"unknown class {name}"
        return isinstance(entries[0], VerbPhrase)

    def bind(self, text: str) -> Bindings:
        """Bind each slot of a pattern, apart from verb phrases that the pattern has already expanded."""
        bindings: Bindings = {}
        for match in SLOT.finditer(text):
            for name in (match.group(1), match.group(3), match.group(6)):
                if name and name not in bindings:
                    bindings[name] = self.choose(name, excluded(bindings))
        for owner in dict.fromkeys(OWNED.findall(text)):
            bindings[owner] = self.of_one_gender(bindings[owner])
        return bindings

    def of_one_gender(self, entry: object) -> object:
        """The person, with a gender when *his* or *her* has to tell it."""
        if not isinstance(entry, Person) or entry.is_pronoun or entry.many or entry.gender:
            return entry
        reading = self.random.choice(entry.readings)
        return Person(entry.en, entry.number, entry.many, reading.agreement.gender, (reading,))

    def draw(self, template: Template) -> tuple[str, list[str]]:
        """One English sentence with its French references."""
        names = {match.group(1) for match in SLOT.finditer(template.en) if self.is_verb_phrase(match.group(1))}
        phrases: dict[str, VerbPhrase] = {}
        for name in sorted(names):
            phrases[name] = self.choose(name, {p.en for p in phrases.values()})
        subject = first_subject(template.en)
        en = expand(template.en, phrases, french_side=False)
        wordings = [expand(wording, phrases, french_side=True) for wording in template.fr]
        bindings = self.bind(en)
        people = [name for name, entry in bindings.items() if isinstance(entry, Person)]
        source = Renderer(bindings, {}, subject).english(en)
        references: dict[str, None] = {}
        for combination in itertools.product(*(bindings[name].readings for name in people)):
            if len({address for address in map(form_of_address, combination) if address}) > 1:
                continue
            readings = dict(zip(people, combination, strict=True))
            for wording in wordings:
                references[Renderer(bindings, readings, subject).french(wording)] = None
        return source, list(references)[:LARGEST]

    def sentences(self, template: Template, seen: set[str]) -> list[tuple[str, list[str]]]:
        """Up to ``template.limit`` new sentences; their lower-cased English is added to ``seen``."""
        made: list[tuple[str, list[str]]] = []
        failures = 0
        while len(made) < template.limit and failures < PATIENCE:
            source, references = self.draw(template)
            failures += 1
            if source.lower() not in seen and 2 <= len(source.split()) <= 12:
                seen.add(source.lower())
                made.append((source, references))
                failures = 0
        return made

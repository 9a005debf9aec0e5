"""The models of the service, by name, and the languages of those that translate."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seq2seq.api import LanguageModel, Translator, load
from seq2seq.bundle.exported import identity_file, is_export
from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import CANARY
from seq2seq.errors import OptionError
from seq2seq.inference.canary import read_canary
from seq2seq.serving.refusals import Refusal
from seq2seq.text.datasets import ANKI_NAME

# of the files of ANKI_NAME: their code there, LibreTranslate's code, and the name
LANGUAGES = {
    "eng": ("en", "English"), "fra": ("fr", "French"), "deu": ("de", "German"), "spa": ("es", "Spanish"),
    "ita": ("it", "Italian"), "por": ("pt", "Portuguese"), "rus": ("ru", "Russian"), "cmn": ("zh", "Chinese"),
    "jpn": ("ja", "Japanese"), "nld": ("nl", "Dutch"), "pol": ("pl", "Polish"), "tur": ("tr", "Turkish"),
    "ukr": ("uk", "Ukrainian"), "kor": ("ko", "Korean"), "ara": ("ar", "Arabic"), "hun": ("hu", "Hungarian"),
}  # fmt: skip
AUTO = "auto"
EXAMPLES, LONGEST_EXAMPLE = 3, 60  # sources that the page offers, and characters of one
UNKNOWN = ("source", "target")  # codes of the languages of a model whose data does not say them


@dataclass(frozen=True)
class Language:
    """A language of a translator."""

    code: str
    name: str


@dataclass(frozen=True)
class Served:
    """A model of the service; a language model has no languages."""

    name: str
    model: Translator | LanguageModel
    created: int  # seconds since 1970
    source: Language | None = None
    target: Language | None = None
    examples: Sequence[str] = ()  # sources that the model reads well


class Models:
    """The models of the service, in the order in which they were given."""

    def __init__(self, served: Sequence[Served]) -> None:
        self.by_name = {one.name: one for one in served}

    def __iter__(self) -> Iterator[Served]:
        return iter(self.by_name.values())

    def named(self, name: str | None) -> Served:
        """Returns the model with a name; None or an empty name: the first.

        Raises:
            Refusal: there is no such model.

        """
        if not name:
            return next(iter(self))
        if name not in self.by_name:
            raise Refusal(
                404,
                f"model: expected one of {', '.join(self.by_name)}, got {name[:60]!r}",
                param="model",
                code="model_not_found",
            )
        return self.by_name[name]

    def translator(self, source: str, target: str, name: str | None = None) -> Served:
        """Returns the first model that translates from a language, or from any for `auto`, to another.

        Raises:
            Refusal: there is no such model.

        """
        candidates = [self.named(name)] if name else list(self)
        pairs = [one for one in candidates if one.source and one.target]
        for one in pairs:
            assert one.source and one.target
            if one.target.code == target and source in (AUTO, one.source.code):
                return one
        available = [f"{one.source.code} to {one.target.code}" for one in pairs if one.source and one.target]
        raise Refusal(
            400,
            f"source, target: {source[:60]!r} to {target[:60]!r} is not supported; available: "
            f"{', '.join(dict.fromkeys(available)) or 'no translator'}",
            param="target",
        )


def load_models(folders: Sequence[Path], sources: Sequence[str] = (), targets: Sequence[str] = ()) -> Models:
    """Loads model folders.

    Args:
        folders: each gives a model, whose name is the folder's.
        sources: codes of the source languages of the first models, for data that does not say them.
        targets: codes of their target languages.

    Raises:
        BundleError: a folder has no finished model.
        OptionError: two folders have the same name, or there are more languages than models.

    """
    for option, given in (("--source", sources), ("--target", targets)):
        if len(given) > len(folders):
            raise OptionError(
                f"{option}: expected at most one for each --model ({len(folders)}), got {len(given)}: "
                f"{', '.join(given)}; the first belongs to the first model"
            )
    found: dict[str, Served] = {}
    for place, folder in enumerate(folders):
        name = folder.resolve().name
        if name in found:
            raise OptionError(f"--model {folder}: another folder is called {name!r} too; rename one of them")
        model = load(folder)
        created = int(identity_file(folder).stat().st_mtime)
        if isinstance(model, LanguageModel):
            found[name] = Served(name, model, created)
            continue
        source, target = languages_of(model.bundle, name)
        source = language(sources[place]) if place < len(sources) else source
        target = language(targets[place]) if place < len(targets) else target
        found[name] = Served(name, model, created, source, target, examples_of(folder))
    return Models(told_apart(list(found.values())))


def told_apart(models: Sequence[Served]) -> list[Served]:
    """Adds the model's name to the codes `source` and `target` where several models have such a code."""

    def coded(one: Served, side: Language | None) -> Language | None:
        return replace(side, code=f"{side.code}-{one.name}") if side and side.code in UNKNOWN else side

    several = sum(any(side and side.code in UNKNOWN for side in (one.source, one.target)) for one in models) > 1
    if not several:
        return list(models)
    return [replace(one, source=coded(one, one.source), target=coded(one, one.target)) for one in models]


def examples_of(folder: Path) -> list[str]:
    """Returns a few short sources whose outputs are far from a tie; none of an export, which records none."""
    if is_export(folder):
        return []
    sources = [entry["source"] for entry in read_canary(folder / CANARY)]
    return [source for source in sources if len(source) <= LONGEST_EXAMPLE][:EXAMPLES]


def languages_of(bundle: Bundle, name: str) -> tuple[Language, Language]:
    """Returns source and target language, as the data's name says them, else `source` and `target`.

    The files with names such as fra-eng have English in their first column.
    """
    origin: Mapping[str, str] = bundle.record.get("trained_on", {})
    data, columns = origin.get("name", ""), (bundle.data.source_col, bundle.data.target_col)
    known = origin.get("origin") in ("bundled", "downloaded") and ANKI_NAME.fullmatch(data)
    if not known or sorted(columns) != [1, 2]:
        source, target = (Language(side, f"{name}: {side}") for side in UNKNOWN)
        return source, target
    both = language("eng"), language(data[:3])
    return both[::-1] if (columns == (2, 1)) != bundle.data.reverse else both


def language(given: str) -> Language:
    """Returns the language with a code of two or three letters, or with another name."""
    for three, (code, name) in LANGUAGES.items():
        if given.lower() in (three, code, name.lower()):
            return Language(code, name)
    return Language(given, given)


def listed(models: Models) -> list[dict[str, object]]:
    """Lists all languages, each with those that it can be translated to."""
    found: dict[str, tuple[str, dict[str, None]]] = {}
    for one in models:
        if one.source and one.target:
            found.setdefault(one.source.code, (one.source.name, {}))[1][one.target.code] = None
            found.setdefault(one.target.code, (one.target.name, {}))
    return [{"code": code, "name": name, "targets": list(targets)} for code, (name, targets) in found.items()]

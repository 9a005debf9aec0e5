"""Finds the data set that `--data` names (bundled, downloaded, generated, or a path) and loads its splits."""

import dataclasses
import difflib
import hashlib
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from seq2seq.config import DataConfig
from seq2seq.errors import DataError
from seq2seq.files.reading import sha256_of
from seq2seq.text import dates
from seq2seq.text.cache import Remote, cache_folder, find
from seq2seq.text.lines import check_ordinary, readable
from seq2seq.text.pairs import Pair, PairFile, ReadingReport, read_pairs
from seq2seq.text.splits import source_key, split_by_source

TATOEBA_LICENCE = "CC BY 2.0 FR, tatoeba.org and its contributors, by way of manythings.org/anki"
OWN_LICENCE = "CC0 1.0, written for this project"
PUBLIC_DOMAIN = "public domain"
ANKI_NAME = re.compile(r"[a-z]{3}-eng")
FOLDER_FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
BUNDLED = {"fra-eng": "fra-eng/fra-eng.tsv", "prose": "prose/prose.txt"}
TEXTS = {
    "king-lear": "https://www.gutenberg.org/cache/epub/1532/pg1532.txt",
    "nietzsche": "https://s3.amazonaws.com/text-datasets/nietzsche.txt",
    "tiny-shakespeare": "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
}
# The repository of tiny-shakespeare has only one version of its file (1115394 bytes). The other sites change their
# files (manythings.org, Project Gutenberg) or publish no checksum (the text of Nietzsche).
SHA256 = {"tiny-shakespeare": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"}
# some of the pairs on the site: they show the form of a name, and correct a typing error
ANKI_EXAMPLES = ("fra-eng", "deu-eng", "spa-eng", "ita-eng", "por-eng", "rus-eng", "cmn-eng", "jpn-eng")
NAMES = ("dates", *ANKI_EXAMPLES, "prose", *TEXTS)
_SAMPLE_BYTES = 1 << 20


@dataclass(frozen=True)
class Dataset:
    """Where a data set's files are, and their licence."""

    name: str
    kind: str  # "pairs" or "text"
    origin: str  # "bundled", "downloaded", "generated" or "path"
    paths: dict[str, Path]  # {"all": ...}, or "train", "validation" and "test"; empty for a generated set
    sha256: dict[str, str]  # of each file; for a generated set of its rows, under "all"
    licence: str | None  # None: the user's own
    notice: str | None = None  # a line for stderr


class Splits(NamedTuple):
    """The rows of a data set in three parts, with reports and warnings about them."""

    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]
    reports: list[ReadingReport]  # one for each file
    warnings: list[str]  # lines for stderr


def resolve(name_or_path: str | Path) -> Dataset:
    """Finds a data set by its name or path; a name is tried before a path with the same spelling.

    Args:
        name_or_path: a name from NAMES or any `xxx-eng`; a .tsv file with pairs; a .txt, .csv or file without
            extension in which most lines have tabs, which is read as pairs; another .txt file, which is read as a
            text; a folder with FOLDER_FILES.

    Raises:
        DataError: the data set is unknown, absent, damaged, or in a form that cannot be read.

    """
    name = str(name_or_path)
    if name == "dates":
        digest = hashlib.sha256(_generated_rows()).hexdigest()
        return Dataset(name, "pairs", "generated", {}, {"all": digest}, OWN_LICENCE)
    remote = remote_of(name)
    found = find(remote, cache_folder()) if remote else None
    if remote and found:
        return Dataset(name, remote.kind, "downloaded", {"all": found[0]}, {"all": found[1]}, remote.licence)
    if name in BUNDLED:
        return _bundled(name)
    if remote:
        raise DataError(
            f"expected the data set {name!r} in the cache {str(cache_folder())!r}, got nothing there; download it: "
            f"make data DATA={name} (or python -m seq2seq.data {name}), or add FILE=path for one at hand"
        )
    if not name:
        raise DataError(_unknown(name))
    return _from_path(Path(name).expanduser())


def remote_of(name: str) -> Remote | None:
    """Returns where the data set with this name is downloaded from; None if it is not downloaded."""
    if name in TEXTS:
        return Remote(name, "text", TEXTS[name], PUBLIC_DOMAIN, SHA256.get(name))
    if ANKI_NAME.fullmatch(name):
        return Remote(name, "pairs", f"https://www.manythings.org/anki/{name}.zip", TATOEBA_LICENCE)
    return None


def load_pairs(dataset: Dataset, config: DataConfig) -> Splits:
    """Reads a data set of pairs and splits it by source; the three files of a folder are not split again.

    Args:
        dataset: the result of `resolve`.
        config: how the data is read, and the seed of the split.

    Raises:
        DataError: a file cannot be used, or the data set is a text.
        OptionError: see `read_pairs`.

    """
    if dataset.kind != "pairs":
        raise DataError(
            f"expected a data set of pairs, got {dataset.name!r}, which is a text for a language model; "
            "name a .tsv, or one of " + ", ".join(name for name in NAMES if _is_pairs(name))
        )
    if "train" in dataset.paths:
        parts = {part: read_pairs(path, config) for part, path in dataset.paths.items()}
        warnings = [*_overlaps(parts), *_warnings(parts)]
        reports = [part.report for part in parts.values()]
        train, held_out, tested = (parts[part].pairs for part in FOLDER_FILES)
        return Splits(train, held_out, tested, reports, warnings)
    if dataset.origin == "generated":
        utf8 = dataclasses.replace(config, encoding="utf-8")
        whole = read_pairs(dataset.name, utf8, content=_generated_rows())
    else:
        whole = read_pairs(dataset.paths["all"], config)
    split = split_by_source(whole.pairs, seed=config.split_seed)
    return Splits(*split, [whole.report], _warnings({"all": whole}))


def bundled_path(name: str) -> Path:
    """Finds a bundled file: inside an installed package, or in the `data` folder of a clone.

    Raises:
        DataError: the file is in neither place.

    """
    package = Path(__file__).resolve().parents[1]
    places = (package / "_bundled" / BUNDLED[name], package.parent / "data" / BUNDLED[name])
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        f"expected the bundled data set {name!r} at {' or '.join(repr(str(place)) for place in places)}, "
        "got no such file; install the package again"
    )


def _bundled(name: str) -> Dataset:
    path = bundled_path(name)
    notice = None
    if remote_of(name):
        notice = (
            f"{name}: using the bundled starter corpus; for the full Tatoeba file: "
            f"make data DATA={name} (or python -m seq2seq.data {name})"
        )
    kind = "pairs" if _is_pairs(name) else "text"
    return Dataset(name, kind, "bundled", {"all": path}, {"all": sha256_of(path)}, OWN_LICENCE, notice)


def _from_path(path: Path) -> Dataset:
    if path.is_dir():
        paths = {part: path / file for part, file in FOLDER_FILES.items()}
        missing = [file.name for file in paths.values() if not file.is_file()]
        if missing:
            raise DataError(
                f"expected {', '.join(FOLDER_FILES.values())} in the folder {str(path)!r}, "
                f"got no {', '.join(missing)}; add it, or name a single .tsv, which is then split by source"
            )
        return _own(path.resolve().name, "pairs", paths)
    if not path.exists() and (path.suffix or len(path.parts) > 1):
        raise DataError(f"expected a file or folder, got {str(path)!r}, which does not exist; check the path")
    if not path.exists():
        raise DataError(_unknown(str(path)))
    check_ordinary(path)
    suffix = path.suffix.lower()
    if suffix == ".tsv":
        return _own(path.stem, "pairs", {"all": path})
    sample = _sample(path)
    if suffix in (".txt", ".csv", "") and _mostly_tabs(sample):
        return dataclasses.replace(_own(path.stem, "pairs", {"all": path}), notice=_read_as_pairs(path))
    if suffix == ".txt":
        return _own(path.stem, "text", {"all": path})
    if suffix == ".csv":
        raise DataError(_no_tabs(path, sample))
    raise DataError(
        f"expected pairs with tabs between the columns (.tsv, .txt, .csv or no extension), a .txt for a language "
        f"model, or a folder with {', '.join(FOLDER_FILES.values())}, got {str(path)!r}; rename the file if it is one "
        "of these" + (" (a zip of the Anki site: make data DATA=NAME FILE=path)" if suffix == ".zip" else "")
    )


def _read_as_pairs(path: Path) -> str:
    copy = path.with_name(f"{path.stem}-text.txt")
    return (
        f"{path}: tabs on most lines, so it is read as pairs for a translator; if it is a text for a language model, "
        f"replace the tabs: tr '\\t' ' ' < {shlex.quote(str(path))} > {shlex.quote(str(copy))}"
    )


def _no_tabs(path: Path, sample: bytes) -> str:
    """Writes the message for a .csv without tabs, with a command that converts it and understands its quotes."""
    separator = max((",", ";"), key=lambda mark: sample.count(mark.encode()))
    name, new = shlex.quote(str(path)), shlex.quote(str(path.with_suffix(".tsv")))
    program = (
        "import csv, sys; sys.stdout.reconfigure(encoding='utf-8'); "
        f"rows = csv.reader(open(sys.argv[1], encoding='utf-8-sig', newline=''), delimiter='{separator}'); "
        "[print(*(' '.join(cell.split()) for cell in row), sep='\\t') for row in rows]"
    )
    return (
        f"expected tabs between the columns, got {str(path)!r} with tabs on few lines; if {separator!r} separates its "
        f'columns, write it with tabs: python3 -c "{program}" {name} > {new}'
    )


def _own(name: str, kind: str, paths: dict[str, Path]) -> Dataset:
    digests = {}
    for part, path in paths.items():
        with readable(path):
            digests[part] = sha256_of(path)
    return Dataset(name, kind, "path", paths, digests, None)


def _sample(path: Path) -> bytes:
    with readable(path), path.open("rb") as file:
        return file.read(_SAMPLE_BYTES)


def _mostly_tabs(sample: bytes) -> bool:
    lines = [line for line in sample.split(b"\n") if line.strip()]
    return sum(b"\t" in line for line in lines) * 2 > len(lines)


def _unknown(name: str) -> str:
    message = f"expected a data set's name or a path, got {name!r}, which is neither; "
    lowered = name.lower()
    close = difflib.get_close_matches(lowered, NAMES, n=3, cutoff=0.5)
    swapped = re.fullmatch(r"eng-([a-z]{3})", lowered)
    if swapped:
        message += f"that pair is called {swapped[1]}-eng (its source is English; --reverse swaps source and target); "
    elif lowered != name and ANKI_NAME.fullmatch(lowered):
        close = [lowered]
    if close and not swapped:
        message += f"did you mean {' or '.join(close)}? "
    return f"{message}known names: {', '.join(NAMES)}, and other xxx-eng pairs of manythings.org/anki"


def _is_pairs(name: str) -> bool:
    return name == "dates" or bool(ANKI_NAME.fullmatch(name))


def _generated_rows() -> bytes:
    return "".join(f"{source}\t{target}\n" for source, target in dates.generate()).encode("utf-8")


def _warnings(parts: dict[str, PairFile]) -> list[str]:
    return [warning for part in parts.values() if (warning := part.report.warning())]


def _overlaps(parts: dict[str, PairFile]) -> list[str]:
    keys = {part: {source_key(pair.source) for pair in file.pairs} for part, file in parts.items()}
    lines = []
    for held_out in ("validation", "test"):
        shared = len(keys[held_out] & keys["train"])
        if shared:
            lines.append(
                f"{FOLDER_FILES[held_out]}: {shared} of {len(keys[held_out])} sources are also in "
                f"{FOLDER_FILES['train']}; scores on them show memory, not translation"
            )
    return lines

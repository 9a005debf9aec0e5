import hashlib
import zipfile
from pathlib import Path

import pytest

from seq2seq import datasets
from seq2seq.cache import install
from seq2seq.datasets import load_pairs, remote_of, resolve
from seq2seq.dates import generate
from seq2seq.errors import DataError

ROWS = "Go.\tVa !\tCC-BY 2.0\nHi.\tSalut !\tCC-BY 2.0\nRun!\tCours !\tCC-BY 2.0\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(folder))
    return folder


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "fra-eng.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("_about.txt", "about")
        file.writestr("fra.txt", ROWS)
    return path


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    """Bundled files of the test's own, in a clone's place."""
    package = tmp_path / "clone" / "seq2seq"
    for name in datasets.BUNDLED.values():
        path = tmp_path / "clone" / "data" / name
        path.parent.mkdir(parents=True)
        path.write_text(ROWS)
    package.mkdir()
    monkeypatch.setattr(datasets, "__file__", str(package / "datasets.py"))
    return package


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def write_folder(path, train="a\tb\nc\td\n", dev="e\tf\n", test="g\th\n"):
    path.mkdir()
    for name, text in (("train.tsv", train), ("dev.tsv", dev), ("test.tsv", test)):
        if text is not None:
            (path / name).write_text(text)
    return path


# names


def test_absent_fra_eng_is_the_bundled_corpus_and_says_how_to_get_the_full_one(bundled):
    dataset = resolve("fra-eng")
    assert (dataset.kind, dataset.origin) == ("pairs", "bundled")
    assert "starter corpus" in dataset.notice
    assert "make data DATA=fra-eng" in dataset.notice
    assert "\n" not in dataset.notice
    assert dataset.licence.startswith("CC0")
    assert dataset.sha256["all"] == sha256(dataset.paths["all"])


def test_fra_eng_of_the_cache_comes_before_the_bundled_one(bundled, folder, archive):
    install(remote_of("fra-eng"), folder, file=archive)
    dataset = resolve("fra-eng")
    assert (dataset.origin, dataset.notice) == ("downloaded", None)
    assert dataset.paths["all"] == folder / "fra-eng.tsv"
    assert "CC BY 2.0 FR, tatoeba.org" in dataset.licence


def test_bundled_files_are_found_inside_an_installed_package(bundled):
    inside = bundled / "_bundled" / "prose" / "prose.txt"
    inside.parent.mkdir(parents=True)
    inside.write_text("Once.\n")
    assert resolve("prose").paths["all"] == inside
    assert resolve("prose").kind == "text"


def test_a_bundled_file_that_is_not_there_is_named(bundled):
    datasets.bundled_path("prose").unlink()
    with pytest.raises(DataError, match=r"bundled data set 'prose' at .*prose\.txt.* install the package again"):
        resolve("prose")


@pytest.mark.parametrize("name", ["deu-eng", "abc-eng", "king-lear", "nietzsche", "tiny-shakespeare"])
def test_an_absent_download_names_the_command(name):
    with pytest.raises(DataError, match=rf"make data DATA={name} .*FILE=path"):
        resolve(name)


def test_any_pair_of_the_site_has_an_address():
    assert remote_of("cmn-eng").url == "https://www.manythings.org/anki/cmn-eng.zip"
    assert remote_of("dates") is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("fra-engl", "did you mean fra-eng"),
        ("Fra-Eng", r"did you mean fra-eng\?"),
        ("tiny-shakespear", "did you mean tiny-shakespeare"),
        ("eng-fra", r"called fra-eng \(its source is English; --reverse turns it\)"),
        ("", "known names"),
        ("xyzzy", "known names: dates, fra-eng,.*king-lear"),
    ],
)
def test_an_unknown_name_lists_names_and_close_ones(name, hint):
    with pytest.raises(DataError, match=rf"got '{name}', which is neither; .*{hint}"):
        resolve(name)


def test_a_name_comes_before_a_folder_of_the_same_spelling(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "dates")
    assert resolve("dates").origin == "generated"
    assert resolve("./dates").origin == "path"


# paths


def test_a_tsv_is_pairs_and_a_txt_is_text(tmp_path):
    (tmp_path / "words.tsv").write_text("a\tb\n")
    (tmp_path / "story.txt").write_text("Once\tupon\na\ntime\n")
    pairs, text = resolve(tmp_path / "words.tsv"), resolve(str(tmp_path / "story.txt"))
    assert (pairs.name, pairs.kind, pairs.origin, pairs.licence) == ("words", "pairs", "path", None)
    assert (text.name, text.kind) == ("story", "text")
    assert pairs.sha256 == {"all": sha256(tmp_path / "words.tsv")}


def test_a_txt_of_tabs_offers_both_readings(tmp_path):
    (tmp_path / "fra.txt").write_text(ROWS)
    with pytest.raises(DataError, match=r"tabs on most lines; if these are pairs, .*'fra\.tsv'.*if it is text, .*tr "):
        resolve(tmp_path / "fra.txt")


def test_a_folder_is_taken_as_it_is(tmp_path):
    dataset = resolve(write_folder(tmp_path / "mine"))
    assert list(dataset.paths) == ["train", "validation", "test"] == list(dataset.sha256)
    loaded = load_pairs(dataset, seed=1)
    assert loaded[:3] == ([("a", "b"), ("c", "d")], [("e", "f")], [("g", "h")])
    assert (len(loaded.reports), loaded.warnings) == (3, [])


def test_a_folder_that_lacks_a_file_names_it(tmp_path):
    with pytest.raises(DataError, match=r"got no dev\.tsv; add it"):
        resolve(write_folder(tmp_path / "mine", dev=None))


def test_a_folder_that_tests_on_what_it_trains_on_is_warned_of(tmp_path):
    loaded = load_pairs(resolve(write_folder(tmp_path / "mine", test="A\tx\nz\ty\n")), seed=1)
    assert loaded.warnings == [
        "test.tsv: 1 of 2 sources are also in train.tsv; scores on them show memory, not translation"
    ]


@pytest.mark.parametrize("name", ["pairs.csv", "pairs", "fra-eng.zip"])
def test_another_extension_lists_what_is_possible(tmp_path, name):
    (tmp_path / name).write_text(ROWS)
    with pytest.raises(DataError, match=r"\.tsv of pairs, a \.txt .*train\.tsv, dev\.tsv, test\.tsv.*rename"):
        resolve(tmp_path / name)


def test_a_path_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.tsv', which does not exist; check the path"):
        resolve(tmp_path / "absent.tsv")


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "x.tsv").write_text(ROWS)
    monkeypatch.setattr(datasets, "sha256_of", refuse)
    with pytest.raises(DataError, match=r"cannot read '.*x\.tsv': Permission denied; check"):
        resolve(tmp_path / "x.tsv")


# loading


def test_a_file_is_split_by_source_with_the_seed(tmp_path):
    (tmp_path / "x.tsv").write_text("".join(f"{i // 2}\t{i}\n" for i in range(100)))
    dataset = resolve(tmp_path / "x.tsv")
    loaded = load_pairs(dataset, seed=4)
    assert [len(part) for part in loaded[:3]] == [80, 10, 10]
    assert loaded == load_pairs(dataset, seed=4)
    assert [len(part) for part in load_pairs(dataset, seed=4, validation=1, test=2)[:3]] == [94, 2, 4]


def test_reading_options_reach_the_file(tmp_path):
    (tmp_path / "x.tsv").write_text("a\tB\nb\tC\nno tab\nc\tD\n")
    loaded = load_pairs(resolve(tmp_path / "x.tsv"), seed=1, reverse=True, lowercase=True)
    assert sorted(loaded.train + loaded.validation + loaded.test) == [("b", "a"), ("c", "b"), ("d", "c")]
    assert "line 3 (no tab)" in loaded.warnings[0]


def test_dates_are_generated_without_a_file(folder):
    dataset = resolve("dates")
    loaded = load_pairs(dataset, seed=1)
    assert sorted(loaded.train + loaded.validation + loaded.test) == sorted(generate())
    assert [len(part) for part in loaded[:3]] == [6400, 800, 800]
    assert dataset.paths == {}
    assert len(dataset.sha256["all"]) == 64
    assert not folder.exists()


def test_a_text_has_no_pairs(bundled):
    with pytest.raises(DataError, match=r"'prose', which is a text for a language model; .*fra-eng"):
        load_pairs(resolve("prose"), seed=1)


# data/README.md


def readme_row(name, content, licence):
    rows = content.count(b"\n")
    return f"| `{name}` | {rows} | {len(content)} | `{hashlib.sha256(content).hexdigest()}` | {licence} |"


@pytest.mark.parametrize("name", ["fra-eng", "prose"])
def test_the_readme_agrees_with_the_bundled_files(name):
    readme = Path(__file__).parent.parent / "data" / "README.md"
    content = datasets.bundled_path(name).read_bytes()
    assert readme_row(name, content, "CC0 1.0") in readme.read_text(encoding="utf-8").splitlines()


def test_the_readme_agrees_with_the_generated_dates():
    readme = Path(__file__).parent.parent / "data" / "README.md"
    content = "".join(f"{source}\t{target}\n" for source, target in generate()).encode()
    assert readme_row("dates", content, "CC0 1.0") in readme.read_text(encoding="utf-8").splitlines()
    assert hashlib.sha256(content).hexdigest() == resolve("dates").sha256["all"]

import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from seq2seq import train
from seq2seq.config import DataConfig
from seq2seq.errors import DataError
from seq2seq.text import datasets
from seq2seq.text.cache import install
from seq2seq.text.datasets import load_pairs, remote_of, resolve
from seq2seq.text.dates import generate
from seq2seq.text.pairs import EVERY_ROW, read_pairs

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
    monkeypatch.setattr(datasets, "__file__", str(package / "text" / "datasets.py"))
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


def test_bundled_pairs_are_those_of_their_file(bundled):
    datasets.bundled_path("fra-eng").write_text("".join(f"English {row}.\tFrançais {row}.\n" for row in range(40)))
    splits = load_pairs(resolve("fra-eng"), DataConfig())
    pairs = [*splits.train, *splits.validation, *splits.test]
    assert {(pair.source, pair.target) for pair in pairs} == {
        (f"English {row}.", f"Français {row}.") for row in range(40)
    }


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
        ("eng-fra", r"called fra-eng \(its source is English; --reverse swaps source and target\)"),
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


@pytest.mark.parametrize("name", ["fra.txt", "fra.TXT", "fra.csv", "fra", "fra.TSV"])
def test_tabs_on_most_lines_mean_pairs_whatever_the_extension(tmp_path, name):
    (tmp_path / name).write_text(ROWS)
    dataset = resolve(tmp_path / name)
    assert (dataset.name, dataset.kind, dataset.origin) == ("fra", "pairs", "path")
    assert read_pairs(dataset.paths["all"], EVERY_ROW).pairs == [
        ("Go.", "Va !"),
        ("Hi.", "Salut !"),
        ("Run!", "Cours !"),
    ]


def test_pairs_under_another_name_are_said_with_the_other_reading(tmp_path):
    (tmp_path / "fra.txt").write_text(ROWS)
    assert resolve(tmp_path / "fra.txt").notice == (
        f"{tmp_path}/fra.txt: tabs on most lines, so it is read as pairs for a translator; if it is a text for a "
        f"language model, replace the tabs: tr '\\t' ' ' < {tmp_path}/fra.txt > {tmp_path}/fra-text.txt"
    )
    (tmp_path / "fra.tsv").write_text(ROWS)
    assert resolve(tmp_path / "fra.tsv").notice is None


def test_train_takes_a_txt_of_pairs_and_says_so(tmp_path, capsys):
    rows = [f"{one}{other}.\t{other}{one}!\tCC-BY 2.0\n" for one in "abcdef" for other in "abcdef"]
    (tmp_path / "fra.txt").write_text("".join(rows))
    assert train.main(["--data", str(tmp_path / "fra.txt"), "--hidden-size", "8", "--dry-run"]) == 0
    err = capsys.readouterr().err
    assert "fra.txt: tabs on most lines, so it is read as pairs for a translator" in err
    assert "pairs: 30 train, 3 validation, 3 test" in err


def test_train_checks_the_options_of_reading_before_it_looks_at_the_file(tmp_path, capsys):
    (tmp_path / "fra.tsv").write_bytes(b"\xff")
    assert train.main(["--data", str(tmp_path / "fra.tsv"), "--encoding", "cp12", "--model", str(tmp_path / "m")]) == 2
    assert "error: expected --encoding to be one that Python knows, got 'cp12'" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_commas_are_refused_with_the_command_that_makes_tabs_of_them(tmp_path):
    rows = '"Go, now.",Va !\nHi.,"Il dit ""Salut""\nà tous"\n'
    (tmp_path / "my pairs.csv").write_text(rows, encoding="utf-8-sig")
    with pytest.raises(
        DataError, match=r"expected tabs .*my pairs\.csv' with tabs on few lines; if ',' separates"
    ) as got:
        resolve(tmp_path / "my pairs.csv")
    subprocess.run(str(got.value).partition("write it with tabs: ")[2], shell=True, check=True)
    pairs = read_pairs(tmp_path / "my pairs.tsv", EVERY_ROW).pairs
    assert pairs == [("Go, now.", "Va !"), ("Hi.", 'Il dit "Salut" à tous')]


def test_semicolons_are_named_where_there_are_more_of_them(tmp_path):
    (tmp_path / "pairs.csv").write_text("a, b;c\nd;e\n")
    with pytest.raises(DataError, match="if ';' separates its columns, .*delimiter=';'"):
        resolve(tmp_path / "pairs.csv")


def test_a_folder_is_taken_as_it_is(tmp_path):
    dataset = resolve(write_folder(tmp_path / "mine"))
    assert list(dataset.paths) == ["train", "validation", "test"] == list(dataset.sha256)
    loaded = load_pairs(dataset, DataConfig())
    assert loaded[:3] == ([("a", "b"), ("c", "d")], [("e", "f")], [("g", "h")])
    assert (len(loaded.reports), loaded.warnings) == (3, [])


def test_a_folder_that_lacks_a_file_names_it(tmp_path):
    with pytest.raises(DataError, match=r"got no dev\.tsv; add it"):
        resolve(write_folder(tmp_path / "mine", dev=None))


def test_a_folder_that_tests_on_what_it_trains_on_is_warned_of(tmp_path):
    loaded = load_pairs(resolve(write_folder(tmp_path / "mine", test="A\tx\nz\ty\n")), DataConfig())
    assert loaded.warnings == [
        "test.tsv: 1 of 2 sources are also in train.tsv; scores on them show memory, not translation"
    ]


@pytest.mark.parametrize(("name", "text"), [("story", "Once\n"), ("fra-eng.zip", ROWS), ("pairs.npz", ROWS)])
def test_another_form_lists_what_is_possible(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(
        DataError, match=r"tabs between .*, a \.txt for .*train\.tsv, dev\.tsv, test\.tsv.*rename"
    ) as error:
        resolve(tmp_path / name)
    assert ("Anki site: make data DATA=NAME FILE=path" in str(error.value)) == name.endswith(".zip")


def test_a_path_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.tsv', which does not exist; check the path"):
        resolve(tmp_path / "absent.tsv")


def test_a_name_with_a_folder_is_a_path_and_a_name_alone_is_the_name_of_a_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"got 'some/absent', which does not exist; check the path"):
        resolve("some/absent")
    with pytest.raises(DataError, match="a data set's name or a path, got 'absent', which is neither"):
        resolve("absent")


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
    loaded = load_pairs(dataset, DataConfig(split_seed=4))
    assert [len(part) for part in loaded[:3]] == [80, 10, 10]
    assert loaded == load_pairs(dataset, DataConfig(split_seed=4))
    assert loaded != load_pairs(dataset, DataConfig(split_seed=5))


def test_reading_options_reach_the_file(tmp_path):
    (tmp_path / "x.tsv").write_text("a\tB\nb\tC\nno tab\nc\tD\n")
    loaded = load_pairs(resolve(tmp_path / "x.tsv"), DataConfig(reverse=True, lowercase=True))
    assert sorted(loaded.train + loaded.validation + loaded.test) == [("b", "a"), ("c", "b"), ("d", "c")]
    assert "line 3 (no tab)" in loaded.warnings[0]


def test_dates_are_generated_without_a_file(folder):
    dataset = resolve("dates")
    loaded = load_pairs(dataset, DataConfig())
    assert sorted(loaded.train + loaded.validation + loaded.test) == sorted(generate())
    assert [len(part) for part in loaded[:3]] == [6400, 800, 800]
    assert dataset.paths == {}
    assert len(dataset.sha256["all"]) == 64
    assert not folder.exists()


def test_generated_rows_are_read_whatever_the_encoding_of_files(folder):
    assert load_pairs(resolve("dates"), DataConfig(encoding="utf-16")) == load_pairs(resolve("dates"), DataConfig())


def test_a_text_has_no_pairs(bundled):
    with pytest.raises(DataError, match=r"'prose', which is a text for a language model; .*fra-eng"):
        load_pairs(resolve("prose"), DataConfig())


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

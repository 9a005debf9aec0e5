import hashlib
import zipfile
from pathlib import Path

import pytest

from seq2seq import data
from seq2seq.text import cache
from seq2seq.text.downloads import DownloadRecord

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


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_data_installs_a_file_and_says_in_one_line_what_it_is(folder, archive, capsys):
    assert data.main(["fra-eng", "--file", str(archive)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("fra-eng: downloaded, 3 pairs, ")
    assert out.count("\n") == 1
    assert sha256(folder / "fra-eng.tsv") in out


def test_data_does_not_download_what_is_there(archive, monkeypatch, capsys):
    data.main(["fra-eng", "--file", str(archive)])
    monkeypatch.setattr(cache, "download", lambda *args, **options: pytest.fail("downloaded again"))
    assert data.main(["fra-eng"]) == 0


def test_data_repairs_what_is_damaged(folder, archive, monkeypatch, capsys):
    data.main(["fra-eng", "--file", str(archive)])
    (folder / "fra-eng.tsv").write_text("x")

    def arrive(url, target, **options):
        target.write_bytes(archive.read_bytes())
        return DownloadRecord(url, 1, "0", 1, False)

    monkeypatch.setattr(cache, "download", arrive)
    assert data.main(["fra-eng"]) == 0
    assert (folder / "fra-eng.tsv").read_text() == ROWS


def test_data_has_nothing_to_do_for_generated_and_bundled_sets(capsys):
    assert data.main(["dates"]) == data.main(["prose"]) == 0
    assert capsys.readouterr().out.startswith("dates: generated")


def test_data_wants_a_name_for_a_file(archive, capsys):
    assert data.main(["dates", "--file", str(archive)]) == 2
    assert "--file: expected the name of a data set that is downloaded, got 'dates'" in capsys.readouterr().err


def test_data_of_an_unknown_name_lists_the_known_in_one_line(capsys):
    assert data.main(["nothing"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("seq2seq data: error: ")
    assert "known names" in error
    assert error.count("\n") == 1

import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import pytest
from faulty_server import serving

from seq2seq.errors import DataError
from seq2seq.text import cache
from seq2seq.text.cache import Remote, cache_folder, find, install
from seq2seq.text.datasets import remote_of, resolve
from seq2seq.text.downloads import DownloadRecord
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
    return archive_of(tmp_path, ROWS)


@pytest.fixture
def server():
    with serving() as server:
        yield server


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def archive_of(folder, text):
    """Writes a zip in the form of the Anki site's."""
    path = folder / "fra-eng.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("_about.txt", "about")
        file.writestr("fra.txt", text)
    return path


def test_the_cache_follows_the_environment(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    monkeypatch.setenv("SEQ2SEQ_CACHE", "/a")
    assert cache_folder() == Path("/a")
    monkeypatch.setenv("SEQ2SEQ_CACHE", "")
    assert cache_folder() == Path("/b/seq2seq")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "seq2seq"


def test_a_file_at_hand_is_installed_with_a_record(folder, archive):
    installed = install(remote_of("fra-eng"), folder, file=archive)
    record = json.loads((folder / "fra-eng.json").read_text())
    assert record["sha256"] == installed.sha256 == sha256(folder / "fra-eng.tsv")
    assert (record["size"], record["origin"]) == (len(ROWS.encode()), str(archive))
    assert (record["origin_size"], record["origin_sha256"]) == (archive.stat().st_size, sha256(archive))
    assert sorted(path.name for path in folder.iterdir()) == ["fra-eng.json", "fra-eng.tsv"]


def test_a_text_at_hand_is_installed_too(folder, tmp_path):
    (tmp_path / "fra.txt").write_text(ROWS)
    install(remote_of("fra-eng"), folder, file=tmp_path / "fra.txt")
    assert len(read_pairs(resolve("fra-eng").paths["all"], EVERY_ROW).pairs) == 3


def test_a_download_is_unpacked_and_recorded(folder, archive, monkeypatch):
    def arrive(url, target, **options):
        target.write_bytes(archive.read_bytes())
        return DownloadRecord(url, archive.stat().st_size, sha256(archive), 1, False)

    monkeypatch.setattr(cache, "download", arrive)
    installed = install(remote_of("fra-eng"), folder)
    assert installed.origin == "https://www.manythings.org/anki/fra-eng.zip"
    assert installed.origin_sha256 == sha256(archive)
    assert sorted(path.name for path in folder.iterdir()) == ["fra-eng.json", "fra-eng.tsv"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("fra-eng", b"no tabs here\n", "no usable pair"),
        ("fra-eng", b"<!DOCTYPE html><html>\ta</html>", "got a web page"),
        ("fra-eng", b"PK\x03\x04 cut", "complete zip archive"),
        ("king-lear", b" \n", "empty"),
        ("king-lear", b"caf\xe9", r"got b'\\xe9' at byte 3"),
        ("king-lear", bytes(100), "NUL bytes"),
    ],
)
def test_a_file_that_is_not_the_data_set_leaves_the_cache_as_it_was(folder, tmp_path, name, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=message):
        install(remote_of(name), folder, file=tmp_path / "file")
    assert not list(folder.iterdir())


def test_project_gutenbergs_own_words_are_left_out(folder, tmp_path):
    around = (
        b"licence\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\r\n",
        b"*** END OF THE PROJECT\nlicence\n",
    )
    (tmp_path / "lear.txt").write_bytes(b"\nACT I\n\n".join(around))
    install(remote_of("king-lear"), folder, file=tmp_path / "lear.txt")
    assert resolve("king-lear").paths["all"].read_text() == "ACT I\n"
    assert resolve("king-lear").kind == "text"


@pytest.mark.parametrize("change", [b"x", ROWS.upper().encode()])
def test_a_cached_file_that_changed_is_refused(folder, archive, change):
    install(remote_of("fra-eng"), folder, file=archive)
    before = Path(shutil.copy(folder / "fra-eng.tsv", folder.parent / "before"))
    (folder / "fra-eng.tsv").write_bytes(change)
    with pytest.raises(DataError) as error:
        resolve("fra-eng")
    path = folder / "fra-eng.tsv"
    assert str(error.value) == (
        f"expected {str(path)!r} as it was installed, {before.stat().st_size} bytes with sha256 {sha256(before)}, got "
        f"{len(change)} bytes with sha256 {sha256(path)}; install it again: make data DATA=fra-eng"
    )


def test_an_unreadable_cached_file_is_named(folder, archive, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    install(remote_of("fra-eng"), folder, file=archive)
    monkeypatch.setattr(cache, "sha256_of", refuse)
    with pytest.raises(DataError, match=r"cannot read '.*fra-eng\.tsv': Permission denied; check"):
        resolve("fra-eng")


def test_a_damaged_record_is_refused(folder, archive):
    install(remote_of("fra-eng"), folder, file=archive)
    (folder / "fra-eng.json").write_text("{")
    with pytest.raises(DataError, match=r"the record of a data set in .*fra-eng\.json"):
        resolve("fra-eng")


def test_a_file_that_the_user_put_into_the_cache_needs_no_record(folder):
    folder.mkdir()
    (folder / "deu-eng.tsv").write_text(ROWS)
    assert resolve("deu-eng").sha256 == {"all": sha256(folder / "deu-eng.tsv")}


def test_a_cache_that_cannot_be_written_is_said(tmp_path, archive):
    (tmp_path / "blocked").write_text("a file, not a folder")
    with pytest.raises(DataError, match=r"cannot write to the cache .*SEQ2SEQ_CACHE"):
        install(remote_of("fra-eng"), tmp_path / "blocked" / "cache", file=archive)


def test_a_data_set_is_installed_over_a_connection_that_is_cut(server, folder, tmp_path):
    text = "".join(f"{i * i}\t{i}\n" for i in range(5000))
    server.content = archive_of(tmp_path, text).read_bytes()
    server.cuts = [len(server.content) // 2]
    remote = Remote("fra-eng", "pairs", server.url, "CC BY 2.0 FR")
    installed = install(remote, folder, sleep=lambda seconds: None)
    assert server.requests[1]["Range"] == f"bytes={len(server.content) // 2}-"
    assert installed.origin_sha256 == hashlib.sha256(server.content).hexdigest()
    assert find(remote, folder) == (folder / "fra-eng.tsv", installed.sha256)
    assert (folder / "fra-eng.tsv").read_text() == text
    assert len(list(folder.iterdir())) == 2


def test_a_download_that_is_not_the_pinned_file_is_refused(server, folder):
    server.content = b"other text\n"
    remote = Remote("tiny", "text", server.url, "public domain", sha256="0" * 64)
    with pytest.raises(
        DataError, match=r"expected sha256 0{64} for http.*, got [0-9a-f]{64}; .* give it with FILE=path"
    ):
        install(remote, folder)
    assert not list(folder.iterdir())


def test_the_pinned_file_is_installed_without_a_word(server, folder):
    server.content = b"some text\n"
    said = []
    remote = Remote("tiny", "text", server.url, "public domain", sha256=hashlib.sha256(server.content).hexdigest())
    assert install(remote, folder, say=said.append).origin_sha256 == remote.sha256
    assert said == []


def test_a_download_that_cannot_be_checked_is_said_in_one_line(server, folder, tmp_path):
    server.content = archive_of(tmp_path, ROWS).read_bytes()
    said = []
    install(Remote("fra-eng", "pairs", server.url, "CC BY 2.0 FR"), folder, say=said.append)
    (line,) = said
    assert line.startswith(f"{server.url}: not checked, since no checksum is known for a file that its site may change")
    assert hashlib.sha256(server.content).hexdigest() in line


def test_a_file_at_hand_that_is_not_the_pinned_one_is_installed_and_said(folder, tmp_path):
    (tmp_path / "mine.txt").write_text("my own copy\n")
    said = []
    install(remote_of("tiny-shakespeare"), folder, file=tmp_path / "mine.txt", say=said.append)
    assert resolve("tiny-shakespeare").paths["all"].read_text() == "my own copy\n"
    (line,) = said
    assert f"{tmp_path}/mine.txt: is not the file of https://raw.githubusercontent.com/karpathy" in line


def test_what_is_stable_is_pinned_and_what_sites_change_is_not():
    assert len(remote_of("tiny-shakespeare").sha256) == 64
    assert [remote_of(name).sha256 for name in ("king-lear", "nietzsche", "fra-eng")] == [None, None, None]


def test_tiny_shakespeare_at_hand_is_the_pinned_file(real_corpora):
    file = real_corpora / "tiny-shakespeare.txt"
    assert (file.stat().st_size, sha256(file)) == (1115394, remote_of("tiny-shakespeare").sha256)


def test_a_truncated_archive_on_the_server_is_not_installed(server, folder, tmp_path):
    server.content = archive_of(tmp_path, "a\tb\n" * 1000).read_bytes()[:-30]
    remote = Remote("fra-eng", "pairs", server.url, "CC BY 2.0 FR")
    with pytest.raises(DataError, match="complete zip archive"):
        install(remote, folder)
    assert not list(folder.iterdir())

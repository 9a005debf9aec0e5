"""The downloader with an HTTP server on loopback."""

import hashlib
import io
import json
import sys
import threading
import zipfile

import pytest
from faulty_server import CONTENT, Handler, Server, serving

from seq2seq import terminal
from seq2seq.errors import DataError
from seq2seq.text.downloads import download, terminal_progress, unzip_text

SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture
def target(tmp_path):
    return tmp_path / "fra-eng.zip"


def fetch(server, target, **options):
    options = {"sleep": lambda seconds: None, "timeout": 5} | options
    return download(server.url, target, **options)


def test_a_whole_file_arrives_with_its_size_and_checksum(server, target):
    record = fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert record == (server.url, len(CONTENT), SHA256, 1, False)
    assert list(target.parent.iterdir()) == [target]
    assert server.requests[0]["User-Agent"].startswith("seq2seq/")


def test_a_connection_cut_in_the_middle_is_resumed_where_it_was_cut(server, target):
    server.cuts = [100_000, 50_000]
    record = fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert (record.attempts, record.resumed, record.sha256) == (3, True, SHA256)
    assert [request.get("Range") for request in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert server.requests[1]["If-Range"] == '"v1"'


def test_an_interrupted_download_continues_in_another_run(server, target):
    server.cuts = [100_000]
    with pytest.raises(DataError, match="continues where this stopped"):
        fetch(server, target, retries=0)
    assert not target.exists()
    assert fetch(server, target).resumed
    assert server.requests[-1]["Range"] == "bytes=100000-"
    assert target.read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_is_read_from_the_start(server, target):
    server.ranges, server.cuts = False, [100_000]
    record = fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert not record.resumed


def test_a_file_that_changed_meanwhile_is_not_sewn_to_the_old_part(server, target):
    server.cuts = [100_000]
    with pytest.raises(DataError):
        fetch(server, target, retries=0)
    server.content, server.etag = b"new" * 50_000, '"v2"'
    fetch(server, target)
    assert target.read_bytes() == b"new" * 50_000


def test_without_a_validator_a_cut_download_starts_again(server, target):
    server.etag, server.cuts = None, [100_000]
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert "Range" not in server.requests[1]


def test_a_weak_etag_is_no_ground_to_resume(server, target):
    server.etag, server.cuts = 'W/"v1"', [100_000]
    fetch(server, target)
    assert "Range" not in server.requests[1]


def test_a_wrong_range_is_thrown_away(server, target):
    server.wrong_range, server.cuts = True, [100_000]
    record = fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert record.attempts == 3


def test_a_damaged_note_beside_the_part_is_ignored(server, target):
    target.with_name("fra-eng.zip.part").write_bytes(b"other bytes")
    target.with_name("fra-eng.zip.part.json").write_text("{")
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_a_missing_file_fails_at_once_with_the_address_and_a_way_out(server, target):
    server.statuses = [404]
    with pytest.raises(DataError, match=rf"{server.url}, got HTTP status 404 .*FILE=path"):
        fetch(server, target)
    assert len(server.requests) == 1
    assert not list(target.parent.iterdir())


def test_a_busy_server_is_asked_again_after_longer_and_longer_waits(server, target):
    server.statuses = [503, 429, 500]
    waits, said = [], []
    assert fetch(server, target, sleep=waits.append, say=said.append).attempts == 4
    assert waits == [1, 2, 4]
    assert "HTTP status 503; attempt 2 of 5 in 1 s" in said[0]


def test_a_range_beyond_the_end_starts_again(server, target):
    server.cuts = [100_000]
    with pytest.raises(DataError):
        fetch(server, target, retries=0)
    server.statuses = [416]
    assert not fetch(server, target).resumed
    assert target.read_bytes() == CONTENT


def test_attempts_end(server, target):
    server.statuses = [500] * 9
    with pytest.raises(DataError, match=r"got HTTP status 500 \(attempt 3 of 3\); try again"):
        fetch(server, target, retries=2)
    assert len(server.requests) == 3


def test_nobody_listening_is_said_with_the_address(tmp_path):
    closed = Server()
    url = closed.url
    closed.server_close()
    with pytest.raises(DataError, match=f"{url}, got ConnectionRefusedError"):
        download(url, tmp_path / "x", retries=1, sleep=lambda seconds: None)


def test_a_silent_server_times_out(server, target, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(Handler, "do_GET", lambda self: release.wait(5))
    with pytest.raises(DataError, match=r"(?i)time"):
        fetch(server, target, timeout=0.1, retries=0)
    release.set()


def test_a_cut_is_found_by_the_checksum_where_the_server_tells_no_size(server, target):
    server.send_length, server.cuts = False, [1000]
    with pytest.raises(DataError, match=f"expected sha256 {SHA256} for .*, got .* or the download is incomplete"):
        fetch(server, target, expected_sha256=SHA256)
    assert not list(target.parent.iterdir())


def test_a_wrong_checksum_is_refused_and_leaves_nothing(server, target):
    with pytest.raises(DataError, match=rf"expected sha256 {'0' * 64} for .*, got {SHA256}"):
        fetch(server, target, expected_sha256="0" * 64)
    assert not list(target.parent.iterdir())


def test_the_right_checksum_is_accepted(server, target):
    assert fetch(server, target, expected_sha256=SHA256).sha256 == SHA256


def test_an_old_file_stays_until_the_new_one_is_whole(server, target):
    target.write_bytes(b"old")
    server.statuses = [404]
    with pytest.raises(DataError):
        fetch(server, target)
    assert target.read_bytes() == b"old"
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_a_full_disk_is_said_at_once(server, target, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(DataError, match=r"cannot write '.*\.part': No space left on device; make room"):
        fetch(server, target)
    assert len(server.requests) == 1


def test_an_absent_folder_is_said(server, tmp_path):
    with pytest.raises(DataError, match=r"cannot write .*No such file"):
        fetch(server, tmp_path / "absent" / "x.zip")


def test_only_web_addresses_are_fetched(tmp_path):
    with pytest.raises(DataError, match="http or https address, got 'file:///etc/hostname'"):
        download("file:///etc/hostname", tmp_path / "x")


def test_progress_ends_at_the_whole_size(server, target):
    seen = []
    fetch(server, target, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert len(seen) > 1


def test_a_bar_is_drawn_on_a_terminal_alone(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    terminal_progress("fra-eng")(1_000_000, 2_000_000)
    assert screen.getvalue() == ""
    screen.isatty = lambda: True
    monkeypatch.setattr(terminal, "LIVE_SECONDS", 0.0)
    show = terminal_progress("fra-eng")
    show(500_000, 2_000_000)
    show(1_000_000, 2_000_000)
    assert "[##########----------] 50%  fra-eng  1.0 of 2.0 MB  0 s left" in screen.getvalue()
    show(2_000_000, 2_000_000)
    assert screen.getvalue().endswith(f"{' ' * 40}\r")
    show(5_000_000, None)
    assert "\rfra-eng  5.0 MB " in screen.getvalue()


def make_zip(path, **texts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in texts.items():
            archive.writestr(name.replace("_txt", ".txt"), text)
    return path


def test_the_text_beside_about_is_unzipped(tmp_path):
    path = make_zip(tmp_path / "a.zip", _about_txt="about", fra_txt="Go.\tVa !\n" * 500)
    assert unzip_text(path) == b"Go.\tVa !\n" * 500


@pytest.mark.parametrize("keep", [10, 300, -1])
def test_a_truncated_zip_is_refused(tmp_path, keep):
    path = make_zip(tmp_path / "a.zip", fra_txt="".join(f"{i * i}\t{i}\n" for i in range(2000)))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"complete zip archive, got '.*a\.zip', which is truncated.*download it again"):
        unzip_text(path)


def test_a_damaged_zip_is_refused(tmp_path):
    path = make_zip(tmp_path / "a.zip", fra_txt="".join(f"{i * i}\t{i}\n" for i in range(2000)))
    data = bytearray(path.read_bytes())
    data[200:210] = bytes(10)
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        unzip_text(path)


@pytest.mark.parametrize("texts", [{}, {"a_txt": "x", "b_txt": "y"}, {"_about_txt": "x"}])
def test_a_zip_without_exactly_one_text_is_refused(tmp_path, texts):
    path = make_zip(tmp_path / "a.zip", **texts)
    with pytest.raises(DataError, match=r"expected one \.txt beside _about\.txt .* got "):
        unzip_text(path)


def test_a_missing_zip_is_named(tmp_path):
    with pytest.raises(DataError, match=r"^cannot read '.*absent\.zip': No such file or directory$"):
        unzip_text(tmp_path / "absent.zip")


def test_the_note_of_a_part_holds_address_and_validator(server, target):
    server.cuts = [1000]
    with pytest.raises(DataError):
        fetch(server, target, retries=0)
    note = json.loads(target.with_name("fra-eng.zip.part.json").read_text())
    assert note == {"url": server.url, "validator": '"v1"'}

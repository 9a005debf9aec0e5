"""What the page shows beside translations: runs, quotations, examinations, and the page itself."""

import asyncio
import json
import os
import re
import sys

import numpy as np
import pytest
from running import client_of, make_app
from tiny_language import SENTENCES, make_model

from seq2seq import serve
from seq2seq.api import load
from seq2seq.scoring.memorization import quoted_spans, training_text
from seq2seq.serving import examination
from seq2seq.serving.app import PAGE
from seq2seq.serving.examination import Bounds, safe_name
from seq2seq.serving.limits import Limits
from seq2seq.serving.refusals import Refusal

POSIX = pytest.mark.skipif(os.name != "posix", reason="limits on processes need a POSIX system")


# runs


@pytest.fixture
def runs(tmp_path):
    """Runs in every state: finished, under way, an ensemble, and what is none."""
    folder = tmp_path / "runs"
    folder.mkdir()
    make_model(folder / "done")
    (folder / "done" / "history.csv").write_text("epoch,loss,chrf\n1,2.5,nan\n2,1.25,30.0\n")
    (folder / "done" / "samples.txt").write_text("epoch 1: été\n", encoding="utf-8")
    going = folder / "going" / "checkpoint-2"
    going.mkdir(parents=True)
    (folder / "going" / "run.json").write_text("{}")
    (folder / "going" / "current").write_text("checkpoint-2\n")
    (going / "progress.json").write_text(
        json.dumps({"history": [{"epoch": 1, "loss": 3.0}, {"epoch": 2, "loss": 2.0}]})
    )
    for number in (1, 2, 10):
        member = folder / "joint" / f"member-{number}"
        member.mkdir(parents=True)
        (member / "run.json").write_text("{}")
        (member / "history.csv").write_text(f"epoch,loss\n1,{number}\n")
    (folder / "begun").mkdir()
    (folder / "begun" / "run.json").write_text("{}")
    (folder / "other").mkdir()
    (folder / "other" / "notes.txt").write_text("")
    (folder / "started").mkdir()
    (folder / "writing" / "checkpoint-1.partial").mkdir(parents=True)
    (folder / "members" / "member-1").mkdir(parents=True)
    (folder / "file").write_text("")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "run.json").write_text("{}")
    return folder


@pytest.fixture
def client(tiny_bundle, runs):
    with client_of(make_app(tiny_bundle(), runs=runs)) as found:
        yield found


def test_runs_are_listed_with_their_state(client):
    found = {run["name"]: run["finished"] for run in client.get("/runs").json()}
    begun = dict.fromkeys(("begun", "started", "writing", "members"), False)
    assert found == {"done": True, "going": False, "joint": False, **begun}


def test_a_run_gives_its_curves_while_it_trains_too(client):
    assert client.get("/runs/done").json() == {
        "name": "done",
        "finished": True,
        "history": [{"epoch": 1.0, "loss": 2.5, "chrf": None}, {"epoch": 2.0, "loss": 1.25, "chrf": 30.0}],
        "samples": "epoch 1: été\n",
    }
    going = client.get("/runs/going").json()
    assert (going["finished"], going["samples"]) == (False, None)
    assert going["history"] == [{"epoch": 1.0, "loss": 3.0}, {"epoch": 2.0, "loss": 2.0}]
    for name in ("begun", "started", "writing", "members"):
        assert client.get(f"/runs/{name}").json() == {"name": name, "finished": False, "history": [], "samples": None}
    assert [(row["member"], row["loss"]) for row in client.get("/runs/joint").json()["history"]] == [
        ("member-1", 1.0),
        ("member-2", 2.0),
        ("member-10", 10.0),
    ]


@pytest.mark.parametrize(
    "name", ["none", "..", "%2e%2e", "..%2fsecret", "%2e%2e%2fsecret", "other", "file", "%00", "%ff"]
)
def test_no_name_leads_out_of_the_folder_of_runs(client, name):
    answer = client.get(f"/runs/{name}")
    assert answer.status_code in (200, 404)
    assert "secret" not in answer.text or answer.json()["error"].startswith("name: expected one of GET /runs, got")
    if answer.status_code == 200:  # the client itself has taken `..` out of the path
        assert answer.url.path == "/"


def test_an_unknown_run_and_damaged_files_are_no_fault_of_the_service(client, runs):
    assert client.get("/runs/none").json() == {"error": "name: expected one of GET /runs, got 'none'"}
    (runs / "going" / "current").write_text("../../secret")
    (runs / "done" / "history.csv").write_bytes(b"\xff\xfe,\x00\n1")
    (runs / "joint" / "member-1" / "history.csv").write_text("epoch\n1,2,3\n")
    for name in ("going", "done", "joint"):
        assert client.get(f"/runs/{name}").status_code == 200


def test_without_a_folder_of_runs_there_are_none_and_a_key_is_asked_for(tiny_bundle, tmp_path):
    with client_of(make_app(tiny_bundle(), runs=tmp_path / "none", api_keys=["secret"])) as client:
        assert client.get("/runs").status_code == 403
        assert client.get("/runs", headers={"Authorization": "Bearer secret"}).json() == []


# quotations


def test_quotations_are_those_of_generate(tmp_path, tiny_bundle):
    folder = make_model(tmp_path / "text").bundle.path
    text = f"Nobody knows. {SENTENCES[:40]} No. {SENTENCES[50:90]}"
    (expected,) = quoted_spans([text], training_text(load(folder).bundle))
    assert len(expected) == 2
    with client_of(make_app(tiny_bundle(), folder, limits=Limits(max_length=50, max_lines=4))) as client:
        answer = client.post("/novelty", json={"text": text}).json()
        assert answer == {"spans": [list(span) for span in expected]}
        assert client.post("/novelty", json={"text": "", "model": "text"}).json() == {"spans": []}
        for fields, status, message in (
            ({"text": "a" * 201}, 400, "text: expected at most 200 characters (--max-length times --max-lines), "
             "got 201; send it in parts"),
            ({"text": "a", "model": "tiny"}, 400, "model: expected a language model, got a translator or none"),
            ({"text": "a", "model": "none"}, 404, "model: expected one of tiny, text, got 'none'"),
        ):  # fmt: skip
            answer = client.post("/novelty", json=fields)
            assert (answer.status_code, answer.json()) == (status, {"error": message})
        (tmp_path / "text.txt").write_text("changed")
        answer = client.post("/novelty", json={"text": text})
        assert (answer.status_code, answer.json()) == (
            404,
            {"error": "model: the text that 'text' was trained on is not here, or has changed; ask another model"},
        )


# examinations


@pytest.fixture
def arrays(tmp_path):
    """Arrays of a decoder whose targets are its inputs: the copy bug."""
    ids = np.random.default_rng(1).integers(1, 9, (64, 8))
    np.savez(tmp_path / "a.npz", encoder=ids, decoder=ids, target=ids)
    return (tmp_path / "a.npz").read_bytes()


def examine(client, *files):
    return client.post("/doctor", files=[("files", file) for file in files])


@POSIX
def test_files_are_examined_as_the_verb_does(tiny_bundle, arrays):
    with client_of(make_app(tiny_bundle(), doctor=True)) as client:
        answer = examine(client, ("../../a b.NPZ", arrays), ("pairs.tsv", b"ab\tba\n"))
        assert answer.status_code == 200, answer.text
        assert answer.json()["broken"] is True
        assert {"broken", "findings", "examined"} <= set(answer.json())


@POSIX
def test_what_cannot_be_examined_is_said_in_the_words_of_the_verb(tiny_bundle, monkeypatch):
    with client_of(make_app(tiny_bundle(), doctor=True)) as client:
        answer = examine(client, ("a.npz", b"no arrays"))
        assert answer.status_code == 400
        assert re.match(
            r"files: could not be examined: files/a-1.npz: expected arrays of numbers written by np.savez, got",
            answer.json()["error"],
        )
        assert "/tmp" not in answer.json()["error"]
        assert examine(client, ("a.exe", b"")).json()["error"] == (
            "files: expected names that end in .npz, .keras, .h5, .hdf5, .json, .tsv, .txt, got 'a.exe'"
        )
        answer = client.post("/doctor", data={"files": "no file"})
        assert answer.json()["error"].startswith("files: expected at least one file (.npz, .keras, .h5, .hdf5, ")
        answer = examine(client, *[("a.npz", b"")] * 21)
        assert (answer.status_code, answer.json()["error"]) == (400, "Too many files. Maximum number of files is 20.")


@POSIX
@pytest.mark.parametrize("bounds", [Bounds(seconds=0.0), Bounds(cpu_seconds=0), Bounds(memory=64 << 20)])
def test_an_examination_ends_at_its_bounds(tmp_path, arrays, bounds):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.npz").write_bytes(arrays)
    with pytest.raises(Refusal, match="could not be examined: it took more than .* or failed") as refusal:
        asyncio.run(examination.report(tmp_path, bounds))
    assert refusal.value.status_code == 400


@POSIX
def test_an_examination_does_not_know_the_secrets_of_the_server(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_API_KEY", "secret")
    assert "secret" not in str(examination.environment(tmp_path))
    assert examination.environment(tmp_path)["HOME"] == str(tmp_path)


def test_the_doctor_is_off_by_default(tiny_bundle, arrays):
    with client_of(make_app(tiny_bundle())) as client:
        answer = examine(client, ("a.npz", arrays))
        assert (answer.status_code, answer.json()) == (
            404,
            {"error": "the doctor is off here; start the server with --doctor"},
        )


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("a.npz", "a-1.npz"),
        ("../../etc/pass wd.JSON", "pass_wd-1.json"),
        ("C:\\x\\model.keras", "model-1.keras"),
        ("-rf.npz", "-rf-1.npz"),
        ("é\x00\n.h5", "_-1.h5"),
        (".npz", "-1.npz"),
        ("a" * 300 + ".tsv", "a" * 60 + "-1.tsv"),
    ],
)
def test_names_of_files_are_reduced_to_safe_ones(given, safe):
    assert safe_name(given, 1) == safe


# the page


def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("/")
    assert "<title>seq2seq</title>" in page.text
    names = [name for name in re.findall(r'(?:src|href)="([^"]*)"', page.text) if not name.startswith("#")]
    assert names and all(name.startswith("static/") for name in names)
    for name in names:
        assert client.get(name).status_code == 200
    for file in PAGE.rglob("*.*"):
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")  # a name, not an address
        assert not re.search(r"https?://", text), file
        if file.suffix == ".html":  # the policy of contents forbids both
            assert not re.search(r"<script(?![^>]*src=)|\sstyle=|<style|\son\w+=", text), file


def test_the_page_is_in_the_package():
    assert sys.modules["seq2seq"].__file__ is not None
    assert (PAGE / "index.html").is_file()


@pytest.mark.parametrize("key", ["", " "])
def test_an_empty_key_would_let_everybody_in_and_is_refused(key, capsys):
    assert serve.main(["--api-key", key]) == 2
    assert capsys.readouterr().err == (
        "seq2seq serve: error: --api-key: expected a key, got an empty one; give one, or leave the option out\n"
    )

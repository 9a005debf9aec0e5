"""Models go to a hub and come back; what comes is a model's own files, whole, or nothing."""

import errno
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from seq2seq import decode, models_verb, verify
from seq2seq.bundle.record import CONFIG, METRICS, PULLED, WEIGHTS, read_record, sealed
from seq2seq.files.writing import write_json
from seq2seq.hub import transfer
from seq2seq.hub.summary import file_names, summarize
from seq2seq.training.assembly import assemble
from seq2seq.training.shrinking import shrink
from tests.hub_server import serving
from tests.records import rehash
from tests.tiny_language import make_model


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub on loopback, whose address and token the environment has; the working folder is empty."""
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    (tmp_path / "place").mkdir()
    monkeypatch.chdir(tmp_path / "place")
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def run(capsys):
    def run(*arguments):
        code = models_verb.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def refusal(run):
    def refusal(*arguments):
        """Runs what must fail; returns the line of the error without its beginning."""
        code, out, said = run(*arguments)
        assert (code, out) == (2, "")
        line = said.splitlines()[-1]
        assert line.startswith("seq2seq models: error: ")
        return line.removeprefix("seq2seq models: error: ")

    return refusal


def published(hub, folder, **changes):
    """Puts a model into the repository me/it without the verb; `changes` replaces files."""
    from tests.hub_server import Repository

    hub.repositories["me/it"] = Repository(False)
    files = {name: (folder / name).read_bytes() for name in file_names(folder)}
    return hub.repositories["me/it"].add("main", {**files, **{key: value for key, value in changes.items() if value}})


# there and back


@pytest.mark.parametrize("kind", ["translator", "transducer", "language model", "ensemble", "float16"])
def test_a_model_comes_back_as_it_went(kind, hub, run, tiny_bundle, tmp_path, capsys):
    if kind == "language model":
        folder = make_model(tmp_path / "text").bundle.path
    elif kind == "ensemble":
        folder = tmp_path / "both"
        assemble([tiny_bundle("one"), tiny_bundle("two", seed=2)], folder)
    elif kind == "float16":
        folder = tmp_path / "half"
        shrink(tiny_bundle(), folder, licence="CC BY 2.0 FR, somebody\n\nText.\n")
    else:
        folder = tiny_bundle(architecture="attention" if kind == "translator" else kind)
    code, out, _ = run("push", folder, "me/it")
    assert code == 0 and out.startswith(f"{hub.url}/me/it/commit/")
    code, out, said = run("pull", "me/it")
    assert (code, out) == (0, "") and said.endswith(f"verified: {Path('runs/it')}\n")
    here = Path("runs/it")
    assert verify.main(["--model", str(here), "--runtime", "numpy"]) == 0
    names = {str(path.relative_to(here)) for path in here.rglob("*") if path.is_file()}
    assert names == {*file_names(folder), PULLED}
    for name in file_names(folder):
        if not name.endswith(CONFIG):
            assert (here / name).read_bytes() == (folder / name).read_bytes()
    assert summarize(here).kind == summarize(folder).kind and summarize(here).members == summarize(folder).members
    commit = hub.repositories["me/it"].branches["main"]
    assert summarize(here).origin == f"pulled from me/it at {commit[:12]}"
    capsys.readouterr()


def test_only_the_models_own_files_and_a_card_are_sent_and_no_place_of_this_computer(hub, run, tiny_bundle, tmp_path):
    folder = tiny_bundle()
    (folder / "notes.txt").write_text("mine")
    (folder / "run.json").write_text("{}")
    write_json(folder / PULLED, {})
    assert run("push", folder, "me/it")[0] == 0
    sent = hub.files("me/it")
    assert set(sent) == {".gitattributes", "README.md", *file_names(folder)}
    assert not [name for name, content in sent.items() if str(tmp_path).encode() in content]
    assert str(tmp_path) in (folder / CONFIG).read_text()
    assert {token for *_, token in hub.requests} == {"hf_test"}
    assert not [method for method, *_ in hub.requests if method in ("DELETE", "PUT")]


def test_the_card_says_what_the_model_is(hub, run, tiny_bundle, tmp_path):
    folder = tiny_bundle(architecture="transducer")
    write_json(folder / METRICS, {"test": {"chrf": 71.25, "cer": 0.125}})
    rehash(folder)
    (tmp_path / "tiny.tsv").rename(tmp_path / "moved.tsv")  # the scores are copied
    shrink(folder, tmp_path / "half", licence='A licence: "of ours"\n\nWords of the licence.\n')
    run("push", tmp_path / "half", "me/it")
    card = hub.files("me/it")["README.md"].decode()
    _, front, text = card.split("---\n", 2)
    values = yaml.safe_load(front)
    assert values["library_name"] == "seq2seq" and values["tags"] == ["seq2seq", "character-level", "transducer"]
    assert (values["license"], values["license_name"]) == ("other", 'A licence: "of ours"')
    assert values["pipeline_tag"] == "text2text-generation"
    assert "# it\n" in text and "seq2seq models pull me/it\nseq2seq decode --model runs/it\n" in text
    assert "- Data: tiny\n" in text and '- Licence of the data: A licence: "of ours"\n' in text
    assert "- Scores of the test part: chrF 71.2, CER 0.125\n" in text and "Words of the licence.\n" in text


def test_a_known_licence_has_the_hubs_name(hub, run, tiny_bundle, tmp_path):
    shrink(tiny_bundle(), tmp_path / "half", licence="CC BY 2.0 FR, tatoeba.org\n")
    run("push", tmp_path / "half", "me/it")
    values = yaml.safe_load(hub.files("me/it")["README.md"].decode().split("---\n")[1])
    assert values["license"] == "cc-by-2.0" and "license_name" not in values


def test_a_private_repository_is_private_and_a_branch_is_made(hub, run, refusal, tiny_bundle, monkeypatch):
    folder = tiny_bundle()
    assert run("push", folder, "me/it", "--private", "--revision", "v1")[0] == 0
    assert hub.repositories["me/it"].private
    assert set(hub.files("me/it")) == {".gitattributes"} and WEIGHTS in hub.files("me/it", "v1")
    assert "the hub's answer cannot be used: " in refusal("pull", "me/it", "a")  # main has no model
    assert run("pull", "me/it", "a", "--revision", "v1")[0] == 0
    monkeypatch.setenv("HF_TOKEN", "another")
    assert "me/it: the hub's answer cannot be used: RepositoryNotFoundError: " in refusal("pull", "me/it", "b")


def test_a_pulled_model_is_the_newest_one(hub, run, tiny_bundle, tmp_path, capsys):
    run("push", tiny_bundle(), "me/it")
    run("pull", "me/it")
    (tmp_path / "in.txt").write_text("abcd.\n")
    assert decode.main(["-i", str(tmp_path / "in.txt")]) == 0  # the newest under runs/
    assert capsys.readouterr().err.startswith("model: runs/it")


def test_a_second_push_replaces_the_files_of_the_first(hub, run, tiny_bundle):
    assert run("push", tiny_bundle("one"), "me/it")[0] == 0
    first = hub.files("me/it")[WEIGHTS]
    assert run("push", tiny_bundle("two", seed=2), "me/it")[0] == 0
    assert hub.files("me/it")[WEIGHTS] != first


# what is refused


def test_files_of_another_program_in_a_repository_are_left_alone(hub, refusal, tiny_bundle):
    from tests.hub_server import Repository

    hub.repositories["me/it"] = Repository(False)
    before = hub.repositories["me/it"].add("main", {"config.json": b"{}", "README.md": b"mine"})
    assert refusal("push", tiny_bundle(), "me/it") == (
        "me/it: holds README.md, which this program did not write; give another REPO or --revision"
    )
    assert hub.repositories["me/it"].branches["main"] == before


def test_private_is_kept_or_refused(hub, run, refusal, tiny_bundle):
    folder = tiny_bundle()
    run("push", folder, "me/it")
    assert refusal("push", folder, "me/it", "--private") == (
        "me/it: is public already, so --private is not kept; give another REPO"
    )


def test_a_damaged_model_is_not_sent(hub, refusal, tiny_bundle):
    folder = tiny_bundle()
    (folder / METRICS).write_text("{}")
    assert f"{folder / METRICS}: is not the file that was written" in refusal("push", folder, "me/it")
    assert hub.requests == []


def test_a_wrong_token_and_an_absent_repository_are_one_line_with_a_way_out(hub, refusal, tiny_bundle, monkeypatch):
    way_out = "; check the name, the connection, and your token (`hf auth login`, or HF_TOKEN)"
    assert refusal("pull", "me/none").endswith(way_out)
    monkeypatch.setenv("HF_TOKEN", "wrong")
    assert refusal("push", tiny_bundle(), "me/it").endswith(way_out)
    assert not Path("runs/none").exists() and hub.repositories == {}


@pytest.mark.parametrize("name", ["it", "me/", "/it", "me/it/more", "me/..", "../it", "me/i t", "me/été"])
def test_a_repository_has_an_owner_and_a_name(hub, refusal, name):
    expected = f"expected a repository as OWNER/NAME, got {name!r}; such as me/fra-eng"
    assert refusal("pull", name) == expected
    assert hub.requests == []


def test_a_folder_that_exists_is_not_pulled_into(hub, refusal, run, tiny_bundle, tmp_path):
    published(hub, tiny_bundle())
    Path("mine").mkdir()
    Path("mine/a.txt").write_text("a")
    for folder in ("mine", "mine/a.txt"):
        message = f"{folder}: expected a new folder for the model, got one that exists; name another folder: DIR"
        assert refusal("pull", "me/it", folder) == message
    Path("empty").mkdir()
    assert run("pull", "me/it", "empty")[0] == 0
    assert sorted(path.name for path in Path("mine").iterdir()) == ["a.txt"]


@pytest.mark.parametrize("name", ["../../evil.json", "/etc/passwd", "code.py", "weights.pkl", "member-1/config.json"])
def test_a_name_that_no_model_has_is_never_fetched(hub, refusal, tiny_bundle, name):
    folder = tiny_bundle()
    record = json.loads((folder / CONFIG).read_text())
    record["sha256"][name] = "0" * 64
    published(hub, folder, **{CONFIG: json.dumps(record).encode(), name: b"evil"})
    message = f"config.json: is damaged: lists the file {name!r}, which is no part of a model; train again"
    assert message in refusal("pull", "me/it")
    assert list(Path("runs").iterdir()) == []
    assert not [path for _, path, _ in hub.requests if path.endswith(name)]


def test_other_files_of_a_repository_are_not_fetched(hub, run, tiny_bundle):
    published(hub, tiny_bundle(), **{"model.pkl": b"evil", "README.md": b"text", "run.sh": b"evil"})
    assert run("pull", "me/it")[0] == 0
    fetched = {path.rpartition("/")[2] for _, path, _ in hub.requests if "/resolve/" in path}
    assert not fetched & {"model.pkl", "README.md", "run.sh", ".gitattributes"}


def test_an_ensemble_whose_member_lists_a_foreign_file_is_refused(hub, refusal, tiny_bundle, tmp_path):
    assemble([tiny_bundle("one"), tiny_bundle("two", seed=2)], tmp_path / "both")
    record = json.loads((tmp_path / "both" / "member-2" / CONFIG).read_text())
    record["sha256"]["../x"] = "0" * 64
    published(hub, tmp_path / "both", **{f"member-2/{CONFIG}": json.dumps(record).encode()})
    message = "member-2/config.json: is damaged: lists the file '../x', which is no part of a model; train again"
    assert message in refusal("pull", "me/it")


@pytest.mark.parametrize("name", [WEIGHTS, METRICS, "canary.json"])
def test_a_file_that_is_not_the_one_that_was_written_leaves_nothing(hub, refusal, tiny_bundle, name):
    published(hub, tiny_bundle(), **{name: b"[]"})
    assert f"{name}: is not the file that was written (its sha256 differs)" in refusal("pull", "me/it")
    assert list(Path("runs").iterdir()) == []


def test_a_model_that_gives_other_outputs_than_recorded_leaves_nothing(hub, refusal, tiny_bundle):
    folder = tiny_bundle()
    canary = json.loads((folder / "canary.json").read_text())
    canary[0]["text"] += "?"
    write_json(folder / "canary.json", canary)
    rehash(folder)
    published(hub, folder)
    assert "was recorded" in refusal("pull", "me/it")
    assert list(Path("runs").iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda record: record["model"].update(layers=3),
            "weight 'bridge_1_c.bias' is missing; the folder mixes",
        ),
        (lambda record: record.update(lengths={"source": "a", "target": 1}), "lengths: is damaged: source is 'a'"),
        (lambda record: record.update(weights="float16"), "is float32, expected float16"),
        (lambda record: record.update(members=["member-1", "../up"]), "members is ['member-1', '../up']"),
        (lambda record: record.update(members=["member-1"]), "no sha256 of member-1/config.json"),
    ],
)
def test_a_configuration_that_does_not_fit_leaves_nothing(hub, refusal, tiny_bundle, change, message):
    folder = tiny_bundle()
    record = json.loads((folder / CONFIG).read_text())
    change(record)
    published(hub, folder, **{CONFIG: json.dumps(sealed(record)).encode()})
    assert message in refusal("pull", "me/it")
    assert list(Path("runs").iterdir()) == []


def test_a_model_that_is_too_large_in_all_leaves_nothing(hub, refusal, tiny_bundle, monkeypatch):
    published(hub, tiny_bundle())
    monkeypatch.setattr(transfer, "LARGEST_MODEL", 9000)
    assert re.search(
        r"me/it: the model has \d+ bytes, expected at most 9000; it is not fetched", refusal("pull", "me/it")
    )
    assert list(Path("runs").iterdir()) == []


def test_a_file_that_is_too_large_is_not_fetched(hub, refusal, tiny_bundle, monkeypatch):
    published(hub, tiny_bundle())
    hub.claimed_sizes[WEIGHTS] = 1 << 40
    assert refusal("pull", "me/it") == (
        f"me/it: {WEIGHTS} has {1 << 40} bytes, expected at most {2048 << 20}; it is not fetched"
    )
    asked = [method for method, path, _ in hub.requests if path.endswith(WEIGHTS)]
    assert asked == ["HEAD"] and list(Path("runs").iterdir()) == []
    monkeypatch.setitem(transfer.LARGEST, CONFIG, 10)
    assert "me/it: config.json has " in refusal("pull", "me/it")


def test_a_repository_without_a_model_of_ours_is_refused(hub, refusal, tiny_bundle):
    published(hub, tiny_bundle(), **{CONFIG: b'{"architectures": []}'})
    assert "is not a model's configuration (no 'format')" in refusal("pull", "me/it")


def test_without_the_library_one_line_names_the_extra(run, refusal, tiny_bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    message = (
        "models push and pull need huggingface_hub, the extra `hub`: run pip install '.[hub]' in the folder of "
        "seq2seq's source"
    )
    assert refusal("pull", "me/it") == message
    assert refusal("push", tiny_bundle(), "me/it") == message


def test_a_pulled_model_that_was_trained_over_is_no_longer_called_pulled(hub, run, tiny_bundle):
    published(hub, tiny_bundle())
    run("pull", "me/it")
    record = read_record(Path("runs/it"))
    write_json(Path("runs/it") / CONFIG, {**record, "signature": {}})
    assert summarize(Path("runs/it")).origin == "trained here"


def test_a_full_disk_is_named_with_the_way_out_and_nothing_is_left(hub, refusal, tiny_bundle, monkeypatch, full_disk):
    published(hub, tiny_bundle())
    expected = (
        f"{Path('runs/it').resolve()}: cannot be written: No space left on device; make room, change the permissions, "
        "or name another folder: DIR"
    )
    full_disk()
    assert refusal("pull", "me/it") == expected
    assert list(Path("runs").iterdir()) == []

    def refuse(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(transfer.shutil, "copyfile", refuse)
    assert refusal("pull", "me/it") == expected
    assert list(Path("runs").iterdir()) == []


def test_a_full_folder_for_what_arrives_is_named(hub, refusal, tiny_bundle, monkeypatch):
    published(hub, tiny_bundle())

    def refuse(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(transfer, "fetched", refuse)
    assert refusal("pull", "me/it") == (
        f"{tempfile.gettempdir()}: No space left on device, so me/it cannot be fetched by way of it; make room there, "
        "or let TMPDIR name another folder"
    )
    assert list(Path("runs").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(hub, refusal, tiny_bundle):
    published(hub, tiny_bundle())
    Path("taken").write_text("mine")
    assert refusal("pull", "me/it", "taken/it").endswith(
        "taken/it: cannot be written: Not a directory; make room, change the permissions, or name another folder: DIR"
    )
    assert Path("taken").read_text() == "mine"


def test_an_interrupted_pull_leaves_nothing(hub, run, tiny_bundle, monkeypatch):
    published(hub, tiny_bundle())

    def interrupt(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer.shutil, "copyfile", interrupt)
    assert run("pull", "me/it")[0] == 130
    assert list(Path("runs").iterdir()) == []

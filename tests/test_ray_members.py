"""The members of an ensemble are trained side by side on a Ray cluster, and each goes on where it stopped."""

import dataclasses
import os
import signal
import socket
import sys
import time
import types

import pytest

from seq2seq import train
from seq2seq.cores import core_count
from seq2seq.errors import BundleError, OptionError, Seq2SeqError
from seq2seq.ray_cluster import RayCluster
from seq2seq.training.ensemble import member_runs
from seq2seq.training.ray_members import portable, train_member, train_side_by_side
from seq2seq.training.task import Run
from tests.test_run import ROWS, contents, same_weights


@pytest.fixture
def members(tmp_path):
    """The runs of two members."""
    (tmp_path / "pairs.tsv").write_text("".join(ROWS))
    chosen = {"data": {"data": str(tmp_path / "pairs.tsv")}, "model": {}, "train": {"members": 2, "seed": 5}}
    return member_runs(Run.of(chosen, folder=tmp_path / "model", report=print))


@pytest.fixture
def fake_ray(monkeypatch):
    """A module `ray` without processes: tasks run when their result is asked for."""

    class WorkerCrashedError(Exception):
        pass

    def remote(function):
        def start(*arguments):
            return lambda: function(*arguments)

        return types.SimpleNamespace(options=lambda **numbers: types.SimpleNamespace(remote=start))

    ray = types.ModuleType("ray")
    ray.init = lambda *place, **options: None
    ray.shutdown = lambda: None
    ray.cluster_resources = lambda: {"CPU": 2.0}
    ray.remote, ray.wait, ray.get = remote, lambda tasks: (tasks[:1], tasks[1:]), lambda task: task()
    ray.exceptions = types.SimpleNamespace(
        WorkerCrashedError=WorkerCrashedError, NodeDiedError=WorkerCrashedError, OutOfMemoryError=WorkerCrashedError
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    return ray


def test_members_are_trained_side_by_side_and_one_whose_process_dies_goes_on(members, tmp_path):
    pytest.importorskip("ray")

    def train_into(run):  # member 1 waits for member 2, which dies once
        marks = [run.folder.parent / name for name in ("begun", "done")]
        if run.folder.name == "member-1":
            while core_count() > 1 and not marks[1].exists():
                time.sleep(0.01)
        elif not marks[0].exists():
            marks[0].touch()
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            marks[1].touch()
        run.report(f"finished: {run.folder}")
        return run.folder

    (tmp_path / "model").mkdir()
    lines = []
    assert len(list(train_side_by_side(members, RayCluster(), train_into, lines.append))) == 2
    assert sorted(lines) == sorted(
        ["member-1, seed 5", f"finished: {members[0].folder}", "member-2, seed 6", f"finished: {members[1].folder}"]
    )


def test_an_error_of_a_member_comes_after_its_lines(members, fake_ray):
    def train_into(run):
        run.report("reads")
        raise BundleError(f"{run.folder.name}: holds another run")

    lines = []
    with pytest.raises(BundleError, match=r"^member-1: holds another run$"):
        list(train_side_by_side(members, RayCluster(), train_into, lines.append))
    assert lines == ["member-1, seed 5", "reads"]


@pytest.mark.parametrize(("there", "asked"), [({"GPU": 8.0}, 1), ({}, 0)])
def test_a_member_asks_for_one_core_and_for_a_gpu_where_there_is_one(members, fake_ray, there, asked):
    numbers = []
    remote = fake_ray.remote

    def spied(function):
        return types.SimpleNamespace(options=lambda **found: numbers.append(found) or remote(function).options())

    fake_ray.cluster_resources, fake_ray.remote = lambda: {"CPU": 2.0, **there}, spied
    assert len(list(train_side_by_side(members, RayCluster(), lambda run: run.folder, print))) == 2
    assert numbers == [{"num_cpus": 1, "num_gpus": asked}]


def test_a_member_whose_process_dies_again_and_again_is_named(members, fake_ray):
    def die(task):
        raise fake_ray.exceptions.WorkerCrashedError

    fake_ray.get = die
    with pytest.raises(Seq2SeqError) as error:
        list(train_side_by_side(members, RayCluster(), train_member, print))
    assert str(error.value) == (
        "member-1: its process in the Ray cluster has ended several times, often for want of memory; the same command "
        "goes on with it"
    )


@pytest.mark.parametrize(
    ("address", "named"),
    [
        (None, "--engine ray: no cluster could be started on this machine"),
        ("auto", "--address auto: cannot be reached"),
    ],
)
def test_a_cluster_that_is_not_there_is_named(fake_ray, address, named):
    def refuse(*place, **options):
        assert place == (address or "local",)
        raise ConnectionError("Could not\nconnect")

    fake_ray.init = refuse
    with pytest.raises(OptionError) as error, RayCluster(address).connected():
        pass
    advice = "; check the address, and that the cluster has this version of Ray, and its token where it asks for one"
    assert str(error.value) == f"{named}: Could not connect" + (advice if address else "")


def test_a_process_without_stderr_connects(fake_ray, monkeypatch):
    def refuse(descriptor):
        raise OSError(f"bad file descriptor {descriptor}")

    monkeypatch.setattr(os, "dup", refuse)
    with RayCluster().connected() as ray:
        assert ray is fake_ray


def test_an_address_where_nothing_listens_is_an_error_at_once(fake_ray):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    refused = f"--address {address}: cannot be reached: .*Connection refused"
    with pytest.raises(OptionError, match=refused), RayCluster(address).connected():
        pass


def test_without_ray_one_line_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(OptionError) as error, RayCluster().connected():
        pass
    assert str(error.value) == (
        "--engine ray: needs Ray, which is not installed: run pip install '.[ray]' in the folder of seq2seq's source"
    )


def test_names_are_absolute_in_another_process(members, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = dataclasses.replace(members[0].dataset, paths={"all": (tmp_path / "pairs.tsv").relative_to(tmp_path)})
    run = portable(
        dataclasses.replace(members[0], folder=members[0].folder.relative_to(tmp_path), dataset=dataset)
    )  # fmt: skip
    assert (run.folder, run.dataset.paths) == (members[0].folder, {"all": tmp_path / "pairs.tsv"})
    assert run.signature == members[0].signature


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--address", "a:1"], "--address a:1: is that of a Ray cluster; give --engine ray too"),
        (["--engine", "ray"], "--engine ray: trains the members of an ensemble side by side; give --members N too"),
        (
            ["--engine", "ray", "--members", "2", "--overwrite"],
            "--overwrite: with --engine ray the members are trained side by side, so none can replace what is there; "
            "give another --model",
        ),
    ],
)
def test_options_that_do_not_fit_together_are_refused(capsys, options, message):
    assert train.main(["--data", "dates", *options]) == 2
    assert capsys.readouterr().err == f"seq2seq train: error: {message}\n"


@pytest.mark.skipif(not os.environ.get("SEQ2SEQ_TORTURE"), reason="compiles in four processes")
def test_the_members_are_those_that_are_trained_one_by_one(tmp_path, capsys):
    (tmp_path / "pairs.tsv").write_text("".join(ROWS))
    options = ["--hidden-size", "4", "--embedding-size", "3", "--epochs", "1", "--members", "2"]
    for name, engine in (("one by one", "local"), ("side by side", "ray")):
        command = ["--data", str(tmp_path / "pairs.tsv"), "--model", str(tmp_path / name), "--engine", engine]
        assert train.main([*command, *options]) == 0, capsys.readouterr().err
    for member in ("member-1", "member-2"):
        assert same_weights(tmp_path / "one by one" / member, tmp_path / "side by side" / member)
    assert set(contents(tmp_path / "one by one")) == set(contents(tmp_path / "side by side"))

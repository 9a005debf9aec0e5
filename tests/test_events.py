"""Event files for TensorBoard: what is in them, that a run which continues appends, and what is refused."""

import dataclasses
import os

import pytest
from test_training import STEPS, CountingTask, run, run_of

from seq2seq import distill, train
from seq2seq.errors import OptionError
from seq2seq.models.backend import tf
from seq2seq.training import fit as training
from seq2seq.training.checkpoints import current_checkpoint
from seq2seq.training.ensemble import member_runs
from seq2seq.training.events import FILES


@pytest.fixture(autouse=True)
def watched(monkeypatch, tmp_path):
    """Lets every run of this file write events, and read the loss after every third step."""
    monkeypatch.setattr(training, "CHECK_EVERY", 3)
    asked = run_of

    def with_events(folder, report, **options):

        return dataclasses.replace(asked(folder, report, **options), tensorboard=tmp_path / "events")

    monkeypatch.setattr("test_training.run_of", with_events)
    return tmp_path / "events"


def numbers(folder):
    """All values of the event files of a folder, oldest first: name, step, value."""
    found = []
    for path in sorted(folder.glob(FILES)):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                found.append((value.tag, event.step, float(tf.make_ndarray(value.tensor))))
    return found


def test_losses_scores_and_learning_rate_are_written_by_step(tmp_path, watched):
    progress, _, _ = run(tmp_path / "model", CountingTask([3.0, 2.0]), epochs=2)
    found = numbers(watched)
    steps = [step for name, step, _ in found if name == "learning_rate"]
    assert steps == [1, 3, 6, 9, 12] == [step for name, step, _ in found if name == "loss/training"]
    assert [entry for entry in found if entry[0] == "loss/validation"] == [
        ("loss/validation", STEPS, 3.0),
        ("loss/validation", 2 * STEPS, 2.0),
    ]
    assert [entry[1:] for entry in found if entry[0] == "score/chrf"] == [(6, 30.0), (12, 20.0)]
    losses = {step: value for name, step, value in found if name == "loss/training"}
    # every step has as many symbols, so the epoch's loss is the mean over its steps
    assert progress.history[1]["train_loss"] == pytest.approx((losses[9] + losses[12]) / 2, rel=1e-6)
    assert progress.history[0]["train_loss"] == pytest.approx((losses[1] + 2 * losses[3] + 3 * losses[6]) / 6, rel=1e-6)
    rates = [value for name, _, value in found if name == "learning_rate"]
    assert rates[0] == pytest.approx(0.05) and rates[-1] == min(rates)


def test_a_run_that_continues_appends_and_has_each_step_once(tmp_path, watched):
    run(tmp_path / "1", CountingTask(), epochs=3)
    whole = numbers(watched)
    watched.rename(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "2", CountingTask(interrupt_in=(3, 4)), epochs=3)
    run(tmp_path / "2", CountingTask(), epochs=3)
    assert len(list(watched.glob(FILES))) == 2
    assert numbers(watched) == whole


def test_a_new_run_is_not_drawn_into_the_curves_of_another(tmp_path, watched):
    run(tmp_path / "model", CountingTask(), epochs=1)
    before = sorted(path.name for path in watched.iterdir())
    task = CountingTask()
    with pytest.raises(OptionError) as error:
        run(tmp_path / "other", task, epochs=1)
    assert str(error.value) == (
        f"--tensorboard {watched}: holds the events of another run ({before[0]}), and a new run would be drawn into "
        "its curves; give another folder, or move these files away"
    )
    assert task.epochs == 0 and sorted(path.name for path in watched.iterdir()) == before


def test_a_place_that_cannot_be_written_is_refused_before_the_first_step(tmp_path, watched, monkeypatch):
    watched.write_text("mine")
    with pytest.raises(OptionError, match="events: cannot be a folder: File exists; give another"):
        run(tmp_path / "model", CountingTask(), epochs=1)
    watched.unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OptionError, match="events: cannot be written; change its permissions, or give another"):
        run(tmp_path / "model", CountingTask(), epochs=1)
    assert current_checkpoint(tmp_path / "model") is None


def test_a_full_disk_is_named_with_the_way_out(tmp_path, watched, monkeypatch):
    message = "{{function_node __wrapped__WriteSummary_device_CPU}} a.v2; No space left on device\n\tFailed to flush"

    def refuse(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, message)

    with monkeypatch.context() as patch:
        patch.setattr(tf.summary, "write", refuse)
        with pytest.raises(OptionError) as error:
            run(tmp_path / "model", CountingTask(), epochs=2)
    assert str(error.value) == (
        f"--tensorboard {watched}: cannot be written: No space left on device; make room or change the permissions; "
        "then the same command goes on"
    )
    run(tmp_path / "model", CountingTask(), epochs=2)
    assert [step for name, step, _ in numbers(watched) if name == "score/chrf"] == [12]


def test_tensorboards_own_reader_finds_the_curves(tmp_path, watched):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run(tmp_path / "model", CountingTask([3.0, 2.0]), epochs=2)
    events = reading.EventAccumulator(str(watched), size_guidance={reading.TENSORS: 0})
    events.Reload()
    assert set(events.Tags()["tensors"]) == {name for name, _, _ in numbers(watched)}
    curve = [(one.step, float(tf.make_ndarray(one.tensor_proto))) for one in events.Tensors("loss/validation")]
    assert curve == [(STEPS, 3.0), (2 * STEPS, 2.0)]
    assert events.SummaryMetadata("loss/validation").plugin_data.plugin_name == "scalars"


def test_without_the_option_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("test_training.run_of", run_of)
    run(tmp_path / "model", CountingTask(), epochs=1)
    assert list(tmp_path.rglob(FILES)) == []


def test_each_member_of_an_ensemble_has_a_folder_of_its_own(tmp_path):

    asked = dataclasses.replace(run_of(tmp_path, print, members=2), tensorboard=tmp_path / "events")
    assert [member.tensorboard for member in member_runs(asked)] == [
        tmp_path / "events" / "member-1",
        tmp_path / "events" / "member-2",
    ]


def test_an_empty_name_is_refused(capsys):
    assert train.main(["--data", "dates", "--tensorboard", ""]) == 2
    assert capsys.readouterr().err == (
        "seq2seq train: error: --tensorboard: expected a folder, got ''; leave it out to write no event files\n"
    )


def test_the_option_reaches_the_run_of_a_student(monkeypatch, tmp_path, tiny_bundle):
    asked = []
    monkeypatch.setattr(distill, "train_into", asked.append)
    teacher = str(tiny_bundle())
    assert (
        distill.main(["--teacher", teacher, "--model", str(tmp_path / "m"), "--tensorboard", str(tmp_path / "x")]) == 0
    )
    assert asked[0].tensorboard == tmp_path / "x"


def test_the_option_reaches_the_run(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(train, "train_into", asked.append)
    assert train.main(["--data", "dates", "--tensorboard", str(tmp_path / "x")]) == 0
    assert asked[0].tensorboard == tmp_path / "x"

"""A run in its folder is started, interrupted, continued, trained for longer and overwritten, and nothing is lost."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from campaigns import TORTURE

from seq2seq import train
from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import CONFIG, kind_in
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.cores import core_count
from seq2seq.errors import BundleError
from seq2seq.files.reading import read_json
from seq2seq.files.writing import write_json
from seq2seq.inference.translator import Translator
from seq2seq.models.backend import tf
from seq2seq.models.step import shard_count
from seq2seq.text.datasets import Dataset
from seq2seq.training import prepared_pairs
from seq2seq.training import translator as translation
from seq2seq.training.checkpoints import CURRENT, PROGRESS, STATE, WEIGHTS, Progress, current_checkpoint, load_progress
from seq2seq.training.run_folder import (
    RESOLVED,
    RUN,
    Saver,
    check_folder,
    foreign_names,
    is_run,
    remove_model_and_run,
)
from seq2seq.training.run_record import FINISHED, finished_run, unfinished_run
from seq2seq.training.run_views import CURVES, SAMPLES
from seq2seq.training.task import Run, Start
from tests.records import write_config
from tests.test_checkpoints import PowerCut, Scissors, arrays

ROWS = [f"{one}{other}\t{other.upper()}{one}\n" for one in "abcdefgh" for other in "abcdefgh"]
OPTIONS = [
    "--hidden-size", "4", "--embedding-size", "3", "--batch-size", "16", "--warmup-steps", "2",
    "--no-bidirectional", "--attention", "none", "--rnn", "gru",
]  # fmt: skip
WAYS_OUT = "give another --model, or --overwrite to start from the beginning"


@pytest.fixture(scope="module", autouse=True)
def eager():
    """Saves the seconds that compiling takes; tests/test_training.py compiles its runs."""
    tf.config.run_functions_eagerly(not TORTURE)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def trained(eager, one_shard, tmp_path_factory):
    """A folder with pairs.tsv, and a model trained on it for two epochs."""
    home = tmp_path_factory.mktemp("trained")
    (home / "pairs.tsv").write_text("".join(ROWS))
    command = ["--data", str(home / "pairs.tsv"), "--model", str(home / "model"), *OPTIONS, "--epochs", "2"]
    assert train.main(command) == 0
    return home


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of the model that one test may change."""
    return shutil.copytree(trained / "model", tmp_path / "model")


@pytest.fixture
def command(trained, tmp_path, capsys):
    def command(*options, model="model"):
        capsys.readouterr()
        code = train.main(["--data", str(trained / "pairs.tsv"), "--model", str(tmp_path / model), *OPTIONS, *options])
        return code, capsys.readouterr().err

    return command


@pytest.fixture
def interrupted(monkeypatch, command):
    """Runs the command and interrupts it at its n-th validation."""

    def interrupted(validation, *options, **keywords):
        validate, calls = translation.TranslationTask.validate, []

        def validate_or_not(task):
            calls.append(1)
            if len(calls) == validation:
                raise KeyboardInterrupt
            return validate(task)

        with monkeypatch.context() as patch:
            patch.setattr(translation.TranslationTask, "validate", validate_or_not)
            code, said = command(*options, **keywords)
        assert code == 130
        return said

    return interrupted


def contents(folder):
    """All files of a folder by name, with what they hold."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_finished_run_names_both_ways_to_train_again():
    assert FINISHED == "is already finished; more --epochs train it further, --overwrite starts from the beginning"


def same_weights(one, other):
    one, other = load_bundle(one).weights, load_bundle(other).weights
    return all(np.array_equal(one[name], other[name]) for name in one)


# files of other programs


@pytest.mark.parametrize("kind", ["file", "link to nothing"])
def test_a_name_that_is_no_folder_is_refused_with_the_way_out(command, tmp_path, kind):
    if kind == "file":
        (tmp_path / "model").write_text("mine")
    else:
        (tmp_path / "model").symlink_to(tmp_path / "nowhere")
    code, said = command()
    assert code == 2
    assert "model: expected a folder, or a name for a new one: File exists; give another --model" in said


def test_a_folder_that_cannot_be_written_is_refused_before_training(command, tmp_path, monkeypatch):
    def refuse(dir):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(dir))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    code, said = command()
    assert code == 2
    assert "model: cannot be written: Permission denied; change its permissions, make room, or give another" in said
    assert "pairs:" not in said  # no data was read


@pytest.mark.parametrize("room", [1, 4, 6])  # within the first checkpoint, and after it
def test_a_full_disk_is_named_and_the_same_command_goes_on(room, command, folder, tmp_path, monkeypatch, full_disk):
    full_disk(room)
    code, said = command("--epochs", "2", model="other")
    monkeypatch.undo()
    assert code == 2
    where, reason, way_out, what_remains = said.splitlines()[-1].replace(": No", "\0No").replace("; ", "\0").split("\0")
    assert where.startswith(f"seq2seq train: error: {tmp_path / 'other'}")
    assert (reason, way_out) == ("No space left on device", "make room, or write elsewhere")
    assert "the same command" in what_remains
    assert not [path for path in tmp_path.rglob("*.partial") if path.is_file()]
    assert command("--epochs", "2", model="other")[0] == 0
    for name in ("weights.safetensors", CURVES):
        assert (tmp_path / "other" / name).is_file()
    assert (tmp_path / "other" / "weights.safetensors").read_bytes() == (folder / "weights.safetensors").read_bytes()


def test_an_error_before_the_first_checkpoint_leaves_no_new_folder(command, tmp_path):
    code, said = command("--target-col", "7")
    assert code == 2 and "no usable pair" in said
    assert not (tmp_path / "model").exists()


def test_an_empty_name_for_the_model_is_refused(command, capsys):
    assert train.main(["--data", "dates", "--model", ""]) == 2
    assert "--model: expected a folder, got ''; leave it out for runs/DATA-NAME" in capsys.readouterr().err


def test_files_are_named_before_folders_and_the_runs_own_checkpoint_is_none_of_them(tmp_path):
    (tmp_path / CURRENT).write_text("checkpoint-2\n")
    for name in ("checkpoint-2", "checkpoint-7", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").touch()
    (tmp_path / "notes.txt").touch()
    assert foreign_names(tmp_path) == ["notes.txt", "a", "checkpoint-7"]


@pytest.mark.parametrize("name", ["current", "config.toml"])
def test_a_file_beside_a_model_without_a_run_is_not_taken_for_the_runs(tiny_bundle, name):
    folder = tiny_bundle()  # as adopt writes one: neither run.json nor the record of a run
    (folder / name).write_text("mine")
    with pytest.raises(BundleError, match=f"{name}: is damaged, or another program wrote it; move it away"):
        check_folder(folder, overwrite=True)
    assert (folder / name).read_text() == "mine"


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
@pytest.mark.parametrize(
    "files",
    [
        {"run.json": "{}", "thesis/chapter.txt": "years of work"},
        {"run.json": '{"name": "x", "data": {}}', "checkpoint-500/pytorch_model.bin": "theirs"},
        {"config.json": '{"architectures": []}', "current": "theirs"},
        {"movie.partial": "theirs"},
    ],
)
def test_a_folder_of_another_program_is_left_as_it_is(command, tmp_path, files, options):
    for name, content in files.items():
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_text(content)
    before = contents(tmp_path / "model")
    code, said = command("--epochs", "1", *options)
    first = sorted(files)[0].split("/")[0]
    reason = "is not a model folder" if options else "is not empty and not a model folder"
    assert code == 2 and f"{reason} (it holds {first!r}); " in said
    assert contents(tmp_path / "model") == before


def test_overwriting_reports_files_of_other_programs_and_leaves_them(command, folder):
    theirs = {"thesis/chapter.txt": "years", "notes.txt": "mine", "checkpoint-500/pytorch_model.bin": "theirs"}
    for name, content in theirs.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content)
    code, said = command("--epochs", "1", "--overwrite")
    assert code == 0
    assert f"{folder}: notes.txt, checkpoint-500, thesis: not written by this program, left alone\n" in said
    assert {name: (folder / name).read_text() for name in theirs} == theirs
    assert len(load_bundle(folder).record["trained_on"]["pairs"]) == 3


@pytest.mark.parametrize(("name", "content"), [(RUN, "{}"), (CONFIG, '{"architectures": []}'), (CONFIG, "{")])
def test_a_file_of_another_program_under_a_name_of_this_program_is_not_overwritten(folder, name, content):
    (folder / name).write_text(content)
    for overwrite in (False, True):
        with pytest.raises(BundleError) as error:
            check_folder(folder, overwrite=overwrite)
        assert str(error.value) == (
            f"{folder / name}: is damaged, or another program wrote it; move it away, or give another --model"
        )
    assert (folder / name).read_text() == content


def test_a_checkpoint_of_another_program_in_the_way_is_an_error_before_training(command, folder):
    (folder / "checkpoint-1").mkdir()
    (folder / "checkpoint-1" / "pytorch_model.bin").write_text("theirs")
    before = contents(folder)
    code, said = command("--epochs", "2", "--overwrite", "--seed", "2")
    assert code == 2 and f"{folder / 'checkpoint-1'}: has the name of a checkpoint, but this program did" in said
    assert contents(folder) == before


def test_only_names_that_the_model_lists_go_with_it(tiny_bundle):
    folder = tiny_bundle()
    for name in ("validation.txt", "config.toml", "current"):  # names that other models and runs have
        (folder / name).write_text("mine")
    remove_model_and_run(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["config.toml", "current", "validation.txt"]


def test_every_name_that_a_run_leaves_is_known(trained):
    assert foreign_names(trained / "model") == []
    assert is_run(trained / "model") and kind_in(trained / "model") == "translator"
    assert read_json(trained / "model" / RUN)["format"] == "seq2seq run 1"


# starting from the beginning


def test_a_finished_model_survives_data_that_cannot_be_used(command, folder, tmp_path):
    (tmp_path / "small.tsv").write_text("a\tb\n")
    before = contents(folder)
    code, said = command("--data", str(tmp_path / "small.tsv"), "--target-col", "3", "--overwrite")
    assert code == 2 and "small.tsv" in said
    assert contents(folder) == before


def test_the_old_model_works_until_the_first_checkpoint_of_the_new_one_is_whole(command, interrupted, folder):
    before = contents(folder)
    options = ["--epochs", "2", "--seed", "2", "--hidden-size", "5"]
    interrupted(1, *options, "--overwrite")
    assert contents(folder) == before
    interrupted(2, *options, "--overwrite")
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint-1",
        "config.toml",
        CURRENT,
        CURVES,
        RUN,
        SAMPLES,
    ]
    code, said = command(*options)
    assert code == 0 and "continues after epoch 1\n" in said
    assert command(*options, model="whole")[0] == 0
    assert same_weights(folder, folder.with_name("whole"))


def test_a_cut_while_a_new_run_takes_over_leaves_the_old_model_or_the_new_checkpoint(tmp_path, tiny_bundle):
    old = tiny_bundle("old")
    run = fake_run(tmp_path, "new")
    progress = Progress(epoch=1, best_epoch=1)
    for after in range(100):
        folder = shutil.copytree(old, tmp_path / str(after))
        saver = Saver(fake_run(folder, "old"), Start())
        saver.save(Progress(epoch=1, step=9, best_epoch=1), weights=arrays(1), state=arrays(-1))
        saver = Saver(fake_run(folder, "new"), Start(replaces=True))
        try:
            with pytest.MonkeyPatch.context() as patch:
                Scissors(patch, after)
                saver.save(progress, weights=arrays(2), state=arrays(-2))
            finished = True
        except PowerCut:
            finished = False
        there = unfinished_run(folder)
        is_new = there is not None and there.sha256 == run.dataset.sha256
        if is_new:
            assert load_progress(current_checkpoint(folder)) == progress
        if kind_in(folder):
            load_bundle(folder)
        else:
            assert is_new
        if there and not is_new:
            assert load_progress(current_checkpoint(folder)).step == 9
        if finished:
            break
    assert finished and after > 20
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-1", "config.toml", CURRENT, RUN]


def fake_run(folder, digest):
    return Run(
        folder=folder,
        dataset=Dataset("toy", "pairs", "path", {}, {"all": digest}, None),
        data=DataConfig(),
        model=ModelConfig(),
        train=TrainingConfig(),
        started=0.0,
        report=lambda line: None,
    )


# training for longer


def test_a_finished_model_is_trained_for_longer_and_stays_whole_meanwhile(command, interrupted, folder):
    before = contents(folder)
    said = interrupted(2, "--epochs", "4")
    assert (
        "continues after epoch 2\nlearning rate: was cosine over 8 steps, 8e-05 at step 8; is now cosine over 16"
        in said
    )
    after = contents(folder)
    assert {name for name in before if after.get(name) != before[name]} <= {
        *(RUN, RESOLVED, CURRENT, SAMPLES, CURVES),
        *(f"checkpoint-2/{name}" for name in (PROGRESS, STATE, WEIGHTS)),
    }
    assert Translator(load_bundle(folder)).translate(["ab"])
    assert command("--epochs", "2") == (0, f"{folder}: {FINISHED}\n")
    code, said = command("--epochs", "4")
    assert code == 0 and "continues after epoch 3\n" in said and "learning rate" not in said
    assert load_bundle(folder).record["train"]["epochs"] == 4
    assert (folder / "history.csv").read_text().count("\n") == 5
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-4"]


def test_training_for_more_epochs_gives_the_same_model_wherever_it_is_interrupted(command, interrupted, folder):
    whole = shutil.copytree(folder, folder.with_name("whole"))
    assert command("--epochs", "4", model="whole")[0] == 0
    interrupted(1, "--epochs", "4")
    interrupted(2, "--epochs", "4")
    assert command("--epochs", "4")[0] == 0
    assert same_weights(folder, whole)


def test_fewer_epochs_than_done_are_refused_and_the_limit_is_named(command, folder):
    code, said = command("--epochs", "1")
    assert code == 2
    assert said.splitlines()[-1] == (
        f"seq2seq train: error: {folder}: has been trained for 2 epochs, and --epochs 1 is fewer; "
        "give --epochs 2 or more, another --model, or --overwrite to start from the beginning"
    )


def test_a_checkpoint_that_a_killed_run_left_is_removed_by_the_same_command(command, folder):
    shutil.copytree(folder / "checkpoint-2", folder / "checkpoint-1")
    code, said = command("--epochs", "2")
    assert code == 0 and said.endswith("--overwrite starts from the beginning\n")
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-2"]


def test_the_checkpoints_of_a_longer_run_stay_where_the_shorter_one_is_finished(command, interrupted, folder):
    interrupted(2, "--epochs", "5")
    before = sorted(path.name for path in folder.glob("checkpoint-*"))
    shutil.copytree(folder / before[-1], folder / "checkpoint-1")
    assert command("--epochs", "2")[0] == 0
    assert sorted(path.name for path in folder.glob("checkpoint-*")) == ["checkpoint-1", *before]


def test_a_finished_model_without_its_checkpoint_says_why_it_cannot_continue(command, folder):
    shutil.rmtree(folder / "checkpoint-2")
    for name in (RUN, CURRENT):
        (folder / name).unlink()
    code, said = command("--epochs", "3")
    assert code == 2
    assert said.splitlines()[-1] == (
        f"seq2seq train: error: {folder}: cannot continue with more --epochs: it is finished and keeps no checkpoint, "
        f"since an earlier version wrote it or its checkpoint was removed; {WAYS_OUT}"
    )
    assert command("--epochs", "2") == (0, f"{folder}: {FINISHED}\n")


def test_a_run_continues_with_more_steps_and_patience_that_ended_a_run_is_named(command, tmp_path):
    folder = tmp_path / "model"
    assert command("--max-steps", "3")[0] == 0
    code, said = command("--max-steps", "6")
    assert code == 0
    assert (
        "learning rate: was cosine over 3 steps, 8e-05 at step 3; is now cosine over 6 steps, 0.004 at step 3" in said
    )
    assert load_progress(current_checkpoint(folder)).step == 6
    record = read_json(folder / RUN)
    write_json(folder / RUN, {**record, "train": {**record["train"], "patience": 1}})
    checkpoint = current_checkpoint(folder)
    progress = read_json(checkpoint / "progress.json")
    write_json(checkpoint / "progress.json", {**progress, "epochs_without_better": 1})
    code, said = command("--max-steps", "9", "--patience", "1")
    assert code == 2
    assert said.splitlines()[-1] == (
        f"seq2seq train: error: {folder}: --patience 1 ended this run after epoch {progress['epoch']}, and more "
        f"--max-steps would not change that; {WAYS_OUT}"
    )


# the same run


def test_runs_are_compared_by_what_their_options_come_to(command, folder):
    # pairs below 5000 have dropout 0.5, scored by chrf
    same = ["--epochs", "2", "--dropout", "0.5", "--early-stop-metric", "chrf"]
    code, said = command(*same)
    assert code == 0 and said.endswith(f"{folder}: {FINISHED}\n")
    code, said = command("--learning-rate", "0.01")
    assert code == 2
    assert said.splitlines()[-1] == (
        f"seq2seq train: error: {folder}: holds another run: train.epochs was 2, now the default (100); "
        f"train.learning_rate was 0.008, now 0.01; {WAYS_OUT}"
    )


def test_options_that_a_record_lacks_have_their_defaults(command, folder):
    record = read_json(folder / CONFIG)
    for name in ("shards", "label_smoothing"):
        del record["signature"]["train"][name]
    write_config(folder, record)
    assert command("--epochs", "2") == (0, f"{folder}: {FINISHED}\n")


@pytest.mark.parametrize(
    ("pairs", "minutes", "given", "size"),
    [
        (49_999, 60, None, 256),
        (50_000, 39, None, 256),
        (50_000, None, None, 256),
        (50_000, 40, None, 512),
        (9, 9, 8, 8),
    ],
)
def test_many_pairs_and_much_time_make_a_larger_model(pairs, minutes, given, size):
    train = TrainingConfig(max_minutes=minutes and float(minutes))
    model, _ = prepared_pairs.resolved_options(ModelConfig(hidden_size=given), train, pairs=pairs)
    assert model.hidden_size == size


@pytest.fixture
def timed(command, monkeypatch):
    """Runs the command without --hidden-size; the default is 4, and 6 for a minute or more."""
    for name, value in {"UNITS": 4, "MORE_UNITS": 6, "MANY": 10, "LONG": 1.0}.items():
        monkeypatch.setattr(prepared_pairs, name, value)
    monkeypatch.setattr(sys.modules[__name__], "OPTIONS", OPTIONS[2:])
    return command


def test_a_size_that_the_time_decided_is_said(timed, tmp_path):
    code, said = timed("--max-steps", "1", "--max-minutes", "1")
    assert code == 0 and load_bundle(tmp_path / "model").model.hidden_size == 6
    assert "hidden size: 6, since --max-minutes 1 leaves time for it; otherwise it is 4\n" in said
    code, said = timed("--max-steps", "1", "--max-minutes", "1", "--hidden-size", "4")
    assert code == 2 and f"model: holds another run: model.hidden_size was 6, now 4; {WAYS_OUT}" in said


def test_a_size_that_the_time_decided_stays_when_the_run_lasts_longer(timed, tmp_path):
    assert timed("--max-steps", "1", "--max-minutes", "0.9")[0] == 0
    code, said = timed("--max-steps", "2", "--max-minutes", "2")
    assert code == 0 and "continues after epoch 1\n" in said and "hidden size" not in said
    assert load_bundle(tmp_path / "model").model.hidden_size == 4


def test_a_run_from_before_an_option_goes_on_without_it(timed, folder, trained, monkeypatch):
    for path, sections in ((folder / CONFIG, ("train", "signature")), (folder / RUN, ("train",))):
        record = read_json(path)
        for section in sections:
            (record[section]["train"] if section == "signature" else record[section]).pop("average")
        write_json(path, record)
    monkeypatch.setattr(prepared_pairs, "AVERAGE", 0.9)  # as a later version may have it
    code, said = timed("--epochs", "2")
    assert code == 0 and said.endswith(f"{folder}: {FINISHED}\n")
    code, said = timed("--epochs", "3")
    assert code == 0 and "continues after epoch 2\n" in said
    assert read_json(folder / RUN)["train"]["average"] == 0.0
    code, said = timed("--epochs", "3", "--average", "0.9")
    assert code == 2 and f"holds another run: train.average was 0.0, now 0.9; {WAYS_OUT}" in said


def test_what_is_finished_needs_no_tensorflow(trained):
    command = ["--data", str(trained / "pairs.tsv"), "--model", str(trained / "model"), *OPTIONS, "--epochs", "2"]
    code = f"""
import sys
from seq2seq import train
assert train.main({command!r}) == 0
assert not {{"tensorflow", "keras"}} & set(sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stderr == f"{trained / 'model'}: {FINISHED}\n"


def test_an_unfinished_run_of_the_first_version_continues(command, interrupted, folder, trained):
    interrupted(2, "--epochs", "2", "--overwrite")
    record = read_json(folder / RUN)
    asked = {**record["train"], "epochs": 2, "shards": None, "early_stop_metric": None}
    del record["format"], asked["shards"]
    write_json(folder / RUN, {**record, "train": asked, "model": {**record["model"], "dropout": None}})
    code, said = command("--epochs", "2")
    assert code == 0 and "continues after epoch 1\n" in said
    assert same_weights(folder, trained / "model")


def test_a_model_that_was_not_trained_here_is_not_a_run_to_continue(command, tiny_bundle):
    folder = tiny_bundle("model")
    code, said = command("--epochs", "2")
    assert code == 2 and said.endswith(f"error: {folder}: holds a model that was not trained here; {WAYS_OUT}\n")


# records that are damaged


def changed(section, **values):
    return lambda record: {**record, section: {**record[section], **values}}


def without(section):
    return lambda record: {key: value for key, value in record.items() if key != section}


@pytest.mark.parametrize("read", [unfinished_run, finished_run])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("train", epoch=3), "unknown key 'epoch' in section 'train'"),
        (changed("train", epochs="3"), "train.epochs: expected int, got '3'"),
        (changed("model", rnn=["gru"]), r"model.rnn: expected str, got \['gru'\]"),
        (changed("data", source_col=None), "data.source_col: expected int, got None"),
        (without("train"), "no 'train'|train is None"),
        (lambda record: {**record, "model": 7}, "model is 7"),
    ],
)
def test_a_wrong_record_is_named_by_file_and_key(folder, read, change, message):
    path = folder / (RUN if read is unfinished_run else CONFIG)
    write_json(path, change(read_json(path)))
    with pytest.raises(BundleError, match=f"{re.escape(str(path))}: .*({message})"):
        read(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda record: {**record, "extra": 1}, "is damaged: unknown key 'extra'; train again, or restore the file"),
        (lambda record: {**record, "sha256": "x"}, "is damaged: sha256 is 'x'; train again, or restore the file"),
        (
            lambda record: {**record, "format": "seq2seq run 2"},
            "has format 'seq2seq run 2', expected 'seq2seq run 1'; use the version of seq2seq that wrote it, "
            "or --overwrite to start from the beginning",
        ),
    ],
)
def test_a_run_with_other_keys_or_of_another_format_is_refused(folder, change, message):
    write_json(folder / RUN, change(read_json(folder / RUN)))
    with pytest.raises(BundleError) as error:
        unfinished_run(folder)
    assert str(error.value) == f"{folder / RUN}: {message}"


@pytest.mark.parametrize(("value", "message"), [("x", "signature is 'x'"), ({}, "sha256 is None")])
def test_a_model_whose_signature_is_damaged_is_refused(folder, value, message):
    write_json(folder / CONFIG, {**read_json(folder / CONFIG), "signature": value})
    with pytest.raises(BundleError, match=f"config.json: is damaged: {message}; train again"):
        finished_run(folder)


# shards


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_process_on_one_core_cuts_no_batch(monkeypatch):
    monkeypatch.setattr("seq2seq.models.step.core_count", core_count)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # of this thread
    try:
        assert shard_count(64) == 1
    finally:
        os.sched_setaffinity(0, cores)


def test_a_run_continues_with_its_shards_on_another_machine(command, interrupted, tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.models.step.core_count", lambda: 2)
    assert command("--epochs", "2", model="whole")[0] == 0
    interrupted(2, "--epochs", "2")
    assert read_json(tmp_path / "model" / RUN)["train"]["shards"] == 2
    monkeypatch.setattr("seq2seq.models.step.core_count", lambda: 1)
    assert command("--epochs", "2")[0] == 0
    assert same_weights(tmp_path / "model", tmp_path / "whole")
    assert json.loads((tmp_path / "model" / CONFIG).read_text())["train"]["shards"] == 2
    code, said = command("--epochs", "2", "--shards", "1")
    assert code == 2 and "holds another run: train.shards was 2, now 1; " in said


def test_more_shards_than_rows_are_refused(command):
    code, said = command("--shards", "17", "--epochs", "1")
    assert code == 2
    assert said.splitlines()[-1] == (
        "seq2seq train: error: --shards 17: expected at most one for each row of a batch; give 16 or fewer"
    )

"""The members of an ensemble are trained one after the other, interrupted, continued, added and replaced."""

import dataclasses
import json
import shutil

import pytest

from seq2seq import train
from seq2seq.api import LanguageModel, load
from seq2seq.bundle.folder import OWN_KEYS, load_bundle, save_bundle
from seq2seq.bundle.record import CONFIG, kind_in
from seq2seq.files.reading import sha256_of
from seq2seq.models.backend import tf
from seq2seq.training import ensemble, trainer, translator
from seq2seq.training.checkpoints import Progress
from seq2seq.training.run_folder import RUN, Saver
from seq2seq.training.run_record import FINISHED, WAYS_OUT
from seq2seq.training.task import Start
from tests.test_checkpoints import PowerCut, Scissors, arrays
from tests.test_run import ROWS, contents, same_weights

OPTIONS = [
    "--hidden-size", "4", "--embedding-size", "3", "--batch-size", "16", "--warmup-steps", "2", "--seed", "5",
    "--no-bidirectional", "--attention", "none", "--rnn", "gru", "--epochs", "2",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def eager():
    """Saves the seconds that compiling takes."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def trained(eager, one_shard, tmp_path_factory):
    """A folder with pairs.tsv, and an ensemble of two members trained on it for two epochs."""
    home = tmp_path_factory.mktemp("trained")
    (home / "pairs.tsv").write_text("".join(ROWS))
    command = ["--data", str(home / "pairs.tsv"), "--model", str(home / "model"), *OPTIONS, "--members", "2"]
    assert train.main(command) == 0
    return home


@pytest.fixture
def folder(trained, tmp_path):
    """A copy of the ensemble that one test may change."""
    return shutil.copytree(trained / "model", tmp_path / "model")


@pytest.fixture
def command(trained, tmp_path, capsys):
    def command(*options, model="model"):
        capsys.readouterr()
        code = train.main(["--data", str(trained / "pairs.tsv"), "--model", str(tmp_path / model), *OPTIONS, *options])
        return code, capsys.readouterr().err

    return command


@pytest.fixture
def instant(trained, monkeypatch):
    """Replaces training: each run writes a checkpoint and the finished model of member-1; returns the runs."""
    model = load_bundle(trained / "model" / "member-1")
    metrics = json.loads((model.path / "metrics.json").read_text())
    runs = []

    def train_in_folder(run):
        saver = Saver(run, Start(replaces=kind_in(run.folder) is not None))
        saver.save(Progress(epoch=1, best_epoch=1), weights=arrays(1), state=arrays(-1))
        record = {key: value for key, value in model.record.items() if key not in OWN_KEYS}
        record |= {"signature": run.signature, "train": run.train.to_dict()}
        save_bundle(dataclasses.replace(model, path=run.folder, record=record), metrics=metrics, history=[], canary=[])
        runs.append(run)

    monkeypatch.setattr(trainer, "train_in_folder", train_in_folder)
    return runs


def interrupt(*args, **options):
    raise KeyboardInterrupt


def refusal(command, *options, **keywords):
    code, said = command(*options, **keywords)
    assert code == 2
    return said.splitlines()[-1].removeprefix("seq2seq train: error: ")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


WHOLE = ["canary.json", "config.json", "member-1", "member-2", "metrics.json"]


# a real training


def test_members_are_ordinary_runs_with_the_next_seeds(trained):
    folder = trained / "model"
    assert names(folder) == WHOLE
    record = json.loads((folder / CONFIG).read_text())
    assert record["members"] == ["member-1", "member-2"]
    assert record["sha256"]["member-2/config.json"] == sha256_of(folder / "member-2" / CONFIG)
    assert [load_bundle(folder / name).record["train"]["seed"] for name in record["members"]] == [5, 6]
    assert not same_weights(folder / "member-1", folder / "member-2")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert load(folder).evaluate(n_bootstrap=0).scores.chrf == metrics["test"]["chrf"]
    assert load(folder).evaluate(split="validation", n_bootstrap=0).scores.cer == metrics["validation"]["cer"]


def test_an_ensemble_that_was_interrupted_continues_to_the_same_model(trained, command, tmp_path, monkeypatch):
    validate, calls, cut = translator.TranslationTask.validate, [], tmp_path / "cut"

    def validate_or_not(task):
        calls.append(1)
        return interrupt() if len(calls) == 4 else validate(task)

    with monkeypatch.context() as patch:
        patch.setattr(translator.TranslationTask, "validate", validate_or_not)
        assert command("--members", "2", model="cut")[0] == 130
    assert names(cut) == ["member-1", "member-2"]
    assert (cut / "member-1" / CONFIG).exists() and not (cut / "member-2" / CONFIG).exists()
    (cut / "notes.txt").write_text("mine")
    before = contents(cut / "member-1")
    code, said = command("--members", "2", model="cut")
    assert code == 0
    assert f"{cut}: notes.txt: not written by this program, left alone\n" in said
    assert f"member 1 of 2, seed 5\n{cut / 'member-1'}: {FINISHED}\nmember 2 of 2, seed 6\n" in said
    assert "continues after epoch 1\n" in said and said.endswith(f"finished: {cut}\n")
    assert contents(cut / "member-1") == before
    assert (cut / "notes.txt").read_text() == "mine"
    assert all(same_weights(cut / name, trained / "model" / name) for name in ("member-1", "member-2"))
    assert command("--seed", "6", model="cut/member-2") == (0, f"{cut / 'member-2'}: {FINISHED}\n")


def test_language_models_are_trained_together(tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 40)
    options = {"hidden_size": 8, "embedding_size": 4, "batch_size": 2, "max_steps": 2, "members": 2}
    said = []
    model = LanguageModel.train(tmp_path / "text.txt", model=tmp_path / "model", report=said.append, **options)
    assert len(model.bundle.members) == 2
    recorded = json.loads((tmp_path / "model" / "metrics.json").read_text())["validation"]
    assert model.evaluate().bits_per_character == pytest.approx(recorded["bits_per_character"], abs=1e-6)
    assert f"all 2 together: {recorded['bits_per_character']:.3f} bits per character" in said


# the same command again, and longer


def test_a_finished_ensemble_says_so_and_stays_as_it_is(folder, command, instant):
    before = contents(folder)
    assert command("--members", "2") == (0, f"{folder}: {FINISHED}\n")
    assert contents(folder) == before and not instant


@pytest.mark.parametrize("name", [CONFIG, "metrics.json", "canary.json"])
def test_what_makes_the_members_one_model_is_written_again_without_training(folder, command, instant, name):
    before = contents(folder)
    (folder / name).unlink()
    code, said = command("--members", "2")
    assert code == 0 and said.endswith(f"finished: {folder}\n")
    assert contents(folder) == before and not instant


def test_more_members_are_added_and_the_ensemble_works_meanwhile(folder, command, instant, monkeypatch):
    before = contents(folder)
    with monkeypatch.context() as patch:
        patch.setattr(ensemble, "join", interrupt)
        assert command("--members", "3")[0] == 130
    assert {name: content for name, content in contents(folder).items() if "member-3" not in name} == before
    assert len(load(folder).bundle.members) == 2
    assert command("--members", "3")[0] == 0
    assert len(load(folder).bundle.members) == 3
    assert [run.train.seed for run in instant] == [7]


def test_members_are_trained_for_longer_and_the_ensemble_works_until_one_is(folder, command, instant, monkeypatch):
    longer, train_one = ("--members", "2", "--epochs", "3"), trainer.train_in_folder
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "train_in_folder", interrupt)
        assert command(*longer)[0] == 130
    assert load(folder).translate(["ab"])
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "train_in_folder", lambda run: interrupt() if instant else train_one(run))
        assert command(*longer)[0] == 130
    assert kind_in(folder) is None and kind_in(folder / "member-1") == "translator"
    assert command(*longer)[0] == 0
    assert [member.record["train"]["epochs"] for member in load_bundle(folder).members] == [3, 3]
    assert len(instant) == 2


def test_minutes_are_shared_equally(command, instant, tmp_path):
    assert command("--members", "3", "--max-minutes", "6", model="timed")[0] == 0
    assert [run.train.max_minutes for run in instant] == [2.0, 2.0, 2.0]
    assert instant[0].started < instant[1].started < instant[2].started
    assert [run.train.members for run in instant] == [1, 1, 1]


def test_a_cut_while_the_members_are_made_one_model_leaves_none_or_a_whole_one(folder, command, instant):
    before, cuts = contents(folder), 0
    for after in range(20):
        (folder / CONFIG).unlink()
        with pytest.MonkeyPatch.context() as patch:
            Scissors(patch, after)
            try:
                assert command("--members", "2")[0] == 0
            except PowerCut:
                cuts += 1
            else:
                break
        assert not (folder / CONFIG).exists() or load(folder)
        assert command("--members", "2")[0] == 0
        assert contents(folder) == before
    assert cuts >= 6 and load(folder) and not instant


# another form, and what others wrote


@pytest.mark.parametrize("whole", [True, False], ids=["finished", "unfinished"])
def test_an_ensemble_is_not_made_smaller_or_one_model(folder, command, instant, whole):
    assert command("--members", "3")[0] == 0
    if not whole:
        (folder / CONFIG).unlink()
    before = contents(folder)
    for options in ((), ("--members", "2")):
        assert refusal(command, *options) == (
            f"{folder}: holds members of an ensemble, up to member-3, and --members is {len(options) or 1}; "
            "give --members 3 or more, another --model, or --overwrite to start from the beginning"
        )
    assert contents(folder) == before


def test_one_model_is_not_made_an_ensemble(folder, command, instant):
    assert refusal(command, "--members", "2", model="model/member-1") == (
        f"{folder / 'member-1'}: holds one model, and --members 2 asks for an ensemble; {WAYS_OUT}"
    )


def test_another_run_is_refused_by_the_member_that_holds_it(folder, command):
    before = contents(folder)
    assert refusal(command, "--members", "2", "--learning-rate", "0.01") == (
        f"{folder / 'member-1'}: holds another run: train.learning_rate was 0.008, now 0.01; {WAYS_OUT}"
    )
    assert contents(folder) == before


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_a_name_that_another_program_has_is_left_alone(folder, command, instant, tmp_path, kind):
    path = folder / "member-3"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
        (path / "mine.txt").write_text("mine")
    else:
        path.symlink_to(folder / "member-1")
    before = contents(folder)
    for options in ((), ("--overwrite",)):
        assert refusal(command, "--members", "3", *options) == (
            f"{path}: has the name of a member, but this program did not write it, or not all of it; "
            "move it away, or give another --model"
        )
    assert contents(folder) == before and not instant
    said = refusal(command, "--members", "2", model=".")
    assert said.endswith("and not a model folder (it holds 'model'); give another --model")


def test_what_an_interrupted_first_checkpoint_left_does_not_stop_the_next_start(command, instant, tmp_path):
    (tmp_path / "model" / "member-1" / "checkpoint-1.partial").mkdir(parents=True)
    (tmp_path / "model" / "member-2").mkdir()
    assert command("--members", "2")[0] == 0
    assert len(load(tmp_path / "model").bundle.members) == 2


# --overwrite


def test_a_new_ensemble_replaces_the_old_one_at_its_first_checkpoint(folder, command, instant, monkeypatch):
    assert command("--members", "3")[0] == 0
    (folder / "member-3" / "notes.txt").write_text("mine")
    before, instant[:] = contents(folder), []
    options, save = ("--members", "3", "--learning-rate", "0.01"), Saver.save

    def save_and_stop(saver, *args, **arrays):
        save(saver, *args, **arrays)
        interrupt()

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "train_in_folder", interrupt)
        assert command(*options, "--overwrite")[0] == 130
    assert contents(folder) == before
    with monkeypatch.context() as patch:
        patch.setattr(Saver, "save", save_and_stop)
        assert command(*options, "--overwrite")[0] == 130
    assert names(folder) == ["member-1", "member-3"]
    assert names(folder / "member-1") == ["checkpoint-1", "config.toml", "current", RUN]
    assert names(folder / "member-3") == ["notes.txt", RUN]
    assert command(*options)[0] == 0
    assert [run.overwrite for run in instant] == [False, False, False]
    assert [member.record["train"]["learning_rate"] for member in load_bundle(folder).members] == [0.01] * 3
    assert (folder / "member-3" / "notes.txt").read_text() == "mine"


def test_an_ensemble_and_one_model_replace_each_other(folder, command, instant):
    assert command("--overwrite")[0] == 0
    assert names(folder) == [*names(folder.parent / "model")]
    assert not [name for name in names(folder) if name.startswith("member")]
    assert load(folder).bundle.weights
    assert command("--members", "2", "--overwrite")[0] == 0
    assert names(folder) == WHOLE
    assert len(load(folder).bundle.members) == 2
    assert command("--members", "2", "--overwrite")[0] == 0
    assert names(folder) == WHOLE

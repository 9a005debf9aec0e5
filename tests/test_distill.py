"""A student learns from a teacher's outputs and probabilities, in an ordinary run that continues bit for bit."""

import itertools
import json

import numpy as np
import pytest

import seq2seq
from seq2seq import distill
from seq2seq.bundle.folder import load_bundle, symbols_of
from seq2seq.config import TrainingConfig
from seq2seq.decoding import log_softmax
from seq2seq.errors import BundleError, DataError, OptionError
from seq2seq.files.reading import sha256_of
from seq2seq.inference.translator import Translator
from seq2seq.models.backend import tf
from seq2seq.models.step import Forward, Taught, objective, symbol_nats
from seq2seq.search_config import DecodingConfig
from seq2seq.special import PAD
from seq2seq.text.batches import Ragged
from seq2seq.training import teacher as teaching
from seq2seq.training import trainer
from seq2seq.training.run_record import FINISHED
from seq2seq.training.student import StudentTask
from seq2seq.training.teacher import distil_run, soft_targets
from tests.conftest import ROWS
from tests.test_ensemble import joined
from tests.test_run import same_weights
from tests.tiny_language import make_model

SMALL = {
    "hidden_size": 4, "embedding_size": 3, "batch_size": 32, "warmup_steps": 2, "epochs": 2, "rnn": "gru",
    "bidirectional": False,
}  # fmt: skip
OPTIONS = [
    "--hidden-size", "4", "--embedding-size", "3", "--batch-size", "32", "--warmup-steps", "2", "--epochs", "2",
    "--no-bidirectional", "--rnn", "gru",
]  # fmt: skip
FEW_ROWS = [f"{one}{other}\t{other}{one}" for one in "abc" for other in "abcde"]


@pytest.fixture(scope="module", autouse=True)
def eager():
    """Saves the seconds that compiling takes."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(params=["transducer", "attention"])
def folder(request, tiny_bundle, tmp_path):
    """An ensemble of two random models of one architecture."""
    members = [tiny_bundle(f"m{seed}", architecture=request.param, seed=seed) for seed in (1, 2)]
    return joined(tmp_path / "teacher", members)


@pytest.fixture
def one(tiny_bundle):
    """A random transducer, as a teacher."""
    return tiny_bundle("teacher", architecture="transducer")


@pytest.fixture
def command(tmp_path, capsys):
    def command(teacher, *options, model="student"):
        capsys.readouterr()
        code = distill.main(["--teacher", str(teacher), "--model", str(tmp_path / model), *OPTIONS, *options])
        return code, capsys.readouterr().err

    return command


def written(tmp_path, *lines):
    path = tmp_path / "more.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


# the loss


def lowered(ids, probs, share):
    logits, targets = tf.math.log([[[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]]), tf.constant([[0, 2]])
    taught = Taught(tf.constant([ids]), tf.constant([probs], tf.float32), share)
    result = Forward(logits, targets, tf.ones(targets.shape), [], taught)
    return objective(result, symbol_nats(logits, targets), TrainingConfig()).numpy()[0]


def test_the_loss_mixes_the_nats_of_the_targets_with_those_of_the_teacher():
    found = lowered([[0, 1], [2, 1]], [[0.75, 0.25], [1.0, 0.0]], 0.25)
    first = 0.75 * -np.log(0.5) + 0.25 * (0.75 * -np.log(0.5) + 0.25 * -np.log(0.25))
    np.testing.assert_allclose(found, [first, -np.log(0.7)], rtol=1e-6)


@pytest.mark.parametrize(("share", "probs"), [(0.0, [[0.3, 0.7], [0.5, 0.5]]), (1.0, [[1.0, 0.0], [1.0, 0.0]])])
def test_a_share_of_0_and_a_teacher_that_is_sure_of_the_targets_give_the_plain_loss(share, probs):
    found = lowered([[0, 1], [2, 1]], probs, share)
    np.testing.assert_allclose(found, [-np.log(0.5), -np.log(0.7)], rtol=1e-6)


def test_an_impossible_action_has_a_finite_loss_and_gradient():
    logits = tf.constant([[[0.0, -np.inf, 0.0]]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        taught = Taught(tf.constant([[[0, 1]]]), tf.constant([[[1.0, 0.0]]]), 1.0)
        result = Forward(logits, tf.constant([[0]]), tf.ones((1, 1)), [], taught)
        loss = objective(result, symbol_nats(logits, result.targets), TrainingConfig())
    np.testing.assert_allclose(loss, [[np.log(2)]], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(loss, logits), [[[-0.5, 0.0, 0.5]]], atol=1e-6)


# the teacher's probabilities


def test_soft_targets_are_the_most_probable_of_the_ensemble_scaled_to_1(folder):
    translator = Translator(load_bundle(folder))
    lines, targets = ["abcd.", "mn.", "opkl."], ["cdab!", "", "xkl"]
    sources = [translator.encode(line, "map", 0, print) for line in lines]
    paths = translator.writer.paths(sources, [translator.encode_target(target, "unk", "") for target in targets])
    seen = []
    soft = soft_targets(translator, sources, Ragged(paths), progress=lambda *now: seen.append(now))
    assert seen == [(1.0, "the teacher's probabilities: 3 of 3 rows")]
    ids, probs = soft.padded(np.array([2, 0, 1]))
    assert ids.shape == (3, max(map(len, paths)) - 1, 8) and soft.probs.dtype == np.float16
    np.testing.assert_allclose(probs.sum(-1), Ragged(paths).padded(np.array([2, 0, 1]))[:, 1:] != PAD, atol=2e-3)
    for row, index in enumerate((2, 0, 1)):
        state = translator.writer.start([sources[index]])
        for time, token in enumerate(paths[index][:-1]):
            logits, state = translator.runtime.step(np.array([token], np.int32), state)
            expected = np.exp(log_softmax(logits)[0])
            best = np.sort(expected)[-8:]
            np.testing.assert_allclose(probs[row, time], best[::-1] / best.sum(), atol=1e-3)
            np.testing.assert_allclose(expected[ids[row, time]], best[::-1], atol=1e-6)


def test_the_targets_of_unlabelled_sources_are_what_decode_prints(folder, tmp_path):
    translator = Translator(load_bundle(folder))
    lines = [*dict.fromkeys(row.partition("\t")[0] for row in ROWS), "zzab."]  # z is unknown
    more = written(tmp_path, *lines, "", "abcdefghij", lines[0])
    run = distil_run({"model": {}, "train": {}}, teacher=folder, unlabelled=more, report=print)
    assert run.teacher.unlabelled == [*lines, "abcdefghij"]  # distinct
    seen = []
    found = teaching.labelled(run.teacher, longest=6, progress=lambda *now: seen.append(now))
    assert seen[-1] == (1.0, f"unlabelled sources: {len(seen)} of {len(seen)}")
    expected = [best for (best,) in translator.outputs(lines, DecodingConfig()) if best.finished]
    assert len(expected) > 5
    assert ["".join(one.symbols) for one in found.sources] == [best.source for best in expected]
    for source, path, best in list(zip(found.sources, found.paths, expected, strict=True))[:5]:
        state, total = translator.writer.start([source]), 0.0
        for token, following in itertools.pairwise(path):
            logits, state = translator.runtime.step(np.array([token], np.int32), state)
            total += log_softmax(logits)[0, following]
        np.testing.assert_allclose(total, best.score, atol=1e-5)


# runs


def test_a_student_that_was_interrupted_continues_to_the_same_weights(tiny_bundle, command, tmp_path, monkeypatch):
    members = [tiny_bundle(f"m{seed}", rows=FEW_ROWS, architecture="transducer", seed=seed) for seed in (1, 2)]
    folder = joined(tmp_path / "teacher", members)
    more = ["--unlabelled", written(tmp_path, "cab", "abz")]
    seq2seq.Translator.distill(folder, unlabelled=more[1], model=tmp_path / "student", **SMALL)
    validate, calls = StudentTask.validate, []

    def validate_or_not(task):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return validate(task)

    with monkeypatch.context() as patch:
        patch.setattr(StudentTask, "validate", validate_or_not)
        code, said = command(folder, *more, model="cut")
    assert code == 130
    assert f"teacher: {folder} (2 members)\n" in said
    assert "the teacher gave probabilities for 15 rows in " in said
    assert "unlabelled sources: 2; left out, too long or without an end: 0\n" in said
    assert "the teacher's probabilities are 50% of the loss" in said
    code, said = command(folder, *more, model="cut")
    assert code == 0, said
    assert "continues after epoch 1" in said
    assert same_weights(tmp_path / "student", tmp_path / "cut")
    assert FINISHED in command(folder, *more)[1]
    assert (
        "holds another run: train.teacher_share was 0.5, now 0.4; give"
        in command(folder, *more, "--teacher-share", "0.4")[1]
    )
    assert "holds another run: sha256.unlabelled was '" in command(folder)[1]
    assert "; sha256.teacher was '" in ordinary(tmp_path / "m1.tsv", tmp_path / "student")
    # an ordinary model folder, which knows its data and its teacher
    record = json.loads((tmp_path / "student" / "config.json").read_text())
    assert record["signature"]["sha256"]["teacher"] == sha256_of(folder / "config.json")
    assert record["signature"]["sha256"]["unlabelled"] == sha256_of(tmp_path / "more.txt")
    assert set(record["trained_on"]["sha256"]) == {"all"}
    student, teacher = load_bundle(tmp_path / "student"), load_bundle(folder)
    assert symbols_of(student) == symbols_of(teacher)
    assert seq2seq.load(tmp_path / "student").evaluate(n_bootstrap=0).scores.n > 0


def ordinary(data, folder):
    """The error of `train` in a student's folder."""
    with pytest.raises(BundleError) as error:
        seq2seq.Translator.train(data, model=folder, architecture="transducer", **SMALL)
    return str(error.value)


def task_of(teacher, **options):
    run = distil_run({"model": {"hidden_size": 4, "embedding_size": 3}, "train": {}}, teacher=teacher, **options)
    prepared = trainer.prepare(run)
    return trainer.build_task(trainer.resolved(run, prepared), prepared)


def test_unlabelled_rows_are_trained_on_beside_the_training_part(one, tmp_path):
    alone, with_more = (
        task_of(one, report=lambda line: None, unlabelled=unlabelled, folder=tmp_path / "student")
        for unlabelled in (None, written(tmp_path, "ghgh", "zab.", "abq."))
    )
    rows = [sum(len(arrays[0]) for arrays in task.epoch(np.random.default_rng(1))) for task in (alone, with_more)]
    assert rows[1] > rows[0] == len(alone.data.train.sources)
    arrays = next(with_more.epoch(None))
    ids, probs, _, targets, _ = arrays[-5:]
    assert ids.shape == probs.shape == (*targets.shape, 8)
    np.testing.assert_allclose(probs.sum(-1), targets != PAD, atol=2e-3)
    with_more.check(arrays)


# what is refused


def refusal(command, *options, **keywords):
    code, said = command(*options, **keywords)
    assert code == 2 and said.count("\n") == 1
    return said.removeprefix("seq2seq distill: error: ").rstrip("\n")


def test_a_language_model_is_no_teacher(command, tmp_path):
    folder = make_model(tmp_path / "text", seed=1).bundle.path
    assert refusal(command, folder) == (
        f"--teacher {folder}: expected a translator, got a language-model; give another --teacher"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--architecture", "attention"], "--architecture attention: expected the teacher's, transducer, since probab"),
        (["--attention", "none"], "--attention none and --architecture transducer exclude each other: a transducer re"),
        (["--data", "prose"], "--data prose: expected pairs, as the teacher learnt from, got a text"),
        (["--teacher-share", "1.5"], "--teacher-share: expected at most 1.0, got 1.5"),
        (["--model", ""], "--model: expected a folder, got ''"),
    ],
)
def test_options_that_contradict_the_teacher_are_refused(command, one, options, message):
    assert refusal(command, one, *options).startswith(message)


def test_several_students_are_refused(command, one, tmp_path):
    (tmp_path / "five.toml").write_text("[train]\nmembers = 5\n")
    message = "--members 5: distill makes one model; leave it out"
    assert refusal(command, one, "--config", str(tmp_path / "five.toml")) == message


def test_the_teachers_own_folder_is_refused(command, folder):
    for model in (folder, folder / "member-1", folder / "new", folder.parent):
        message = f"--model {model}: is the teacher's folder, or holds it, or is in it; give another --model"
        assert refusal(command, folder, "--model", str(model)) == message


def test_data_that_has_gone_is_named(command, one):
    one.with_name("teacher.tsv").unlink()
    assert refusal(command, one).endswith("restore that data, or give --data FILE.tsv to learn from other pairs")


def test_data_with_a_symbol_that_the_teacher_does_not_know_is_refused(command, one, tmp_path):
    (tmp_path / "other.tsv").write_text("".join(f"{row}%\n" for row in ROWS))
    code, said = command(one, "--data", str(tmp_path / "other.tsv"))
    assert code == 2
    assert f"has a symbol that the teacher does not know; give the data that {one} was trained on, or pairs in" in said


def test_unlabelled_sources_that_cannot_be_used_are_refused(command, one, tmp_path):
    more = written(tmp_path, "", " ")
    assert refusal(command, one, "--unlabelled", more) == (
        f"--unlabelled {more}: expected a source on each line, got no text; give another file"
    )
    (tmp_path / "more.txt").write_bytes(b"abcd.\nef.\ngh.\n\xe9\n")
    assert refusal(command, one, "--unlabelled", more).startswith(f"{more}:4: expected UTF-8 text, got ")
    with pytest.raises(DataError, match="which does not exist; check the path"):
        teaching.read_sources(str(tmp_path / "none.txt"), Translator(load_bundle(one)))


def test_options_of_the_data_are_refused(one):
    with pytest.raises(OptionError, match="--lowercase: the data is read as the teacher's was; leave it out"):
        seq2seq.Translator.distill(one, lowercase=True)


def test_a_share_without_a_teacher_is_refused(one):
    with pytest.raises(OptionError, match="--teacher-share 0.3: needs a teacher; use `seq2seq distill --teacher DIR`"):
        seq2seq.Translator.train(one.with_name("teacher.tsv"), teacher_share=0.3)

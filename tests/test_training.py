"""Training: its rules on a model of two layers that compiles at once, and whole runs of the command on toy pairs."""

import csv
import json
import math
import os
import shutil
import sys
import time

import numpy as np
import pytest

from seq2seq import decode, train
from seq2seq.api import load
from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import CONFIG
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import BundleError, DataError, Seq2SeqError
from seq2seq.files.reading import read_arrays
from seq2seq.files.writing import write_arrays
from seq2seq.models.backend import keras, tf
from seq2seq.models.step import Forward
from seq2seq.models.weights import export_weights
from seq2seq.text.batches import training_weights
from seq2seq.text.datasets import Dataset, resolve
from seq2seq.training import fit as fitting
from seq2seq.training import prepared_pairs, schedule
from seq2seq.training import translator as translation
from seq2seq.training.checkpoints import CURRENT, Progress, current_checkpoint, load_progress
from seq2seq.training.fit import fit
from seq2seq.training.run_folder import RUN
from seq2seq.training.run_record import FINISHED
from seq2seq.training.run_views import CURVES, SAMPLES
from seq2seq.training.schedule import UNLIMITED_EPOCHS, Clock, describe_change, learning_rate
from seq2seq.training.task import Run, Scores, Start

SIZE, STEPS = 7, 6


class Bigram:
    """Predicts each symbol from the one before: an embedding, dropout, a dense layer."""

    def __init__(self):
        keras.utils.set_random_seed(1)
        ids = keras.Input((None,), dtype="int32")
        hidden = keras.layers.Embedding(SIZE, 5, name="embedding")(ids)
        hidden = keras.layers.Dropout(0.5, name="dropout")(hidden)
        self.models = [keras.Model(ids, keras.layers.Dense(SIZE, name="logits")(hidden))]
        spec = tf.TensorSpec((None, None), tf.int32)
        self.signature = [spec, spec, tf.TensorSpec((None, None), tf.float32)]
        self.carry_signature = []

    def forward(self, arrays, carry, *, training):
        inputs, targets, weights = arrays
        return Forward(self.models[0](inputs, training=training), targets, weights, [])


class CarryingBigram(Bigram):
    """A bigram whose logits also lean on what earlier batches of the epoch left."""

    def __init__(self):
        super().__init__()
        self.carry_signature = [tf.TensorSpec((None, SIZE), tf.float32)]

    def forward(self, arrays, carry, *, training):
        result = super().forward(arrays, carry, training=training)
        logits = result.logits + carry[0][:, None]
        return result._replace(logits=logits, carry=[0.5 * tf.reduce_mean(logits, 1)])


class CountingTask:
    """Rows in which each symbol is the one before plus one; six steps an epoch, scores as scripted."""

    def __init__(self, losses=None, slow=0.0, interrupt_in=None, symptoms=()):
        self.model = Bigram()
        self.steps_per_epoch = STEPS
        self.losses = losses
        self.slow = slow
        self.interrupt_in = interrupt_in
        self.symptoms = symptoms
        self.epochs = 0
        self.seen = []
        self.checked = []

    def check(self, arrays):
        self.checked.append(arrays)

    def epoch(self, generator):
        self.epochs += 1
        for index in range(STEPS):
            if self.interrupt_in == (self.epochs, index):
                raise KeyboardInterrupt
            time.sleep(self.slow)
            inputs = generator.integers(0, SIZE, (4, 5), dtype=np.int32)
            self.seen.append(inputs)
            yield [inputs, (inputs + 1) % SIZE, np.ones((4, 5), np.float32)]

    def initial_carry(self):
        return [np.zeros((4, SIZE), np.float32) for _ in self.model.carry_signature]

    def validate(self):
        loss = self.losses.pop(0) if self.losses else 1.0
        return Scores(loss, {"chrf": 10 * loss}, ["    an example"], self.symptoms)


def run(folder, task, *, before=None, **options):
    """Fits; returns progress, weights and the lines of the report."""
    folder.mkdir(exist_ok=True)
    lines = []
    asked = run_of(folder, lines.append, **options)
    progress = fit(task, asked, Start(current_checkpoint(folder), before=before))
    return progress, export_weights(task.model.models), lines


def run_of(folder, report, **options):
    options = {"epochs": 3, "batch_size": 4, "learning_rate": 0.1, "warmup_steps": 2, "shards": 1, **options}
    return Run(
        folder=folder,
        dataset=Dataset("toy", "pairs", "path", {}, {}, None),
        data=DataConfig(),
        model=ModelConfig(),
        train=TrainingConfig(**options),
        started=time.monotonic(),
        report=report,
    )


def assert_same(one, other):
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


# the schedule


def test_the_learning_rate_rises_from_zero_and_falls_to_a_hundredth():
    config = TrainingConfig(learning_rate=1.0, warmup_steps=4)
    assert [learning_rate(config, step=step, progress=0.0) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert learning_rate(config, step=9, progress=0.5) == pytest.approx(0.5)
    assert learning_rate(config, step=9, progress=1.0) == 0.01
    linear = TrainingConfig(learning_rate=1.0, warmup_steps=0, schedule="linear")
    assert learning_rate(linear, step=0, progress=0.25) == 0.75
    constant = TrainingConfig(learning_rate=0.3, warmup_steps=0, schedule="constant")
    assert learning_rate(constant, step=0, progress=1.0) == 0.3


class Time:
    """Stands in for the module `time`: it passes where something sleeps, and nowhere else."""

    seconds = 1000.0

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.seconds += seconds


@pytest.fixture
def passing(monkeypatch):
    """Time that passes as a test lets it, for the test and the loop."""
    stand_in = Time()
    for module in (fitting, schedule, sys.modules[__name__]):
        monkeypatch.setattr(module, "time", stand_in)
    return stand_in


def test_a_clock_runs_in_steps_or_in_minutes_whichever_is_further(passing):
    clock = Clock(TrainingConfig(max_minutes=1.0), total_steps=10, started=passing.seconds - 29, before=0.0)
    assert clock.progress(1) == pytest.approx(29 / 58)  # two of the sixty seconds are kept for the end
    assert clock.progress(9) == pytest.approx(0.9)
    assert clock.progress(11) == 1.0
    resumed = Clock(TrainingConfig(), total_steps=10, started=passing.seconds, before=7.0)
    assert resumed.seconds() == 7.0
    assert resumed.progress(5) == 0.5


# the loop


def test_the_loss_falls_and_each_epoch_leaves_a_checkpoint(tmp_path):
    progress, _, lines = run(tmp_path, CountingTask(), epochs=8)
    losses = [row["train_loss"] for row in progress.history]
    assert losses[-1] < 0.7 * losses[0] < 1.2 * math.log(SIZE)
    assert (progress.epoch, progress.step) == (8, 8 * STEPS)
    assert load_progress(current_checkpoint(tmp_path)) == progress
    assert [line for line in lines if line.startswith("epoch 1/8  ")] == [lines[0]]
    assert lines[1] == "    an example"


def test_a_seed_repeats_a_run_exactly_and_another_does_not(tmp_path):
    first, second, other = CountingTask(), CountingTask(), CountingTask()
    one = run(tmp_path / "1", first)
    two = run(tmp_path / "2", second)
    three = run(tmp_path / "3", other, seed=2)
    assert_same(one[1], two[1])
    assert [row["train_loss"] for row in one[0].history] == [row["train_loss"] for row in two[0].history]
    assert np.array_equal(first.seen, second.seen) and not np.array_equal(first.seen, other.seen)
    assert not np.array_equal(one[1]["logits.kernel"], three[1]["logits.kernel"])
    assert not np.array_equal(first.seen[:STEPS], first.seen[STEPS : 2 * STEPS])  # epochs differ


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
@pytest.mark.parametrize("moment", [(2, 0), (3, 4)])
def test_a_run_that_continues_ends_as_one_that_was_never_interrupted(tmp_path, optimizer, moment):
    losses = [3.0, 1.0, 2.0, 2.0]
    whole, weights, _ = run(tmp_path / "1", CountingTask(list(losses)), epochs=4, optimizer=optimizer)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "2", CountingTask(list(losses), interrupt_in=moment), epochs=4, optimizer=optimizer)
    done = load_progress(current_checkpoint(tmp_path / "2")).epoch
    assert done == moment[0] - 1
    task = CountingTask(losses[done:])
    progress, others, lines = run(tmp_path / "2", task, epochs=4, optimizer=optimizer)
    assert lines[0] == f"continues after epoch {done}"
    assert_same(weights, others)
    one, two = (read_arrays(current_checkpoint(tmp_path / name) / "state.safetensors") for name in "12")
    assert_same(one, two)
    assert any("dropout" in name for name in one) and len(one) > 4
    for name in ("epoch", "step", "best_epoch", "best_score", "epochs_without_better"):
        assert getattr(progress, name) == getattr(whole, name)
    timeless = [{key: row[key] for key in ("epoch", "step", "train_loss", "loss")} for row in progress.history]
    assert timeless == [{key: row[key] for key in timeless[0]} for row in whole.history]


@pytest.mark.parametrize(("moment", "epoch", "within"), [((1, 4), 0, 4), ((2, 3), 1, 3), ((3, 0), 2, 0)])
def test_a_long_epoch_continues_from_its_middle(tmp_path, monkeypatch, moment, epoch, within):
    monkeypatch.setattr("seq2seq.training.fit.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("seq2seq.training.fit.CHECK_EVERY", 1)

    def task(**options):
        made = CountingTask(**options)
        made.model = CarryingBigram()
        return made

    whole, weights, _ = run(tmp_path / "1", task())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "2", task(interrupt_in=moment))
    reached = load_progress(current_checkpoint(tmp_path / "2"))
    assert (reached.epoch, reached.within, reached.step) == (epoch, within, epoch * STEPS + within)
    progress, others, lines = run(tmp_path / "2", task())
    assert lines[0] == f"continues after epoch {epoch}" + (f" and {within} steps" if within else "")
    assert_same(weights, others)
    assert [row["train_loss"] for row in progress.history] == [row["train_loss"] for row in whole.history]
    assert sorted(path.name for path in (tmp_path / "2").glob("checkpoint-*")) == ["checkpoint-1", "checkpoint-3"]


def test_a_last_epoch_whose_steps_are_done_is_still_validated(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.training.fit.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("seq2seq.training.fit.CHECK_EVERY", 1)

    class Interrupted(CountingTask):
        def validate(self):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Interrupted(), epochs=1)
    assert load_progress(current_checkpoint(tmp_path)).within == STEPS
    progress, _, lines = run(tmp_path, CountingTask(), epochs=1)
    assert lines[0] == f"continues after epoch 0 and {STEPS} steps"
    assert (progress.epoch, progress.best_epoch, len(progress.history)) == (1, 1, 1)


def test_the_random_state_of_dropout_is_part_of_a_checkpoint(tmp_path):
    run(tmp_path / "1", CountingTask(), epochs=2)
    state = read_arrays(tmp_path / "1" / "checkpoint-2" / "state.safetensors")
    (name,) = [name for name in state if "dropout" in name]
    assert not np.array_equal(state[name], read_arrays(tmp_path / "1" / "checkpoint-1" / "state.safetensors")[name])


def test_the_best_weights_are_left_in_the_model(tmp_path):
    progress, weights, lines = run(tmp_path, CountingTask([3.0, 1.0, 2.0]))
    assert (progress.best_epoch, progress.best_score, progress.epochs_without_better) == (2, -1.0, 1)
    assert_same(weights, read_arrays(tmp_path / "checkpoint-2" / "weights.safetensors"))
    newest = read_arrays(tmp_path / "checkpoint-3" / "weights.safetensors")
    assert not np.array_equal(weights["logits.kernel"], newest["logits.kernel"])
    assert [line.endswith(" *") for line in lines if line.startswith("epoch")] == [True, True, False]


def test_another_score_may_choose_the_best(tmp_path):
    progress, *_ = run(tmp_path, CountingTask([3.0, 1.0, 2.0]), early_stop_metric="chrf")
    assert (progress.best_epoch, progress.best_score) == (1, 30.0)


def test_a_score_that_the_model_does_not_have_is_refused(tmp_path):
    with pytest.raises(DataError) as error:
        run(tmp_path, CountingTask(), early_stop_metric="exact")
    assert str(error.value) == (
        "--early-stop-metric exact: is not a score of this kind of model; give one of loss, chrf"
    )


def test_patience_ends_a_run_and_survives_an_interruption(tmp_path):
    losses = [1.0, 2.0, 2.0, 2.0, 2.0]
    progress, *_ = run(tmp_path / "1", CountingTask(list(losses)), epochs=9, patience=2)
    assert (progress.epoch, progress.best_epoch) == (3, 1)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "2", CountingTask(list(losses), interrupt_in=(3, 1)), epochs=9, patience=2)
    progress, *_ = run(tmp_path / "2", CountingTask([2.0] * 9), epochs=9, patience=2)
    assert (progress.epoch, progress.best_epoch) == (3, 1)


@pytest.mark.parametrize("moment", [(1, 0), (1, 3), (2, 5)])
def test_a_run_that_lasts_longer_continues_from_its_last_state(tmp_path, moment):
    before = run(tmp_path / "1", CountingTask())[0]
    shutil.copytree(tmp_path / "1", tmp_path / "2")
    shorter = run_of(tmp_path, print).train
    whole, weights, lines = run(tmp_path / "1", CountingTask(), epochs=5, before=shorter)
    assert lines[:2] == [
        "continues after epoch 3",
        "learning rate: was cosine over 18 steps, 0.001 at step 18; is now cosine over 30 steps, 0.0345 at step 18",
    ]
    assert whole.history[:3] == before.history and (whole.epoch, whole.step) == (5, 5 * STEPS)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "2", CountingTask(interrupt_in=moment), epochs=5, before=shorter)
    assert_same(weights, run(tmp_path / "2", CountingTask(), epochs=5)[1])
    one, two = (read_arrays(tmp_path / name / "checkpoint-5" / "state.safetensors") for name in "12")
    assert_same(one, two)


def test_a_change_of_minutes_is_said_in_minutes():
    options = {"epochs": UNLIMITED_EPOCHS, "learning_rate": 0.008}
    before, now = (TrainingConfig(**options, max_minutes=minutes) for minutes in (5.0, 7.5))
    line = describe_change(before, now, Progress(step=300, seconds=300.0), steps_per_epoch=10)
    assert line.startswith(
        "learning rate: was cosine over 5 minutes, 8e-05 at step 300; is now cosine over 7.5 minutes"
    )


def test_max_steps_ends_in_the_middle_of_an_epoch(tmp_path):
    progress, *_ = run(tmp_path, CountingTask(), epochs=9, max_steps=STEPS + 2)
    assert (progress.epoch, progress.step) == (2, STEPS + 2)


def test_a_finished_run_takes_no_further_step(tmp_path):
    _, weights, _ = run(tmp_path, CountingTask())
    task = CountingTask()
    _, again, lines = run(tmp_path, task)
    assert (task.seen, lines) == ([], ["continues after epoch 3"])
    assert_same(weights, again)


def test_max_minutes_ends_in_time(tmp_path, passing):
    began = passing.seconds
    progress, *_ = run(tmp_path, CountingTask(slow=0.2), epochs=10**6, max_minutes=0.1)
    assert passing.seconds - began < 6
    assert progress.step >= 1
    assert progress.history[-1]["seconds"] < 6


def test_time_that_is_up_at_once_still_allows_one_step(tmp_path):
    progress, *_ = run(tmp_path, CountingTask(), epochs=10**6, max_minutes=0.001)
    assert (progress.epoch, progress.step) == (1, 1)
    again, *_ = run(tmp_path, CountingTask(), epochs=10**6, max_minutes=0.001)
    assert (again.epoch, again.step) == (1, 1)


def test_the_first_batch_is_checked_once(tmp_path):
    task = CountingTask()
    run(tmp_path, task, epochs=2)
    assert len(task.checked) == 1 and len(task.checked[0]) == 3


def test_symptoms_are_one_line_each_once_the_first_epochs_are_over(tmp_path):
    _, _, lines = run(tmp_path, CountingTask(symptoms=["D05: the source seems to be ignored"]), epochs=4)
    warning = "    warning D05: the source seems to be ignored; python -m seq2seq.doctor --explain D05"
    assert [line == warning for line in lines] == [False, False] * 2 + [False, False, True] * 2


# what goes wrong


def test_a_loss_that_is_no_number_is_refused_with_the_way_out(tmp_path):
    task = CountingTask()
    task.model.models[0].get_layer("logits").bias.assign(np.full(SIZE, np.nan, np.float32))
    with pytest.raises(Seq2SeqError) as error:
        run(tmp_path, task)
    assert str(error.value) == (
        "training diverged: the loss is not a number at step 1; lower --learning-rate or give --clip-norm 1, "
        "then start from the beginning with --overwrite"
    )
    assert current_checkpoint(tmp_path) is None


def test_weights_that_are_no_numbers_are_not_kept(tmp_path):
    with pytest.raises(
        Seq2SeqError, match="training diverged: a weight is not a number at step [0-9]+; lower|the loss is not"
    ):
        run(tmp_path, CountingTask(), learning_rate=3e38, optimizer="sgd", warmup_steps=0, clip_norm=1e9)
    assert current_checkpoint(tmp_path) is None


def test_a_validation_loss_that_is_no_number_is_not_the_best(tmp_path):
    with pytest.raises(Seq2SeqError, match=f"the validation loss is not a number at step {2 * STEPS}"):
        run(tmp_path, CountingTask([1.0, math.nan]))
    assert load_progress(current_checkpoint(tmp_path)).epoch == 1


def test_a_loss_that_no_model_has_is_refused_and_the_last_checkpoint_stays(tmp_path):
    with pytest.raises(
        Seq2SeqError, match=f"diverged: the validation loss is 2.3e.28 nats per symbol at step {2 * STEPS}; l"
    ):
        run(tmp_path, CountingTask([1.0, 2.3e28]))
    assert load_progress(current_checkpoint(tmp_path)).epoch == 1


def test_a_state_of_another_version_is_refused(tmp_path):
    run(tmp_path, CountingTask(), epochs=1)
    path = tmp_path / "checkpoint-1" / "state.safetensors"
    state = read_arrays(path)
    for changed in ({**state, "optimizer.99": np.zeros(1)}, dict(list(state.items())[1:])):
        write_arrays(path, changed)
        with pytest.raises(
            BundleError, match=r"does not fit this version of Keras .* --overwrite to start from the beginning"
        ):
            run(tmp_path, CountingTask())
    path.write_bytes(b"")
    with pytest.raises(BundleError, match=r"state\.safetensors: cannot be read"):
        run(tmp_path, CountingTask())


# the command


TOY = [f"{one}{other}\t{other.upper()}{one}" for one in "abcdefgh" for other in "abcdefgh"]
OPTIONS = [
    "--hidden-size", "6", "--embedding-size", "4", "--dropout", "0.3", "--epochs", "3", "--batch-size", "8",
    "--learning-rate", "0.02", "--warmup-steps", "2", "--no-bidirectional", "--attention", "none", "--rnn", "gru",
]  # fmt: skip


@pytest.fixture
def toy(tmp_path):
    path = tmp_path / "toy.tsv"
    path.write_text("".join(f"{row}\n" for row in TOY))
    return path


@pytest.fixture
def command(toy, tmp_path, capsys, one_shard):
    def command(*options, model="model"):
        capsys.readouterr()
        code = train.main(["--data", str(toy), "--model", str(tmp_path / model), *OPTIONS, *options])
        return code, capsys.readouterr().err

    return command


def interrupting(monkeypatch, epoch):
    """Sends Ctrl-C at the validation of an epoch."""
    validate = translation.TranslationTask.validate
    calls = []

    def validate_or_not(self):
        calls.append(1)
        if len(calls) == epoch:
            raise KeyboardInterrupt
        return validate(self)

    monkeypatch.setattr(translation.TranslationTask, "validate", validate_or_not)


def test_a_run_is_interrupted_continued_finished_and_started_from_the_beginning(command, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "model"
    with monkeypatch.context() as patch:
        interrupting(patch, 2)
        code, said = command()
    assert code == 130
    assert said.endswith("seq2seq train: interrupted; the same command continues after epoch 1\n")
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint-1",
        "config.toml",
        CURRENT,
        CURVES,
        RUN,
        SAMPLES,
    ]
    # an unfinished folder is no model, and another run may not continue in it
    assert decode.main(["--model", str(folder), "--input", os.devnull]) == 2
    assert "is unfinished (no config.json)" in capsys.readouterr().err
    code, said = command("--learning-rate", "0.01", "--layers", "2")
    assert code == 2
    assert said.splitlines()[-1] == (
        f"seq2seq train: error: {folder}: holds another run: model.layers was 1, now 2; "
        "train.learning_rate was 0.02, now 0.01; give another --model, or --overwrite to start from the beginning"
    )
    # the same command continues, and ends as if it had not been interrupted
    code, said = command()
    assert code == 0 and "continues after epoch 1\n" in said
    code, other = command(model="whole")
    assert code == 0 and "continues" not in other
    one, two = load_bundle(folder), load_bundle(tmp_path / "whole")
    assert_same(one.weights, two.weights)
    assert (folder / "canary.json").read_bytes() == (tmp_path / "whole" / "canary.json").read_bytes()
    # what is finished is left as it is
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert [path.name for path in folder.glob("checkpoint-*")] == ["checkpoint-3"]  # to be trained for longer
    assert command() == (0, f"{folder}: {FINISHED}\n")
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert command("--epochs", "2")[0] == 2
    # another seed, from the beginning
    code, said = command("--seed", "2", "--overwrite")
    assert code == 0 and "continues" not in said
    assert not np.array_equal(load_bundle(folder).weights["logits.kernel"], one.weights["logits.kernel"])


def test_a_finished_folder_tells_how_it_came_about(command, tmp_path, toy):
    code, said = command("--max-minutes", "5", "--patience", "9")
    assert code == 0
    folder = tmp_path / "model"
    record = json.loads((folder / CONFIG).read_text())
    assert record["trained_on"]["name"] == "toy"
    assert record["trained_on"]["pairs"] == {"train": 52, "validation": 6, "test": 6}
    assert record["train"]["repeatable"] is False
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    scores = json.loads((folder / "metrics.json").read_text())
    assert set(scores) >= {"validation", "test"}
    for part in ("validation", "test"):
        assert set(scores[part]) >= {"chrf", "exact_match", "wer", "cer", "per", "n", "copied", "signatures", "by"}
    again = TrainingConfig.from_dict(record["signature"]["train"], where="test")
    assert again.patience == 9
    assert train.main(["--config", str(folder / "config.toml"), "--print-config"]) == 0
    assert len(load(folder).translate(["ab", "hh"])) == 2
    assert "test part, 6 sources, best epoch" in said


@pytest.fixture
def tokens(toy, tmp_path):
    """A token list: in each part the first row occurs five times, and two rows of three."""
    folder = tmp_path / "tokens"
    folder.mkdir()
    for name, part in (("train", TOY[:52]), ("dev", TOY[52:58]), ("test", TOY[58:])):
        rows = [*part, *part[:1] * 4, *part[1::3]]
        (folder / f"{name}.tsv").write_text("".join(f"{row}\n" for row in rows))
    return folder


def test_repeated_rows_are_weights_instead_of_copies(tokens, monkeypatch):
    monkeypatch.setattr(prepared_pairs, "VALIDATION_SOURCES", 4)
    config = DataConfig(data=str(tokens))
    data = prepared_pairs.prepare_pairs(resolve(tokens), config)
    assert len(data.splits.validation) == 6 + 4 + 2
    assert data.validation.weights.tolist() == [5, 2, 1, 1, 2, 1]
    assert len(data.train.sources) == 52
    np.testing.assert_allclose(data.train.weights, training_weights([5, *[2, 1, 1] * 17]), rtol=1e-6)
    assert data.sizes() == {"pairs": {"train": 73, "validation": 12, "test": 12}}
    assert data.resolved(ModelConfig(), TrainingConfig())[1].epochs == 100
    # the items of four of the six sources, each row of them as often as the shuffled list has it until the fifth
    assert data.by == "row"
    assert len({item.source for item in data.references}) == 4
    assert 4 <= len(data.references) <= 11


def test_a_token_list_is_trained_and_scored_by_row(command, tokens, tmp_path):
    code, said = command("--data", str(tokens), "--epochs", "1")
    assert code == 0
    assert "training part: 52 distinct rows; how often a row occurs is its weight" in said
    assert "many held-out rows repeat, so each row is scored as it stands (not each distinct source once)" in said
    assert "test part, 12 rows, best epoch 1" in said
    scores = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert [(scores[part]["by"], scores[part]["n"]) for part in ("validation", "test")] == [("row", 12)] * 2
    assert load(tmp_path / "model").evaluate(n_bootstrap=0).scores.to_dict() == {
        name: value for name, value in scores["test"].items() if name != "by"
    }


def test_targets_that_have_nothing_to_do_with_their_sources_are_warned_of(command, tmp_path):
    letters = np.random.default_rng(0).choice(list("abcdefgh"), (128, 4))
    rows = [f"{''.join(row[:3])}{number}\tonce upon a time {row[3]}\n" for number, row in enumerate(letters)]
    (tmp_path / "unrelated.tsv").write_text("".join(rows))
    options = ["--data", str(tmp_path / "unrelated.tsv"), "--epochs", "6", "--hidden-size", "24", "--dropout", "0"]
    code, said = command(*options, "--learning-rate", "0.05")
    assert code == 0
    (line,) = {line for line in said.splitlines() if "warning" in line}
    assert line.startswith("    warning D05: the source seems to be ignored: ")


def test_a_diverging_run_is_one_line(command, tmp_path):
    code, said = command("--learning-rate", "3e38", "--warmup-steps", "0", "--optimizer", "sgd")
    assert code == 2
    assert "seq2seq train: error: training diverged: " in said.splitlines()[-1]
    assert "Traceback" not in said
    with pytest.raises(BundleError):
        load(tmp_path / "model")
    # nothing was trained, so corrected options need no --overwrite
    assert command("--max-steps", "1")[0] == 0


@pytest.mark.parametrize("files", [["notes.txt"], ["config.json"]])
def test_a_folder_that_is_no_models_is_left_alone(command, tmp_path, files):
    folder = tmp_path / "model"
    folder.mkdir()
    for name in files:
        (folder / name).write_text('{"architectures": []}')
    for options in ([], ["--overwrite"]):
        code, said = command(*options)
        assert code == 2
        assert "it holds" in said or "is no" in said
    assert sorted(path.name for path in folder.iterdir()) == files


def test_what_an_interrupted_beginning_left_is_no_obstacle(command, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "run.json.partial").write_text("{")
    (folder / "config.toml.partial").write_text("[")
    assert command("--max-steps", "1")[0] == 0

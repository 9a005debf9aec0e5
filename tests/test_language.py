"""Training a language model: windows, the carried state, validation, and whole runs."""

import csv
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_language import random_weights

import seq2seq
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import DataError, OptionError
from seq2seq.presets import PRESETS, with_defaults
from seq2seq.scoring.diversity import longest_loop
from seq2seq.text.datasets import bundled_path, resolve
from seq2seq.text.prose import encode_text
from seq2seq.text.windows import WARM_UP, steps_per_pass, stream_count, training_windows, validation_windows
from seq2seq.train import main as train
from seq2seq.training.fit import Tally

SIZES = {"hidden_size": 16, "embedding_size": 8, "bidirectional": False, "attention": "none", "dropout": 0.0}
TRAINING = {"batch_size": 4, "learning_rate": 0.01, "warmup_steps": 0, "window": 16}


# Windows


def test_each_window_starts_where_the_one_before_ended():
    ids = np.arange(100, 113)
    windows = list(training_windows(ids, 2, 4, 0))
    assert [window.inputs.tolist() for window in windows] == [
        [[100, 101, 102, 103], [106, 107, 108, 109]],
        [[104, 105], [110, 111]],
    ]
    assert [window.targets.tolist() for window in windows] == [
        [[101, 102, 103, 104], [107, 108, 109, 110]],
        [[105, 106], [111, 112]],
    ]


def test_a_pass_that_starts_inside_the_text_continues_at_its_beginning():
    windows = list(training_windows(np.arange(7), 2, 3, 4))
    assert [window.inputs.tolist() for window in windows] == [[[4, 5, 6], [0, 1, 2]]]
    assert [window.targets.tolist() for window in windows] == [[[5, 6, 0], [1, 2, 3]]]


@settings(deadline=None)  # the verdict depends on no clock
@given(st.integers(2, 300), st.integers(1, 12), st.integers(1, 40), st.data())
def test_every_pass_trains_on_every_symbol_once_but_for_a_remainder(symbols, batch_size, window, data):
    streams = stream_count(symbols, batch_size, window)
    offset = data.draw(st.integers(0, symbols - 1))
    windows = list(training_windows(np.arange(symbols), streams, window, offset))
    assert len(windows) == steps_per_pass(symbols, streams, window)
    targets = np.concatenate([one.targets.ravel() for one in windows])
    assert len(np.unique(targets)) == len(targets) > symbols - 1 - streams
    assert all((one.weights == 1).all() and one.weights.shape == one.targets.shape for one in windows)


@settings(deadline=None)  # the verdict depends on no clock
@given(st.integers(1, 400), st.integers(1, 400), st.integers(1, 50), st.integers(1, 9))
def test_validation_counts_every_symbol_of_its_part_once(split, count, window, streams):
    ids = np.arange(split + count)
    counted = []
    for one in validation_windows(ids, split, window=window, streams=streams):
        np.testing.assert_array_equal((one.targets - one.inputs)[one.weights > 0], 1)
        counted += one.targets[one.weights > 0].tolist()
    assert sorted(counted) == list(range(split, split + count))


def test_short_texts_have_fewer_streams():
    assert [stream_count(symbols, 32, 64) for symbols in (2, 64, 65, 129, 10_000)] == [1, 1, 1, 2, 32]
    for count, streams in [(2000, 1), (5000, 2), (1_000_000, 32)]:
        first = next(iter(validation_windows(np.arange(count + 9), 9, window=64)))
        assert len(first.inputs) == streams


# The carried state


@pytest.fixture(scope="module")
def trainable():
    from seq2seq.models.trainable import TrainableLanguageModel
    from seq2seq.models.weights import import_weights

    config = ModelConfig(**SIZES, layers=2)
    model = TrainableLanguageModel(config, 12)
    import_weights(model.models, random_weights(config, 12, scale=0.4), where="test")
    return model


def states(model, rows):
    return [np.zeros((rows, spec.shape[-1]), np.float32) for spec in model.carry_signature]


def mean_nats(model, windows):
    from seq2seq.models.step import make_validation_step

    step = make_validation_step(model)
    nats = count = 0.0
    carry = None
    for window in windows:
        result = step(list(window), carry or states(model, len(window.inputs)))
        carry, nats, count = result.carry, nats + float(result.nats), count + float(result.count)
    return nats / count


def test_carried_state_equals_one_long_pass(trainable):
    from seq2seq.models.backend import tf

    ids = np.random.default_rng(1).integers(4, 12, (3, 101)).astype(np.int32)
    inputs, targets, weights = ids[:, :-1], ids[:, 1:], np.ones((3, 100), np.float32)

    def logits_and_states(part, carry):
        arrays = [tf.constant(array[:, part]) for array in (inputs, targets, weights)]
        result = trainable.forward(arrays, carry, training=False)
        return np.array(result.logits), result.carry

    zeros = [tf.constant(state) for state in states(trainable, 3)]
    whole, last = logits_and_states(slice(None), zeros)
    carry, parts = zeros, []
    for first in range(0, 100, 17):
        logits, carry = logits_and_states(slice(first, first + 17), carry)
        parts.append(logits)
    np.testing.assert_allclose(np.concatenate(parts, 1), whole, atol=1e-5)
    for after, expected in zip(carry, last, strict=True):
        np.testing.assert_allclose(after, expected, atol=1e-5)


def test_validation_in_streams_gives_the_loss_of_one_pass(trainable):
    ids = np.random.default_rng(2).integers(4, 12, 3000).astype(np.uint8)
    one_pass = mean_nats(trainable, validation_windows(ids, 1000, window=2000 + WARM_UP, streams=1))
    for window, streams in [(50, 1), (WARM_UP, 5), (64, 16)]:
        in_streams = mean_nats(trainable, validation_windows(ids, 1000, window=window, streams=streams))
        assert in_streams == pytest.approx(one_pass, abs=1e-5)


def test_chunked_and_unchunked_reading_give_the_same_loss(trainable, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("".join(np.random.default_rng(3).choice(list("abcdef g"), 3000)))
    losses = []
    for block_bytes in (1 << 20, 13):
        text = encode_text(path, DataConfig(data=str(path)), tmp_path, block_bytes=block_bytes)
        losses.append(mean_nats(trainable, validation_windows(text.ids, text.split)))
    assert losses[0] == losses[1]


def test_windows_that_are_not_shifted_are_refused():
    from seq2seq.training.language_model import LanguageTask

    inputs = np.random.default_rng(4).integers(4, 30, (4, 20))
    weights = np.ones((4, 20), np.float32)
    LanguageTask.check([inputs[:, :-1], inputs[:, 1:], weights[:, 1:]])
    with pytest.raises(DataError, match=r"the copy bug \(D01\): 100% of the targets equal the decoder's input"):
        LanguageTask.check([inputs, inputs, weights])
    with pytest.raises(DataError, match=r"wrong shift \(D02\): targets line up with the inputs at shift \+2"):
        LanguageTask.check([inputs[:, :-2], inputs[:, 2:], weights[:, 2:]])


# Whole runs


def run_into(folder, text, *, data=None, model=None, report=lambda line: None, **train):
    from seq2seq.training.run import train_into
    from seq2seq.training.task import Run

    file = folder.with_suffix(".txt")
    file.write_text(text, encoding="utf-8")
    run = Run(
        folder=folder,
        dataset=resolve(file),
        data=DataConfig(data=str(file), **(data or {})),
        model=ModelConfig(**{**SIZES, **(model or {})}),
        train=TrainingConfig(**{**TRAINING, **train}),
        report=report,
    )
    return train_into(run)


PROSE = bundled_path("prose").read_text(encoding="utf-8")


def test_a_run_scores_its_validation_part_and_shows_samples(tmp_path):
    lines = []
    folder = run_into(tmp_path / "a", PROSE[:6000], epochs=2, report=lines.append)
    scores = json.loads((folder / "metrics.json").read_text())["validation"]
    with (folder / "history.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    assert scores["nats_per_symbol"] == pytest.approx(float(last["loss"]), abs=1e-5)
    assert scores["bits_per_character"] == pytest.approx(scores["nats_per_symbol"] / np.log(2))
    assert scores["perplexity"] == pytest.approx(np.exp(scores["nats_per_symbol"]))
    assert [line[4:8] for line in lines if line.startswith("    ")] == ["0.2:", "0.5:", "1.0:"] * 2
    assert not list(folder.glob("tmp*"))
    model = seq2seq.load(folder)
    assert model.bundle.excerpt == PROSE[5400:6000]
    nats = -np.array(model_log_probs(model, PROSE[:6000], 5400))
    assert nats.mean() == pytest.approx(scores["nats_per_symbol"], abs=1e-4)


def model_log_probs(model, text, first):
    """An oracle: the log-probabilities (nats) of text[first:], symbol by symbol with NumPy."""
    ids = model.vocabulary.encode(text, oov="unk")
    state, found = model.runtime.start(1), []
    for place in range(max(first - 1 - WARM_UP, 0), len(ids) - 1):
        logits, state = model.runtime.step(np.array([ids[place]]), state)
        if place + 1 >= first:
            wide = logits[0].astype(np.float64)
            found.append(wide[ids[place + 1]] - np.log(np.exp(wide).sum()))
    return found


def test_a_large_validation_part_is_scored_as_a_whole_at_the_end(tmp_path, monkeypatch):
    from seq2seq.training import language_model as language

    monkeypatch.setattr(language, "EPOCH_SYMBOLS", 100)
    for name, options, symbols in [("whole", {"epochs": 1}, 300), ("bounded", {"max_minutes": 0.02}, 100)]:
        folder = run_into(tmp_path / name, PROSE[:3000], **options)
        assert json.loads((folder / "metrics.json").read_text())["validation"]["symbols"] == symbols


def test_an_interrupted_run_ends_as_if_it_had_not_been(tmp_path):
    def interrupt(line):
        if line.startswith("epoch 1/"):
            raise KeyboardInterrupt

    options = {"epochs": 2, "model": {"dropout": 0.2}}
    whole = seq2seq.load(run_into(tmp_path / "whole", PROSE[:4000], **options))
    with pytest.raises(KeyboardInterrupt):
        run_into(tmp_path / "cut", PROSE[:4000], report=interrupt, **options)
    lines = []
    resumed = seq2seq.load(run_into(tmp_path / "cut", PROSE[:4000], report=lines.append, **options))
    assert "continues after epoch 1" in lines
    for name, weights in whole.bundle.weights.items():
        np.testing.assert_array_equal(resumed.bundle.weights[name], weights, err_msg=name)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("one line shorter than a window", {}),
        ("床前明月光，疑是地上霜。\n舉頭望明月，低頭思故鄉。\n" * 3, {}),
        ("the cat and the dog and the bird.\n" * 10, {"unit": "word", "vocabulary_limit": 5}),
        ("e4 e5 Nf3 Nc6 Bb5 a6\n" * 20, {"target_sep": " "}),
        ("Mixed CASE text.\r\n" * 10, {"lowercase": True}),
    ],
    ids=["one line", "Chinese", "words", "moves", "lower case"],
)
def test_any_sequence_of_symbols_trains(tmp_path, text, data):
    model = seq2seq.load(run_into(tmp_path / "a", text, data=data, epochs=1, window=64))
    assert model.generate(text[:6], length=12, seed=1)
    scores = json.loads((tmp_path / "a" / "metrics.json").read_text())["validation"]
    assert 0 < scores["bits_per_character"] < 10


def test_a_model_that_loops_under_argmax_stops_looping_at_a_temperature(tmp_path):
    model = seq2seq.load(
        run_into(tmp_path / "a", PROSE[:30_000], epochs=4, model={"hidden_size": 32}, batch_size=16, window=32)
    )
    greedy = model.generate("The ", length=400, temperature=0)
    assert longest_loop(greedy) > 300
    for seed in range(3):
        assert longest_loop(model.generate("The ", length=400, temperature=0.7, seed=seed)) < 60


def test_scores_that_need_references_are_refused_before_training(tmp_path):
    with pytest.raises(OptionError, match="--early-stop-metric chrf: a text has no references"):
        run_into(tmp_path / "a", PROSE[:4000], early_stop_metric="chrf")


# Defaults


def test_texts_have_defaults_of_their_own():
    assert with_defaults("pairs", ModelConfig, {}) == {}
    assert with_defaults("text", ModelConfig, {})["attention"] == "none"
    assert with_defaults("text", ModelConfig, {"hidden_size": 7})["hidden_size"] == 7


@pytest.mark.parametrize(
    ("kind", "section", "chosen", "message"),
    [
        ("text", ModelConfig, {"attention": "luong"}, "--attention luong: is for pairs, and --data is text"),
        ("text", DataConfig, {"reverse": True}, "--reverse True: is for pairs, and --data is text"),
        ("pairs", DataConfig, {"unit": "word"}, "--unit word: is for a text, and --data is pairs; leave it out"),
        ("pairs", TrainingConfig, {"window": 9}, "--window 9: is for a text, and --data is pairs"),
    ],
)
def test_options_of_the_other_kind_of_data_are_refused(kind, section, chosen, message):
    with pytest.raises(OptionError, match=message):
        with_defaults(kind, section, chosen)
    unchanged = {name: with_defaults(kind, section, {}).get(name, getattr(section, name)) for name in chosen}
    assert with_defaults(kind, section, unchanged).items() >= unchanged.items()


def test_print_config_shows_the_defaults_of_the_kind_of_data(capsys):
    assert train(["--data", "prose", "--print-config"]) == 0
    assert f"learning-rate = {with_defaults('text', TrainingConfig, {})['learning_rate']}\n" in capsys.readouterr().out


def test_a_speed_is_a_number_though_the_clock_has_not_moved(monkeypatch):
    monkeypatch.setattr("time.monotonic", lambda: 5.0)
    tally = Tally()
    tally.add(2.0, 4.0)
    tally.settle(1)
    assert (tally.loss, tally.recent) == (0.5, 0.5) and 0.0 < tally.speed < math.inf


def test_short_texts_are_read_in_small_batches_and_often():
    from seq2seq.training.language_model import resolved_options

    def resolved(symbols, **options):
        model, train = resolved_options(ModelConfig(), TrainingConfig(**options), symbols=symbols)
        return train.batch_size, train.epochs, model.dropout

    assert resolved(80_000) == (4, 20, 0.4)
    assert resolved(299_999)[2] == 0.4 and resolved(300_000)[2] == 0.2
    assert resolved(521_000) == (8, 20, 0.2)
    assert resolved(1_000_000) == (16, 10, 0.2)
    assert resolved(450_000_000) == (32, 3, 0.0)
    assert resolved(1_000_000, epochs=3, batch_size=7) == (7, 3, 0.0)
    assert resolved(80_000, max_minutes=5.0)[1] == resolved(450_000_000, max_minutes=5.0)[1] == 20
    assert resolved(80_000, max_minutes=5.0, epochs=7)[1] == 7
    model, _ = resolved_options(ModelConfig(dropout=0.1), TrainingConfig(), symbols=9)
    assert (model.dropout, model.attention, model.bidirectional, model.hidden_size) == (0.1, "none", False, 512)


@pytest.mark.parametrize("name", ["king-lear", "nietzsche"])
def test_presets_of_the_tutorials_are_configurations(name, capsys):
    assert train(["--data", "prose", "--preset", name, "--print-config", "--window", "50"]) == 0
    shown = capsys.readouterr().out
    assert f"layers = {PRESETS[name]['layers']}\n" in shown
    assert "window = 50\n" in shown

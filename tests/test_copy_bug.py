"""The copy bug, and its relatives: what goes wrong, what it looks like, and what keeps it out.

A decoder is trained to predict symbol t + 1 from symbol t. Feed it the very sequence that it must predict and it
learns to copy its input: the loss falls to nothing, and decoding, where there is no input to copy, is random.
Read this file from top to bottom; tests/test_mutations.py breaks the package in these ways and sees it fail here.
"""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from seq2seq.bundle.folder import Bundle, load_bundle, save_bundle
from seq2seq.bundle.record import TRANSLATOR
from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.decoding import Beam, Greedy, Sampling, decode
from seq2seq.errors import DataError
from seq2seq.inference.forcing import forced_log_probs
from seq2seq.inference.keras_runtime import KerasTranslator
from seq2seq.inference.translator import Translator
from seq2seq.models.backend import keras, tf
from seq2seq.models.step import make_optimizer, make_train_step
from seq2seq.models.trainable import TrainableTranslator
from seq2seq.models.translator import TranslatorModels, build_translator
from seq2seq.models.weights import export_weights
from seq2seq.search_config import DecodingConfig
from seq2seq.special import END, PAD, SPECIAL_COUNT, START
from seq2seq.text.batches import Ragged, encode_pairs, shift, teacher_force
from seq2seq.text.pairs import Pair
from seq2seq.text.shift_check import check_shift
from seq2seq.text.vocabulary import Vocabulary

LETTERS = "abcdef"
VOCABULARY = Vocabulary(list(LETTERS))
SIZE = len(VOCABULARY)
TINY = ModelConfig(hidden_size=48, embedding_size=16, dropout=0.0)


def cipher_pairs(count: int, *, seed: int) -> list[Pair]:
    """Words of two to five letters, and the same words with each letter moved on by one."""
    generator = np.random.default_rng(seed)
    words = ["".join(generator.choice(list(LETTERS), generator.integers(2, 6))) for _ in range(count)]
    moved = str.maketrans(LETTERS, LETTERS[1:] + LETTERS[0])
    return [Pair(word, word.translate(moved)) for word in words]


def encoded(pairs: list[Pair]) -> tuple[np.ndarray, np.ndarray]:
    """source_ids (B, S) and target_ids (B, T + 1)."""
    rows = encode_pairs(
        [VOCABULARY.encode(pair.source) for pair in pairs], [VOCABULARY.encode(pair.target) for pair in pairs]
    )
    batch = rows.batch(np.arange(len(pairs)))
    return batch.source_ids, batch.target_ids


def correct(target_ids: np.ndarray) -> list[np.ndarray]:
    return list(teacher_force(target_ids))


def copying(target_ids: np.ndarray) -> list[np.ndarray]:
    """The bug: the decoder's input is its own target."""
    targets = target_ids[:, 1:]
    return [targets, targets, (targets != PAD).astype(np.float32)]


def trained(arrays_of: Callable[[np.ndarray], list[np.ndarray]]) -> tuple[TranslatorModels, float]:
    """Trains on arrays made from the cipher; returns the models and the last loss (nats a symbol)."""
    keras.utils.set_random_seed(1)
    models = build_translator(TINY, source_size=SIZE, target_size=SIZE)
    config = TrainingConfig(learning_rate=0.02, batch_size=64)
    step = make_train_step(TrainableTranslator(models), make_optimizer(config), config, shards=1)
    source_ids, target_ids = encoded(cipher_pairs(512, seed=1))
    arrays = [source_ids, *arrays_of(target_ids)]
    loss = np.inf
    for index in range(240):
        rows = np.random.default_rng(index).choice(512, 64, replace=False)
        rate = np.float32(0.02 * (1 - index / 240))
        result = step([tf.constant(array[rows]) for array in arrays], [], rate)
        loss = float(result.nats) / float(result.count)
    return models, loss


def share_right(models: TranslatorModels) -> float:
    """Decodes new words with nothing to copy from; returns the share that is right."""
    pairs = cipher_pairs(100, seed=2)
    source_ids, _ = encoded(pairs)
    runtime = KerasTranslator(models)
    found = decode(runtime, runtime.start(source_ids), strategy=Greedy(), line_numbers=np.arange(1, 101), max_length=10)
    return float(
        np.mean([VOCABULARY.decode(best.token_ids) == pair.target for (best,), pair in zip(found, pairs, strict=True)])
    )


def refusal(arrays: list[np.ndarray]) -> str:
    """What the check of the first batch says; nothing if it lets the arrays pass."""
    try:
        check_shift(*arrays)
    except DataError as error:
        return str(error)
    return ""


# (a) the shift, by hand


def test_targets_lead_inputs_by_one_step():
    batch = teacher_force(np.array([[START, 4, 5, END], [START, 4, END, PAD]]))
    np.testing.assert_array_equal(batch.inputs, [[START, 4, 5], [START, 4, END]])
    np.testing.assert_array_equal(batch.targets, [[4, 5, END], [4, END, PAD]])
    np.testing.assert_array_equal(batch.weights, [[1, 1, 1], [1, 1, 0]])


def test_shift_drops_the_last_symbol_of_inputs_and_the_first_of_targets():
    inputs, targets = shift(np.array([[7, 8, 9]]))
    assert inputs.tolist() == [[7, 8]]
    assert targets.tolist() == [[8, 9]]


# (b) the bug and its look: a good loss and no translation


def test_training_with_the_shift_learns_to_translate():
    models, loss = trained(correct)
    assert loss < 0.2
    assert share_right(models) > 0.9


def test_training_without_the_shift_reaches_a_low_loss_and_decodes_nonsense():
    models, loss = trained(copying)
    assert loss < 0.1
    assert share_right(models) < 0.1


def test_first_batch_without_the_shift_is_refused_by_name():
    _, target_ids = encoded(cipher_pairs(32, seed=3))
    message = refusal(copying(target_ids))
    assert "copy bug (D01)" in message
    assert "100% of the targets equal the decoder's input" in message
    assert "target[:, :-1]" in message
    assert refusal(correct(target_ids)) == ""


# (c) its relatives


def test_targets_two_steps_ahead_are_refused():
    _, ids = encoded(cipher_pairs(32, seed=3))
    targets = ids[:, 2:]
    message = refusal([ids[:, :-2], targets, (targets != PAD).astype(np.float32)])
    assert "wrong shift (D02)" in message
    assert "+2" in message


def test_targets_one_step_behind_are_refused():
    _, ids = encoded(cipher_pairs(32, seed=3))
    message = refusal([ids[:, 1:], ids[:, :-1], (ids[:, :-1] != PAD).astype(np.float32)])
    assert "wrong shift (D02)" in message
    assert "-1" in message


def test_a_missing_start_is_refused():
    _, ids = encoded(cipher_pairs(32, seed=3))
    assert "START is missing (D03)" in refusal(correct_without_start(ids))
    with pytest.raises(DataError, match=r"row 0: expected START \(2\) first, got id 4"):
        teacher_force(np.array([[4, 5, END]]))


def correct_without_start(ids: np.ndarray) -> list[np.ndarray]:
    inputs, targets = shift(ids[:, 1:])
    return [inputs, targets, (targets != PAD).astype(np.float32)]


def test_a_missing_end_is_refused():
    _, ids = encoded(cipher_pairs(32, seed=3))
    inputs, targets = shift(np.where(ids == END, PAD, ids))
    message = refusal([inputs, targets, (targets != PAD).astype(np.float32)])
    assert "END is missing (D03)" in message
    assert "row 0" in message


def test_the_first_row_that_is_wrong_is_named():
    _, ids = encoded(cipher_pairs(32, seed=3))
    inputs, targets, weights = map(np.copy, correct(ids))
    inputs[3:5, 0] = 9
    message = refusal([inputs, targets, weights])
    assert f"the decoder's input of row 3 begins with id 9, expected START ({START})" in message
    inputs, targets, weights = map(np.copy, correct(ids))
    targets[2:4][targets[2:4] == END] = PAD
    assert "row 2 of the targets has END 0 times" in refusal([inputs, targets, weights])
    inputs, targets, weights = correct(ids)
    short = np.flatnonzero(targets[:, -1] == PAD)[1]
    weights[short, -1] = 0.5
    assert f"row {short} has weight above 0 on padding" in refusal([inputs, targets, weights])


def test_padding_that_counts_is_refused():
    _, ids = encoded(cipher_pairs(32, seed=3))
    inputs, targets = shift(ids)
    message = refusal([inputs, targets, np.ones(targets.shape, np.float32)])
    assert "padding counts (D04)" in message
    assert refusal(correct(ids)) == ""


# (d) inference is the trained model


@pytest.mark.parametrize("rnn", ["lstm", "gru"])
@pytest.mark.parametrize("attention", ["none", "luong", "bahdanau"])
def test_stepwise_log_probabilities_equal_teacher_forced_ones(rnn, attention):
    keras.utils.set_random_seed(4)
    config = ModelConfig(hidden_size=12, embedding_size=5, rnn=rnn, attention=attention, layers=2)
    models = build_translator(config, source_size=SIZE, target_size=SIZE)
    source_ids, target_ids = encoded(cipher_pairs(9, seed=5))
    forced = teacher_force(target_ids)
    logits = TrainableTranslator(models).forward([source_ids, *forced], [], training=False).logits
    everything = tf.nn.log_softmax(logits).numpy()
    expected = np.take_along_axis(everything, forced.targets[..., None], -1)[..., 0] * forced.weights
    stepwise = forced_log_probs(KerasTranslator(models), source_ids, target_ids)
    np.testing.assert_allclose(stepwise, expected, atol=1e-5)


# (e) padding


@pytest.mark.parametrize("rnn", ["lstm", "gru"])
@pytest.mark.parametrize("attention", ["none", "luong", "bahdanau"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_extra_padding_changes_nothing(rnn, attention, bidirectional):
    keras.utils.set_random_seed(6)
    config = ModelConfig(hidden_size=12, embedding_size=5, rnn=rnn, attention=attention, bidirectional=bidirectional)
    model = TrainableTranslator(build_translator(config, source_size=SIZE, target_size=SIZE))
    source_ids, target_ids = encoded(cipher_pairs(6, seed=7))
    steps = target_ids.shape[1] - 1
    tight = model.forward([source_ids, *teacher_force(target_ids)], [], training=False)
    padded_arrays = [np.pad(source_ids, ((0, 0), (0, 4))), *teacher_force(np.pad(target_ids, ((0, 0), (0, 3))))]
    padded = model.forward(padded_arrays, [], training=False)
    np.testing.assert_allclose(padded.logits[:, :steps], tight.logits, atol=1e-5)
    np.testing.assert_array_equal(padded.weights.sum(), tight.weights.sum())


# (f) batches and chunks


@pytest.fixture(scope="module")
def random_translator(tmp_path_factory) -> Translator:
    """A translator with random weights, saved and loaded: its outputs are long and far from certain."""
    keras.utils.set_random_seed(5)
    models = build_translator(TINY, source_size=SIZE, target_size=SIZE)
    weights = {name: 2 * array for name, array in export_weights([models.encoder, models.decoder]).items()}
    folder = tmp_path_factory.mktemp("model")
    bundle = Bundle(
        path=folder,
        kind=TRANSLATOR,
        data=DataConfig(),
        model=TINY,
        source_vocabulary=VOCABULARY,
        target_vocabulary=VOCABULARY,
        weights=weights,
        record={"lengths": {"source": 5, "target": 5}},
    )
    save_bundle(bundle, metrics={}, history=[], canary=[])
    return Translator(load_bundle(folder))


WORDS = [pair.source for pair in cipher_pairs(41, seed=9)]


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 0.9, "seed": 3}, {"temperature": 1.3, "seed": 3, "top_p": 0.9}, {"beam_size": 3}]
)
def test_batch_size_and_chunking_change_no_output(random_translator, options):
    def texts(batch_size: int) -> list[str]:
        config = DecodingConfig(batch_size=batch_size, **options)
        return [found[0].text for found in random_translator.outputs(WORDS, config)]

    assert texts(41) == texts(1) == texts(7)
    config = DecodingConfig(**options)
    second_half = random_translator.decode_chunk(WORDS[20:], config, first_line=21)
    assert [found[0].text for found in second_half] == texts(41)[20:]


def test_sampling_differs_from_line_to_line_and_from_seed_to_seed(random_translator):
    same = random_translator.translate(["abc"] * 20, temperature=1.0, seed=1)
    assert len(set(same)) > 5
    assert same != random_translator.translate(["abc"] * 20, temperature=1.0, seed=2)


# (g) searches and scores agree


def test_greedy_equals_a_beam_of_one(random_translator):
    assert random_translator.translate(WORDS) == random_translator.translate(WORDS, beam_size=1)


@pytest.mark.parametrize("strategy", [Greedy(), Beam(width=3), Sampling(seed=1, temperature=1.0)])
def test_the_score_of_decode_equals_the_sum_of_score(random_translator, strategy):
    options = {Greedy: {}, Beam: {"beam_size": 3}, Sampling: {"temperature": 1.0, "seed": 1}}[type(strategy)]
    outputs = [found[0] for found in random_translator.outputs(WORDS, DecodingConfig(max_length=30, **options))]
    ended = [output for output in outputs if output.finished]
    assert len(ended) > 5
    scored = random_translator.score([Pair(output.source, output.text) for output in ended])
    for output, (*_, log_probs) in zip(ended, scored, strict=True):
        assert output.score == pytest.approx(sum(log_probs), abs=1e-5)
        np.testing.assert_allclose(output.log_probs, log_probs, atol=1e-5)


# (h) saving and loading


def test_a_new_process_gives_the_same_text_after_loading(random_translator):
    code = "import sys, seq2seq; print('\\n'.join(seq2seq.load(sys.argv[1]).translate(sys.argv[2:])))"
    result = subprocess.run(
        [sys.executable, "-c", code, str(random_translator.bundle.path), *WORDS],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.split("\n")[:-1] == random_translator.translate(WORDS)


def test_specials_are_four_ids_before_all_symbols():
    assert sorted([PAD, START, END, 1]) == list(range(SPECIAL_COUNT))
    assert Ragged([[4], [5, 6]]).padded(np.array([0, 1])).tolist() == [[4, PAD], [5, 6]]

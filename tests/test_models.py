"""The models against independent oracles: Keras's own layers, a formula, a difference quotient, themselves."""

import itertools

import numpy as np
import pytest

from seq2seq.bundle.weights import weight_shapes
from seq2seq.config import ModelConfig, TrainingConfig
from seq2seq.errors import BundleError
from seq2seq.inference.forcing import forced_log_probs
from seq2seq.inference.keras_runtime import KerasTranslator
from seq2seq.models import recurrent
from seq2seq.models.attention import Attention
from seq2seq.models.backend import keras, tf
from seq2seq.models.decoder import build_decoder
from seq2seq.models.recurrent import LSTM, ReverseSequence
from seq2seq.models.step import (
    make_optimizer,
    make_train_step,
    make_validation_step,
    shard_count,
    smoothed_nats,
    state_penalty,
    symbol_nats,
)
from seq2seq.models.trainable import TrainableTranslator
from seq2seq.models.transducer import build_transducer
from seq2seq.models.translator import attending_decoder, build_translator, decoder_inputs
from seq2seq.models.weights import export_weights, import_weights, named_variables
from seq2seq.special import END, PAD, START
from seq2seq.text.batches import Batch, encode_pairs, teacher_force
from tests.conftest import random_weights

SOURCE_SIZE, TARGET_SIZE = 11, 9
KINDS = [
    {"rnn": rnn, "attention": attention, "bidirectional": bidirectional, "layers": layers}
    for rnn, attention, bidirectional, layers in itertools.product(
        ("lstm", "gru"), ("none", "luong", "bahdanau"), (True, False), (1, 2)
    )
]
NAMES = ["-".join(str(value) for value in kind.values()) for kind in KINDS]
each_kind = pytest.mark.parametrize("kind", KINDS, ids=NAMES)


@pytest.fixture(autouse=True)
def float32_gradients(monkeypatch):
    """Uses float32 gradients on every processor, so that they can be compared with an oracle."""
    monkeypatch.setattr(recurrent, "gradient_type", lambda: tf.float32)


@pytest.fixture
def eager():
    """Runs without compiling, which would take seconds."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def make(*, scale=2.0, seed=1, dropout=0.0, **kind):
    """Models with random weights, large enough that symbols and positions matter."""
    keras.utils.set_random_seed(seed)
    config = ModelConfig(hidden_size=6, embedding_size=4, dropout=dropout, **kind)
    models = build_translator(config, source_size=SOURCE_SIZE, target_size=TARGET_SIZE)
    halves = [models.encoder, models.decoder]
    import_weights(halves, {name: scale * array for name, array in export_weights(halves).items()}, where="test")
    return models


def batch_of(rows, seed=1) -> Batch:
    """Random pairs; the first source is empty."""
    random = np.random.default_rng(seed)
    sources = [random.integers(4, SOURCE_SIZE, length) for length in (0, *random.integers(1, 7, rows - 1))]
    targets = [random.integers(4, TARGET_SIZE, length) for length in random.integers(1, 6, rows)]
    return encode_pairs(sources, targets).batch(np.arange(rows))


def forced_log_softmax(models, batch):
    """Teacher-forced log-probabilities (B, T) of the targets, 0 on padding."""
    forced = teacher_force(batch.target_ids)
    logits = TrainableTranslator(models).forward([batch.source_ids, *forced], [], training=False).logits
    assert logits.dtype == tf.float32
    everything = tf.nn.log_softmax(logits).numpy()
    return np.take_along_axis(everything, forced.targets[..., None], -1)[..., 0] * forced.weights


# training and inference


@each_kind
def test_a_kind_of_model_is_one_whatever_way_it_is_asked(kind):
    models = make(**kind)
    runtime = KerasTranslator(models)
    batch = batch_of(5)
    together = forced_log_softmax(models, batch)
    stepwise = forced_log_probs(runtime, *batch[:2])
    np.testing.assert_allclose(stepwise, together, atol=1e-5, err_msg="stepwise and teacher-forced")
    padded = batch._replace(
        source_ids=np.pad(batch.source_ids, ((0, 0), (0, 3))), target_ids=np.pad(batch.target_ids, ((0, 0), (0, 2)))
    )
    steps = together.shape[1]
    np.testing.assert_allclose(forced_log_softmax(models, padded)[:, :steps], together, atol=1e-5)
    np.testing.assert_allclose(forced_log_probs(runtime, *padded[:2])[:, :steps], together, atol=1e-5)
    for row in (0, 3):
        alone = [ids[row : row + 1, : int((ids[row] != PAD).sum())] for ids in batch[:2]]
        found = forced_log_probs(runtime, *alone)
        np.testing.assert_allclose(found[0], together[row, : found.shape[1]], atol=1e-5, err_msg=f"row {row} alone")
    other = batch._replace(source_ids=np.where(batch.source_ids > END, batch.source_ids % 7 + 4, batch.source_ids))
    assert np.abs(forced_log_probs(runtime, *other[:2])[1:] - together[1:]).max() > 1e-3, (
        "the source makes no difference"
    )


@each_kind
def test_weights_have_the_names_and_shapes_that_a_bundle_is_made_of(kind):
    config = ModelConfig(hidden_size=6, embedding_size=4, **kind)
    models = make(**kind)
    expected = random_weights(config, SOURCE_SIZE, TARGET_SIZE, np.random.default_rng(1))
    found = export_weights([models.encoder, models.decoder])
    shapes = {name: array.shape for name, array in found.items()}
    assert shapes == {name: array.shape for name, array in expected.items()}
    assert shapes == weight_shapes(config, source_size=SOURCE_SIZE, target_size=TARGET_SIZE)
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("rnn", ["lstm", "gru"])
@pytest.mark.parametrize(
    "kind",
    [
        {"architecture": "transducer"},
        {"architecture": "transducer", "has_tags": True, "layers": 2, "bidirectional": False},
        {"combine": "none", "bridge": "none", "encoder_layers": 2, "attention": "bahdanau"},
        {"layers": 2, "encoder_layers": 3, "wiring": "2,-", "attention": "none"},
        {"text": True, "layers": 2},
    ],
)
def test_every_other_kind_of_model_has_the_weights_that_a_folder_is_checked_for(kind, rnn):
    sizes = {"hidden_size": 6, "embedding_size": 4, "rnn": rnn, **kind}
    has_tags, text = sizes.pop("has_tags", False), sizes.pop("text", False)
    config = ModelConfig(**sizes)
    vocabularies = {"source_size": 0 if text else SOURCE_SIZE, "target_size": TARGET_SIZE}
    if text:
        models = [build_decoder(config, TARGET_SIZE)]
    elif config.architecture == "transducer":
        models = build_transducer(config, **vocabularies, has_tags=has_tags)[:2]
    else:
        models = build_translator(config, **vocabularies)[:2]
    shapes = {name: array.shape for name, array in export_weights(models).items()}
    assert shapes == weight_shapes(config, **vocabularies, has_tags=has_tags)


def test_training_and_inference_are_the_same_objects():
    models = make(dropout=0.5)
    trainable = TrainableTranslator(models)
    inside = {layer.name: layer for layer in trainable.joined.layers}
    assert inside["encoder"] is models.encoder
    assert inside["decoder"] is models.decoder
    variables = {id(variable) for variable in trainable.joined.trainable_variables}
    assert variables == {id(v) for part in trainable.models for v in part.trainable_variables}


def test_weights_of_another_model_are_refused_by_name():
    models = make()
    halves = [models.encoder, models.decoder]
    weights = export_weights(halves)
    with pytest.raises(BundleError, match=r"here: weight 'logits.bias' is missing; the folder mixes parts"):
        import_weights(halves, {name: array for name, array in weights.items() if name != "logits.bias"}, where="here")
    with pytest.raises(BundleError, match="here: weight 'more' belongs to no layer of this configuration"):
        import_weights(halves, {**weights, "more": np.zeros(1)}, where="here")
    wrong = {**weights, "logits.bias": np.zeros(3, np.float32)}
    with pytest.raises(BundleError, match=r"here: weight 'logits.bias' has shape \(3,\), expected \(9,\)"):
        import_weights(halves, wrong, where="here")


def test_exported_weights_do_not_change_with_the_model():
    models = make()
    before = export_weights([models.decoder])
    kept = {name: array.copy() for name, array in before.items()}
    for variable in named_variables([models.decoder]).values():
        variable.assign(variable + 1.0)
    for name, array in before.items():
        np.testing.assert_array_equal(array, kept[name])


def test_random_states_of_dropout_are_no_weights():
    assert not [name for name in export_weights([make(dropout=0.5).decoder]) if "seed" in name]


# this package's LSTM against Keras's own


@pytest.fixture(scope="module")
def lstms():
    keras.utils.set_random_seed(2)
    inputs = np.random.default_rng(3).normal(size=(4, 6, 3)).astype(np.float32)
    options = {"return_sequences": True, "return_state": True, "bias_initializer": "random_normal"}
    ours, theirs = LSTM(5, **options), keras.layers.LSTM(5, **options)
    ours(inputs), theirs(inputs)
    theirs.set_weights(ours.get_weights())
    return ours, theirs, inputs


def run_with_gradients(layer, inputs, mask, initial, outputs_count):
    """Outputs, states, and gradients of a random weighing of them, by weights, inputs and initial states."""
    inputs, initial = tf.constant(inputs), [tf.constant(state) for state in initial]
    random = np.random.default_rng(4)
    with tf.GradientTape() as tape:
        tape.watch([inputs, *initial])
        outputs, *states = layer(inputs, mask=mask, initial_state=initial)
        real = 1.0 if mask is None else tf.cast(mask, tf.float32)[..., None]
        weighing = [tf.constant(random.normal(size=value.shape), tf.float32) for value in (outputs, *states)]
        total = tf.reduce_sum(outputs * real * weighing[0])
        total += sum(tf.reduce_sum(state * by) for state, by in zip(states, weighing[1:], strict=True))
    wanted = [*(variable.value for variable in layer.trainable_variables), inputs, *initial]
    return [outputs * real, *states], tape.gradient(total, wanted)


@pytest.mark.parametrize("lengths", [None, (6, 1, 3, 6)], ids=["whole", "right-padded"])
@pytest.mark.parametrize(("kind", "tolerance"), [("float32", 2e-5), ("bfloat16", 2e-2)])
def test_our_lstm_is_keras_lstm_in_outputs_states_and_gradients(monkeypatch, lstms, lengths, kind, tolerance):
    monkeypatch.setattr(recurrent, "gradient_type", lambda: tf.as_dtype(kind))
    ours, theirs, inputs = lstms
    mask = None if lengths is None else np.arange(6) < np.array(lengths)[:, None]
    initial = np.random.default_rng(5).normal(size=(2, 4, 5)).astype(np.float32)
    found, expected = (run_with_gradients(layer, inputs, mask, initial, 3) for layer in (ours, theirs))
    for one, other in zip(found[0], expected[0], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    for one, other in zip(found[1], expected[1], strict=True):
        assert one.dtype == tf.float32
        np.testing.assert_allclose(one, other, atol=tolerance * max(1, np.abs(other).max()))


@pytest.mark.parametrize(
    ("features", "onednn", "kind"),
    [
        ("flags : fpu avx512_bf16 rdpid", None, "bfloat16"),
        ("flags : fpu amx_bf16", "1", "bfloat16"),
        ("flags : fpu avx512_bf16 rdpid", "0", "float32"),  # TensorFlow's own bfloat16 product is slower than float32's
        ("flags : fpu avx2", None, "float32"),
        (None, None, "float32"),
    ],
)
def test_gradients_are_bfloat16_where_the_processor_has_it(monkeypatch, tmp_path, features, onednn, kind):
    found = tmp_path / "cpuinfo"
    if features is not None:
        found.write_text(features)
    monkeypatch.undo()  # of float32_gradients
    monkeypatch.setattr(recurrent, "Path", lambda _: found)
    if onednn is None:
        monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    else:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)
    assert recurrent.gradient_type() == tf.as_dtype(kind)


def test_our_lstm_starts_from_zeros_as_keras_does(lstms):
    ours, theirs, inputs = lstms
    for one, other in zip(ours(inputs), theirs(inputs), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_our_lstm_takes_no_rows_and_rows_that_are_all_padding(lstms):
    ours, _, inputs = lstms
    outputs, hidden, cell = ours(inputs[:0])
    assert outputs.shape == (0, 6, 5) and hidden.shape == cell.shape == (0, 5)
    outputs, *_ = ours(inputs, mask=np.zeros((4, 6), bool))
    assert np.isfinite(outputs).all()


def test_reversal_keeps_padding_at_the_end():
    values = np.array([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]], np.float32)
    real = np.array([[True, True, True], [True, True, False]])
    found = ReverseSequence()(values, real)
    assert found.numpy()[..., 0].tolist() == [[3, 2, 1], [5, 4, 6]]
    np.testing.assert_array_equal(ReverseSequence()(found, real), values)


# attention


@pytest.mark.parametrize("kind", ["luong", "bahdanau"])
def test_attention_weights_sum_to_one_over_real_symbols_and_are_zero_on_padding(kind):
    random = np.random.default_rng(6)
    query, memory = (3 * random.normal(size=shape).astype(np.float32) for shape in ((2, 3, 4), (2, 5, 6)))
    real = np.array([[True] * 5, [True, True, False, False, False]])
    context, weights = Attention(kind)(query, memory, real)
    np.testing.assert_allclose(np.sum(weights, -1), 1.0, atol=1e-6)
    assert (weights.numpy()[1, :, 2:] == 0).all()
    np.testing.assert_allclose(context, weights.numpy() @ memory, atol=1e-6)


def test_luong_scores_are_the_general_product_by_hand():
    layer = Attention("luong")
    query, memory = np.array([[[1.0, 2.0]]], np.float32), np.array([[[1.0], [3.0]]], np.float32)
    real = np.array([[True, True]])
    layer(query, memory, real)
    layer.set_weights([np.array([[1.0], [-1.0]], np.float32)])  # query W = -1; scores -1 and -3
    _, weights = layer(query, memory, real)
    np.testing.assert_allclose(weights[0, 0], [1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2))], atol=1e-6)


def test_bahdanau_scores_are_additive_by_hand():
    layer = Attention("bahdanau")
    query, memory = np.array([[[0.5]]], np.float32), np.array([[[1.0], [-2.0]]], np.float32)
    real = np.array([[True, True]])
    layer(query, memory, real)
    layer.set_weights([np.array(value, np.float32) for value in ([[2.0]], [[3.0]], [0.1], [[1.5]])])
    _, weights = layer(query, memory, real)
    scores = 1.5 * np.tanh([1.0 + 0.1 + 3.0, 1.0 + 0.1 - 6.0])
    np.testing.assert_allclose(weights[0, 0], np.exp(scores) / np.exp(scores).sum(), atol=1e-6)


@pytest.mark.parametrize("kind", ["luong", "bahdanau"])
def test_the_attending_decoder_shows_the_weights_of_the_very_decoder(kind):
    models = make(attention=kind)
    batch = batch_of(3)
    encoded = models.encoder(batch.source_ids)
    token_ids, real = tf.constant(batch.target_ids[:, :-1]), tf.constant(batch.source_ids != PAD)
    inputs = decoder_inputs(models, token_ids, encoded, real)
    logits, *_, weights = attending_decoder(models)(inputs)
    np.testing.assert_array_equal(logits, models.decoder(inputs)[0])
    assert weights.shape == (3, batch.target_ids.shape[1] - 1, batch.source_ids.shape[1])
    np.testing.assert_allclose(weights[0, :, 0], 1.0, atol=1e-6)  # an empty source: all on its END


# the step


def test_nats_of_even_logits_are_the_logarithm_of_their_number():
    nats = symbol_nats(np.zeros((1, 2, 4), np.float32), np.array([[1, 3]], np.int32))
    np.testing.assert_allclose(nats, np.full((1, 2), np.log(4)), atol=1e-6)


def test_label_smoothing_is_the_cross_entropy_with_a_mixed_target():
    logits = np.random.default_rng(7).normal(size=(2, 3, 5)).astype(np.float32)
    targets = np.array([[0, 1, 2], [3, 4, 0]], np.int32)
    mixed = 0.9 * np.eye(5)[targets] + 0.1 / 5
    expected = -(mixed * tf.nn.log_softmax(logits).numpy()).sum(-1)
    nats = symbol_nats(logits, targets)
    np.testing.assert_allclose(smoothed_nats(nats, logits, 0.1), expected, atol=1e-6)
    np.testing.assert_array_equal(smoothed_nats(nats, logits, 0.0), nats)


def stepped(arrays, *, shards=1, kind=None, optimizer="sgd", rate=1.0, **options):
    """Takes one step from fixed weights; returns its result and the change of each weight."""
    models = make(**(kind or {}))
    trainable = TrainableTranslator(models)
    before = export_weights(trainable.models)
    config = TrainingConfig(optimizer=optimizer, clip_norm=options.pop("clip_norm", None), **options)
    step = make_train_step(trainable, make_optimizer(config), config, shards=shards)
    result = step([tf.constant(array) for array in arrays], [], np.float32(rate))
    after = export_weights(trainable.models)
    return result, {name: after[name] - before[name] for name in before}


def arrays_of(batch):
    return [batch.source_ids, *teacher_force(batch.target_ids)]


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.usefixtures("eager")
def test_the_number_of_shards_changes_no_loss_and_no_gradient(rows):
    arrays = arrays_of(batch_of(rows))
    whole, changes = stepped(arrays)
    for shards in (2, 3):
        result, others = stepped(arrays, shards=shards)
        assert float(result.nats) == pytest.approx(float(whole.nats), rel=1e-6)
        assert float(result.count) == float(whole.count) == arrays[-1].sum()
        for name, change in changes.items():
            np.testing.assert_allclose(others[name], change, atol=2e-6, err_msg=name)


@pytest.mark.usefixtures("eager")
def test_a_row_of_weight_two_trains_as_two_copies_do():
    batch = batch_of(3)
    copies = [np.concatenate([array, array[1:2]]) for array in arrays_of(batch)]
    weighted = [batch.source_ids, *teacher_force(batch.target_ids, np.array([1, 2, 1], np.float32))]
    (one, changes), (other, others) = stepped(copies), stepped(weighted)
    assert float(other.nats) == pytest.approx(float(one.nats), rel=1e-6)
    assert float(other.count) == float(one.count)
    for name, change in changes.items():
        np.testing.assert_allclose(others[name], change, atol=2e-6, err_msg=name)


@pytest.mark.usefixtures("eager")
def test_the_step_reports_the_weighted_nats_of_the_forward_pass():
    batch = batch_of(5)
    result, _ = stepped(arrays_of(batch), label_smoothing=0.2)
    assert float(result.nats) == pytest.approx(-forced_log_softmax(make(), batch).sum(), rel=1e-5)
    trainable = TrainableTranslator(make())
    validation = make_validation_step(trainable)([tf.constant(array) for array in arrays_of(batch)], [])
    assert float(validation.nats) == pytest.approx(float(result.nats), rel=1e-6)


@pytest.mark.usefixtures("eager")
def test_validation_counts_what_is_right_and_what_is_right_before_the_first_mistake():
    batch = batch_of(5)
    forced = teacher_force(batch.target_ids)
    arrays = [batch.source_ids, forced.inputs, forced.targets, np.ones_like(forced.weights)]
    logits = TrainableTranslator(make()).forward(arrays, [], training=False).logits
    chosen = logits.numpy().argmax(-1).astype(np.int32)
    arrays[2] = chosen.copy()
    arrays[2][0, 1] = (chosen[0, 1] + 1) % TARGET_SIZE
    result = make_validation_step(TrainableTranslator(make()))([tf.constant(array) for array in arrays], [])
    assert float(result.right) == chosen.size - 1
    assert float(result.before) == chosen.size - (chosen.shape[1] - 1)


@pytest.mark.parametrize("kind", [{"layers": 2}, {"rnn": "gru", "attention": "bahdanau", "bidirectional": False}])
def test_padding_takes_no_part_in_loss_or_gradients(kind):
    batch = batch_of(4)
    wide = batch._replace(
        source_ids=np.pad(batch.source_ids, ((0, 0), (0, 5))), target_ids=np.pad(batch.target_ids, ((0, 0), (0, 4)))
    )
    tight, changes = stepped(arrays_of(batch), kind=kind)
    padded, others = stepped(arrays_of(wide), kind=kind)
    assert float(padded.nats) == pytest.approx(float(tight.nats), rel=1e-6)
    assert float(padded.count) == float(tight.count)
    for name, change in changes.items():
        np.testing.assert_allclose(others[name], change, atol=2e-6, err_msg=name)
        assert not name.endswith("_embedding.embeddings") or (others[name][PAD] == 0).all(), name


@pytest.mark.parametrize("kind", KINDS[::3], ids=NAMES[::3])
@pytest.mark.usefixtures("eager")
def test_the_gradient_is_the_slope_of_the_mean_of_real_symbols(kind):
    batch = batch_of(3)
    _, changes = stepped(arrays_of(batch), kind=kind)  # plain descent at rate 1: minus the gradient
    models = make(**kind)
    count = (batch.target_ids[:, 1:] != PAD).sum()
    random = np.random.default_rng(8)
    direction = {name: random.normal(size=change.shape).astype(np.float32) for name, change in changes.items()}
    weights = export_weights([models.encoder, models.decoder])

    def loss(step):
        moved = {name: array + np.float32(step) * direction[name] for name, array in weights.items()}
        import_weights([models.encoder, models.decoder], moved, where="test")
        return -forced_log_softmax(models, batch).astype(np.float64).sum() / count

    size = 2e-3
    slope = (8 * (loss(size) - loss(-size)) - (loss(2 * size) - loss(-2 * size))) / (12 * size)
    expected = -sum(float((direction[name] * change).sum()) for name, change in changes.items())
    assert slope == pytest.approx(expected, rel=5e-3, abs=2e-3)
    assert all(np.abs(change).max() > 0 for change in changes.values()), "a weight gets no gradient"


def test_one_compiled_step_takes_batches_of_any_width():
    trainable, config = TrainableTranslator(make(attention="none", bidirectional=False)), TrainingConfig()
    step = make_train_step(trainable, make_optimizer(config), config, shards=1)
    for width in (3, 5, 9):  # a third one, after two decided how it is compiled
        ids = [np.full(width, 4), np.full(1, 5)]
        arrays = arrays_of(encode_pairs(ids, ids).batch(np.arange(2)))
        assert arrays[0].shape == (2, width + 1)
        assert float(step([tf.constant(array) for array in arrays], [], np.float32(0.1)).count) == width + 3


@pytest.mark.usefixtures("eager")
def test_gradients_are_clipped_by_their_common_norm():
    arrays = arrays_of(batch_of(4))
    _, free = stepped(arrays)
    _, clipped = stepped(arrays, clip_norm=0.01)
    norm = np.sqrt(sum((change**2).sum() for change in free.values()))
    assert norm > 0.01
    for name, change in free.items():
        np.testing.assert_allclose(clipped[name], change * 0.01 / norm, atol=1e-6)


@pytest.mark.usefixtures("eager")
def test_the_learning_rate_is_that_of_the_step_not_of_the_optimizer():
    arrays = arrays_of(batch_of(4))
    _, whole = stepped(arrays, rate=1.0)
    _, half = stepped(arrays, rate=0.5)
    np.testing.assert_allclose(half["logits.bias"], whole["logits.bias"] / 2, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
@pytest.mark.usefixtures("eager")
def test_other_optimizers_move_every_weight_that_was_used(optimizer):
    _, changes = stepped(arrays_of(batch_of(5)), optimizer=optimizer, rate=0.01)
    assert all(np.abs(change).max() > 0 for change in changes.values())
    assert np.abs(changes["logits.bias"]).max() == pytest.approx(
        0.01 if optimizer == "adam" else 0.01 / 0.1**0.5, rel=0.01
    )


@pytest.mark.usefixtures("eager")
def test_all_weights_zero_is_no_division_by_zero():
    arrays = arrays_of(batch_of(2))
    arrays[-1] = np.zeros_like(arrays[-1])
    result, changes = stepped(arrays)
    assert float(result.nats) == float(result.count) == 0
    assert all((change == 0).all() for change in changes.values())


def test_a_shard_has_eight_rows_or_more():
    assert shard_count(8) == shard_count(1) == 1
    assert 1 <= shard_count(64) <= 8


def test_an_empty_source_is_its_end_alone():
    runtime = KerasTranslator(make())
    alone = forced_log_probs(runtime, np.array([[END]], np.int32), np.array([[START, 4, END]], np.int32))
    assert np.isfinite(alone).all()


def test_a_carried_state_that_runs_away_is_pulled_back():
    state = tf.Variable([[100.0, 0.1], [-100.0, 0.1]])
    with tf.GradientTape() as tape:
        penalty = state_penalty([state])
    gradient = tape.gradient(penalty, state).numpy()
    assert gradient[0, 0] == -gradient[1, 0] > 1e-2
    assert abs(gradient[0, 1]) < 1e-3 * gradient[0, 0] * 1.01
    assert state_penalty([]) == 0.0

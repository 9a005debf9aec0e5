"""The transducer: one path for training, both runtimes, search, score and folder."""

import dataclasses
import shutil

import numpy as np
import pytest

import seq2seq
from seq2seq.bundle.folder import join_members, load_bundle
from seq2seq.config import ModelConfig, TrainingConfig
from seq2seq.decoding import State
from seq2seq.errors import BundleError, DataError, OptionError
from seq2seq.inference.action_writer import LimitedActions
from seq2seq.inference.canary import read_canary, replay_canary
from seq2seq.inference.translator import Translator
from seq2seq.inference.writers import WritingLimits
from seq2seq.presets import with_defaults
from seq2seq.search_config import DecodingConfig
from seq2seq.special import END, PAD, START
from seq2seq.text.batches import teacher_force
from seq2seq.text.edits import COPY, DELETE, action_count, first_insertion
from seq2seq.text.pairs import Pair
from seq2seq.text.readings import Reading

LINES = ["abcd.", "efgh.", "mnop.", "abij.", "klkl."]
SEARCHES = [{}, {"beam_size": 4, "n_best": 4}, {"temperature": 1.0, "seed": 5, "n_best": 3}]
TAGGED = [
    f"{one}{other}\t{other}{one}{tag[0].lower()}\t{tag};{one.upper()}"
    for one in ("ab", "cd", "ef")
    for other in ("gh", "ij", "kl", "mn")
    for tag in ("PST", "FUT")
]


@pytest.fixture
def transducer(tiny_bundle):
    """A transducer of random weights, loaded."""
    return Translator(load_bundle(tiny_bundle(architecture="transducer")))


@pytest.fixture
def tagged(tiny_bundle):
    """The same for words with tags."""
    return tiny_bundle("tagged", rows=TAGGED, data={"features_col": 3}, architecture="transducer", layers=2)


def results(translator, lines, **options):
    return list(translator.outputs(lines, DecodingConfig(**{"seed": 1, **options})))


@pytest.mark.parametrize("options", SEARCHES, ids=str)
def test_score_gives_what_decode_prints(transducer, options):
    compared = 0
    for outputs in results(transducer, LINES, **options):
        for output in outputs:
            if output.finished:
                (scored,) = transducer.score([Pair(output.source, output.text)])
                np.testing.assert_allclose(scored.log_probs, output.log_probs, atol=1e-5)
                compared += 1
    assert compared >= 4


@pytest.mark.parametrize("options", SEARCHES, ids=str)
def test_the_size_of_batches_changes_nothing(transducer, options):
    together, alone = (results(transducer, LINES, **options, batch_size=size) for size in (5, 1))
    for several, others in zip(together, alone, strict=True):
        assert [one.text for one in several] == [one.text for one in others]
        np.testing.assert_allclose([one.score for one in several], [one.score for one in others], atol=1e-5)


def test_n_best_has_no_text_twice_and_the_best_first(transducer):
    for outputs in results(transducer, LINES, beam_size=6, n_best=6):
        texts = [output.text for output in outputs]
        assert len(set(texts)) == len(texts) > 1
        assert [one.rank_score for one in outputs] == sorted((one.rank_score for one in outputs), reverse=True)


def test_lengths_count_written_symbols(transducer):
    free = [outputs[0] for outputs in results(transducer, LINES, max_length=40)]
    longest = max(len(output.symbols) for output in free)
    assert longest > 2
    for output, other in zip(results(transducer, LINES, max_length=2), free, strict=True):
        (cut,) = output
        if len(other.symbols) <= 2:
            assert cut == other
            continue
        assert (cut.finished, cut.symbols) == (False, other.symbols[:2])
        assert len(cut.log_probs) == 2
        np.testing.assert_allclose(cut.score, sum(cut.log_probs))
    at_least = [outputs[0] for outputs in results(transducer, LINES, min_length=6, max_length=40)]
    assert all(len(output.symbols) >= 6 for output in at_least)


def test_a_prefix_is_written_first_and_not_scored(transducer):
    for prefix in ("a", "cd", "!"):
        for outputs in results(transducer, LINES, prefix=prefix, beam_size=3, n_best=2):
            for output in outputs:
                assert output.text.startswith(prefix)
                assert len(output.log_probs) == len(output.symbols) - len(prefix) + output.finished
                (scored,) = transducer.score([Pair(output.source, output.text)])
                if output.finished:
                    np.testing.assert_allclose(scored.log_probs[len(prefix) :], output.log_probs, atol=1e-5)


class EvenActions:
    """Finds all actions equally probable."""

    def step(self, token_ids, state):
        return np.zeros((len(token_ids), action_count(6)), np.float32), state


def test_an_accent_is_copied_inside_a_prefix_and_not_after_it():
    names = ["<PAD>", "<UNK>", "<START>", "<END>", "e", "\u0301"]
    limits = WritingLimits(np.array([9]), 0, prefix=[4, 5], not_after_prefix=[5])
    model = LimitedActions(EvenActions(), action_count(6), limits, names)
    source = Reading([], [4, 5, 5], ["e", "\u0301", "\u0301"])
    token_ids, state, allowed = np.array([START], np.int32), model.start(State(np.zeros(1), ()), [source]), []
    for _ in range(3):
        logits, state = model.step(token_ids, state)
        token_ids = np.array([COPY], np.int32)
        allowed.append(bool(np.isfinite(logits[0, COPY])))
    assert allowed == [True, True, False]


def test_a_prefix_with_a_symbol_that_was_never_seen_is_refused(transducer):
    with pytest.raises(OptionError, match=r"--prefix: expected symbols that the model can write, got <UNK>"):
        transducer.translate(LINES, prefix="ab€")


def test_a_prefix_longer_than_the_output_may_be_is_refused_as_with_attention(transducer, tiny_bundle):
    for translator in (transducer, Translator(load_bundle(tiny_bundle("other")))):
        with pytest.raises(OptionError, match=r"--prefix: expected at most --max-length \(2\) symbols, got 3"):
            translator.translate(LINES, prefix="abc", max_length=2)


@pytest.mark.parametrize("options", [{"max_length": 3}, {"prefix": "ab", "max_length": 4}, {"min_length": 5}], ids=str)
def test_limits_hold_on_both_runtimes(transducer, options):
    ours, keras = (
        results(model, LINES[:2], **options) for model in (transducer, Translator(transducer.bundle, runtime="keras"))
    )
    for (one,), (other,) in zip(ours, keras, strict=True):
        assert (one.text, one.finished) == (other.text, other.finished)
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-4)


def test_impossible_actions_are_never_taken(transducer):
    for outputs in results(transducer, LINES, temperature=2.0, n_best=20):
        for output in outputs:
            moves = [COPY <= action < first_insertion(transducer.writer.actions) for action in output.token_ids]
            assert sum(moves) == len(output.source) or not output.finished
            assert all(action > END for action in output.token_ids)


@pytest.mark.parametrize("options", SEARCHES[:2], ids=str)
def test_both_runtimes_give_the_same(tagged, options):
    bundle = load_bundle(tagged)
    lines = ["abgh\tPST;AB", "cdij\tFUT;CD", "efgh\t", "abmn\tPST;XX"]
    ours, keras = (results(Translator(bundle, runtime=runtime), lines, **options) for runtime in ("numpy", "keras"))
    for several, others in zip(ours, keras, strict=True):
        assert [one.text for one in several] == [one.text for one in others]
        np.testing.assert_allclose([one.score for one in several], [one.score for one in others], atol=1e-4)


def test_steps_give_what_the_training_model_gives(tagged):
    from seq2seq.models.backend import tf
    from seq2seq.models.trainable import TrainableTransducer
    from seq2seq.models.transducer import build_transducer
    from seq2seq.models.weights import import_weights

    translator = Translator(load_bundle(tagged))
    bundle = translator.bundle
    sizes = len(bundle.source_vocabulary), len(bundle.target_vocabulary)
    models = build_transducer(bundle.model, source_size=sizes[0], target_size=sizes[1], has_tags=True)
    import_weights([models.encoder, models.decoder], bundle.weights, where="here")
    read = [translator.encode(line, "map", 1, lambda *_: None) for line in ("abgh\tPST;AB", "cd\tFUT")]
    targets = [translator.encode_target(target, "map", "here") for target in ("ghabp", "dd")]
    paths = translator.writer.paths(read, targets)
    length = max(map(len, paths))
    rows = np.array([[*path, *[PAD] * (length - len(path))] for path in paths], np.int32)
    forced = teacher_force(rows)
    sources = np.array([[*one.ids, END, *[PAD] * (4 - len(one.ids))] for one in read], np.int32)
    tags = np.array([[*one.tags, *[PAD] * (2 - len(one.tags))] for one in read], np.int32)
    logits = TrainableTransducer(models).forward([sources, tags, *forced], [], training=False).logits
    everything = tf.nn.log_softmax(logits).numpy()
    expected = np.take_along_axis(everything, forced.targets[..., None], -1)[..., 0] * forced.weights
    for row, values in zip(expected, translator.writer.forced(read, paths), strict=True):
        np.testing.assert_allclose(row[: len(values)], values, atol=1e-5)


def test_tags_decide_and_an_unknown_one_counts_as_none(tagged):
    translator = Translator(load_bundle(tagged))
    pairs = [Pair(f"abgh\t{tags}", "ghabp") for tags in ("PST;AB", "FUT;AB", "AB", "AB;NEW")]
    past, future, none, new = (scored.score for scored in translator.score(pairs))
    assert past != pytest.approx(future)
    assert new == pytest.approx(none)


def test_a_character_that_was_never_seen_is_copied(transducer, monkeypatch):
    monkeypatch.setattr(transducer.writer.runtime, "output_biases", transducer.writer.runtime.output_biases.copy())
    transducer.writer.runtime.output_biases[:, [COPY, END]] += 50
    assert transducer.translate(["ab7d€"]) == ["ab7d€"]
    assert transducer.translate(["ÁB"]) == ["ÁB"]  # read as known letters, written as they are
    (scored,) = transducer.score([Pair("ab7d€", "ab7d€")])
    assert scored.score > -1e-3


def test_the_canary_holds_and_a_damaged_edit_distance_is_refused(tiny_bundle):
    folder = tiny_bundle(architecture="transducer")
    for runtime in ("numpy", "keras"):
        replay_canary(Translator(load_bundle(folder), runtime=runtime), read_canary(folder / "canary.json"))
    (folder / "edits.safetensors").write_bytes(b"")
    with pytest.raises(BundleError, match=r"edits\.safetensors: is not the file that was written"):
        load_bundle(folder)


@pytest.fixture
def task(tmp_path):
    """The training task of a transducer for plurals."""
    from seq2seq.training.task import Run
    from seq2seq.training.trainer import build_task, prepare, resolved

    file = tmp_path / "plurals.tsv"
    file.write_text("".join(f"{stem}{end}\t{stem}{end}s\n" for stem in "bcdfglmnprst" for end in ("a", "an", "ul")))
    chosen = {"data": {"data": str(file)}, "model": {"hidden_size": 8}, "train": {}}
    run = Run.of(chosen, folder=tmp_path / "m", report=print)
    prepared = prepare(run)
    return build_task(resolved(run, prepared), prepared)


def test_copies_with_an_ending_are_found_to_be_edits(task):
    assert task.bundle.model.architecture == "transducer"
    assert "architecture: transducer" in "\n".join(task.describe())


def test_an_oracle_one_step_late_or_early_is_refused(task):
    source_ids, tag_ids, inputs, targets, weights = next(task.epoch(None))
    task.check([source_ids, tag_ids, inputs, targets, weights])
    with pytest.raises(DataError, match="copy bug"):
        task.check([source_ids, tag_ids, inputs, inputs, weights])
    late, early = np.roll(targets, 1, 1), np.roll(targets, -1, 1)
    for wrong in (late, early):
        with pytest.raises(DataError, match=r"D0[1-4]"):
            task.check([source_ids, tag_ids, inputs, wrong, weights])
    rows = np.concatenate([np.full((len(targets), 1), START, np.int32), targets[:, 1:]], 1)  # the first action is lost
    with pytest.raises(DataError, match=r"wrong actions \(D02\)"):
        task.check([source_ids, tag_ids, *teacher_force(rows)])


def test_an_attention_folder_of_before_needs_no_architecture(tiny_bundle):
    folder = tiny_bundle()
    assert load_bundle(folder).edits is None
    assert seq2seq.load(folder).translate(LINES)


def test_plurals_are_learnt_and_trained_again_to_the_same_weights(tmp_path, one_shard):
    words = [a + b + c for a in "bcdfg" for b in "aeiou" for c in ("l", "r", "s", "z", "n")]
    rows = [f"{word}\t{word[:-1] + 'ces' if word[-1] == 'z' else word + 'es'}\n" for word in words]
    for part, chosen in (("train", rows[::2]), ("dev", rows[1::4]), ("test", rows[3::4])):
        (tmp_path / f"{part}.tsv").write_text("".join(chosen))
    weights = []
    for name in ("one", "two"):
        model = seq2seq.Translator.train(
            tmp_path,
            model=tmp_path / "runs" / name,
            hidden_size=24,
            embedding_size=12,
            epochs=30,
            dropout=0.1,
            batch_size=8,
            warmup_steps=20,
            learning_rate=0.02,
        )
        weights.append(model.bundle.weights)
    assert model.bundle.model.architecture == "transducer"
    for name, values in weights[0].items():
        np.testing.assert_array_equal(values, weights[1][name])
    assert model.translate(["guz", "bal"]) == ["guces", "bales"]


def test_an_ensemble_of_transducers_is_a_transducer(tiny_bundle, tmp_path):
    (tmp_path / "both").mkdir()
    for number in (1, 2):
        folder = tiny_bundle(f"one-{number}", seed=number, architecture="transducer")
        shutil.move(folder, tmp_path / "both" / f"member-{number}")
    bundle = join_members(tmp_path / "both", ["member-1", "member-2"])
    translator = Translator(bundle)
    for options in SEARCHES:
        for outputs in results(translator, LINES, **options):
            (scored,) = translator.score([Pair(outputs[0].source, outputs[0].text)])
            assert scored.score == pytest.approx(outputs[0].score, abs=1e-4) or not outputs[0].finished
    keras = results(Translator(bundle, runtime="keras"), LINES)
    assert [one[0].text for one in keras] == [one[0].text for one in results(translator, LINES)]


def test_no_attention_to_show(tiny_bundle):
    from seq2seq.inference.attention_view import view_attention

    with pytest.raises(OptionError, match="is a transducer, which reads the source at one position"):
        view_attention(load_bundle(tiny_bundle(architecture="transducer")), "abcd.", "cdab!")


def test_the_doctor_names_what_checks_a_transducer(tiny_bundle, capsys):
    from seq2seq import doctor

    assert doctor.main([str(tiny_bundle(architecture="transducer"))]) == 2
    assert "got a transducer" in capsys.readouterr().err


def test_a_kind_of_attention_means_attention():
    assert with_defaults("pairs", ModelConfig, {"attention": "bahdanau"})["architecture"] == "attention"
    assert "architecture" not in with_defaults("pairs", ModelConfig, {"layers": 2})
    with pytest.raises(OptionError, match="--attention none and --architecture transducer exclude each other"):
        with_defaults("pairs", ModelConfig, {"attention": "none", "architecture": "transducer"})


def test_dataclasses_of_options_know_the_architectures():
    with pytest.raises(OptionError, match="--architecture: expected one of auto, attention, transducer"):
        ModelConfig(architecture="pointer")
    assert TrainingConfig().learning_rate is None
    assert dataclasses.replace(ModelConfig(), architecture="transducer").architecture == "transducer"
    assert DELETE == COPY + 1

"""An ensemble is one model: the mean of its members' probabilities, in every verb and on both runtimes."""

import dataclasses
import json
import shutil
from itertools import chain

import numpy as np
import pytest

from seq2seq import decode, doctor, evaluate, generate, score, train, verify
from seq2seq.api import load
from seq2seq.bundle.folder import ensemble_of, join_members, load_bundle, save_bundle
from seq2seq.bundle.record import CONFIG, kind_in, newest_bundle
from seq2seq.decoding import log_softmax, select_rows, select_sources
from seq2seq.errors import BundleError
from seq2seq.inference.attention_view import view_attention
from seq2seq.inference.canary import choose_canary, choose_text_canary
from seq2seq.inference.ensemble import EnsembleLanguageModel, EnsembleTranslator, mean_log_probs
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.runtimes import make_runtime
from seq2seq.inference.translator import Translator
from seq2seq.inference.window_model import RestartingLanguageModel
from seq2seq.search_config import DecodingConfig, GenerationConfig
from seq2seq.special import END, START
from seq2seq.text.pairs import Pair
from tests.conftest import ROWS
from tests.records import rehash
from tests.tiny_language import make_model

LINES = ["abcd.", "ghij.", "", "klmnab.", "x"]
KINDS = ({}, {"seed": 2, "attention": "none", "rnn": "gru"}, {"seed": 3, "hidden_size": 10, "layers": 2})


def joined(folder, members):
    """Moves finished models into a new folder, and makes an ensemble of them."""
    folder.mkdir()
    names = [f"member-{number}" for number, _ in enumerate(members, 1)]
    for name, member in zip(names, members, strict=True):
        shutil.move(member, folder / name)
    bundle = join_members(folder, names)
    if bundle.source_vocabulary is None:
        canary = choose_text_canary(LanguageModel(bundle))
    else:
        canary = choose_canary(Translator(bundle), [row.partition("\t")[0] for row in ROWS])
    save_bundle(bundle, metrics={}, history=[], canary=canary)
    return folder


@pytest.fixture
def eager():
    """Saves the seconds that compiling takes."""
    from seq2seq.models.backend import tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def folder(tiny_bundle, tmp_path):
    """An ensemble of three random translators of different sizes and kinds."""
    return joined(tmp_path / "ensemble", [tiny_bundle(f"m{index}", **kind) for index, kind in enumerate(KINDS)])


@pytest.fixture
def text_folder(tmp_path):
    """An ensemble of two random language models."""
    members = [make_model(tmp_path / "text", seed=1).bundle.path]
    shutil.move(members[0], tmp_path / "one")
    return joined(tmp_path / "ensemble", [tmp_path / "one", make_model(tmp_path / "text", seed=2).bundle.path])


def refusal(folder):
    with pytest.raises(BundleError) as error:
        load_bundle(folder)
    return str(error.value)


# the mean


def test_probabilities_are_the_mean_of_the_members():
    one, other = np.log([[0.5, 0.25, 0.25]]), np.log([[0.1, 0.1, 0.8]])
    found = mean_log_probs([(one + 3).astype(np.float32), (other - 2).astype(np.float32)])  # logits of any level
    np.testing.assert_allclose(np.exp(found), [[0.3, 0.175, 0.525]], atol=1e-6)
    assert found.dtype == np.float32


def test_what_is_impossible_for_all_stays_so_and_what_is_nearly_impossible_does_not_become_so():
    masked = np.array([[0.0, -np.inf, -np.inf], [0.0, 0.0, -np.inf]], np.float32)
    found = mean_log_probs([masked, masked])
    np.testing.assert_allclose(found, [[0.0, -np.inf, -np.inf], [np.log(0.5), np.log(0.5), -np.inf]], atol=1e-6)
    unlikely = mean_log_probs([np.array([[0.0, -2000.0]], np.float32)] * 2)
    np.testing.assert_allclose(unlikely, [[0.0, -2000.0]])
    half = mean_log_probs([np.array([[0.0, -np.inf]], np.float32), np.array([[0.0, 0.0]], np.float32)])
    np.testing.assert_allclose(np.exp(half), [[0.75, 0.25]], atol=1e-6)


def test_a_member_that_computes_no_number_is_not_averaged_away():
    bad = np.array([[np.nan, 0.0]], np.float32)
    assert np.isnan(mean_log_probs([bad, np.zeros((1, 2), np.float32)])).all()


# translators


def test_a_step_gives_the_log_of_the_mean_by_hand(folder):
    bundle = load_bundle(folder)
    assert len(bundle.members) == 3 and not bundle.weights
    source = np.array([Translator(bundle).source_form.row([4, 5, 6])], np.int32)
    runtimes = [make_runtime(member, "numpy") for member in bundle.members]
    together = make_runtime(bundle, "numpy")
    assert isinstance(together, EnsembleTranslator)
    state, states = together.start(source), [runtime.start(source) for runtime in runtimes]
    for token in (START, 5, 7):
        fed = np.array([token], np.int32)
        logits, state = together.step(fed, state)
        singles = [runtime.step(fed, each) for runtime, each in zip(runtimes, states, strict=True)]
        states = [after for _, after in singles]
        probabilities = [np.exp(log_softmax(one)) for one, _ in singles]
        np.testing.assert_allclose(np.exp(logits), sum(probabilities) / 3, atol=1e-6)
        assert np.abs(probabilities[0] - probabilities[1]).max() > 0.01


STRATEGIES = [
    DecodingConfig(max_length=12),
    DecodingConfig(max_length=12, beam_size=4, n_best=3),
    DecodingConfig(max_length=8, temperature=1.0, seed=3, n_best=2),
    DecodingConfig(max_length=8, temperature=0.8, seed=5, top_k=4, top_p=0.9, min_p=0.01),
]


@pytest.mark.usefixtures("eager")
def test_keras_and_every_batch_size_give_what_numpy_gives(folder):
    bundle = load_bundle(folder)
    translator, keras = Translator(bundle), Translator(bundle, runtime="keras")
    for config in STRATEGIES:
        expected = list(translator.outputs(LINES, config))
        small = DecodingConfig(**{**config.to_dict(), "batch_size": 2})
        for other in (list(keras.outputs(LINES, config)), list(translator.outputs(LINES, small))):
            for one, two in zip(chain(*expected), chain(*other), strict=True):
                assert one.text == two.text
                np.testing.assert_allclose(one.log_probs, two.log_probs, atol=1e-5)


def test_what_decode_finds_is_what_score_gives(folder):
    translator = Translator(load_bundle(folder))
    found = [one for one in chain(*translator.outputs(LINES, STRATEGIES[1])) if one.finished and one.source]
    assert len(found) >= 4
    scored = translator.score([Pair(one.source, one.text) for one in found])
    for output, again in zip(found, scored, strict=True):
        np.testing.assert_allclose(output.log_probs, again.log_probs, atol=1e-5)


def test_members_of_numpy_use_all_cores_and_those_of_keras_use_them_by_themselves(folder):
    bundle = load_bundle(folder)
    sizes = [make_runtime(member, "numpy").symbol_bytes for member in bundle.members]
    assert make_runtime(bundle, "numpy").symbol_bytes == sum(sizes) > 0
    assert make_runtime(bundle, "keras").symbol_bytes is None


def test_every_verb_takes_an_ensemble_as_one_model(folder, tmp_path, capsys):
    (tmp_path / "lines.txt").write_text("abcd.\nefgh.\n")
    assert decode.main(["--model", str(folder), "-i", str(tmp_path / "lines.txt"), "--format", "tsv"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    outputs = [one[0] for one in load(folder).outputs(["abcd.", "efgh."], DecodingConfig())]
    assert all(output.text in row for output, row in zip(outputs, rows, strict=True))
    (tmp_path / "pairs.tsv").write_text("abcd.\tcdab!\n")
    assert score.main(["--model", str(folder), "-i", str(tmp_path / "pairs.tsv")]) == 0
    (scored,) = load(folder).score([Pair("abcd.", "cdab!")])
    assert float(capsys.readouterr().out) == pytest.approx(scored.score, abs=1e-5)
    assert evaluate.main(["--model", str(folder), "--bootstrap", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 6
    assert evaluate.main(["--model", str(folder / "member-2"), "--compare", str(folder), "--bootstrap", "0"]) == 0


def test_the_attention_of_an_ensemble_is_the_mean_of_the_members_that_attend(folder):
    bundle = load_bundle(folder)
    attending = [member for member in bundle.members if member.model.attention != "none"]
    members = [view_attention(member, "abcd.", "cd").weights for member in attending]
    assert len(members) == 2
    np.testing.assert_allclose(view_attention(bundle, "abcd.", "cd").weights, np.mean(members, axis=0), atol=1e-6)


def test_what_looks_into_one_model_asks_for_one_member(folder, capsys):
    expected = f"{folder}: expected one model, got an ensemble of 3; give one member, such as {folder / 'member-1'}"
    assert doctor.main([str(folder)]) == 2
    assert capsys.readouterr().err == f"seq2seq doctor: error: {expected}\n"


# language models


@pytest.mark.usefixtures("eager")
def test_language_models_write_together(text_folder, capsys):
    bundle = load_bundle(text_folder)
    texts = {}
    for runtime in ("numpy", "keras"):
        model = LanguageModel(bundle, runtime=runtime)
        (text,) = model.texts("The ", length=15, temperature=0.8, seed=1)
        texts[runtime] = text
        scored = model.score([text.text])[0].log_probs[3:]
        np.testing.assert_allclose(scored, text.log_probs, atol=1e-5)
    assert texts["numpy"].text == texts["keras"].text
    alone = [LanguageModel(member).texts("The ", length=15, temperature=0.8, seed=1)[0] for member in bundle.members]
    assert len({texts["numpy"].text, *(text.text for text in alone)}) == 3
    assert generate.main(["--model", str(text_folder), "--length", "9", "--seed", "1"]) == 0
    assert verify.main(["--model", str(text_folder)]) == 0
    assert "ensemble of 2" in capsys.readouterr().out


def test_a_stateless_member_reads_its_window(text_folder):
    members = [LanguageModel(member).runtime for member in load_bundle(text_folder).members]
    together = EnsembleLanguageModel([RestartingLanguageModel(members[0], 4), members[1]])
    model = LanguageModel(load_bundle(text_folder), step_model=together)
    config = GenerationConfig(temperature=0.0, length=12, seed=1)
    (text,) = model.write(model.open("Every morning", config), config)
    scored = model.score([text.text])[0].log_probs[-12:]
    np.testing.assert_allclose(scored, text.log_probs, atol=1e-5)


# from finished models


def test_finished_models_of_any_kinds_are_copied_into_one_ensemble(folder, tiny_bundle, tmp_path, capsys):
    other, both = tiny_bundle("other", seed=9, attention="bahdanau"), tmp_path / "both"
    assert train.main(["--ensemble", str(folder), str(other), "--model", str(both)]) == 0
    assert capsys.readouterr().err == f"finished: {both}; score it with `seq2seq evaluate --model {both}`\n"
    bundle = load_bundle(both)
    assert [member.model.attention for member in bundle.members] == ["luong", "none", "luong", "bahdanau"]
    assert (both / "member-4" / "weights.safetensors").read_bytes() == (other / "weights.safetensors").read_bytes()
    assert verify.main(["--model", str(both)]) == 0
    assert len(load(both).translate(LINES)) == len(LINES)
    assert load_bundle(folder) and load_bundle(other)


def test_language_models_are_copied_into_one_ensemble(text_folder, tmp_path):
    both = tmp_path / "both"
    members = [str(text_folder / "member-2"), str(text_folder / "member-1")]
    assert train.main(["--ensemble", *members, "--model", str(both)]) == 0
    assert verify.main(["--model", str(both)]) == 0
    assert load(both).bundle.excerpt == load(text_folder).bundle.excerpt


def test_models_of_different_data_do_not_record_whose_it_was_and_read_the_longest_of_all(folder):
    bundle = load_bundle(folder)
    one, other = bundle.members[:2]
    assert ensemble_of(folder, (one, other)).record["trained_on"] == one.record["trained_on"]
    record = {**other.record, "trained_on": {"sha256": {"all": "f00"}}, "lengths": {"source": 90, "target": 1}}
    found = ensemble_of(folder, (one, dataclasses.replace(other, record=record))).record
    assert "trained_on" not in found
    assert found["lengths"] == {"source": 90, "target": one.record["lengths"]["target"]}


def test_what_cannot_be_one_ensemble_is_refused_and_nothing_is_written(folder, tiny_bundle, tmp_path, capsys):
    one, other = folder / "member-1", tiny_bundle("other", rows=[row + "%" for row in ROWS])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for options, said in (
        (
            [one, "--model", tmp_path / "new"],
            f"--ensemble: expected at least two models, got {one} alone; name another",
        ),
        (
            [one, other, "--model", tmp_path / "new"],
            f"{other}: expected the target vocabulary of {one}, which is a member",
        ),
        ([one, one], "--ensemble: expected a folder for the ensemble, got none; give --model DIR"),
        ([one, one, "--epochs", "3"], "--epochs: is about training, and --ensemble trains nothing; leave one of them"),
        (
            [one, one, "--model", tmp_path / "full"],
            f"{tmp_path / 'full'}: expected a new folder for the ensemble, got one that exists; give another --model",
        ),
    ):
        assert train.main(["--ensemble", *map(str, options)]) == 2
        assert capsys.readouterr().err.startswith(f"seq2seq train: error: {said}")
    assert sorted(tmp_path.rglob("*")) == before


# the folder


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("runtime", ["auto", "keras"])
def test_verify_checks_the_parts_of_every_member_and_the_outputs_of_all_together(folder, capsys, runtime):
    assert verify.main(["--model", str(folder), "--runtime", runtime]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ok       config.json: format 1, translator, ensemble of 3"
    assert sum("member-3/" in line for line in lines) == 9  # config.json, its content, and its seven parts
    assert lines[-1] == f"ok       canary: 5 inputs give the same text and log-probabilities ({runtime} runtime)"


def test_a_damaged_member_is_named_and_not_run(folder, capsys):
    path = folder / "member-2" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    said = f"{path}: is not the file that was written (its sha256 differs); train again, or restore the file"
    assert refusal(folder) == said
    assert verify.main(["--model", str(folder)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("FAILED")] == [f"FAILED   {said}"]
    assert lines[-1] == "skipped  canary: a damaged model is not run"
    shutil.rmtree(folder / "member-2")
    assert refusal(folder) == f"{folder}/member-2/config.json: is missing; train again, or restore the file"
    assert verify.main(["--model", str(folder)]) == 2


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"rows": [*ROWS, "zz.\tzz!"]}, "source vocabulary"),
        ({"rows": [row + "%" for row in ROWS]}, "target vocabulary"),
        ({"data": {"lowercase": True}}, "--lowercase"),
    ],
)
def test_a_member_of_another_run_is_refused_in_one_line(folder, tiny_bundle, options, what):
    shutil.rmtree(folder / "member-2")
    shutil.move(tiny_bundle("stranger", **options), folder / "member-2")
    assert refusal(folder).startswith(f"{folder}/member-2/config.json: is not the file that was written")
    rehash(folder)
    assert refusal(folder) == (
        f"{folder / 'member-2'}: expected the {what} of {folder / 'member-1'}, which is a member of the same ensemble, "
        "got another; the members must be trained on the same data, read in the same way"
    )


@pytest.mark.parametrize("members", [[], ["member-1", "member-1"], ["../member-1"], "member-1", [1], ["member-01"]])
def test_members_that_cannot_be_meant_are_refused(folder, members):
    record = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**record, "members": members}))
    assert refusal(folder) == (
        f"{folder / CONFIG}: is damaged: members is {members!r}; train again, or restore the file"
    )


def test_an_ensemble_without_the_hash_of_a_member_is_refused(folder):
    record = json.loads((folder / CONFIG).read_text())
    del record["sha256"]["member-3/config.json"]
    (folder / CONFIG).write_text(json.dumps(record))
    assert refusal(folder).endswith("is damaged: no sha256 of member-3/config.json; train again, or restore the file")


def test_the_newest_model_is_the_ensemble_and_not_a_member_of_it(folder, tmp_path):
    assert kind_in(folder) == "translator"
    assert newest_bundle(tmp_path) == folder
    assert sorted(path.name for path in folder.iterdir()) == [
        "canary.json", "config.json", "member-1", "member-2", "member-3", "metrics.json",
    ]  # fmt: skip
    assert load(folder / "member-2").translate(["abcd."])
    (folder / CONFIG).unlink()
    assert refusal(folder) == f"{folder}: is unfinished (no config.json); run the same train command again to finish it"


def test_rows_of_all_members_are_reordered_and_dropped_together(folder):
    runtime = make_runtime(load_bundle(folder), "numpy")
    sources = np.array([[4, 5, 6, END], [7, 8, 9, END]], np.int32)
    state, start = runtime.start(sources), np.array([START, START], np.int32)
    logits, _ = runtime.step(start, state)
    twice = select_rows(select_sources(state, np.array([1]), 1), np.array([0, 0]))
    np.testing.assert_allclose(runtime.step(start, twice)[0], np.repeat(logits[1:], 2, axis=0), atol=1e-6)

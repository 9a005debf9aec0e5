"""Adoption: the folder predicts what the original predicts, in every known style; other styles are refused."""

import functools
import json
import re
import subprocess
import sys

import numpy as np
import pytest

import seq2seq
from seq2seq import evaluate
from seq2seq.adopt import main
from seq2seq.adoption import adopt
from seq2seq.adoption.likelihood import Likelihood
from seq2seq.config import DataConfig
from seq2seq.errors import Seq2SeqError
from seq2seq.models.backend import keras, tf
from seq2seq.models.recurrent import hard_sigmoid_of_keras_2
from tests import adoptable
from tests.defective import others
from tests.defective.recipes import (
    LETTERS,
    embedding_models,
    fit,
    id_arrays,
    toy_pairs,
    tutorial_arrays,
    tutorial_model,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
PAIRS = toy_pairs(200)
SPACED = [(f"{source} {source[0]}", f"{target[0]} {target}") for source, target in PAIRS]
SIZE = len(LETTERS) + 3
ROWS = 20
START, END = 1, 2  # of id_arrays


def written(pairs, folder, name="pairs.tsv"):
    """Writes pairs as a file."""
    path = folder / name
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path


def first(arrays, count=ROWS):
    """The first rows of all arrays."""
    return {name: array[:count] for name, array in arrays.items()}


def target_ids(arrays):
    """Each row's targets up to END."""
    targets = arrays["decoder_target"]
    if targets.ndim == 3:
        real = targets.any(-1)
        targets = targets.argmax(-1)
    else:
        real = targets != 0
    return [row[keep].tolist() for row, keep in zip(targets, real, strict=True)]


def agrees(translator, model, arrays, pairs, *, start=START, end=END, symbols=None, unwritten=(0, START), length=5):
    """Checks log-probabilities, the greedy output, beam and sampling on some rows; adopt itself checks Keras's too."""
    few, pairs = first(arrays), pairs[:ROWS]
    wanted = adoptable.teacher_forced(model, few, target_ids(few))
    for (*_, adopted), original, (_, target) in zip(translator.score(pairs), wanted, pairs, strict=True):
        np.testing.assert_allclose(adopted, original[: len(target) + 1], atol=1e-5)
    sources = [source for source, _ in pairs]
    outputs = translator.translate(sources, max_length=length)
    symbols = symbols or dict(enumerate(LETTERS, 3))
    rows = adoptable.greedy(model, few, start=start, end=end, banned=list(unwritten), length=length)
    assert outputs == ["".join(symbols[number] for number in row) for row in rows]
    assert len(translator.translate(sources, beam_size=3, max_length=length)) == ROWS
    assert len(set(translator.translate(sources, temperature=1.5, seed=1, max_length=length))) > 3


STYLES = {
    "GRU": lambda: embedding_models(units=10)[0],
    "GRU without a mask": lambda: embedding_models(units=10, mask=False)[0],
    "bidirectional LSTM": lambda: embedding_models(units=10, cell="lstm", bidirectional=True)[0],
    "two LSTM layers": lambda: adoptable.stacked(SIZE),
    "LSTM with the gates of Keras 2": lambda: adoptable.stacked(SIZE, recurrent_activation=hard_sigmoid_of_keras_2),
    "two GRU layers without a mask": lambda: adoptable.stacked(SIZE, cell="gru", mask=False),
    "a decoder of one layer on an encoder of two": lambda: adoptable.stacked(SIZE, wiring="last"),
    "both decoder layers from the encoder's last": lambda: adoptable.stacked(SIZE, wiring="last twice"),
    "a layer in one direction on one in two": lambda: adoptable.mixed_directions(SIZE),
    "Dot attention, tanh": lambda: adoptable.attending(SIZE, "dot", combine=12),
    "Dot attention": lambda: adoptable.attending(SIZE, "dot", logits=True),
    "Attention, masked": lambda: adoptable.attending(SIZE, "luong", mask=True),
    "Attention of a projected query": lambda: adoptable.attending(SIZE, "general", combine=5),
    "Attention by concat": lambda: adoptable.attending(SIZE, "concat"),
    "AdditiveAttention, bidirectional": lambda: adoptable.attending(SIZE, "additive", mask=True, bidirectional=True),
    "nested models": lambda: adoptable.nested(SIZE),
    "an encoder that reads backwards": lambda: adoptable.backwards(SIZE),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_folder_predicts_what_the_original_predicts(style, tmp_path):
    arrays = id_arrays(PAIRS)
    model = adoptable.lively(STYLES[style]())
    translator = adopt(model, written(PAIRS, tmp_path), tmp_path / "model", arrays=arrays)
    agrees(translator, model, arrays, PAIRS)


def test_evaluate_finds_the_data_of_an_adopted_model(tmp_path, capsys):
    arrays = first(id_arrays(PAIRS), 150)
    model = adoptable.lively(embedding_models(units=10)[0])
    data = written(PAIRS, tmp_path, "tut.txt")
    adopt(model, data, tmp_path / "model", arrays=arrays, rows=150)
    trained = {source for source, _ in PAIRS[:150]}
    left = {source for source, _ in PAIRS[150:]} - trained
    options = ["--model", str(tmp_path / "model"), "--bootstrap", "0"]
    assert evaluate.main([*options, "--json", "--by", "source"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["data"], found["n"]) == ("tut, rows after the first 150", len(left))
    assert evaluate.main([*options, "--split", "validation"]) == 2
    assert (
        "--split validation: " in (said := capsys.readouterr().err) and "which rows validated it is not known" in said
    )
    data.write_text("changed\tdata\n")
    assert evaluate.main(options) == 2
    assert "expected the data it was trained on, 'tut' with sha256 " in capsys.readouterr().err


def test_evaluate_says_where_an_adopted_model_saw_all_rows(tmp_path, capsys):
    model = adoptable.lively(embedding_models(units=10)[0])
    adopt(model, written(PAIRS, tmp_path), tmp_path / "model", arrays=id_arrays(PAIRS))
    assert evaluate.main(["--model", str(tmp_path / "model"), "--bootstrap", "0", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["data"] == "pairs, all rows"
    assert "the model was trained on all of its 200 rows, so the scores show what it remembers" in err


@pytest.mark.parametrize("mask", [True, False])
def test_padding_in_front(mask, tmp_path):
    arrays = id_arrays(PAIRS, pad="pre")
    model = adoptable.lively(embedding_models(units=10, mask=mask)[0])
    translator = adopt(model, written(PAIRS, tmp_path), tmp_path / "model", arrays=arrays)
    assert translator.source_form.left is not mask or mask
    assert translator.source_form.length == (0 if mask else 6)
    agrees(translator, model, arrays, PAIRS)


@pytest.mark.parametrize(
    "style",
    [{"fill": " "}, {"fill": ""}, {"fill": "", "masking": True}, {"fill": " ", "cell": "gru"}],
    ids=str,
)
def test_one_hot_rows_padded_with_a_space_or_with_zeros(style, tmp_path):
    style = dict(style)
    arrays = tutorial_arrays(SPACED, fill=style.pop("fill"))
    model = adoptable.one_hot(arrays, **style)
    translator = adopt(model, written(SPACED, tmp_path), tmp_path / "model", arrays=arrays)
    symbols = dict(enumerate(sorted({"\t", "\n", " ", *LETTERS})))
    agrees(translator, model, arrays, SPACED, start=0, end=1, symbols=symbols, unwritten=(0,))


def test_one_symbol_that_starts_and_ends(tmp_path):
    arrays = id_arrays(PAIRS)
    for name in ("decoder_input", "decoder_target"):
        arrays[name] = np.where(arrays[name] == START, END, arrays[name])
    model = adoptable.lively(embedding_models(units=10)[0])
    translator = adopt(model, written(PAIRS, tmp_path), tmp_path / "model", arrays=arrays)
    # class 1 is no symbol, but random weights may choose it
    symbols = {1: "<1>", **dict(enumerate(LETTERS, 3))}
    agrees(translator, model, arrays, PAIRS, start=END, symbols=symbols, unwritten=(0,))


# numberings that are found from the texts; these models have learnt


@functools.cache
def tutorial(fill):
    arrays = tutorial_arrays(SPACED, fill=fill)
    keras.utils.set_random_seed(3)
    return arrays, fit(tutorial_model(arrays, units=32), arrays, epochs=16)


@pytest.mark.parametrize(("fill", "name"), [(" ", "model.keras"), ("", "model.h5")])
def test_the_tutorial_is_adopted_from_its_files_alone(fill, name, tmp_path, capsys):
    arrays, model = tutorial(fill)
    model.save(tmp_path / name)
    folder = tmp_path / "adopted"
    more = [(source[::-1] + "h", target) for source, target in SPACED]  # rows that it was not trained on
    data = written([*SPACED, ("xyz", "XYZ"), *more], tmp_path)
    assert main([str(tmp_path / name), "--data", str(data), "--model", str(folder)]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "target: 11 symbols sorted from 0, START '\\t' and END '\\n' among them" in captured.err
    assert f"padded to 8 symbols with {'rows of zeros' if not fill else repr(' ')}" in captured.err
    assert f"rows: the first {len(SPACED)} of" in captured.err
    translator = seq2seq.load(folder)
    symbols = dict(enumerate(sorted({"\t", "\n", " ", *LETTERS})))
    agrees(translator, model, arrays, SPACED, start=0, end=1, symbols=symbols, unwritten=(0,), length=9)
    sources = [source for source, _ in SPACED]
    assert seq2seq.load(folder, runtime="keras").translate(sources) == translator.translate(sources)
    check_verbs(folder, data, tmp_path, capsys)


def check_verbs(folder, data, tmp_path, capsys):
    """Checks that each verb works on an adopted folder, or names what it needs."""
    from seq2seq.__main__ import main as run

    assert run(["verify", "--model", str(folder), "--runtime", "keras"]) == 0
    assert run(["score", "--model", str(folder), "--input", str(data)]) == 0
    assert run(["evaluate", "--model", str(folder), "--data", str(data), "--bootstrap", "0", "--json"]) == 0
    capsys.readouterr()
    assert run(["evaluate", "--model", str(folder), "--bootstrap", "0"]) == 0
    assert capsys.readouterr().out.startswith(f"pairs, rows after the first {len(SPACED)}: ")
    sweep = ["sweep", "--model", str(folder), "--data", str(data), "--lines", "3", "--samples", "2", "--json"]
    assert run([*sweep, "--temperatures", "0.5", "--seed", "1"]) == 0
    assert run(["doctor", str(folder), "--pairs", str(data), "--json"]) in (0, 1)
    codes = {
        finding["code"]
        for finding in json.loads(capsys.readouterr().out.split("\n{", 1)[-1].join(["{", ""]))["findings"]
    }
    assert not codes & {"D01", "D02", "D07"}


def test_ids_of_embeddings_are_found_out(tmp_path):
    arrays = id_arrays(PAIRS)
    model = fit(embedding_models(units=32)[0], arrays, epochs=10)
    said = []
    translator = adopt(model, written(PAIRS, tmp_path), tmp_path / "model", report=said.append)
    agrees(translator, model, arrays, PAIRS)
    assert any("PAD" in line for line in said)
    assert re.search(r"\nnats per target symbol: \d\.\d{3} \(unigram baseline: 2\.16\)\n", "\n".join(said))


def test_no_row_is_scored_twice(tmp_path, monkeypatch):
    scored = []
    forced = Likelihood.forced

    def counted(self, rows):
        scored.extend((tuple(source), tuple(target)) for source, target in rows)
        return forced(self, rows)

    monkeypatch.setattr(Likelihood, "forced", counted)
    adopt(tutorial(" ")[1], written(SPACED, tmp_path), tmp_path / "model")
    assert len(scored) == len(set(scored)) > 100


@pytest.mark.parametrize("hint", ["start", "end", "pad"])
@pytest.mark.parametrize("value", ["\N{SUPERSCRIPT TWO}", "-1", "nothing"])
def test_a_hint_that_is_neither_a_symbol_nor_an_id_is_refused(hint, value, tmp_path):
    table = ["<pad>", "<start>", "<end>", *LETTERS]
    message = refused(embedding_models(units=4)[0], tmp_path, vocabularies=[table], **{hint: value})
    assert message == f"--{hint}: expected a symbol of the source vocabulary or an id, got {value!r}"


def test_words_with_a_vocabulary_file(tmp_path, capsys):
    words = [(" ".join(source), " ".join(target)) for source, target in PAIRS]
    arrays = id_arrays(PAIRS)
    model = fit(embedding_models(units=32, cell="lstm")[0], arrays, epochs=8)
    model.save(tmp_path / "model.keras")
    table = {"<start>": 1, "<end>": 2} | {letter: number for number, letter in enumerate(LETTERS, 3)}
    (tmp_path / "words.json").write_text(json.dumps(table))
    spaces = ["--source-sep", " ", "--target-sep", " "]
    options = [str(tmp_path / "model.keras"), "--data", str(written(words, tmp_path)), "--model", str(tmp_path / "m")]
    assert main([*options, "--vocabulary", str(tmp_path / "words.json"), *spaces]) == 0
    translator = seq2seq.load(tmp_path / "m")
    wanted = adoptable.teacher_forced(model, first(arrays), target_ids(first(arrays)))
    for (*_, adopted), original in zip(translator.score(words[:ROWS]), wanted, strict=True):
        np.testing.assert_allclose(adopted, original, atol=1e-5)
    assert all(" " in output for output in translator.translate([words[0][0]]))
    # another numbering of the same symbols is noticed
    shuffled = dict(zip(table, [1, 2, 10, 9, 8, 7, 6, 5, 4, 3], strict=True))
    (tmp_path / "words.json").write_text(json.dumps(shuffled))
    assert main([*options, "--vocabulary", str(tmp_path / "words.json"), *spaces, "--overwrite"]) == 2
    assert "expected a numbering under which the model's predictions are likely" in capsys.readouterr().err
    assert seq2seq.load(tmp_path / "m").translate([words[0][0]])  # the folder that was there is still there


# language models


@functools.cache
def text_model(kind):
    """Trains a language model as tutorials do; returns it with its windows."""
    arrays, size = others.windows(kind="next" if kind == "gru" else kind, step=1)
    layers = keras.layers
    keras.utils.set_random_seed(1)
    first_layers = {
        "next": [keras.Input((20, size)), layers.LSTM(32)],
        "scaled": [keras.Input((20, 1)), layers.LSTM(32, return_sequences=True), layers.Dropout(0.1), layers.LSTM(32)],
        "sequence": [keras.Input((None,)), layers.Embedding(size, 16), layers.GRU(32, return_sequences=True)],
        "gru": [keras.Input((None, size)), layers.GRU(32)],
    }[kind]
    model = keras.Sequential([*first_layers, layers.Dense(size, activation="softmax")])
    sparse = "sparse_" if kind == "sequence" else ""
    model.compile(keras.optimizers.Adam(0.02), f"{sparse}categorical_crossentropy")
    model.fit(arrays["x"], arrays["y"], epochs={"scaled": 10}.get(kind, 4), batch_size=64, verbose=0)
    return model, arrays, size


@pytest.mark.parametrize("kind", ["next", "scaled", "sequence", "gru"])
def test_language_models_write_as_the_original_does(kind, tmp_path, capsys):
    model, arrays, size = text_model(kind)
    data = tmp_path / "text.txt"
    data.write_text(others.TEXT)
    extra = {"arrays": arrays} if kind == "gru" else {}
    said = []
    adopted = adopt(model, data, tmp_path / "model", report=said.append, **extra)
    assert adopted.bundle.record["restarts"] == (0 if kind == "sequence" else 20)
    stateless = "stateless: reads the last 20 symbols again at each step"
    assert ("stateful: keeps its state from symbol to symbol" if kind == "sequence" else stateless) in said
    assert re.fullmatch(r"nats per symbol: \d\.\d{3} \(unigram baseline: 2\.26\)", said[-2])
    symbols = sorted(set(others.TEXT))
    prompt = others.TEXT[:30]
    text = prompt
    original = tf.function(lambda ids: model(ids, training=False), reduce_retracing=True)
    for _ in range(25):
        ids = np.array([symbols.index(symbol) for symbol in text[0 if kind == "sequence" else -20 :]])[None]
        if kind != "sequence":
            ids = (ids / float(size))[..., None] if kind == "scaled" else keras.utils.to_categorical(ids, size)
        scores = np.asarray(original(ids))[0]
        text += symbols[int((scores[-1] if kind == "sequence" else scores).argmax())]
    assert adopted.generate(prompt, temperature=0.0, length=25) == text
    other = seq2seq.load(tmp_path / "model", runtime="keras")
    assert other.generate(prompt, temperature=0.0, length=25) == text
    drawn = adopted.texts(prompt, temperature=0.8, samples=3, length=15, seed=1)
    assert [one.text for one in drawn] == [
        one.text for one in other.texts(prompt, temperature=0.8, samples=3, length=15, seed=1)
    ]
    from seq2seq.__main__ import main as run

    assert run(["verify", "--model", str(tmp_path / "model")]) == 0
    assert run(["generate", "--model", str(tmp_path / "model"), "--length", "30", "--seed", "1", "--novelty"]) == 0
    sweep = ["sweep", "--model", str(tmp_path / "model"), "--temperatures", "0.5", "--samples", "2", "--length", "20"]
    assert run([*sweep, "--json", "--seed", "1"]) == 0


def test_a_text_of_other_symbols_is_refused(tmp_path):
    data = tmp_path / "text.txt"
    data.write_text("Quite another text, with other symbols." * 10)
    with pytest.raises(Seq2SeqError, match="expected a text of 15 different symbols.*--vocabulary"):
        adopt(text_model("next")[0], data, tmp_path / "model")
    data.write_text(others.TEXT)
    with pytest.raises(Seq2SeqError, match="give --window N"):
        adopt(text_model("gru")[0], data, tmp_path / "model")
    with pytest.raises(Seq2SeqError, match="--window 7: expected 20"):
        adopt(text_model("next")[0], data, tmp_path / "model", window=7)


# what does not fit


def refused(model, tmp_path, **options):
    """The message."""
    with pytest.raises(Seq2SeqError) as caught:
        adopt(model, written(PAIRS, tmp_path), tmp_path / "model", arrays=id_arrays(PAIRS), **options)
    assert not (tmp_path / "model").exists()
    return str(caught.value)


def two_inputs(make):
    """A model from `make(embedded source, embedded target)`, which gives what is scored."""
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    embedded = [keras.layers.Embedding(SIZE, 6, name=name)(ids) for name, ids in (("s", source), ("t", target))]
    return keras.Model([source, target], keras.layers.Dense(SIZE, activation="softmax", name="scores")(make(*embedded)))


def encoder_decoder(between=lambda states: states, *, cell=keras.layers.LSTM, above=lambda hidden: hidden, **keywords):
    """The plain model with something in its middle or above it."""

    def make(source, target):
        states = cell(8, return_state=True, name="reader", **keywords)(source)[1:]
        return above(cell(8, return_sequences=True, name="writer")(target, initial_state=between(states)))

    return two_inputs(make)


def called(pair):
    """Calls a model once, which builds it."""
    arrays, model = pair
    model(arrays["x"][:2])
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: others.Black(), "expected a functional or Sequential model.*got a subclassed one"),
        (
            lambda: encoder_decoder(cell=keras.layers.GRU, reset_after=False),
            r"layer 'reader' \(GRU\): expected a GRU with reset_after=True.*train with reset_after=True",
        ),
        (
            lambda: encoder_decoder(activation="relu"),
            r"layer 'reader' \(LSTM\): expected activation 'tanh'.*got 'relu'",
        ),
        (
            lambda: encoder_decoder(recurrent_activation="hard_sigmoid"),
            "recurrent_activation 'sigmoid'.*'hard_sigmoid'",
        ),
        (
            lambda: encoder_decoder(above=keras.layers.BatchNormalization(name="norm")),
            r"got layer 'norm' \(BatchNormalization\)",
        ),
        (lambda: encoder_decoder(between=lambda states: states[::-1]), "in another order"),
        (lambda: encoder_decoder(between=lambda states: None), "starts from zeros: it cannot know the source"),
        (
            lambda: encoder_decoder(between=lambda states: [keras.layers.Dense(8)(s) for s in states]),
            r"starts from layer 'dense\w*' \(Dense\)",
        ),
        (
            lambda: encoder_decoder(above=keras.layers.Dense(5, activation="relu", name="hidden")),
            "'hidden'.*activation 'relu' between",
        ),
        (
            lambda: two_inputs(lambda s, t: keras.layers.SimpleRNN(8, return_sequences=True, name="simple")(t)),
            r"layer 'simple' \(SimpleRNN\): expected keras.layers.LSTM or GRU",
        ),
        (
            lambda: embedding_models(defect="decoder looks both ways")[0],
            "reads its input in both directions",
        ),
        (lambda: called(others.autoencoder(PAIRS)), "reads the encoder's state at each step"),
        (lambda: embedding_models()[2], "expected|inputs"),
    ],
)
def test_what_does_not_fit_is_named(make, message, tmp_path):
    assert re.search(message, refused(make(), tmp_path), re.DOTALL)


def test_attention_to_padding_that_the_encoder_skips_is_refused(tmp_path):
    model = adoptable.attending(SIZE, "dot", mask=True)
    assert "attention or another part reads it" in refused(model, tmp_path)


def test_a_model_under_which_the_data_is_unlikely_is_refused(tmp_path):
    with pytest.raises(Seq2SeqError, match="predictions are likely.*learnt too little.*--vocabulary FILE.json"):
        adopt(adoptable.lively(embedding_models(units=8)[0]), written(PAIRS, tmp_path), tmp_path / "model")
    assert not list(tmp_path.glob("model*"))


def test_a_model_that_has_learnt_nothing_is_told_so(tmp_path):
    said = r"^the model has learnt nothing: all of its 11 symbols are about as probable everywhere \(entropy of its "
    said += r"predictions 2\.\d\d nats, of even chances 2\.40\).*; train it until its loss is below the baseline$"
    with pytest.raises(Seq2SeqError, match=said):
        adopt(embedding_models(units=8)[0], written(PAIRS, tmp_path), tmp_path / "model")
    assert not list(tmp_path.glob("model*"))


def test_data_of_other_symbols_is_refused(tmp_path):
    other = [("AB", "BCD"), ("AC", "BDD")] * 10
    with pytest.raises(Seq2SeqError, match="expected 11 source and 11 target symbols"):
        adopt(embedding_models(units=8)[0], written(other, tmp_path), tmp_path / "model")


def test_adoption_and_diagnosis_are_imported_when_they_are_first_used(tmp_path, monkeypatch):
    code = """
import sys
import seq2seq
assert {"adoption", "diagnosis"} <= set(dir(seq2seq))
assert not {"tensorflow", "keras", "numpy"} & set(sys.modules)
assert callable(seq2seq.diagnosis.examine)
assert not {"tensorflow", "keras"} & set(sys.modules)
sys.modules |= {"tensorflow": None, "keras": None}  # which take seconds to import
try:
    seq2seq.adoption
    raise AssertionError("adoption came without Keras")
except ImportError as error:
    assert error.name in ("tensorflow", "keras")
try:
    seq2seq.nowhere
except AttributeError as error:
    assert str(error) == "module 'seq2seq' has no attribute 'nowhere'"
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    monkeypatch.delattr(seq2seq, "adoption")
    assert seq2seq.adoption.adopt is adopt


def test_a_folder_that_is_there_is_kept(tmp_path):
    arrays, model = id_arrays(PAIRS), adoptable.lively(embedding_models(units=8)[0])
    data = written(PAIRS, tmp_path)
    adopt(model, data, tmp_path / "model", arrays=arrays)
    with pytest.raises(Seq2SeqError, match="holds a model already; give another --model, or --overwrite"):
        adopt(model, data, tmp_path / "model", arrays=arrays)
    adopt(model, data, tmp_path / "model", arrays=arrays, overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(Seq2SeqError, match="expected a new folder or a model folder"):
        adopt(model, data, tmp_path / "other", arrays=arrays, overwrite=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.keras", "--data", "pairs.tsv", "--model", "m"], "nowhere.keras: no such file"),
        (["pairs.tsv", "--data", "pairs.tsv", "--model", "m"], "expected arrays"),
        (["table.json", "--data", "pairs.tsv", "--model", "m"], "expected a trained model"),
        (["model.keras", "--model", "m"], "--data"),
        (["model.keras", "--data", "absent.tsv", "--model", "m"], "absent.tsv"),
        (["model.keras", "--data", "pairs.tsv", "--model", "m", "--rows", "0"], "--rows: expected at least 1"),
        (
            ["model.keras", "--data", "pairs.tsv", "--model", "m", "--rows", "999"],
            "--rows: expected at most the 200 rows",
        ),
        (["model.keras", "--data", "pairs.tsv", "--model", "m", "--window", "9"], "--window 9: is for language models"),
        (["model.keras", "--data", "lines.txt", "--model", "m"], "source<TAB>target, got no line"),
    ],
)
def test_errors_are_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    written(PAIRS, tmp_path)
    (tmp_path / "table.json").write_text('["a", "b", "c"]')
    (tmp_path / "lines.txt").write_text("no tab here\n")
    embedding_models(units=4)[0].save("model.keras")
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "m").exists()


def test_special_spaces_are_kept_where_the_model_knows_them(tmp_path):
    pairs = [(source, f"{target}\u202f!") for source, target in PAIRS]
    letters = ["<pad>", "\t", "\n", *sorted({*LETTERS, "\u202f", "!"})]
    table = {letter: number for number, letter in enumerate(letters)}
    arrays = {
        name: keras.utils.pad_sequences(rows, padding="post")
        for name, rows in {
            "encoder_input": [[table[c] for c in source] for source, _ in pairs],
            "decoder_input": [[1, *(table[c] for c in target)] for _, target in pairs],
            "decoder_target": [[*(table[c] for c in target), 2] for _, target in pairs],
        }.items()
    }
    model = adoptable.lively(embedding_models(units=10, size=len(table))[0])
    translator = adopt(model, written(pairs, tmp_path), tmp_path / "model", arrays=arrays, config=DataConfig(data="x"))
    assert not translator.source_form.clean
    symbols = {number: letter for letter, number in table.items()}
    agrees(translator, model, arrays, pairs, symbols=symbols)

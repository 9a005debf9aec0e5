"""The public Python: train, load, use and score a model by one object."""

import json
import math

import pytest

import seq2seq
from seq2seq.errors import DataError, OptionError
from tests.tiny_language import make_model

PAIRS = [f"{a}{b}\t{b}{a}" for a in "abcdef" for b in "ghijkl"]
SIZES = {"hidden_size": 8, "embedding_size": 4, "epochs": 1, "batch_size": 8}


def write(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_translator_is_trained_used_and_scored_in_python(tmp_path):
    data, folder, said = write(tmp_path / "pairs.tsv", PAIRS), tmp_path / "model", []
    translator = seq2seq.Translator.train(data, model=folder, report=said.append, **SIZES)
    assert isinstance(translator, seq2seq.Translator)
    assert said[-1] == f"finished: {folder}"
    assert type(seq2seq.load(folder)) is seq2seq.Translator
    (text,) = translator.translate(["ag"], max_length=4)
    (scored,) = translator.score([("ag", text)])
    assert scored.score == pytest.approx(math.fsum(scored.log_probs))
    metrics = json.loads((folder / "metrics.json").read_text())
    assert translator.evaluate(n_bootstrap=0).scores.chrf == metrics["test"]["chrf"]
    assert translator.evaluate(split="validation", n_bootstrap=0).scores.cer == metrics["validation"]["cer"]
    assert len(translator.evaluate(data, n_bootstrap=0).outputs) == len(PAIRS)


def test_a_language_model_is_trained_and_scored_as_in_training(tmp_path):
    data, folder = write(tmp_path / "text.txt", ["the cat sat on the mat"] * 40), tmp_path / "model"
    model = seq2seq.LanguageModel.train(str(data), model=folder, **{**SIZES, "batch_size": 2})
    assert type(seq2seq.load(folder)) is seq2seq.LanguageModel
    recorded = json.loads((folder / "metrics.json").read_text())["validation"]
    scores = model.evaluate()
    assert scores.symbols == recorded["symbols"]
    assert scores.bits_per_character == pytest.approx(recorded["bits_per_character"], abs=1e-5)
    assert scores.perplexity == pytest.approx(math.exp(scores.nats_per_symbol))
    with pytest.raises(DataError, match="expected a text, since the model was trained on a text, got pairs"):
        model.evaluate(write(tmp_path / "pairs.tsv", PAIRS))


def test_a_given_text_is_scored_but_for_its_first_symbol(tmp_path):
    model = seq2seq.load(make_model(tmp_path / "model").bundle.path)
    text = model.bundle.excerpt[:50]
    path = tmp_path / "other.txt"
    path.write_text(text)
    scores = model.evaluate(path)
    (scored,) = model.score([text])
    assert scores.symbols == len(scored.log_probs) == len(text) - 1
    assert scores.nats_per_symbol == pytest.approx(-scored.score / (len(text) - 1), abs=1e-6)
    assert scored.source + scored.target == text


def test_scores_of_no_text_are_refused(tmp_path):
    model = seq2seq.load(make_model(tmp_path / "model").bundle.path)
    for texts in ("one string", ["", "a"], ["\ufeff"]):
        with pytest.raises(OptionError, match="score: expected (a list of texts|texts of at least one symbol)"):
            model.score(texts)


def test_a_text_without_a_symbol_to_score_is_refused(tmp_path):
    model = seq2seq.load(make_model(tmp_path / "model").bundle.path)
    for text in ("", "a"):
        (tmp_path / "short.txt").write_text(text)
        with pytest.raises(DataError, match=f"expected a text of at least 2 symbols, got {len(text)}; give a longer"):
            model.evaluate(tmp_path / "short.txt")


def test_an_unknown_option_of_training_is_named(tmp_path):
    with pytest.raises(OptionError, match="train: unknown option 'epoch'; the options are .*, epochs, "):
        seq2seq.Translator.train(write(tmp_path / "pairs.tsv", PAIRS), epoch=1)


def test_data_of_the_other_kind_names_the_class_for_it(tmp_path):
    with pytest.raises(OptionError, match="expected data of the kind text, .* use seq2seq.Translator.train"):
        seq2seq.LanguageModel.train(write(tmp_path / "pairs.tsv", PAIRS), model=tmp_path / "model")
    with pytest.raises(OptionError, match="expected data of the kind pairs, .* use seq2seq.LanguageModel.train"):
        seq2seq.Translator.train(write(tmp_path / "text.txt", ["no tab here"]), model=tmp_path / "model")
    assert not (tmp_path / "model").exists()

"""What temperatures do to outputs: the measures by hand, the rows of a sweep, and the verb."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tiny_language import make_model

from seq2seq.api import load
from seq2seq.inference.entropy import entropies, entropy
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator
from seq2seq.scoring.diversity import (
    distinct,
    longest_loop,
    repeated_share,
    unknown_words,
    words_of,
)
from seq2seq.scoring.temperature_sweep import best_output, pairs_advice, sweep_pairs, sweep_text, text_advice
from seq2seq.search_config import DecodingConfig, GenerationConfig
from seq2seq.special import SPECIAL_COUNT
from seq2seq.sweep import main, side_by_side, table
from seq2seq.text.prose import TextForm
from seq2seq.text.splits import References
from seq2seq.text.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


# The measures


def test_entropy_is_that_of_the_tempered_distribution_in_bits():
    logits = np.log([[0.5, 0.25, 0.125, 0.125]])
    assert entropy(logits, 1.0) == pytest.approx([1.75])
    assert entropy(logits, 100.0) == pytest.approx([2.0], abs=1e-3)
    assert entropy(logits, 0.01) == pytest.approx([0.0], abs=1e-12)
    assert entropy(logits, 0) == [0.0]
    squared = np.array([16, 4, 1, 1]) / 22
    assert entropy(logits, 0.5) == pytest.approx([-(squared * np.log2(squared)).sum()])


def test_entropy_of_what_a_filter_left_out_is_none():
    assert entropy(np.array([[0.0, -np.inf, 0.0]]), 1.0) == pytest.approx([1.0])


def test_entropies_follow_the_given_text(model):
    logits, state = model.read(model.vocabulary.encode("The"))
    ids = np.array([model.vocabulary.encode(" ferry")])
    found = entropies(model.runtime, logits, state, ids, 1.0, first_id=SPECIAL_COUNT)
    assert found.shape == (1, 6)
    later, _ = model.read(model.vocabulary.encode("The fe"))
    assert found[0, 3] == pytest.approx(entropy(later[:, SPECIAL_COUNT:], 1.0)[0], abs=1e-5)


def test_distinct_counts_n_grams_of_all_texts_together():
    texts = [["a", "b", "a"], ["a", "b"]]
    assert [distinct(texts, size) for size in (1, 2, 3, 4)] == [2 / 5, 2 / 3, 1.0, 0.0]


@pytest.mark.parametrize(
    ("text", "length"),
    [("abc", 0), ("", 0), ("x and the wour and the wour and the wour y", 40), ("aab", 2), ("a    b", 0), ("abcab", 0)],
)
def test_the_longest_loop_is_a_part_that_repeats_at_once(text, length):
    assert longest_loop(text) == length


def test_repeated_n_grams_occurred_before_in_the_same_text():
    assert repeated_share(["abcabcabc"], size=3) == 4 / 7
    assert repeated_share(["abc", "abc"], size=3) == 0.0
    assert repeated_share(["ab"], size=3) == 0.0


def test_words_are_what_a_reader_takes_for_words():
    assert words_of("No, he\ncan't.", TextForm()) == ["No", ",", "he", "can't", "."]
    assert words_of("K AE1 T\n", TextForm(separator=" ")) == ["K", "AE1", "T"]


def test_unknown_words_are_not_in_the_source():
    assert unknown_words(["the cat, teh cat"], ["a cat", " and the dog"], TextForm()) == 0.25
    assert unknown_words([""], ["a"], TextForm()) == 0.0


# Rows


def test_a_language_models_rows_go_from_certain_to_varied(model):
    opening = model.open("The ferry", GenerationConfig(seed=1))
    shares = []
    rows = sweep_text(
        model, opening, [0, 0.3, 1.5], samples=3, length=60, seed=1, source=lambda: iter(["The ferry"]), filters={},
        progress=lambda share, *_: shares.append(share),
    )  # fmt: skip
    assert shares == pytest.approx([0, 1 / 3, 2 / 3])
    assert [len(row["samples"]) for row in rows] == [1, 3, 3]
    assert rows[0]["entropy_bits"] == 0 < rows[1]["entropy_bits"] < rows[2]["entropy_bits"]
    assert rows[1]["samples"][0] == model.generate("The ferry", length=60, temperature=0.3, seed=1)[9:]
    assert {row["failures_to_stop"] for row in rows} == {None}


def test_failures_to_stop_are_texts_without_a_stop_string(model):
    opening = model.open("The", GenerationConfig(seed=1))
    free = model.texts("The", samples=4, length=30, seed=1)
    stop = free[0].symbols[0] + free[0].symbols[1]
    (row,) = sweep_text(model, opening, [0.7], samples=4, length=30, seed=1, stop=[stop], source=None, filters={})
    assert row["failures_to_stop"] == sum(stop not in text.text[3:] for text in free) / 4
    assert row["copied_share"] is row["unknown_words"] is None


def test_the_best_draw_is_the_exact_or_the_nearest_one(tiny_bundle):
    translator = load(tiny_bundle())
    assert isinstance(translator, Translator)
    texts = ["xyz", "efab", "efab!"]
    outputs = [next(iter(translator.outputs(["abef."], seedless())))[0]._replace(text=text) for text in texts]
    assert best_output(outputs, ["efab!"]) == "efab!"
    assert best_output(outputs[:2], ["efab!"]) == "efab"


def seedless():
    from seq2seq.search_config import DecodingConfig

    return DecodingConfig()


def test_a_translators_rows_have_scores_of_single_draws_and_of_the_best(tiny_bundle):
    translator = load(tiny_bundle())
    assert isinstance(translator, Translator)
    references = [References("abcd.", ["cdab!", "cdab."]), References("efgh.", ["ghef!"])]
    shares = []
    rows = sweep_pairs(
        translator, references, [0, 1.0], samples=4, seed=1, filters={}, progress=lambda *now: shares.append(now)
    )
    assert shares == [(0.0, "temperature 0"), (0.5, "temperature 1")]
    assert rows[0]["chrf"] == rows[0]["best_chrf"]
    assert rows[1]["chrf"] <= rows[1]["best_chrf"]
    assert rows[0]["entropy_bits"] == 0 < rows[1]["entropy_bits"]
    sources = [one.source for one in references]
    drawn = translator.outputs(sources, DecodingConfig(temperature=1.0, n_best=4, seed=1))
    assert rows[1]["samples"] == [outputs[0].text for outputs in drawn]


def renamed(vocabulary):
    """A vocabulary of as many symbols, each of several characters that are no symbols."""
    return Vocabulary([f"<{number}>" for number in range(len(vocabulary.symbols))])


def test_the_names_of_a_translators_symbols_change_no_entropy(tiny_bundle):
    translator = load(tiny_bundle())
    assert isinstance(translator, Translator)
    bundle = dataclasses.replace(translator.bundle, target_vocabulary=renamed(translator.target_vocabulary))
    references = [References("abcd.", ["cdab!", "cdab."]), References("efgh.", ["ghef!"])]
    rows, others = (
        sweep_pairs(model, references, [0.5, 1.0], samples=2, seed=1, filters={})
        for model in (translator, Translator(bundle))
    )
    assert [row["entropy_bits"] for row in rows] == [row["entropy_bits"] for row in others]


def test_the_names_of_a_language_models_symbols_change_no_entropy(model):
    other = LanguageModel(dataclasses.replace(model.bundle, target_vocabulary=renamed(model.vocabulary)))
    opening = model.open("The ferry", GenerationConfig(seed=1))
    options = {"samples": 2, "length": 30, "seed": 1, "source": None, "filters": {}}
    (row,), (same,) = (sweep_text(writer, opening, [1.0], **options) for writer in (model, other))
    assert row["entropy_bits"] == same["entropy_bits"]
    assert same["samples"][0].startswith("<")


# Advice


def row(temperature, unknown, repeated, **others):
    return {"temperature": temperature, "unknown_words": unknown, "repeated_8_grams": repeated, **others}


REAL = {"unknown_words": 0.04, "repeated_8_grams": 0.02}


def test_the_advice_is_the_range_before_words_break_and_after_loops():
    rows = [row(0.2, 0.02, 0.6), row(0.6, 0.04, 0.1), row(0.8, 0.08, 0.02), row(1.2, 0.31, 0.0)]
    advice = text_advice(rows, REAL)
    assert advice.startswith("0.6 to 0.8: as varied as possible with correct words (at 1.2, 31% of the words are")
    assert (
        text_advice(rows[:3], REAL) == "0.6 to 0.8: varied, with correct words; none of these temperatures breaks words"
    )
    often = {"unknown_words": 0.04, "repeated_8_grams": 0.3}  # in real text
    assert text_advice([row(0.2, 0.02, 0.71), row(0.6, 0.04, 0.69)], often).startswith("0.6: ")
    assert text_advice([row(0.2, 0.02, 0.69), row(0.6, 0.04, 0.69)], often).startswith("0.2 to 0.6: ")
    assert text_advice(rows[:1] + rows[3:], REAL).startswith("0.2: as varied as possible with correct words")
    assert text_advice(rows[3:], REAL).startswith("no temperature: even at 1.2, 31% of the words are not in")


def test_the_advice_on_a_translator_names_both_uses():
    rows = [
        {"temperature": 0.0, "chrf": 50.0, "best_chrf": 50.0},
        {"temperature": 0.7, "chrf": 44.0, "best_chrf": 61.5},
    ]
    assert pairs_advice(rows, 5) == (
        "0: best for single draws (chrF 50.0); 0.7: best where the nearest of 5 draws can be chosen (chrF 61.5)"
    )


# The verb


def test_the_sweep_shows_samples_numbers_advice_and_a_plot(model, tmp_path, capsys):
    plot = tmp_path / "sweep.png"
    options = ["--model", str(model.bundle.path), "--seed", "1", "--length", "60", "--temperatures", "0,0.5,1"]
    assert main([*options, "--plot", str(plot)]) == 0
    out, err = capsys.readouterr()
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert f"plot: {plot}" in err
    assert out.splitlines()[1].split() == ["T", "=", "0", "T", "=", "0.5", "T", "=", "1"]
    assert " T  bits  dist-1  dist-2  dist-3  dist-4  loop  rep-8  copied  unknown\n" in out
    assert out.count("\n\n") >= 2


def test_the_numbers_come_as_json(model, capsys):
    options = ["--model", str(model.bundle.path), "--seed", "1", "--length", "40", "--temperatures", "0.5,1", "--json"]
    assert main([*options, "--prompt", "The"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert [row["temperature"] for row in values["rows"]] == [0.5, 1.0]
    assert (values["inputs"], values["seed"]) == (["The"], 1)
    assert values["advice"]


def test_a_translator_is_swept_over_its_test_part(tiny_bundle, capsys):
    options = ["--model", str(tiny_bundle()), "--seed", "1", "--temperatures", "0,1", "--samples", "2", "--json"]
    assert main([*options, "--lines", "4"]) == 0
    out, err = capsys.readouterr()
    assert "test part: 4 of 6 sources, 2 draws each" in err
    values = json.loads(out)
    assert len(values["inputs"]) == 3
    assert {"chrf", "best_chrf", "exact_match", "best_exact_match", "failures_to_stop"} <= set(values["rows"][0])


def test_columns_and_table_can_be_read():
    rows = [
        {"temperature": 0.5, "entropy_bits": 1.234, "longest_loop": 12.0, "samples": ["one line\nand another"]},
        {"temperature": 1.0, "entropy_bits": 2.0, "longest_loop": 0.0, "samples": ["short"]},
    ]
    lines = side_by_side(rows, ["prompt"]).splitlines()
    assert lines[0] == "'prompt'"
    assert lines[3:5] == ["one line              short", "and another"]
    assert table(rows).splitlines() == ["  T  bits  loop", "0.5  1.23    12", "  1  2.00     0", ""]


def test_without_matplotlib_the_table_is_printed_and_the_way_to_a_plot_named(model, monkeypatch, capsys):
    options = ["--model", str(model.bundle.path), "--seed", "1", "--length", "30", "--temperatures", "0.5,1"]
    plot = Path(f"{model.bundle.path}-sweep.png")
    assert main(options) == 0
    out, err = capsys.readouterr()
    assert err.endswith(f"plot: {plot}\n")
    plot.unlink()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(options) == 0
    found, said = capsys.readouterr()
    assert found == out
    assert (
        said.splitlines()[-1]
        == "no plot: matplotlib is not installed: run pip install '.[plots]' in the folder of seq2seq's source"
    )
    assert not plot.exists()


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_plot_that_is_asked_for_needs_matplotlib(model, monkeypatch, capsys, tmp_path, form):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    options = ["--model", str(model.bundle.path), "--seed", "1", "--plot", str(tmp_path / "sweep.png")]
    assert main([*options, *form]) == 2
    assert capsys.readouterr() == (
        "",
        "seq2seq sweep: error: --plot: needs matplotlib, which is not installed: run pip install '.[plots]' in the "
        "folder of seq2seq's source; or leave --plot out\n",
    )


def test_the_numbers_alone_need_no_matplotlib(model, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    options = ["--model", str(model.bundle.path), "--seed", "1", "--length", "9", "--temperatures", "1", "--json"]
    assert main(options) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["rows"]
    assert "matplotlib" not in err


def test_a_model_without_validation_text_is_swept_from_a_prompt(tmp_path, capsys):
    folder = make_model(tmp_path / "mute", excerpt="").bundle.path
    options = ["--model", str(folder), "--seed", "1", "--length", "40", "--temperatures", "0.5", "--json"]
    assert main(options) == 2
    assert "expected validation text to continue, got ''; give --prompt TEXT" in capsys.readouterr().err
    assert main([*options, "--prompt", "The ferry"]) == 0
    assert json.loads(capsys.readouterr().out)["advice"] == (
        "no advice: the model folder has no validation text to compare with"
    )


def test_without_the_training_text_the_rest_is_measured(tmp_path, capsys):
    model = make_model(tmp_path / "alone")
    assert isinstance(model, LanguageModel)
    (tmp_path / "alone.txt").unlink()
    options = ["--model", str(tmp_path / "alone"), "--seed", "1", "--length", "40", "--temperatures", "1", "--json"]
    assert main(options) == 0
    out, err = capsys.readouterr()
    assert "no comparison with the training text: " in err
    assert json.loads(out)["rows"][0]["copied_share"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(
            (
                ["--temperatures", given],
                f"--temperatures: expected numbers from 0 to 1000, separated by commas, {part}",
            )
            for given, part in [
                ("0.5,warm", "got 'warm' in '0.5,warm'"),
                ("-1", "got '-1' in '-1'"),
                ("-1,2", "got '-1' in '-1,2'"),
                ("1e308", "got '1e308'"),
                ("1,nan", "got 'nan'"),
                (",", "got ''"),
            ]
        ),
        (["--samples", "9" * 20], f"--samples: expected at most {10**18}, got {'9' * 20}"),
        (["--lines", "9" * 5000], f"argument --lines: invalid int value: '{'9' * 60}'... (see --help)"),
        (["--samples", "0"], "--samples: expected at least 1, got 0"),
        (["--plot", "no/such/folder/x.png"], "--plot no/such/folder/x.png: expected a file in a folder that exists"),
    ],
)
def test_errors_are_one_line(model, options, message, capsys):
    assert main(["--model", str(model.bundle.path), "--seed", "1", *options]) == 2
    assert f"seq2seq sweep: error: {message}" in capsys.readouterr().err


def test_a_translator_has_no_prompt(tiny_bundle, capsys):
    assert main(["--model", str(tiny_bundle()), "--seed", "1", "--json", "--prompt", "x"]) == 2
    assert "--prompt: is for language models" in capsys.readouterr().err

"""Writing text with a language model: prompts, draws, stop strings, and what must not matter."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_language import SENTENCES, make_model, random_weights

import seq2seq
from seq2seq.config import ModelConfig
from seq2seq.decoding import State
from seq2seq.errors import BundleError, DataError, OptionError
from seq2seq.inference.canary import choose_text_canary, replay_canary, steady_count
from seq2seq.inference.drafts import Writer, overlap
from seq2seq.inference.language_model import LanguageModel, random_place
from seq2seq.inference.numpy_language import NumpyLanguageModel
from seq2seq.search_config import GenerationConfig
from seq2seq.text.prose import TextForm
from seq2seq.text.vocabulary import Vocabulary


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


class CountingRuntime:
    def __init__(self, inner):
        self.inner = inner
        self.fed = []

    def start(self, rows):
        return self.inner.start(rows)

    def step(self, token_ids, state):
        self.fed.append(len(token_ids))
        return self.inner.step(token_ids, state)


# What comes out


def test_the_output_begins_with_the_prompt_and_has_length_symbols_more(model):
    text = model.generate("The ferry", length=50, seed=1)
    assert text.startswith("The ferry")
    assert len(text) == len("The ferry") + 50


def test_pieces_join_to_what_comes_all_at_once(model):
    for temperature in (0, 0.7):
        options = {"length": 120, "temperature": temperature, "seed": 4}
        at_once = model.texts("The", **options)[0]
        assert "".join(model.stream("The", **options)) == model.generate("The", **options) == at_once.text
        assert "".join(at_once.symbols) == at_once.text[3:]


def test_a_stream_hands_out_each_character_as_it_comes(model):
    live = LanguageModel(model.bundle, step_model=CountingRuntime(model.runtime))
    pieces = live.stream("The", length=100, seed=4)
    assert [len(next(pieces)) for _ in range(3)] == [3, 1, 1]
    assert len(live.runtime.fed) < 6


def test_the_cost_of_a_character_does_not_grow_with_the_length(model):
    for length in (10, 1000):
        live = LanguageModel(model.bundle, step_model=CountingRuntime(model.runtime))
        live.generate("The ferry", length=length, seed=1)
        assert live.runtime.fed == [1] * (len("The ferry") + length - 1)


def test_a_seed_repeats_a_text_and_another_seed_does_not(model):
    one = model.generate("The", length=60, seed=5)
    assert one == model.generate("The", length=60, seed=5) != model.generate("The", length=60, seed=6)


def test_a_sample_is_the_same_however_many_are_drawn(model):
    three = model.texts("The", samples=3, length=40, seed=7)
    assert [text[2:] for text in three[:2]] == [text[2:] for text in model.texts("The", samples=2, length=40, seed=7)]
    assert len({text.text for text in three}) == 3
    config = seq2seq.inference.language_model.GenerationConfig(length=40, seed=7)
    assert "".join(model.pieces(model.open("The", config), config, sample=3)) == three[2].text


def test_log_probs_are_the_models_own_untempered(model):
    text = model.texts("The", length=6, temperature=0.3, seed=2)[0]
    logits, state = model.read(model.vocabulary.encode("The"))
    for symbol, expected in zip(text.symbols, text.log_probs, strict=True):
        (token,) = model.vocabulary.encode(symbol)
        wide = logits[0].astype(np.float64)
        assert expected == pytest.approx(wide[token] - np.log(np.exp(wide).sum()), abs=1e-6)
        logits, state = model.runtime.step(np.array([token], np.int32), state)


def test_a_tiny_temperature_is_greedy_and_a_huge_one_uniform(model):
    assert model.generate("The", length=200, temperature=1e-4, seed=1) == model.generate(
        "The", length=200, temperature=0
    )
    text = model.generate("The", length=4000, temperature=100.0, seed=1)[3:]
    counts = np.array([text.count(symbol) for symbol in model.vocabulary.symbols])
    expected = len(text) / len(counts)
    assert ((counts - expected) ** 2 / expected).sum() < 2 * len(counts)


def test_special_symbols_are_never_written_however_probable(model):
    weights = dict(model.bundle.weights)
    weights["logits.bias"] = weights["logits.bias"].copy()
    weights["logits.bias"][:4] = 50
    live = LanguageModel(model.bundle, step_model=NumpyLanguageModel(model.bundle.model, weights))
    assert not set("".join(live.texts("The", length=50, seed=1)[0].symbols)) - set(model.vocabulary.symbols)


# Stop strings


@given(st.text(alphabet="ab", max_size=12), st.lists(st.text(alphabet="ab", min_size=1, max_size=4), max_size=3))
def test_a_text_ends_before_the_first_stop_string(text, stops):
    writer = Writer(TextForm(), "", stops)
    shown = ""
    for symbol in text:
        shown += writer.add(symbol)
        if writer.stopped:
            break
    shown += writer.held
    # what stops the text is the stop string that is complete first
    ends = {size for size in range(len(text) + 1) for stop in stops if text[:size].endswith(stop)}
    whole = text[: min(ends)] if ends else text
    places = [whole.find(stop) for stop in stops if stop in whole]
    assert shown == (whole[: min(places)] if ends else text)
    assert writer.stopped == bool(ends)


def test_what_may_become_a_stop_string_is_held_back():
    assert overlap("text EN", "END") == 2
    assert overlap("text END", "END") == 0
    writer = Writer(TextForm(), "", ["END"])
    assert [writer.add(character) for character in "aENxEND"] == ["a", "", "", "ENx", "", "", ""]
    assert writer.stopped


def test_stop_strings_end_each_sample_by_itself(model):
    free = model.texts("The", samples=4, length=80, seed=3)
    stop = free[0].text[20:22]
    for stopped, whole in zip(model.texts("The", samples=4, length=80, seed=3, stop=[stop]), free, strict=True):
        written = whole.text[3:]
        assert stopped.finished == (stop in written)
        assert stopped.text[3:] == written.partition(stop)[0]


# Prompts


def test_without_a_prompt_a_seeded_place_of_the_validation_text_is_taken(model):
    text = model.texts(length=10, seed=1)[0]
    assert text.prompt in model.bundle.excerpt
    assert len(text.text) == 10
    assert text == model.texts("", length=10, seed=1)[0]
    assert len({model.texts(length=1, seed=seed)[0].prompt for seed in range(20)}) > 3


def test_without_validation_text_a_prompt_is_asked_for(tmp_path):
    model = make_model(tmp_path / "mute", excerpt="")
    (entry,) = json.loads((tmp_path / "mute" / "canary.json").read_text())
    assert (entry["source"], entry["forced"]) == ("", True)
    for prompt in (None, ""):
        with pytest.raises(OptionError) as error:
            model.generate(prompt, seed=1)
        assert str(error.value) == (
            f"{tmp_path}/mute: expected validation text to continue, got ''; give --prompt TEXT"
        )
    assert model.generate("The", length=5, seed=1).startswith("The")


def test_a_validation_text_of_separators_alone_is_none(tmp_path):
    model = make_model(tmp_path / "notes", "C4 D4 E4\n" * 20, data={"target_sep": " "}, excerpt=" " * 300)
    with pytest.raises(OptionError, match="/notes: expected validation text to continue, got ' +'; give"):
        model.generate(seed=1)


def test_a_random_place_begins_and_ends_with_whole_words():
    for seed in range(20):
        place = random_place(SENTENCES * 3, TextForm(), seed)
        assert 50 < len(place) <= 100
        assert not {place.split()[0], place.split()[-1]} - set(SENTENCES.split())
    assert random_place("中文" * 100, TextForm(), 1) in "中文" * 100
    assert random_place("a", TextForm(), 1) == "a"
    places = {random_place("e4,Nf3," * 50, TextForm(separator=","), seed) for seed in range(20)}
    assert {place.partition(",")[0] for place in places} == {"e4", "Nf3"}
    assert {symbol for place in places for symbol in place.split(",")} == {"e4", "Nf3"}


def test_unknown_characters_of_the_prompt_follow_oov(model):
    found = []
    config = seq2seq.inference.language_model.GenerationConfig(seed=1)
    opening = model.open("Thé 中", config, notice=found.append)
    assert [(one.column, one.character, one.becomes) for one in found] == [(3, "é", "e"), (5, "中", None)]
    assert opening.text == "Thé 中"
    assert opening.ids[:4] == model.vocabulary.encode("The ")
    with pytest.raises(DataError, match=r"--prompt, column 3: expected a character that the model has seen, got 'é'"):
        model.generate("Thé", oov="error", seed=1)


def test_a_lower_cased_model_lower_cases_its_prompt(tmp_path):
    model = make_model(tmp_path / "lower", data={"lowercase": True})
    assert model.generate("The FERRY", length=5, seed=1).startswith("the ferry")


def test_a_word_model_puts_spaces_and_punctuation_back(tmp_path):
    model = make_model(tmp_path / "words", data={"unit": "word", "vocabulary_limit": 12})
    text = model.texts("The gulls, café", length=30, seed=1)[0]
    assert text.text == "The gulls, café" + "".join(text.symbols)
    assert set(text.symbols) <= set(model.vocabulary.symbols)
    found = []
    model.open("a THE", seq2seq.inference.language_model.GenerationConfig(seed=1), notice=found.append)
    assert [(one.column, one.character) for one in found] == [(1, "a"), (3, "THE")]


def test_delimited_symbols_are_delimited_in_the_output(tmp_path):
    model = make_model(tmp_path / "notes", "C4 D4 E4 F4 G4\nA4 B4 C5\n" * 20, data={"target_sep": " "})
    text = model.texts("C4 D4", length=30, seed=1)[0].text
    assert text.startswith("C4 D4")
    assert set(text.replace("\n", " ").split()) <= set(model.vocabulary.symbols)
    assert "".join(model.stream("C4 D4", length=30, seed=1)) == text
    assert len(model.form.tokens(text)) == 32


def test_a_prompt_of_separators_alone_is_refused(tmp_path):
    model = make_model(tmp_path / "notes", "C4 D4 E4\n" * 20, data={"target_sep": " "})
    with pytest.raises(OptionError, match="--prompt: expected at least one symbol, got '  '"):
        model.generate("  ")


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 4}, "--beam-size 4: beam search makes a language model repeat itself"),
        ({"samples": 2, "temperature": 0}, "--samples 2: at --temperature 0 all texts are the same"),
        ({"top_k": 3, "temperature": 0}, "--top-k filters what is drawn and needs --temperature above 0"),
        ({"temperature": -1.0}, "--temperature: expected at least 0.0, got -1.0"),
        ({"temperature": float("nan")}, "--temperature: expected a finite number, got nan"),
        ({"lenght": 3}, "generate: unknown key 'lenght'"),
        ({"stop": [""]}, r"--stop: expected strings of at least one character, got \[''\]"),
        ({"stop": "END"}, "--stop: expected strings of at least one character, got 'END'"),
    ],
)
def test_an_option_out_of_range_is_refused_by_its_name(model, options, message):
    with pytest.raises(OptionError, match=message):
        model.texts("The", **options)


def test_one_text_is_not_several(model):
    with pytest.raises(OptionError, match="samples: expected 1 for one text, got 2; `texts` writes several"):
        model.generate("The", samples=2)


@pytest.mark.parametrize("options", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1.0}])
def test_a_filter_that_leaves_one_symbol_is_greedy(model, options):
    assert model.generate("The", length=40, seed=1, **options) == model.generate("The", length=40, temperature=0)


def test_ids_are_those_of_the_symbols(model):
    for text in model.texts("The", samples=2, length=30, seed=3, stop=["e"]):
        assert text.token_ids == model.vocabulary.encode("".join(text.symbols))
        assert len(text.token_ids) == len(text.log_probs) > 0


def test_the_names_of_the_symbols_change_no_steady_part(tmp_path):
    model = make_model(tmp_path / "bold", scale=2.0)
    names = Vocabulary([f"<{number}>" for number in range(len(model.vocabulary.symbols))])
    renamed = LanguageModel(dataclasses.replace(model.bundle, target_vocabulary=names))
    config = seq2seq.inference.language_model.GenerationConfig(temperature=0.0, length=20, seed=1)
    opening = model.open("The ferry", config)
    (output,), (other,) = model.write(opening, config), renamed.write(opening, config)
    assert other.symbols == names.symbols_of(output.token_ids)
    assert steady_count(renamed, opening, other) == steady_count(model, opening, output) > 0


# Loading


def test_load_gives_each_kind_its_class(model, tiny_bundle):
    loaded = seq2seq.load(model.bundle.path)
    assert isinstance(loaded, seq2seq.LanguageModel)
    assert loaded.generate("The", length=20, seed=1) == model.generate("The", length=20, seed=1)
    translator = tiny_bundle()
    assert isinstance(seq2seq.load(translator), seq2seq.Translator)
    with pytest.raises(BundleError, match="is a translator, expected a language-model; use `decode` for it"):
        LanguageModel(seq2seq.load(translator).bundle)
    with pytest.raises(BundleError, match="is a language-model, expected a translator; use `generate` for it"):
        seq2seq.Translator(model.bundle)


def test_an_unknown_runtime_is_refused(model):
    with pytest.raises(OptionError, match="--runtime: expected one of auto, numpy, keras, onnx, got 'torch'"):
        seq2seq.load(model.bundle.path, runtime="torch")


def test_generating_imports_neither_keras_nor_tensorflow(model):
    code = (
        "import sys, seq2seq; seq2seq.load(sys.argv[1]).generate('The', length=3);"
        "print({'keras', 'tensorflow', 'sacrebleu'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(model.bundle.path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_the_canary_of_a_language_model_notices_other_weights(tmp_path):
    model = make_model(tmp_path / "bold", scale=2.0)
    canary = json.loads((tmp_path / "bold" / "canary.json").read_text())
    assert 1 <= len(canary) <= 5
    replay_canary(model, canary)
    assert choose_text_canary(model) == canary
    other = random_weights(model.bundle.model, len(model.vocabulary), seed=9, scale=2.0)
    changed = LanguageModel(model.bundle, step_model=NumpyLanguageModel(model.bundle.model, other))
    with pytest.raises(BundleError, match=r"gives .*, but .* was recorded"):
        replay_canary(changed, canary)


@pytest.mark.parametrize(("rnn", "layers"), [("lstm", 2), ("gru", 1)])
def test_numpy_and_keras_give_the_same_logits(rnn, layers):
    from seq2seq.inference.keras_runtime import KerasLanguageModel

    config = ModelConfig(
        hidden_size=16, embedding_size=5, rnn=rnn, layers=layers, bidirectional=False, attention="none", dropout=0.0
    )
    weights = random_weights(config, 11, scale=0.5)
    plain = NumpyLanguageModel(config, weights)
    live = KerasLanguageModel.from_weights(config, weights, vocabulary_size=11, where="test")
    states: list[State] = [plain.start(3), live.start(3)]
    random = np.random.default_rng(1)
    for _ in range(20):
        tokens = random.integers(0, 11, 3).astype(np.int32)
        (one, states[0]), (other, states[1]) = plain.step(tokens, states[0]), live.step(tokens, states[1])
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("runtime", ["numpy", "keras"])
@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"seed": 3, "samples": 2}])
def test_texts_written_together_are_those_written_alone(model, runtime, options):
    model = seq2seq.load(model.bundle.path, runtime=runtime)
    config = GenerationConfig(length=12, **options).with_seed()
    tasks = [(model.open(prompt, config), stop) for prompt, stop in (("Ada fed", ()), ("T", ["e"]), ("gulls", ["zz"]))]
    together = model.write_together(tasks, config)
    for several, task in zip(together, tasks, strict=True):
        for one, alone in zip(several, model.write(*task[:1], config, task[1]), strict=True):
            assert one._replace(log_probs=[]) == alone._replace(log_probs=[])
            assert one.log_probs == pytest.approx(alone.log_probs, abs=1e-5)

"""The explanation of one output: it is the output that decoding gives, and its numbers are the model's own."""

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
from scripted import MarkovModel, logits, run

from seq2seq.api import load
from seq2seq.bundle.folder import join_members, save_bundle
from seq2seq.decoding import Beam, BeamTree, State, search
from seq2seq.errors import DataError, OptionError
from seq2seq.inference.canary import choose_canary
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig
from seq2seq.special import END, START
from seq2seq.text.pairs import Pair
from tests.tiny_language import make_model

KINDS = [{}, {"attention": "none", "rnn": "gru"}, {"architecture": "transducer"}]
SEARCHES = [
    {},
    {"beam_size": 4},
    {"temperature": 1.0, "seed": 5},
    {"prefix": "cd"},
    {"max_length": 2, "beam_size": 2},
    {"dictionary": True},
]
LINES = ["abcd.", "ghij.", "klklmn.", "x?"]


@pytest.fixture
def eager():
    """Saves the seconds that compiling takes."""
    from seq2seq.models.backend import tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def ensemble(tiny_bundle, tmp_path):
    """An ensemble of two random translators that attend and one that does not, loaded."""
    folder = tmp_path / "ensemble"
    folder.mkdir()
    kinds = {"member-1": {}, "member-2": {"seed": 2, "attention": "none"}, "member-3": {"seed": 3, "hidden_size": 10}}
    for name, kind in kinds.items():
        shutil.move(tiny_bundle(name, **kind), folder / name)
    bundle = join_members(folder, list(kinds))
    save_bundle(bundle, metrics={}, history=[], canary=choose_canary(Translator(bundle), LINES))
    return load(folder)


def log_prob(explanation):
    return math.fsum(math.log(one.probability) for one in explanation.symbols if not one.forced)


# what is explained


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_text_and_score_are_those_of_translate_with_the_same_options(tiny_bundle, kind):
    translator = load(tiny_bundle(**kind))
    for options in SEARCHES:
        for line in LINES:
            explanation = translator.explain(line, **options)
            (output, *_) = next(translator.outputs([line], DecodingConfig(**options)))
            assert translator.translate([line], **options) == [explanation.text] == [output.text]
            assert explanation.score == output.score
            assert log_prob(explanation) == pytest.approx(output.score, abs=1e-5)
            written = [one.symbol for one in explanation.symbols]
            assert written == [*output.symbols, *[None] * output.finished]
            assert explanation.finished == output.finished
            assert explanation.seed == options.get("seed")


def test_the_score_of_a_transducer_is_that_of_the_canonical_path(tiny_bundle):
    translator = load(tiny_bundle(architecture="transducer"))
    explained = [(line, translator.explain(line, beam_size=4)) for line in [*LINES, "efgh.", "abij."]]
    finished = [(line, explanation) for line, explanation in explained if explanation.finished]
    assert len(finished) >= 3
    for line, explanation in finished:
        (scored,) = translator.score([Pair(line, explanation.text)])
        assert log_prob(explanation) == pytest.approx(scored.score, abs=1e-5)
        np.testing.assert_allclose(
            [math.log(one.probability) for one in explanation.symbols], scored.log_probs, atol=1e-5
        )
        assert math.fsum(math.log(one.probability) for one in explanation.actions) == pytest.approx(scored.score)


def test_an_ensemble_shows_the_mean_of_the_weights_of_those_members_that_attend(ensemble):
    explanation = ensemble.explain("abcd.", beam_size=3)
    assert explanation.text == ensemble.translate(["abcd."], beam_size=3)[0]
    assert log_prob(explanation) == pytest.approx(explanation.score, abs=1e-5)
    runtimes = [Translator(member).runtime for member in ensemble.bundle.members]
    source = np.array([ensemble.source_form.row(ensemble.source_vocabulary.encode("abcd."))], np.int32)
    states = [runtime.start(source) for runtime in runtimes]
    fed = [START, *ensemble.target_vocabulary.encode(explanation.text)]
    for token, row in zip(fed, explanation.attention, strict=False):
        found = [
            runtime.attend(np.array([token], np.int32), state) for runtime, state in zip(runtimes, states, strict=True)
        ]
        states = [state for _, state, _ in found]
        assert found[1][2] is None
        np.testing.assert_allclose(row, (found[0][2][0] + found[2][2][0]) / 2, atol=1e-6)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("kind", [{}, {"attention": "bahdanau", "layers": 2}, {"architecture": "transducer"}], ids=str)
def test_keras_and_numpy_explain_alike(tiny_bundle, kind):
    folder = tiny_bundle(**kind)
    explained = [
        load(folder, runtime=runtime).explain("abcd.", beam_size=2, tree=True) for runtime in ("numpy", "keras")
    ]
    one, other = (numbers_of(each.as_dict()) for each in explained)
    np.testing.assert_allclose(one, other, atol=1e-4)
    assert explained[0].text == explained[1].text
    assert (explained[0].attention is None) == (kind.get("architecture") == "transducer")


def numbers_of(value):
    """All numbers in plain values, in their order."""
    if isinstance(value, dict):
        return [number for each in value.values() for number in numbers_of(each)]
    if isinstance(value, list):
        return [number for each in value for number in numbers_of(each)]
    return [float(value)] if isinstance(value, (int, float)) else []


def test_the_weights_are_those_that_make_the_context_of_the_step(tiny_bundle):
    translator = load(tiny_bundle())
    decoder = translator.runtime.decoder
    state = translator.runtime.start(np.array([translator.source_form.row([4, 5, 6])], np.int32))
    logits, after, weights = translator.runtime.attend(np.array([START], np.int32), state)
    _, values, _ = state.shared
    hidden = after.rows[0] @ decoder.query_kernel + decoder.combine_bias + weights @ values[0]
    np.testing.assert_allclose(np.tanh(hidden) @ decoder.output_kernel + decoder.output_bias, logits, atol=1e-5)
    np.testing.assert_array_equal(translator.runtime.step(np.array([START], np.int32), state)[0], logits)


# the parts


def test_each_symbol_and_end_has_a_weight_for_each_symbol_of_the_source_and_its_end(tiny_bundle):
    explanation = load(tiny_bundle()).explain("ab?d.", max_length=3)
    assert explanation.source == ["a", "b", "?", "d", ".", "<END>"]  # what the model reads as UNK keeps its form
    assert np.array(explanation.attention).shape == (len(explanation.symbols), 6)
    np.testing.assert_allclose(np.sum(explanation.attention, axis=1), 1, atol=1e-5)
    assert load(tiny_bundle("none", attention="none")).explain("abcd.").attention is None


def test_tags_are_part_of_the_source_and_a_reversed_row_is_shown_as_the_model_reads_it(tiny_bundle):
    rows = [
        f"{one}{other}\t{other}{one}\tPST" for one in ("ab", "cd", "ef", "gh") for other in ("ij", "kl", "mn", "op")
    ]
    tagged = load(tiny_bundle("tagged", rows=rows, data={"features_col": 3}))
    assert tagged.explain("abij\tPST").source == ["<PST>", *"abij", "<END>"]
    with pytest.raises(DataError, match="line 1: expected source<TAB>tags"):
        tagged.explain("abij")
    translator = load(tiny_bundle())
    form = {"reversed": True, "after": [], "length": 8, "fill": 1}
    changed = dataclasses.replace(translator.bundle, record={**translator.bundle.record, "source_form": form})
    assert type(translator)(changed).explain("abcd.").source == [*".dcba", *["<UNK>"] * 3]


def test_alternatives_are_the_most_probable_symbols_with_the_chosen_one(tiny_bundle):
    translator = load(tiny_bundle())
    explanation = translator.explain("abcd.", temperature=2.0, seed=3, alternatives=2)
    for one in explanation.symbols:
        probabilities = [each.probability for each in one.alternatives]
        assert probabilities == sorted(probabilities, reverse=True)
        (chosen,) = [each for each in one.alternatives if each.symbol == one.symbol]
        assert chosen.probability == one.probability
        assert len(one.alternatives) == 2 + (chosen is one.alternatives[-1] and len(one.alternatives) == 3)
    assert {len(one.alternatives) for one in explanation.symbols} == {2, 3}
    everything = translator.explain("abcd.", alternatives=1000).symbols[0].alternatives
    assert len(everything) == len(translator.target_vocabulary) - END
    state = translator.writer.start([translator.encode("abcd.", "map", 1, lambda *_: None)])
    first, _ = translator.runtime.step(np.array([START], np.int32), state)
    expected = np.exp(first[0] - np.log(np.exp(first[0]).sum()))
    assert everything[0].probability == pytest.approx(expected[END:].max(), abs=1e-6)


def test_an_alternative_of_a_transducer_adds_up_the_actions_that_write_it(tiny_bundle):
    translator = load(tiny_bundle(architecture="transducer"))
    for line in LINES:
        explanation = translator.explain(line, alternatives=1000)
        written = [action for action in explanation.actions if action.action != "delete"]
        for one, action in zip(explanation.symbols, written, strict=True):
            assert len({each.symbol for each in one.alternatives}) == len(one.alternatives)
            (chosen,) = [each for each in one.alternatives if each.symbol == one.symbol]
            assert chosen.probability >= action.probability
            assert ("" in {each.symbol for each in one.alternatives}) == (action.position < len(line))
            assert (None in {each.symbol for each in one.alternatives}) == (action.position == len(line))


def test_the_sum_for_one_symbol_is_that_of_copy_substitution_and_insertion(tiny_bundle):
    translator = load(tiny_bundle(architecture="transducer"))
    writer = translator.writer
    source = translator.encode("abcd.", "map", 1, lambda *_: None)
    first, _ = translator.runtime.step(np.array([START], np.int32), writer.start([source]))
    probabilities = np.exp(first[0] - np.log(np.exp(first[0]).sum()))
    token = translator.target_vocabulary.encode("a")[0]
    size = len(translator.target_vocabulary)
    copy, substitution, insertion = 4, 6 + token - 4, 6 + (size - 4) + token - 4
    everything = translator.explain("abcd.", alternatives=1000).symbols[0].alternatives
    (found,) = [each.probability for each in everything if each.symbol == "a"]
    # the first output symbol may come after deletions, so only a first action that writes is comparable
    assert translator.explain("abcd.").actions[0].action != "delete"
    assert found == pytest.approx(probabilities[[copy, substitution, insertion]].sum(), abs=1e-6)
    assert math.fsum(each.probability for each in everything) == pytest.approx(probabilities[END:].sum(), abs=1e-6)


def test_actions_say_what_each_edit_did(tiny_bundle):
    translator = load(tiny_bundle(architecture="transducer"))
    kinds = set()
    for line in LINES:
        explanation = translator.explain(line)
        assert explanation.source == [*line, "<END>"]
        position, text = 0, ""
        for action in explanation.actions:
            assert action.position == position
            assert (action.symbol is None) == (action.action in ("delete", "end"))
            assert action.action != "copy" or action.symbol == line[position]
            position += action.action in ("copy", "delete", "substitute")
            text += action.symbol or ""
            kinds.add(action.action)
        assert text == explanation.text
        assert explanation.actions[-1].action == "end" and position == len(line)
    assert {"substitute", "insert", "end"} <= kinds


def test_a_forced_prefix_is_marked_and_has_the_probability_that_the_model_gives_it(tiny_bundle):
    for kind in KINDS:
        translator = load(tiny_bundle(f"m{len(kind)}{kind.get('rnn', '')}", **kind))
        explanation = translator.explain("abcd.", prefix="cd")
        assert [one.forced for one in explanation.symbols] == [True, True, *[False] * (len(explanation.symbols) - 2)]
        assert explanation.text.startswith("cd")
        if explanation.finished:
            (scored,) = translator.score([Pair("abcd.", explanation.text)])
            found = [math.log(one.probability) for one in explanation.symbols]
            np.testing.assert_allclose(found, scored.log_probs, atol=1e-5)


def test_an_empty_line_has_nothing_to_explain(tiny_bundle):
    for kind in KINDS:
        explanation = load(tiny_bundle(f"m{len(kind)}{kind.get('rnn', '')}", **kind)).explain("", tree=True)
        assert (explanation.text, explanation.symbols, explanation.source, explanation.tree) == ("", [], [], None)
        assert not explanation.attention and not explanation.actions
        json.dumps(explanation.as_dict(), allow_nan=False)


def test_as_dict_is_json_and_says_what_the_model_is(tiny_bundle):
    for kind, name in zip(KINDS, ("translator", "translator", "transducer"), strict=True):
        explanation = load(tiny_bundle(f"m{len(kind)}{kind.get('rnn', '')}", **kind)).explain(
            "abcd.", beam_size=2, tree=True
        )
        plain = explanation.as_dict()
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
        assert list(plain) == "model kind source text finished score seed symbols attention actions tree".split()
        assert plain["kind"] == name and plain["model"].startswith("m")
        assert list(plain["symbols"][0]) == ["symbol", "probability", "forced", "alternatives"]


# language models


def api_model(folder):
    return load(make_model(folder).bundle.path)


def test_a_language_model_explains_what_it_generates(tmp_path):
    model = api_model(tmp_path / "prose")
    for options in ({"temperature": 0}, {"temperature": 0.9, "seed": 3}, {"prompt": "T", "seed": 2}):
        options = {"prompt": "The gulls", "length": 12, "seed": 1, **options}
        explanation = model.explain(**options)
        assert explanation.text == model.generate(**options)
        assert "".join(one.symbol for one in explanation.symbols) == explanation.text.removeprefix(options["prompt"])
        assert explanation.source == list(options["prompt"])
        (generated,) = model.texts(**options)
        assert log_prob(explanation) == pytest.approx(math.fsum(generated.log_probs), abs=1e-5)
        assert explanation.score == pytest.approx(math.fsum(generated.log_probs))
        assert (explanation.attention, explanation.actions, explanation.tree) == (None, None, None)
        assert all(each.symbol is not None for one in explanation.symbols for each in one.alternatives)
        assert explanation.kind == "language model" and not explanation.finished


def test_a_stop_string_ends_a_text_and_a_place_of_the_validation_text_is_continued(tmp_path):
    model = api_model(tmp_path / "prose")
    explanation = model.explain("The gulls", stop=["e"], length=60, seed=1)
    assert explanation.finished and explanation.symbols[-1].symbol == "e" and "e" not in explanation.text[9:]
    opened = model.explain(seed=4, length=5)
    assert opened.text == model.generate(seed=4, length=5) and len(opened.source) > 1


# the tree


def test_a_tree_by_hand():
    tree = BeamTree(0.0)
    a, b = 4, 5
    rows = {START: logits(A=0.6, B=0.3, END=0.1), a: logits(A=0.1, B=0.2, END=0.7), b: logits(A=0.5, B=0.4, END=0.1)}

    class Bigram:
        def step(self, token_ids, state):
            return np.array([rows.get(token, rows[a]) for token in token_ids.tolist()]), state

    list(
        search(
            Bigram(),
            State((), ()),
            strategy=Beam(width=2, length_penalty=0.0),
            line_numbers=[1],
            max_length=2,
            observer=tree,
        )
    )
    found = [(one.parent, one.step, one.token, round(math.exp(one.score), 4), one.kept) for one in tree.branches]
    assert found[:6] == [
        (None, 0, START, 1.0, True),
        (0, 1, a, 0.6, True),
        (0, 1, b, 0.3, True),
        (0, 1, END, 0.1, False),
        (1, 2, END, 0.42, True),
        (2, 2, a, 0.15, True),
    ]
    assert found[6:8] == [(1, 2, b, 0.12, False), (2, 2, b, 0.12, False)]
    assert tree.path([a, END]) == {0, 1, 4}


@pytest.mark.parametrize("penalty", [0.0, 1.0])
@pytest.mark.parametrize("width", [1, 3])
def test_a_tree_is_bounded_sums_up_and_holds_the_output(penalty, width):
    model, strategy = MarkovModel(symbols=5, end_bias=0.5), Beam(width=width, length_penalty=penalty)
    for source in range(6):
        tree = BeamTree(penalty)
        ((best, *_),) = run(model, [source], strategy=strategy, prefix=[[4, 5]], max_length=9, observer=tree)
        plain = run(model, [source], strategy=strategy, prefix=[[4, 5]], max_length=9)
        assert plain[0][0] == best
        for at, one in enumerate(tree.branches[1:], 1):
            parent = tree.branches[one.parent]
            assert one.parent < at and parent.kept and one.step == parent.step + 1
            assert one.score == pytest.approx(parent.score + one.log_prob)
        for step in range(1, 11):
            of_step = [one for one in tree.branches if one.step == step]
            kept = [one for one in of_step if one.kept]
            assert len(kept) <= width and len(of_step) - len(kept) <= width
            assert len(of_step) == 1 or step > 2
        path = tree.path([*best.token_ids, END])
        assert len(path) == 1 + len(best.token_ids) + best.finished
        assert tree.branches[max(path)].score == pytest.approx(best.score)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_models_tree_leads_to_its_output(tiny_bundle, kind):
    translator = load(tiny_bundle(**kind))
    for line in LINES:
        explanation = translator.explain(line, beam_size=3, tree=True)
        nodes = explanation.tree.nodes
        assert explanation.tree.beam_size == 3 and [node.id for node in nodes] == list(range(len(nodes)))
        best = [node for node in nodes if node.best]
        assert all(node.kept for node in best) and not all(node.kept for node in nodes)
        assert [node.parent for node in best] == [None, *(node.id for node in best[:-1])]
        assert "".join(node.symbol or "" for node in best) == explanation.text
        if kind.get("architecture") != "transducer":
            assert best[-1].score == pytest.approx(explanation.score, abs=1e-5)
            assert {node.action for node in nodes} == {None}
        else:
            assert {node.action for node in nodes[1:]} <= {"copy", "delete", "substitute", "insert", "end"}
    assert translator.explain(line, tree=True).tree.beam_size == 1
    assert translator.explain("abcd.", dictionary=True, tree=True).tree is None  # it was looked up


# errors


def test_options_that_do_not_fit_are_refused(tiny_bundle, tmp_path):
    translator, model = load(tiny_bundle()), api_model(tmp_path / "prose")
    for options, message in (
        (
            {"tree": True, "temperature": 1.0},
            "--tree shows what a beam keeps, and --temperature draws samples",
        ),
        ({"alternatives": -1}, "--alternatives: expected at least 0, got -1"),
        ({"alternatives": None}, "--alternatives: expected int, got None"),
        ({"tree": "yes"}, "--tree: expected bool, got 'yes'"),
        ({"beam": 3}, "explain: unknown key 'beam' in section 'decode'"),
    ):
        with pytest.raises(OptionError) as error:
            translator.explain("abcd.", **options)
        assert str(error.value).startswith(message)
    for options, message in (
        ({"tree": True}, "--tree: a language model has no beam to show; leave --tree out"),
        ({"prefix": "a"}, "explain: unknown key 'prefix' in section 'decode'"),
        ({"samples": 2}, "samples: expected 1 for one text, got 2"),
    ):
        with pytest.raises(OptionError) as error:
            model.explain("The", **options)
        assert str(error.value).startswith(message)

"""The decoding loop with each strategy: examples by hand, and conditions that must not change a result."""

import importlib
import itertools
import subprocess
import sys

import numpy as np
import pytest
from scripted import STRATEGIES, A, B, MarkovModel, ScriptedModel, ending_model, logits, run, run_script

from seq2seq.decoding import Beam, Greedy, Sampling, State, decode, search, search_blocks, select_rows, select_sources
from seq2seq.errors import OptionError, Seq2SeqError
from seq2seq.special import END, PAD, START, UNK

each_strategy = pytest.mark.parametrize("strategy", STRATEGIES, ids=str)


# Outputs and scores


def test_greedy_takes_the_most_probable_symbol_until_end():
    rows = [logits(A=0.6, B=0.4), logits(A=0.1, B=0.5, END=0.4), logits(A=0.2, END=0.8)]
    (only,) = run_script(rows, strategy=Greedy())
    assert only.token_ids == [A, B]
    assert only.finished
    np.testing.assert_allclose(only.log_probs, np.log([0.6, 0.5, 0.8]), rtol=1e-6)
    assert only.score == pytest.approx(np.log(0.6 * 0.5 * 0.8))
    assert only.rank_score == pytest.approx(only.score / 3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shift", [0.0, 640.0, 660.0, 2000.0, -640.0, -660.0, -2000.0])
@pytest.mark.parametrize("count", [1, 3])
def test_a_number_added_to_all_logits_changes_no_log_probability(shift, count):
    rows = np.array([[-3.0, -np.inf, 1.0, 0.5, 2.0, 1.5]], np.float32)
    script = np.stack([rows, rows, rows]) + np.float32(shift)
    model = ScriptedModel([script[:, 0]] * count)
    found = decode(model, model.start(), strategy=Greedy(), line_numbers=range(count), max_length=2)
    expected = 2.0 - np.log(np.exp(rows[0].astype(np.float64)).sum())
    for (hypothesis,) in found:
        assert hypothesis.token_ids == [A, A]
        np.testing.assert_allclose(hypothesis.log_probs, [expected] * 2, rtol=1e-9)


@each_strategy
def test_pad_unk_and_start_are_never_emitted_but_keep_their_probability(strategy):
    rows = [logits(PAD=0.3, UNK=0.3, START=0.3, A=0.1), logits(PAD=0.9, END=0.1)]
    best = run_script(rows, strategy=strategy)[0]
    assert best.token_ids == [A]
    np.testing.assert_allclose(best.log_probs, np.log([0.1, 0.1]), rtol=1e-6)


@each_strategy
def test_end_is_not_chosen_before_min_length_symbols(strategy):
    rows = [logits(END=0.98, A=0.02)]
    for hypothesis in run_script(rows, strategy=strategy, min_length=3):
        assert hypothesis.token_ids[:3] == [A, A, A]


@each_strategy
def test_an_output_that_reaches_max_length_without_end_is_not_finished(strategy):
    for hypothesis in run_script([logits(A=0.7, B=0.2, END=0.1)], strategy=strategy, max_length=4):
        if not hypothesis.finished:
            assert len(hypothesis.token_ids) == len(hypothesis.log_probs) == 4
    assert run_script([logits(A=1.0)], strategy=strategy, max_length=4)[0].finished is False


@each_strategy
def test_max_length_does_not_count_end(strategy):
    rows = [logits(A=1.0), logits(B=1.0), logits(END=1.0)]
    best = run_script(rows, strategy=strategy, max_length=2)[0]
    assert best.finished
    assert best.token_ids == [A, B]
    assert best == run_script(rows, strategy=strategy, max_length=50)[0]


def test_max_length_may_differ_between_sources():
    model = MarkovModel(end_bias=-50)
    outputs = run(model, [0, 1, 2], strategy=Greedy(), max_length=np.array([3, 7, 1]))
    assert [len(output[0].token_ids) for output in outputs] == [3, 7, 1]


def test_without_an_end_the_text_fills_its_length_in_as_many_steps():
    model = MarkovModel(end_bias=50)
    ((only,),) = run(model, strategy=Greedy(), max_length=9, allow_end=False)
    assert (len(only.token_ids), only.finished, len(model.row_counts)) == (9, False, 9)


@each_strategy
@pytest.mark.parametrize("prefix", [None, [[A], [], [B, A, UNK]]])
def test_scores_are_the_sums_of_the_models_own_log_probabilities(strategy, prefix):
    model = ending_model()
    for source, found in enumerate(run(model, [0, 1, 2], strategy=strategy, prefix=prefix)):
        for one in found:
            forced = len(prefix[source]) if prefix else 0
            tokens = one.token_ids + [END] * one.finished
            np.testing.assert_allclose(one.log_probs, model.score(source, tokens)[forced:], atol=1e-9)
            assert one.score == pytest.approx(sum(one.log_probs))
            length = max(len(one.log_probs), 1)
            assert one.rank_score == pytest.approx(one.score / length**strategy.length_penalty)


@pytest.mark.parametrize("strategy", [Greedy(), Beam(width=2)], ids=str)
def test_a_long_output_is_kept_whole(strategy):
    model = MarkovModel(end_bias=-50)
    best = run(model, [0], strategy=strategy, max_length=300)[0][0]
    assert len(best.token_ids) == 300
    np.testing.assert_allclose(best.log_probs, model.score(0, best.token_ids), atol=1e-9)


def test_logits_of_any_size_give_the_log_probabilities_of_their_differences():
    for shift in [-3e4, 0, 3e4]:
        (only,) = run_script([np.array([0, 0, 0, 1, 3, 2]) + shift], strategy=Greedy(), max_length=1)
        assert only.log_probs == pytest.approx([3 - np.log(3 + np.exp([1, 2, 3]).sum())])


def test_a_finished_source_is_frozen_while_the_others_go_on():
    ends_at_once, goes_on = [logits(END=0.6, A=0.4)] + [logits(A=1.0)] * 5, [logits(A=0.5, B=0.25)] * 6
    model = ScriptedModel([ends_at_once, goes_on, goes_on, goes_on, goes_on])
    events = list(search(model, model.start(), strategy=Greedy(), line_numbers=range(5), max_length=5, allow_end=True))
    assert [event.tokens[0, 0] for event in events] == [END] + [PAD] * 5
    assert {event.scores[0, 0] for event in events} == {events[0].scores[0, 0]}
    assert [fed[0] for fed in model.fed] == [START, END] + [PAD] * 4


# Conditions that change no result


@each_strategy
@pytest.mark.parametrize("chunk", [1, 5, 24])
def test_batch_size_and_order_change_no_output(strategy, chunk):
    model = ending_model()
    sources = np.arange(24) % 6
    prefixes = [[[], [A], [B, B], [A, B, A]][line % 4] for line in range(24)]
    limits = 4 + np.arange(24) % 5

    def outputs(order, size):
        found = {}
        for lines in (order[i : i + size] for i in range(0, len(order), size)):
            options = {
                "line_numbers": lines,
                "prefix": [prefixes[line] for line in lines],
                "max_length": limits[lines],
            }
            together = decode(model, model.start(sources[lines]), strategy=strategy, min_length=2, **options)
            found.update(zip(lines.tolist(), together, strict=True))
        return found

    assert outputs(np.arange(24), 24) == outputs(np.random.default_rng(chunk).permutation(24), chunk)


@each_strategy
def test_a_prefix_begins_every_output_and_the_rest_is_what_follows_it(strategy):
    for found, prefix in zip(
        run(ending_model(), [0, 1], strategy=strategy, prefix=[[B, A], [A]]), [[B, A], [A]], strict=True
    ):
        assert all(one.token_ids[: len(prefix)] == prefix for one in found)


def test_a_greedy_output_forced_on_itself_does_not_change():
    ((free,),) = run(ending_model(seed=5), [3], strategy=Greedy())
    for length in range(len(free.token_ids) + 1):
        ((forced,),) = run(ending_model(seed=5), [3], strategy=Greedy(), prefix=[free.token_ids[:length]])
        assert forced.token_ids == free.token_ids
        assert forced.log_probs == free.log_probs[length:]


@each_strategy
def test_a_language_model_that_has_read_its_prompt_goes_on_from_its_logits(strategy):
    model = ending_model()
    options = {"strategy": strategy, "line_numbers": [1, 2, 3], "max_length": 5}
    expected = decode(model, model.start([0, 1, 2]), **options)
    first, state = model.step(np.full(3, START), model.start_unshared([0, 1, 2]))
    assert decode(model, state, first_logits=first, **options) == expected


def test_done_sources_leave_the_batch():
    model = MarkovModel(source_count=6, end_bias=-50)
    run(model, range(6), strategy=Beam(width=2), max_length=np.array([1, 1, 1, 1, 5, 8]))
    assert model.row_counts == [6, 12, 4, 4, 4, 4, 2, 2, 2]


def test_events_come_one_per_step_of_the_model():
    model = MarkovModel(end_bias=-50)
    events = search(model, model.start([0]), strategy=Greedy(), line_numbers=[1], max_length=10_000)
    tokens = [int(event.tokens[0, 0]) for event in itertools.islice(events, 7)]
    assert len(model.row_counts) == 7
    assert tokens == run(model, strategy=Greedy(), max_length=7)[0][0].token_ids


def same_events(make, monkeypatch, waiting, **options):
    """Asserts that the steps that come together are those that come one by one; returns the events."""
    monkeypatch.setattr(importlib.import_module("seq2seq.decoding.search"), "WAITING_BYTES", waiting)
    together = search_blocks(*make(), **options)
    late = [steps.event(index) for steps in together for index in range(len(steps.tokens))]
    events = list(search(*make(), **options))
    np.testing.assert_equal(late, events)
    return events


@each_strategy
@pytest.mark.parametrize("waiting", [1, 400, 1 << 16])
@pytest.mark.parametrize("prefix", [None, [[A], [], [B, A, UNK], []]])
def test_steps_that_come_together_are_the_same_as_one_by_one(strategy, waiting, prefix, monkeypatch):
    def make():
        model = ending_model()
        return model, model.start([0, 1, 2, 3])

    limits = {"max_length": np.array([9, 9, 7, 9]), "min_length": 4, "prefix": prefix, "not_after_prefix": [B]}
    events = same_events(make, monkeypatch, waiting, strategy=strategy, line_numbers=[1, 2, 3, 4], **limits)
    assert [event.step for event in events] == list(range(len(events))) and len(events) > 5


@pytest.mark.parametrize("min_length", [1, 4])
def test_a_sample_that_cannot_go_on_is_dropped_and_the_others_stay_as_they_are(min_length, monkeypatch):
    model = MarkovModel(symbols=2, end_bias=-1)
    model.table[:, A] = -np.inf
    model.table[:, A, UNK] = 0.0
    model.table[:, B, A] = -np.inf
    options = {"strategy": Sampling(seed=1, temperature=1.0, width=8), "line_numbers": [1], "max_length": 6}
    options["min_length"] = min_length
    events = same_events(lambda: (model, model.start([0])), monkeypatch, 1 << 16, **options)
    stuck = events[0].tokens == A
    assert 0 < stuck.sum() < 8
    for event in events[1:]:
        assert (event.scores[stuck] == -np.inf).all() and np.isfinite(event.scores[~stuck]).all()
        assert event.step == 1 or (event.tokens[stuck] == PAD).all()
    ((*found,),) = decode(model, model.start([0]), **options)
    assert [one.token_ids[0] for one in found] == [B] * (8 - stuck.sum())


def test_steps_come_together_where_no_score_decides():
    computed = []
    for strategy in (Greedy(), Beam(width=1)):
        model = MarkovModel(end_bias=-50)
        next(search_blocks(model, model.start([0]), strategy=strategy, line_numbers=[1], max_length=7))
        computed.append(len(model.row_counts))
    assert computed == [7, 1]


@pytest.mark.parametrize("strategy", [Greedy(), Sampling(seed=3, temperature=0.8, width=2)], ids=str)
def test_damage_in_the_middle_is_reported_with_its_own_step(strategy):
    for row, message in [(logits(UNK=1.0), "probability above 0 at step 3 for line 6"),
                         (np.full(6, np.nan), "NaN or infinity from the model at step 3 for line 6")]:  # fmt: skip
        model = ScriptedModel([[logits(A=0.5, B=0.5)] * 6, [*[logits(A=0.5, B=0.5)] * 3, row, row, row]])
        with pytest.raises(Seq2SeqError, match=message):
            decode(model, model.start(), strategy=strategy, line_numbers=[5, 6], max_length=9)


def test_no_sources_give_no_outputs():
    assert run(MarkovModel(), [], strategy=Beam(width=2)) == []


# State


class DeviceArray:
    def __init__(self, values):
        self.values = values

    def select(self, rows):
        return DeviceArray(self.values[rows])


def test_rows_and_sources_are_selected_in_any_nesting():
    state = State(rows=({"h": np.arange(4)}, [DeviceArray(np.arange(4) * 10)]), shared=(np.array([7, 8]), ()))
    swapped = select_rows(state, np.array([1, 0, 3, 3]))
    assert swapped.rows[0]["h"].tolist() == [1, 0, 3, 3]
    assert swapped.rows[1][0].values.tolist() == [10, 0, 30, 30]
    assert swapped.shared is state.shared
    second = select_sources(state, np.array([1]), width=2)
    assert second.rows[0]["h"].tolist() == [2, 3]
    assert (second.shared[0].tolist(), second.shared[1]) == ([8], ())


# Errors


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: run(MarkovModel(), strategy=Greedy(), max_length=0), "--max-length: .* got 0"),
        (lambda: run(MarkovModel(), strategy=Greedy(), min_length=9), r"--min-length: .* \(6\), got 9"),
        (
            lambda: run(MarkovModel(), strategy=Greedy(), prefix=[[A] * 7]),
            r"--prefix: .* \(6\) .* got 7 for source 0",
        ),
        (
            lambda: run(MarkovModel(), strategy=Greedy(), prefix=[[A, END]]),
            r"--prefix: .* \[4, 3\] for source 0",
        ),
        (lambda: run(MarkovModel(), strategy=Greedy(), prefix=[[], []]), "each of 1 sources, got 2"),
    ],
)
def test_an_option_out_of_range_is_refused_by_its_name(make, message):
    with pytest.raises(OptionError, match=message):
        make()


@each_strategy
def test_nan_in_the_logits_is_reported_with_step_and_line(strategy):
    model = MarkovModel(end_bias=-50)
    model.bias[2] = np.nan
    with pytest.raises(Seq2SeqError, match="NaN or infinity from the model at step 0 for line 12"):
        run(model, [0, 1, 2], strategy=strategy, first_line=10)


@each_strategy
def test_a_model_that_leaves_nothing_to_emit_is_reported(strategy):
    rows = [logits(A=1.0), logits(END=1.0)]
    with pytest.raises(Seq2SeqError, match="probability above 0 at step 1 for line 1, got none"):
        run_script(rows, strategy=strategy, min_length=3)


def test_decoding_imports_neither_keras_nor_tensorflow():
    code = "import sys, seq2seq.decoding; print({'keras', 'tensorflow', 'torch', 'jax'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

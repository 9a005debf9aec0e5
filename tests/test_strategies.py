"""Beam against enumeration, sampling against the softmax, and the ranges of their options."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import A, B, MarkovModel, ScriptedModel, ending_model, logits, run, run_script

from seq2seq.decoding import Beam, Greedy, Sampling, search
from seq2seq.errors import OptionError
from seq2seq.special import END, SPECIAL_COUNT, START

# Beam


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.6, 1.0]))
@settings(max_examples=40, deadline=None)
def test_greedy_is_a_beam_of_one(seed, length_penalty):
    model = MarkovModel(seed=seed, end_bias=1.0)
    greedy = run(model, range(6), strategy=Greedy(length_penalty=length_penalty))
    assert greedy == run(model, range(6), strategy=Beam(width=1, length_penalty=length_penalty))


def enumerate_all(model, source, max_length, length_penalty):
    """All outputs by rank_score: those that end, and the full ones, which end only where END is most probable."""
    found = []
    for length in range(max_length + 1):
        for symbols in itertools.product(range(SPECIAL_COUNT, model.vocabulary_size), repeat=length):
            tokens = list(symbols)
            after = model.log_probs(source, *[START, START, *tokens][-2:])[END:]
            finished = length < max_length or int(after.argmax()) == 0
            log_probs = model.score(source, tokens + [END] * finished)
            found.append((sum(log_probs) / max(len(log_probs), 1) ** length_penalty, tokens, finished))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_beam_wide_enough_is_an_enumeration(seed, length_penalty):
    model = MarkovModel(symbols=3, source_count=2, seed=seed, end_bias=0.5)
    strategy = Beam(width=45, length_penalty=length_penalty)  # 1 + 3 + 9 + 27 = 40 outputs
    for source, found in enumerate(run(model, [0, 1], strategy=strategy, max_length=3)):
        expected = enumerate_all(model, source, 3, length_penalty)
        assert [(one.token_ids, one.finished) for one in found] == [tuple(each[1:]) for each in expected]
        np.testing.assert_allclose([one.rank_score for one in found], [each[0] for each in expected])


@pytest.mark.parametrize(
    ("numbers", "option"),
    [
        ({"min_p": 1.5}, "--min-p"), ({"min_p": -0.1}, "--min-p"), ({"top_p": 1.5}, "--top-p"),
        ({"top_p": 0.0}, "--top-p"), ({"top_k": 0}, "--top-k"), ({"temperature": 0.0}, "--temperature"),
        ({"seed": 2**64}, "--seed"), ({"seed": -1}, "--seed"), ({"width": 0}, "--n-best"),
        ({"length_penalty": 10.5}, "--length-penalty"), ({"length_penalty": -0.5}, "--length-penalty"),
    ],
)  # fmt: skip
def test_a_number_out_of_range_is_refused_by_the_strategy_too(numbers, option):
    with pytest.raises(OptionError, match=f"^{option}: expected"):
        Sampling(**{"temperature": 1.0, "seed": 1, **numbers})
    for most in ({"min_p": 1.0}, {"top_p": 1.0}, {"top_k": 1}, {"seed": 2**64 - 1}, {"length_penalty": 10.0}):
        Sampling(**{"temperature": 1.0, "seed": 1, **most})


@pytest.mark.parametrize("kind", [Beam, Sampling])
def test_the_numbers_of_a_strategy_are_named(kind):
    with pytest.raises(TypeError):
        kind(5)


def test_the_hypotheses_of_a_beam_are_distinct_and_the_best_comes_first():
    for found in run(ending_model(), range(6), strategy=Beam(width=5)):
        ranks = [one.rank_score for one in found]
        assert ranks == sorted(ranks, reverse=True)
        assert len({(*one.token_ids, one.finished) for one in found}) == 5


def test_a_finished_hypothesis_leaves_the_beam_only_for_better_ones():
    # The empty output has 0.2. A has 0.8 and goes on to A A (0.72) and A B (0.08), both of which end for sure.
    rows = [logits(END=0.2, A=0.8), logits(A=0.9, B=0.1), logits(END=1.0)]
    by_sum = run_script(rows, strategy=Beam(width=2, length_penalty=0.0))
    assert [one.token_ids for one in by_sum] == [[A, A], []]
    by_mean = run_script(rows, strategy=Beam(width=2, length_penalty=1.0))
    assert [one.token_ids for one in by_mean] == [[A, A], [A, B]]  # log(0.08) / 2 > log(0.2) / 1


def test_equal_hypotheses_are_ranked_by_slot_then_by_id():
    found = run_script([logits(A=0.5, B=0.5)], strategy=Beam(width=3), max_length=2)
    assert [one.token_ids for one in found] == [[A, A], [A, B], [B, A]]


# Sampling


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_frequencies_of_draws_are_those_of_the_tempered_softmax(temperature):
    row = np.array([9, 9, 9, 0.3, 1.0, -0.5, 0.0, -2.0])
    model = ScriptedModel(np.broadcast_to(row, (50_000, 1, 8)))
    strategy = Sampling(seed=11, temperature=temperature)
    event = next(search(model, model.start(), strategy=strategy, line_numbers=range(50_000), max_length=1))
    counts = np.bincount(event.tokens[:, 0], minlength=8)
    expected = np.exp(row[END:] / temperature)
    expected *= 50_000 / expected.sum()
    assert counts[:END].sum() == 0
    assert ((counts[END:] - expected) ** 2 / expected).sum() < 18.47  # 4 degrees of freedom, p = 0.001


@pytest.mark.parametrize("temperature", [1e-4, 1e-300])
def test_a_tiny_temperature_is_greedy(temperature):
    cold = run(ending_model(), range(6), strategy=Sampling(seed=1, temperature=temperature))
    assert cold == run(ending_model(), range(6), strategy=Greedy())


def test_a_high_temperature_is_uniform():
    model = ScriptedModel(np.broadcast_to([9, 9, 9, 1.0, -1.0, 0.0, 0.5], (20_000, 1, 7)))
    strategy = Sampling(seed=5, temperature=1e5)
    event = next(search(model, model.start(), strategy=strategy, line_numbers=range(20_000), max_length=1))
    assert np.bincount(event.tokens[:, 0])[END:] == pytest.approx([5000] * 4, rel=0.05)


def test_a_sample_does_not_depend_on_how_many_are_drawn():
    five = run(ending_model(), [0, 1], strategy=Sampling(seed=4, temperature=1.0, width=5))
    two = run(ending_model(), [0, 1], strategy=Sampling(seed=4, temperature=1.0, width=2))
    assert [found[:2] for found in five] == two
    assert any(found[0] != found[1] for found in five)


def test_seed_and_line_number_change_a_sample_and_nothing_else_does():
    model = MarkovModel(end_bias=-2)

    def sample(seed, line):
        return run(model, [0], strategy=Sampling(seed=seed, temperature=1.0), first_line=line)[0][0]

    assert sample(1, 1) == sample(1, 1)
    assert len({tuple(sample(seed, line).token_ids) for seed, line in [(1, 1), (2, 1), (1, 2)]}) == 3


# Options


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Sampling(seed=1, temperature=float("nan")),
            r"--temperature: .* \(0 means greedy\), got nan",
        ),
        (lambda: Sampling(seed=1, temperature=float("inf")), "--temperature: .* got inf"),
        (lambda: Sampling(seed=1, temperature=-1.0), r"--temperature: .* got -1\.0"),
        (lambda: Sampling(seed=1, temperature=0), "--temperature: .* got 0"),
        (lambda: Sampling(seed=-1, temperature=1), "--seed: .* got -1"),
        (lambda: Sampling(seed=1, temperature=1, top_k=0), "--top-k: .* got 0"),
        (lambda: Sampling(seed=1, temperature=1, top_p=0.0), r"--top-p: .* got 0\.0"),
        (lambda: Sampling(seed=1, temperature=1, top_p=1.5), r"--top-p: .* got 1\.5"),
        (lambda: Sampling(seed=1, temperature=1, min_p=-0.1), r"--min-p: .* got -0\.1"),
        (lambda: Sampling(seed=1, temperature=1, min_p=float("nan")), "--min-p: .* got nan"),
        (lambda: Sampling(seed=1, temperature=1, width=0), "--n-best: .* got 0"),
        (lambda: Greedy(width=2), "one output per line, got 2"),
        (lambda: Beam(width=0), "--beam-size: .* got 0"),
        (lambda: Beam(width=2, length_penalty=-1.0), r"--length-penalty: .* got -1\.0"),
    ],
)
def test_an_option_out_of_range_is_refused_by_its_name(make, message):
    with pytest.raises(OptionError, match=message):
        make()

"""What holds for any input: reading, vocabularies, edit actions, batches, filters and searches.

The examples are drawn by hypothesis, the same ones in each run; `make torture` draws many more, and new ones.
"""

import functools
import math
import unicodedata

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scripted import MarkovModel, run

from seq2seq.config import DataConfig
from seq2seq.decoding import Beam, Greedy, Sampling
from seq2seq.decoding.filters import filter_logits, keep_min_p, keep_top_k, keep_top_p, log_softmax, temper
from seq2seq.errors import Seq2SeqError
from seq2seq.special import END, PAD, SPECIAL_COUNT, START, UNK
from seq2seq.text import edit_distance
from seq2seq.text.batches import Ragged, cut_batches, encode_pairs, shift, teacher_force
from seq2seq.text.edit_distance import EditDistance, batches_of
from seq2seq.text.edits import action_count, advances, apply, canonical_paths, check_paths
from seq2seq.text.lines import clean, read_lines
from seq2seq.text.pairs import UNLIMITED, normalise, read_pairs
from seq2seq.text.vocabulary import Vocabulary
from seq2seq.training.architecture import same_symbols

HARD = "ab\t\n\r\0\x0b\x85\u2028\ufeff\u00a0\u2019é\u0301각ßİ\U0001f600"  # what readers of text get wrong
ROWS = "abAB é\u0301İ\t\n\r\u00a0\u2019\"',0"
CONFIGURATIONS = [
    {},
    {"reverse": True},
    {"lowercase": True},
    {"source_col": 2, "target_col": 1},
    {"features_col": 3, "features_sep": ";"},
    {"encoding": "latin-1"},
    {"encoding": "utf-16"},
    {"on_bad_line": "error"},
]

few = settings(max_examples=settings().max_examples // 4)  # where an example takes some milliseconds


# Reading


@given(st.one_of(st.binary(max_size=80), st.text(HARD, max_size=40).map(str.encode)))
def test_any_bytes_are_lines_that_come_back_or_one_error_of_this_program(content):
    try:
        lines = read_lines("file", content).lines
    except Seq2SeqError as error:
        assert "\n" not in str(error) and "'file'" in str(error)
        return
    assert all("\n" not in line and clean(line) == line for line in lines)
    written = "".join(f"{line}\n" for line in lines).encode()
    assert read_lines("file", written).lines == lines
    assert content.count(b"\n") <= len(lines) <= content.count(b"\n") + 1


@given(st.one_of(st.binary(max_size=80), st.text(ROWS, max_size=60).map(str.encode)), st.sampled_from(CONFIGURATIONS))
def test_any_bytes_are_pairs_that_come_back_or_one_error_of_this_program(content, options):
    config = DataConfig(**UNLIMITED, **options)
    try:
        pairs, report = read_pairs("file", config, content=content)
    except Seq2SeqError as error:
        assert "\n" not in str(error) and "file" in str(error)
        return
    assert len(pairs) == report.pairs > 0
    assert report.lines == report.pairs + sum(report.bad.values()) + (report.header is not None)
    assert all(unicodedata.is_normalized("NFC", side) for pair in pairs for side in pair)
    for pair in pairs:
        assert normalise(pair.source, config.lowercase) == pair.source
        assert pair.target == pair.target.strip() != ""
    plain = DataConfig(**UNLIMITED)
    tags = config.features_col is not None
    written = "".join(f"x{one.partition(chr(9))[0]}\t{other}\n" for one, other in pairs).encode()
    again = [(one[1:], other) for one, other in read_pairs("again", plain, content=written).pairs]
    assert again == [(one.partition("\t")[0] if tags else one, other) for one, other in pairs]


@given(st.lists(st.tuples(st.text("abé ", min_size=1), st.text("xyz ", min_size=1)), min_size=1, max_size=6))
def test_reversing_swaps_both_sides_and_nothing_else(rows):
    rows = [(one.strip(), other.strip()) for one, other in rows if one.strip() and other.strip()]
    assume(rows)
    content = "".join(f"{one}\t{other}\n" for one, other in rows).encode()
    forward = read_pairs("f", DataConfig(**UNLIMITED), content=content).pairs
    backward = read_pairs("f", DataConfig(**UNLIMITED, reverse=True), content=content).pairs
    assert [pair[::-1] for pair in backward] == [tuple(pair) for pair in forward] == rows


# Vocabulary

FORMS = [{}, {"decompose": True}, {"separator": " "}, {"features_sep": ";"}, {"features_sep": ";", "decompose": True}]
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(any_text, min_size=1, max_size=5), any_text, st.sampled_from(FORMS))
def test_what_was_seen_comes_back_and_what_was_not_is_reported(lines, other, form):
    vocabulary = Vocabulary.build(lines, **form)
    assert len(set(vocabulary.symbols)) == len(vocabulary.symbols) == len(vocabulary) - SPECIAL_COUNT
    for line in lines:
        ids = vocabulary.encode(line, oov="error")
        assert [vocabulary.symbol(one) for one in ids] == vocabulary.segment(line)
        assert vocabulary.replacements(line) == [] and UNK not in ids and min(ids, default=4) >= SPECIAL_COUNT
    lost = [found for found in vocabulary.replacements(other) if found.becomes is None]
    unknown = vocabulary.encode(other).count(UNK)
    assert unknown == len(lost) or (form.get("decompose") and unknown > len(lost) > 0)
    try:
        vocabulary.encode(other, oov="error")
    except Seq2SeqError as error:
        assert vocabulary.replacements(other) and str(error).startswith("column ")
    else:
        assert not vocabulary.replacements(other)


@given(st.lists(st.text("ab é각", max_size=8), min_size=1, max_size=4), st.lists(st.sampled_from("AB각é"), max_size=4))
def test_tags_stand_before_the_symbols_and_leave_them_alone(words, tags):
    line = "\t".join([words[0], ";".join(tags)])
    for decompose in (False, True):
        vocabulary = Vocabulary.build([*words, line], features_sep=";", decompose=decompose)
        segments = vocabulary.segment(line)
        assert segments[: len(tags)] == [f"<{tag}>" for tag in tags]
        assert segments[len(tags) :] == vocabulary.segment(words[0])


# Edit actions

LETTERS = st.text("abcd", max_size=6), st.text("abxy", max_size=6)


def learnt(pairs):
    """Vocabularies and edit distance of pairs, and the pairs' ids."""
    source, target = (Vocabulary.build(side) for side in zip(*pairs, strict=True))
    ids = [Ragged([vocabulary.encode(pair[side]) for pair in pairs]) for side, vocabulary in ((0, source), (1, target))]
    return source, target, EditDistance.learn(*ids, same_symbols(source, target), target_size=len(target)), ids


@few
@given(st.lists(st.tuples(*LETTERS), min_size=1, max_size=6), st.tuples(st.text("abcz7", max_size=6), LETTERS[1]))
def test_pairs_become_actions_and_actions_become_pairs(pairs, unseen):
    pairs = [("ab", "xa"), *pairs]
    source, target, distance, _ = learnt(pairs)
    everything = [*pairs, unseen]
    read = [[vocabulary.read(pair[side]) for pair in everything] for side, vocabulary in ((0, source), (1, target))]
    size = len(target)
    paths = canonical_paths(distance, *read, target_size=size)
    names = [target.symbol(one) for one in range(size)]
    for (text, wanted), row in zip(everything, paths, strict=True):
        assert row[0] == START and row[-1] == END and PAD not in row
        for symbol, expected in zip(apply(row[1:-1], list(text), names), wanted, strict=True):
            assert symbol == expected or (symbol == "<UNK>" and expected not in target)
        assert advances(action_count(size))[row[1:-1]].sum() == len(text)
    rows = np.arange(len(everything))
    sources = Ragged([[*one.ids, END] for one in read[0]])
    check_paths(sources.padded(rows), Ragged(paths).padded(rows)[:, 1:], target_size=size)
    # a path is a function of its pair: alone it is the same
    assert canonical_paths(distance, read[0][:1], read[1][:1], target_size=size) == paths[:1]


@few
@given(st.lists(st.tuples(*LETTERS), min_size=2, max_size=8))
def test_each_pass_of_expectation_maximisation_makes_the_pairs_no_less_probable(pairs):
    pairs = [("ab", "xa"), *pairs]
    totals = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(edit_distance, "SMOOTHING", 1e-12)  # with more, it maximises the smoothed probability
        for passes in range(4):
            patched.setattr(edit_distance, "PASSES", passes)
            *_, distance, ids = learnt(pairs)
            totals.append(distance.log_probs(*ids).sum())
    assert (np.diff(totals) > -1e-3).all(), totals


# Batches


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=120),
    st.integers(1, 40),
    st.integers(1, 4),
    st.sampled_from([0, 64, 4096, 1 << 20]),
)
def test_batches_hold_each_line_once_and_no_more_than_they_may(lengths, most, workers, symbol_bytes):
    lengths = sorted(lengths, reverse=True)
    order = list(range(len(lengths)))
    batches = cut_batches(order, lengths, most=most, workers=workers, symbol_bytes=symbol_bytes)
    assert np.concatenate(batches).tolist() == order
    assert max(map(len, batches)) <= most


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=60))
def test_pairs_are_grouped_without_loss_and_their_tables_are_bounded(sizes):
    sources, targets = (Ragged([[4] * pair[side] for pair in sizes]) for side in (0, 1))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(edit_distance, "CELLS", 500)
        patched.setattr(edit_distance, "MOST_ROWS", 7)
        groups = list(batches_of(sources, targets))
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(sizes)))
    for rows in groups:
        cells = len(rows) * (sources.lengths[rows].max() + 1) * (targets.lengths[rows].max() + 1)
        assert len(rows) <= 7 and (cells <= 500 or len(rows) == 1)


@few
@given(st.lists(st.tuples(*LETTERS), min_size=2, max_size=12), st.integers(1, 400))
def test_the_probability_of_a_pair_does_not_depend_on_its_batch(pairs, cells):
    pairs = [("ab", "xa"), *pairs]
    *_, distance, ids = learnt(pairs)
    together = distance.log_probs(*ids)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(edit_distance, "CELLS", cells)
        np.testing.assert_allclose(distance.log_probs(*ids), together, atol=1e-9)


@given(st.lists(st.lists(st.integers(4, 9), max_size=6), min_size=1, max_size=8), st.integers(0, 3))
def test_shifted_rows_predict_each_symbol_once_whatever_the_padding(rows, more):
    batch = encode_pairs(rows, rows).batch(np.arange(len(rows)))
    padded = np.pad(batch.target_ids, ((0, 0), (0, more)))
    forced = teacher_force(padded)
    inputs, targets = shift(padded)
    np.testing.assert_array_equal(forced.inputs, inputs)
    np.testing.assert_array_equal(forced.targets, targets)
    assert forced.weights.sum() == sum(len(row) + 1 for row in rows)
    for row, given_, wanted, weights in zip(rows, *forced, strict=True):
        assert given_[: len(row) + 1].tolist() == [START, *row]
        assert wanted[weights > 0].tolist() == [*row, END]


# Filters

some_logits = st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=10).map(np.array)
OPTIONS = st.floats(0.05, 20), st.integers(1, 12), st.floats(0.01, 1), st.floats(0, 1)


@given(some_logits, *OPTIONS)
def test_filters_act_in_one_order_and_what_is_left_sums_to_one(logits, temperature, top_k, top_p, min_p):
    by_hand = keep_min_p(keep_top_p(keep_top_k(temper(logits, temperature), top_k), top_p), min_p)
    filtered = filter_logits(logits, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p)
    np.testing.assert_array_equal(filtered, by_hand)
    assert np.exp(log_softmax(filtered)).sum() == pytest.approx(1)
    kept = np.isfinite(filtered)
    tempered = temper(logits, temperature)  # equal where the logits differ by less than rounding
    assert tempered[kept].min() >= tempered[~kept].max(initial=-math.inf)
    # what a filter keeps, it keeps again
    np.testing.assert_array_equal(np.isfinite(keep_top_k(filtered, top_k)), kept)
    np.testing.assert_array_equal(np.isfinite(keep_min_p(filtered, min_p)), kept)


# Searches

SOURCES = st.lists(st.integers(0, 5), min_size=1, max_size=5)
PREFIXES = st.lists(st.integers(4, 7), max_size=3)


@functools.cache
def model_of(seed, end_bias):
    return MarkovModel(seed=seed, end_bias=end_bias)


MODELS = st.builds(model_of, st.integers(0, 40), st.sampled_from([-1.0, 1.0, 3.0]))
STRATEGIES = st.one_of(
    st.just(Greedy()),
    st.builds(Beam, width=st.integers(1, 5), length_penalty=st.sampled_from([0.0, 0.6, 1.0])),
    st.builds(Sampling, seed=st.integers(0, 9), temperature=st.floats(0.2, 3), width=st.integers(1, 3)),
)


def tokens_of(found):
    return [[one.token_ids for one in several] for several in found]


@few
@given(MODELS, SOURCES, STRATEGIES, PREFIXES)
def test_outputs_begin_with_their_prefix_are_ordered_distinct_and_scored_by_the_model(model, sources, strategy, prefix):
    found = run(model, sources, strategy=strategy, prefix=[prefix] * len(sources), max_length=6)
    for source, several in zip(sources, found, strict=True):
        if isinstance(strategy, Beam):
            assert len({(*one.token_ids, one.finished) for one in several}) == len(several) <= strategy.width
            ranks = [one.rank_score for one in several]
            assert ranks == sorted(ranks, reverse=True)
        for one in several:
            assert one.token_ids[: len(prefix)] == prefix
            assert len(one.token_ids) <= 6 and not {PAD, UNK, START, END} & set(one.token_ids)
            expected = model.score(source, one.token_ids + [END] * one.finished)[len(prefix) :]
            np.testing.assert_allclose(one.log_probs, expected, atol=1e-5)
            assert one.score == pytest.approx(sum(expected), abs=1e-5)


@few
@given(MODELS, SOURCES, STRATEGIES, st.data())
def test_an_output_depends_on_its_line_alone_not_on_its_batch(model, sources, strategy, data):
    together = tokens_of(run(model, sources, strategy=strategy))
    cut = data.draw(st.integers(0, len(sources)))
    parts = [(sources[:cut], 1), (sources[cut:], 1 + cut)]
    apart = [run(model, part, strategy=strategy, first_line=line) for part, line in parts if part]
    assert [one for part in apart for one in tokens_of(part)] == together
    options = data.draw(st.sampled_from([{"max_length": np.full(len(sources), 6)}, {"prefix": [[]] * len(sources)}]))
    assert tokens_of(run(model, sources, strategy=strategy, **options)) == together


@few
@given(MODELS, SOURCES)
def test_a_beam_of_one_is_greedy_and_a_beam_of_all_is_no_worse_than_any(model, sources):
    greedy = run(model, sources, strategy=Greedy())
    assert greedy == run(model, sources, strategy=Beam(width=1))
    options = {"max_length": 3}
    # 4 symbols and END: at most 4 + 16 + 64 + 64 hypotheses of up to 3 symbols
    exact = run(model, sources, strategy=Beam(width=150, length_penalty=0.0), **options)
    for width in (1, 2, 5):
        found = run(model, sources, strategy=Beam(width=width, length_penalty=0.0), **options)
        for few_, all_ in zip(found, exact, strict=True):
            assert all_[0].score >= few_[0].score - 1e-9
    # n-best of a search that keeps everything is the beginning of the whole list
    scores = [one.score for one in exact[0]]
    assert scores == sorted(scores, reverse=True) and len(scores) == len({tuple(one.token_ids) for one in exact[0]})

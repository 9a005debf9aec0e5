"""Edit actions: the learnt distance against brute force, and actions against the pairs that they were made from."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.errors import DataError
from seq2seq.special import END, PAD, START, UNK
from seq2seq.text.batches import Ragged
from seq2seq.text.edit_distance import CELLS, EditDistance, batches_of
from seq2seq.text.edit_lattice import Lattice, expected_counts
from seq2seq.text.edits import (
    COPY,
    DELETE,
    INS_UNKNOWN,
    SUB_UNKNOWN,
    action_count,
    apply,
    canonical_paths,
    check_paths,
    first_insertion,
    insert,
    substitute,
)
from seq2seq.text.pairs import Pair
from seq2seq.text.readings import Reading
from seq2seq.text.vocabulary import Vocabulary
from seq2seq.training.architecture import encode_actions, learn_edits, same_symbols, uncertainty_left

PAIRS = [("gato", "gatos"), ("perro", "perros"), ("luz", "luces"), ("pez", "peces"), ("sol", "soles"), ("mes", "mes")]


def learnt(pairs, **options):
    """The vocabularies of pairs of characters, and the edit distance that they teach."""
    source, target = (Vocabulary.build(side) for side in zip(*pairs, strict=True))
    sources, targets = (
        Ragged([vocabulary.encode(pair[side]) for pair in pairs]) for side, vocabulary in enumerate((source, target))
    )
    same = same_symbols(source, target)
    return source, target, EditDistance.learn(sources, targets, same, target_size=len(target), **options)


def paths_of(pairs, source, target, distance):
    """The canonical paths of pairs, with START and END."""
    read = [[vocabulary.read(pair[side]) for pair in pairs] for side, vocabulary in enumerate((source, target))]
    return canonical_paths(distance, *read, target_size=len(target))


def written(actions, text, target):
    return "".join(apply(actions, list(text), [target.symbol(id_) for id_ in range(len(target))]))


def test_actions_write_what_they_say():
    target = Vocabulary(["a", "b"])
    a, b = target.encode("ab")
    late = int(insert(np.array(a), len(target)))
    actions = [COPY, int(substitute(np.array(b))), DELETE, late]
    assert written(actions, "xyz", target) == "xba"
    assert max(actions) < action_count(len(target))
    assert int(substitute(np.array(b))) < first_insertion(action_count(len(target))) <= late


def test_plurals_are_copied_and_get_an_ending():
    source, target, distance = learnt(PAIRS)
    s = int(insert(np.array(target.encode("s")[0]), len(target)))
    assert paths_of([("gato", "gatos")], source, target, distance) == [[START, *[COPY] * 4, s, END]]


@settings(deadline=None)
@given(st.lists(st.tuples(st.text("abcd", max_size=6), st.text("abxy", max_size=6)), min_size=1, max_size=8))
def test_actions_write_every_target_and_read_every_source(pairs):
    pairs = [("ab", "xa"), *pairs]
    source, target, distance = learnt(pairs)
    rows = paths_of(pairs, source, target, distance)
    for (text, wanted), row in zip(pairs, rows, strict=True):
        assert row[0] == START and row[-1] == END
        assert written(row[1:-1], text, target) == wanted
        assert sum(COPY <= action < first_insertion(action_count(len(target))) for action in row) == len(text)


def brute_force(distance, source, target, combine):
    """The log-probabilities of all ways to edit a pair, combined."""

    @functools.cache
    def rest(i, j):
        if (i, j) == (len(source), len(target)):
            return 0.0
        ways = []
        if i < len(source) and j < len(target):
            ways.append(float(distance.substitution[source[i], target[j]]) + rest(i + 1, j + 1))
        if i < len(source):
            ways.append(float(distance.deletion[source[i]]) + rest(i + 1, j))
        if j < len(target):
            ways.append(float(distance.insertion[target[j]]) + rest(i, j + 1))
        return combine(ways)

    return rest(0, 0)


def test_the_probability_of_a_pair_is_the_sum_over_all_ways_to_edit_it():
    source, target, distance = learnt(PAIRS)
    ids = [[vocabulary.encode(pair[side]) for pair in PAIRS] for side, vocabulary in enumerate((source, target))]
    found = distance.log_probs(*map(Ragged, ids))
    for index, (one, other) in enumerate(zip(*ids, strict=True)):
        assert found[index] == pytest.approx(brute_force(distance, tuple(one), tuple(other), np.logaddexp.reduce))


def test_the_canonical_path_is_the_most_probable_way():
    source, target, distance = learnt(PAIRS)
    for pair, row in zip(PAIRS, paths_of(PAIRS, source, target, distance), strict=True):
        one, other = source.encode(pair[0]), target.encode(pair[1])
        i = j = 0
        total = 0.0
        for action in row[1:-1]:
            if action == DELETE:
                total, i = total + distance.deletion[one[i]], i + 1
            elif action >= first_insertion(action_count(len(target))):
                total, j = total + distance.insertion[other[j]], j + 1
            else:
                total, i, j = total + distance.substitution[one[i], other[j]], i + 1, j + 1
        assert total == pytest.approx(brute_force(distance, tuple(one), tuple(other), max), abs=1e-3)


def test_one_pass_counts_edits_as_the_definition_says(monkeypatch):
    monkeypatch.setattr("seq2seq.text.edit_distance.PASSES", 0)
    source, target, before = learnt([("ab", "ab"), ("b", "bb")])
    monkeypatch.setattr("seq2seq.text.edit_distance.PASSES", 1)
    _, _, after = learnt([("ab", "ab"), ("b", "bb")])
    # the second pair can be edited in five ways; an insertion of b is in the two that substitute, and in pairs else
    b, other = source.encode("b")[0], target.encode("b")[0]
    total = math.exp(brute_force(before, (b,), (other, other), np.logaddexp.reduce))
    substituted = 2 * math.exp(before.substitution[b, other] + before.insertion[other])
    deleted = 3 * math.exp(before.deletion[b] + 2 * before.insertion[other])
    assert total == pytest.approx(substituted + deleted)
    inserted_in_second = (substituted + 2 * deleted) / total
    a, x = source.encode("a")[0], target.encode("a")[0]
    ratio = math.exp(after.insertion[other] - after.substitution[a, x])
    first = brute_counts(before, source.encode("ab"), target.encode("ab"))
    expected = (inserted_in_second + first["insert", other] + 1e-3) / (first["substitute", a, x] + 1e-3)
    assert ratio == pytest.approx(expected, rel=1e-4)


def brute_counts(distance, source, target):
    """How often each edit is expected in a pair, from a list of all ways."""
    counts: dict[tuple, float] = {}
    ways = []

    def walk(i, j, way, log_prob):
        if (i, j) == (len(source), len(target)):
            ways.append((way, log_prob))
            return
        if i < len(source) and j < len(target):
            edit = ("substitute", source[i], target[j])
            walk(i + 1, j + 1, [*way, edit], log_prob + float(distance.substitution[edit[1:]]))
        if i < len(source):
            walk(i + 1, j, [*way, ("delete", source[i])], log_prob + float(distance.deletion[source[i]]))
        if j < len(target):
            walk(i, j + 1, [*way, ("insert", target[j])], log_prob + float(distance.insertion[target[j]]))

    walk(0, 0, [], 0.0)
    total = np.logaddexp.reduce([log_prob for _, log_prob in ways])
    for way, log_prob in ways:
        for edit in way:
            counts[edit] = counts.get(edit, 0.0) + math.exp(log_prob - total)
    return counts


def test_pairs_that_occur_often_count_often():
    pairs = [("a", "b"), ("a", "c")]
    _, target, twice = learnt([*pairs, pairs[1], pairs[1]])
    _, _, counted = learnt(pairs, counts=np.array([1.0, 3.0]))
    # the vocabularies order symbols by frequency, so b and c change places
    b, c = Vocabulary.build(["b", "c"]).encode("bc")
    np.testing.assert_allclose(counted.substitution[4, [b, c]], twice.substitution[4, target.encode("bc")], atol=1e-5)


def test_long_pairs_neither_underflow_nor_take_for_ever():
    pairs = [*PAIRS, ("gato" * 200, "gatos" * 200)]
    source, target, distance = learnt(pairs)
    assert np.isfinite(distance.substitution).all()
    rows = paths_of(pairs, source, target, distance)
    assert written(rows[-1][1:-1], pairs[-1][0], target) == pairs[-1][1]


def test_a_pair_of_very_unequal_lengths_has_finite_counts_and_leaves_those_of_others_alone():
    read, written = np.arange(60) < [[60], [3]], np.arange(8) < [[8], [2]]
    lattice = Lattice(
        np.array([[60, 8], [3, 2]]), 0.1 * (read[:, :, None] & written[:, None]), 1e-30 * read, 1e-30 * written
    )
    counts = expected_counts(lattice)
    assert all(np.isfinite(values).all() for values in counts)
    assert counts.substitution[1].sum() == pytest.approx(2.0) and counts.deletion[1].sum() == pytest.approx(1.0)


def test_a_batch_is_bounded_by_its_longest_source_and_its_longest_target():
    sources = Ragged([[4]] * 1000 + [[4] * 400] * 5 + [[4] * 2000])
    targets = Ragged([[4] * 500] * 1000 + [[4]] * 5 + [[4] * 2000])
    batches = list(batches_of(sources, targets))
    assert sorted(np.concatenate(batches).tolist()) == list(range(1006))
    for rows in batches:
        cells = len(rows) * (sources.lengths[rows].max() + 1) * (targets.lengths[rows].max() + 1)
        assert cells <= CELLS or len(rows) == 1


def test_a_symbol_that_was_never_seen_is_copied():
    source, target, distance = learnt(PAIRS)
    (row,) = paths_of([("g7to", "g7tos")], source, target, distance)
    assert row[1:5] == [COPY] * 4
    (row,) = paths_of([("g7to", "g8tos")], source, target, distance)
    assert row[2] == SUB_UNKNOWN
    assert written(row[1:-1], "g7to", target) == "g<UNK>tos"
    (row,) = paths_of([("", "8")], source, target, distance)
    assert row == [START, INS_UNKNOWN, END]


def test_a_transducer_is_validated_on_the_paths_that_score_follows():
    pairs = [Pair("g7t\tN;PL;DU", "g7ts"), Pair("GATO\tN", "gatos")]
    rows = [Pair(f"{one}\tN;PL", other) for one, other in PAIRS]
    source, target = (Vocabulary.build(side, features_sep=";") for side in zip(*rows, strict=True))
    distance = learn_edits(rows, source, target)
    encoded = encode_actions(pairs, distance, source, target, np.ones(2, np.float32))
    assert encoded.targets.rows() == paths_of(pairs, source, target, distance)
    assert encoded.targets.rows()[0][1:4] == [COPY] * 3
    assert encoded.sources.rows()[1] == [*source.encode("gato"), END]
    assert encoded.tags.rows() == [source.ids_of(["<N>", "<PL>"]), source.ids_of(["<N>"])]


def test_equal_ways_are_decided_by_a_rule():
    flat = EditDistance(*(np.full(shape, -2.0, np.float32) for shape in ((6, 6), (6,), (6,))))
    read = [Reading([], [4, 5], ["a", "b"])], [Reading([], [4], ["a"])]
    # one substitution and one deletion in either order: the substitution comes first
    assert canonical_paths(flat, *read, target_size=6) == [[START, COPY, DELETE, END]]


def test_an_unknown_symbol_stays_as_often_as_the_known_ones_do():
    source, target, edits = learnt(PAIRS)
    same = same_symbols(source, target)
    shared = np.flatnonzero(same != PAD)
    kept = np.exp(edits.substitution[shared, same[shared]].astype(np.float64))
    assert edits.substitution[UNK, UNK] == pytest.approx(np.log(kept.mean()), rel=1e-5)
    _, _, apart = learnt([("ab", "xy"), ("ba", "yx")])  # no symbol is on both sides
    assert apart.substitution[UNK, UNK] < np.log(kept.mean()) - 1


def test_the_share_of_uncertainty_that_edits_leave_tells_copies_from_reversals():
    words = ["".join(np.random.default_rng(seed).choice(list("abcdefgh"), 9)) for seed in range(300)]
    vocabulary = Vocabulary.build(words)
    copied, reversed_ = ([Pair(word, word[::step]) for word in words] for step in (1, -1))
    assert uncertainty_left(copied, vocabulary, vocabulary) < 0.1
    assert uncertainty_left(reversed_, vocabulary, vocabulary) > 0.9
    assert 0.0 < uncertainty_left(copied[:1], vocabulary, vocabulary) < 1.0  # the only pair is learnt and held out


def test_actions_of_another_source_are_refused():
    sources = np.array([[4, 5, END], [4, END, PAD]], np.int32)
    actions = np.array([[COPY, DELETE, END], [COPY, END, PAD]], np.int32)
    check_paths(sources, actions, target_size=6)
    with pytest.raises(DataError, match=r"row 0 read 1 source symbols, expected 2"):
        check_paths(sources, actions[::-1], target_size=6)

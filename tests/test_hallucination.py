"""Pairs with random stems for inflection: affixes and tags stay, and both sides change alike."""

import dataclasses

import pytest

from seq2seq.config import DataConfig, ModelConfig, TrainingConfig
from seq2seq.errors import OptionError
from seq2seq.text.datasets import resolve
from seq2seq.text.hallucination import find_stem, hallucinate, longest_blocks
from seq2seq.text.pairs import Pair
from seq2seq.training import prepared_pairs
from seq2seq.training.prepared_pairs import prepare_pairs

CONFIG = DataConfig(features_col=3)
PAIRS = [Pair("walk\tV;PST", "walked"), Pair("talk\tV;PST", "talked"), Pair("jump\tV;PRS", "jumps")]


def test_the_longest_common_block_is_aligned():
    assert longest_blocks(list("gehen"), list("geht")) == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize(
    ("source", "target", "places"),
    [
        ("go", "going", []),  # too short a run
        ("talk", "talked", [(0, 0), (1, 1), (2, 2), (3, 3)]),
        ("kitablar", "kitabın", [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]),
        ("wander", "wanders", [(1, 1), (2, 2), (3, 3), (4, 4)]),  # a long run keeps its ends
        ("machen", "gemacht", [(0, 2), (1, 3), (2, 4), (3, 5)]),
        ("ab cd", "ab cde", []),  # spaces separate runs
    ],
)
def test_the_stem_is_what_both_sides_share(source, target, places):
    assert find_stem(Pair(source, target), DataConfig(), longest_blocks).places == places


def test_affixes_and_tags_stay_and_the_stems_agree():
    made = hallucinate(PAIRS, 40, config=CONFIG, seed=1)
    assert len(set(made)) == 40 and not set(made) & set(PAIRS)
    for source, target in made:
        stem, tags = source.split("\t")
        assert target == stem + {"V;PST": "ed", "V;PRS": "s"}[tags]
        assert set(stem) <= set("walktjump")


def test_the_seed_decides():
    one, same, other = (hallucinate(PAIRS, 10, config=CONFIG, seed=seed) for seed in (1, 1, 2))
    assert one == same != other


def test_another_alignment_can_be_given():
    made = hallucinate(PAIRS, 9, config=CONFIG, seed=1, align=lambda source, target: [(1, 1), (2, 2), (3, 3)])
    assert {source[0] for source, _ in made} <= set("wtj") and len({source for source, _ in made}) > 3


def test_sources_to_avoid_and_repeated_pairs_are_left_out():
    every = {f"{a}{b}{c}\t" for a in "abc" for b in "abc" for c in "abc"}
    pairs, avoid = [Pair("abc\t", "abc!")], every - {"aab\t", "cba\t"}
    made = hallucinate(pairs, 50, config=CONFIG, seed=1, avoid=avoid)
    assert sorted(made) == [Pair("aab\t", "aab!"), Pair("cba\t", "cba!")]


def test_new_pairs_are_composed():
    made = hallucinate(
        [Pair("abqe\u0301x\u0302".replace("e\u0301", "é"), "abqéx\u0302i")], 30, config=DataConfig(), seed=1
    )
    assert made and all("e\u0302" not in source and "a\u0302" not in source for source, _ in made)


def test_separated_symbols_are_replaced_as_wholes():
    config = DataConfig(source_sep=" ", target_sep=" ")
    made = hallucinate([Pair("aa bb cc", "aa bb cc dd")], 5, config=config, seed=1)
    assert made and all(set(source.split()) <= {"aa", "bb", "cc"} for source, _ in made)
    assert all(target == f"{source} dd" for source, target in made)


@pytest.mark.parametrize(
    ("pairs", "config", "message"),
    [
        ([Pair("abc", "xyz")], DataConfig(), "--hallucinate 5: expected pairs that share 3 symbols in a row"),
        (
            [Pair("abc", "a b c")],
            DataConfig(target_sep=" "),
            "--hallucinate 5: expected the same separator of source and target symbols, got '' and ' '",
        ),
    ],
)
def test_data_that_has_no_stems_is_refused(pairs, config, message):
    with pytest.raises(OptionError, match=message):
        hallucinate(pairs, 5, config=config, seed=1)


def test_only_the_training_part_gets_more_pairs(tmp_path):
    path = tmp_path / "verbs.tsv"
    rows = [f"{a}{b}{c}\t{a}{b}{c}ed\tPST\n" for a in "abcd" for b in "efgh" for c in "ijkl"]
    path.write_text("".join(rows))
    config = dataclasses.replace(CONFIG, data=str(path))
    plain = prepare_pairs(resolve(path), config, hallucinate=0)
    more = prepare_pairs(resolve(path), config, hallucinate=20, seed=3)
    assert len(more.train.sources) == len(plain.train.sources) + 20
    assert len(more.validation.sources) == len(plain.validation.sources) and more.splits == plain.splits
    assert more.source_vocabulary == plain.source_vocabulary and more.target_vocabulary == plain.target_vocabulary
    assert more.sizes()["hallucinated"] == 20 and "hallucinated" not in plain.sizes()
    (note,) = more.notes
    assert note.startswith("hallucinated pairs: 20 of 20 made from 52 training pairs") and not plain.notes


def test_few_pairs_with_tags_get_more_by_themselves(tmp_path, monkeypatch):
    path = tmp_path / "verbs.tsv"
    path.write_text("".join(f"{a}{b}{c}\t{a}{b}{c}ed\tPST\n" for a in "abcd" for b in "efgh" for c in "ijkl"))
    config = dataclasses.replace(CONFIG, data=str(path))
    monkeypatch.setattr(prepared_pairs, "MADE_UP", 30)
    few = prepare_pairs(resolve(path), config)
    assert (few.hallucinate, few.hallucinated) == (30, 30)
    assert few.resolved(ModelConfig(), TrainingConfig())[1].hallucinate == 30
    assert "--hallucinate 0: none" in few.notes[-1]
    monkeypatch.setattr(prepared_pairs, "FEW_INFLECTED", 40)
    assert prepare_pairs(resolve(path), config).hallucinate == 0
    monkeypatch.setattr(prepared_pairs, "FEW_INFLECTED", 500)
    assert prepare_pairs(resolve(path), dataclasses.replace(config, features_col=None)).hallucinate == 0
    path.write_text("".join(f"{a}{b}\t{b}x{a}\tPST\n" for a in "abcd" for b in "efgh"))
    assert prepare_pairs(resolve(path), config).hallucinate == 0  # no symbols in a row are shared

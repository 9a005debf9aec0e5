import random

import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest

from seq2seq.errors import DataError, OptionError
from seq2seq.scoring import comparison
from seq2seq.scoring.comparison import compare
from seq2seq.scoring.metrics import exact_match, score_all, transpose_references

OUTPUTS = ["the cat sat on the mat", "a dog", "hello you there my friend"]
REFERENCES = [
    ["the cat sat on a mat", "the cat sat on the mat"],
    ["the dog", "one dog", "a dog !"],
    ["hello there my friend"],
]
SOURCES = ["x", "a dog", "y"]


def test_references_become_streams_padded_with_none():
    assert transpose_references(REFERENCES) == [
        ["the cat sat on a mat", "the dog", "hello there my friend"],
        ["the cat sat on the mat", "one dog", None],
        [None, "a dog !", None],
    ]


def test_a_missing_reference_is_not_an_empty_one():
    """The chrF of each sentence alone, against its own references, sums up to the corpus' statistics."""
    metric = CHRF()
    statistics = [
        metric._extract_corpus_statistics([output], [[reference] for reference in several])[0]
        for output, several in zip(OUTPUTS, REFERENCES, strict=True)
    ]
    assert score_all(OUTPUTS, REFERENCES, SOURCES).chrf == metric._aggregate_and_compute(statistics).score


def test_scores_are_those_of_sacrebleu():
    one_each = [several[0] for several in REFERENCES]
    scores = score_all(OUTPUTS, [[reference] for reference in one_each], SOURCES)
    assert scores.chrf == CHRF().corpus_score(OUTPUTS, [one_each]).score
    assert scores.bleu == BLEU().corpus_score(OUTPUTS, [one_each]).score


def test_rates_by_hand():
    scores = score_all(OUTPUTS, REFERENCES, SOURCES)
    assert scores.exact_match == 1 / 3
    assert exact_match(OUTPUTS, REFERENCES) == 1 / 3
    # 0 edits of 22; "a dog" to "a dog !" 2 of 7; " you" to delete, 4 of 21
    assert scores.cer == pytest.approx((0 + 2 + 4) / (22 + 7 + 21))
    assert (scores.n, scores.distinct) == (3, 1.0)
    assert scores.copied == 1 / 3


def test_perfect_outputs_of_several_references_score_the_best():
    several = [["hello there my old friend", "other"], ["what a fine day it is", "other", "third"]]
    scores = score_all([references[0] for references in several], several, ["a", "b"])
    assert (scores.chrf, scores.exact_match, scores.cer) == (pytest.approx(100), 1, 0)
    assert scores.bleu == pytest.approx(100)


def test_one_output_for_every_source_is_seen():
    scores = score_all(["same"] * 4, [["a"], ["b"], ["c"], ["same"]], ["1", "2", "3", "4"])
    assert (scores.distinct, scores.exact_match, scores.n) == (0.25, 0.25, 4)
    # a row that repeats is one source
    assert score_all(["a", "a", "b"], [["a"], ["c"], ["b"]], ["1", "1", "2"], by="row").distinct == 1


def test_bleu_of_a_perfect_line_under_four_tokens_is_zero_and_its_chrf_is_not():
    scores = score_all(["Va vite !"], [["Va vite !"]], ["Go fast!"])
    assert scores.bleu == 0
    assert scores.chrf == pytest.approx(100)


def test_a_copied_source_is_known_beside_its_tags():
    assert score_all(["walk"], [["walked"]], ["walk\tV;PST"]).copied == 1


def test_cer_is_not_cut_at_one():
    assert score_all(["abcdef"], [["a"]], ["x"]).cer == 5


def test_separated_symbols_are_the_unit_of_all_rates():
    scores = score_all(["HH AH L OW"], [["HH EH L OW"]], ["hello"], separator=" ")
    assert scores.cer == 0.25
    assert "unit:symbol" in scores.signatures["cer"]
    assert "tok:none" in scores.signatures["bleu"]


def test_a_separator_other_than_a_space_gives_the_same_scores():
    spaced = score_all(["a b c d e"], [["a b x d e", "a  b c d f g"]], ["s"], separator=" ")
    barred = score_all(["a|b|c|d|e"], [["a|b|x|d|e", "a|b|c|d|f|g"]], ["s"], separator="|")
    assert barred == spaced


def test_a_space_inside_a_symbol_does_not_cut_it():
    assert score_all(["a b|c"], [["a b|d"]], ["s"], separator="|").cer == 0.5


def test_signatures_say_what_was_done():
    signatures = score_all(OUTPUTS, REFERENCES, SOURCES, n_bootstrap=50).signatures
    assert tuple(signatures) == ("chrf", "bleu", "exact_match", "wer", "cer", "per")
    assert signatures["chrf"].startswith("nrefs:var|bs:50|seed:12345|case:mixed|eff:yes|nc:6|nw:0|space:no|version:")
    assert "tok:13a" in signatures["bleu"]
    assert "match:any" in signatures["exact_match"]
    assert "reference:nearest" in signatures["cer"]
    assert signatures["cer"].startswith("nrefs:var|bs:50|seed:12345|")


def test_another_tokenisation_is_in_the_signature():
    assert "tok:char" in score_all(OUTPUTS, REFERENCES, SOURCES, tokenize="char").signatures["bleu"]


def test_resampling_changes_no_score_and_repeats():
    plain, resampled = (score_all(OUTPUTS, REFERENCES, SOURCES, n_bootstrap=n) for n in (0, 200))
    assert resampled[:7] == plain[:7]
    assert resampled == score_all(OUTPUTS, REFERENCES, SOURCES, n_bootstrap=200)
    assert plain.confidence == {}
    assert "confidence" not in plain.to_dict()


def test_intervals_are_those_of_sacrebleu():
    expected = CHRF().corpus_score(OUTPUTS, transpose_references(REFERENCES), n_bootstrap=100)
    assert score_all(OUTPUTS, REFERENCES, SOURCES, n_bootstrap=100).to_dict()["confidence"]["chrf"] == {
        "mean": pytest.approx(expected._mean),
        "plus_minus": pytest.approx(expected._ci),
    }


def test_the_interval_of_a_share_is_the_binomial_one():
    outputs = ["right"] * 200 + ["wrong"] * 200
    interval = score_all(outputs, [["right"]] * 400, ["s"] * 400, n_bootstrap=1000).confidence["exact_match"]
    assert interval.mean == pytest.approx(0.5, abs=0.005)
    assert interval.plus_minus == pytest.approx(1.96 * (0.25 / 400) ** 0.5, rel=0.1)


@pytest.mark.parametrize("test", ["bs", "ar"])
def test_a_large_difference_is_significant_and_a_small_one_is_not(test):
    sentences = [f"this is the sentence of number {number}" for number in range(60)]
    worse = [line.replace("sentence", "phrase") for line in sentences]
    one_off = ["this is nothing", *sentences[1:]]
    references = [[line] for line in sentences]
    assert all(p < 0.01 for p in compare(sentences, worse, references, test=test).p_values.values())
    assert all(p > 0.05 for p in compare(sentences, one_off, references, test=test).p_values.values())


def test_randomisation_by_hand():
    """Of three sentences one system is right on all: in two of the eight ways to swap the difference is as large."""
    p_value = compare(["right"] * 3, ["wrong"] * 3, [["right"]] * 3, test="ar").p_values["exact_match"]
    assert p_value == pytest.approx(2 / 8, abs=0.02)


def test_randomisation_makes_the_trials_of_sacrebleu():
    """Each system is wrong here and there, so that hardly any trial equals the real difference."""
    draw = random.Random(1)
    lines = [" ".join(f"{word}{number}" for word in "abcdefgh") for number in range(30)]
    one, other = (["".join("-" if draw.random() < rate else c for c in line) for line in lines] for rate in (0.1, 0.12))
    _, table = PairedTest([("1", one), ("2", other)], {"chrf": CHRF()}, [lines], test_type="ar")()
    p_value = compare(one, other, [[line] for line in lines], test="ar").p_values["chrf"]
    assert p_value == pytest.approx(table["chrF2"][1].p_value, abs=2e-4)
    assert 0.02 < p_value < 0.98


@pytest.mark.parametrize("test", ["bs", "ar"])
def test_many_lines_get_fewer_trials_but_a_hundred_at_least(test, monkeypatch):
    for lines, trials in ((1, 100), (550, 550)):  # all trials together may have so many times five lines
        monkeypatch.setitem(comparison._LINES, test, lines * 5)
        signatures = compare(["a"] * 5, ["b"] * 5, [["a"]] * 5, test=test).signatures
        assert all(f"{test}:{trials}|" in f"{signature}|" for signature in signatures.values()), signatures


@pytest.mark.parametrize("test", ["bs", "ar"])
def test_equal_outputs_do_not_differ(test):
    comparison = compare(OUTPUTS, OUTPUTS, REFERENCES, test=test)
    assert comparison.p_values == dict.fromkeys(["chrf", "bleu", "exact_match", "wer", "cer", "per"], 1.0)
    assert f"|{test}:" in comparison.signatures["chrf"]


def test_nothing_to_score_is_an_error():
    with pytest.raises(DataError, match="expected at least one output to score, got none"):
        score_all([], [], [])


def test_references_by_stream_are_an_error():
    streams = [["a", "b", "c"], ["d", "e", "f"]]
    message = r"expected 3 lists of references, one for each output, got 2; give references by sentence: \[\[first"
    with pytest.raises(DataError, match=message):
        score_all(["a", "b", "c"], streams, ["x", "y", "z"])


def test_a_bare_string_of_references_is_an_error():
    with pytest.raises(DataError, match="sentence 1: expected a list of one or more references, got 'abc'"):
        score_all(["abc"], ["abc"], ["x"])


def test_a_sentence_without_reference_is_an_error():
    with pytest.raises(DataError, match=r"sentence 2: expected a list of one or more references, got \[\]"):
        score_all(["a", "b"], [["a"], []], ["x", "y"])


def test_too_few_sources_or_outputs_are_an_error():
    with pytest.raises(DataError, match="expected 2 sources, one for each output, got 1"):
        score_all(["a", "b"], [["a"], ["b"]], ["x"])
    with pytest.raises(DataError, match="expected 2 outputs of the second system, one for each output, got 1"):
        compare(["a", "b"], ["a"], [["a"], ["b"]])


def test_unknown_settings_are_errors():
    with pytest.raises(OptionError, match="--tokenize: expected one of 13a, intl, char, zh, none, got 'moses'"):
        score_all(["a"], [["a"]], ["x"], tokenize="moses")
    with pytest.raises(OptionError, match="--significance: expected one of bs, ar, got 't'"):
        compare(["a"], ["a"], [["a"]], test="t")


def test_the_names_of_pronunciation_tasks_by_hand():
    """Of two words one has an error, two of its four phonemes: WER 1/2, PER 2/7."""
    scores = score_all(["h ɛ l o", "k æ t"], [["h ə l oʊ"], ["k æ t"]], ["hello", "cat"], separator=" ", n_bootstrap=50)
    assert (scores.wer, scores.per) == (0.5, 2 / 7)
    values = scores.to_dict()
    assert (values["wer"], values["per"]) == (1 - values["exact_match"], values["cer"])
    assert values["signatures"]["wer"] == values["signatures"]["exact_match"]
    assert values["signatures"]["per"] == values["signatures"]["cer"]
    shares = values["confidence"]["wer"], values["confidence"]["exact_match"]
    assert shares[0]["mean"] == pytest.approx(1 - shares[1]["mean"])
    assert shares[0]["plus_minus"] == shares[1]["plus_minus"]
    assert values["confidence"]["per"] == values["confidence"]["cer"]


def test_case_is_ignored_where_asked_for_and_said():
    outputs, references = ["Vnd", "dass"], [["vnd"], ["daß"]]
    exact = score_all(outputs, references, ["a", "b"])
    ignoring = score_all(outputs, references, ["a", "b"], ignore_case=True)
    assert (exact.exact_match, exact.cer) == (0, 3 / 6)
    assert (ignoring.exact_match, ignoring.cer) == (0.5, 2 / 6)  # ß is no capital: it differs from ss
    assert ignoring.chrf > exact.chrf
    assert all("|case:lc|" in signature for signature in ignoring.signatures.values())
    assert not any("case:lc" in signature for signature in exact.signatures.values())
    assert compare(["Vnd"], ["vnd"], [["vnd"]], ignore_case=True).p_values["exact_match"] == 1


def test_what_an_item_is_stands_in_the_signatures():
    scores = score_all(["a", "a"], [["a"], ["b"]], ["s", "s"], by="row")
    assert "|match:any|by:row|" in scores.signatures["wer"] and "|by:row|" in scores.signatures["per"]

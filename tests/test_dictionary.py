"""`decode --dictionary` gives the targets of the training part for its sources, with the model's scores of them."""

import dataclasses
import json

import pytest

from seq2seq import api, decode, evaluate
from seq2seq.bundle.folder import load_bundle, save_bundle
from seq2seq.bundle.record import DICTIONARY
from seq2seq.config import DataConfig, TrainingConfig
from seq2seq.errors import BundleError, OptionError
from seq2seq.search_config import DecodingConfig
from seq2seq.text import dictionary
from seq2seq.text.datasets import resolve
from seq2seq.text.dictionary import dictionary_of, dictionary_text, read_dictionary
from seq2seq.text.pairs import Pair
from seq2seq.training.prepared_pairs import prepare_pairs
from seq2seq.training.run_folder import remove_model
from seq2seq.training.task import Run


def test_the_most_frequent_target_counts_then_the_first():
    pairs = [Pair("a", "x"), Pair("a", "y"), Pair("a", "y"), Pair("b", "u"), Pair("b", "v")]
    assert dictionary_of(pairs) == {"a": "y", "b": "u"}


def test_tags_are_a_part_of_the_source():
    pairs = [Pair("walk\tV;PST", "walked"), Pair("walk\tV;PRS", "walks"), Pair("say \u2028", "says")]
    assert read_dictionary(dictionary_text(pairs)) == dictionary_of(pairs)


def test_a_large_dictionary_is_not_stored(monkeypatch):
    monkeypatch.setattr(dictionary, "LARGEST_BYTES", 4)
    assert dictionary_text([Pair("é", "x")]) == ""
    assert dictionary_text([Pair("e", "x")]) == "e\tx\n"


@pytest.fixture
def folder(tiny_bundle):
    return tiny_bundle("tiny")


@pytest.fixture
def known(folder):
    """A pair of the training part."""
    return next(iter(read_dictionary(load_bundle(folder).dictionary).items()))


def test_a_known_source_gets_its_target_with_the_score_of_the_model(folder, known):
    translator = api.load(folder)
    source, target = known
    lines = ["zz", f" {source} ", "", source]
    outputs = [several[0] for several in translator.outputs(lines, DecodingConfig(dictionary=True, beam_size=2))]
    assert [output.text for output in outputs[1::2]] == [target, target]
    assert [output.looked_up for output in outputs] == [False, True, False, True]
    assert [output.line for output in outputs] == [1, 2, 3, 4]
    (scored,) = translator.score([Pair(source, target)])
    assert outputs[1].log_probs == pytest.approx(scored.log_probs, abs=1e-5)
    assert outputs[1].score == pytest.approx(scored.score, abs=1e-5)
    assert outputs[1].rank_score == pytest.approx(scored.score / len(scored.log_probs), abs=1e-5)
    assert "".join(outputs[1].symbols) == target
    others = [several[0] for several in translator.outputs(lines, DecodingConfig(beam_size=2))]
    assert [output.text for output in others[:3:2]] == [output.text for output in outputs[:3:2]]


def test_a_target_of_a_length_that_is_not_allowed_is_not_used(folder, known):
    translator = api.load(folder)
    source, target = known
    for options, used in (
        ({"max_length": len(target)}, True),
        ({"max_length": len(target) - 1}, False),
        ({"min_length": len(target) + 1}, False),
    ):
        ((output,),) = translator.outputs([source], DecodingConfig(dictionary=True, **options))
        assert output.looked_up is used


def test_decode_marks_what_was_looked_up(folder, known, tmp_path, capsys):
    source, target = known
    (tmp_path / "in.txt").write_text(f"{source}\nzz\n", encoding="utf-8")
    arguments = ["--model", str(folder), "-i", str(tmp_path / "in.txt"), "--format", "jsonl"]
    assert decode.main([*arguments, "--dictionary"]) == 0
    printed = capsys.readouterr()
    first, second = map(json.loads, printed.out.splitlines())
    assert first["text"] == target and first["looked_up"] is True and "looked_up" not in second
    assert "dictionary: " in printed.err
    assert "1 lines were looked up, the model translated the others" in printed.err


def test_evaluate_says_how_many_outputs_were_looked_up(folder, known, tmp_path, capsys):
    (tmp_path / "some.tsv").write_text("\t".join(known) + "\nzz\tzz\n", encoding="utf-8")
    arguments = ["--model", str(folder), "--data", str(tmp_path / "some.tsv"), "--bootstrap", "0", "--json"]
    assert evaluate.main([*arguments, "--dictionary"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["exact_match"] == 0.5 and json.loads(printed.out)["decoding"] == {"dictionary": True}
    assert "1 of 2 outputs were looked up, the model translated the others" in printed.err


@pytest.mark.parametrize(("other", "value"), [("temperature", 0.7), ("n_best", 2), ("prefix", "a")])
def test_what_has_no_meaning_with_a_dictionary_is_refused(other, value):
    options = {other: value, "beam_size": 2} if other == "n_best" else {other: value}
    flag = "--" + other.replace("_", "-")
    with pytest.raises(OptionError, match=f"^--dictionary and {flag} exclude each other: .* give one of them"):
        DecodingConfig(dictionary=True, **options)


def test_training_stores_the_dictionary_unless_told_not_to(tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{a}{b}\t{b}\n" for a in "abcdef" for b in "abcdef"))
    chosen = {"data": {"data": str(tmp_path / "pairs.tsv")}, "model": {"hidden_size": 4}, "train": {"batch_size": 4}}
    prepared = prepare_pairs(resolve(tmp_path / "pairs.tsv"), DataConfig())
    run = Run.of(chosen, folder=tmp_path / "model", report=print)
    assert len(read_dictionary(prepared.task(run, {}).bundle.dictionary)) == 30
    without = dataclasses.replace(run, train=TrainingConfig(batch_size=4, dictionary=False))
    assert prepared.task(without, {}).bundle.dictionary == ""
    assert TrainingConfig().dictionary is True


def test_a_model_without_a_dictionary_says_why(folder, tmp_path, capsys):
    bundle = load_bundle(folder)
    assert DICTIONARY in bundle.record["sha256"] and bundle.dictionary == (folder / DICTIONARY).read_text()
    remove_model(folder)
    assert not (folder / DICTIONARY).exists()
    record = {key: value for key, value in bundle.record.items() if key in ("lengths", "trained_on")}
    bundle = dataclasses.replace(bundle, dictionary="", record=record)
    save_bundle(bundle, metrics={}, history=[], canary=[])
    (tmp_path / "in.txt").write_text("ab\n")
    assert decode.main(["--model", str(folder), "--dictionary", "-i", str(tmp_path / "in.txt")]) == 2
    said = capsys.readouterr().err
    assert "--dictionary: the model has no dictionary.tsv: it was trained with --no-dictionary" in said
    with pytest.raises(BundleError, match="train again, or leave --dictionary out"):
        api.load(folder).translate(["ab"], dictionary=True)

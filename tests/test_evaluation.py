import json

import pytest

import seq2seq
from seq2seq import memory
from seq2seq.config import DataConfig, ModelConfig
from seq2seq.errors import BundleError, OptionError
from seq2seq.inference.translator import Translator
from seq2seq.scoring.evaluation import (
    check_comparable,
    evaluate,
    evaluate_model,
    metrics_of,
)
from seq2seq.scoring.material import Material, given_material, own_material, seen_in_training
from seq2seq.scoring.metrics import NAMES, score_all
from seq2seq.scoring.training_data import training_data
from seq2seq.search_config import DecodingConfig
from seq2seq.text import datasets
from seq2seq.text.pairs import Pair
from seq2seq.text.splits import References, split_by_source
from tests.conftest import random_bundle


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))


SMALL = {"hidden_size": 8, "embedding_size": 6}


def pairs_of(rows):
    return [Pair(*row.split("\t")) for row in rows]


def test_a_model_is_scored_on_the_part_it_was_not_trained_on(tiny_bundle):
    folder = tiny_bundle()
    rows = folder.with_name("tiny.tsv").read_text().splitlines()
    split = split_by_source(pairs_of(rows), seed=1)
    bundle = seq2seq.load(folder).bundle
    for part in ("test", "validation"):
        material = own_material(bundle, part)
        assert material.name == f"tiny, {part} part"
        assert [(s, r) for s, several in material.references for r in several] == getattr(split, part)
        assert seen_in_training(bundle, material.references) == 0


def test_scores_are_those_of_what_translate_gives(tiny_bundle):
    translator = seq2seq.load(tiny_bundle())
    material = own_material(translator.bundle)
    references = material.references
    result = evaluate(translator, material, n_bootstrap=20)
    assert (result.material, result.references) == (material, references)
    assert result.outputs == translator.translate([several.source for several in references])
    assert result.scores == score_all(
        result.outputs, [several.references for several in references],
        [several.source for several in references], n_bootstrap=20,
    )  # fmt: skip


def test_a_model_that_says_the_reference_is_right(tiny_bundle):
    translator = seq2seq.load(tiny_bundle())
    sources = ["abcd.", "efgh.", "ijkl."]
    said = [
        References(source, ["wrong", text]) for source, text in zip(sources, translator.translate(sources), strict=True)
    ]
    scores = evaluate(translator, Material("said", said)).scores
    assert (scores.exact_match, scores.cer, scores.n) == (1, 0, 3)


def test_how_to_decode_reaches_the_model(tiny_bundle):
    translator = seq2seq.load(tiny_bundle())
    material = own_material(translator.bundle)
    whole = evaluate(translator, material, n_bootstrap=0)
    short = evaluate(translator, material, DecodingConfig(max_length=1), n_bootstrap=0)
    assert short.outputs == [output[:1] for output in whole.outputs]
    assert short.cut_off == sum(len(output) > 1 for output in whole.outputs) > 0


def test_rows_of_a_source_are_references_of_one_sentence(tiny_bundle):
    translator = seq2seq.load(tiny_bundle())
    said = translator.translate(["abcd."])[0]
    assert said != "no"
    found = metrics_of(translator, [Pair("abcd.", "no"), Pair("efgh.", "no"), Pair("abcd.", said)])
    assert (found["n"], found["exact_match"]) == (2, 0.5)
    assert set(found) == {*NAMES, "n", "distinct", "copied", "signatures", "by"}
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_separated_targets_are_scored_by_symbol(tiny_bundle):
    rows = [f"{a}{b}\t{a.upper()} {b.upper()}" for a in "abcdef" for b in "abcdef"]
    translator = seq2seq.load(tiny_bundle(rows=rows, data={"target_sep": " "}))
    assert "unit:symbol" in metrics_of(translator, pairs_of(rows[:3]))["signatures"]["cer"]


def test_a_whole_file_is_read_as_the_training_data_was(tiny_bundle, tmp_path):
    bundle = seq2seq.load(tiny_bundle(data={"reverse": True, "lowercase": True})).bundle
    file = tmp_path / "other.tsv"
    file.write_text("Un\tOne\nUne\tone\ndeux\ttwo\nno tab\n" + "x" * 300 + "\tlong\n")
    material = given_material(bundle, str(file))
    assert material.references == [("one", ["un", "une"]), ("two", ["deux"]), ("long", ["x" * 300])]
    assert any("skipped 1 of 5 lines (1 no tab)" in note for note in material.notes)
    assert given_material(bundle, str(file), reverse=False).references[0] == ("un", ["one"])


def test_other_data_may_have_another_encoding(tiny_bundle, tmp_path):
    bundle = seq2seq.load(tiny_bundle()).bundle
    (tmp_path / "other.tsv").write_bytes("été\tsummer\n".encode("cp1252"))
    material = given_material(bundle, str(tmp_path / "other.tsv"), encoding="cp1252")
    assert material.references == [("été", ["summer"])]


def test_the_encoding_of_the_training_data_is_kept_with_the_model(tiny_bundle, tmp_path):
    rows = [f"{a}{b}\té{b}{a}" for a in "abcd" for b in "abcd"]
    folder = tiny_bundle(rows=rows)
    file = folder.with_name("tiny.tsv")
    file.write_bytes(file.read_text(encoding="utf-8").encode("cp1252"))
    random_bundle(tmp_path / "old", DataConfig(data=str(file), encoding="cp1252"), ModelConfig(**SMALL), 1)
    assert json.loads((tmp_path / "old" / "config.json").read_text())["data"]["encoding"] == "cp1252"
    references = own_material(seq2seq.load(tmp_path / "old").bundle).references
    assert all(several.references[0].startswith("é") for several in references)


def test_pairs_in_a_txt_are_said_and_scored(tiny_bundle, tmp_path):
    (tmp_path / "fra.txt").write_text("Go.\tVa !\tCC-BY\nHi.\tSalut !\tCC-BY\n")
    material = given_material(seq2seq.load(tiny_bundle()).bundle, str(tmp_path / "fra.txt"))
    assert material.references == [("Go.", ["Va !"]), ("Hi.", ["Salut !"])]
    assert "tabs on most lines, so it is read as pairs" in material.notes[0]


def test_a_model_is_evaluated_in_one_line(tiny_bundle, tmp_path):
    translator = seq2seq.load(tiny_bundle())
    own = evaluate_model(translator, n_bootstrap=0)
    assert own.references == own_material(translator.bundle).references
    assert own.outputs == translator.translate([several.source for several in own.references])
    held_out = evaluate_model(translator, split="validation", max_length=1, n_bootstrap=0)
    assert held_out.references == own_material(translator.bundle, "validation").references
    assert held_out.cut_off == sum(len(output) == 1 for output in held_out.outputs) > 0
    (tmp_path / "other.tsv").write_text(f"abcd.\t{translator.translate(['abcd.'])[0]}\n")
    assert evaluate_model(translator, str(tmp_path / "other.tsv")).scores.exact_match == 1


def test_options_of_an_evaluation_that_cannot_be_meant_are_refused(tiny_bundle):
    translator = seq2seq.load(tiny_bundle())
    with pytest.raises(OptionError, match="evaluate: unknown key 'beam' in section 'decode'; the keys are .*beam_size"):
        evaluate_model(translator, beam=3)
    with pytest.raises(OptionError, match="--split: expected one of test, validation, got 'train'"):
        evaluate_model(translator, split="train")


def test_of_a_folder_a_part_is_scored(tiny_bundle, tmp_path):
    bundle = seq2seq.load(tiny_bundle()).bundle
    folder = tmp_path / "set"
    folder.mkdir()
    for name, text in (("train.tsv", "a\tb\n"), ("dev.tsv", "c\td\n"), ("test.tsv", "e\tf\ne\tg\n")):
        (folder / name).write_text(text)
    assert given_material(bundle, str(folder)).references == [("e", ["f", "g"])]
    assert given_material(bundle, str(folder), "validation").references == [("c", ["d"])]


def test_a_named_set_is_scored_on_its_test_part(tiny_bundle):
    bundle = seq2seq.load(tiny_bundle()).bundle
    material = given_material(bundle, "dates")
    assert material.name == "dates, test part"
    assert 100 < len(material.references) <= 1000


def test_a_part_of_a_file_is_refused(tiny_bundle):
    folder = tiny_bundle()
    with pytest.raises(OptionError, match=r"--split test: all rows of .*tiny\.tsv are scored; leave --split out"):
        given_material(seq2seq.load(folder).bundle, str(folder.with_name("tiny.tsv")), "test")


def test_sources_of_the_training_part_are_counted_in_any_case(tiny_bundle):
    folder = tiny_bundle()
    bundle = seq2seq.load(folder).bundle
    assert seen_in_training(bundle, given_material(bundle, bundle.data.data).references) == 64 - 12
    trained = datasets.load_pairs(training_data(bundle), DataConfig()).train[0].source
    assert seen_in_training(bundle, [References(trained.upper(), ["x"]), References("new", ["x"])]) == 1
    folder.with_name("tiny.tsv").unlink()
    assert seen_in_training(bundle, [References(trained, ["x"])]) is None


def test_models_of_different_symbols_are_not_compared(tiny_bundle):
    one = seq2seq.load(tiny_bundle("one"))
    other = seq2seq.load(tiny_bundle("other", data={"target_sep": " "}))
    with pytest.raises(
        BundleError, match=r"other: expected a model with the separator of target symbols '' of .*one, got ' '"
    ):
        check_comparable(one, other)
    check_comparable(one, one)


def test_a_token_list_is_scored_by_row(tiny_bundle, tmp_path):
    """Of five tokens three are right; of two sources one has a right reference only."""
    translator = seq2seq.load(tiny_bundle())
    said = translator.translate(["abcd."])[0]
    rows = [("abcd.", said), ("efgh.", "no"), ("abcd.", said), ("abcd.", said), ("abcd.", "no")]
    file = tmp_path / "tokens.tsv"
    file.write_text("".join(f"{source}\t{target}\n" for source, target in rows))
    tokens = evaluate_model(translator, str(file), n_bootstrap=0)
    assert (tokens.material.by, tokens.scores.n, tokens.scores.exact_match) == ("row", 5, 3 / 5)
    assert tokens.outputs == translator.translate([source for source, _ in rows])
    assert tokens.material.notes[-1].startswith("2 of 5 rows repeat another row: each row is scored as it stands; --by")
    types = evaluate_model(translator, str(file), by="source", n_bootstrap=0)
    assert (types.material.by, types.scores.n, types.scores.exact_match) == ("source", 2, 1 / 2)
    assert len(types.material.notes) == len(tokens.material.notes) - 1
    metrics = metrics_of(translator, pairs_of(map("\t".join, rows)))
    assert (metrics["by"], metrics["n"], metrics["exact_match"], metrics["wer"]) == ("row", 5, 3 / 5, 1 - 3 / 5)


def test_each_distinct_source_is_translated_once(tiny_bundle, monkeypatch):
    translator = seq2seq.load(tiny_bundle())
    asked = []
    outputs = Translator.outputs

    def counted(self, lines, *options, **more):
        asked.extend(lines)
        return outputs(self, lines, *options, **more)

    monkeypatch.setattr(Translator, "outputs", counted)
    evaluate(translator, Material("tokens", [References(source, ["x"]) for source in ("ab", "cd", "ab", "ab")]))
    assert asked == ["ab", "cd"]


def test_more_rows_than_memory_are_refused_before_any_is_translated(tiny_bundle, monkeypatch):
    translator = seq2seq.load(tiny_bundle())
    monkeypatch.setattr(memory, "ALWAYS", 0)
    monkeypatch.setattr(memory, "free_bytes", lambda: 4000)
    monkeypatch.setattr(Translator, "outputs", lambda *_, **__: pytest.fail("translated"))
    items = Material("tokens", [References("ab", ["x"])] * 2, by="row")
    with pytest.raises(OptionError, match=r"^scoring 2 rows of tokens: needs about .* of memory, .*; give fewer rows$"):
        evaluate(translator, items)


def test_the_held_out_parts_decide_together_whether_rows_repeat(tiny_bundle):
    rows = [f"{a}{b}\t{b}{a}" for a in "abcdefgh" for b in "abcdefgh"]
    bundle = seq2seq.load(tiny_bundle(rows=rows + rows[:32])).bundle
    parts = [own_material(bundle, part) for part in ("test", "validation")]
    assert [part.by for part in parts] == ["row", "row"]
    assert [own_material(bundle, part, by="source").by for part in ("test", "validation")] == ["source", "source"]


def test_an_unknown_kind_of_item_is_refused(tiny_bundle):
    with pytest.raises(OptionError, match="--by: expected one of auto, row, source, got 'token'"):
        evaluate_model(seq2seq.load(tiny_bundle()), by="token")

"""Characters are cut into their canonical parts inside a model, and nobody sees it."""

import json
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq import api, decode, train
from seq2seq.config import DataConfig
from seq2seq.decoding import Greedy
from seq2seq.decoding import decode as run_search
from seq2seq.errors import BundleError, DataError, OptionError
from seq2seq.files.reading import read_json
from seq2seq.files.writing import write_json
from seq2seq.inference.rescoring import one_for_each_text
from seq2seq.search_config import DecodingConfig
from seq2seq.special import SPECIAL_COUNT, UNK
from seq2seq.text.pairs import Pair
from seq2seq.text.readings import Replacement
from seq2seq.text.unicode_forms import Alphabets, alphabets
from seq2seq.text.vocabulary import Vocabulary

FIRST = SPECIAL_COUNT
SYLLABLES = "가각갂간감갑강개객갠거걱건검겁게격견결겸고곡곤공과관교구국군굴궁귀규그극근금급기긴길김까꺼꼬꾸끼나낙난날남"
ROWS = [f"{one}{other}\t{other}{one}" for one in SYLLABLES[:8] for other in SYLLABLES[8:16]]


def nfd(text):
    return unicodedata.normalize("NFD", text)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_decomposed_lines_come_back_composed(lines):
    vocabulary = Vocabulary.build(lines, decompose=True)
    for line in lines:
        composed = unicodedata.normalize("NFC", line)
        assert vocabulary.decode(vocabulary.encode(line, oov="error")) == composed
        assert vocabulary.encode(composed) == vocabulary.encode(nfd(line))


def test_a_syllable_is_its_jamo():
    vocabulary = Vocabulary.build(["각가"], decompose=True)
    assert vocabulary.segment("각") == ["\u1100", "\u1161", "\u11a8"]
    assert len(vocabulary.symbols) == 3


def test_separated_symbols_and_tags_are_never_cut():
    separated = Vocabulary.build(["é 각"], separator=" ", decompose=True)
    assert set(separated.symbols) == {"é", "각"}
    assert separated.decode(separated.encode("각 é")) == "각 é"
    assert Vocabulary.build(["가\té"], features_sep=";", decompose=True).segment("가\té") == ["<é>", *nfd("가")]


@pytest.mark.parametrize(
    ("known", "line", "replacement"),
    [
        ("가나", "나각가", Replacement(2, "각", "U+AC01", None)),  # without its final consonant
        ("ea", "aé", Replacement(2, "é", "U+00E9", "e")),
        ("eé", "éÉ", Replacement(2, "É", "U+00C9", "é")),
        ("dž", "aǆ", Replacement(2, "ǆ", "U+01C6", "dž")),
    ],
)
def test_a_replacement_names_the_character_and_column_of_the_line(known, line, replacement):
    vocabulary = Vocabulary.build([known, "a"], decompose=True)
    assert vocabulary.replacements(line) == [replacement]
    encoded = vocabulary.encode(line)
    assert (UNK in encoded) == (replacement.becomes is None)
    if replacement.becomes:
        assert vocabulary.decode(encoded) == line[0] + replacement.becomes
    with pytest.raises(DataError, match=rf"^column 2: .* got {line[1]!r} \(U\+"):
        vocabulary.encode(line, oov="error")


def test_a_file_says_that_characters_are_cut_and_an_old_file_that_they_are_not():
    cut, whole = Vocabulary.build(["각"], decompose=True), Vocabulary.build(["각"])
    assert Vocabulary.from_json(json.loads(json.dumps(cut.to_json())), where="file") == cut != whole
    assert "decompose" not in whole.to_json()
    with pytest.raises(BundleError, match="decompose to be a truth value, got 1"):
        Vocabulary.from_json({**cut.to_json(), "decompose": 1}, where="file")


def test_hangul_is_cut_by_itself_and_french_is_not():
    hangul = alphabets(chr(place) for place in range(0xAC00, 0xAC00 + 300))
    assert hangul == Alphabets(300, 28 + 11) and hangul.much_smaller
    french = alphabets(["abcdefghijklmnopqrstuvwxyzàâæçéèêëîïôœùûüÿ", "ABCDEFGHIJKLMNOPQRSTUVWXYZÀÂÆÇÉÈÊËÎÏÔŒÙÛÜŸ"])
    assert french.parts < french.characters and not french.much_smaller
    assert not alphabets(SYLLABLES[:30]).much_smaller  # few symbols are saved
    assert Alphabets(150, 50).much_smaller and not Alphabets(149, 50).much_smaller  # 100 symbols are enough
    assert Alphabets(300, 100).much_smaller and not Alphabets(300, 101).much_smaller  # so is a third that is left


@pytest.fixture
def translator(tiny_bundle):
    return api.load(tiny_bundle("korean", rows=ROWS, data={"decompose": True}))


def test_both_forms_are_read_and_composed_text_is_written(translator):
    lines = [row.split("\t")[0] for row in ROWS]
    outputs = translator.translate(lines)
    assert outputs == translator.translate([nfd(line) for line in lines])
    assert all(unicodedata.is_normalized("NFC", output) for output in outputs)
    assert len(set(outputs)) > 1


@pytest.mark.parametrize("options", [{}, {"beam_size": 4, "n_best": 4}, {"temperature": 1.0, "seed": 3, "n_best": 2}])
def test_decode_prints_what_score_gives(translator, options):
    for several in translator.outputs([row.split("\t")[0] for row in ROWS[:20]], DecodingConfig(**options)):
        for output in several:
            for text in (output.text, nfd(output.text)):
                (scored,) = translator.score([Pair(output.source, text)])
                expected = scored.log_probs if output.finished else scored.log_probs[:-1]
                np.testing.assert_allclose(output.log_probs, expected, atol=1e-4)


def test_a_prefix_keeps_its_last_character(translator):
    for options in ({}, {"beam_size": 3}, {"temperature": 2.0, "seed": 1}):
        for prefix in ("가", "가ᄀ"):
            outputs = translator.translate([row.split("\t")[0] for row in ROWS], prefix=prefix, **options)
            assert all(output.startswith(prefix) for output in outputs)


class TwoChoices:
    """Prefers id 5, then id 6."""

    def step(self, token_ids, state):
        return np.tile([[0.0, 0, 0, 0, 1, 3, 2]], (len(token_ids), 1)).astype(np.float32), state


def test_a_symbol_that_may_not_follow_the_prefix_may_follow_later():
    options = {"strategy": Greedy(), "line_numbers": [1, 2], "max_length": 4, "not_after_prefix": [5]}
    found = run_search(TwoChoices(), {}, prefix=[[4], [4, 4]], **options)
    assert [one[0].token_ids for one in found] == [[4, 6, 5, 5], [4, 4, 6, 5]]
    assert run_search(TwoChoices(), {}, prefix=None, **options)[0][0].token_ids == [5, 5, 5, 5]


def test_two_orders_of_accents_are_one_hypothesis_with_the_score_of_its_text(tiny_bundle):
    translator = api.load(tiny_bundle("accents", rows=ROWS + ["ậậ\tậậ"] * 9, data={"decompose": True}))
    vocabulary = translator.target_vocabulary
    (output,), *_ = translator.outputs(["가개"], DecodingConfig())
    ids = vocabulary.encode("ậ")
    swapped = [ids[0], ids[2], ids[1]]
    orders = [output._replace(token_ids=order, text=vocabulary.decode(order)) for order in (ids, swapped)]
    assert orders[0].text == orders[1].text == "ậ"
    (one,) = one_for_each_text(translator, orders, DecodingConfig(beam_size=2), forced=0)
    assert one.token_ids == ids
    both = one_for_each_text(translator, orders[1:], DecodingConfig(), forced=0)
    (scored,) = translator.score([Pair(output.source, "ậ")])
    assert both[0].log_probs == scored.log_probs[: 3 + output.finished]


OPTIONS = ("--epochs", "1", "--hidden-size", "8", "--embedding-size", "6", "--shards", "1")


@pytest.fixture
def korean(tmp_path):
    """A folder with a file of rows that have many syllables and separated targets."""
    syllables = [chr(0xAC00 + 7 * place) for place in range(200)]
    rows = [f"{syllables[i]}{syllables[i - 7]}\t{'k a' if i % 2 else 'n o'}\n" for i in range(200)]
    (tmp_path / "korean.tsv").write_text("".join(rows), encoding="utf-8")
    return tmp_path


def arguments(korean, *more):
    return ["--data", str(korean / "korean.tsv"), "--model", str(korean / "m"), "--target-sep", " ", *OPTIONS, *more]


def test_training_decides_says_and_records_it(korean, capsys):
    assert train.main(arguments(korean)) == 0
    lines = capsys.readouterr().err.splitlines()
    (said,) = [line for line in lines if line.startswith("decomposition: ")]
    assert "different source characters have" in said and "target" not in said and "--no-decompose" in said
    record = read_json(korean / "m" / "config.json")
    assert record["data"]["decompose"] is True and record["signature"]["data"]["decompose"] is None
    assert read_json(korean / "m" / "source_vocabulary.json")["decompose"] is True
    assert "decompose" not in read_json(korean / "m" / "target_vocabulary.json")
    assert train.main(arguments(korean)) == 0
    assert "already finished" in capsys.readouterr().err
    assert train.main(arguments(korean, "--no-decompose")) == 2
    assert "data.decompose was True, now False" in capsys.readouterr().err
    # an earlier version had no such option
    for path in (korean / "m" / "config.json", korean / "m" / "run.json"):
        record = read_json(path)
        for section in (record["data"], record.get("signature", {}).get("data", {})):
            section.pop("decompose", None)
        write_json(path, record)
    assert train.main(arguments(korean)) == 0
    assert "already finished" in capsys.readouterr().err
    assert train.main(arguments(korean, "--epochs", "2")) == 2
    assert "data.decompose was False, now the default (True)" in capsys.readouterr().err


def test_where_nothing_can_be_cut_the_option_is_refused(korean, tmp_path, capsys):
    assert train.main(arguments(korean, "--decompose", "--source-sep", " ")) == 2
    assert "--decompose: expected a side whose symbols are characters, got the separators ' ' and ' '" in (
        capsys.readouterr().err
    )
    (tmp_path / "text.txt").write_text("abc " * 300)
    with pytest.raises(OptionError, match=r"--decompose True: is for pairs, and --data is text"):
        api.LanguageModel.train(str(tmp_path / "text.txt"), model=tmp_path / "m", decompose=True)


def test_decode_tells_of_an_unknown_syllable_where_it_stands(tiny_bundle, tmp_path, capsys):
    folder = tiny_bundle("korean", rows=ROWS, data={"decompose": True})
    (tmp_path / "in.txt").write_text(nfd("가뷁") + "\n", encoding="utf-8")
    assert decode.main(["--model", str(folder), "-i", str(tmp_path / "in.txt")]) == 0
    assert "line 1, column 2: '뷁' (U+BDC1) is unknown to the model, read as UNK" in capsys.readouterr().err


def test_max_length_counts_parts(translator):
    (output,) = next(translator.outputs([ROWS[0].split("\t")[0]], DecodingConfig(max_length=2)))
    assert len(output.symbols) <= 2
    assert DataConfig().decompose is None

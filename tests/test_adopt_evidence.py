"""Adoption uses arrays, vocabularies, pairs and options together, and refuses where they contradict each other."""

import functools
import io
import json

import numpy as np
import pytest

import seq2seq
from seq2seq import adopt as verb
from seq2seq import doctor
from seq2seq.adoption import adopt, array_evidence
from seq2seq.adoption.known_vocabulary import LATER
from seq2seq.errors import Seq2SeqError
from seq2seq.models.backend import keras
from seq2seq.terminal import LiveLine
from tests import adoptable
from tests.defective import others
from tests.defective.recipes import LETTERS, embedding_models, fit, id_arrays, toy_pairs
from tests.test_adopt import SIZE, agrees, text_model, written

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
PAIRS = toy_pairs(200)
WIDTH = 17  # symbols that rows are padded to: far more than the longest source has
TABLE = {"PAD": 0, "GO": 1, "EOS": 2} | {letter: number for number, letter in enumerate(LETTERS, 3)}


def widened(arrays):
    """Pads all rows to WIDTH."""
    return {name: np.pad(array, [(0, 0), (0, WIDTH - array.shape[1])]) for name, array in arrays.items()}


@functools.cache
def wide(*, epochs=12):
    """A model that has learnt rows which are padded far, and reads the padding."""
    arrays = widened(id_arrays(PAIRS))
    return arrays, fit(embedding_models(units=24, mask=False)[0], arrays, epochs=epochs)


def shuffled_table():
    """The same symbols with other ids."""
    return TABLE | {letter: number for number, letter in enumerate(reversed(LETTERS), 3)}


def test_arrays_vocabulary_and_pairs_are_used_together(tmp_path):
    arrays, model = wide()
    translator = adopt(model, written(PAIRS, tmp_path), tmp_path / "m", arrays=arrays, vocabularies=[TABLE])
    assert translator.source_form.length == WIDTH
    agrees(translator, model, arrays, PAIRS)


def test_arrays_in_another_order_show_the_form_and_the_vocabulary_the_ids(tmp_path):
    arrays, model = wide()
    turned = {name: array[::-1] for name, array in arrays.items()}
    said = []
    translator = adopt(
        model, written(PAIRS, tmp_path), tmp_path / "m", arrays=turned, vocabularies=[TABLE], report=said.append
    )
    assert "the arrays' rows are not the data's first rows: they show the form of rows alone" in said
    assert translator.source_form.length == WIDTH
    agrees(translator, model, arrays, PAIRS)


def test_a_length_that_the_user_tells_is_taken(tmp_path):
    arrays, model = wide()
    translator = adopt(model, written(PAIRS, tmp_path), tmp_path / "m", source_length=WIDTH)
    assert translator.source_form.length == WIDTH
    agrees(translator, model, arrays, PAIRS)


def test_a_length_that_cannot_be_told_is_refused(tmp_path):
    message = r"cannot be told: \d+ and \d+ symbols are equally likely; pass --source-length N, or the arrays"
    with pytest.raises(Seq2SeqError, match=message):
        adopt(wide(epochs=40)[1], written(PAIRS, tmp_path), tmp_path / "m", vocabularies=[TABLE])
    assert not (tmp_path / "m").exists()


def test_a_vocabulary_that_contradicts_the_arrays_is_refused(tmp_path):
    arrays, model = wide()
    with pytest.raises(Seq2SeqError) as caught:
        adopt(model, written(PAIRS, tmp_path), tmp_path / "m", arrays=arrays, vocabularies=[shuffled_table()])
    letter = PAIRS[0][0][0]
    assert str(caught.value) == (
        f"the source vocabulary: contradicts the arrays: {letter!r} has id {shuffled_table()[letter]} in the "
        f"vocabulary and id {TABLE[letter]} in the arrays; {LATER}"
    )


def test_arrays_that_are_not_of_the_data_are_refused(tmp_path):
    arrays, model = wide()
    other = {name: array.copy() for name, array in arrays.items()}
    for array in other.values():
        array[array > 2] = 3 + (array[array > 2] + 1) % len(LETTERS)  # the letters of another numbering
    other = {name: array[::-1] for name, array in other.items()}
    with pytest.raises(Seq2SeqError, match=r"the arrays: contradict the data and .*rows are pairs of the data"):
        adopt(model, written(PAIRS, tmp_path), tmp_path / "m", arrays=other, vocabularies=[TABLE])
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source_length": 9}, f"--source-length 9: contradicts the arrays, whose sources have {WIDTH} symbols"),
        ({"pad": "a"}, "--pad a: is id 3, and the arrays' sources end with id 0"),
        ({"start": "5"}, "--start 5: is id 5, and the arrays have id 1 there"),
        ({"end": "nothing"}, "--end: expected a symbol of the data or an id, got 'nothing'"),
    ],
)
def test_an_option_that_contradicts_the_arrays_is_refused(options, message, tmp_path):
    arrays, model = wide()
    with pytest.raises(Seq2SeqError) as caught:
        adopt(model, written(PAIRS, tmp_path), tmp_path / "m", arrays=arrays, **options)
    assert str(caught.value) == message


def test_a_padding_symbol_that_no_source_has_is_refused(tmp_path):
    with pytest.raises(Seq2SeqError) as caught:
        adopt(wide()[1], written(PAIRS, tmp_path), tmp_path / "m", pad="#")
    assert str(caught.value) == "--pad: expected a symbol of the sources or an id, got '#'"


def test_a_reading_whose_greedy_outputs_are_not_the_originals_is_refused(tmp_path, monkeypatch):
    """The comparison takes the arrays' rows themselves: a wrong length cannot pass, however likely the targets are."""
    arrays, model = wide()
    rightly = array_evidence.form_in
    monkeypatch.setattr(
        "seq2seq.adoption.translator.form_in",
        lambda *given: array_evidence.ArrayForm(7, rightly(*given).fill, left=False),
    )
    with pytest.raises(Seq2SeqError, match="expected the original's"):
        adopt(model, written(PAIRS, tmp_path), tmp_path / "m", arrays=arrays, vocabularies=[TABLE])
    assert not list(tmp_path.glob("m*"))


def test_a_symbol_that_the_original_would_not_write_is_noticed(tmp_path, monkeypatch):
    arrays, model = wide()
    monkeypatch.setattr(seq2seq.inference.translator.Translator, "output", swapped_output)
    with pytest.raises(Seq2SeqError, match=r"the greedy output for '\w+': expected the original's, got"):
        adopt(model, written(PAIRS, tmp_path), tmp_path / "m", arrays=arrays)
    assert not list(tmp_path.glob("m*"))


rightly_output = seq2seq.inference.translator.Translator.output


def swapped_output(self, line, number, hypothesis, config):
    """An output whose first symbol is another."""
    output = rightly_output(self, line, number, hypothesis, config)
    token = 4 if output.token_ids[0] != 4 else 5
    return output._replace(token_ids=[token, *output.token_ids[1:]])


def test_a_model_without_end_is_named(tmp_path):
    arrays = id_arrays(PAIRS)
    ended = arrays["decoder_target"] == 2
    fixed = [(source[:2], target[:2]) for source, target in PAIRS]
    arrays = {name: array[:, :2] for name, array in arrays.items()}
    assert not ended[:, :2].any()
    message = "no row has an END; outputs have 2 symbols: --max-length 2 of decode"
    with pytest.raises(Seq2SeqError, match=message):
        adopt(embedding_models(units=4)[0], written(fixed, tmp_path), tmp_path / "m", arrays=arrays)
    with pytest.raises(Seq2SeqError, match=message):
        adopt(adoptable.narrow(SIZE, 2), written(fixed, tmp_path), tmp_path / "m")


def test_a_source_with_all_special_symbols_has_room_for_its_padding(tmp_path):
    table = {"<pad>": 0, "<start>": 1, "<end>": 2, "<unk>": 3} | {c: i for i, c in enumerate(LETTERS, 4)}
    arrays = {name: np.where(array > 2, array + 1, array) for name, array in id_arrays(PAIRS).items()}
    model = adoptable.lively(embedding_models(units=10, size=SIZE + 1, mask=False)[0])
    translator = adopt(model, written(PAIRS, tmp_path), tmp_path / "m", arrays=arrays, vocabularies=[table])
    agrees(translator, model, arrays, PAIRS, symbols=dict(enumerate(LETTERS, 4)), unwritten=(0, 1, 3))


# language models


def test_a_numbering_that_contradicts_a_text_models_arrays_is_refused(tmp_path):
    model, arrays, _ = text_model("next")
    (tmp_path / "text.txt").write_text(others.TEXT)
    symbols = sorted(set(others.TEXT))
    adopt(model, tmp_path / "text.txt", tmp_path / "right", arrays=arrays, vocabularies=[symbols])
    turned = {"x": arrays["x"][..., ::-1].copy(), "y": arrays["y"][..., ::-1].copy()}
    with pytest.raises(Seq2SeqError, match=r"the arrays: contradict the text and the numbering .*0 of 50 rows"):
        adopt(model, tmp_path / "text.txt", tmp_path / "m", arrays=turned, vocabularies=[symbols])
    with pytest.raises(Seq2SeqError) as caught:
        adopt(model, tmp_path / "text.txt", tmp_path / "m", vocabularies=[symbols[::-1]])
    assert str(caught.value).endswith(LATER)
    assert "per symbol with the source vocabulary (unigram baseline: 2.26)" in str(caught.value)


# the command line


def test_paths_may_come_after_options(tmp_path, capsys):
    arrays, model = wide()
    model.save(tmp_path / "m.keras")
    np.savez(tmp_path / "batch.npz", **arrays)
    (tmp_path / "words.json").write_text(json.dumps(TABLE))
    paths = [str(tmp_path / name) for name in ("m.keras", "batch.npz", "words.json")]
    data = str(written(PAIRS, tmp_path))
    assert verb.main([paths[0], "--data", data, paths[1], "--model", str(tmp_path / "out"), paths[2]]) == 0
    assert f"adopted: {tmp_path / 'out'}" in capsys.readouterr().err
    options = doctor.parse([paths[0], "--pairs", data, *paths[1:]])
    assert options.paths == paths
    assert doctor.parse(["--explain", "D01"]).paths == []


def test_an_error_of_keras_is_shown_whole(tmp_path, monkeypatch, capsys):
    embedding_models(units=4)[0].save(tmp_path / "m.keras")
    message = "Could not locate class 'Mine'.\n\n" + "Make sure that it is registered. " * 10 + "\nThe end."

    def fail(*arguments, **options):
        raise TypeError(message)

    monkeypatch.setattr(keras.models, "load_model", fail)
    data = str(written(PAIRS, tmp_path))
    assert verb.main([str(tmp_path / "m.keras"), "--data", data, "--model", str(tmp_path / "out")]) == 2
    assert " ".join(message.split()) in capsys.readouterr().err


class Terminal(io.StringIO):
    """Takes what would be drawn."""

    def isatty(self):
        return True


def test_progress_is_shown_in_one_line_which_goes_before_each_message(tmp_path, monkeypatch, capsys):
    drawn = Terminal()
    times = iter(range(100_000))
    monkeypatch.setattr(verb, "LiveLine", lambda: LiveLine(drawn, clock=lambda: float(next(times))))
    model = wide()[1]
    model.save(tmp_path / "m.keras")
    options = ["--data", str(written(PAIRS, tmp_path)), "--source-length", str(WIDTH), "--model", str(tmp_path / "out")]
    assert verb.main([str(tmp_path / "m.keras"), *options]) == 0
    assert "numbering 1 of" in drawn.getvalue() and "form of the sources" in drawn.getvalue()
    assert drawn.getvalue().endswith("\r") and not drawn.getvalue().rstrip("\r").split("\r")[-1].strip()
    assert "%" not in capsys.readouterr().err

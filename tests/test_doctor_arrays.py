"""The doctor on arrays alone: each defect is found, in several forms, and correct arrays have no finding."""

import numpy as np
import pytest

import seq2seq
from seq2seq.diagnosis.fixes import mask_fix
from seq2seq.errors import DataError, OptionError
from seq2seq.foreign.arrays import read
from seq2seq.foreign.padding import with_padding
from tests.defective.recipes import LETTERS, id_arrays, toy_pairs, tutorial_arrays

PAIRS = toy_pairs()
TEXT = ("the cat sat on the mat and the dog ate the hat. a rat ran at the cat, the cat ran to the dog. " * 12)[:900]


def roots(report):
    """Codes and severities of the findings without a cause, except the memory note."""
    return {(f.code, f.severity) for f in report.findings if f.because_of is None and f.code != "D15"}


def windows(*, single, ahead=1, length=20, step=3, shuffled=False, text=TEXT, scaled=False):
    """Windows of a text and the symbols that follow, as in the tutorials on text generation."""
    symbols = sorted(set(text))
    ids = np.array([symbols.index(character) for character in text])
    starts = np.arange(0, len(ids) - length - 4, step)
    if shuffled:
        starts = np.random.default_rng(0).permutation(starts)
    x = np.stack([ids[i : i + length] for i in starts])
    y = (
        np.array([ids[i + length - 1 + ahead] for i in starts])
        if single
        else np.stack([ids[i + ahead : i + ahead + length] for i in starts])
    )
    return {"x": (x / len(symbols))[..., None] if scaled else x, "y": y}


@pytest.mark.parametrize("fill", [" ", ""])
@pytest.mark.parametrize(
    ("defect", "found"),
    [
        ("", set()),
        ("copy", {("D01", "broken")}),
        ("two ahead", {("D02", "broken")}),
        ("behind", {("D02", "broken")}),
        ("no start", {("D03", "broken")}),
        ("no end", {("D03", "broken")}),
        ("end on some rows", {("D03", "harmful")}),
        ("end cut off", {("D03", "harmful")}),
        ("rolled", {("D03", "harmful")}),
        ("numbered differently", {("D11", "broken")}),
        ("same source", {("D05", "broken")}),
    ],
)
def test_one_hot_tutorial(defect, found, fill):
    report = seq2seq.examine(arrays=tutorial_arrays(PAIRS, defect=defect, fill=fill))
    assert roots(report) - {("D04", "harmful")} == found
    assert (("D04", "harmful") in roots(report)) == (fill == " ")
    assert "D15" in report.codes


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float64"])
@pytest.mark.parametrize(
    ("defect", "found"),
    [
        ("", set()),
        ("copy", {("D01", "broken")}),
        ("two ahead", {("D02", "broken")}),
        ("behind", {("D02", "broken")}),
        ("no start", {("D03", "broken")}),
        ("no end", {("D03", "broken")}),
        ("minus one", {("D11", "broken")}),
    ],
)
def test_ids_of_any_dtype(defect, found, dtype):
    assert roots(seq2seq.examine(arrays=id_arrays(PAIRS, defect=defect, dtype=dtype))) == found


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("shuffled", [True, False])
@pytest.mark.parametrize(("ahead", "found"), [(1, set()), (0, {("D01", "broken")}), (2, {("D02", "broken")})])
def test_windows_of_a_text(single, shuffled, ahead, found):
    assert roots(seq2seq.examine(arrays=windows(single=single, ahead=ahead, shuffled=shuffled))) == found


def test_scaled_ids_are_magnitudes():
    report = seq2seq.examine(arrays=windows(single=True, scaled=True))
    assert roots(report) == {("D10", "harmful")}
    assert report.findings[0].evidence["looks like ids divided by"] == len(set(TEXT))


@pytest.mark.parametrize("text", ["ab" * 300, "abcd" * 200, "aab" * 200])
@pytest.mark.parametrize("single", [True, False])
def test_periodic_text_is_correct(text, single):
    assert roots(seq2seq.examine(arrays=windows(single=single, text=text, step=1))) == set()


def test_repeated_letters_are_not_the_copy_bug():
    generator = np.random.default_rng(0)
    pairs = [(word, "".join(c * int(generator.integers(1, 5)) for c in word)) for word, _ in PAIRS]
    assert roots(seq2seq.examine(arrays=id_arrays(pairs))) == set()


def test_an_autoencoder_with_teacher_forcing_is_correct():
    pairs = [(word, word) for word, _ in PAIRS]
    assert roots(seq2seq.examine(arrays=id_arrays(pairs))) == set()


def test_targets_equal_to_the_only_input_are_judged_with_the_model_alone():
    x = id_arrays(PAIRS)["encoder_input"]
    report = seq2seq.examine(arrays={"x": x, "y": x.copy()})
    assert roots(report) == set()
    assert any("autoencoder" in note and "pass the model" in note for note in report.not_examined)


def test_one_symbol_may_be_start_and_end():
    arrays = {name: np.where(array == 2, 1, array) for name, array in id_arrays(PAIRS).items()}
    report = seq2seq.examine(arrays=arrays)
    assert roots(report) == set()
    assert any(note.startswith("END is id 1") for note in report.inferred)


def test_missing_end_is_a_note_where_all_targets_have_one_length():
    report = seq2seq.examine(arrays=id_arrays(toy_pairs(low=5, high=5), defect="no end"))
    assert roots(report) == {("D03", "note")}


def test_targets_that_are_cut_so_that_few_keep_their_end():
    short, long = toy_pairs(30, low=2, high=4), toy_pairs(370, seed=1, low=6, high=9)
    arrays = {name: array[:, :6] for name, array in id_arrays(short + long).items()}
    assert roots(seq2seq.examine(arrays=arrays)) == {("D03", "harmful")}


def test_rows_without_end_are_named():
    report = seq2seq.examine(arrays=tutorial_arrays(PAIRS, defect="end on some rows"))
    finding = report.findings[0]
    assert finding.code == "D03"
    assert finding.evidence["such as rows"][:3] == [0, 5, 10]
    assert finding.evidence["rows without END"] == 80


def test_the_tail_of_a_sorted_file_and_leaking_sources():
    pairs = sorted(PAIRS, key=lambda pair: len(pair[0]))
    report = seq2seq.examine(arrays=id_arrays(pairs), validation_split=0.2)
    assert roots(report) == {("D12", "harmful")}
    assert "sorted by length" in report.findings[0].title
    twice = [pair for pair in PAIRS for _ in range(2)]
    order = np.random.default_rng(0).permutation(len(twice))
    report = seq2seq.examine(pairs=[twice[i] for i in order], validation_split=0.2)
    assert report.findings[0].title == "the split leaks sources"
    distinct = toy_pairs(300, low=9, high=14)
    assert roots(seq2seq.examine(arrays=id_arrays(distinct), validation_split=0.2)) == set()


def test_symbols_of_validation_alone():
    arrays = id_arrays(toy_pairs(300, low=9, high=14))
    other = id_arrays(toy_pairs(60, seed=1, low=9, high=14))
    assert roots(seq2seq.examine(arrays=arrays, validation=other)) == set()
    other["encoder_input"][0, 0] = 40
    report = seq2seq.examine(arrays=arrays, validation=other)
    assert roots(report) == {("D11", "harmful")}
    assert report.findings[0].evidence["ids seen in validation alone"] == [40]


def test_two_vocabularies_in_different_orders():
    one = ["<pad>", "<s>", "</s>", *LETTERS]
    report = seq2seq.examine(vocabularies=[one, sorted(one)])
    assert roots(report) == {("D11", "broken")}
    assert roots(seq2seq.examine(vocabularies=[one, dict(zip(one, range(len(one)), strict=True))])) == set()


def test_ids_beyond_the_vocabulary():
    names = ["<pad>", "<s>", "</s>", *LETTERS]
    assert roots(seq2seq.examine(arrays=id_arrays(PAIRS), vocabularies=[names])) == set()
    report = seq2seq.examine(arrays=id_arrays(PAIRS, defect="out of range"), vocabularies=[names])
    assert roots(report) == {("D11", "broken")}
    assert report.findings[0].evidence["largest id"] == 200


def test_vocabulary_that_does_not_decode_to_the_texts():
    names = ["<pad>", "<s>", "</s>", *LETTERS]
    arrays = id_arrays(PAIRS)
    assert roots(seq2seq.examine(arrays=arrays, vocabularies=[names], pairs=PAIRS)) == set()
    turned = [*names[:3], *reversed(LETTERS)]
    assert ("D11", "broken") in roots(seq2seq.examine(arrays=arrays, vocabularies=[turned], pairs=PAIRS))


def test_marks_that_the_user_names():
    names = ["<pad>", "<s>", "</s>", *LETTERS]
    arrays = id_arrays(PAIRS)
    report = seq2seq.examine(arrays=arrays, vocabularies=[names], start="<s>", end="</s>", pad="<pad>")
    assert roots(report) == set()
    assert not any("START" in note for note in report.inferred)
    report = seq2seq.examine(arrays=arrays, end=9, pad=0)
    assert ("D03", "harmful") in roots(report)
    with pytest.raises(OptionError, match="--start '<go>': expected an id or a symbol"):
        seq2seq.examine(arrays=arrays, start="<go>")


def test_arrays_of_other_names_and_forms():
    a = id_arrays(PAIRS, defect="copy")
    by_fit = ((a["encoder_input"], a["decoder_input"]), a["decoder_target"])
    by_name = ({"src": a["encoder_input"], "prev": a["decoder_input"]}, a["decoder_target"])
    short = {"X1": a["encoder_input"], "X2": a["decoder_input"], "y": a["decoder_target"][..., None]}
    for arrays in (by_fit, by_name, short):
        assert roots(seq2seq.examine(arrays=arrays)) == {("D01", "broken")}


def test_arrays_that_cannot_be_read():
    with pytest.raises(DataError, match="expected as many rows in each array"):
        arrays = id_arrays(PAIRS)
        seq2seq.examine(arrays={**arrays, "decoder_input": arrays["decoder_input"][1:]})
    with pytest.raises(DataError, match="encode the text as ids first"):
        seq2seq.examine(arrays={"x": np.array(["a", "b"]), "y": np.array(["a", "b"])})
    with pytest.raises(DataError, match="expected as many rows in each array, got .*'sample_weight': 3"):
        seq2seq.examine(arrays={**id_arrays(PAIRS), "sample_weight": np.ones(3)})
    with pytest.raises(DataError, match="array 'x': expected numbers, got NaN or infinity among them"):
        seq2seq.examine(arrays={"x": np.full((9, 4), np.nan), "y": np.ones((9, 4))})
    with pytest.raises(DataError, match="array 'x': expected numbers, got dtype complex128"):
        seq2seq.examine(arrays={"x": np.full((9, 4), 1j), "y": np.ones((9, 4))})
    for arrays, names in (({}, "none"), ({"lengths": np.ones((9, 4))}, "lengths")):
        with pytest.raises(DataError, match=f"expected arrays encoder_input, .*, got {names}"):
            seq2seq.examine(arrays=arrays)
    with pytest.raises(OptionError, match="nothing to examine"):
        seq2seq.examine()
    with pytest.raises(OptionError, match=r"between 0 and 1, got 2"):
        seq2seq.examine(arrays=id_arrays(PAIRS), validation_split=2)


def test_sources_that_were_shuffled_apart_from_their_targets():
    arrays = id_arrays(PAIRS)
    arrays["encoder_input"] = np.random.default_rng(3).permutation(arrays["encoder_input"])
    report = seq2seq.examine(arrays=arrays)
    assert roots(report) == {("D05", "harmful")}
    assert "no more information about their targets than about those" in report.findings[0].title


def test_arrays_with_uninformative_names_are_sorted_by_their_content():
    a = id_arrays(PAIRS, defect="copy")
    for names in (("one", "two", "three"), ("X_train", "y_in", "y_out"), ("eng", "fra_1", "trainY")):
        arrays = dict(zip(names, (a["encoder_input"], a["decoder_input"], a["decoder_target"]), strict=True))
        assert roots(seq2seq.examine(arrays=arrays)) == {("D01", "broken")}, names
    turned = {"one": a["decoder_input"], "two": a["encoder_input"], "y": a["decoder_target"]}
    assert roots(seq2seq.examine(arrays=turned)) == {("D01", "broken")}


NAMES = ["<pad>", "<s>", "</s>", *LETTERS]


@pytest.mark.parametrize("ignored", [-1, -100])
def test_a_negative_target_that_the_loss_ignores_is_no_id(ignored):
    arrays = id_arrays(PAIRS)
    arrays["decoder_target"] = np.where(arrays["decoder_target"] == 0, ignored, arrays["decoder_target"])
    assert roots(seq2seq.examine(arrays=arrays)) == set()
    arrays["decoder_target"][::3, 1] = ignored  # a masked loss leaves positions inside the text out, too
    assert roots(seq2seq.examine(arrays=arrays)) == set()


def test_negative_ids_of_sources_are_out_of_range():
    arrays = id_arrays(PAIRS)
    arrays["encoder_input"][3, 0] = -2
    report = seq2seq.examine(arrays=arrays)
    assert [f.title for f in report.findings] == ["ids are out of range: some are negative"]
    assert "find the code that writes them" in report.findings[0].fix


def test_ids_that_do_not_fit_into_their_dtype():
    arrays = id_arrays(PAIRS)
    arrays = {name: np.where(array > 2, array + 120, array).astype("int8") for name, array in arrays.items()}
    report = seq2seq.examine(arrays=arrays)
    assert report.findings[0].title == "ids are out of range: int8 is too narrow, and larger ids became negative"
    assert report.findings[0].fix == "ids = np.array(rows, dtype='int32')"


@pytest.mark.parametrize("larger_side", ["source", "target"])
def test_a_vocabulary_that_fits_one_side_is_not_held_against_the_other(larger_side):
    arrays = id_arrays(PAIRS)
    for name in ["encoder_input"] if larger_side == "source" else ["decoder_input", "decoder_target"]:
        arrays[name] = np.where(arrays[name] > 2, arrays[name] + 8 * (arrays[name] % 2), arrays[name])
    report = seq2seq.examine(arrays=arrays, vocabularies=[NAMES])
    assert "D11" not in report.codes
    assert f"the {larger_side} vocabulary (D11): vocabulary 1 fits the other side alone; pass both" in (
        report.not_examined
    )


def test_vocabularies_are_held_against_the_sides_that_they_fit():
    arrays = id_arrays(PAIRS)
    arrays["encoder_input"] = np.where(arrays["encoder_input"] > 2, arrays["encoder_input"] + 8, 0)
    longer = [*NAMES, *(letter * 2 for letter in LETTERS)]
    for tables in ([longer, NAMES], [NAMES, longer]):
        assert "D11" not in seq2seq.examine(arrays=arrays, vocabularies=tables).codes


def test_ids_that_are_numbered_from_1_with_a_vocabulary_from_0():
    arrays = {name: np.where(array > 0, array + 1, array) for name, array in id_arrays(PAIRS).items()}
    report = seq2seq.examine(arrays=arrays, vocabularies=[NAMES])
    assert report.findings[0].title.endswith("by one: they are numbered from 1, the vocabulary from 0")
    assert "enumerate(symbols, 1)" in report.findings[0].fix


def test_the_order_of_a_vocabulary_cannot_be_told_without_texts():
    notes = seq2seq.examine(arrays=id_arrays(PAIRS), vocabularies=[[*NAMES[:3], *reversed(LETTERS)]]).not_examined
    assert any(note.startswith("whether the arrays were made with this vocabulary (D11)") for note in notes)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("step", [1, 5, 13, 15, 20])
@pytest.mark.parametrize(("ahead", "found"), [(1, set()), (2, {("D02", "broken")})])
def test_windows_overlap_at_any_stride(step, ahead, found, shuffled):
    text = "".join(np.random.default_rng(0).choice(list("abcdefghijkl "), 6000))
    arrays = windows(single=True, ahead=ahead, length=30, step=step, shuffled=shuffled, text=text)
    report = seq2seq.examine(arrays=arrays)
    assert roots(report) == found
    assert not any("do not overlap" in note for note in report.not_examined)


def test_windows_that_do_not_overlap_are_named():
    text = "".join(np.random.default_rng(0).choice(list("abcdefghijkl "), 6000))
    report = seq2seq.examine(arrays=windows(single=True, length=30, step=30, text=text))
    assert any("the windows of 'x' do not overlap" in note for note in report.not_examined)


def test_the_split_counts_the_pairs_that_the_arrays_hold():
    distinct = toy_pairs(300, low=9, high=14)
    later = [distinct[0]] * 300
    report = seq2seq.examine(arrays=id_arrays(distinct), pairs=distinct + later, validation_split=0.2)
    assert "D12" not in report.codes
    pairs = sorted(PAIRS, key=lambda pair: len(pair[0]))
    report = seq2seq.examine(arrays=id_arrays(pairs), pairs=pairs + later, validation_split=0.2)
    assert report.findings[0].code == "D12"
    assert report.findings[0].evidence["of"] == 80
    assert report.findings[0].evidence["judged by"] == "400 pairs"


def padded_in_front(*, cut=None):
    """Decoder arrays sliced from rows that are padded, or cut, in front."""
    table = {letter: number for number, letter in enumerate(LETTERS, 3)}
    rows = [[1, *(table[letter] for letter in target), 2] for _, target in PAIRS]
    width = cut or max(map(len, rows))
    both = np.array([[0] * (width - len(row)) + row[max(0, len(row) - width) :] for row in rows])
    return {**id_arrays(PAIRS), "decoder_input": both[:, :-1], "decoder_target": both[:, 1:]}


@pytest.mark.parametrize("cut", [None, 6])
def test_the_fix_for_rows_that_are_padded_or_cut_in_front_is_to_pad_behind(cut):
    report = seq2seq.examine(arrays=padded_in_front(cut=cut), start=1, end=2)
    fixes = [finding.fix for finding in report.findings if finding.code == "D03"]
    assert fixes
    assert all("padding='post', truncating='post'" in fix and "np.roll" not in fix for fix in fixes)


def test_the_fix_for_rolled_targets_is_to_slice_them():
    report = seq2seq.examine(arrays=tutorial_arrays(PAIRS, defect="rolled"))
    assert report.findings[0].fix == "decoder_target = target_ids[:, 1:]  # not np.roll, which wraps START around"


@pytest.mark.parametrize(
    ("pad", "symbols", "fix"),
    [
        (0, [1, 2], "keras.layers.Embedding(size, width, mask_zero=True)"),
        (9, [1, 2], "encoder_rnn(embedded, mask=keras.ops.not_equal(ids, 9))  # the padding is id 9, not 0"),
        (0, [0, 1], "number the symbols from 1 and pad with 0: id 0 is padding and a symbol of the text, too"),
    ],
)
def test_the_fix_for_padding_that_is_read_fits_its_id(pad, symbols, fix):
    ids = np.array([[*symbols, 3], [2, 3, pad]])
    assert mask_fix(with_padding(read("x", ids), pad)) == fix


def test_the_fix_for_one_hot_padding_is_a_mask_of_zero_vectors():
    assert mask_fix(with_padding(read("x", np.eye(4)[[[1, 2, 0], [3, 0, 0]]]), 0)).startswith("keras.layers.Masking()")

"""Which array is which: by the model's inputs, by the arrays' content, and by the words of names."""

import numpy as np
import pytest

import seq2seq
from seq2seq.errors import OptionError
from seq2seq.foreign.parts import ModelInputs, named_part, parts_of
from seq2seq.models.backend import keras
from tests.defective.recipes import id_arrays, toy_pairs

THREE = id_arrays(toy_pairs(80))
X, D, Y = THREE["encoder_input"], THREE["decoder_input"], THREE["decoder_target"]
ORDER = ("encoder_input", "decoder_input", "decoder_target")


def sorted_parts(named, model=ModelInputs()):
    """Names by part, in the order source, decoder input, target."""
    parts = parts_of(named, model)
    return [parts.get(part) for part in ORDER]


# source, decoder input and target, as tutorials name them
NAMES = [
    "encoder_input_data decoder_input_data decoder_target_data",
    "encoder_inputs decoder_inputs decoder_outputs",
    "encoderInput decoderInput decoderTarget",
    "X D Y",
    "x_train y_in y_out",
    "inp targ_in targ_out",
    "source target target_next",
    "source target_in labels",
    "english french targets",
    "french english targets",
    "german english_in english_out",
    "ques ans_in ans_out",
    "question answer_in answer_out",
    "src tgt tgt_y",
    "trainX trainD trainY",
    "X1 X2 y",
    "enc_in dec_in dec_out",
    "pad_enc pad_dec pad_target",
    "arr_0 arr_1 arr_2",
    "input_1 input_2 output",
    "xe xd yd",
    "quelle ziel_eingabe ziel_ausgabe",
    "source cible_entree cible_sortie",
    "entrada_codificador entrada_decodificador salida_decodificador",
    "fonte alvo_entrada alvo_saida",
    "yuanwen yiwen_shuru yiwen_shuchu",
    "articles summaries_in summaries_out",
    "text headline next_words",
    "words answers decoder_targets",
]


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("turned", [False, True])
def test_names_that_people_use_are_sorted_in_any_order_of_the_file(names, turned):
    named = dict(zip(names.split(), (X, D, Y), strict=True))
    if turned:
        named = dict(reversed(named.items()))
    assert sorted_parts(named) == names.split()


@pytest.mark.parametrize(
    "names", [names for names in NAMES if names not in ("arr_0 arr_1 arr_2", "text headline next_words")]
)
@pytest.mark.parametrize("defect", ["copy", "two ahead", "behind"])
def test_names_are_sorted_where_the_shift_is_wrong(names, defect):
    broken = id_arrays(toy_pairs(80), defect=defect)
    named = dict(zip(names.split(), (broken[part] for part in ORDER), strict=True))
    assert set(sorted_parts(named)) == set(names.split())
    assert sorted_parts(named)[0] == names.split()[0]


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        ("x y", [None, "x", "y"]),
        ("y x", [None, "x", "y"]),
        ("inp targ", [None, "inp", "targ"]),
        ("trainX trainY", [None, "trainX", "trainY"]),
        ("pad_in pad_out", [None, "pad_in", "pad_out"]),
        ("data_train label_train", [None, "data_train", "label_train"]),
        ("german english", [None, "german", "english"]),
        ("eingabe ausgabe", [None, "eingabe", "ausgabe"]),
        ("ques ans", ["ques", None, "ans"]),
        ("source target", ["source", None, "target"]),
        ("encoder_input decoder_target", ["encoder_input", None, "decoder_target"]),
        ("encoder_input decoder_input", ["encoder_input", "decoder_input", None]),
        ("x_train y_train x_test y_test", [None, "x_train", "y_train"]),
    ],
)
def test_two_arrays_are_what_is_read_and_what_is_predicted(names, parts):
    arrays = {name: X if name in parts[:2] else Y[:, : X.shape[1]] for name in names.split()}
    assert sorted_parts(arrays) == parts


def test_the_models_inputs_tell_what_is_read_where_arrays_do_not_line_up():
    apart = np.random.default_rng(0).permutation(Y)
    named = {"one": X, "two": apart, "three": D}
    assert sorted_parts(named, ModelInputs(("one", "three"), 2)) == ["one", "three", "two"]
    assert sorted_parts(named, ModelInputs(("three",), 1))[1] == "three"


@pytest.mark.parametrize(
    ("label", "part"),
    [
        ("french", None),
        ("enc_in", "encoder_input"),
        ("decoder_tokens", "decoder_input"),
        ("input_layer", None),
        ("input_layer_1", None),
        ("input_2", None),
    ],
)
def test_an_inputs_name_is_read_by_whole_words(label, part):
    assert named_part(label) == part


def two_input_model(size=11):
    """An untrained encoder-decoder whose inputs are named by languages."""
    source = keras.Input((None,), dtype="int32", name="english")
    fed = keras.Input((None,), dtype="int32", name="french")
    state = keras.layers.GRU(8)(keras.layers.Embedding(size, 4)(source))
    hidden = keras.layers.GRU(8, return_sequences=True)(keras.layers.Embedding(size, 4)(fed), initial_state=state)
    return keras.Model([source, fed], keras.layers.Dense(size, activation="softmax")(hidden))


def test_arrays_with_the_names_of_the_models_inputs_feed_these():
    arrays = {"french": D, "english": X, "targets": Y}
    report = seq2seq.examine(arrays=arrays, train_model=two_input_model())
    assert "encoder_input is 'english'" in report.inferred
    assert "decoder_input is 'french'" in report.inferred
    assert "the model's inputs are english = 'english', french = 'french'" in report.inferred
    assert not {"D03", "D11"} & set(report.codes)


def test_arrays_that_the_user_lists_are_what_the_model_reads():
    arrays = {"a": Y, "b": D, "c": X, "lengths": X}
    report = seq2seq.examine(arrays=arrays, train_model=two_input_model(), inputs=["c", "b"])
    assert {"encoder_input is 'c'", "decoder_input is 'b'", "decoder_target is 'a'"} <= set(report.inferred)
    assert "array 'lengths' is not used" in report.inferred
    with pytest.raises(OptionError, match=r"--inputs: expected arrays that a model reads .*, got 'd'"):
        seq2seq.examine(arrays=arrays, train_model=two_input_model(), inputs=["c", "d"])

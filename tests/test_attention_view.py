"""What each output symbol attended to."""

import dataclasses

import numpy as np
import pytest

from seq2seq.api import load
from seq2seq.errors import OptionError
from seq2seq.inference.attention_view import view_attention
from seq2seq.search_config import DecodingConfig
from seq2seq.text.vocabulary import Vocabulary


def test_each_output_symbol_and_end_has_a_row_of_weights_that_sum_to_1(tiny_bundle):
    translator = load(tiny_bundle())
    (output,) = next(translator.outputs(["abcd."], DecodingConfig()))
    view = view_attention(translator.bundle, "abcd.", output.text)
    assert view.source == [*"abcd.", "<END>"]
    assert view.target == [*output.text, "<END>"]
    np.testing.assert_allclose(view.weights.sum(axis=1), np.ones(len(view.target)), atol=1e-5)


def test_an_outputs_ids_show_it_whatever_its_symbols_are_called(tiny_bundle):
    translator = load(tiny_bundle())
    (output,) = next(translator.outputs(["abcd."], DecodingConfig()))
    names = Vocabulary([f"<{number}>" for number in range(len(translator.target_vocabulary.symbols))])
    renamed = dataclasses.replace(translator.bundle, target_vocabulary=names)
    view = view_attention(renamed, "abcd.", output.token_ids)
    assert view.target == [*names.symbols_of(output.token_ids), "<END>"]
    np.testing.assert_array_equal(view.weights, view_attention(translator.bundle, "abcd.", output.text).weights)


def test_a_model_without_attention_has_none_to_show(tiny_bundle):
    bundle = load(tiny_bundle(attention="none")).bundle
    with pytest.raises(OptionError, match="has no attention to show; train with --attention luong or bahdanau"):
        view_attention(bundle, "abcd.", "cdab!")


def test_a_source_is_normalised_as_the_translator_normalises_it(tiny_bundle):
    bundle = load(tiny_bundle(data={"lowercase": True})).bundle
    plain = dataclasses.replace(bundle, record={**bundle.record, "source_form": {"clean": False}})
    for each in (bundle, plain):
        assert view_attention(each, "ABcd.\n", "cd").source == [*"abcd.", "<END>"]

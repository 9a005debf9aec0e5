"""How rows of an encoder are written, in examples that a reader can check by hand."""

import numpy as np
import pytest

from seq2seq.config import ModelConfig, decoder_starts
from seq2seq.decoding import State, select_rows
from seq2seq.inference.window_model import RestartingLanguageModel
from seq2seq.special import END, START, UNK
from seq2seq.text.source_layout import SourceForm


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ({}, [7, 8, END]),
        ({"after": (), "length": 4}, [7, 8, UNK, UNK]),
        ({"after": (), "length": 4, "fill": 9, "left": True}, [9, 9, 7, 8]),
        ({"after": (), "length": 1}, [7, 8]),
        ({"before": (START,), "reversed": True}, [START, 8, 7, END]),
    ],
    ids=str,
)
def test_a_row_is_written_as_the_form_says(form, row):
    written = SourceForm(**form)
    assert written.row([7, 8]) == row
    assert SourceForm.from_record({"source_form": written.to_dict()}) == written


def test_a_row_is_never_empty_and_a_record_without_a_form_has_the_form_of_this_package():
    assert SourceForm(after=()).row([]) == [UNK]
    assert SourceForm.from_record({}) == SourceForm()


def test_wiring_is_recorded_only_where_it_differs_from_that_of_this_package():
    plain, other = ModelConfig(layers=2), ModelConfig(layers=2, wiring="1,-", encoder_layers=3)
    assert not {"wiring", "bridge", "combine", "encoder_layers"} & set(plain.to_dict())
    assert ModelConfig.from_dict(other.to_dict(), where="here") == other
    assert (decoder_starts(plain), decoder_starts(other)) == ([0, 1], [1, None])


class Sum:
    """A model whose logits are the sum of all ids that it has read since it started."""

    def start(self, rows):
        return State([np.zeros((rows, 1))], ())

    def step(self, token_ids, state):
        total = state.rows[0] + token_ids[:, None]
        return total, State([total], ())


def test_a_restarting_model_knows_its_last_symbols_alone():
    model = RestartingLanguageModel(Sum(), 3)
    state, said = model.start(2), []
    for column in np.array([[1, 2, 3, 4, 5], [10, 20, 30, 40, 50]], np.int32).T:
        logits, state = model.step(column, state)
        said.append(logits[:, 0].tolist())
    assert said == [[1, 10], [3, 30], [6, 60], [9, 90], [12, 120]]
    logits, _ = model.read(np.array([[7, 8]], np.int32), select_rows(state, np.array([1])))
    assert logits.tolist() == [[50 + 7 + 8]]
    # texts that have read unequally much
    uneven = State([np.array([[-1, -1, 4], [1, 2, 3]], np.int32)], ())
    assert model.step(np.array([1, 1], np.int32), uneven)[0][:, 0].tolist() == [5, 6]

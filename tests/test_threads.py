import threading

import numpy as np
import pytest
from tiny_language import make_model

from seq2seq.api import load
from seq2seq.cores import core_count
from seq2seq.inference.threads import blas_threads, single_threaded_products, spread
from seq2seq.inference.translator import Translator
from seq2seq.search_config import DecodingConfig


@pytest.fixture
def blas():
    """The number of threads of a product, 2 for the time of a test."""
    found = blas_threads()
    if found is None:
        pytest.skip("NumPy comes with another library than OpenBLAS here")
    before = found.get()
    found.set(2)
    yield found
    found.set(before)


def test_results_come_in_the_order_of_the_items_whatever_finishes_first():
    second_done = threading.Event()

    def work(item):
        if item == "first":
            assert second_done.wait(300)
        else:
            second_done.set()
        return item.upper()

    assert spread(work, ["first", "second"], workers=2) == ["FIRST", "SECOND"]


def test_one_worker_needs_no_thread():
    assert spread(lambda item: (item, threading.current_thread()), [1, 2], workers=1) == [
        (1, threading.main_thread()),
        (2, threading.main_thread()),
    ]


def test_an_error_of_one_item_reaches_the_caller():
    def work(item):
        if item == 2:
            raise ValueError("item 2")
        return item

    with pytest.raises(ValueError, match="item 2"):
        spread(work, [1, 2, 3], workers=2)


def test_products_have_one_thread_inside_and_as_many_as_before_outside(blas):
    with single_threaded_products():
        assert blas.get() == 1
        with single_threaded_products():
            assert blas.get() == 1
        assert blas.get() == 1
        assert np.allclose(np.eye(300) @ np.eye(300), np.eye(300))
    assert blas.get() == 2


class CountingThreads:
    """A language model that notes how many threads each of its steps has."""

    def __init__(self, inner, blas):
        self.inner, self.blas, self.seen = inner, blas, []

    def start(self, rows):
        return self.inner.start(rows)

    def step(self, token_ids, state):
        self.seen.append(self.blas.get())
        return self.inner.step(token_ids, state)


def test_a_paused_stream_leaves_products_their_threads(tmp_path, blas):
    model = make_model(tmp_path / "text")
    model.runtime = CountingThreads(model.runtime, blas)
    stream = model.stream("The ferry", length=20, seed=1)
    for _ in range(5):
        next(stream)
        assert blas.get() == 2
    assert len("".join(stream)) > 0
    assert blas.get() == 2
    assert len(model.runtime.seen) > 20 and set(model.runtime.seen) == {1}


def test_there_is_a_core():
    assert core_count() >= 1


def test_lines_decoded_side_by_side_say_what_they_say_alone(tiny_bundle, monkeypatch):
    folder = tiny_bundle(hidden_size=16)
    lines = [f"{'abcdefgh'[index % 8 :: 2]}{'ijklmnop'[: index % 5]}." for index in range(300)]
    alone = [load(folder).translate([line])[0] for line in lines[:20]]
    monkeypatch.setattr("seq2seq.inference.translator.core_count", lambda: 3)
    together = load(folder)
    assert isinstance(together, Translator)
    for options in ({}, {"beam_size": 3}, {"temperature": 1.0, "seed": 3}, {"batch_size": 7}):
        said = together.translate(lines, **options)
        monkeypatch.setattr("seq2seq.inference.translator.core_count", lambda: 1)
        assert said == together.translate(lines, **options)
        monkeypatch.setattr("seq2seq.inference.translator.core_count", lambda: 3)
    assert together.translate(lines)[:20] == alone


def test_lines_of_several_inputs_keep_their_own_numbers(tiny_bundle):
    translator = load(tiny_bundle(hidden_size=16))
    lines = ["abcd.", "efgh.", "ijkl."]
    for config in (
        DecodingConfig(),
        DecodingConfig(beam_size=3, n_best=2),
        DecodingConfig(temperature=1.0, seed=3, n_best=2),
    ):
        alone = [
            translator.decode_chunk([line], config, first_line=number)[0]
            for line, number in zip(lines, (1, 1, 7), strict=True)
        ]
        together = translator.decode_chunk(lines, config, numbers=[1, 1, 7])
        assert [[each.text for each in several] for several in together] == [
            [e.text for e in several] for several in alone
        ]
        assert [several[0].line for several in together] == [1, 1, 7]

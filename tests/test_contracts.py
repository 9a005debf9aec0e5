"""Every public array function states dtypes and shapes, and calls in these tests are held to what is stated."""

import importlib
import pkgutil
import re
import sys
import types

import numpy as np
import pytest
from contracts import checked, contracts_of, functions_of, hold

import seq2seq
from seq2seq.decoding.draws import inverse_cdf
from seq2seq.text.batches import TeacherForced, teacher_force

FOREIGN = ("adoption", "diagnosis", "foreign")  # rooms for other people's arrays, which may have any dtype and shape


def held(function):
    return checked(function, contracts_of(function, function.__doc__))


@held
def pick(table: np.ndarray, ids: np.ndarray, count: int = 1, bias: np.ndarray | None = None) -> np.ndarray:
    """Returns chosen rows.

    Args:
        table: float (V, H).
        ids: int32 (T + 1,), of which the first
            is START.
        count: how many.
        bias: float64 (count, B x H), or None.

    Returns:
        float32 (T, H).

    """
    return table[ids[1:]].astype(np.float32)


TABLE, IDS = np.ones((5, 3)), np.array([1, 2, 3, 4])


def test_a_call_that_keeps_its_contract_passes():
    assert pick(TABLE, IDS, 2, np.ones((2, 6))).shape == (3, 3)
    assert pick(TABLE.astype(np.float32), ids=IDS.astype(np.uint8), count=2, bias=None).shape == (3, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((TABLE.astype(int), IDS), r"pick, table: expected float \(V, H\), got int64 \(5, 3\); no length known"),
        ((TABLE, IDS.astype(float)), r"pick, ids: expected int32 \(T \+ 1,\), got float64 \(4,\)"),
        ((TABLE[0], IDS), r"pick, table: expected float \(V, H\), got float64 \(3,\)"),
        ((TABLE, IDS[:, None]), r"pick, ids: expected int32 \(T \+ 1,\), got int64 \(4, 1\)"),
        ((TABLE, IDS, 3, np.ones((2, 6))), r"pick, bias: expected float64 \(count, B x H\).*count = 3"),
        ((TABLE, IDS, 2, np.ones((2, 7))), r"pick, bias: .*got float64 \(2, 7\); .*H = 3"),
    ],
)
def test_a_wrong_dtype_axis_count_or_length_is_caught(arguments, message):
    with pytest.raises(AssertionError, match=message):
        pick(*arguments)


def result_of(value):
    @held
    def f(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
        """Takes one bool (..., N) and other integer ids (..., N - 1); returns float32 (..., N) and int64 (N,)."""
        return value, 0, np.zeros(4, np.int64)

    return f


ONE, OTHER = np.ones((2, 4), bool), np.ones((2, 3), int)


@pytest.mark.parametrize(
    "wrong", [np.ones((2, 4)), np.ones((2, 3), np.float32), np.ones((3, 4), np.float32), np.ones(4, np.float32)]
)
def test_a_result_has_exactly_the_dtype_and_the_lengths_that_are_stated(wrong):
    assert result_of(np.ones((2, 4), np.float32))(ONE, OTHER)
    with pytest.raises(AssertionError, match=r"f, result: expected float32 \(\.\.\., N\), got"):
        result_of(wrong)(ONE, OTHER)


def test_two_lengths_of_one_letter_are_caught_across_parameters():
    with pytest.raises(AssertionError, match=r"f, other: .* got int64 \(2, 4\); \.\.\. = \(2,\), N = 4 known"):
        result_of(None)(ONE, np.ones((2, 4), int))


def test_the_fields_of_a_tuple_and_the_methods_of_a_class_are_held():
    class Module(types.ModuleType):
        pass

    class Reader:
        """Reads."""

        @classmethod
        def of(cls, ids: np.ndarray) -> np.ndarray:
            """Takes int (N,); returns int (N,)."""
            return ids[1:]

    module = Module("here")
    module.Reader = Reader
    Reader.__module__ = "here"
    hold(module)
    with pytest.raises(AssertionError, match=r"Reader\.of, result: expected int \(N,\), got int64 \(3,\); N = 4"):
        Reader.of(IDS)
    with pytest.raises(AssertionError, match=r"weights: expected float32 \(B, T\), got float64 \(1, 3\); B = 1, T = 2"):
        TeacherForced(np.ones((1, 2), int), np.ones((1, 2), int), np.ones((1, 3)))


def test_an_array_without_a_contract_is_named():
    def f(one: np.ndarray, other: "np.ndarray | None", names: dict[str, np.ndarray]) -> np.ndarray:
        """Returns something.

        Args:
            one: float32 (N,).
            other: no shape.
            names: arrays.

        """

    assert contracts_of(f, f.__doc__).lacking == ["other", "result 0"]


def test_the_package_is_held_in_this_suite():
    with pytest.raises(
        AssertionError, match=r"teacher_force, target_ids: expected int32 \(B, T \+ 1\), got int64 \(3,\)"
    ):
        teacher_force(np.array([1, 2, 3]))
    with pytest.raises(AssertionError, match=r"inverse_cdf, logits: expected float64 \(\.\.\., J, V\), got int64"):
        inverse_cdf(np.array([[0, 0]]), np.array([0.5]))


def modules():
    for found in pkgutil.walk_packages(seq2seq.__path__, "seq2seq."):
        room = found.name.split(".")[1]
        if room not in FOREIGN and not found.name.endswith("__main__"):
            yield found.name


def test_every_public_array_function_states_dtypes_and_shapes():
    lacking, stated = {}, 0
    for name in modules():
        for _, _, function, text in functions_of(importlib.import_module(name)):
            contracts = contracts_of(function, text)
            stated += len(contracts.parameters) + len(contracts.results)
            private = re.search(r"(^|\.)_(?!_)", function.__qualname__)
            if contracts.lacking and not private:
                lacking[f"{name}.{function.__qualname__}"] = contracts.lacking
    assert not lacking, "state dtype and axes of these in the docstring, such as `int32 (B, T)`"
    assert stated > 100  # the arrays were found


def test_the_program_itself_knows_nothing_of_contracts():
    assert "contracts" in sys.modules
    assert not any("contracts" in vars(importlib.import_module(name)) for name in modules())

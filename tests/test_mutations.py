"""Breaks a copy of the package in the ways users do, and sees tests/test_copy_bug.py fail by an assertion.

A mutation names a function and a piece of its code. Both are compared as syntax trees, so that neither line breaks nor
comments matter; where the function or the piece is gone, or stands there twice, the mutation says so.
"""

import ast
import os
import re
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import seq2seq

if sys.platform != "linux":
    pytest.skip("forks of a process that has imported TensorFlow are safe on Linux alone", allow_module_level=True)

from tests.forked import Forked, changes_import

TESTS = Path(__file__).resolve().parent
PACKAGE = Path(seq2seq.__file__).resolve().parent


class Mutation(NamedTuple):
    function: str  # room.module.function, or room.module.Class.method
    old: str  # an expression or statement, which occurs once in the function
    new: str
    must_fail: str  # the test that bites


# as in conftest.py here
PLAIN_GRAPHS = """
from seq2seq.models.backend import tf

tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
"""
STEP = "inference.keras_runtime.KerasTranslator._step"
MUTATIONS = {
    "a: no shift": Mutation(
        "text.batches.shift", "return ids[:, :-1], ids[:, 1:]", "return ids[:, 1:], ids[:, 1:]", "targets_lead_inputs"
    ),
    "b: copy bug let through": Mutation(
        "text.shift_check.check_shift", "best == 0 and shares[0] > shares[1]", "best == 9", "refused_by_name"
    ),
    "b: nothing is learnt": Mutation(
        "models.step.make_update", "optimizer.apply(summed, variables)", "None", "learns_to_translate"
    ),
    "c: wrong shift let through": Mutation(
        "text.shift_check.check_shift", "best != 1 and shares[best] > shares[1]", "best == 9", "two_steps_ahead"
    ),
    "c: missing START let through": Mutation(
        "text.batches.teacher_force", "target_ids[:, 0] != START", "target_ids[:, 0] < 0", "missing_start"
    ),
    "c: padding counts": Mutation(
        "text.batches.teacher_force", "targets != PAD", "targets == targets", "padding_that_counts"
    ),
    "d: states are not carried": Mutation(
        STEP, "State([DeviceRows(tensor) for tensor in after], state.shared)", "state", "stepwise"
    ),
    "d: h and c are swapped": Mutation(
        STEP,
        "State([DeviceRows(tensor) for tensor in after], state.shared)",
        "State([DeviceRows(tensor) for tensor in reversed(after)], state.shared)",
        "stepwise and lstm",
    ),
    "e: padding enters the encoder's state": Mutation(
        "models.recurrent.LSTM.inner_loop",
        "tf.maximum(lengths_of(mask) - 1, 0)",
        "0 * lengths_of(mask) + tf.shape(sequences)[1] - 1",
        "extra_padding and lstm and False-none",
    ),
    "e: attention looks at padding": Mutation(
        "models.attention.Attention.call",
        "ops.where(ops.expand_dims(real, 1), scores, -1e9)",
        "scores",
        "extra_padding and luong",
    ),
}


def body_of(tree, path):
    """Finds the function or class that a name such as Class.method means, among the nodes of a syntax tree."""
    for name in path:
        kinds = (ast.FunctionDef, ast.ClassDef)
        named = [node for node in tree.body if isinstance(node, kinds) and node.name == name]
        if len(named) != 1:
            return None
        (tree,) = named
    return tree


def parsed(code):
    """The syntax tree of an expression, or of one statement that is none."""
    (statement,) = ast.parse(code).body
    return statement.value if isinstance(statement, ast.Expr) else statement


def mutate(package, mutation):
    """Returns the file that a mutation is about, and its source with the change."""
    room, module, *path = mutation.function.split(".")
    file = package / room / f"{module}.py"
    assert file.exists(), f"{mutation.function}: there is no file {room}/{module}.py"
    source = file.read_text(encoding="utf-8")
    function = body_of(ast.parse(source), path)
    assert function, f"{mutation.function}: {room}/{module}.py has no {'.'.join(path)}"
    wanted = ast.dump(parsed(mutation.old))
    found = [node for node in ast.walk(function) if ast.dump(node) == wanted]
    assert len(found) == 1, f"{mutation.function}: expected {mutation.old!r} once, got it {len(found)} times"
    (node,) = found
    lines = source.encode().splitlines(keepends=True)
    begin = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    return file, (source.encode()[:begin] + mutation.new.encode() + source.encode()[end:]).decode()


@pytest.fixture(scope="module")
def forked(tmp_path_factory):
    """A copy of the package, and a process that has collected tests/test_copy_bug.py with it."""
    tree = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, tree / "seq2seq", ignore=shutil.ignore_patterns("__pycache__", "_bundled"))
    (tree / "tests").mkdir()
    for name in ("test_copy_bug.py", "forked_server.py"):
        shutil.copy(TESTS / name, tree / "tests")
    (tree / "tests" / "conftest.py").write_text(PLAIN_GRAPHS)
    with Forked(tree, ["tests/test_copy_bug.py"], "-c", os.devnull) as forked:
        yield forked


def test_a_mutation_applies_whatever_the_layout_of_the_code(tmp_path):
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "one.py").write_text(
        'class A:\n    def f(self, é):\n        "é"; return (  # why\n            é [ 0 ],\n            1)\n\nb = 2\n'
    )
    (tmp_path / "room" / "three.py").write_text("def f(a, b):\n    return a + b, (a  + b)\n")
    file, source = mutate(tmp_path, Mutation("room.one.A.f", "return é[0], 1", "return 3", ""))
    assert file == tmp_path / "room" / "one.py"
    assert source == 'class A:\n    def f(self, é):\n        "é"; return 3\n\nb = 2\n'
    for function, old, message in (
        ("room.two.f", "1", "room.two.f: there is no file room/two.py"),
        ("room.one.f", "1", "room.one.f: room/one.py has no f"),
        ("room.one.A.f", "b = 2", "room.one.A.f: expected 'b = 2' once, got it 0 times"),
        ("room.three.f", "a + b", "room.three.f: expected 'a + b' once, got it 2 times"),
    ):
        with pytest.raises(AssertionError, match=re.escape(message)):
            mutate(tmp_path, Mutation(function, old, "", ""))


def test_the_package_passes_as_it_is(forked):
    path, _ = mutate(forked.tree / "seq2seq", MUTATIONS["a: no shift"])
    assert forked.run(path, path.read_text(encoding="utf-8"), forked.names[:2], cpu_seconds=60) == (0, "")


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_mutated_package_fails_by_an_assertion(name, forked):
    mutation = MUTATIONS[name]
    path, source = mutate(forked.tree / "seq2seq", mutation)
    assert not changes_import(path.read_text(encoding="utf-8"), source)
    words = mutation.must_fail.split(" and ")
    names = [name for name in forked.names if all(word in name for word in words)]
    assert names, f"no test of {mutation.must_fail}"
    code, text = forked.run(path, source, names, cpu_seconds=120)
    assert code == 1, f"{name}: {text or code}"
    assert re.search(r"^E +(AssertionError|assert |Failed: DID NOT RAISE)", text, re.MULTILINE), text
    assert "test_copy_bug.py" in text and "ImportError" not in text

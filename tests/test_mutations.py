"""Breaks a copy of the package in the ways users do, and sees tests/test_copy_bug.py fail by an assertion."""

import re
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

import seq2seq
from tests.warm_pytest import WarmPytest

TESTS = Path(__file__).resolve().parent
PACKAGE = Path(seq2seq.__file__).resolve().parent


class Mutation(NamedTuple):
    old: str  # occurs once in the whole package, in whichever file
    new: str
    must_fail: str  # the test that bites


MUTATIONS = {
    "a: no shift": Mutation("return ids[:, :-1], ids[:, 1:]", "return ids[:, 1:], ids[:, 1:]", "targets_lead_inputs"),
    "b: copy bug let through": Mutation("if best == 0 and shares[0] > shares[1]:", "if best == 9:", "refused_by_name"),
    "b: nothing is learnt": Mutation("optimizer.apply(summed, variables)", "pass", "learns_to_translate"),
    "c: wrong shift let through": Mutation(
        "if best != 1 and shares[best] > shares[1]:", "if best == 9:", "two_steps_ahead"
    ),
    "c: missing START let through": Mutation(
        "np.flatnonzero(target_ids[:, 0] != START)",
        "np.flatnonzero(target_ids[:, 0] < 0)",
        "missing_start",
    ),
    "c: padding counts": Mutation(
        "(targets != PAD).astype(np.float32)", "np.ones(targets.shape, np.float32)", "padding_that_counts"
    ),
    "d: states are not carried": Mutation(
        "State([DeviceRows(tensor) for tensor in after], state.shared)",
        "state",
        "stepwise",
    ),
    "d: h and c are swapped": Mutation(
        "State([DeviceRows(tensor) for tensor in after], state.shared)",
        "State([DeviceRows(tensor) for tensor in reversed(after)], state.shared)",
        "stepwise",
    ),
    "e: padding enters the encoder's state": Mutation(
        "tf.maximum(lengths_of(mask) - 1, 0)",
        "0 * lengths_of(mask) + tf.shape(sequences)[1] - 1",
        "extra_padding",
    ),
    "e: attention looks at padding": Mutation(
        "ops.where(ops.expand_dims(real, 1), scores, -1e9)", "scores", "extra_padding"
    ),
}


def mutate(package, mutation):
    """Replaces the one place of the package that a mutation is about."""
    sources = {path: path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py"))}
    holding = {path: source.count(mutation.old) for path, source in sources.items() if mutation.old in source}
    places = {path.relative_to(package).as_posix(): count for path, count in holding.items()}
    assert sum(holding.values()) == 1, f"expected {mutation.old!r} once in the package, got it in {places or 'no file'}"
    (path,) = holding
    path.write_text(sources[path].replace(mutation.old, mutation.new), encoding="utf-8")


def test_a_mutation_finds_its_file_by_its_words_and_refuses_none_or_several(tmp_path):
    room = tmp_path / "room"
    room.mkdir()
    (room / "one.py").write_text("a = 1\nb = 2\n")
    (room / "other.py").write_text("b = 2\n")
    mutate(tmp_path, Mutation("a = 1", "a = 3", ""))
    assert (room / "one.py").read_text() == "a = 3\nb = 2\n"
    with pytest.raises(AssertionError, match=r"expected 'a = 1' once in the package, got it in no file"):
        mutate(tmp_path, Mutation("a = 1", "", ""))
    with pytest.raises(AssertionError, match=r"once .* got it in \{'room/one.py': 1, 'room/other.py': 1\}"):
        mutate(tmp_path, Mutation("b = 2", "", ""))


@pytest.fixture(scope="module")
def warm():
    with WarmPytest() as warm:
        yield warm


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_mutated_package_fails_by_an_assertion(name, tmp_path, warm):
    mutation = MUTATIONS[name]
    shutil.copytree(PACKAGE, tmp_path / "seq2seq", ignore=shutil.ignore_patterns("_bundled"))
    shutil.copy(TESTS / "test_copy_bug.py", tmp_path)
    mutate(tmp_path / "seq2seq", mutation)
    code, output = warm.run(tmp_path, "test_copy_bug.py", mutation.must_fail)
    assert code == 1, output  # tests ran and failed; 2 and above: they could not run
    assert re.search(r"^E +(AssertionError|assert |Failed: DID NOT RAISE)", output, re.MULTILINE), output
    assert "ImportError" not in output
    assert "test_copy_bug.py" in output


def test_what_runs_is_the_copy_of_the_package(tmp_path, warm):
    shutil.copytree(PACKAGE, tmp_path / "seq2seq", ignore=shutil.ignore_patterns("_bundled"))
    (tmp_path / "test_place.py").write_text(
        "import seq2seq.models.translator as found\n\n"
        f"def test_place():\n    assert found.__file__.startswith({str(tmp_path)!r})\n"
    )
    code, output = warm.run(tmp_path, "test_place.py", "place")
    assert code == 0, output

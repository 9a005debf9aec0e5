"""The mutation run's own parts: which mutants there are, how they are drawn, which tests they meet, how it counts."""

import ast
import re

import pytest

pytest.importorskip("cosmic_ray")

from tests.mutants import (
    EQUIVALENT,
    Mutant,
    all_mutants,
    changed_lines,
    draw,
    equivalents,
    interval,
    mutants_of,
    mutated,
    operators,
)
from tests.mutation_run import ROOT, LineMap, files_of, imported_by, ranges, report

SOURCE = """def f(a: int | None, b: list[int] = [3]) -> int | str:
    c: int | None = a + 1
    return c
"""


def test_places_are_operators_and_numbers_but_not_annotations():
    places = mutants_of("text/f.py", SOURCE, operators())
    assert sorted(places) == [(1, 37), (2, 22), (2, 24)]
    assert len(places[2, 22]) == 11  # the other binary operators
    assert len(places[2, 24]) == 2  # one more, one less
    changed = {mutated(mutant, SOURCE).splitlines()[1].split("=")[1].strip() for mutant in places[2, 24]}
    assert {re.sub(" +", " ", text) for text in changed} == {"a + 2", "a + 0"}
    assert changed_lines(SOURCE, SOURCE.replace("return c", "return a")) == ("return c", "return a")


@pytest.fixture(scope="module")
def found():
    return all_mutants(ROOT / "seq2seq", ("decoding", "bundle"))


def test_a_larger_draw_contains_a_smaller_one_and_rooms_have_equal_shares(found):
    few, many = draw(found, 10, 1), draw(found, 30, 1)
    assert few == many[:10]
    assert [mutant.room for mutant in many].count("bundle") == 15
    assert len({(mutant.file, mutant.line, mutant.column) for mutant in many}) == 30
    assert draw(found, 10, 2) != few == draw(found, 10, 1)


def test_each_mutant_that_is_drawn_changes_its_line_alone(found):
    for mutant in draw(found, 30, 3):
        source = (ROOT / "seq2seq" / mutant.file).read_text(encoding="utf-8")
        before, after = changed_lines(source, mutated(mutant, source))
        assert before != after and source.splitlines()[mutant.line - 1].strip() in before


def test_a_mutant_meets_the_tests_of_its_line_or_of_what_is_around_it_and_those_that_import_it_first():
    seconds = {"a::quick": 0.1, "a::slow": 5.0, "a::slowest": 50.0, "b::one": 1.0, "b::two": 2.0, "c::other": 0.0}
    lines = {2: {"a::quick", "a::slow", "a::slowest"}, 5: {"b::one", "b::two", "c::other"}, 9: {"c::other"}}
    tests = LineMap(seconds, {"text/f.py": lines}, {"a": {"seq2seq.text.f"}, "b": {"seq2seq.text.f"}, "c": set()})
    tree = ast.parse(SOURCE)
    assert tests.of(Mutant("text/f.py", "", 0, 2, 0), tree, 56) == ["a::quick", "a::slow"]  # 50 seconds for fixtures
    assert tests.of(Mutant("text/f.py", "", 0, 2, 0), tree, 0.01) == ["a::quick"]
    assert tests.of(Mutant("text/f.py", "", 0, 3, 0), tree, 1) == ["a::quick"]  # by the function
    assert tests.of(Mutant("text/f.py", "", 0, 5, 0), tree, 10) == ["b::one", "b::two", "c::other"]
    assert tests.of(Mutant("text/f.py", "", 0, 5, 0), tree, 4) == ["b::one", "c::other"]
    everything = ["b::one", "b::two", "a::quick", "a::slow", "a::slowest", "c::other"]
    assert tests.of(Mutant("text/f.py", "", 0, 5, 0), tree, 200) == everything  # a runs another line, and imports it
    assert tests.of(Mutant("text/f.py", "", 0, 90, 0), tree, 3) == ["b::one", "c::other"]  # by the file
    assert tests.of(Mutant("text/g.py", "", 0, 2, 0), tree, 10) == []
    assert list(ranges(tree, 2)) == [(2, 2), (2, 2), (1, 3), (1, 10**6)]


def test_what_a_test_file_imports_is_found(tmp_path):
    (tmp_path / "a.py").write_text("import seq2seq.text.f\nfrom seq2seq.text import g, h as i\n")
    assert imported_by(tmp_path / "a.py") >= {"seq2seq.text.f", "seq2seq.text.g", "seq2seq.text.h"}


def test_the_interval_is_the_one_of_wilson():
    assert interval(0, 0) == (0.0, 1.0)
    low, high = interval(9, 10)
    assert low == pytest.approx(0.5958, abs=1e-4) and high == pytest.approx(0.9821, abs=1e-4)
    assert interval(10, 10)[1] == 1.0


def test_the_report_counts_by_room_and_shows_what_no_test_found():
    outcomes = ["killed", "timed out", "survived", "equivalent", "no test"]
    results = [{"room": "text", "outcome": outcome, "diff": f"- {outcome}"} for outcome in outcomes]
    results.append({"room": "bundle", "outcome": "killed", "diff": "-"})
    lines = report(results).splitlines()
    assert lines[1].split()[:7] == ["text", "5", "1", "1", "1", "1", "1"]
    assert "50.0% found" in lines[1] and "100.0% found" in lines[2]
    assert lines[3].split()[:3] == ["all", "6", "2"] and "60.0% found, 95 % interval 23.1% to 88.2%" in lines[3]
    assert lines[5:] == ["survived:", "- survived", "", "no test:", "- no test"]


def test_the_list_of_equivalent_mutants_names_code_that_is_there():
    for (file, before, _), reason in equivalents().items():
        lines = [line.strip() for line in (ROOT / "seq2seq" / file).read_text(encoding="utf-8").splitlines()]
        assert set(before.splitlines()) <= set(lines), f"{EQUIVALENT.name}: {file} has no line {before!r} any more"
        assert reason.strip()


def test_named_test_files_take_part_and_unknown_ones_are_refused():
    assert files_of(["search"]) == ["tests/test_search.py"]
    assert "tests/test_vocabulary.py" in files_of(None) and "tests/test_page.py" not in files_of(None)
    with pytest.raises(SystemExit, match="--tests: expected names of test files, such as search, got nonsense"):
        files_of(["nonsense"])

"""The file of the oldest versions says what pyproject.toml says, and a workflow runs the tests with them."""

import sys
import tomllib

import pytest
import yaml

from tests import oldest


def test_the_file_holds_the_lower_bounds_of_pyproject():
    project = tomllib.loads((oldest.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert oldest.FILE.read_text(encoding="utf-8") == oldest.text_of(project), "run python -m tests.oldest --write"
    names = {line.partition("==")[0] for line in oldest.oldest_versions(project)}
    assert {"numpy", "keras", "tensorflow-cpu", "fastapi", "pytest"} <= names


@pytest.mark.parametrize(
    ("requirement", "line"),
    [
        ("numpy>=1.26,<3", "numpy==1.26"),
        ("mkdocstrings[python]>=0.27", "mkdocstrings==0.27"),
        ("tensorflow>=2.19,<2.22; sys_platform != 'linux'", "tensorflow==2.19; sys_platform != 'linux'"),
    ],
)
def test_a_lower_bound_becomes_a_version(requirement, line):
    assert oldest.oldest_of(requirement) == line


def test_a_requirement_without_a_lower_bound_is_refused():
    with pytest.raises(SystemExit, match=r"expected a lower bound, such as name>=1.2, got 'numpy<3'"):
        oldest.oldest_of("numpy<3")


def test_each_test_file_that_it_runs_is_there():
    missing = [name for name in oldest.TESTS if not (oldest.ROOT / "tests" / f"test_{name}.py").exists()]
    assert not missing


def test_another_python_is_refused_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "version_info", (3, 13, 1))
    assert oldest.main([]) == 2
    assert capsys.readouterr().err == "oldest: error: expected Python 3.11, got 3.13; run it with python3.11\n"


def test_a_workflow_runs_the_audit_and_the_oldest_versions():
    workflow = yaml.safe_load((oldest.ROOT / ".github" / "workflows" / "dependencies.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    runs = [step["run"] for step in job["steps"] if "run" in step]
    assert runs == ["make audit PYTHON=python ARGS=--if-reachable", "make oldest PYTHON=python"]
    (python,) = [step["with"]["python-version"] for step in job["steps"] if "with" in step]
    assert python == "3.11"
    makefile = (oldest.ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("audit", "oldest", "mutation"):
        module = "mutation_run" if target == "mutation" else target
        assert f"\n{target}: $(STAMP)" in makefile and f"\t@$(PY) -m tests.{module} $(ARGS)\n" in makefile

"""The files around the package: what a contributor, a packager and a public CI read, and that they say one thing."""

import importlib.resources
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

import seq2seq

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSIONS = ["3.11", "3.12", "3.13"]


def commands_of(target):
    """The commands of a Makefile's target, after the environment's Python."""
    recipe = re.search(rf"^{target}:.*\n\t@(.*)\n", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1]
    return [command.strip().removeprefix("$(PY) ").removesuffix(" $(ARGS)") for command in recipe.split("&&")]


def checks():
    """The targets that .ci/run makes."""
    return re.findall(r"^make (\w+)$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_projects_check_is_lint_and_test():
    assert checks() == ["lint", "test"]
    assert commands_of("lint") == ["-m ruff check .", "-m ruff format --check .", "-m mypy"]
    assert commands_of("test") == ["-m pytest -q -n 2 --dist loadfile --no-loadscope-reorder"]


def test_pre_commit_runs_the_style_commands_of_the_projects_check():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (repository,) = config["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == [
        f".venv/bin/python {command}" for command in commands_of("lint")
    ]
    for hook in repository["hooks"]:
        assert hook["language"] == "system" and hook["pass_filenames"] is False, hook["id"]


def workflow_job():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert {"push", "pull_request"} == set(workflow[True])  # YAML 1.1 reads the key `on` as true
    (job,) = workflow["jobs"].values()
    return job


def test_the_workflow_runs_the_projects_check_on_each_system_and_python():
    job = workflow_job()
    systems = {name.split("-")[0] for name in job["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "macos", "windows"}
    assert job["strategy"]["matrix"]["python"] == VERSIONS
    runs = {True: [], False: []}
    for step in job["steps"]:
        if "run" in step:
            runs[step["if"] == "runner.os == 'Windows'"].append(step["run"])
            assert step["if"] in ("runner.os == 'Windows'", "runner.os != 'Windows'")
    assert runs[False] == [f"make {target} PYTHON=python" for target in checks()]
    install, *rest = runs[True]
    assert install == "python -m pip install -e '.[dev]'"
    assert rest == [f"python {command}" for target in checks() for command in commands_of(target)]


def test_the_versions_of_python_are_the_same_everywhere():
    project = PROJECT["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    named = [text.rsplit(" ", 1)[1] for text in project["classifiers"] if re.search(r"Python :: 3\.\d+$", text)]
    assert named == VERSIONS


def test_the_package_says_that_it_is_typed():
    assert importlib.resources.files("seq2seq").joinpath("py.typed").is_file()
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["seq2seq"] and not {"exclude", "include", "only-include"} & set(wheel)
    assert "Typing :: Typed" in PROJECT["project"]["classifiers"]


def test_the_citation_has_the_required_keys_and_the_projects_version_and_licence():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] == [{"name": "The seq2seq developers"}]
    assert citation["version"] == PROJECT["project"]["version"] == seq2seq.__version__
    assert citation["license"] == PROJECT["project"]["license"]


def test_the_changelog_names_the_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[?([^\]\n]+)\]?(?:: | - )?(.*)$", text, re.MULTILINE)
    assert PROJECT["project"]["version"] in " ".join(versions[0])
    assert "### Added" in text and "### Fixed" in text


def test_what_a_contributor_is_told_to_run_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^make (\w+)", text, re.MULTILINE))
    assert {"setup", "test", "lint", "bench"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in set(re.findall(r"`(tests/\w+(?:\.py)?|data/README\.md|\.ci/run)`", text)):
        assert (ROOT / path).exists(), path


def test_the_security_section_names_options_and_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = re.search(r"^## Security\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)[1]
    parsers = [ROOT / "seq2seq" / name for name in ("serve.py", "cli/shell.py", "serving/limits.py")]
    known = "".join(path.read_text(encoding="utf-8") for path in parsers)
    for option in re.findall(r"`--([\w-]+)`", section):
        name = option.replace("-", "_")
        assert f'"--{option}"' in known or f"{name}: " in known, option
    limits = (ROOT / "seq2seq" / "serving" / "limits.py").read_text(encoding="utf-8")
    for name in re.findall(r"^    (\w+): \w.*= option\(", limits, re.MULTILINE):
        assert f"`--{name.replace('_', '-')}`" in section, name
    # what no pickle means: no module of the package imports it, and NumPy may not use it
    for path in (ROOT / "seq2seq").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(import|from) (pickle|cPickle|dill|joblib|marshal|shelve)\b", source, re.MULTILINE)
        for call in re.findall(r"np\.load\([^)]*\)", source):
            assert "allow_pickle=False" in call, path


@pytest.mark.parametrize(
    ("target", "given", "expected"),
    [
        ("train", {"DATA": "it's \"so\".tsv", "MODEL": "a b", "ARGS": "--epochs 3"},
         ["-m", "seq2seq.train", "--data", "it's \"so\".tsv", "--model", "a b", "--epochs", "3"]),
        ("train", {}, ["-m", "seq2seq.train", "--data", "fra-eng"]),
        ("data", {"DATA": "ita-eng", "FILE": "l'italien.zip"},
         ["-m", "seq2seq.data", "ita-eng", "--file", "l'italien.zip"]),
        ("decode", {"MODEL": "l'essai"}, ["-m", "seq2seq.decode", "--model", "l'essai"]),
        ("decode", {}, ["-m", "seq2seq.decode"]),
        ("pretrained", {"MODEL": "dates", "FILE": "it's.zip"},
         ["-m", "data.pretrained", "dates", "--file", "it's.zip"]),
    ],
)  # fmt: skip
def test_make_hands_names_on_as_they_are(tmp_path, target, given, expected):
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    python.chmod(0o755)
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / ".venv" / ".installed").touch()
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text(encoding="utf-8"))
    command = ["make", target, *(f"{name}={value}" for name, value in given.items())]
    others = ("DATA", "MODEL", "FILE", "ARGS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # of the `make test` that runs this
    environment = {name: value for name, value in os.environ.items() if name not in others}
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert result.stdout.splitlines() == expected, result.stderr

"""What a plain installation brings is all that the package imports, apart from the picture of a sweep and the hub."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# what an extra brings: the extra, and the files that may import it
EXTRAS = {"matplotlib": ("plots", ("plots.py", "png.py")), "huggingface_hub": ("hub", ("transfer.py",))}


def name_of(requirement):
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def foreign_imports():
    """Yields (package, file) of each import of what is neither Python's nor ours, inside functions too."""
    for path in sorted((ROOT / "seq2seq").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for package in {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"seq2seq"}:
                yield package, path.name


def test_every_import_is_installed_with_the_package():
    declared = {name_of(requirement) for requirement in project()["dependencies"]}
    # what Keras needs itself is installed with it, such as h5py, in whose files it keeps models
    keras = {name_of(one) for one in metadata.requires("keras") or () if "extra ==" not in one}
    optional = {(package, file) for package, (_, files) in EXTRAS.items() for file in files}
    missing = {package for package, file in set(foreign_imports()) - optional} - declared - keras
    assert not missing, f"declare {', '.join(sorted(missing))} in pyproject.toml"


@pytest.mark.parametrize("package", EXTRAS)
def test_what_an_extra_brings_is_imported_where_it_is_used(package):
    extra, files = EXTRAS[package]
    declared = {name_of(requirement) for requirement in project()["optional-dependencies"][extra]}
    assert package in {name.replace("-", "_") for name in declared}
    assert {(package, file) for file in files} <= set(foreign_imports())

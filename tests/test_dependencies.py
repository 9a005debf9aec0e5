"""What a plain installation brings is all that the package imports, apart from what extras are for."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# what an extra brings: its name, and the places in the package where it may be imported
EXTRAS = {
    "matplotlib": ("plots", ("scoring/plots.py", "drawing/fonts.py", "drawing/png.py")),
    "huggingface_hub": ("hub", ("hub/",)),
    "onnx": ("onnx", ("graphs/builder.py", "graphs/encoder.py", "graphs/step.py", "exporting/quantization.py")),
    "onnxruntime": ("onnx", ("inference/onnx_runtime.py", "exporting/quantization.py")),
    "fastapi": ("serve", ("serving/",)),
    "prometheus_client": ("serve", ("serving/",)),
    "uvicorn": ("serve", ("serving/",)),
    "pyarrow": ("parquet", ("corpus/reading.py", "corpus/rendering.py")),
    "ray": ("ray", ("ray_cluster.py", "corpus/ray_engine.py")),
    "zstandard": ("zstd", ("corpus/unpacking.py",)),
}
OF_FASTAPI = {"pydantic", "starlette"}  # installed with it, since they are what its applications are made of


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
                yield package, path.relative_to(ROOT / "seq2seq").as_posix()


def test_every_import_is_installed_with_the_package():
    declared = {name_of(requirement) for requirement in project()["dependencies"]}
    # what Keras needs itself is installed with it, such as h5py, in whose files it keeps models
    keras = {name_of(one) for one in metadata.requires("keras") or () if "extra ==" not in one}
    missing = {package for package, file in foreign_imports() if not belongs(package, file)} - declared - keras
    assert not missing, f"declare {', '.join(sorted(missing))} in pyproject.toml"


def belongs(package, file):
    """Returns whether a file may import what an extra brings."""
    _, places = EXTRAS.get("fastapi" if package in OF_FASTAPI else package, ("", ()))
    return file.startswith(places)


@pytest.mark.parametrize("package", EXTRAS)
def test_what_an_option_needs_is_in_its_extra(package):
    extra, places = EXTRAS[package]
    declared = project()["optional-dependencies"][extra]
    assert package in {name_of(requirement).replace("-", "_") for requirement in declared}
    found = [file for one, file in foreign_imports() if one == package]
    assert all(any(file.startswith(place) for file in found) for place in places)


def test_what_is_imported_beside_fastapi_comes_with_it():
    needed = {name_of(one) for one in metadata.requires("fastapi") or () if "extra ==" not in one}
    assert needed >= OF_FASTAPI
    assert "python-multipart" in {name_of(one) for one in project()["optional-dependencies"]["serve"]}

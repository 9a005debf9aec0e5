"""`export --format keras`: files that Keras alone loads, and a README whose loop writes what the program writes."""

import json
import re
import subprocess
import sys

import pytest
from exportable import KINDS, exportable, language_models, lines_for

from seq2seq.errors import BundleError
from seq2seq.exporting import keras_files
from seq2seq.exporting.formats import export_model
from seq2seq.exporting.options import ExportOptions
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator
from seq2seq.training.assembly import assemble

# runs the scripts of several folders in a process that has Keras and not this package
DRIVER = """
import contextlib, io, json, os, sys
asked, found = json.load(sys.stdin), {}
for folder, (script, name, inputs) in asked.items():
    os.chdir(folder)
    space, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(script, space)
    found[folder] = [printed.getvalue(), [space[name](one) for one in inputs]]
assert 'seq2seq' not in sys.modules and 'numpy' not in asked
json.dump(found, sys.stdout)
"""


def script_of(folder):
    return re.search(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """By name: the bundle, the script, what it printed, its inputs, and what its function returned for them."""
    place = tmp_path_factory.mktemp("keras")
    models = exportable(place)
    inputs = {name: lines_for(bundle)[:-1] for name, bundle in models.items()}
    models |= language_models(place)
    inputs |= {"text": ["The fer", "Q"], "window": ["The fer", "A"], "text words": [["the", " ", "ferry"]]}
    asked = {}
    for name, bundle in models.items():
        folder = place / f"{name} exported"
        folder.mkdir()
        keras_files.export(bundle, folder, ExportOptions())
        kind = "continued" if bundle.source_vocabulary is None else "translated"
        asked[str(folder)] = script_of(folder), kind, inputs[name]
    result = subprocess.run(
        [sys.executable, "-c", DRIVER], input=json.dumps(asked), capture_output=True, text=True, cwd=place
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    return {
        name: (bundle, script, printed, inputs[name], written)
        for (name, bundle), (script, _, _), (printed, written) in zip(
            models.items(), asked.values(), found.values(), strict=True
        )
    }


@pytest.mark.parametrize("name", [*KINDS, "adopted"])
def test_the_loop_of_the_readme_writes_what_translate_writes(outputs, name):
    bundle, script, printed, lines, written = outputs[name]
    assert written == Translator(bundle).translate(lines, oov="unk")
    assert len(set(written)) > 1
    assert printed.rstrip("\n") in Translator(bundle).translate([golden["source"] for golden in canary(bundle)])
    assert "seq2seq" not in script


def canary(bundle):
    return json.loads((bundle.path / "canary.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["text", "window"])
def test_the_loop_of_the_readme_continues_a_text_as_generate_does(outputs, name):
    bundle, _, printed, prompts, written = outputs[name]
    model = LanguageModel(bundle)
    assert written == [model.generate(prompt, length=20, temperature=0, oov="unk") for prompt in prompts]
    assert printed


def test_a_model_of_words_continues_a_list_of_words(outputs):
    bundle, _, _, _, (written,) = outputs["text words"]
    assert "".join(written) == LanguageModel(bundle).generate("The ferry", length=20, temperature=0)


def test_the_files_are_those_that_the_readme_describes(outputs):
    bundle, *_ = outputs["edits"]
    folder = bundle.path.parent / "edits exported"
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "encoder.keras", "decoder.keras", "source_vocabulary.json", "target_vocabulary.json",
    }  # fmt: skip
    text = (folder / "README.md").read_text(encoding="utf-8")
    for name in ("source_ids", "token_ids", "position", "state_0", "state_1", "memory", "memory_mask"):
        assert f"| `{name}` |" in text
    assert "| 4 | COPY: writes the source symbol" in text


def test_the_files_have_no_objects_of_this_package(outputs):
    import zipfile

    for bundle, *_ in outputs.values():
        for file in bundle.path.parent.glob("* exported/*.keras"):
            config = zipfile.ZipFile(file).read("config.json").decode()
            assert "seq2seq" not in config
            assert set(re.findall(r'"module": "(\w+)', config)) <= {"keras"}


def test_an_ensemble_is_refused_with_the_way_out(tiny_bundle, tmp_path):
    assemble([tiny_bundle("one"), tiny_bundle("two", seed=2)], tmp_path / "both")
    with pytest.raises(BundleError) as refused:
        export_model(tmp_path / "both", "keras", tmp_path / "new", ExportOptions())
    assert not (tmp_path / "new").exists()
    assert str(refused.value) == (
        f"{tmp_path / 'both'}: is an ensemble of 2 models, and --format keras writes one; export a member, such as "
        f"--model {tmp_path / 'both' / 'member-1'}, or all with --format savedmodel"
    )

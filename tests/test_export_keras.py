"""`export --format keras` and `litert`: Keras or LiteRT alone runs the files, and a loop writes the same texts."""

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from exportable import KINDS, exportable, language_models, lines_for

from seq2seq.errors import BundleError
from seq2seq.exporting import keras_files, litert_files
from seq2seq.exporting.formats import export_model
from seq2seq.exporting.options import ExportOptions
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator
from seq2seq.models.backend import tf
from seq2seq.training.assembly import assemble

LITERT = ("bahdanau", "lower", "tagged", "text")
PROMPTS = {"text": ["The fer", "Q", "\ufeffA\r\nf"], "window": ["The fer", "A"], "text words": ["The ferry\r\n\ufeffA"]}
LENGTH = 8  # symbols that a language model adds

# runs the scripts of several folders in a process that has TensorFlow with Keras, and not this package
DRIVER = """
import contextlib, io, json, os, sys
asked, found = json.load(sys.stdin), []
for folder, script, name, inputs, more in asked:
    os.chdir(folder)
    space, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(script, space)
    found.append([printed.getvalue(), [space[name](one, *more) for one in inputs]])
assert 'seq2seq' not in sys.modules
json.dump(found, sys.stdout)
"""


class Exported(NamedTuple):
    """A model, its export, and what the README's script made of some inputs in another process."""

    bundle: Any
    folder: Path
    script: str
    inputs: list[Any]
    printed: str
    written: list[Any]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """All exports by format and name; one process runs all of them, since importing TensorFlow takes seconds."""
    place = tmp_path_factory.mktemp("exports")
    models = {**exportable(place), **language_models(place)}
    exports, asked = {}, []
    for form, module, names in (("keras", keras_files, models), ("litert", litert_files, LITERT)):
        for name in names:
            folder = place / f"{name} as {form}"
            folder.mkdir()
            module.export(models[name], folder, ExportOptions())
            script = re.search(r"```python\n(.*?)```", (folder / "README.md").read_text("utf-8"), re.DOTALL)[1]
            inputs = PROMPTS[name] if name in PROMPTS else lines_for(models[name])[:-1]
            exports[form, name] = Exported(models[name], folder, script, inputs, "", [])
            function, more = ("continued", [LENGTH]) if name in PROMPTS else ("translated", [])
            asked.append((str(folder), script, function, inputs, more))
    command = [sys.executable, "-c", DRIVER]
    result = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, cwd=place)
    assert result.returncode == 0, result.stderr
    return {
        key: export._replace(printed=printed, written=written)
        for (key, export), (printed, written) in zip(exports.items(), json.loads(result.stdout), strict=True)
    }


@pytest.mark.parametrize(
    "key", [*(("keras", name) for name in [*KINDS, "adopted"]), *(("litert", name) for name in LITERT[:-1])]
)
def test_the_loop_of_the_readme_writes_what_translate_writes(outputs, key):
    bundle, _, script, lines, printed, written = outputs[key]
    translator = Translator(bundle)
    assert written == translator.translate(lines, oov="unk")
    assert len(set(written)) > 1
    golden = json.loads((bundle.path / "canary.json").read_text(encoding="utf-8"))
    assert printed.rstrip("\n") in translator.translate([each["source"] for each in golden])
    assert "seq2seq" not in script


@pytest.mark.parametrize("key", [("keras", "text"), ("keras", "text words"), ("keras", "window"), ("litert", "text")])
def test_the_loop_of_the_readme_continues_a_text_as_generate_does(outputs, key):
    bundle, _, _, prompts, printed, written = outputs[key]
    model = LanguageModel(bundle)
    assert written == [model.generate(prompt, length=LENGTH, temperature=0, oov="unk") for prompt in prompts]
    assert printed


@pytest.mark.parametrize("name", ["text", "text words", "window"])
def test_the_readme_of_a_language_model_speaks_of_no_source(outputs, name):
    text = (outputs["keras", name].folder / "README.md").read_text(encoding="utf-8")
    level = "word" if name == "text words" else "character"
    assert f"A {level}-level language model." in text and "1. Replace CR LF by LF." in text
    assert "START (2) first" not in text and "the encoder's" not in text and "\\x00" not in text
    assert ("matches of the regular expression" in text) == (name == "text words")


def test_the_files_are_those_that_the_readme_describes(outputs):
    folder = outputs["keras", "edits"].folder
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "encoder.keras", "decoder.keras", "source_vocabulary.json", "target_vocabulary.json",
        "edits.safetensors",
    }  # fmt: skip
    text = (folder / "README.md").read_text(encoding="utf-8")
    for name in ("source_ids", "token_ids", "position", "state_0", "state_1", "memory", "memory_mask"):
        assert f"| `{name}` |" in text
    assert "| 4 | COPY: writes the source symbol" in text
    actions = len(outputs["keras", "edits"].bundle.weights["logits.bias"])
    assert f"`logits` float32 (B, T, {actions}), of the next action" in text
    assert "`edits.safetensors` holds that distance" in text and "A beam of K hypotheses: the rank" in text


def test_keras_files_have_no_objects_of_this_package(outputs):
    files = [file for (form, _), export in outputs.items() if form == "keras" for file in export.folder.glob("*.keras")]
    assert len(files) > len(KINDS)
    for file in files:
        config = zipfile.ZipFile(file).read("config.json").decode()
        assert "seq2seq" not in config
        assert set(re.findall(r'"module": "(\w+)', config)) <= {"keras"}


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_no_operation_of_litert_files_is_one_of_tensorflow(outputs):
    for name in LITERT:
        for part in ("decoder",) if name == "text" else ("encoder", "decoder"):
            interpreter = tf.lite.Interpreter(str(outputs["litert", name].folder / f"{part}.tflite"))
            operations = [each["op_name"] for each in interpreter._get_ops_details()]
            assert operations and not [each for each in operations if "Flex" in each]
            assert part in interpreter.get_signature_list()


@pytest.mark.parametrize("form", ["keras", "litert"])
def test_an_ensemble_is_refused_with_the_way_out(tiny_bundle, tmp_path, form):
    both = tmp_path / "both"
    assemble([tiny_bundle("one"), tiny_bundle("two", seed=2)], both)
    with pytest.raises(BundleError) as refused:
        export_model(both, form, tmp_path / "new", ExportOptions())
    assert not (tmp_path / "new").exists()
    assert str(refused.value) == (
        f"{both}: is an ensemble of 2 models, and --format {form} writes one; export a member, such as --model "
        f"{both / 'member-1'}, or all with --format savedmodel"
    )

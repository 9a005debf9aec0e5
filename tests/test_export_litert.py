"""`export --format litert`: files without TensorFlow's own operations, and a README whose loop runs them."""

import json
import subprocess
import sys

import pytest
from conftest import bundle_maker
from exportable import KINDS, lines_for
from test_export_keras import DRIVER, script_of
from tiny_language import make_model

from seq2seq.bundle.folder import load_bundle
from seq2seq.errors import BundleError
from seq2seq.exporting import litert_files
from seq2seq.exporting.formats import export_model
from seq2seq.exporting.options import ExportOptions
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator
from seq2seq.models.backend import tf
from seq2seq.training.assembly import assemble


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """By name: the bundle, the folder, its inputs, and what the README's function returned for them."""
    place = tmp_path_factory.mktemp("litert")
    make = bundle_maker(place)
    models = {name: load_bundle(make(name, **KINDS[name])) for name in ("bahdanau", "tagged", "lower")}
    models["text"] = make_model(place / "text").bundle
    asked, given = {}, {}
    for name, bundle in models.items():
        folder = place / f"{name} exported"
        folder.mkdir()
        litert_files.export(bundle, folder, ExportOptions())
        given[name] = ["The fer", "Q"] if name == "text" else lines_for(bundle)[:-1]
        asked[str(folder)] = script_of(folder), "continued" if name == "text" else "translated", given[name]
    result = subprocess.run(
        [sys.executable, "-c", DRIVER], input=json.dumps(asked), capture_output=True, text=True, cwd=place
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    return {
        name: (bundle, place / f"{name} exported", given[name], written)
        for (name, bundle), (_, written) in zip(models.items(), found.values(), strict=True)
    }


@pytest.mark.parametrize("name", ["bahdanau", "tagged", "lower"])
def test_the_loop_of_the_readme_writes_what_translate_writes(outputs, name):
    bundle, _, lines, written = outputs[name]
    assert written == Translator(bundle).translate(lines, oov="unk")
    assert len(set(written)) > 1


def test_the_loop_of_the_readme_continues_a_text_as_generate_does(outputs):
    bundle, _, prompts, written = outputs["text"]
    model = LanguageModel(bundle)
    assert written == [model.generate(prompt, length=20, temperature=0, oov="unk") for prompt in prompts]


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_no_operation_is_one_of_tensorflow(outputs):
    for _, folder, *_ in outputs.values():
        for file in folder.glob("*.tflite"):
            interpreter = tf.lite.Interpreter(str(file))
            assert not [each["op_name"] for each in interpreter._get_ops_details() if "Flex" in each["op_name"]]
            assert file.stem in interpreter.get_signature_list()


def test_an_ensemble_is_refused_with_the_way_out(tiny_bundle, tmp_path):
    assemble([tiny_bundle("one"), tiny_bundle("two", seed=2)], tmp_path / "both")
    with pytest.raises(
        BundleError, match="is an ensemble of 2 models, and --format litert writes one; export a member"
    ):
        export_model(tmp_path / "both", "litert", tmp_path / "new", ExportOptions())

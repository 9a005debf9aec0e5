"""The layout of the package, kept: who imports whom, what stays out of the way, and how large a file may grow."""

import ast
import importlib
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq import __main__ as entry

PACKAGE = Path(entry.__file__).resolve().parent
MOST_LINES = 300

# A file imports only files above it. This list is the layout of the package.
LAYOUT = """
    __init__
    errors special terminal cores threads typed_json encodings
    files lines
    fields config presets options
    corpus splits dates downloads cache datasets
    source_form vocabulary texts batches windows alignment
    decoding.state decoding.draws decoding.filters decoding.strategies decoding.limits
    decoding.search decoding.hypotheses decoding
    rates metrics variety symptoms
    bundle training_data
    runtimes runtimes.numpy_runtime runtimes.numpy_language runtimes.restarting
    backend
    models models.attention models.recurrent models.decoder models.translator models.weights
    models.step models.trainable models.language
    runtimes.keras_runtime runtimes.keras_language runtimes.choice
    results forcing inference generation loading attention_view
    quoting evaluation sweeping plots canary
    checkpoints run_folder schedule task run_record restart training profiling trainer translation language
    foreign foreign.arrays foreign.files foreign.vocabularies foreign.padding foreign.layout
    foreign.models foreign.graph foreign.teacher_forcing foreign.ids foreign.free_running
    foreign.inference_models
    diagnosis.catalogue diagnosis.explain diagnosis.report diagnosis.causes diagnosis.examination
    diagnosis.vocabulary_checks diagnosis.association diagnosis.shifts diagnosis.array_checks diagnosis.split_checks
    diagnosis.sample diagnosis.running diagnosis.behaviour diagnosis.invariance diagnosis.losses diagnosis.weights
    diagnosis.model_checks diagnosis.examining_models diagnosis.bundles diagnosis.examining diagnosis
    adoption.parts adoption.attending adoption.tracing adoption.conversion adoption.original
    adoption.numbering adoption.judging adoption.material adoption.choosing adoption.telling adoption.naming
    adoption.folder adoption.translator adoption.language adoption.adopting adoption
    cli notices streams output_file run
    train decode generate evaluate score sweep verify data doctor adopt
    __main__
""".split()
VERBS = tuple(entry.VERBS)


def modules():
    """Names of all files below the package, such as `decoding.search`; a folder by its own name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] == "__init__" and len(parts) > 1:
            parts = parts[:-1]
        yield ".".join(parts), path


MODULES = dict(modules())


def imported(path, everything=True):
    """Full names of what a file imports; `everything` counts imports inside functions too, but not for types alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            typing_only.update(map(id, itertools.chain.from_iterable(map(ast.walk, node.body))))
    for node in ast.walk(tree) if everything else tree.body:
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full.removeprefix("seq2seq.") in MODULES else str(node.module)


def own_imports(path):
    """Names in LAYOUT of the package's files that a file imports."""
    for name in imported(path):
        if name == "seq2seq":
            yield "__init__"
        elif name.startswith("seq2seq."):
            yield name.removeprefix("seq2seq.")


def test_every_file_has_its_place_in_the_layout():
    unplaced = sorted(set(MODULES) - set(LAYOUT))
    assert not unplaced, f"give {', '.join(unplaced)} a place in LAYOUT, below all that it imports"
    gone = sorted(set(LAYOUT) - set(MODULES))
    assert not gone, f"take {', '.join(gone)} out of LAYOUT: there is no such file"
    assert len(set(LAYOUT)) == len(LAYOUT)


@pytest.mark.parametrize("name", MODULES)
def test_a_file_imports_only_files_above_it(name):
    above = LAYOUT[: LAYOUT.index(name)] if name in LAYOUT else list(MODULES)
    below = sorted(set(own_imports(MODULES[name])) - set(above))
    assert not below, f"{name} imports {', '.join(below)}, which LAYOUT has below it"


ROOMS_APART = {  # rooms that a room does not import
    "foreign": ("inference", "generation", "loading", "evaluation", "training", "diagnosis", "adoption"),
    "diagnosis": ("adoption",),
    "adoption": ("diagnosis",),
}


@pytest.mark.parametrize("name", [name for name in MODULES if name.split(".")[0] in ROOMS_APART])
def test_doctor_and_adoption_share_the_room_of_other_peoples_models_and_nothing_else(name):
    apart = ROOMS_APART[name.split(".")[0]]
    assert not {full for full in own_imports(MODULES[name]) if full.split(".")[0] in apart}


@pytest.mark.parametrize("name", [name for name in MODULES if name.split(".")[0] == "decoding"])
def test_decoding_knows_numpy_alone(name):
    foreign = {
        full
        for full in imported(MODULES[name])
        if full.split(".")[0] not in {*sys.stdlib_module_names, "numpy"}
        and not full.startswith(("seq2seq.decoding", "seq2seq.special", "seq2seq.errors"))
    }
    assert not foreign


def test_only_the_backend_names_tensorflow_and_keras():
    named = {
        name
        for name, path in MODULES.items()
        if {full.split(".")[0] for full in imported(path)} & {"tensorflow", "keras"}
    }
    assert named == {"backend"}


def test_the_kinds_of_model_are_trained_without_knowing_each_other():
    for one, other in (("language", "translation"), ("translation", "language")):
        assert other not in own_imports(MODULES[one])


@pytest.mark.parametrize("name", MODULES)
def test_no_file_grows_beyond_what_one_reads_at_a_sitting(name):
    assert len(MODULES[name].read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_the_package_answers_and_decodes_without_tensorflow(tiny_bundle, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("abcd.\nefgh.\n")
    code = f"""
import sys
def slow():
    return sorted({{'tensorflow', 'keras', 'matplotlib', 'sacrebleu', 'h5py'}} & set(sys.modules))
import seq2seq
assert not slow(), ('import seq2seq', slow())
from seq2seq.__main__ import main
assert main(['--help']) == 0
assert 'numpy' not in sys.modules, 'seq2seq --help loads NumPy'
model = {str(tiny_bundle())!r}
assert main(['decode', '--model', model, '--input', {str(lines)!r}]) == 0
assert main(['decode', '--model', model, '--input', {str(lines)!r}, '--beam-size', '2', '--runtime', 'numpy']) == 0
assert not slow(), ('decode', slow())
assert main(['verify', '--model', model]) == 0
seq2seq.load(model).translate(['abcd.'])
for verb in {VERBS!r}:
    try:
        main([verb, '--help'])
    except SystemExit as end:
        assert end.code == 0
    assert not {{'tensorflow', 'keras'}} & set(sys.modules), verb
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_ends_with_an_example(verb, capsys):
    with pytest.raises(SystemExit) as end:
        importlib.import_module(f"seq2seq.{verb}").main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: seq2seq {verb}" in text
    assert f"seq2seq {verb}" in text[text.index("\nexample:\n") :]


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_option_is_one_line_and_exit_code_2(verb, capsys):
    assert importlib.import_module(f"seq2seq.{verb}").main(["--nonsense"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"seq2seq {verb}: error: ")
    assert captured.err.count("\n") == 1


def test_help_lists_every_verb_and_an_unknown_one_is_refused(capsys):
    assert entry.main(["--help"]) == 0
    usage = capsys.readouterr().out
    for verb in VERBS:
        assert f"\n  {verb} " in usage
    assert entry.main(["translate"]) == 2
    assert capsys.readouterr().err == (f"seq2seq: error: unknown verb 'translate'; the verbs are {', '.join(VERBS)}\n")
    assert entry.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("seq2seq ")
    assert entry.main([]) == 2

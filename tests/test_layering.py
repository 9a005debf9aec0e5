"""The layout of the package, kept: which room imports which, what stays out of the way, how large a file may grow."""

import ast
import itertools
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from seq2seq import __main__ as entry

PACKAGE = Path(entry.__file__).resolve().parent
MOST_LINES = 300

# Each room with the rooms that its files may import, besides their own. A verb may import everything but a verb.
GROUND = [
    *"version errors extras special cores memory terminal native_output typed_json ray_cluster".split(),
    *"fields config search_config presets".split(),
]
ROOMS = {
    "ground": "",
    "files": "ground",
    "text": "ground files",
    "bundle": "ground files text",  # a model folder holds vocabularies
    "models": "ground files text",
    "decoding": "ground files",
    "graphs": "ground files bundle text",
    "inference": "ground files bundle text models decoding graphs",
    "corpus": "ground files bundle text models decoding inference",
    "drawing": "ground files inference",
    "scoring": "ground files bundle text inference drawing",
    "exporting": "ground files bundle text models decoding graphs inference scoring",
    "training": "ground files bundle text models decoding inference scoring",
    "foreign": "ground files text models decoding",
    "diagnosis": "ground files bundle text models decoding inference scoring training foreign",
    "hub": "ground files bundle text models decoding inference",
    "cli": "ground files bundle",
    "api": "ground files bundle text models decoding inference scoring training",
    "adoption": "ground files bundle text models decoding inference scoring training api foreign",
    "serving": "ground files bundle text models decoding inference scoring api foreign diagnosis adoption drawing",
    "verbs": (
        "ground files bundle text models decoding inference scoring training api foreign diagnosis adoption hub cli "
        "drawing serving graphs exporting corpus"
    ),
}
VERBS = tuple(entry.VERBS)
FACES = {"__init__", "__main__", "models.__main__"}  # the package's own, and the verb that has a room's name


def modules():
    """Names of all files below the package, such as `decoding.search`; a folder by its own name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] == "__init__" and len(parts) > 1:
            parts = parts[:-1]
        yield ".".join(parts), path


MODULES = dict(modules())


def room_of(name):
    """The room of a file, None for the faces of the package."""
    if name in FACES:
        return None
    first = name.partition(".")[0]
    if first in {entry.OTHER_FILES.get(verb, verb) for verb in VERBS}:
        return "verbs"
    if first in GROUND:
        return "ground"
    return first if first in ROOMS else None


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


def own_imports(name):
    """Names of the package's files that a file imports."""
    for full in imported(MODULES[name]):
        if full.startswith("seq2seq."):
            yield full.removeprefix("seq2seq.")


def test_every_file_is_in_a_room():
    assert {name for name in MODULES if room_of(name) is None} == FACES


@pytest.mark.parametrize("name", [name for name in MODULES if room_of(name)])
def test_a_file_imports_only_from_the_rooms_that_its_own_may_use(name):
    room = room_of(name)
    allowed = {room, *ROOMS[room].split()} - {"verbs"}
    others = sorted(other for other in own_imports(name) if room_of(other) not in allowed)
    assert not others, f"{name} imports {', '.join(others)}; {room} may import {ROOMS[room] or 'nothing'}"


def test_no_file_imports_itself_by_way_of_others():
    try:
        tuple(TopologicalSorter({name: set(own_imports(name)) & set(MODULES) for name in MODULES}).static_order())
    except CycleError as error:
        pytest.fail(f"these files import each other in a circle: {' -> '.join(error.args[1])}")


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
    assert named == {"models.backend"}


def test_the_kinds_of_model_are_trained_without_knowing_each_other():
    for one, other in (("language_model", "translator"), ("translator", "language_model")):
        assert f"training.{other}" not in own_imports(f"training.{one}")


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
        entry.verb_module(verb).main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: seq2seq {verb}" in text
    assert f"seq2seq {verb}" in text[text.index("\nexample:\n") :]


@pytest.mark.parametrize("verb", VERBS)
def test_an_unknown_option_is_one_line_and_exit_code_2(verb, capsys):
    assert entry.verb_module(verb).main(["--nonsense"]) == 2
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

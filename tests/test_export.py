"""The verb `export`: what it writes, that programs run it from the description alone, and what it refuses."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROWS
from records import read_config, write_config
from stranger import Stranger
from tiny_language import make_model

import seq2seq
from seq2seq import decode, evaluate, export, verify
from seq2seq.bundle.exported import DESCRIPTION
from seq2seq.bundle.folder import load_bundle
from seq2seq.bundle.record import PRETRAINED
from seq2seq.errors import BundleError
from seq2seq.files.reading import sha256_of
from seq2seq.search_config import DecodingConfig
from seq2seq.special import END, START
from seq2seq.training.assembly import assemble
from seq2seq.training.shrinking import shrink

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

KOREAN = [f"{one}{other}.\t{other}{one}!" for one in "가나다라마바사" for other in "가나다라마바사"]
SPELT = [f"{one} {other}\t{other}-{one}" for one in ("ab", "cd", "ef", "gh") for other in ("ij", "kl", "mn", "op")]


def run(capsys, *arguments):
    """Runs the verb; returns its exit code, output and messages."""
    code = export.main(["--format", "onnx", *map(str, arguments)])
    return code, *capsys.readouterr()


@pytest.fixture
def exported(capsys, tmp_path):
    """Exports a model folder; returns the new folder."""

    def make(model, *options):
        code, _, said = run(capsys, model, "-o", tmp_path / "exported", *options)
        assert code == 0, said
        return tmp_path / "exported"

    return make


def description(folder):
    return json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))


def program(folder):
    """The program in a README."""
    return re.search("```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]


def run_program(folder, arguments):
    """Runs the program of a README in its folder with each argument, without this package; returns what it prints."""
    code = f"""
import sys
sys.modules["seq2seq"] = None
for argument in sys.argv[1:]:
    sys.argv = ["program", argument]
    exec({program(folder)!r}, {{"__name__": "__main__"}})
    print(end="\\0")
"""
    command = [sys.executable, "-c", code, *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    assert result.returncode == 0, result.stderr
    return [text.removesuffix("\n") for text in result.stdout.split("\0")[:-1]]


def test_the_folder_has_graphs_a_description_and_a_readme(exported, tiny_bundle, capsys):
    folder = exported(tiny_bundle())
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "encoder.onnx", DESCRIPTION, "step.onnx"]
    found = description(folder)
    assert (found["format"], found["form"], found["opset"], found["quantized"]) == ("seq2seq-export", "onnx", 17, None)
    assert found["special_ids"] == {"PAD": 0, "UNK": 1, "START": 2, "END": 3}
    for name, graph in found["graphs"].items():
        session = onnxruntime.InferenceSession(folder / graph["file"])
        for which, ports in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
            stated = [(port["name"], port["shape"]) for port in graph[which]]
            assert stated == [(port.name, port.shape) for port in ports], name
            assert all(port["meaning"] for port in graph[which])


@pytest.mark.parametrize("architecture", ["attention", "transducer"])
def test_the_readme_says_where_decode_does_more_than_the_loop(exported, tiny_bundle, architecture):
    folder = exported(tiny_bundle(architecture=architecture))
    readme = (folder / "README.md").read_text(encoding="utf-8")
    unknown = (
        "An unknown symbol has the id 1 (UNK). `seq2seq` itself reads it as its nearest known form if there is one"
    )
    canonical = "The score of an output is that of its canonical path, the most probable actions of the model's"
    assert unknown in readme and any(unknown in rule for rule in description(folder)["text"]["rules"])
    assert "A beam of K hypotheses: the rank of a hypothesis is score / length^A, A = 1 unless" in readme
    assert "by rounding, about 1e-5 nats. On a line far from the training data" in readme
    assert (canonical in readme) == (folder / "edits.safetensors").exists() == (architecture == "transducer")


def test_a_place_of_this_computer_is_not_in_the_description(exported, tiny_bundle, tmp_path):
    folder = exported(tiny_bundle())
    assert str(tmp_path) not in (folder / DESCRIPTION).read_text() + (folder / "README.md").read_text()


# the program of the README


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({}, ["abcd.", " efgh.  ", "xyz", "ab\u00a0cd.", "", " \x1f"]),
        ({"architecture": "transducer"}, ["abcd.", "efgh.", "x\u2019z"]),
        ({"data": {"lowercase": True}, "attention": "none"}, ["ABcd.", "mnop."]),
        ({"rows": KOREAN, "data": {"decompose": True}}, ["가나.", "마바."]),
        ({"rows": KOREAN, "data": {"decompose": True}, "architecture": "transducer"}, ["가나.", "마사."]),
        ({"rows": SPELT, "data": {"source_sep": " ", "target_sep": "-"}}, ["ab ij", "cd  cd"]),
    ],
    ids=["attention", "transducer", "lower case", "decomposed", "decomposed transducer", "separated"],
)
def test_the_readme_s_program_writes_what_decode_writes(exported, tiny_bundle, options, lines):
    folder = tiny_bundle(**options)
    expected = seq2seq.load(folder).translate(lines, oov="unk")
    assert any(expected)
    home = exported(folder)
    assert len(program(home).splitlines()) <= 20
    assert run_program(home, lines) == expected


@pytest.mark.parametrize("architecture", ["attention", "transducer"])
def test_the_readme_s_program_reads_tags(exported, tiny_bundle, architecture):
    rows = [f"{row}\tA;{row[0]}" for row in ROWS]
    folder = tiny_bundle(rows=rows, data={"features_col": 3}, architecture=architecture)
    lines = ["abcd.\tA; a", "efgh.\tnew;A", "ijkl.\t", "\tA", "\t"]
    home = exported(folder)
    assert run_program(home, lines) == seq2seq.load(folder).translate(lines, oov="unk")


def test_the_readme_s_program_runs_an_ensemble(exported, tiny_bundle, tmp_path):
    assemble([tiny_bundle("one"), tiny_bundle("two", seed=2, rnn="gru", layers=2)], tmp_path / "both")
    home = exported(tmp_path / "both")
    assert description(home)["members"] == 2
    expected = seq2seq.load(tmp_path / "both").translate(["abcd.", "efgh."])
    assert run_program(home, ["abcd.", "efgh."]) == expected
    assert seq2seq.load(home).translate(["abcd.", "efgh."]) == expected


@pytest.mark.parametrize(
    "data", [{}, {"unit": "word"}, {"target_sep": " ", "lowercase": True}], ids=["characters", "words", "separated"]
)
def test_the_readme_s_program_continues_a_text(exported, tmp_path, data):
    model = make_model(tmp_path / "text", data=data)
    prompt = "The ferry\nAda fed"
    expected = model.generate(prompt, temperature=0.0, length=100, oov="unk")
    home = exported(tmp_path / "text")
    assert len(program(home).splitlines()) <= 20
    assert run_program(home, [prompt]) == [expected]
    assert seq2seq.load(home).generate(prompt, temperature=0.0, length=100, oov="unk") == expected
    command = [sys.executable, "-c", program(home), ""]
    result = subprocess.run(command, cwd=home, capture_output=True, text=True, encoding="utf-8")
    assert (result.returncode, result.stderr) == (1, "expected the beginning of a text, at least one symbol\n")


def changed_record(folder, **keys):
    """Changes config.json as its writer could."""
    write_config(folder, {**read_config(folder), **keys})


def test_the_readme_s_program_reads_a_window_again(exported, tmp_path):
    make_model(tmp_path / "text")
    changed_record(tmp_path / "text", restarts=4)
    expected = seq2seq.load(tmp_path / "text").generate("The ferry", temperature=0.0, length=100)
    home = exported(tmp_path / "text")
    assert description(home)["restarts"] == 4
    assert run_program(home, ["The ferry"]) == [expected]
    assert seq2seq.load(home).generate("The ferry", temperature=0.0, length=100) == expected


def test_the_readme_s_program_makes_the_rows_of_an_adopted_model(exported, tiny_bundle):
    folder = tiny_bundle()
    form = {"before": [2], "after": [3], "length": 9, "fill": 1, "left": True, "reversed": True, "clean": False}
    changed_record(folder, source_form=form)
    lines = ["abcd.", " efgh."]
    home = exported(folder)
    expected = seq2seq.load(folder).translate(lines, oov="unk")
    assert run_program(home, lines) == expected
    assert seq2seq.load(home).translate(lines, oov="unk") == expected


# a program that knows only the description


@pytest.mark.parametrize("sizes", [{}, {"architecture": "transducer", "rnn": "gru"}])
def test_batches_and_hypotheses_run_as_described(exported, tiny_bundle, sizes):
    folder = tiny_bundle(**sizes)
    home = exported(folder)
    found = description(home)
    encoder, step = (onnxruntime.InferenceSession(home / found["graphs"][name]["file"]) for name in ("encoder", "step"))
    symbols = {symbol: token for token, symbol in enumerate(found["source_vocabulary"]["symbols"], 4)}
    rows = [[symbols[symbol] for symbol in line] + [found["special_ids"]["END"]] for line in ("abcd.", "ef.")]
    source = np.array([row + [0] * (6 - len(row)) for row in rows])
    feed = {"source_ids": source, "source_mask": source != found["special_ids"]["PAD"]}
    feed |= dict(zip([port.name for port in encoder.get_outputs()], encoder.run(None, feed), strict=True))
    states = [port["name"].removeprefix("next_") for port in found["graphs"]["step"]["outputs"]]
    states = [name for name in states if name in feed]
    wide = {name: np.repeat(feed[name], 2, axis=0) if name in states else feed[name] for name in feed}
    logits = []
    for fed, count in ((feed, 2), (wide, 4)):
        fed = {**fed, "token_ids": np.full(count, START)}
        fed = {port["name"]: fed[port["name"]] for port in found["graphs"]["step"]["inputs"]}
        logits.append(step.run(["logits"], fed)[0])
    np.testing.assert_allclose(logits[1], np.repeat(logits[0], 2, axis=0), atol=1e-6)
    assert logits[0].shape[1] == (
        found["actions"]["count"] if sizes else 4 + len(found["target_vocabulary"]["symbols"])
    )
    if sizes:
        assert np.isneginf(logits[0][:, [0, END]]).all()  # the source has not been read


STRANGE = [
    "abcd.",
    "Ｅｆgh",
    " \u0085opab.\x1f ",
    "x\u0301é\u2019\u00a0z",
    "",
    "\u0301",
    "ﬂ🚀Ǆ",
    "abcdefgh" * 5,
    "ab\u2028c",
]


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ({"attention": "bahdanau", "data": {"lowercase": True}}, [*STRANGE, "İSTANBUL"]),
        ({"architecture": "transducer", "rnn": "gru"}, STRANGE),
        (
            {"rows": KOREAN, "data": {"decompose": True}, "architecture": "transducer"},
            ["가나.", "마\u1109\u1161.", "힣"],
        ),
        ({"rows": SPELT, "data": {"source_sep": " ", "target_sep": "-"}}, ["ab ij", "AB  cd", "zz ｃｄ", " "]),
        (
            {"rows": [f"{row}\tA;{row[0]}" for row in ROWS], "data": {"features_col": 3}, "architecture": "transducer"},
            ["abcd.\tA; a", "efgh.\tnew;A", "É\t", "\tＡ", "\t", "ab cd\u0085\tA;A;B"],
        ),
        ({"rows": [f"{row}\tA;{row[0]}" for row in ROWS], "data": {"features_col": 3}}, ["abcd.\tA; a", "\tnew", "\t"]),
    ],
    ids=["attention", "transducer", "decomposed", "separated", "tagged transducer", "tagged"],
)
def test_a_program_that_knows_only_the_description_writes_and_scores_as_decode(exported, tiny_bundle, options, lines):
    translator, stranger = seq2seq.load(folder := tiny_bundle(**options)), Stranger(exported(folder))
    for beam, penalty in ((1, 1.0), (4, 0.6)):
        config = DecodingConfig(beam_size=beam, n_best=beam, length_penalty=penalty)
        for line, outputs in zip(lines, translator.outputs(lines, config), strict=True):
            found = stranger.outputs(line, beam, penalty)
            expected = [(one.text, one.score) for one in outputs][: len(found) if found == [("", 0.0)] else None]
            assert [text for text, _ in found] == [text for text, _ in expected], line
            np.testing.assert_allclose([score for _, score in found], [score for _, score in expected], atol=2e-5)


# exports as models


def test_every_verb_that_decodes_takes_an_export(exported, tiny_bundle, tmp_path, capsys):
    folder = tiny_bundle(architecture="transducer")
    home = exported(folder)
    (tmp_path / "in.txt").write_text("abcd.\nefgh.\n")
    outputs = []
    for model in (folder, home):
        arguments = ["--model", model, "-i", tmp_path / "in.txt", "--beam-size", "3"]
        assert decode.main([str(argument) for argument in arguments]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert evaluate.main(["--model", str(home), "--data", f"{folder}.tsv", "--bootstrap", "0"]) == 0
    assert verify.main(["--model", str(home)]) == 0
    assert f"ok       {DESCRIPTION}: version 1, onnx, translator" in capsys.readouterr().out
    (home / "step.onnx").write_bytes(b"x")
    assert verify.main(["--model", str(home)]) == 2
    assert "FAILED   " in capsys.readouterr().out


def test_an_export_has_no_weights_for_other_runtimes(exported, tiny_bundle, capsys):
    home = exported(tiny_bundle())
    assert decode.main(["--model", str(home), "--runtime", "numpy", "-i", "x"]) == 2
    message = f"--runtime numpy: {home} is an export, which has graphs in place of weights; use --runtime onnx, or name"
    assert message in capsys.readouterr().err
    message = f"{home}: is an export, which has graphs in place of weights; name the model folder it was made of"
    assert message in run(capsys, home, "-o", "x")[2]
    for refused in (lambda: shrink(home, Path("x")), lambda: assemble([home, home], Path("x"))):
        with pytest.raises(BundleError, match=re.escape(message)):
            refused()
    assert not Path("x").exists()


def damage(home, change):
    found = description(home)
    change(found)
    (home / DESCRIPTION).write_text(json.dumps(found), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.update(format="x"), "is not the description of an export of this package"),
        (lambda found: found.update(version=2), "has version 2, expected 1; use the version of seq2seq that wrote it"),
        (lambda found: found.update(kind="x"), "is damaged: kind is 'x'"),
        (lambda found: found.update(form="web"), "is an export as web, which seq2seq does not run"),
        (lambda found: found.update(form="keras"), "is an export as keras, which seq2seq does not run"),
        (lambda found: found["sha256"].update({"../x": "0" * 64}), "is damaged: sha256 of '../x' is '0000"),
        (lambda found: found["sha256"].update({"..": "0" * 64}), "is damaged: sha256 of '..' is '0000"),
        (lambda found: found["sha256"].update({"step.onnx": "0"}), "is damaged: sha256 of 'step.onnx' is '0'"),
        (lambda found: found["sha256"].pop("step.onnx"), "is damaged: no sha256 of step.onnx"),
        (lambda found: found["source_form"].update(fill=999), "source_form: expected at most"),
        (lambda found: found.update(source_vocabulary=None), "expected a source vocabulary of a translator alone"),
        (lambda found: found.update(lengths={"source": 0, "target": 1}), "lengths: is damaged: source: "),
        (lambda found: found["data"].update(unit="x"), "data.unit: "),
    ],
)
def test_a_damaged_description_is_refused(exported, tiny_bundle, change, message):
    home = exported(tiny_bundle())
    damage(home, change)
    with pytest.raises(BundleError) as error:
        load_bundle(home)
    assert message in str(error.value), error.value


def test_a_damaged_graph_is_refused(exported, tiny_bundle):
    home = exported(tiny_bundle())
    (home / "step.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"step.onnx: is not the file that was written \(its sha256 differs\)"):
        load_bundle(home)
    damage(home, lambda found: found["sha256"].update({"step.onnx": sha256_of(home / "step.onnx")}))
    with pytest.raises(BundleError, match="step: onnxruntime cannot open this graph: .*; export the model again"):
        seq2seq.load(home)


# quantization


def test_int8_prints_what_it_loses_and_writes_smaller_files(tiny_bundle, capsys, tmp_path):
    folder = tiny_bundle(hidden_size=64)
    assert run(capsys, folder, "-o", tmp_path / "whole")[0] == 0
    code, out, _ = run(capsys, folder, "-o", tmp_path / "small", "--quantize", "int8")
    assert code == 0
    rows = {line[:20].strip(): line[20:].split() for line in out.splitlines()}
    assert rows[""] == ["float32", "int8"]
    assert re.search("greedy outputs of [1-9] sources: tiny, validation part", out)
    assert 0 <= float(rows["chrF"][1]) <= 100 and 0 <= float(rows["exact match"][1]) <= 1
    sizes = [sum(path.stat().st_size for path in (tmp_path / name).glob("*.onnx")) for name in ("whole", "small")]
    assert rows["size, MB"] == [f"{size / 1e6:.2f}" for size in sizes] and sizes[1] < 0.5 * sizes[0]
    assert description(tmp_path / "small")["quantized"] == "int8"
    assert out.strip() in (tmp_path / "small" / "README.md").read_text()


@pytest.mark.skipif(not (PRETRAINED / "fra-eng").is_dir(), reason="this copy has no models")
def test_int8_hardly_changes_a_trained_model(capsys, tmp_path):
    lines = ["I like tea.", "Where is my red book?", "Tom's sister sings."]
    model = seq2seq.load("fra-eng")
    outputs = model.translate(lines)
    (tmp_path / "own.tsv").write_text("".join(f"{pair[0]}\t{pair[1]}\n" for pair in zip(lines, outputs, strict=True)))
    code, out, _ = run(capsys, "fra-eng", "-o", tmp_path / "new", "--quantize", "int8", "--data", tmp_path / "own.tsv")
    rows = {line[:20].strip(): line[20:].split() for line in out.splitlines()}
    assert code == 0 and rows["exact match"][0] == "1.0000" and float(rows["chrF"][1]) > 80
    exact, rounded = (
        one.score(list(zip(lines, outputs, strict=True))) for one in (model, seq2seq.load(tmp_path / "new"))
    )
    for one, other in zip(exact, rounded, strict=True):
        assert 0 < np.abs(np.subtract(one.log_probs, other.log_probs)).max() < 0.5


def test_int8_is_measured_on_given_pairs_and_texts(tiny_bundle, capsys, tmp_path):
    folder = tiny_bundle()
    (tmp_path / "two.tsv").write_text("abcd.\tcdab!\nefgh.\tghef!\n")
    code, out, _ = run(capsys, folder, "-o", tmp_path / "a", "--quantize", "int8", "--data", tmp_path / "two.tsv")
    assert code == 0 and "greedy outputs of 2 sources: " in out
    Path(f"{folder}.tsv").unlink()
    code, out, _ = run(capsys, folder, "-o", tmp_path / "b", "--quantize", "int8")
    assert code == 0 and out.startswith("the loss was not measured: ") and "give --data FILE.tsv" in out
    code, _, said = run(capsys, folder, "-o", tmp_path / "c", "--quantize", "int8", "--data", tmp_path / "none.tsv")
    assert code == 2 and "none.tsv" in said and not (tmp_path / "c").exists()
    make_model(tmp_path / "text")
    code, out, _ = run(capsys, tmp_path / "text", "-o", tmp_path / "d", "--quantize", "int8")
    assert code == 0 and re.search(r"bits per character +[\d.]+ +[\d.]+\n", out) and "symbols of the validation" in out


# the place, and what is refused


def test_the_new_folder_is_complete_or_absent(tiny_bundle, tmp_path, capsys, monkeypatch):
    folder, full = tiny_bundle(), tmp_path / "full"
    full.mkdir()
    (full / "mine").write_text("mine")
    message = f"{full}: expected a new folder for the export, got one that exists; give another --output"
    assert run(capsys, folder, "-o", full) == (2, "", f"seq2seq export: error: {message}\n")
    monkeypatch.chdir(tmp_path)
    assert run(capsys, folder)[2] == "finished: tiny-onnx\n"
    monkeypatch.setattr("seq2seq.exporting.onnx_files.readme", lambda *_, **__: 1 / 0)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ZeroDivisionError):
        run(capsys, folder, "-o", tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == before and (full / "mine").read_text() == "mine"


def test_of_two_exports_to_one_place_the_first_one_stays(tiny_bundle, tmp_path, capsys, monkeypatch):
    def while_another_finishes(*_, **__):
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "theirs").write_text("theirs")
        return ""

    folder = tiny_bundle()
    monkeypatch.setattr("seq2seq.exporting.onnx_files.readme", while_another_finishes)
    message = f"{tmp_path / 'new'}: expected a new folder for the export, got one that exists; give another --output"
    assert run(capsys, folder, "-o", tmp_path / "new") == (2, "", f"seq2seq export: error: {message}\n")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["theirs"] and not list(tmp_path.glob("*.partial"))


def test_a_full_disk_leaves_nothing(tiny_bundle, tmp_path, capsys, full_disk):
    folder = tiny_bundle()
    full_disk()
    code, _, said = run(capsys, folder, "-o", tmp_path / "new")
    assert code == 2 and f"{tmp_path / 'new'}: cannot be written: No space left on device; make room, change" in said
    assert not (tmp_path / "new").exists() and not list(tmp_path.glob("*.partial"))


def test_an_absent_library_names_the_extra(tiny_bundle, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = "--format onnx: needs onnx and onnxruntime, the extra `onnx`: run pip install '.[onnx]' in the folder of"
    assert message in run(capsys, tiny_bundle(), "-o", "x")[2]


def test_members_that_read_other_windows_are_refused(tmp_path, capsys):
    for name, restarts in (("one", 4), ("two", 0)):
        make_model(tmp_path / name)
        changed_record(tmp_path / name, restarts=restarts)
    assemble([tmp_path / "one", tmp_path / "two"], tmp_path / "both")
    code, _, said = run(capsys, tmp_path / "both", "-o", tmp_path / "new")
    assert code == 2 and "its members read the last 0, 4 symbols (0: all), and one graph reads the same for all" in said


def test_a_model_that_is_absent_says_which_argument_is_the_output(tmp_path, capsys):
    said = run(capsys, tmp_path / "none")[2]
    assert "expected a model folder, got nothing there" in said and "-o names the folder to write" in said

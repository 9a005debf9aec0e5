"""The figure of an evaluation, its calibration, and files that are refused before anything is translated."""

import json
import math
import os
import re
import types

import pytest

import seq2seq
from seq2seq import evaluate, sweep
from seq2seq.drawing.fonts import families_for, fonts_for, preference
from seq2seq.errors import OptionError
from seq2seq.files.results import check_result_file, write_result
from seq2seq.scoring import evaluation_plot
from seq2seq.scoring.by_length import LengthScores
from seq2seq.scoring.calibration import calibration_of, calibration_table
from seq2seq.scoring.confusions import find_confusions
from seq2seq.scoring.details import right_ones
from seq2seq.scoring.evaluation import Evaluation
from seq2seq.scoring.evaluation_plot import MOST_SYMBOLS, NOTHING, confusion_matrix, draw_lengths
from seq2seq.scoring.evaluation_table import score_cell
from seq2seq.scoring.material import Material
from seq2seq.scoring.metrics import score_all
from seq2seq.text.splits import References

STARTS = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))


def run(capsys, *arguments, verb=evaluate):
    code = verb.main([str(argument) for argument in arguments])
    return (code, *capsys.readouterr())


# calibration


def test_the_calibration_error_is_the_mean_distance_of_a_bin_weighted_by_its_outputs():
    probabilities = [0.95, 0.85, 0.85, 0.15]
    found = calibration_of(list(map(math.log, probabilities)), [True, True, False, False])
    assert [(each.low, each.high, each.n) for each in found.bins] == [(0.1, 0.2, 1), (0.8, 0.9, 2), (0.9, 1.0, 1)]
    assert [each.right for each in found.bins] == [0.0, 0.5, 1.0]
    assert found.error == pytest.approx((0.15 + 2 * 0.35 + 0.05) / 4)
    assert calibration_table(found)[0] == "expected calibration error: 0.2250 (10 bins of the output's probability)"
    assert calibration_table(found)[4] == " 0.8 to 0.9       2   0.850       0.5000  0.095 to 0.905"


def test_the_curve_of_chrf_is_on_the_scale_of_the_exact_match():
    plots = pytest.importorskip("matplotlib.figure")
    axis = plots.Figure().subplots()
    row = LengthScores(shortest=1, longest=4, n=9, chrf=40.0, exact_match=0.25, interval=(0.1, 0.4), cer=0.3)
    draw_lengths(axis, [row, row._replace(shortest=5, longest=5, chrf=80.0, exact_match=0.5, interval=(0.4, 0.9))])
    lines = [(line.get_label(), list(line.get_ydata())) for line in axis.get_lines()]
    assert ("chrF / 100", [0.4, 0.8]) in lines and [0.25, 0.5] in [values for _, values in lines]
    assert [label.get_text().split()[0] for label in axis.get_xticklabels()] == ["1-4", "5"]


def test_the_symbols_of_both_sides_of_the_confusions_choose_the_font(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    confusions = find_confusions(["번", "a"], [["ß"], ["a"]], ["x", "y"])
    asked = []

    def fonts(text):
        asked.append(text)
        raise OptionError("enough")

    monkeypatch.setattr(evaluation_plot, "fonts_for", fonts)
    details = types.SimpleNamespace(confusions=confusions)
    with pytest.raises(OptionError, match="enough"):
        evaluation_plot.draw_evaluation([("é", details)], tmp_path / "a.png", title="Œ")
    assert set("번ßéŒ") <= set(asked[0])


def test_sure_and_impossible_outputs_have_bins_and_no_output_has_none():
    found = calibration_of([0.0, -math.inf, 1e-9], [True, False, True])
    assert [(each.n, each.probability) for each in found.bins] == [(1, 0.0), (2, 1.0)]
    assert found.error == 0.0
    assert calibration_of([], []) == (0.0, [])


@pytest.mark.parametrize("ignore_case", [False, True])
def test_an_output_is_right_where_exact_match_counts_it(ignore_case):
    items = [References("a", ["k  ae t"]), References("b", ["k ae", "K"]), References("c", ["k"])]
    outputs, references = ["k ae t", "k", "k k"], [item.references for item in items]
    scores = score_all(outputs, references, ["a", "b", "c"], separator=" ", ignore_case=ignore_case)
    result = Evaluation(Material("test", items), outputs, 0, scores)
    right = right_ones(result, separator=" ", ignore_case=ignore_case)
    assert right == [True, ignore_case, False] and sum(right) / 3 == pytest.approx(scores.exact_match)


def test_a_score_of_a_hundred_has_two_digits_and_a_share_four():
    scores = score_all(["ab", "cd"], [["ab"], ["ce"]], ["1", "2"])
    result = Evaluation(Material("test", []), ["ab", "cd"], 0, scores)
    assert (score_cell(result, "exact_match"), score_cell(result, "cer")) == ("0.5000", "0.2500")
    assert score_cell(result, "chrf") == f"{scores.chrf:.2f}"


def test_the_calibration_stands_under_the_scores_and_in_the_json(tiny_bundle, tmp_path, capsys):
    folder = tiny_bundle()
    translator = seq2seq.load(folder)
    (output,) = next(iter(translator.outputs(["zzab."], evaluate.DecodingConfig())))
    data = tmp_path / "data.tsv"
    data.write_text(f"zzab.\t{output.text.upper()}\n")
    arguments = ("--model", folder, "--data", data, "--bootstrap", 0, "--calibration")
    (one,) = json.loads(run(capsys, *arguments, "--json")[1])["calibration"]["bins"]
    assert one["probability"] == pytest.approx(math.exp(output.score)) and one["right"] == 0.0
    content = json.loads(run(capsys, *arguments, "--json", "--ignore-case")[1])["calibration"]
    assert content["bins"][0]["right"] == 1.0
    assert content["expected_calibration_error"] == pytest.approx(1 - math.exp(output.score))
    _, out, _ = run(capsys, *arguments)
    assert "\ncalibration\n\nexpected calibration error: " in out
    assert "exact match  95 % interval\n" in out


# the figure


def test_the_matrix_has_the_most_frequent_symbols_and_nothing_last():
    found = find_confusions(["b", "b", "", "ax", "a b"], [["a"], ["a"], ["a"], ["a"], ["ab"]], list("12345"))
    rows, columns, table = confusion_matrix(found)
    assert (rows, columns) == (["a", NOTHING], ["␣", "b", "x", NOTHING])
    assert table == [[0, 2, 0, 1], [1, 0, 1, 0]]
    many = [chr(ord("a") + place) for place in range(20)]
    rows, columns, _ = confusion_matrix(find_confusions(["z"] * 20, [[symbol] for symbol in many], many))
    assert (len(rows), columns) == (MOST_SYMBOLS, ["z"])


@pytest.mark.parametrize("form", STARTS)
def test_the_ending_decides_the_form_and_the_error_is_printed(tiny_bundle, tmp_path, capsys, form):
    path = tmp_path / f"plot.{form.upper()}"
    if form == "svg":
        run(capsys, "--model", tiny_bundle(), "--plot", path, "--bootstrap", 0)
        first = path.read_bytes()
    folder = tmp_path / "tiny" if form == "svg" else tiny_bundle()
    code, out, err = run(capsys, "--model", folder, "--plot", path, "--bootstrap", 0)
    assert code == 0 and path.read_bytes().startswith(STARTS[form])
    assert form != "svg" or path.read_bytes() == first  # the same evaluation gives the same file
    assert "tiny: expected calibration error: " in err and err.endswith(f"plot: {path}\n")
    assert "by length" not in out and "confusions" not in out  # only what was asked for is printed
    assert sorted(each.name for each in tmp_path.glob("plot*")) == [path.name]


def test_hangul_is_drawn_with_an_installed_font_or_as_its_code_point(tiny_bundle, tmp_path, capsys):
    rows = [f"{a}{b}\t{b}{a}" for a in "가나다라마바" for b in "사아자차카타"]
    folder = tiny_bundle("한국어", rows=rows)
    path = tmp_path / "plot.svg"
    assert run(capsys, "--model", folder, "--compare", folder, "--plot", path, "--bootstrap", 2)[0] == 0
    text = path.read_text(encoding="utf-8")  # letters are shapes, each with its text in a comment
    assert text.count("<!-- most frequent confusions -->") == 2
    _, missing = families_for("가나다라마바사아자차카타")
    symbols = set(re.findall(r"<!-- ([가-힣]|U\+[0-9A-F]{4}) -->", text))
    assert symbols and {len(symbol) for symbol in symbols} == ({6} if missing else {1})


def test_a_character_without_a_font_is_its_code_point_and_a_dollar_no_formula(monkeypatch):
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [os.devnull])
    with fonts_for("a가$") as shown:
        assert shown("a가$") == "aU+AC00\\$"


def test_upright_fonts_of_usual_weight_and_those_with_many_symbols_are_tried_first():
    names = ["A-Bold.ttf", "FreeSerif.ttf", "FreeSans.ttf", "NotoSans-Italic.ttf", "NotoSansCJK-Regular.ttc"]
    assert sorted(names, key=preference) == [
        "NotoSansCJK-Regular.ttc", "FreeSans.ttf", "FreeSerif.ttf", "NotoSans-Italic.ttf", "A-Bold.ttf",
    ]  # fmt: skip


# files that cannot be written


@pytest.fixture
def no_work(monkeypatch):
    """Makes the verbs fail if they load a model."""

    def fail(*_, **__):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(evaluate, "load_bundle", fail)
    monkeypatch.setattr(sweep, "load", fail)


@pytest.mark.parametrize("verb", [evaluate, sweep])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x.jpg", "x.jpg: expected a name that ends in .png, .svg or .pdf, got 'x.jpg'"),
        ("x", "x: expected a name that ends in .png, .svg or .pdf, got 'x'"),
        ("", ".: expected a name that ends in .png, .svg or .pdf, got ''"),
        ("no/folder/x.png", "no/folder/x.png: expected a file in a folder that exists; make the folder first"),
        ("folder.png", "folder.png: expected the name of a file, got a folder"),
    ],
)
def test_a_plot_that_cannot_be_drawn_is_refused_before_the_model_is_loaded(
    tmp_path, monkeypatch, capsys, no_work, verb, name, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.png").mkdir()
    code, out, err = run(capsys, "--model", "model", "--plot", name, verb=verb)
    assert (code, out) == (2, "")
    assert err == f"seq2seq {verb.__name__.removeprefix('seq2seq.')}: error: --plot {message}\n"


@pytest.mark.parametrize(("verb", "option"), [(evaluate, "--plot"), (evaluate, "--output"), (sweep, "--plot")])
def test_a_folder_without_permission_is_refused_before_the_model_is_loaded(
    tmp_path, monkeypatch, capsys, no_work, verb, option
):
    def refuse(dir):
        raise PermissionError(13, os.strerror(13), str(dir))

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    path = tmp_path / "x.png"
    code, _, err = run(capsys, "--model", "model", option, path, verb=verb)
    assert code == 2
    assert f"error: {option} {path}: cannot be written: Permission denied; change the permissions, or give an" in err


def test_an_output_that_is_a_folder_or_nameless_is_refused_before_the_model_is_loaded(tmp_path, capsys, no_work):
    for name, message in ((str(tmp_path), "got a folder"), ("", "expected the name of a file, got '.'")):
        code, _, err = run(capsys, "--model", "model", "-o", name)
        assert code == 2 and err.count("\n") == 1 and message in err


def test_evaluate_needs_matplotlib_for_a_plot_alone(tiny_bundle, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run(capsys, "--model", tiny_bundle(), "--plot", tmp_path / "x.png")
    assert code == 2 and "--plot: needs matplotlib, which is not installed: " in err
    assert run(capsys, "--model", tmp_path / "tiny", "--calibration", "--bootstrap", 0)[0] == 0


def test_a_result_replaces_a_file_whole_and_leaves_partial_files_of_others(tmp_path):
    (tmp_path / "out.tsv").write_text("old")
    (tmp_path / "out.tsv.partial").write_text("of an interrupted decode")
    (tmp_path / "link").symlink_to(tmp_path / "out.tsv")
    write_result(tmp_path / "link", "new", "--output")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "out.tsv").read_text() == "new"
    assert (tmp_path / "out.tsv.partial").read_text() == "of an interrupted decode"
    assert len(list(tmp_path.iterdir())) == 3
    check_result_file(tmp_path / "out.tsv", "--output")
    check_result_file(tmp_path / "link", "--output")
    check_result_file(type(tmp_path)(os.devnull), "--output")
    write_result(type(tmp_path)(os.devnull), "new", "--output")


def test_a_full_disk_leaves_the_old_result(tmp_path, monkeypatch):
    (tmp_path / "out.tsv").write_text("old")

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OptionError) as error:
        write_result(tmp_path / "out.tsv", "new", "--output")
    assert str(error.value) == (
        f"--output {tmp_path / 'out.tsv'}: cannot be written: No space left on device; make room or write elsewhere"
    )
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out.tsv", "old")]


# sweep


def test_a_sweep_whose_default_place_cannot_be_written_says_so_and_prints_the_rest(tiny_bundle, capsys):
    folder = tiny_bundle()
    folder.with_name("tiny-sweep.png").mkdir()
    options = ["--model", folder, "--seed", 1, "--temperatures", "0,1", "--samples", 2, "--lines", 3]
    code, out, err = run(capsys, *options, verb=sweep)
    assert code == 0 and "T  bits" in out
    assert err.endswith(f"no plot: --plot {folder}-sweep.png: expected the name of a file, got a folder\n")


@pytest.mark.parametrize(("form", "sizes"), [("svg", {}), ("pdf", {"architecture": "transducer"})])
def test_translators_and_transducers_are_swept_and_drawn(tiny_bundle, tmp_path, capsys, sizes, form):
    path = tmp_path / f"sweep.{form}"
    options = ["--model", tiny_bundle(**sizes), "--seed", 1, "--temperatures", "0,1", "--samples", 2, "--lines", 3]
    code, out, err = run(capsys, *options, "--plot", path, verb=sweep)
    assert code == 0 and path.read_bytes().startswith(STARTS[form]) and err.endswith(f"plot: {path}\n")
    assert "best chrF" in out and "best for single draws" in out


def test_columns_of_wide_characters_stand_below_each_other():
    rows = [{"temperature": t, "samples": ["가나다라마바사아자차카타파하" if t else "abc\ndef"]} for t in (0.0, 0.5)]
    lines = sweep.side_by_side(rows, ["긴"]).splitlines()
    assert lines[3:5] == ["abc                   가나다라마바사아자차", "def                   카타파하"]

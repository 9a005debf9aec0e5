"""The verb `explain`, and how explanations are shown: as text, as JSON and as pictures."""

import contextlib
import itertools
import json
import sys
import types
import xml.etree.ElementTree as ElementTree

import pytest

from seq2seq import explain
from seq2seq.api import load
from seq2seq.drawing import png
from seq2seq.drawing.heat_map import draw, steps_of
from seq2seq.drawing.picture import Box, Label, Line, Picture, shade
from seq2seq.drawing.svg import to_svg
from seq2seq.drawing.symbols import padded, visible, width_of
from seq2seq.drawing.table import as_text, bar
from seq2seq.errors import OptionError
from seq2seq.inference.explanation import (
    Alternative,
    ExplainedAction,
    ExplainedSymbol,
    Explanation,
    SearchTree,
    TreeNode,
)
from tests.tiny_language import make_model


def one(symbol, probability=0.5, *others, forced=False):
    alternatives = [Alternative(symbol, probability), *(Alternative(name, 0.1) for name in others)]
    return ExplainedSymbol(symbol, probability, forced, alternatives)


def made(symbols, source, **values):
    values = {"attention": None, "actions": None, "tree": None, "kind": "translator", "seed": None, **values}
    text = "".join(each.symbol or "" for each in symbols)
    return Explanation(model="tiny", source=source, text=text, finished=True, score=-1.5, symbols=symbols, **values)


ATTENDS = made(
    [one("x", 0.9, "y"), one(None, 0.25, "x")],
    ["a", "b", "<END>"],
    attention=[[0.8, 0.1, 0.1], [0.0, 0.3, 0.7]],
)
EDITS = made(
    [one("a"), one("z", 0.2), one(None, 1.0)],
    ["a", "b", "c", "<END>"],
    kind="transducer",
    actions=[
        ExplainedAction("copy", 0, "a", 0.5),
        ExplainedAction("delete", 1, None, 0.4),
        ExplainedAction("substitute", 2, "z", 0.5),
        ExplainedAction("end", 3, None, 1.0),
    ],
)
TREE = SearchTree(
    2,
    [
        TreeNode(0, None, 0, "", None, 0.0, 0.0, kept=True, best=True),
        TreeNode(1, 0, 1, "x", None, -0.1, -0.1, kept=True, best=True),
        TreeNode(2, 0, 1, "y", None, -2.0, -2.0, kept=True, best=False),
        TreeNode(3, 0, 1, "z", None, -3.0, -3.0, kept=False, best=False),
        TreeNode(4, 1, 2, None, None, -0.4, -0.5, kept=True, best=True),
        TreeNode(5, 1, 2, "y", None, -1.0, -1.1, kept=True, best=False),
    ],
)


# symbols


def test_what_has_no_glyph_has_a_name():
    shown = {None: "END", "<END>": "END", "": "∅", " ": "␣", "\n": "↵", "\t": "⇥", "\u202f": "⍽", "\u0301": "◌\u0301"}
    assert {symbol: visible(symbol) for symbol in shown} == shown
    assert (visible("\u200d"), visible("\x07"), visible("a b"), visible("é")) == ("U+200D", "U+0007", "a⍽b", "é")


def test_width_counts_cells_and_right_to_left_letters_do_not_move_what_follows():
    assert [width_of(text) for text in ("abc", "日本", "e\u0301", "한", "א")] == [3, 4, 1, 2, 1]
    assert padded("日", 4) == "日  " and padded("e\u0301", 3) == "e\u0301  "
    assert padded("א", 3) == "א\u200e  "


# text


def test_the_table_by_hand():
    lines = as_text(ATTENDS).splitlines()
    assert lines[0] == "tiny (translator): score -1.5000, finished"
    assert [line.split() for line in lines[1:]] == [
        ["symbol", "probability", "alternatives", "abEND"],
        ["x", "0.900", "███████▎", "*x", ".90", "y", ".10", "│█░░░░│"],
        ["END", "0.250", "██", "*END", ".25", "x", ".10", "│", "▒▓▓▓│"],
    ]
    assert [bar(value) for value in (0, 1 / 64, 0.5, 1)] == ["", "▏", "████", "████████"]


def test_columns_stand_below_each_other_whatever_the_width_of_symbols():
    symbols = [one("日", 0.4, "e\u0301"), one("e\u0301", 1.0, "한", forced=True), one("א", 0.1, " "), one("\u0301")]
    attention = [[0.5, 0.5, 0.0]] * 4
    heading, *rows = as_text(made(symbols, ["本", "a", "<END>"], attention=attention)).splitlines()[1:]
    starts = {width_of(row[: row.index("│")]) for row in rows}
    assert starts == {width_of(heading[: heading.index("本")]) - 1}
    assert len(rows) == 4 and all(row.endswith("│▓▓▓   │") for row in rows)
    assert rows[1].startswith("e\u0301 (forced)")


def test_a_grid_that_does_not_fit_becomes_its_largest_weights():
    rows = as_text(ATTENDS, width=50).splitlines()
    assert "│" not in "".join(rows)
    assert rows[1].endswith("looked at")
    assert rows[2].endswith("a:1 .80  b:2 .10  END:3 .10") and rows[3].endswith("END:3 .70  b:2 .30  a:1 .00")
    assert "│" in as_text(ATTENDS, width=80)


def test_a_transducers_table_names_its_edits():
    rows = as_text(EDITS).splitlines()
    assert rows[1] == "source: abcEND"
    assert [row.split("  ")[-1].strip() for row in rows[3:]] == ["copy a", "delete b, substitute c", "end"]


def test_a_tree_is_a_list_of_steps():
    text = as_text(made([one("x"), one(None)], ["a"], tree=TREE))
    assert text.split("\n\n")[1].splitlines() == [
        "search: beam of 2; * leads to the output, - found no place in the beam",
        "step 1",
        "  * x    -0.1000",
        "    y    -2.0000",
        "  - z    -3.0000",
        "step 2",
        "  * x     -0.5000  end",
        "    xy    -1.1000",
    ]


# pictures


def labels(picture):
    return [shape.text for shape in picture.shapes if isinstance(shape, Label)]


def test_a_heat_map_has_a_cell_for_each_weight_and_a_colour_for_each_probability():
    picture = draw(ATTENDS)
    titles = [shape.title for shape in picture.shapes if isinstance(shape, Box) and shape.title]
    assert titles[:2] == ["x: probability 0.9000", "END: probability 0.2500"]
    assert titles[2:5] == ["x looked at a: 0.800", "x looked at b: 0.100", "x looked at END: 0.100"]
    (cell,) = [shape for shape in picture.shapes if isinstance(shape, Box) and shape.title == "END looked at b: 0.300"]
    (column,) = [shape for shape in picture.shapes if isinstance(shape, Label) and shape.text == "END" and shape.bold][
        :1
    ]
    (row,) = [shape for shape in picture.shapes if isinstance(shape, Label) and shape.text == "b"]
    assert cell.x < column.x < cell.x + cell.width and cell.y < row.y < cell.y + cell.height
    assert shade("#0550ae", 0) == "#ffffff" and shade("#0550ae", 1) == "#0550ae"
    inside = [shape for shape in picture.shapes if isinstance(shape, Box)]
    assert all(box.x + box.width <= picture.width and box.y + box.height <= picture.height for box in inside)


def test_edits_are_steps_through_the_grid():
    assert [(action.action, before, after) for action, before, after in steps_of(EDITS.actions)] == [
        ("copy", (0, 0), (1, 1)),
        ("delete", (1, 1), (1, 2)),
        ("substitute", (1, 2), (2, 3)),
        ("end", (2, 3), (3, 4)),
    ]
    (insertion,) = steps_of([ExplainedAction("insert", 2, "a", 0.5)])
    assert insertion[1:] == ((0, 2), (1, 2))
    lines = [shape for shape in draw(EDITS).shapes if isinstance(shape, Line) and shape.title]
    assert [line.title.split(":")[0] for line in lines] == ["copy at a", "delete at b", "substitute at c", "end at END"]
    assert all(one.points[1] == two.points[0] for one, two in itertools.pairwise(lines))
    assert lines[1].points[0][0] == lines[1].points[1][0]


def test_a_long_text_without_a_grid_is_drawn_in_blocks_below_its_prompt():
    picture = draw(made([one("a") for _ in range(130)], ["T", " ", "x"], kind="language model", seed=3))
    assert "prompt: T␣x" in labels(picture)
    rows = {shape.y for shape in picture.shapes if isinstance(shape, Label) and shape.text == "a" and shape.bold}
    assert len(rows) == 6  # three blocks of symbols, and their alternatives
    assert picture.width < 2000


def test_a_tree_is_drawn_below_with_the_best_path_last():
    picture = draw(made([one("x"), one(None)], ["a"], tree=TREE))
    edges = [shape for shape in picture.shapes if isinstance(shape, Line) and shape.width != 0.6]
    assert [line.dashed for line in edges] == [False, True, False, False, False]
    assert [line.width for line in edges] == [0.8, 0.8, 0.8, 2.5, 2.5]
    assert "START" in labels(picture)


def test_svg_is_xml_whatever_the_symbols_are():
    symbols = [one("<&>\"'", 0.3, "\x00", "\ufffe"), one("\ud800"), one("א"), one("\u0301")]
    content = to_svg(draw(made(symbols, ["&"], attention=[[1.0]] * 4)))
    tree = ElementTree.fromstring(content)
    texts = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert "<&>\"'" in texts and "א" in texts and "◌\u0301" in texts
    assert tree.get("width") == tree.get("viewBox").split()[2]


def test_png_has_the_size_of_the_picture_and_draws_all_shapes():
    content = png.to_png(draw(made([one("x$y"), one("न"), one("\ue123")], ["a"], tree=TREE)))
    assert content.startswith(b"\x89PNG") and b"seq2seq explain" in content[:512]
    picture = Picture("empty")
    picture.reach(30, 20)
    assert int.from_bytes(png.to_png(picture)[16:20], "big") == 30 * png.SCALE
    picture.reach(20000, 20)
    with pytest.raises(OptionError, match=r"--format png: expected at most 16384 pixels, got a picture of 20000 x 20"):
        png.to_png(picture)


def test_a_picture_is_drawn_with_the_fonts_that_its_labels_need(monkeypatch):
    asked = []

    @contextlib.contextmanager
    def fonts_for(text):
        asked.append(set(text))
        yield

    monkeypatch.setattr(png, "fonts_for", fonts_for)
    png.to_png(draw(made([one("न"), one("語")], ["א"])))
    assert len(asked) == 1 and asked[0] >= set("न語א")


# the verb


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Runs the verb on lines; returns the exit code, stdout and stderr."""

    def call(model, text, *options):
        (tmp_path / "in.txt").write_text(text, encoding="utf-8")
        monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
        code = explain.main(["--model", str(model), "-i", str(tmp_path / "in.txt"), *options])
        captured = capsys.readouterr()
        return types.SimpleNamespace(code=code, out=captured.out, err=captured.err)

    return call


def test_each_line_has_a_table_or_a_line_of_json(run, tiny_bundle):
    folder = tiny_bundle()
    found = run(folder, "abcd.\n\nghij.\n", "--beam-size", "2", "--alternatives", "2")
    translator = load(folder)
    texts = translator.translate(["abcd.", "", "ghij."], beam_size=2)
    headings = [line for line in found.out.splitlines() if line.startswith("=== ")]
    assert headings == [
        f"=== line {n}: {s} → {t}" for n, s, t in zip((1, 2, 3), ("abcd.", "", "ghij."), texts, strict=True)
    ]
    found = run(folder, "abcd.\n\nghij.\n", "--beam-size", "2", "--tree", "--format", "json", "--prefix", "cd")
    rows = [json.loads(line) for line in found.out.splitlines()]
    expected = [translator.explain(line, beam_size=2, tree=True, prefix="cd") for line in ("abcd.", "", "ghij.")]
    assert rows == [each.as_dict() for each in expected]
    assert (found.code, found.err) == (0, "")


def test_samples_are_those_of_decode_and_a_drawn_seed_is_printed(run, tiny_bundle):
    folder = tiny_bundle()
    options = {"temperature": 1.0, "seed": 4}
    expected = load(folder).translate(["abcd.", "abcd."], **options)
    found = run(folder, "abcd.\nabcd.\n", "--temperature", "1", "--seed", "4", "--format", "json")
    assert [json.loads(line)["text"] for line in found.out.splitlines()] == expected
    found = run(folder, "abcd.\n", "--temperature", "1", "--format", "json")
    assert found.err == f"seed: {json.loads(found.out)['seed']}\n"


def test_unknown_characters_are_named(run, tiny_bundle):
    assert "line 1, column 2: '?' (U+003F) is unknown to the model, read as UNK" in run(tiny_bundle(), "a?b\n").err


def test_a_language_model_reads_prompts(run, tmp_path):
    model = make_model(tmp_path / "prose")
    folder = model.bundle.path
    found = run(folder, "The gulls\nAda\n", "--length", "6", "--seed", "2", "--format", "json", "--top-k", "5")
    texts = [json.loads(line)["text"] for line in found.out.splitlines()]
    assert texts == [model.generate(prompt, length=6, seed=2, top_k=5) for prompt in ("The gulls", "Ada")]
    for options, message in (
        (["--prefix", "a"], f"--prefix: {folder} is a language-model, which has no such option"),
        (["--tree"], "--tree: a language model has no beam to show; leave --tree out"),
        (["--beam-size", "2"], "--beam-size 2: beam search makes a language model repeat itself"),
    ):
        found = run(folder, "The\n", *options)
        assert (found.code, found.out) == (2, "")
        assert message in found.err


def test_one_line_gives_the_file_and_several_a_file_each(run, tiny_bundle, tmp_path):
    folder = tiny_bundle()
    assert run(folder, "abcd.\n", "-o", str(tmp_path / "one.svg")).code == 0
    assert run(folder, "abcd.\nghij.\n", "-o", str(tmp_path / "two.svg")).code == 0
    assert run(folder, "abcd.\n", "-o", str(tmp_path / "one.png")).code == 0
    names = sorted(path.name for path in tmp_path.iterdir() if path.suffix in (".svg", ".png", ".partial"))
    assert names == ["one.png", "one.svg", "two-1.svg", "two-2.svg"]
    expected = to_svg(draw(load(folder).explain("abcd.")))
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two-1.svg").read_bytes() == expected
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert run(folder, "", "-o", str(tmp_path / "none.svg")).err == "no lines, so there is no picture\n"
    assert not (tmp_path / "none.svg").exists()


@pytest.mark.parametrize("ending", ["svg", "png", "txt", "json"])
def test_a_file_that_explain_wrote_is_replaced_and_another_is_refused(run, tiny_bundle, tmp_path, ending):
    folder, path = tiny_bundle(), tmp_path / f"out.{ending}"
    path.write_text("")
    assert run(folder, "abcd.\n", "-o", str(path)).code == 0
    first = path.read_bytes()
    assert run(folder, "abcd.\n", "-o", str(path)).code == 0
    assert path.read_bytes() == first
    path.write_text("notes of a person")
    found = run(folder, "abcd.\n", "-o", str(path))
    assert found.code == 2 and path.read_text() == "notes of a person"
    assert found.err == (
        f"seq2seq explain: error: --output {path}: exists, and `seq2seq explain` did not write it; "
        "move it away, or give another --output\n"
    )


def test_an_error_in_a_line_leaves_no_unfinished_file(run, tiny_bundle, tmp_path):
    path = tmp_path / "out.txt"
    found = run(tiny_bundle(), "abcd.\na?\n", "--oov", "error", "-o", str(path))
    assert found.code == 2 and "line 2" in found.err and "--resume" not in found.err
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("out")] == []


def test_what_cannot_be_shown_is_refused(run, tiny_bundle, tmp_path, monkeypatch):
    folder = tiny_bundle()
    for options, message in (
        (
            ["--format", "svg"],
            "--format svg: expected one line, since each line has a picture of its own, got 2; give -o",
        ),
        (["--format", "svg", "-o", "/dev/null"], "--format svg: expected one line"),
        (["--length", "3"], f"--length: {folder} is a translator, which has no such option"),
        (["--tree", "--temperature", "1"], "--tree shows what a beam keeps, and --temperature draws samples"),
        (["--alternatives", "-1"], "--alternatives: expected at least 0, got -1"),
        (["--n-best", "2"], "unrecognized arguments: --n-best 2"),
    ):
        found = run(folder, "abcd.\nghij.\n", *options)
        assert (found.code, found.out) == (2, "")
        assert message in found.err
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = run(folder, "abcd.\n", "-o", str(tmp_path / "a.png"))
    assert found.err == (
        "seq2seq explain: error: --format png: needs matplotlib, which is not installed: run pip install "
        "'.[plots]' in the folder of seq2seq's source; or give --format svg\n"
    )


@pytest.mark.parametrize("name", ["a.svg", "a.json", "a.txt"])
def test_a_full_disk_is_named_with_the_way_out_and_nothing_is_left(name, run, tiny_bundle, tmp_path, full_disk):
    folder, file = tiny_bundle(), tmp_path / "out" / name
    file.parent.mkdir()
    for room in (0, 1):
        full_disk(room)
        found = run(folder, "abcd.\n", "-o", str(file))
        assert (found.code, found.out) == (2, "")
        assert found.err.splitlines()[-1] == (
            f"seq2seq explain: error: --output {file}: cannot be written: No space left on device; make room or write "
            "elsewhere"
        )
        assert list(file.parent.iterdir()) == []


def test_an_interrupted_explanation_leaves_the_earlier_one(run, tiny_bundle, tmp_path, full_disk):
    folder, file = tiny_bundle(), tmp_path / "out" / "a.svg"
    file.parent.mkdir()
    assert run(folder, "abcd.\n", "-o", str(file)).code == 0
    before = file.read_bytes()
    full_disk(1, KeyboardInterrupt())
    assert run(folder, "efgh.\n", "-o", str(file)).code == 130
    assert list(file.parent.iterdir()) == [file] and file.read_bytes() == before


def test_a_png_is_not_written_to_a_terminal(tiny_bundle, tmp_path, monkeypatch, capsys):
    (tmp_path / "in.txt").write_text("abcd.\n")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert explain.main(["--model", str(tiny_bundle()), "-i", str(tmp_path / "in.txt"), "--format", "png"]) == 2
    assert "--format png: is no text for a terminal; give -o FILE.png" in capsys.readouterr().err


def test_an_ending_that_means_no_form_is_refused_and_nothing_is_written(tmp_path, capsys):
    file = tmp_path / "map.gif"
    assert explain.main(["-o", str(file)]) == 2
    assert (
        f"--output {file}: expected an ending of .svg, .png, .json, .jsonl, .txt, got '.gif'" in capsys.readouterr().err
    )
    assert not file.exists()

"""What people look at while a run goes on: samples.txt, curves.svg and curves.png, and whose files these are."""

import re
import sys
import xml.etree.ElementTree as Tree

import pytest
from test_training import CountingTask, run, run_of

from seq2seq import extras
from seq2seq.files.reading import read_json
from seq2seq.files.writing import write_json
from seq2seq.scoring.line_chart import Line, Panel, limits, spread_out, svg_chart, ticks
from seq2seq.training.checkpoints import PROGRESS, Progress, current_checkpoint, load_progress
from seq2seq.training.run_folder import Saver, foreign_names, remove_run, report_foreign_names
from seq2seq.training.run_views import (
    CURVES,
    PICTURE,
    SAMPLES,
    VIEWS,
    is_view,
    remove_views,
    write_picture,
    write_views,
)
from seq2seq.training.task import Start

HISTORY = [{"epoch": epoch, "train_loss": 2 / epoch, "loss": 2.5 / epoch, "chrf": 9.0 * epoch} for epoch in (1, 2, 3)]
PROGRESS_OF_3 = Progress(epoch=3, best_epoch=3, history=HISTORY, samples=[["    a  ->  b"], ["    a  ->  c"], []])


class Sampling(CountingTask):
    """Prints another output after each epoch."""

    def __init__(self, done=0, **others):
        super().__init__(**others)
        self.done = done

    def validate(self):
        self.done += 1
        return super().validate()._replace(examples=[f"    안녕  ->  {'b' * self.done}", "    x\u2028y  ->  z"])


# samples.txt


def test_the_samples_are_the_lines_that_training_prints_under_their_epochs(tmp_path):
    _, _, lines = run(tmp_path, Sampling(), epochs=2)
    printed = [line for line in lines if line.startswith("    ")]
    assert printed == ["    안녕  ->  b", "    x\u2028y  ->  z", "    안녕  ->  bb", "    x\u2028y  ->  z"]
    heading, *rest = (tmp_path / SAMPLES).read_text(encoding="utf-8").split("\n")
    assert heading.startswith("# seq2seq train: outputs for sources of the validation part, or texts")
    assert rest == ["", "epoch 1", *printed[:2], "", "epoch 2", *printed[2:], ""]


def test_samples_and_curves_can_be_read_while_the_run_goes_on(tmp_path):
    seen = []

    class Reading(Sampling):
        def epoch(self, generator):
            seen.append([name for name in VIEWS if (tmp_path / name).exists()])
            if self.done:
                seen[-1].append((tmp_path / SAMPLES).read_text(encoding="utf-8").count("epoch "))
            return super().epoch(generator)

    run(tmp_path, Reading(), epochs=3)
    assert seen == [[], [SAMPLES, CURVES, 1], [SAMPLES, CURVES, 2]]


def test_an_interrupted_run_that_continues_has_the_same_samples_and_curves_as_one_that_was_not(tmp_path):
    whole, parts = tmp_path / "1" / "model", tmp_path / "2" / "model"
    whole.parent.mkdir()
    parts.parent.mkdir()
    run(whole, Sampling(), epochs=4)
    with pytest.raises(KeyboardInterrupt):
        run(parts, Sampling(interrupt_in=(3, 2)), epochs=4)
    assert (parts / SAMPLES).read_bytes() != (whole / SAMPLES).read_bytes()
    (parts / SAMPLES).unlink()  # as if the process had ended between checkpoint and samples
    run(parts, Sampling(done=2), epochs=4)
    for name in (SAMPLES, CURVES):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()


def test_a_run_of_an_earlier_version_goes_on_without_its_first_samples(tmp_path):
    run(tmp_path, Sampling(), epochs=1)
    path = current_checkpoint(tmp_path) / PROGRESS
    write_json(path, {key: value for key, value in read_json(path).items() if key != "samples"})
    assert load_progress(path.parent).samples == []
    progress, _, _ = run(tmp_path, Sampling(), epochs=2)
    assert progress.samples == [[], ["    안녕  ->  b", "    x\u2028y  ->  z"]]
    assert re.findall("epoch .*", (tmp_path / SAMPLES).read_text(encoding="utf-8")) == ["epoch 2"]


# curves


def test_the_curves_are_svg_with_a_line_for_each_loss_and_score(tmp_path):
    write_views(tmp_path, PROGRESS_OF_3)
    tree = Tree.parse(tmp_path / CURVES)
    lines = [each.get("points").split() for each in tree.iter("{http://www.w3.org/2000/svg}polyline")]
    assert [len(points) for points in lines] == [3, 3, 3]
    heights = [[float(point.split(",")[1]) for point in points] for points in lines]
    assert all(points == sorted(points) for points in heights[:2])  # the losses fall: y grows downwards
    assert heights[2] == sorted(heights[2], reverse=True)
    text = "|".join(each.text for each in tree.iter("{http://www.w3.org/2000/svg}text"))
    assert "training 0.667|" in text and "validation 0.833|" in text and "chrF 27|" in text
    assert "loss, nats per symbol" in text and "epoch (dashed: the best one)" in text


def test_a_language_model_has_losses_alone_and_one_epoch_is_a_dot(tmp_path):
    write_views(tmp_path, Progress(best_epoch=1, history=[{"epoch": 1, "train_loss": 2.0, "loss": 2.0}]))
    text = (tmp_path / CURVES).read_text(encoding="utf-8")
    assert text.count("<polyline") == text.count("<circle") == 2
    assert "score" not in text and "nan" not in text


def test_axes_have_round_numbers_and_labels_do_not_lie_on_each_other():
    assert ticks(0.0, 2.62, 5) == [0.0, 1.0, 2.0]
    assert ticks(1, 20, 10) == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]
    assert ticks(0.981, 1.003, 5) == [0.985, 0.99, 0.995, 1.0]
    assert ticks(3, 3, 5) == [3]
    low, high = limits([0.5, 3.0])
    assert low == 0 and 3.0 < high < 3.3
    assert limits([0.0, 1.0])[0] == 0 and limits([0.4, 1.0])[0] == pytest.approx(0.364)
    assert limits([-0.1, 1.0])[0] == pytest.approx(-0.166)
    assert spread_out([10.0, 40.0, 12.0], 15.0) == [10.0, 40.0, 25.0]


def test_places_go_from_the_left_to_the_right_end():
    panel = Panel("loss", (Line("a", [1.0, 2.0, 1.0]),))
    tree = Tree.fromstring(svg_chart([panel], [1, 2, 5], x_label="epoch", title="", marked=2, mark=""))
    xs = [float(element.get("cx")) for element in tree.findall(".//{*}circle")]
    grid = tree.find(".//{*}path").get("d")
    left, right = map(float, re.fullmatch(r"M([\d.]+) [\d.]+H([\d.]+)", grid).groups())
    assert xs == pytest.approx([left, left + (right - left) / 4, right])


def test_a_name_is_escaped_and_a_constant_line_is_drawn():
    panels = [Panel("a < b", (Line("x & y", [0.0, 0.0]),))]
    text = svg_chart(panels, [1, 2], x_label="epoch", title="번역 <1>", marked=1, mark="m")
    assert "번역 &lt;1&gt;" in text and "a &lt; b" in text and "x &amp; y 0" in text
    Tree.fromstring(text)


@pytest.mark.parametrize(("count", "dots"), [(40, 40), (41, 1)])
def test_a_long_line_has_a_dot_at_its_end_alone(count, dots):
    panel = Panel("loss", (Line("a", [float(value) for value in range(count)]),))
    assert svg_chart([panel], range(count), x_label="epoch", title="", marked=1, mark="").count("<circle") == dots


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_numbers_of_the_horizontal_axis_stand_below_the_last_panel(count):
    panels = [Panel(f"panel {index}", (Line("a", [1.0, 2.0]),)) for index in range(count)]
    tree = Tree.fromstring(svg_chart(panels, [1, 2], x_label="epoch", title="", marked=1, mark=""))
    texts = {element.text: float(element.get("y")) for element in tree.findall(".//{*}text")}
    lowest = max(float(element.get("cy")) for element in tree.findall(".//{*}circle"))
    assert lowest < texts["1"] == texts["2"] < texts["epoch"] < float(tree.get("height"))
    assert texts["1"] - lowest < 50 and float(tree.get("height")) - texts["epoch"] < 50


def test_the_picture_is_drawn_where_matplotlib_is_installed(tmp_path, monkeypatch):
    folder = tmp_path / "번역"
    folder.mkdir()
    monkeypatch.setattr("seq2seq.training.run_views.has_matplotlib", lambda: False)
    write_picture(folder, PROGRESS_OF_3)
    assert not (folder / PICTURE).exists()
    monkeypatch.setattr("seq2seq.training.run_views.has_matplotlib", extras.has_matplotlib)
    write_picture(folder, PROGRESS_OF_3)
    first = (folder / PICTURE).read_bytes()
    assert first.startswith(b"\x89PNG") and is_view(folder / PICTURE)
    write_picture(folder, PROGRESS_OF_3)  # its own file is drawn again, with the same bytes
    assert (folder / PICTURE).read_bytes() == first
    (folder / PICTURE).write_bytes(b"\x89PNG theirs")
    write_picture(folder, PROGRESS_OF_3)
    assert (folder / PICTURE).read_bytes() == b"\x89PNG theirs"


def test_curves_need_no_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    write_views(tmp_path, PROGRESS_OF_3)
    assert is_view(tmp_path / CURVES)


# whose files these are


@pytest.mark.parametrize("name", [SAMPLES, CURVES, f"{SAMPLES}.partial"])
def test_a_file_of_another_program_is_left_alone_and_named(tmp_path, name):
    (tmp_path / name).write_text("mine")
    lines = []
    asked = run_of(tmp_path, lines.append)
    report_foreign_names(asked)
    assert lines == [f"{tmp_path}: {name}: not written by this program, left alone"]
    write_views(tmp_path, PROGRESS_OF_3)
    remove_views(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_link_is_not_replaced(tmp_path):
    (tmp_path / "theirs.svg").write_text("<!-- seq2seq train -->")
    (tmp_path / CURVES).symlink_to(tmp_path / "theirs.svg")
    write_views(tmp_path, PROGRESS_OF_3)
    assert (tmp_path / CURVES).is_symlink() and (tmp_path / "theirs.svg").read_text() == "<!-- seq2seq train -->"


def test_what_an_interrupted_write_left_is_this_programs(tmp_path):
    (tmp_path / f"{SAMPLES}.partial").touch()
    (tmp_path / f"{CURVES}.partial").write_text("<svg><!-- seq2seq train -->")
    assert foreign_names(tmp_path) == []
    write_views(tmp_path, PROGRESS_OF_3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [CURVES, SAMPLES]


def test_the_views_go_with_the_run(tmp_path):
    asked = run_of(tmp_path, print)
    Saver(asked, Start()).save(PROGRESS_OF_3, weights={}, state={})
    assert foreign_names(tmp_path) == [] and is_view(tmp_path / SAMPLES)
    (tmp_path / PICTURE).write_text("mine")
    remove_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [PICTURE]

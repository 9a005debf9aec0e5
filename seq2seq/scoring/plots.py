"""Draws figures with matplotlib, which is an optional extra."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.drawing.fonts import fonts_for
from seq2seq.errors import OptionError
from seq2seq.extras import require_matplotlib
from seq2seq.files.results import check_result_file, write_result
from seq2seq.scoring.line_chart import COLOURS, MOST_MARKERS, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes  # noqa: F401 - evaluation_plot names it
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
DOTS_PER_INCH = 120
# panels from top to bottom: the axis label, and the values by name with their labels
PANELS = (
    ("bits per symbol", {"entropy_bits": "entropy"}),
    ("share", {"distinct_1": "distinct-1", "distinct_2": "distinct-2", "repeated_8_grams": "repeated 8-grams",
               "copied_share": "copied", "unknown_words": "unknown words", "failures_to_stop": "no stop",
               "exact_match": "exact match", "best_exact_match": "exact match, best draw"}),
    ("chrF", {"chrf": "mean of the draws", "best_chrf": "best draw"}),
)  # fmt: skip


def check_plot(path: Path) -> None:
    """Refuses a figure that could not be drawn, before any time is spent on what it shows.

    Raises:
        OptionError: matplotlib is missing, the name has another ending than a form of figures, or the file cannot be
            written.

    """
    require_matplotlib("--plot", "leave --plot out")
    if path.suffix.lower().removeprefix(".") not in FORMATS:
        raise OptionError(f"--plot {path}: expected a name that ends in .png, .svg or .pdf, got {path.name!r}")
    check_result_file(path, "--plot")


def new_figure(width: float, height: float) -> "Figure":
    """Makes an empty figure; its size is in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Writes a figure in the form that the file's ending names; raises OptionError where it cannot be written."""
    form = path.suffix.lower().removeprefix(".")
    write_result(path, figure_bytes(figure, form), "--plot")


def figure_bytes(figure: "Figure", form: str, mark: str = "seq2seq") -> bytes:
    """Returns the content of a figure's file; the same figure gives the same bytes. `mark` names this program."""
    import matplotlib

    metadata = {"png": {"Software": mark}, "svg": {"Creator": mark, "Date": None}}.get(
        form, {"Creator": mark, "CreationDate": None}
    )
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": mark}):
        figure.savefig(file, format=form, dpi=DOTS_PER_INCH, metadata=metadata)
    return file.getvalue()


def draw_curves(panels: Sequence[Panel], xs: Sequence[int], *, title: str, marked: int, mark: str) -> bytes:
    """Draws panels one above the other as `svg_chart` does; returns the bytes of a PNG file."""
    with fonts_for(title) as shown:
        figure = new_figure(7.5, 0.6 + 2.4 * len(panels))
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axis, panel in zip(axes, panels, strict=True):
            for line, colour in zip(panel.lines, COLOURS, strict=False):
                axis.plot(xs, line.values, ".-" if len(xs) <= MOST_MARKERS else "-", color=colour, label=line.name)
            axis.axvline(marked, color="#999999", linestyle="--", linewidth=1)
            axis.set_title(panel.label, loc="left", fontsize="medium")
            axis.grid(alpha=0.3)
            axis.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axes[-1].set_xlabel("epoch (dashed: the best one)")
        axes[-1].xaxis.get_major_locator().set_params(integer=True)
        figure.suptitle(shown(title))
        return figure_bytes(figure, "png", mark)


def draw_sweep(rows: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Draws the numbers of a sweep against the temperature into a file.

    Args:
        rows: one for each temperature; values that are None or missing are left out.
        path: the file, which `check_plot` has accepted.
        title: the figure's title.

    Raises:
        OptionError: the file cannot be written.

    """
    rows = sorted(rows, key=lambda row: row["temperature"])
    temperatures = [row["temperature"] for row in rows]
    panels = [
        (name, {key: label for key, label in lines.items() if rows[0].get(key) is not None}) for name, lines in PANELS
    ]
    panels = [(name, lines) for name, lines in panels if lines]
    with fonts_for(title) as shown:
        figure = new_figure(8, 2.6 * len(panels))
        axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axis, (name, lines) in zip(axes, panels, strict=True):
            for key, label in lines.items():
                axis.plot(temperatures, [row[key] for row in rows], marker="o", label=label)
            axis.set_ylabel(name)
            axis.grid(alpha=0.3)
            axis.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
        axes[-1].set_xlabel("temperature")
        figure.suptitle(shown(title))
        save_figure(figure, path)

"""Draws figures with matplotlib, which is an optional extra."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seq2seq.errors import OptionError

INSTALL = "pip install 'seq2seq[plots]'"
# panels from top to bottom: the axis label, and the values by name with their labels
PANELS = (
    ("bits per symbol", {"entropy_bits": "entropy"}),
    ("share", {"distinct_1": "distinct-1", "distinct_2": "distinct-2", "repeated_8_grams": "repeated 8-grams",
               "copied_share": "copied", "unknown_words": "unknown words", "failures_to_stop": "no stop",
               "exact_match": "exact match", "best_exact_match": "exact match, best draw"}),
    ("chrF", {"chrf": "mean of the draws", "best_chrf": "best draw"}),
)  # fmt: skip


def has_matplotlib() -> bool:
    """Returns whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def require_matplotlib() -> None:
    """Raises OptionError if matplotlib is not installed; the message has the command that installs it."""
    if not has_matplotlib():
        raise OptionError(f"--plot: needs matplotlib, which is not installed: {INSTALL}; or leave --plot out")


def draw_sweep(rows: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Draws the numbers of a sweep against the temperature into a PNG file.

    Args:
        rows: one for each temperature; values that are None or missing are left out.
        path: the file.
        title: the figure's title.

    Raises:
        OptionError: matplotlib is missing, or the file cannot be written.

    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = sorted(rows, key=lambda row: row["temperature"])
    temperatures = [row["temperature"] for row in rows]
    panels = [
        (name, {key: label for key, label in lines.items() if rows[0].get(key) is not None}) for name, lines in PANELS
    ]
    panels = [(name, lines) for name, lines in panels if lines]
    figure = Figure(figsize=(8, 2.6 * len(panels)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (name, lines) in zip(axes, panels, strict=True):
        for key, label in lines.items():
            axis.plot(temperatures, [row[key] for row in rows], marker="o", label=label)
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
    axes[-1].set_xlabel("temperature")
    figure.suptitle(title)
    try:
        figure.savefig(path, format="png", dpi=120)
    except OSError as error:
        raise OptionError(f"--plot {path}: cannot be written: {error.strerror}") from error

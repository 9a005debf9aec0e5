"""Draws an evaluation: scores by length, confusions and calibration beside each other, a row for each model."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.drawing.fonts import fonts_for
from seq2seq.scoring.by_length import LengthScores
from seq2seq.scoring.calibration import Calibration
from seq2seq.scoring.confusions import Confusions, visible
from seq2seq.scoring.details import Details
from seq2seq.scoring.line_chart import COLOURS
from seq2seq.scoring.plots import new_figure, save_figure

if TYPE_CHECKING:
    from seq2seq.scoring.plots import Axes

MOST_SYMBOLS = 12  # rows, and columns, of the matrix
NOTHING = "∅"  # the symbol that a deletion writes, and that an insertion replaces
MARGIN = 0.04  # of axes from 0 to 1


def draw_evaluation(models: Sequence[tuple[str, Details]], path: Path, *, title: str) -> None:
    """Draws the details of one or two models into a file that `check_plot` has accepted.

    Args:
        models: the name of each model, and its details, of which none is left out.
        path: the file.
        title: the figure's title.

    Raises:
        OptionError: the file cannot be written.

    """
    matrices = [confusion_matrix(details.confusions) for _, details in models if details.confusions]
    symbols = "".join(symbol for matrix in matrices for symbol in (*matrix[0], *matrix[1]))
    with fonts_for(title + symbols + NOTHING + "".join(name for name, _ in models)) as shown:
        figure = new_figure(15, 0.6 + 4.6 * len(models))
        rows = figure.subplots(len(models), 3, squeeze=False, width_ratios=(1.1, 1.1, 1))
        for axes, (name, details), matrix in zip(rows, models, matrices, strict=True):
            assert details.by_length is not None and details.calibration is not None
            draw_lengths(axes[0], details.by_length)
            draw_matrix(axes[1], list(map(shown, matrix[0])), list(map(shown, matrix[1])), matrix[2])
            draw_calibration(axes[2], details.calibration)
            if len(models) > 1:
                axes[0].set_ylabel(f"{shown(name)}\n\n{axes[0].get_ylabel()}")
        figure.suptitle(shown(title))
        save_figure(figure, path)


def draw_lengths(axis: "Axes", rows: Sequence[LengthScores]) -> None:
    """Draws the exact match with its intervals, and chrF, against the length of the source."""
    places = list(range(len(rows)))
    shares = [row.exact_match for row in rows]
    below = [row.exact_match - row.interval[0] for row in rows]
    above = [row.interval[1] - row.exact_match for row in rows]
    axis.errorbar(
        places, shares, yerr=(below, above), fmt="o-", capsize=3, color=COLOURS[0], label="exact match, 95 % interval"
    )
    axis.plot(places, [row.chrf / 100 for row in rows], "s--", color=COLOURS[1], label="chrF / 100")
    names = [str(row.shortest) if row.longest == row.shortest else f"{row.shortest}-{row.longest}" for row in rows]
    axis.set_xticks(places, [f"{name}\nn={row.n}" for name, row in zip(names, rows, strict=True)], fontsize="x-small")
    axis.set(ylim=(-MARGIN, 1 + MARGIN), xlabel="symbols of the source", ylabel="score", title="score by length")
    axis.grid(alpha=0.3, axis="y")
    axis.legend(fontsize="small")


def confusion_matrix(confusions: Confusions) -> tuple[list[str], list[str], list[list[int]]]:
    """Arranges the most frequent confusions; returns the references' symbols, the outputs', and counts by row.

    A deletion stands in the column NOTHING, an insertion in the row NOTHING; both stand last.
    """
    counts = {(each.reference, each.output): each.count for each in confusions.most_frequent}
    rows, columns = ranked(counts, 0), ranked(counts, 1)
    table = [[counts.get((row, column), 0) for column in columns] for row in rows]
    return [visible(row) or NOTHING for row in rows], [visible(column) or NOTHING for column in columns], table


def ranked(counts: dict[tuple[str, str], int], side: int) -> list[str]:
    """Returns the symbols of one side with the most confusions, in the order of the alphabet; nothing stands last."""
    totals: Counter[str] = Counter()
    for pair, count in counts.items():
        totals[pair[side]] += count
    most = sorted(totals, key=lambda symbol: (-totals[symbol], symbol))[:MOST_SYMBOLS]
    return sorted(most, key=lambda symbol: (not symbol, symbol))


def draw_matrix(axis: "Axes", rows: list[str], columns: list[str], table: list[list[int]]) -> None:
    """Draws how often each symbol of the references was taken for each of the outputs."""
    axis.set(title="most frequent confusions", xlabel="output", ylabel="reference")
    if not rows:
        axis.text(0.5, 0.5, "none", ha="center", va="center", transform=axis.transAxes)
        axis.set(xticks=[], yticks=[])
        return
    axis.imshow(table, cmap="Blues", aspect="auto")
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(rows)), rows)
    darkest = max(map(max, table))
    for y, counts in enumerate(table):
        for x, count in enumerate(counts):
            if count:
                colour: Any = "white" if count > 0.6 * darkest else "#222222"
                axis.text(x, y, str(count), ha="center", va="center", fontsize="small", color=colour)


def draw_calibration(axis: "Axes", calibration: Calibration) -> None:
    """Draws how often outputs are right against their probability; the area of a dot shows how many they are."""
    bins = calibration.bins
    total = max(sum(each.n for each in bins), 1)
    axis.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
    axis.errorbar(
        [each.probability for each in bins],
        [each.right for each in bins],
        yerr=(
            [each.right - each.interval[0] for each in bins],
            [each.interval[1] - each.right for each in bins],
        ),
        fmt="none", ecolor=COLOURS[0], capsize=3, linewidth=1,
    )  # fmt: skip
    axis.scatter(
        [each.probability for each in bins],
        [each.right for each in bins],
        s=[20 + 300 * each.n / total for each in bins],
        color=COLOURS[0],
    )
    axis.set(
        xlim=(-MARGIN, 1 + MARGIN),
        ylim=(-MARGIN, 1 + MARGIN),
        xlabel="probability of the output",
        ylabel="exact match, 95 % interval",
        title=f"calibration (expected error {calibration.error:.3f})",
    )
    axis.grid(alpha=0.3)

"""Draws the curves of a run with block characters, for the terminal: the history of a run in, lines of text out."""

import itertools
from collections.abc import Mapping, Sequence

from seq2seq.training.run_views import SCORES

BLOCKS = " ▁▂▃▄▅▆▇█"
HEIGHT, BETWEEN = 3, 3  # lines of bars; columns between two curves
WIDEST, NARROWEST = 48, 24  # columns of a curve with its labels
WIDEST_BAR = 3  # columns of an epoch
LOSS_COLOUR, SCORE_COLOUR, PLAIN = "\033[36m", "\033[32m", "\033[0m"


def curves_block(history: Sequence[Mapping[str, float]], width: int, *, colour: bool) -> list[str]:
    """Draws the validation loss, and beside it the first score, with a bar for each epoch.

    Args:
        history: a row for each epoch; with fewer than two there is nothing to draw.
        width: columns of the terminal.
        colour: whether the bars are coloured, with ANSI codes.

    Returns:
        Lines of at most `width` columns; none where the terminal is too narrow.

    """
    if len(history) < 2:
        return []
    curves = [("validation loss", [row["loss"] for row in history], LOSS_COLOUR)]
    for key, (name, factor) in list(SCORES.items())[:1]:
        if key in history[0]:
            curves.append((f"validation {name}", [factor * row[key] for row in history], SCORE_COLOUR))
    column = min(WIDEST, (width + BETWEEN) // len(curves) - BETWEEN)
    if column < NARROWEST:
        return []
    drawn = [one_curve(name, values, column, code if colour else "") for name, values, code in curves]
    return [(" " * BETWEEN).join(parts).rstrip() for parts in zip(*drawn, strict=True)]


def one_curve(name: str, values: Sequence[float], column: int, code: str) -> list[str]:
    """Draws one curve: its name and last value, then bars with the largest value above the smallest at the left."""
    labels = [number(max(values)), *[""] * (HEIGHT - 2), number(min(values))]
    wide = max(map(len, labels))
    rows = bars(values, column - wide - 1)
    lines = [f"{name} {number(values[-1])}"[:column].ljust(column)]
    for label, row in zip(labels, rows, strict=True):
        blank = " " * (column - wide - 1 - len(row))
        lines.append(f"{label:>{wide}} {code}{row}{PLAIN if code else ''}{blank}")
    return lines


def number(value: float) -> str:
    """Formats a value in at most three digits."""
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def bars(values: Sequence[float], cells: int) -> list[str]:
    """Draws a bar for each value, HEIGHT lines high; where there are too many values, one bar for the mean of several.

    The smallest value has the lowest bar that can be seen, and the largest a full one.
    """
    if len(values) > cells:
        ends = [round(cell * len(values) / cells) for cell in range(cells + 1)]
        values = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(ends)]
    low, high = min(values), max(values)
    most = (len(BLOCKS) - 1) * HEIGHT
    levels = [round(1 + (most - 1) * (value - low) / (high - low)) if high > low else most // 2 for value in values]
    wide = max(1, min(WIDEST_BAR, cells // len(values)))
    rows = []
    for row in reversed(range(HEIGHT)):
        filled = (min(max(level - row * (len(BLOCKS) - 1), 0), len(BLOCKS) - 1) for level in levels)
        rows.append("".join(BLOCKS[part] * wide for part in filled))
    return rows

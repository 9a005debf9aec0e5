"""Draws lines over the epochs of a run as SVG, without matplotlib: panels of values in, the text of a file out."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

COLOURS = ("#1f6fb4", "#d1611b", "#2f8f4e", "#8453b0")
WIDTH, PANEL, LEFT, RIGHT, TOP, BOTTOM, GAP = 720, 190, 64, 168, 62, 48, 38  # pixels
LABEL_HEIGHT = 15.0  # pixels between two labels at the ends of lines
MOST_MARKERS = 40  # longer lines have no dots


@dataclass(frozen=True)
class Line:
    """A line of a panel; it has a value for each place on the horizontal axis."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """Lines with a common vertical axis."""

    label: str
    lines: tuple[Line, ...]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Returns at most `most` + 1 round numbers from `low` to `high`: multiples of 1, 2 or 5 times a power of ten."""
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * factor for factor in (1, 2, 5, 10) if span / (power * factor) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def limits(values: Sequence[float]) -> tuple[float, float]:
    """Returns where an axis begins and ends: a little beyond the values."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low or abs(high) or 1.0)
    return (0.0 if 0 <= low < 0.3 * high else low - room), high + room


def spread_out(places: Sequence[float], distance: float) -> list[float]:
    """Moves places apart, downwards, so that each is at least `distance` from the next; keeps their order."""
    found = list(places)
    order = sorted(range(len(found)), key=found.__getitem__)
    for before, after in itertools.pairwise(order):
        found[after] = max(found[after], found[before] + distance)
    return found


def svg_chart(panels: Sequence[Panel], xs: Sequence[int], *, x_label: str, title: str, marked: int, mark: str) -> str:
    """Draws panels one above the other.

    Args:
        panels: at least one.
        xs: the places on the horizontal axis, ascending.
        x_label: the name of the horizontal axis.
        title: stands above the panels.
        marked: a place with a vertical line, and a dot on each line.
        mark: a comment at the beginning of the file.

    """
    height = TOP + len(panels) * (PANEL + GAP) - GAP + BOTTOM
    found = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#444">',
        f"<!-- {mark} -->",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="26" font-size="15" font-weight="600" fill="#111">{escape(title)}</text>',
    ]
    for place, panel in enumerate(panels):
        found += panel_marks(panel, xs, TOP + place * (PANEL + GAP), marked)
    bottom = TOP + len(panels) * (PANEL + GAP) - GAP
    for tick in ticks(xs[0], xs[-1], 10):
        if tick == int(tick):
            found.append(f'<text x="{x_of(tick, xs):.1f}" y="{bottom + 17}" text-anchor="middle">{tick:g}</text>')
    found.append(
        f'<text x="{x_of((xs[0] + xs[-1]) / 2, xs):.1f}" y="{bottom + 36}" text-anchor="middle">{x_label}</text>'
    )
    return "\n".join([*found, "</svg>\n"])


def x_of(x: float, xs: Sequence[int]) -> float:
    """Returns the horizontal place of a value, in pixels; a single value stands in the middle."""
    wide = WIDTH - LEFT - RIGHT
    return LEFT + (0.5 if xs[0] == xs[-1] else (x - xs[0]) / (xs[-1] - xs[0])) * wide


def panel_marks(panel: Panel, xs: Sequence[int], top: float, marked: int) -> list[str]:
    """Draws one panel, whose upper end is at `top` pixels: grid, lines, and at their ends the names and last values."""
    low, high = limits([value for line in panel.lines for value in line.values])

    def y_of(value: float) -> float:
        return top + PANEL * (high - value) / (high - low)

    right, best = WIDTH - RIGHT, x_of(marked, xs)
    found = [f'<text x="{LEFT}" y="{top - 8}" font-weight="600">{escape(panel.label)}</text>']
    for tick in ticks(low, high, 5):
        y = y_of(tick)
        found.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#e3e3e3"/>')
        found.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    found.append(f'<path d="M{best:.1f} {top}V{top + PANEL}" stroke="#999" stroke-dasharray="3 3"/>')
    ends = spread_out([y_of(line.values[-1]) for line in panel.lines], LABEL_HEIGHT)
    for line, colour, end in zip(panel.lines, COLOURS, ends, strict=False):
        points = [(x_of(x, xs), y_of(value)) for x, value in zip(xs, line.values, strict=True)]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        found.append(
            f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>'
        )
        dots = points if len(points) <= MOST_MARKERS else points[-1:]
        found += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in dots]
        shown = f"{escape(line.name)} {line.values[-1]:.3g}"
        found.append(f'<text x="{right + 10}" y="{end + 4:.1f}" fill="{colour}">{shown}</text>')
    return found

"""Writes a picture as PNG with matplotlib, which is an optional extra."""

import functools
import importlib.util
import io
import re
import warnings
from pathlib import Path
from typing import Any

from seq2seq.drawing.picture import WHITE, Box, Dot, Label, Line, Picture
from seq2seq.drawing.svg import MARK
from seq2seq.errors import OptionError

SCALE = 2  # pixels of the file for one of the picture
MOST_PIXELS = 2**15  # in one direction; matplotlib allows 2**16
POINTS = 72.0
OTHER_STYLES = re.compile("Bold|Italic|Oblique|Light|Thin|Black|Medium|Condensed|Emoji", re.IGNORECASE)


def require_matplotlib() -> None:
    """Raises OptionError if matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise OptionError(
            "--format png: needs matplotlib, which is not installed: pip install 'seq2seq[plots]'; or give --format svg"
        )


def to_png(picture: Picture) -> bytes:
    """Returns the PNG file.

    Raises:
        OptionError: matplotlib is missing, or the picture is too large.

    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Circle, Rectangle

    if max(picture.width, picture.height) * SCALE > MOST_PIXELS:
        raise OptionError(
            f"--format png: expected at most {MOST_PIXELS // SCALE} pixels, got a picture of "
            f"{picture.width:.0f} x {picture.height:.0f}; give --format svg, or leave --tree out"
        )
    figure = Figure(figsize=(picture.width / POINTS, picture.height / POINTS), dpi=POINTS * SCALE, facecolor=WHITE)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, picture.width), ylim=(picture.height, 0))
    axes.axis("off")
    for place, shape in enumerate(picture.shapes):
        match shape:
            case Box():
                axes.add_patch(
                    Rectangle(
                        (shape.x, shape.y), shape.width, shape.height, color=shape.fill, linewidth=0, zorder=place
                    )
                )
            case Dot():
                axes.add_patch(Circle((shape.x, shape.y), shape.radius, color=shape.colour, linewidth=0, zorder=place))
            case Line():
                xs, ys = zip(*shape.points, strict=True)
                style = (0, (3, 3)) if shape.dashed else "-"
                axes.add_line(Line2D(xs, ys, color=shape.colour, linewidth=shape.width, linestyle=style, zorder=place))
            case Label():
                axes.text(
                    shape.x,
                    shape.y,
                    shape.text.replace("$", r"\$"),
                    color=shape.colour,
                    ha={"start": "left", "middle": "center", "end": "right"}[shape.anchor],
                    va="center_baseline",
                    zorder=place,
                    fontproperties=font(shape.text, shape.size, shape.bold),
                )
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # no font has it: a box is drawn
        figure.savefig(file, format="png", metadata={"Software": MARK})
    return file.getvalue()


def font(text: str, size: float, bold: bool) -> Any:
    """Returns a font that has all characters of a text, if there is one on this machine."""
    from matplotlib.font_manager import FontProperties

    path = font_path("".join(sorted(set(text))))
    if path is None:
        return FontProperties(size=size, weight="bold" if bold else "normal")
    return FontProperties(fname=path, size=size)


@functools.cache
def font_path(characters: str) -> str | None:
    """Returns the file of a font that has these characters; None: matplotlib's own has them, or none has."""
    from matplotlib import font_manager

    own = font_manager.findfont("DejaVu Sans")
    if has_glyphs(own, characters):
        return None
    return next((path for path in usual_fonts() if has_glyphs(path, characters)), None)


@functools.cache
def usual_fonts() -> tuple[str, ...]:
    """Returns the files of the machine's upright fonts of usual weight; those without serifs first."""
    from matplotlib.font_manager import findSystemFonts

    # matplotlib's own list is from the day when it was first imported here
    files = [Path(file) for file in findSystemFonts() if not OTHER_STYLES.search(Path(file).stem)]
    return tuple(map(str, sorted(files, key=lambda file: ("Sans" not in file.stem, file.stem))))


@functools.cache
def glyphs(path: str) -> frozenset[int]:
    """Returns the code points that a font has; none for a font that cannot be drawn, such as one of colours."""
    from matplotlib.font_manager import get_font

    try:
        return frozenset(get_font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


def has_glyphs(path: str, characters: str) -> bool:
    """Returns whether a font has all of these characters."""
    return glyphs(path).issuperset(map(ord, characters))

"""Writes a picture as PNG with matplotlib, which is an optional extra."""

import io
import warnings
from typing import TYPE_CHECKING

from seq2seq.drawing.fonts import fonts_for
from seq2seq.drawing.picture import WHITE, Box, Dot, Label, Line, Picture, Shape
from seq2seq.drawing.svg import MARK
from seq2seq.errors import OptionError
from seq2seq.extras import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCALE = 2  # pixels of the file for one of the picture
MOST_PIXELS = 2**15  # in one direction; matplotlib allows 2**16
POINTS = 72.0
FORMAT = "--format png", "give --format svg"  # the option that asks for it, and what needs no library


def to_png(picture: Picture) -> bytes:
    """Returns the PNG file.

    Raises:
        OptionError: matplotlib is missing, or the picture is too large.

    """
    require_matplotlib(*FORMAT)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if max(picture.width, picture.height) * SCALE > MOST_PIXELS:
        raise OptionError(
            f"--format png: expected at most {MOST_PIXELS // SCALE} pixels, got a picture of "
            f"{picture.width:.0f} x {picture.height:.0f}; give --format svg, or leave --tree out"
        )
    figure = Figure(figsize=(picture.width / POINTS, picture.height / POINTS), dpi=POINTS * SCALE, facecolor=WHITE)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, picture.width), ylim=(picture.height, 0))
    axes.axis("off")
    file = io.BytesIO()
    with fonts_for("".join(shape.text for shape in picture.shapes if isinstance(shape, Label))):
        for place, shape in enumerate(picture.shapes):
            add_shape(axes, shape, place)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # a code point is too wide: a box
            figure.savefig(file, format="png", metadata={"Software": MARK})
    return file.getvalue()


def add_shape(axes: "Axes", shape: Shape, place: int) -> None:
    """Draws a shape above those of a smaller place."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Circle, Rectangle

    match shape:
        case Box():
            corner = (shape.x, shape.y)
            axes.add_patch(Rectangle(corner, shape.width, shape.height, color=shape.fill, linewidth=0, zorder=place))
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
                shape.text,
                parse_math=False,  # a dollar is a symbol
                color=shape.colour,
                ha={"start": "left", "middle": "center", "end": "right"}[shape.anchor],
                va="center_baseline",
                zorder=place,
                fontsize=shape.size,
                fontweight="bold" if shape.bold else "normal",
            )

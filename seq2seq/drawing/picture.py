"""A picture as a list of simple shapes, which `svg` and `png` write; lengths are in pixels from the top left."""

from dataclasses import dataclass, field

INK, GREY, WHITE = "#1f2328", "#8c959f", "#ffffff"


@dataclass(frozen=True)
class Box:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    title: str = ""  # shown where a pointer rests on it; SVG only


@dataclass(frozen=True)
class Label:
    """One line of text; `y` is its middle."""

    x: float
    y: float
    text: str
    size: float = 13
    colour: str = INK
    anchor: str = "middle"  # of x: "start", "middle" or "end"
    bold: bool = False


@dataclass(frozen=True)
class Line:
    """A line through points."""

    points: tuple[tuple[float, float], ...]
    colour: str = INK
    width: float = 1
    dashed: bool = False
    title: str = ""


@dataclass(frozen=True)
class Dot:
    """A filled circle."""

    x: float
    y: float
    radius: float
    colour: str = INK


Shape = Box | Label | Line | Dot


@dataclass
class Picture:
    """Shapes in the order in which they are drawn; the size grows with what is added."""

    title: str
    width: float = 0
    height: float = 0
    shapes: list[Shape] = field(default_factory=list)

    def add(self, *shapes: Shape) -> None:
        """Adds shapes."""
        self.shapes.extend(shapes)

    def reach(self, x: float, y: float) -> None:
        """Makes the picture at least this large."""
        self.width, self.height = max(self.width, x), max(self.height, y)


def shade(colour: str, share: float) -> str:
    """Mixes a colour `#rrggbb` with white; a share of 0 gives white, 1 the colour."""
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (part - 255) * min(max(share, 0.0), 1.0)):02x}" for part in parts)

"""Writes a picture as SVG. Text stays text: the viewer finds the fonts, and shapes each script."""

from xml.sax.saxutils import escape

from seq2seq.drawing.picture import WHITE, Box, Dot, Label, Line, Picture, Shape

MARK = "seq2seq explain"  # in each file, so that a later run knows that it may replace the file
FONTS = "system-ui, 'Noto Sans', 'DejaVu Sans', Arial, sans-serif"


def to_svg(picture: Picture) -> bytes:
    """Returns the SVG file, UTF-8."""
    size = f'width="{number(picture.width)}" height="{number(picture.height)}"'
    lines = [
        f"<!-- {MARK} -->",
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="0 0 {number(picture.width)} {number(picture.height)}" font-family="{FONTS}">',
        f"<title>{clean(picture.title)}</title>",
        f'<rect width="100%" height="100%" fill="{WHITE}"/>',
        *map(element, picture.shapes),
        "</svg>",
    ]
    return ("\n".join(lines) + "\n").encode()


def element(shape: Shape) -> str:
    """Returns the element of one shape."""
    match shape:
        case Box():
            place = f'x="{number(shape.x)}" y="{number(shape.y)}"'
            size = f'width="{number(shape.width)}" height="{number(shape.height)}"'
            return titled(f'rect {place} {size} fill="{shape.fill}"', "rect", shape.title)
        case Dot():
            place = f'cx="{number(shape.x)}" cy="{number(shape.y)}"'
            return f'<circle {place} r="{number(shape.radius)}" fill="{shape.colour}"/>'
        case Line():
            points = " ".join(f"{number(x)},{number(y)}" for x, y in shape.points)
            dashes = ' stroke-dasharray="3 3"' if shape.dashed else ""
            style = f'fill="none" stroke="{shape.colour}" stroke-width="{number(shape.width)}"{dashes}'
            return titled(f'polyline points="{points}" {style}', "polyline", shape.title)
        case Label():
            place = f'x="{number(shape.x)}" y="{number(shape.y)}" text-anchor="{shape.anchor}"'
            style = f'font-size="{number(shape.size)}" fill="{shape.colour}"' + ' font-weight="bold"' * shape.bold
            return f'<text {place} dominant-baseline="central" {style}>{clean(shape.text)}</text>'


def titled(start: str, name: str, title: str) -> str:
    """Returns an element, with its title if there is one."""
    return f"<{start}><title>{clean(title)}</title></{name}>" if title else f"<{start}/>"


def number(value: float) -> str:
    """Returns a length without needless digits."""
    return f"{value:.1f}".removesuffix(".0")


def clean(text: str) -> str:
    """Escapes a text, and replaces what XML cannot hold."""
    allowed = (
        c if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff") else "\ufffd"
        for c in text
    )
    return escape("".join(allowed))

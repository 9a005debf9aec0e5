"""Draws an explanation: the output above, a colour for each probability, and below it where the model looked."""

from collections.abc import Iterator, Sequence

from seq2seq.drawing.picture import GREY, INK, WHITE, Box, Dot, Label, Line, Picture, shade
from seq2seq.drawing.search_tree import draw_tree
from seq2seq.drawing.symbols import visible, width_of
from seq2seq.inference.explanation import ExplainedAction, ExplainedSymbol, Explanation

CELL, MARGIN, GAP = 24.0, 16.0, 10.0
STRIP = 14.0  # height of the probabilities
ROW = 20.0  # height of a row of alternatives
LETTER = 8.5  # width of a letter of a label, about
WIDEST = 12  # letters of a label that are shown
LAST = 100  # symbols of a prompt that are shown
BLOCK = 60  # output symbols side by side, where there is no grid
CHOSEN, WEIGHT = "#1a7f37", "#0550ae"  # colours of probabilities and of attention
FRAME = "#d8dee4"
EDITS = {
    "copy": "#1a7f37",
    "substitute": "#bc4c00",
    "insert": "#0969da",
    "delete": "#cf222e",
    "end": INK,
}


def draw(explanation: Explanation) -> Picture:
    """Draws an explanation; its tree stands below, if it has one."""
    end = "finished" if explanation.finished else "cut off"
    seed = "" if explanation.seed is None else f", seed {explanation.seed}"
    picture = Picture(f"{explanation.model} ({explanation.kind}): score {explanation.score:.4f}, {end}{seed}")
    picture.add(Label(MARGIN, MARGIN + 6, picture.title, anchor="start", bold=True))
    picture.reach(2 * MARGIN + len(picture.title) * LETTER, MARGIN + 24)
    has_grid = explanation.attention is not None or explanation.actions is not None
    symbols = explanation.symbols
    if explanation.source and not has_grid:
        name = "prompt" if explanation.kind == "language model" else "source"
        text = "".join(map(visible, explanation.source[-LAST:]))
        picture.add(Label(MARGIN, picture.height + 4, f"{name}: {text}", 12, anchor="start"))
        picture.reach(2 * MARGIN + (len(text) + 8) * LETTER, picture.height + 20)
    if symbols:
        legend(picture, explanation)
        size = len(symbols) if has_grid else BLOCK
        left = left_margin(explanation, has_grid=has_grid)
        for first in range(0, len(symbols), size):
            draw_block(picture, explanation, symbols[first : first + size], left, has_grid=has_grid)
    if explanation.tree is not None:
        draw_tree(picture, explanation.tree, MARGIN, picture.height + GAP)
    picture.reach(picture.width, picture.height + MARGIN)
    return picture


def legend(picture: Picture, explanation: Explanation) -> None:
    """Adds the scale of the colours, and the colours of the edits of a transducer."""
    x, y = MARGIN, picture.height + 4
    scales = {"probability": shade_of_probability, "attention": shade_of_weight}
    for name, scale in scales.items():
        if name == "probability" or explanation.attention is not None:
            for step in range(11):
                picture.add(Box(x + step * 6, y, 6, 10, scale(step / 10)))
            picture.add(Label(x + 70, y + 5, f"{name} 0 to 1", 11, GREY, "start"))
            x += 84 + (len(name) + 7) * 6
    if explanation.actions is not None:
        for name, colour in EDITS.items():
            picture.add(Line(((x, y + 5), (x + 16, y + 5)), colour, 3), Label(x + 20, y + 5, name, 11, GREY, "start"))
            x += 34 + len(name) * 7
    if any(one.forced for one in explanation.symbols):
        picture.add(Label(x, y + 5, "grey symbols: forced prefix", 11, GREY, "start"))
        x += 190
    picture.reach(x + MARGIN, y + 10 + GAP)


def left_margin(explanation: Explanation, *, has_grid: bool) -> float:
    """Returns where the columns begin: to the right of the longest name of a row."""
    names = ["1."] + ([visible(symbol) for symbol in explanation.source] if has_grid else [])
    return MARGIN + 8 + LETTER * max(2, max(len(shortened(name)) for name in names))


def draw_block(
    picture: Picture, explanation: Explanation, symbols: Sequence[ExplainedSymbol], left: float, *, has_grid: bool
) -> None:
    """Draws some output symbols side by side, below what the picture has; a grid has all symbols in one block."""
    names = [shortened(visible(one.symbol)) for one in symbols]
    others = [visible(each.symbol) for one in symbols for each in one.alternatives]
    cell = max(CELL, LETTER * max(map(width_of, names)), LETTER * max(map(len, map(shortened, others)), default=0))
    y = picture.height + GAP
    for column, (one, name) in enumerate(zip(symbols, names, strict=True)):
        x = left + column * cell
        tip = f"{visible(one.symbol)}: probability {one.probability:.4f}"
        picture.add(
            Label(x + cell / 2, y + ROW / 2, name, fitting(name, cell), GREY if one.forced else INK, bold=True),
            *tile(x, y + ROW + 2, cell, STRIP, shade_of_probability(one.probability), tip),
        )
    y += ROW + STRIP + 6
    if has_grid:
        height = grid_rows(picture, explanation, left, y, cell, len(symbols))
        (draw_weights if explanation.actions is None else draw_edits)(picture, explanation, left, y, cell)
        y += height + GAP
    for rank in range(max(len(one.alternatives) for one in symbols)):
        picture.add(Label(left - 8, y + ROW / 2, f"{rank + 1}.", 11, GREY, "end"))
        for column, one in enumerate(symbols):
            if rank < len(one.alternatives):
                draw_alternative(picture, one, rank, left + column * cell, y, cell)
        y += ROW
    picture.reach(left + len(symbols) * cell + MARGIN, y)


def draw_alternative(picture: Picture, one: ExplainedSymbol, rank: int, x: float, y: float, cell: float) -> None:
    """Draws one alternative in its colour; the chosen one is bold."""
    other = one.alternatives[rank]
    name, chosen = shortened(visible(other.symbol)), other.symbol == one.symbol
    tip = f"{visible(other.symbol)}: probability {other.probability:.4f}"
    colour = WHITE if other.probability > 0.6 else INK if chosen else "#57606a"
    picture.add(
        *tile(x, y, cell, ROW, shade_of_probability(other.probability), tip),
        Label(x + cell / 2, y + ROW / 2, name, fitting(name, cell, 12), colour, bold=chosen),
    )


def grid_rows(picture: Picture, explanation: Explanation, left: float, y: float, cell: float, columns: int) -> float:
    """Draws the names and the lines of the grid; returns its height."""
    height = CELL * len(explanation.source)
    for row, symbol in enumerate(explanation.source):
        picture.add(Label(left - 8, y + CELL * (row + 0.5), shortened(visible(symbol)), 13, INK, "end"))
    for row in range(len(explanation.source) + 1):
        picture.add(Line(((left, y + CELL * row), (left + cell * columns, y + CELL * row)), FRAME, 0.6))
    for column in range(columns + 1):
        picture.add(Line(((left + cell * column, y), (left + cell * column, y + height)), FRAME, 0.6))
    return height


def draw_weights(picture: Picture, explanation: Explanation, left: float, y: float, cell: float) -> None:
    """Draws the attention weights: a column for each output symbol, a row for each symbol of the source."""
    for column, weights in enumerate(explanation.attention or []):
        for row, weight in enumerate(weights):
            written, read = visible(explanation.symbols[column].symbol), visible(explanation.source[row])
            place = left + column * cell + 0.5, y + row * CELL + 0.5
            picture.add(
                Box(*place, cell - 1, CELL - 1, shade_of_weight(weight), f"{written} looked at {read}: {weight:.3f}")
            )


def draw_edits(picture: Picture, explanation: Explanation, left: float, y: float, cell: float) -> None:
    """Draws the edits as steps: right writes a symbol, down reads one, and a diagonal does both."""
    for action, (x0, y0), (x1, y1) in steps_of(explanation.actions or []):
        points = ((left + x0 * cell, y + y0 * CELL), (left + x1 * cell, y + y1 * CELL))
        at = visible(explanation.source[action.position])
        tip = f"{action.action} at {at}: probability {action.probability:.4f}"
        if x1 > x0:
            colour = shade(EDITS[action.action], action.probability / 2)
            picture.add(Box(points[0][0] + 0.5, points[0][1] + 0.5, cell - 1, CELL - 1, colour, tip))
        picture.add(Line(points, EDITS[action.action], 3, title=tip), Dot(*points[1], 2.5, EDITS[action.action]))


def steps_of(
    actions: Sequence[ExplainedAction],
) -> Iterator[tuple[ExplainedAction, tuple[int, int], tuple[int, int]]]:
    """Yields each action with the symbols written and read before it and after it; END is a step of its own."""
    written = 0
    for action in actions:
        read, writes = action.position, action.action != "delete"
        yield action, (written, read), (written + writes, read + (action.action != "insert"))
        written += writes


def tile(x: float, y: float, width: float, height: float, fill: str, tip: str) -> tuple[Box, Box]:
    """Returns a filled rectangle with a thin frame."""
    return Box(x, y, width, height, FRAME), Box(x + 0.5, y + 0.5, width - 1, height - 1, fill, tip)


def shade_of_probability(probability: float) -> str:
    """Returns the colour of a probability."""
    return shade(CHOSEN, probability)


def shade_of_weight(weight: float) -> str:
    """Returns the colour of an attention weight; by its square root, so that the small ones of a long line show."""
    return shade(WEIGHT, weight**0.5)


def shortened(name: str) -> str:
    """Returns a name of at most WIDEST letters."""
    return name if len(name) <= WIDEST else name[: WIDEST - 1] + "…"


def fitting(name: str, width: float, size: float = 14) -> float:
    """Returns a size of letters with which a name fits into a width."""
    return min(size, 1.2 * width / max(width_of(name), 1))

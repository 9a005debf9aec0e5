"""Shows an explanation as text: a table with one output symbol in each row, and the steps of a beam."""

from seq2seq.drawing.symbols import padded, visible, width_of
from seq2seq.inference.explanation import Explanation, SearchTree, TreeNode

SHADES = ((0.75, "█"), (0.5, "▓"), (0.25, "▒"), (0.05, "░"), (0.0, " "))  # least weight of each
BAR = 8  # cells of a probability of 1
MOST_LOOKED_AT = 3  # source symbols that are named where the whole grid does not fit
GAP = "  "


def as_text(explanation: Explanation, *, width: int | None = None) -> str:
    """Formats an explanation.

    Args:
        explanation: of one output.
        width: cells of the terminal; a grid of attention that does not fit is replaced by its largest weights.
            None: everything fits.

    Returns:
        Lines, each with a line end.

    """
    end = "finished" if explanation.finished else "cut off"
    seed = "" if explanation.seed is None else f", seed {explanation.seed}"
    head = f"{explanation.model} ({explanation.kind}): score {explanation.score:.4f}, {end}{seed}"
    tree = [] if explanation.tree is None else ["", *tree_lines(explanation.tree)]
    source = "".join(map(visible, explanation.source)) if explanation.attention is None else ""
    return "\n".join([head, *([f"source: {source}"] if source else []), *rows_of(explanation, width), *tree]) + "\n"


def rows_of(explanation: Explanation, width: int | None) -> list[str]:
    """Returns the lines of the table, with its heading; nothing where there is no output."""
    symbols = explanation.symbols
    if not symbols:
        return []
    columns = [
        ["symbol", *(visible(one.symbol) + (" (forced)" if one.forced else "") for one in symbols)],
        ["probability", *(f"{one.probability:.3f} {bar(one.probability)}" for one in symbols)],
        *alternatives_of(explanation),
    ]
    if explanation.actions is not None:
        columns.append(["edits", *edits_of(explanation)])
    if explanation.attention is not None:
        used = sum(max(map(width_of, column)) + len(GAP) for column in columns)
        columns.append(attention_column(explanation, None if width is None else width - used))
    widths = [max(map(width_of, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return [GAP.join(padded(*cell) for cell in zip(row, widths, strict=True)).rstrip() for row in rows]


def bar(probability: float) -> str:
    """Returns a bar, in eighths of a cell."""
    whole, eighths = divmod(round(probability * BAR * 8), 8)
    return "█" * whole + ("▏▎▍▌▋▊▉"[eighths - 1] if eighths else "")


def alternatives_of(explanation: Explanation) -> list[list[str]]:
    """Returns a column for each rank of the alternatives; the chosen symbol has a star."""
    several = [one.alternatives for one in explanation.symbols]
    columns = []
    for rank in range(max(map(len, several))):
        column = ["" if rank else "alternatives"]
        for one, alternatives in zip(explanation.symbols, several, strict=True):
            found = alternatives[rank] if rank < len(alternatives) else None
            star = "*" if found is not None and found.symbol == one.symbol else " "
            column.append("" if found is None else f"{star}{visible(found.symbol)} {share(found.probability)}")
        columns.append(column)
    return columns


def share(probability: float) -> str:
    """Returns a probability in two digits after the point, without the zero before it: `.07`."""
    return "1.0" if probability >= 0.995 else f"{probability:.2f}".removeprefix("0")


def edits_of(explanation: Explanation) -> list[str]:
    """Returns for each output symbol the actions since the symbol before it."""
    found: list[str] = []
    pending: list[str] = []
    for action in explanation.actions or []:
        at = visible(explanation.source[action.position])
        where = {"end": "", "insert": f" before {at}"}
        pending.append(action.action + where.get(action.action, f" {at}"))
        if action.action != "delete":
            found.append(", ".join(pending))
            pending = []
    return found


def attention_column(explanation: Explanation, room: int | None) -> list[str]:
    """Returns the weights as a grid of shades below the source; where it does not fit, the largest in numbers."""
    assert explanation.attention is not None
    source = [visible(symbol) for symbol in explanation.source]
    widths = [width_of(symbol) for symbol in source]
    if room is None or sum(widths) + 2 <= room:
        # without spaces between them, the heading reads as the source does
        heading = " " + "".join(padded(*cell) for cell in zip(source, widths, strict=True))
        grid = ["".join(map(shaded, row, widths)) for row in explanation.attention]
        return [heading, *(f"│{row}│" for row in grid)]
    found = ["looked at"]
    for row in explanation.attention:
        largest = sorted(range(len(row)), key=lambda place: -row[place])[:MOST_LOOKED_AT]
        named = (padded(f"{source[place]}:{place + 1}", 0) + f" {share(row[place])}" for place in largest)
        found.append(GAP.join(named))
    return found


def shaded(weight: float, width: int) -> str:
    """Returns the shade of a weight from 0 to 1, on some cells."""
    return next(shade for least, shade in SHADES if weight >= least) * width


def tree_lines(tree: SearchTree) -> list[str]:
    """Returns the steps of a search: the hypotheses that were kept, best first, and those that were not."""
    lines = [f"search: beam of {tree.beam_size}; * leads to the output, - found no place in the beam"]
    texts: dict[int, str] = {}
    steps: dict[int, list[TreeNode]] = {}
    for node in tree.nodes:
        before = "" if node.parent is None else texts[node.parent]
        texts[node.id] = before + (visible(node.symbol) if node.symbol else "")
        steps.setdefault(node.step, []).append(node)
    for step, nodes in list(steps.items())[1:]:
        lines.append(f"step {step}")
        nodes = sorted(nodes, key=lambda node: (not node.kept, -node.score))
        wide = max(width_of(texts[node.id]) for node in nodes)
        for node in nodes:
            mark = "*" if node.best else " " if node.kept else "-"
            last = node.action or ("end" if node.symbol is None else "")
            lines.append(f"  {mark} {padded(texts[node.id], wide)}  {node.score:9.4f}  {last}".rstrip())
    return lines

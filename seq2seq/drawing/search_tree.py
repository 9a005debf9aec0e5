"""Draws the tree of a search: steps from left to right, in each step the kept hypotheses above those that were not."""

from seq2seq.drawing.picture import GREY, INK, Box, Label, Line, Picture
from seq2seq.drawing.symbols import visible
from seq2seq.inference.explanation import SearchTree, TreeNode

COLUMN, ROW = 58.0, 34.0
BOX_WIDTH, BOX_HEIGHT = 40.0, 28.0
BEST, KEPT, PRUNED = "#1a7f37", "#dafbe1", "#f6f8fa"


def draw_tree(picture: Picture, tree: SearchTree, left: float, top: float) -> None:
    """Adds a tree to a picture; `left` and `top` are in pixels."""
    heading = f"search with a beam of {tree.beam_size}: green leads to the output, grey found no place in the beam"
    picture.add(Label(left, top + 8, heading, 11, GREY, "start"))
    places = {node.id: (left + COLUMN * node.step, top + 24 + ROW * row) for node, row in rows_of(tree)}
    below = [node for node in tree.nodes if not node.best] + [node for node in tree.nodes if node.best]
    for node in below:
        if node.parent is not None:
            x, y = places[node.parent]
            end, y_end = places[node.id]
            colour = BEST if node.best else INK if node.kept else GREY
            points = ((x + BOX_WIDTH, y + BOX_HEIGHT / 2), (end, y_end + BOX_HEIGHT / 2))
            picture.add(Line(points, colour, 2.5 if node.best else 0.8, dashed=not node.kept))
    for node in tree.nodes:
        draw_node(picture, node, *places[node.id])
    widest, lowest = (max(place[axis] for place in places.values()) for axis in (0, 1))
    picture.reach(max(widest + COLUMN, left + len(heading) * 6) + left, lowest + ROW)


def rows_of(tree: SearchTree) -> list[tuple[TreeNode, int]]:
    """Returns each node with its row: the kept ones of each step first, then by score."""
    taken: dict[int, int] = {}
    found = []
    for node in sorted(tree.nodes, key=lambda node: (node.step, not node.kept, -node.score)):
        found.append((node, taken.get(node.step, 0)))
        taken[node.step] = found[-1][1] + 1
    return found


def draw_node(picture: Picture, node: TreeNode, x: float, y: float) -> None:
    """Draws one node: its symbol above its score."""
    name = "START" if node.parent is None else visible(node.symbol)
    tip = f"{node.action or ''} {name}: log-probability {node.log_prob:.4f}, score {node.score:.4f}".strip()
    fill = BEST if node.best else KEPT if node.kept else PRUNED
    colour = "#ffffff" if node.best else INK if node.kept else GREY
    picture.add(
        Box(x, y, BOX_WIDTH, BOX_HEIGHT, fill, tip),
        Label(x + BOX_WIDTH / 2, y + 9, name, 12 if len(name) < 4 else 10, colour, bold=node.best),
        Label(x + BOX_WIDTH / 2, y + 21, f"{node.score:.2f}", 9, colour),
    )

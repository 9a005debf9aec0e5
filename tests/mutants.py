"""Mutants of the package: where its code can be changed in a small way, by the operators of Cosmic Ray.

A place is a node of the syntax tree, such as one operator or one number. What only annotates types is no place: a
change there ends the import, and would be counted as found without any test.
"""

import difflib
import math
import random
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOMS = ("text", "decoding", "training", "bundle", "scoring", "inference")
EQUIVALENT = Path(__file__).parent / "data" / "equivalent_mutants.toml"


class Mutant(NamedTuple):
    """One change of one file."""

    file: str  # below the package
    operator: str
    occurrence: int  # among the changes that the operator can make in the file
    line: int  # 1-based
    column: int

    @property
    def room(self):
        return self.file.partition("/")[0]


def operators():
    """The operators of Cosmic Ray that take no argument, by name."""
    from cosmic_ray.plugins import get_operator, operator_names

    classes = {name: get_operator(name) for name in operator_names()}
    return {name: one() for name, one in classes.items() if not one.arguments()}


def annotates(node):
    """Returns whether a node of Cosmic Ray's tree belongs to an annotation of a type."""
    while node.parent is not None:
        parent = node.parent
        place = next(index for index, child in enumerate(parent.children) if child is node)
        sign = getattr(parent.children[place - 1], "value", None) if place else None
        if (parent.type, sign) in {("annassign", ":"), ("tfpdef", ":"), ("funcdef", "->")}:
            return True
        node = parent
    return False


def mutants_of(file, source, changes):
    """Lists the mutants of a file, place by place: a dictionary from (line, column) to mutants."""
    from cosmic_ray.ast import ast_nodes, get_ast

    nodes = list(ast_nodes(get_ast(source)))
    places = {}
    for name, operator in changes.items():
        occurrence = 0
        for node in nodes:
            for (line, column), _ in operator.mutation_positions(node):
                if not annotates(node):
                    places.setdefault((line, column), []).append(Mutant(file, name, occurrence, line, column))
                occurrence += 1
    return places


def all_mutants(package, rooms=ROOMS):
    """Lists the mutants of rooms: for each room, its places, each a list of mutants."""
    changes = operators()
    found = {}
    for room in rooms:
        found[room] = []
        for path in sorted((package / room).glob("*.py")):
            places = mutants_of(f"{room}/{path.name}", path.read_text(encoding="utf-8"), changes)
            found[room] += [mutants for _, mutants in sorted(places.items())]
    return found


def draw(found, count, seed):
    """Draws equally many mutants of each room: a place, then one of its mutants. A larger count only adds some."""
    drawn = []
    for index, (room, places) in enumerate(found.items()):
        generator = random.Random(f"{seed} {room}")
        share = count // len(found) + (index < count % len(found))
        chosen = sorted(places, key=lambda _: generator.random())[:share]
        drawn.append([generator.choice(mutants) for mutants in chosen])
    # in turn, so that a run that is stopped has drawn equally from all
    longest = max(map(len, drawn), default=0)
    return [one[place] for place in range(longest) for one in drawn if place < len(one)]


def mutated(mutant, source):
    """Returns the source of a mutant's file with its change."""
    from cosmic_ray.mutating import mutate_code

    changed = mutate_code(source, operators()[mutant.operator], mutant.occurrence)
    assert changed is not None and changed != source, f"{mutant} changes nothing"
    return changed


def changed_lines(before, after):
    """Returns what is removed and what is added between two sources, without the space around it."""
    lines = list(difflib.ndiff(before.splitlines(), after.splitlines()))
    return tuple("\n".join(line[2:].strip() for line in lines if line.startswith(sign)) for sign in ("- ", "+ "))


def equivalents(path=EQUIVALENT):
    """Reads the mutants that no test can tell from the program: (file, line before, line after) -> the reason."""
    known = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"] if path.exists() else []
    return {(one["file"], one["before"], one["after"]): one["reason"] for one in known}


def interval(killed, count, z=1.96):
    """The Wilson interval of a share at 95 %.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    if not count:
        return 0.0, 1.0
    share, square = killed / count, z * z / count
    middle = (share + square / 2) / (1 + square)
    half = z * math.sqrt(share * (1 - share) / count + square / (4 * count)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)

"""Reads recipes.toml: for each model of the package, the commands that make it."""

import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Recipe:
    """How a model is made."""

    name: str
    about: str
    data: str  # what is prepared first: "tatoeba", "cmudict" or nothing
    licence: Path  # the text that goes into the model's folder
    largest: int  # bytes of the finished folder
    steps: tuple[tuple[str, float], ...]  # commands of seq2seq, and the minutes of each, 0 where it has no limit

    def commands(self, work: Path, minutes: float | None = None) -> list[list[str]]:
        """Returns the arguments of each command; `minutes` are those of all commands together."""
        usual = sum(each for _, each in self.steps)
        if minutes is not None and not usual:
            raise ValueError(f"--minutes {minutes:g}: {self.name} is trained for a number of epochs; leave it out")
        share = 1 if minutes is None else minutes / usual
        return [
            [part.format(work=work, minutes=f"{each * share:g}") for part in shlex.split(command)]
            for command, each in self.steps
        ]


def read_recipes(path: Path = HERE / "recipes.toml") -> dict[str, Recipe]:
    """Returns the recipes by name."""
    found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: Recipe(
            name,
            values["about"],
            values.get("data", ""),
            path.parent / values["licence"],
            values["largest"],
            tuple((step["command"], step.get("minutes", 0)) for step in values["steps"]),
        )
        for name, values in found.items()
    }

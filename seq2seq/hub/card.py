"""Writes the model card of a folder: README.md with the front matter that a hub reads."""

import json
from pathlib import Path

from seq2seq.bundle.record import LICENCE
from seq2seq.hub.summary import Summary

CARD = "README.md"
LIBRARY = "library_name: seq2seq"  # the line by which this program knows its own cards
# the hub's names of the licences that models of this package have, by the beginning of their line
LICENCE_NAMES = {"CC0 1.0": "cc0-1.0", "CC BY 2.0": "cc-by-2.0", "BSD": "bsd-2-clause", "public domain": "pddl"}
USES = {"language model": ("text-generation", "generate"), "transducer": ("text2text-generation", "decode")}


def model_card(summary: Summary, folder: Path, repository: str) -> str:
    """Returns the text of a model's README.md.

    Args:
        summary: of the model.
        folder: of the model; the text of its licence goes into the card.
        repository: where it is published, such as `me/fra-eng`.

    """
    task, verb = USES.get(summary.kind, ("translation", "decode"))
    licence = next((name for text, name in LICENCE_NAMES.items() if summary.licence.startswith(text)), "other")
    tags = ["seq2seq", "character-level", summary.kind.replace(" ", "-"), *["ensemble"] * (summary.members > 1)]
    front = [LIBRARY, f"license: {licence}", f"pipeline_tag: {task}", "tags:", *(f"- {tag}" for tag in tags)]
    if licence == "other" and summary.licence:
        front.append(f"license_name: {json.dumps(summary.licence, ensure_ascii=False)}")  # JSON is YAML too
    members = f", an ensemble of {summary.members}" if summary.members > 1 else ""
    name = repository.rpartition("/")[2]
    lines = [
        *("---", *front, "---", "", f"# {name}", ""),
        f"A character-level {summary.kind}{members} of the Python package `seq2seq`, {summary.size / 1e6:.1f} MB.",
        *("", "```", f"seq2seq models pull {repository}", f"seq2seq {verb} --model runs/{name}", "```", ""),
        f"- Data: {summary.data or 'not recorded'}",
        f"- Licence of the data: {summary.licence or 'not recorded'}",
        f"- Scores of the {summary.part} part: {summary.scores_text or 'not recorded'}",
    ]
    if (folder / LICENCE).is_file():
        lines += ["", "## Licence", "", (folder / LICENCE).read_text(encoding="utf-8").strip()]
    return "\n".join(lines) + "\n"

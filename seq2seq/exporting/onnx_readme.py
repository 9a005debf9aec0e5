"""Writes the README.md of an ONNX export: what the files are, how a program runs them, and what it must keep to."""

from collections.abc import Sequence
from typing import Any

from seq2seq.bundle.exported import DESCRIPTION, Description
from seq2seq.bundle.folder import Bundle
from seq2seq.exporting.onnx_program import program
from seq2seq.exporting.wording import kind_of, level_of

README = "README.md"


def readme(bundle: Bundle, found: Description, *, notes: Sequence[str] = ()) -> str:
    """Returns the text of README.md.

    Args:
        bundle: the model.
        found: its description.
        notes: more paragraphs.

    """
    verb = "generate --model . --temperature 0" if bundle.source_vocabulary is None else "decode --model ."
    members = f", an ensemble of {found.members}" if found.members > 1 else ""
    lines = [
        f"# {bundle.path.resolve().name} as ONNX",
        "",
        f"A {level_of(bundle)} {kind_of(bundle)}{members}, exported by {found.written_by}: ONNX files of opset "
        f"{found.opset}, weights as {found.quantized or 'float32'}. `{DESCRIPTION}` says all of this for programs: "
        "vocabularies, inputs and outputs, rules.",
        "",
        *(line for note in notes for line in (note, "")),
        "## Run it",
        "",
        "This program needs NumPy and onnxruntime alone. Its argument is "
        + ("the beginning of a text" if bundle.source_vocabulary is None else "one line")
        + "; it takes the most probable symbol at each step.",
        "",
        "```python",
        program(bundle).rstrip("\n"),
        "```",
        "",
        f"`seq2seq {verb}` runs the folder too, with every option for searching and sampling.",
        "",
        "## Inputs and outputs",
        "",
        *(f"- {letter}: {meaning}" for letter, meaning in found.axes.items()),
        "",
    ]
    for graph in found.graphs.values():
        lines += [f"`{graph['file']}`", "", "| | name | type | shape | meaning |", "|---|---|---|---|---|"]
        lines += [row(which, port) for which in ("inputs", "outputs") for port in graph[which]]
        lines.append("")
    lines += ["## The loop", "", *(f"{number}. {rule}" for number, rule in enumerate(found.loop, 1)), ""]
    lines += ["## Text", "", *(f"{number}. {rule}" for number, rule in enumerate(found.text["rules"], 1)), ""]
    ids = ", ".join(f"{name} = {token}" for name, token in found.special_ids.items())
    lines += ["## Ids", "", f"{ids}. Never written: {', '.join(map(str, found.never_written))}.", ""]
    if found.actions:
        lines += ["A step chooses an action:", "", *(f"- {meaning}" for meaning in found.actions["meaning"]), ""]
        lines += [found.actions["positions"], "", found.actions["impossible"], ""]
    if bundle.licence:
        lines += ["## Licence", "", bundle.licence.strip(), ""]
    return "\n".join(lines)


def row(which: str, port: dict[str, Any]) -> str:
    """Returns a line of a table: one input or output."""
    shape = f"({', '.join(map(str, port['shape']))}{',' * (len(port['shape']) == 1)})"
    return f"| {which.removesuffix('s')} | `{port['name']}` | {port['dtype']} | {shape} | {port['meaning']} |"

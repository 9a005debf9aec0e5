"""Writes a model as ONNX: `encoder.onnx` and `step.onnx`, `model.json` that describes them, and a README.md."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq.bundle.exported import DESCRIPTION, ONNX
from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import LICENCE
from seq2seq.errors import BundleError
from seq2seq.exporting.description import describe
from seq2seq.exporting.onnx_readme import README, readme
from seq2seq.exporting.options import ExportOptions
from seq2seq.exporting.quantization import loss_table, quantized
from seq2seq.exporting.wording import edits_of
from seq2seq.files.writing import json_text, write_together
from seq2seq.graphs.builder import OPSET, Builder, Port
from seq2seq.graphs.models import graphs_of


def export(bundle: Bundle, folder: Path, options: ExportOptions) -> None:
    """Writes a model of any kind into an empty folder; an ensemble becomes one graph, as one model.

    Args:
        bundle: the model.
        folder: receives the files.
        options: how; with `quantize` the loss is reported.

    Raises:
        BundleError: the model is an ensemble of language models that differ in how far back they read.

    """
    check(bundle)
    built = graphs_of(bundle)
    graphs = {name: graph.finished() for name, graph in built.items()}
    notes = []
    if options.quantize:
        whole, graphs = graphs, {name: quantized(graph) for name, graph in graphs.items()}
        table = loss_table(bundle, whole, graphs, options.data)
        options.report(table)
        notes = [f"What {options.quantize} loses:", f"```\n{table}\n```"]
    parts: dict[str, bytes | str] = {f"{name}.onnx": graph for name, graph in graphs.items()}
    parts |= edits_of(bundle)
    if bundle.licence:
        parts[LICENCE] = bundle.licence
    ports = {name: ports_of(name, graph) for name, graph in built.items()}
    found = describe(bundle, ONNX, ports, quantized=options.quantize, opset=OPSET, sha256=hashes(parts))
    parts[README] = readme(bundle, found, notes=notes)
    write_together(folder, {**parts, DESCRIPTION: json_text(dataclasses.asdict(found))})


def check(bundle: Bundle) -> None:
    """Refuses a model that has no graph of its own; raises as `export`."""
    windows = {int(member.record.get("restarts", 0)) for member in bundle.members}
    if len(windows) > 1:
        raise BundleError(
            f"{bundle.path}: its members read the last {', '.join(map(str, sorted(windows)))} symbols (0: all), and "
            "one graph reads the same for all; export each member"
        )


def hashes(parts: Mapping[str, bytes | str]) -> dict[str, str]:
    """Returns the SHA-256 of each file by name."""
    contents = ((name, part.encode() if isinstance(part, str) else part) for name, part in parts.items())
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents}


def ports_of(name: str, graph: Builder) -> dict[str, Any]:
    """Describes a graph's file with its inputs and outputs, as model.json has it."""
    return {"file": f"{name}.onnx", "inputs": listed(graph.inputs), "outputs": listed(graph.outputs)}


def listed(ports: list[Port]) -> list[dict[str, Any]]:
    """Returns ports as JSON has them."""
    return [{**dataclasses.asdict(port), "shape": list(port.shape)} for port in ports]

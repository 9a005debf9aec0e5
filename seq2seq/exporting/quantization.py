"""Stores the weights of ONNX graphs as 8-bit integers, and measures what that loses."""

import dataclasses
import logging
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx

from seq2seq.bundle.folder import Bundle
from seq2seq.bundle.record import LANGUAGE_MODEL
from seq2seq.errors import BundleError, DataError
from seq2seq.inference.language_model import LanguageModel
from seq2seq.inference.translator import Translator
from seq2seq.scoring.evaluation import evaluate
from seq2seq.scoring.material import find_material
from seq2seq.scoring.text_evaluation import evaluate_text

MOST_ITEMS, MOST_SYMBOLS = 1000, 20_000  # sources, or symbols of a text, that the loss is measured on
OPERATORS = ["MatMul", "LSTM"]  # whose weights become integers; an embedding is small, and read without a product
COLUMNS = "{:<20}{:>10}{:>10}"


def quantized(graph: bytes) -> bytes:
    """Returns a graph whose products with weights are computed in 8-bit integers; scales are found at each call.

    Weights are unsigned: sums of products with signed ones saturate on processors without VNNI, so that outputs would
    depend on the processor.

    Source: onnxruntime's dynamic quantization.

    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises to simplify the graph first, which has nothing to simplify
    try:
        with tempfile.TemporaryDirectory() as place:
            path, model = Path(place) / "graph.onnx", onnx.load_from_string(graph)
            quantize_dynamic(model, path, weight_type=QuantType.QUInt8, op_types_to_quantize=OPERATORS)
            return path.read_bytes()
    finally:
        logger.setLevel(level)


def loss_table(bundle: Bundle, before: Mapping[str, bytes], after: Mapping[str, bytes], data: str | None) -> str:
    """Measures what quantization loses; returns it as a table, or the reason why it was not measured.

    Args:
        bundle: the model.
        before: its graphs with float32 weights, by name.
        after: those with integers.
        data: pairs or a text; None: the model's validation part.

    Raises:
        DataError: `data` cannot be used.

    """
    graphs = [dataclasses.replace(bundle, graphs=graphs, members=()) for graphs in (before, after)]
    try:
        if bundle.kind == LANGUAGE_MODEL:
            what, rows = text_loss(graphs, data)
        else:
            what, rows = line_loss(graphs, data)
    except (BundleError, DataError) as error:
        if data is not None:
            raise
        return f"the loss was not measured: {error}"
    sizes = [sum(map(len, graphs.values())) / 1e6 for graphs in (before, after)]
    rows["size, MB"] = [f"{size:.2f}" for size in sizes]
    table = [COLUMNS.format(name, *values) for name, values in {"": ["float32", "int8"], **rows}.items()]
    return "\n".join([*(line.rstrip() for line in table), what])


def line_loss(bundles: Sequence[Bundle], data: str | None) -> tuple[str, dict[str, list[str]]]:
    """Scores a translator before and after; returns what it was scored on, and the rows of the table."""
    material = find_material(bundles[0], data, None if data or "adopted" in bundles[0].record else "validation")
    if not material.references:
        raise DataError(f"{material.name}: expected at least one pair, got none; give --data FILE.tsv")
    every = math.ceil(len(material.references) / MOST_ITEMS)  # files may be sorted by length
    material = dataclasses.replace(material, references=material.references[::every])
    found = [evaluate(Translator(bundle), material, n_bootstrap=0) for bundle in bundles]
    same = np.mean([one == other for one, other in zip(*(each.outputs for each in found), strict=True)])
    scores = [each.scores.to_dict() for each in found]
    rows = {
        "chrF": [f"{each['chrf']:.2f}" for each in scores],
        "exact match": [f"{each['exact_match']:.4f}" for each in scores],
        "same output": ["", f"{same:.4f}"],
    }
    return f"greedy outputs of {len(material.references)} sources: {material.name}", rows


def text_loss(bundles: Sequence[Bundle], data: str | None) -> tuple[str, dict[str, list[str]]]:
    """Scores a language model before and after; returns what it was scored on, and the rows of the table."""
    found = [evaluate_text(LanguageModel(bundle), data, most=MOST_SYMBOLS) for bundle in bundles]
    rows = {"bits per character": [f"{each.bits_per_character:.4f}" for each in found]}
    return f"{found[0].symbols} symbols of {data or 'the validation part'}", rows

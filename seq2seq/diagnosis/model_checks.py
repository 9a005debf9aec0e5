"""D01, D10 and D11 in a model: ids that it copies, reads as quantities, cannot embed or cannot predict."""

from collections.abc import Sequence
from typing import Any

from seq2seq.diagnosis.report import BROKEN, HARMFUL, Finding, finding
from seq2seq.diagnosis.sample import Sample
from seq2seq.diagnosis.shifts import agreement
from seq2seq.diagnosis.vocabulary_checks import range_fix
from seq2seq.foreign.arrays import IDS
from seq2seq.foreign.graph import consumers
from seq2seq.foreign.layout import Data
from seq2seq.foreign.models import layers_of, shapes
from seq2seq.foreign.parts import DECODER, ENCODER
from seq2seq.foreign.teacher_forcing import Teacher

NUMERIC = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "Dense", "TimeDistributed", "Conv1D", "Rescaling",
           "Normalization")  # fmt: skip
BEYOND = "ids are out of the embedding's range"
COPIES = 0.9  # share of predictions equal to the input that shows a copying model


def check_embeddings(model: Any, data: Data, teacher: Teacher | None) -> list[Finding]:
    """D11: ids beyond the rows of the embedding that reads them; of the largest if the graph does not show which."""
    found = []
    sides = {part: side for part, side in ((ENCODER, data.source), (DECODER, data.inputs))
             if side is not None and side.sequences.kind == IDS}  # fmt: skip
    if len(shapes(model, "inputs")) != len(sides):
        return []
    everywhere = embedding_sizes(layers_of(model))
    for part, side in sides.items():
        sizes = embedding_sizes(consumers(model, teacher.parts.index(part))) if teacher is not None else []
        most = min(sizes) if sizes else max(everywhere, default=0)  # else ids that no embedding holds
        if most and side.ids.max() >= most:
            evidence = {
                "array": side.name,
                "largest id": int(side.ids.max()),
                "rows of the embedding": most,
                "positions": int((side.ids >= most).sum()),
            }
            fix = range_fix(int(side.ids.max()), most)
            found.append(finding("D11", BROKEN, evidence, title=BEYOND, fix=fix))
    return found


def embedding_sizes(layers: Sequence[Any]) -> list[int]:
    """Returns the number of rows of each embedding."""
    return [layer.input_dim for layer in layers if type(layer).__name__ == "Embedding"]


def check_magnitudes(model: Any, data: Data) -> list[Finding]:
    """D10: ids that reach a layer which reads them as quantities."""
    sides = [side for side in (data.source, data.inputs) if side is not None]
    inputs = shapes(model, "inputs")
    if len(inputs) != len(sides):
        return []
    found = []
    for index, side in enumerate(sides):
        if side.sequences.kind != IDS or side.sequences.classes < 4:
            continue
        kinds = {type(layer).__name__ for layer in consumers(model, index)}
        if kinds and kinds <= set(NUMERIC):
            evidence = {"array": side.name, "largest value": int(side.ids.max()), "read by": sorted(kinds)}
            found.append(finding("D10", HARMFUL, evidence))
    return found


def check_classes(sample: Sample) -> list[Finding]:
    """D11: targets that the model cannot predict."""
    classes = sample.forced.shape[-1]
    assert sample.data.targets is not None
    largest = int(sample.data.targets.ids.max())
    if largest < classes:
        return []
    evidence = {"array": sample.data.targets.name, "largest id": largest, "symbols that the model scores": classes}
    title = "targets are out of the range of the model's output"
    fix = range_fix(largest, classes).replace("Embedding", "Dense").replace(", width", "")
    return [finding("D11", BROKEN, evidence, title=title, fix=fix)]


def check_copying(sample: Sample) -> list[Finding]:
    """D01 in a model: it predicts its input, although the given arrays are right."""
    data = sample.data
    if data.inputs is None or data.targets is None or data.targets.sequences.single:
        return []
    fed = data.inputs.ids[sample.rows]
    if fed.shape != sample.targets.shape or agreement(data.inputs, data.targets, 0) > 0.5:
        return []
    copied = float((sample.forced.argmax(-1) == fed)[sample.real].mean())
    if copied < COPIES or sample.accuracy > 0.5:
        return []
    evidence = {
        "predictions equal to the decoder's input": copied,
        "accuracy on these targets": sample.accuracy,
        "rows": len(sample.rows),
    }
    title = "the model copies its decoder input: it was trained on targets equal to it"
    return [finding("D01", BROKEN, evidence, title=title)]

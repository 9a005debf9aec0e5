"""The graphs of a whole model folder: `step`, and `encoder` for a model that reads a source."""

from collections.abc import Sequence

from seq2seq.bundle.folder import Bundle
from seq2seq.graphs.builder import Builder
from seq2seq.graphs.cells import Part
from seq2seq.graphs.encoder import encoder_graph
from seq2seq.graphs.names import ENCODER, STEP
from seq2seq.graphs.step import step_graph


def parts_of(bundle: Bundle) -> Sequence[Part]:
    """Returns what stands in the graphs of a model: itself, or the members of an ensemble."""
    if not bundle.members:
        return [Part(bundle.model, bundle.weights)]
    return [Part(member.model, member.weights, f"member_{at}_") for at, member in enumerate(bundle.members, 1)]


def graphs_of(bundle: Bundle) -> dict[str, Builder]:
    """Builds the graphs of a model by name; an ensemble has the same graphs as one model."""
    parts, reads_source = parts_of(bundle), bundle.source_vocabulary is not None
    found = {ENCODER: encoder_graph(parts)} if reads_source else {}
    return {**found, STEP: step_graph(parts, reads_source=reads_source)}

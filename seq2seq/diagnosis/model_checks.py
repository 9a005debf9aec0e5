"""Runs all checks that need a model, in the order in which one can stand on the other."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from seq2seq.diagnosis.behaviour import (
    CAUSAL,
    check_free_run,
    check_loops,
    check_peeking,
    check_source_use,
    free_run,
    future_effect,
)
from seq2seq.diagnosis.invariance import check_batch, check_tight
from seq2seq.diagnosis.losses import check_loss
from seq2seq.diagnosis.report import BROKEN, HARMFUL, Finding, finding
from seq2seq.diagnosis.sample import FREE_ROWS, Sample, spread
from seq2seq.diagnosis.shifts import agreement
from seq2seq.diagnosis.weights import check_weights, foreign_weights
from seq2seq.errors import DataError
from seq2seq.foreign.arrays import IDS
from seq2seq.foreign.feeding import Teacher, make_teacher, order_in_words
from seq2seq.foreign.graph import consumers
from seq2seq.foreign.layout import DECODER as DECODER_INPUT
from seq2seq.foreign.layout import ENCODER as ENCODER_INPUT
from seq2seq.foreign.layout import Data
from seq2seq.foreign.models import DECODER, ENCODER, TRAIN, layers_of, shapes
from seq2seq.foreign.stepping import Stepper, make_stepper

NUMERIC = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "Dense", "TimeDistributed", "Conv1D", "Rescaling",
           "Normalization")  # fmt: skip
BEYOND = "ids are out of the embedding's range"
COPIES = 0.9  # share of predictions equal to the input that makes a copying model


class Outcome:
    """Collects what the checks of models say."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self.inferred: list[str] = []
        self.examined: dict[str, int] = {}
        self.counted = False  # whether the loss was tried on changed padding
        self.looks_both_ways = False  # whether a model with one input uses what comes after a step

    def attempt(self, what: str, check: Callable[[], Sequence[Finding]]) -> None:
        """Runs a check; one that fails is named, not fatal: the model is somebody else's."""
        try:
            self.findings += check()
        except Exception as error:
            lines = str(error).strip().splitlines()
            self.notes.append(f"{what}: it failed with {type(error).__name__}: {lines[0][:200] if lines else ''}")


def check_models(models: Mapping[str, Any], data: Data | None, order: Sequence[str] | None) -> Outcome:
    """Examines models, with the arrays if there are any.

    Args:
        models: by part.
        data: the arrays.
        order: parts in the order of the training model's inputs, when the user said so.

    """
    outcome = Outcome()
    train, encoder, decoder = (models.get(part) for part in (TRAIN, ENCODER, DECODER))
    if data is None or (data.inputs is None and data.source is None):
        outcome.notes.append(
            "what the models do (D05, D06, D08, D09, D13, D14): no arrays; pass the arrays that they were trained on"
        )
        if train is not None and (encoder is not None or decoder is not None):
            outcome.attempt("the weights (D07)", lambda: weights_alone(train, encoder, decoder))
        return outcome
    if train is not None:
        outcome.findings += check_magnitudes(train, data)
    teacher = find_teacher(train, data, outcome, order)
    beyond = check_embeddings(train, data, teacher) if train is not None else []
    if beyond:  # such a model cannot be called
        outcome.findings += beyond
        return outcome
    stepper = find_stepper(encoder, decoder, teacher, data, outcome)
    if data.targets is None:
        outcome.notes.append("what the models do (D05 to D09, D13, D14): no targets; pass decoder_target")
        return outcome
    if teacher is None and stepper is None:
        return outcome
    if (data.inputs is not None and not data.inputs.ids.size) or not data.targets.ids.size:
        outcome.notes.append(
            "what the models do (D05 to D09, D13, D14): decoder arrays are neither ids nor one-hot; pass ids"
        )
        return outcome
    sample = Sample(data, teacher, stepper, spread(data))
    outcome.examined["with the right symbols fed"] = len(sample.rows)
    try:
        vocabulary = check_classes(sample)
    except Exception as error:
        if beyond := out_of_range(error):
            outcome.findings += beyond
            return outcome
        outcome.notes.append(f"what the models do: calling them failed with {type(error).__name__}: {str(error)[:200]}")
        return outcome
    if vocabulary:
        outcome.findings += vocabulary
        return outcome
    if teacher is not None:
        outcome.attempt("copying (D01)", lambda: check_copying(sample))
        outcome.attempt("the loss (D04, D09, D13)", lambda: check_loss(sample, train))
        # rows of one length are tried together: what depends on the batch would seem to depend on padding
        outcome.attempt("dependence on batch and padding (D08)", lambda: check_batch(sample) or check_tight(sample))
        if encoder is not None or decoder is not None:
            outcome.attempt("the weights (D07)", lambda: check_weights(sample, train, encoder, decoder))
    outcome.attempt("running free (D05, D06, D14)", lambda: check_running(sample, outcome))
    if not sample.learnt:
        outcome.notes.append(
            "use of the source and running free (D05, D06, D14): the model knows no more than the commonest symbol "
            f"(accuracy {sample.accuracy:.0%}, the commonest {sample.majority:.0%}); train it first"
        )
    outcome.counted = sample.counted
    outcome.looks_both_ways = data.source is None and future_effect(sample) > CAUSAL
    outcome.notes += sample.notes
    return outcome


def check_running(sample: Sample, outcome: Outcome) -> list[Finding]:
    """D05, D06 and D14 on the same outputs."""
    started = free_run(sample)
    if started is None:
        return [*check_source_use(sample, None), *check_peeking(sample)]
    run, given = started
    outcome.examined["running free"] = min(FREE_ROWS, len(sample.rows))
    return [
        *check_source_use(sample, run if given else None),
        *check_free_run(sample, run, given),
        *check_loops(sample, run),
    ]


def find_teacher(train: Any, data: Data, outcome: Outcome, order: Sequence[str] | None) -> Teacher | None:
    """Wraps the training model; says why not where it cannot be."""
    if train is None:
        outcome.notes.append("the training model (D07, D08, D09, D13): none was given; pass --train-model")
        return None
    try:
        teacher = make_teacher(train, data, order)
    except DataError as error:
        beyond = out_of_range(error)
        outcome.findings += beyond
        if not beyond:
            outcome.notes.append(f"what the training model does (D05 to D09, D13, D14): {error}")
        return None
    if not order:
        outcome.inferred.append(order_in_words(teacher, data))
    return teacher


def out_of_range(error: Exception) -> list[Finding]:
    """D11 from the error that a lookup raises; nothing if it is another error."""
    match = re.search(r"= (-?\d+) is not in \[0, (\d+)\)", str(error))
    if match is None:
        return []
    evidence = {"id": int(match[1]), "rows of the embedding": int(match[2])}
    return [finding("D11", BROKEN, evidence, title=BEYOND)]


def find_stepper(encoder: Any, decoder: Any, teacher: Teacher | None, data: Data, outcome: Outcome) -> Stepper | None:
    """Wires the inference models; says why not where it cannot be."""
    if encoder is None or decoder is None:
        if teacher is not None and data.source is not None and len(teacher.parts) > 1:
            outcome.notes.append(
                "the inference models (D07): none were given; pass --encoder and --decoder. Free running was tried "
                "with the training model"
            )
        return None
    if data.inputs is None or data.source is None:
        outcome.notes.append("the inference models (D07): no decoder_input; pass it")
        return None
    try:
        classes = data.targets.sequences.classes if data.targets is not None else 0
        if teacher is not None:
            classes = next((shape[-1] for shape in shapes(teacher.model, "outputs") if shape[-1]), classes)
        stepper = make_stepper(encoder, decoder, data.inputs, classes=classes, end=data.end)
        outcome.inferred.append(stepper.wiring)
        return stepper
    except DataError as error:
        outcome.notes.append(f"the inference models step by step (D07): {error}")
        return None


def weights_alone(train: Any, encoder: Any, decoder: Any) -> list[Finding]:
    """D07 from values alone."""
    trained = [np.asarray(variable) for variable in train.get_weights()]
    foreign: dict[str, float] = {}
    for model in (encoder, decoder):
        if model is not None:
            foreign |= foreign_weights(model, trained)
    evidence = {"weights that the training model does not have": len(foreign), "such as": list(foreign)[:6]}
    return [finding("D07", BROKEN, evidence, title="inference models hold weights of their own")] if foreign else []


def check_embeddings(model: Any, data: Data, teacher: Teacher | None) -> list[Finding]:
    """D11: ids beyond the rows of the embedding that reads them, as far as the graph shows which one does."""
    found = []
    sides = {part: side for part, side in ((ENCODER_INPUT, data.source), (DECODER_INPUT, data.inputs))
             if side is not None and side.sequences.kind == IDS}  # fmt: skip
    if len(shapes(model, "inputs")) != len(sides):
        return []
    everywhere = embedding_sizes(layers_of(model))
    for part, side in sides.items():
        sizes = embedding_sizes(consumers(model, teacher.parts.index(part))) if teacher is not None else []
        most = min(sizes) if sizes else max(everywhere, default=0)  # else: what no embedding can hold
        if most and side.ids.max() >= most:
            evidence = {
                "array": side.name,
                "largest id": int(side.ids.max()),
                "rows of the embedding": most,
                "positions": int((side.ids >= most).sum()),
            }
            found.append(finding("D11", BROKEN, evidence, title=BEYOND))
    return found


def embedding_sizes(layers: Sequence[Any]) -> list[int]:
    """Rows of each embedding."""
    return [layer.input_dim for layer in layers if type(layer).__name__ == "Embedding"]


def check_magnitudes(model: Any, data: Data) -> list[Finding]:
    """D10: ids that reach a layer which takes them for quantities."""
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
    """D11: targets that the model cannot say."""
    classes = sample.forced.shape[-1]
    assert sample.data.targets is not None
    largest = int(sample.data.targets.ids.max())
    if largest < classes:
        return []
    evidence = {"array": sample.data.targets.name, "largest id": largest, "symbols that the model scores": classes}
    return [finding("D11", BROKEN, evidence, title="targets are out of the range of the model's output")]


def check_copying(sample: Sample) -> list[Finding]:
    """D01 in a model: it says what it is fed, although the arrays that were given are right."""
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

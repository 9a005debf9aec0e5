"""D05, D06 and D14: whether a model uses its source, and how it behaves when it runs free."""

from typing import Any

import numpy as np

from seq2seq.diagnosis.association import check_association
from seq2seq.diagnosis.causes import LOOKS_AHEAD
from seq2seq.diagnosis.loops import check_loops
from seq2seq.diagnosis.report import BROKEN, HARMFUL, NOTE, Examined, Finding, NotExamined, Result, Settled, finding
from seq2seq.diagnosis.running import Run, run_language_model, run_translator, run_windows
from seq2seq.diagnosis.sample import FREE_ROWS, FREE_STEPS, Sample
from seq2seq.diagnosis.shifts import agreement
from seq2seq.foreign.graph import reaches_output
from seq2seq.foreign.layout import ENCODER
from seq2seq.foreign.models import is_functional
from seq2seq.scoring.degeneration import positional_accuracy

NONE_AT_ALL = 1e-6  # largest change of a probability that rounding explains
LITTLE = 0.03  # negligible relative change of the loss
LITTLE_NATS = 0.02  # negligible change of the loss, nats per symbol, of a model with a low loss
SURE = 0.9  # teacher-forced accuracy of a model that is nearly always right
FEW_CHANGES = 0.08  # share of predictions that a source of little use can change, such as where rows end
USUAL_BATCH = 64  # rows; the batch size of the training is not saved with a model
MANY_EPOCHS = 200  # after which more training does not help
GAP = 0.4  # between teacher-forced and free-running accuracy that a good model should not have
GOOD = 0.85
CAUSAL = 1e-4  # largest change of a probability in a model that reads earlier steps only
WIRED = (
    "assert len(x) == len(d) == len(y)  # and x[i] belongs to y[i]: shuffle all three in one order\n"
    "decoder_input, decoder_target = target_ids[:, :-1], target_ids[:, 1:]  # fed the answer, it needs no source"
)
MISTAKES = {
    "title": "the first mistakes of an output make the rest differ from the target",
    "effect": "the accuracy when fed promises more than decoding reaches",
    "fix": "model.fit(..., epochs=...)  # train longer or on more pairs; compare outputs by edit distance",
}
NOT_YET = {
    "title": "the source is hardly used yet: the model has learnt the target language first",
    "effect": "the outputs are plausible text that has little to do with the input",
    "fix": "model.fit(..., epochs=...)  # the source has an effect: train until the validation loss stops falling",
}
LOOK_BACK = "keras.layers.LSTM(units, return_sequences=True)  # not Bidirectional; attention: use_causal_mask=True"


def check_running(sample: Sample) -> list[Result]:
    """Checks D05, D06 and D14 on the same outputs."""
    started = free_run(sample)
    if started is None:
        return [*check_source_use(sample, None), *check_peeking(sample)]
    run, given = started
    return [
        Examined("running free", len(run.outputs)),
        *check_source_use(sample, run if given else None),
        *check_free_run(sample, run, given),
        *check_loops(sample, run),
    ]


def check_learnt(sample: Sample) -> list[Result]:
    """Notes that a model has learnt too little for D05, D06 and D14."""
    if sample.learnt:
        return []
    return [
        NotExamined(
            "use of the source and running free (D05, D06, D14): the model is no better than the commonest symbol "
            f"(accuracy {sample.accuracy:.0%}, the commonest {sample.majority:.0%}); train it first"
        )
    ]


def check_direction(sample: Sample) -> list[Result]:
    """D01: targets equal to the inputs are right for a model with one input that also reads later steps."""
    reads_all = sample.data.source is None and sample.future_effect > CAUSAL
    return [Settled("D01")] if reads_all else []


def check_source_use(sample: Sample, run: Run | None) -> list[Finding]:
    """D05: exchanges the sources of rows and measures what changes."""
    if sample.data.source is None or sample.data.inputs is None or len(sample.rows) < 4:
        return []
    source = sample.source()
    exchanged = np.roll(source, 1, 0)
    different = (exchanged != source).reshape(len(source), -1).any(1)
    if different.sum() < 2:
        return []
    if sample.teacher is not None:
        scores = sample.teacher(exchanged, sample.inputs())
    else:
        assert sample.stepper is not None
        scores = sample.stepper.forced(exchanged, sample.inputs())
    real = sample.real & different[:, None]
    change = float(np.abs(scores - sample.forced)[real].max(initial=0.0))
    before, after = sample.nats(sample.forced), sample.nats(scores)
    changed = float((scores.argmax(-1) != sample.forced.argmax(-1))[real].mean())
    evidence = {
        "loss, nats per symbol": before,
        "with the sources of other rows": after,
        "predictions that changed": changed,
        "largest change of a probability": change,
        "rows": len(source),
    }
    if run is not None:
        evidence["distinct greedy outputs"] = len({tuple(output) for output in run.outputs})
        evidence["of sources"] = len(run.outputs)
    if change <= NONE_AT_ALL:
        return [without_effect(sample, evidence)]
    if not sample.learnt:
        return []  # a model learns the target language first, and to use the source later
    unmoved = sample.accuracy >= SURE and changed < FEW_CHANGES
    if unmoved or after - before < max(LITTLE * before, LITTLE_NATS):
        if not unmoved and (training := short_training(sample)) is not None:
            return [finding("D05", HARMFUL, {**evidence, **training}, **NOT_YET)]
        same = run is not None and len(run.outputs) >= 8 and len({tuple(output) for output in run.outputs}) == 1
        severity = BROKEN if same and sample.accuracy >= SURE and changed < LITTLE else HARMFUL
        return [finding("D05", severity, evidence, fix=WIRED if has_path(sample) else "")]
    return []


def has_path(sample: Sample) -> bool:
    """Returns whether the graph of the training model leads from the source to the output; False if it is unknown."""
    teacher = sample.teacher
    return bool(
        teacher is not None
        and is_functional(teacher.model)
        and reaches_output(teacher.model, teacher.parts.index(ENCODER))
    )


def short_training(sample: Sample) -> dict[str, Any] | None:
    """Returns evidence that a model had too few epochs to use its source; None if something else is wrong.

    The sources must predict something of the targets, and have a path to the output. The optimizer's steps, where they
    were saved, must be few for the data.
    """
    source, targets, teacher = sample.data.source, sample.data.targets, sample.teacher
    assert source is not None and targets is not None
    if check_association(source, targets):
        return None
    rows = len(source.sequences.raw)
    evidence: dict[str, Any] = {"rows of data": rows}
    optimizer = getattr(teacher.model, "optimizer", None) if teacher is not None else None
    if optimizer is not None and (steps := int(optimizer.iterations)):
        epochs = steps * USUAL_BATCH / rows
        if epochs > MANY_EPOCHS:
            return None
        evidence |= {
            "training steps": steps,
            f"epochs, if a batch had {USUAL_BATCH} rows": epochs,
        }
    return evidence


def without_effect(sample: Sample, evidence: dict[str, Any]) -> Finding:
    """D05 of a source that changes nothing: no path leads to the output, or the path has no effect."""
    teacher = sample.teacher
    if teacher is None or not is_functional(teacher.model):
        return finding("D05", BROKEN, evidence, title="the source is ignored: nothing at all depends on it")
    if not has_path(sample):
        title = "the source is ignored: no path in the model leads from it to the output"
        return finding("D05", BROKEN, evidence, title=title)
    return finding(
        "D05",
        BROKEN if sample.learnt else HARMFUL,
        evidence,
        title="the source is ignored: a path leads to the output, but the weights on it have no effect",
        fix="keras.layers.Embedding(size, width, mask_zero=True)  # padding after the source can erase its state;\n"
        "# else examine the encoder's outputs: a layer that is saturated, frozen or all zeros",
    )


def free_run(sample: Sample) -> tuple[Run, int] | None:
    """Decodes some rows greedily; returns the outputs and how many symbols of each row were given."""
    data, count = sample.data, min(FREE_ROWS, len(sample.rows))
    if data.inputs is None or data.targets is None or not data.inputs.ids.size:
        return None
    if data.targets.sequences.single:
        if sample.teacher is None or data.source is not None:
            return None
        return run_windows(sample.teacher, data, data.inputs.ids[sample.rows[:count]], FREE_STEPS), 0
    ids = data.inputs.ids[sample.rows[:count]]
    given = 1 if data.source is not None else max(1, ids.shape[1] // 2)
    if data.source is None and (data.inputs.ids.shape != data.targets.ids.shape or sample.future_effect > CAUSAL):
        return None  # not a language model: it reads all of its input before it predicts
    chosen = sample.rows[:count]
    if data.source is None:
        assert sample.teacher is not None
        steps = min(ids.shape[1] - given + 1, FREE_STEPS)
        return run_language_model(sample.teacher, data, ids[:, :given], steps), given
    steps = min(int(data.targets.lengths()[chosen].max()) + 1, FREE_STEPS)
    starts = np.full(count, data.start) if data.start is not None else data.inputs.first()[chosen]
    return run_translator(sample.teacher, sample.stepper, data, sample.source(count), starts, steps), given


def check_free_run(sample: Sample, run: Run, given: int) -> list[Finding]:
    """D06: compares teacher-forced accuracy with free-running accuracy.

    A decoder that reads earlier steps only predicts the same in both until its first mistake. So the share of symbols
    before the first teacher-forced mistake is a lower bound of the free-running accuracy.
    """
    if given == 0 or not sample.learnt:
        return check_peeking(sample)
    count = len(run.outputs)
    if sample.data.source is None:
        since = given - 1
        steps = len(run.written[0])
        right = sample.right[:count, since : since + steps]
        references = [row[since : since + steps].tolist() for row in sample.targets[:count]]
        outputs = run.written
        lengths = [len(reference) for reference in references]
    else:
        right = sample.right[:count]
        references = [reference[:FREE_STEPS] for reference in sample.references(count)]
        outputs = run.outputs
        lengths = [len(reference) for reference in references]
    if not sum(lengths):
        return []
    before = sum(min(first_wrong(row), length) for row, length in zip(right, lengths, strict=True)) / sum(lengths)
    free = positional_accuracy(outputs, references)
    chance = positional_accuracy(outputs, references[1:] + references[:1])
    parts = [first_difference(output, reference) for output, reference in zip(outputs, references, strict=True)]
    evidence = {
        "accuracy when fed the right symbols": sample.accuracy,
        "before its first mistake": before,
        "accuracy when free": free,
        "against other rows' targets": chance,
        "they part at step": float(np.median(parts)) + 1,
        "rows": count,
    }
    ahead = sample.future_effect
    if ahead > CAUSAL:
        evidence[LOOKS_AHEAD] = ahead
    title = "the decoder sees the symbols that it must predict" if ahead > CAUSAL else ""
    if check_peeking(sample):
        return [finding("D06", BROKEN, evidence, title=title, fix=LOOK_BACK)]
    if free < 0.5 * before and before > chance + 0.1:
        complete = ahead > CAUSAL or free <= chance + 0.15 * max(sample.accuracy - chance, 0)
        return [finding("D06", BROKEN if complete else HARMFUL, evidence, title=title)]
    if ahead > 0.02 and sample.accuracy - free > 0.2:
        return [finding("D06", HARMFUL, evidence, title=title)]
    if sample.accuracy >= GOOD and sample.accuracy - free > GAP and sample.data.source is not None:
        if free >= before:  # what runs free does at least what its first mistakes allow
            return [finding("D06", NOTE, evidence, **MISTAKES)]
        return [finding("D06", HARMFUL, evidence, title=title)]
    return []


def check_peeking(sample: Sample) -> list[Finding]:
    """D06 by structure: a decoder, or a language model, that sees the symbols it must predict."""
    data = sample.data
    if data.inputs is None or data.targets is None or data.targets.sequences.single:
        return []
    if data.inputs.ids.shape != data.targets.ids.shape or agreement(data.inputs, data.targets, 1) < 0.9:
        return []
    ahead = sample.future_effect
    if ahead <= CAUSAL:
        return []
    evidence = {
        LOOKS_AHEAD: ahead,
        "accuracy when it sees them": sample.accuracy,
        "rows": len(sample.rows),
    }
    what = "model" if data.source is None else "decoder"
    title = f"the {what} sees the symbols that it must predict"
    return [finding("D06", BROKEN, evidence, title=title, fix=LOOK_BACK)]


def first_wrong(right: np.ndarray) -> int:
    """Counts the steps before the first mistake."""
    return len(right) if right.all() else int((~right).argmax())


def first_difference(output: list[int], reference: list[int]) -> int:
    """Counts the steps before two rows differ."""
    for step, (one, other) in enumerate(zip(output, reference, strict=False)):
        if one != other:
            return step
    return min(len(output), len(reference))
